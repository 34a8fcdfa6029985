import Assistant
import Foundation
import Logging
import StrictJSON
import Synchronization
import Testing

/// Both services over a real socket.
@Suite(.timeLimit(.minutes(10))) struct ServiceTests {
  // MARK: Formats

  @Test(arguments: samples)
  func `an answer is the same wherever its bytes are split, and its connection is used again`(
    sample: Sample
  ) async throws {
    let whole = stream(sample.full)
    let server = try ScriptedServer { request, connection in
      // Every position once: the head of the answer, the frames of its body, and its end.
      guard sendAll(Array(whole[..<(request.number % whole.count)]), to: connection) else { return false }
      usleep(300)
      return sendAll(Array(whole[(request.number % whole.count)...]), to: connection)
    }
    defer { server.close() }
    let model = try sample.model(server)
    for split in whole.indices {
      let answer = try await model.wholeAnswer(to: hello)
      try #require(answer == sample.fullAnswer, "split at \(split)")
    }
    #expect(server.requests.count == whole.count)
    #expect(server.connectionCount == 1)
  }

  @Test(arguments: samples)
  func `an answer that comes byte by byte is the same`(sample: Sample) async throws {
    let server = try ScriptedServer { _, connection in
      for byte in stream(sample.full) {
        guard sendAll([byte], to: connection) else { return false }
        usleep(100)
      }
      return true
    }
    defer { server.close() }
    let end = try await outcome(of: try sample.model(server))
    #expect(end.error == nil)
    #expect(end.text == sample.fullAnswer.text)
    #expect(end.events.suffix(3) == sample.fullAnswer.calls.map { .call($0) } + [.finish(sample.fullAnswer.finish)])
  }

  @Test(arguments: samples)
  func `every reason to end has its word`(sample: Sample) async throws {
    for (word, reason) in sample.reasons {
      let server = try ScriptedServer(answers: [stream(sample.opening + sample.piece("So") + sample.ending(word))])
      defer { server.close() }
      let answer = try await sample.model(server).wholeAnswer(to: hello)
      #expect(answer.text == "So" && answer.finish.reason == reason, "\(word)")
    }
  }

  @Test(arguments: samples)
  func `an answer that ran out of tokens drops the call it had begun`(sample: Sample) async throws {
    let word = sample.reasons.first { $0.1 == .length }!.0
    let text = sample.opening + sample.call(0, "search", ["{\"words\": \"bro"]) + sample.ending(word)
    let server = try ScriptedServer(answers: [stream(text)])
    defer { server.close() }
    let answer = try await sample.model(server).wholeAnswer(to: hello)
    #expect(answer.calls.isEmpty && answer.finish.reason == .length)
  }

  @Test(arguments: samples)
  func `an answer with calls that calls itself complete waits for them`(sample: Sample) async throws {
    let word = sample.reasons.first { $0.1 == .complete }!.0
    let server = try ScriptedServer(
      answers: [stream(sample.opening + sample.call(0, "search", ["{}"]) + sample.ending(word))])
    defer { server.close() }
    let answer = try await sample.model(server).wholeAnswer(to: hello)
    #expect(answer.calls.map(\.name) == ["search"] && answer.finish.reason == .calls)
  }

  @Test(arguments: ["[1]", "{\"a\":1,\"a\":2}", "{\"a\":", "{\"a\":\"\\ud800\"}", "nothing"], samples)
  func `arguments that are no object become a call without any`(arguments: String, sample: Sample) async throws {
    let word = sample === anthropic ? "tool_use" : "tool_calls"
    let server = try ScriptedServer(
      answers: [stream(sample.opening + sample.call(0, "search", [arguments]) + sample.ending(word))])
    defer { server.close() }
    let answer = try await sample.model(server).wholeAnswer(to: hello)
    #expect(answer.calls.count == 1 && answer.calls.first?.arguments == nil)
  }

  @Test(arguments: samples)
  func `an answer whose last event is missing is complete if it said why it ended`(sample: Sample) async throws {
    let word = sample.reasons[0].0
    let full = sample.opening + sample.piece("Hi") + sample.ending(word)
    let last = full.range(of: sample === anthropic ? "event: message_stop" : "data: [DONE]")!
    let server = try ScriptedServer(answers: [stream(String(full[..<last.lowerBound]))])
    defer { server.close() }
    #expect(try await sample.model(server).wholeAnswer(to: hello) == sample.shortAnswer)
  }

  // MARK: Broken answers

  @Test(arguments: samples)
  func `an answer that is cut off anywhere gives a prefix and an error, never a finish`(sample: Sample) async throws {
    let whole = stream(sample.full)
    // Until its reason is known: in what comes behind that, there is nothing to lose.
    let reason = String(decoding: whole, as: UTF8.self)
      .range(of: sample === anthropic ? "event: message_delta" : "\"finish_reason\":\"tool_calls\"")!
    let end = String(decoding: whole, as: UTF8.self)[..<reason.lowerBound].utf8.count
    let server = try ScriptedServer { request, connection in
      _ = sendAll(Array(whole[..<(request.number * 7)]), to: connection)
      return false
    }
    defer { server.close() }
    var patience = hasty
    patience.retries = 0
    let model = try sample.model(server, patience)
    for length in stride(from: 0, to: end, by: 7) {
      let end = try await outcome(of: model)
      // Without the head of an answer, or a whole one, there was no answer yet.
      #expect(end.error.map { [.cutOff, .unreachable].contains($0.code) } == true, "\(length): \(end)")
      #expect(sample.fullAnswer.text.hasPrefix(end.text))
      #expect(end.events.allSatisfy { if case .text = $0 { true } else { false } })
    }
  }

  private static let nonsense = [
    "data: {\n\n", "data: nothing\n\n", "data: []\n\n", "data: 1\n\n", "data: {}\n\n", "data: {\"a\":1,\"a\":1}\n\n",
    "data: {\"type\":1}\n\n", "data: {\"choices\":1,\"type\":\"content_block_delta\"}\n\n",
    "data: {\"choices\":[1],\"type\":\"content_block_delta\",\"index\":0}\n\n",
    "data: {\"choices\":[{\"delta\":{\"content\":1}}],\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\"}}\n\n",
    "data: {\"choices\":[{\"delta\":{\"tool_calls\":1}}],\"type\":\"content_block_delta\",\"index\":7,\"delta\":{}}\n\n",
    "data: {\"choices\":[{\"delta\":{\"tool_calls\":[1]}}],\"type\":\"content_block_stop\",\"index\":7}\n\n",
    "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{}]}}],\"type\":\"content_block_start\",\"index\":3,\"content_block\":{\"type\":\"tool_use\"}}\n\n",
    "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":1e99}]}}],\"type\":\"content_block_start\",\"index\":1e99}\n\n",
    "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":5}]}}],\"type\":\"content_block_start\",\"index\":0,\"content_block\":{}}\n\n",
    "data: " + String(repeating: "[", count: 5_000) + "\n\n", "data: {\"choices\":\"\u{0}\"}\n\n",
  ]

  @Test(arguments: samples)
  func `nonsense behind the first piece is unreadable, and what came before it is there`(sample: Sample) async throws {
    for text in Self.nonsense {
      let server = try ScriptedServer(answers: [stream(sample.opening + sample.piece("So") + text + sample.short)])
      defer { server.close() }
      let end = try await outcome(of: try sample.model(server))
      #expect(end.error?.code == .unreadable, "\(text): \(end)")
      #expect(end.text == "So" && server.requests.count == 1, "\(text)")
    }
  }

  @Test(arguments: samples)
  func `bytes that are no UTF-8 are unreadable`(sample: Sample) async throws {
    var bytes = Array((sample.opening + sample.piece("QX") + sample.ending("stop")).utf8)
    bytes[bytes.firstIndex(of: UInt8(ascii: "Q"))!] = 0xFF
    let head = Array("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".utf8)
    let server = try ScriptedServer(answers: [head + bytes], keepsOpen: false)
    defer { server.close() }
    #expect(try await outcome(of: try sample.model(server)).error?.code == .unreadable)
  }

  @Test(arguments: samples)
  func `an answer that is no event stream is unreadable`(sample: Sample) async throws {
    for bytes in [
      answer("200 OK", "{}"), answer("204 No Content", ""), answer("302 Found", "", "location: /\r\n"),
      Array("SSH-2.0-OpenSSH_9.2p1\r\n\r\n".utf8),
    ] {
      let server = try ScriptedServer(answers: [bytes], keepsOpen: false)
      defer { server.close() }
      let end = try await outcome(of: try sample.model(server))
      #expect(end.error?.code == .unreadable && server.requests.count == 1, "\(end)")
    }
  }

  // MARK: Errors

  private static let refusals: [(status: String, body: String, anthropic: ModelError.Code, openAI: ModelError.Code)] = [
    ("401 No", #"{"type":"error","error":{"type":"authentication_error","message":"KEY"}}"#, .badKey, .badKey),
    ("401 No", #"{"error":{"message":"Incorrect API key provided: KEY","code":"invalid_api_key"}}"#, .badKey, .badKey),
    ("403 No", "", .badKey, .badKey),
    (
      "404 No", #"{"type":"error","error":{"type":"not_found_error","message":"model: x"}}"#, .unknownModel,
      .unknownModel
    ),
    ("404 No", #"{"error":{"code":"model_not_found","type":"invalid_request_error"}}"#, .refused, .unknownModel),
    ("404 No", "<html>", .refused, .refused),
    ("400 No", #"{"type":"error","error":{"type":"invalid_request_error","message":"KEY"}}"#, .refused, .refused),
    ("413 No", #"{"type":"error","error":{"type":"request_too_large"}}"#, .refused, .refused),
    ("422 No", #"{"detail":[{"loc":["body"]}]}"#, .refused, .refused),
    ("429 No", #"{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}"#, .rateLimited, .rateLimited),
    ("429 No", #"{"type":"error","error":{"type":"rate_limit_error"}}"#, .rateLimited, .rateLimited),
    ("500 No", #"{"type":"error","error":{"type":"api_error"}}"#, .overloaded, .overloaded),
    ("502 No", "<html>", .overloaded, .overloaded), ("503 No", #"{"error":"#, .overloaded, .overloaded),
    ("529 No", #"{"type":"error","error":{"type":"overloaded_error"}}"#, .overloaded, .overloaded),
    ("504 No", #"{"error":[{"error":{}}]}"#, .overloaded, .overloaded),
  ]

  @Test(arguments: samples)
  func `every refusal has its code, is asked again if that helps, and shows nothing of the service's words`(
    sample: Sample
  ) async throws {
    for (status, body, anthropicCode, openAICode) in Self.refusals {
      let code = sample === anthropic ? anthropicCode : openAICode
      let bytes = answer(status, body.replacing("KEY", with: Sample.key))
      let server = try ScriptedServer(answers: [bytes])
      defer { server.close() }
      let error = try #require(try await outcome(of: try sample.model(server)).error)
      #expect(error.code == code, "\(status) \(body): \(error)")
      let isQuota = sample === openAI && body.contains("quota")
      let tries = [.rateLimited, .overloaded].contains(code) && !isQuota ? 3 : 1
      #expect(server.requests.count == tries, "\(status) \(body)")
      for text in ["\(error)", error.message, String(reflecting: error)] {
        #expect(!text.contains("sk-") && !text.contains("3141"), "\(text)")
      }
      #expect(error.message.hasSuffix(".") && error.message.first?.isUppercase == true)
    }
  }

  @Test(arguments: samples)
  func `a service that fails twice is asked a third time`(sample: Sample) async throws {
    let server = try ScriptedServer(answers: [
      answer("529 Overloaded", "{}"), answer("429 Slow down", "{}", "retry-after: 1\r\n"), stream(sample.short),
    ])
    defer { server.close() }
    let start = ContinuousClock.now
    #expect(try await sample.model(server).wholeAnswer(to: hello) == sample.shortAnswer)
    #expect(server.requests.count == 3)
    // It wanted to be left alone for a second.
    #expect(ContinuousClock.now - start >= .seconds(1))
    #expect(Set(server.requests.map(\.body)).count == 1)
  }

  @Test(arguments: samples)
  func `whatever breaks before the first piece is tried again`(sample: Sample) async throws {
    for first in [[], stream(sample.opening), stream(sample.opening + sample.overloaded), stream("")] {
      let server = try ScriptedServer { request, connection in
        _ = sendAll(request.number == 0 ? first : stream(sample.short), to: connection)
        return false
      }
      defer { server.close() }
      #expect(try await sample.model(server).wholeAnswer(to: hello) == sample.shortAnswer)
      #expect(server.requests.count == 2)
    }
  }

  @Test(arguments: samples)
  func `nothing is tried again behind the first piece`(sample: Sample) async throws {
    for (rest, code) in [("", ModelError.Code.cutOff), (sample.overloaded, .overloaded)] {
      let server = try ScriptedServer(answers: [stream(sample.opening + sample.piece("So") + rest)])
      defer { server.close() }
      let end = try await outcome(of: try sample.model(server))
      #expect(end.events == [.text("So")] && end.error?.code == code)
      #expect(server.requests.count == 1)
    }
  }

  @Test func `a service that wants to be left alone for too long is not asked again`() async throws {
    let server = try ScriptedServer(answers: [answer("429 Slow down", "{}", "retry-after: 3600\r\n")])
    defer { server.close() }
    let error = try await outcome(of: try anthropic.model(server)).error
    #expect(error?.code == .rateLimited && error?.retryAfter == 3_600)
    #expect(server.requests.count == 1)
  }

  @Test(arguments: ["-1", "soon", "Wed, 21 Oct 2037 07:28:00 GMT", "9999999999999999999999", ""])
  func `a wait that cannot be read is the program's own`(value: String) async throws {
    let server = try ScriptedServer(
      answers: [answer("429 Slow down", "{}", "retry-after: \(value)\r\n"), stream(anthropic.short)])
    defer { server.close() }
    #expect(try await anthropic.model(server).wholeAnswer(to: hello) == anthropic.shortAnswer)
  }

  @Test func `waits double, and none is begun that the time does not allow`() async throws {
    let server = try ScriptedServer(answers: [answer("500 Oh", "{}")])
    defer { server.close() }
    var patience = hasty
    patience.firstWait = .milliseconds(200)
    let start = ContinuousClock.now
    #expect(try await outcome(of: try openAI.model(server, patience)).error?.code == .overloaded)
    #expect(server.requests.count == 3)
    #expect(ContinuousClock.now - start >= .milliseconds(600))

    (patience.firstWait, patience.longestWait, patience.total) = (.seconds(100), .seconds(100), .seconds(90))
    let second = ContinuousClock.now
    #expect(try await outcome(of: try openAI.model(server, patience)).error?.code == .overloaded)
    #expect(server.requests.count == 4)
    #expect(ContinuousClock.now - second < soon)
  }

  @Test func `a service that is not there is unreachable, after all tries`() async throws {
    let server = try ScriptedServer { _, _ in false }
    server.close()
    let error = try await outcome(of: try openAI.model(server)).error
    #expect(error?.code == .unreachable)
  }

  // MARK: Time

  @Test(arguments: ["", streamHead, streamHead + chunk(anthropic.opening)])
  func `a service that falls silent is given up, once`(beginning: String) async throws {
    let server = try ScriptedServer { _, connection in
      sendAll(beginning, to: connection) && !isClosedSoon(connection)
    }
    defer { server.close() }
    var patience = hasty
    patience.silence = .milliseconds(200)
    let start = ContinuousClock.now
    #expect(try await outcome(of: try anthropic.model(server, patience)).error?.code == .timedOut)
    #expect((.milliseconds(200)...soon).contains(ContinuousClock.now - start))
    #expect(server.requests.count == 1)
  }

  @Test func `a service that never ends is given up, however lively it is`() async throws {
    let closed = Mutex(false)
    let server = try ScriptedServer { _, connection in
      var isOpen = sendAll(streamHead, to: connection)
      while isOpen {
        isOpen = sendAll(chunk(": ping\n\n"), to: connection)
        usleep(20_000)
      }
      closed.withLock { $0 = true }
      return false
    }
    defer { server.close() }
    var patience = hasty
    (patience.silence, patience.total) = (.milliseconds(200), .milliseconds(600))
    let start = ContinuousClock.now
    #expect(try await outcome(of: try anthropic.model(server, patience)).error?.code == .timedOut)
    #expect((.milliseconds(600)...soon).contains(ContinuousClock.now - start))
    #expect(try await eventually { closed.withLock { $0 } })
  }

  @Test(arguments: samples)
  func `a reader who takes time is no silence of the service`(sample: Sample) async throws {
    let server = try ScriptedServer { _, connection in
      for index in 0..<40 {
        let text = (index == 0 ? sample.opening : "") + sample.piece(String(repeating: "x", count: 5_000))
        guard sendAll((index == 0 ? streamHead : "") + chunk(text), to: connection) else { return false }
      }
      return sendAll(chunk(sample.ending(sample.reasons[0].0)) + "0\r\n\r\n", to: connection)
    }
    defer { server.close() }
    var patience = hasty
    patience.silence = .seconds(4)
    let bytes = try await sample.model(server, patience).withAnswer(to: hello) { events in
      var bytes = 0
      for try await event in events {
        if bytes == 0 { try await Task.sleep(for: .seconds(6)) }
        if case .text(let text) = event { bytes += text.utf8.count }
      }
      return bytes
    }
    #expect(bytes == 200_000)
  }

  @Test(arguments: samples)
  func `a stream that stays open behind a complete answer holds nobody up`(sample: Sample) async throws {
    let closed = Mutex(false)
    let server = try ScriptedServer { _, connection in
      _ = sendAll(streamHead + chunk(sample.short), to: connection)
      let isClosed = isClosedSoon(connection)
      closed.withLock { $0 = isClosed }
      return false
    }
    defer { server.close() }
    let start = ContinuousClock.now
    #expect(try await sample.model(server).wholeAnswer(to: hello) == sample.shortAnswer)
    #expect(ContinuousClock.now - start < soon)
    #expect(try await eventually { closed.withLock { $0 } })
  }

  // MARK: Cancelling

  private struct Enough: Error {}

  /// A server that says a piece and waits for the other side to close.
  private func patientServer(_ sample: Sample, _ onClosed: @escaping @Sendable () -> Void) throws -> ScriptedServer {
    try ScriptedServer { _, connection in
      _ = sendAll(streamHead + chunk(sample.opening + sample.piece("So")), to: connection)
      if isClosedSoon(connection) { onClosed() }
      return false
    }
  }

  @Test(arguments: samples)
  func `cancelling the task closes the connection at once`(sample: Sample) async throws {
    let closed = Mutex(false)
    let server = try patientServer(sample) { closed.withLock { $0 = true } }
    defer { server.close() }
    let end = try await outcomeOfCancelling(try sample.model(server))
    #expect(end?.error?.code == .cancelled && end?.text == "So")
    #expect(try await eventually { closed.withLock { $0 } })
    #expect(server.requests.count == 1)
  }

  @Test(arguments: samples)
  func `a body that throws or returns closes the connection at once`(sample: Sample) async throws {
    for isError in [true, false] {
      let closed = Mutex(false)
      let server = try patientServer(sample) { closed.withLock { $0 = true } }
      defer { server.close() }
      let start = ContinuousClock.now
      do {
        let text = try await sample.model(server).withAnswer(to: hello) { events in
          for try await event in events {
            if isError { throw Enough() }
            return event
          }
          return .text("nothing")
        }
        #expect(text == .text("So") && !isError)
      } catch {
        #expect(error is Enough && isError)
      }
      #expect(ContinuousClock.now - start < soon)
      #expect(try await eventually { closed.withLock { $0 } })
    }
  }

  @Test func `cancelling ends a request that waits for its head, or for its next try`() async throws {
    for first in [[], answer("500 Oh", "{}", "retry-after: 90\r\n")] {
      let server = try ScriptedServer { _, connection in
        _ = sendAll(first, to: connection)
        return !isClosedSoon(connection)
      }
      defer { server.close() }
      var patience = hasty
      patience.longestWait = .seconds(100)
      let start = ContinuousClock.now
      let end = try await outcomeOfCancelling(try openAI.model(server, patience), afterEvent: false)
      #expect(end?.error?.code == .cancelled)
      #expect(ContinuousClock.now - start < soon)
    }
  }

  @Test(arguments: samples)
  func `a reader that does not read keeps the service waiting`(sample: Sample) async throws {
    let sent = Mutex(0)
    let server = try ScriptedServer { _, connection in
      var isOpen = sendAll(streamHead + chunk(sample.opening), to: connection)
      let piece = chunk(sample.piece(String(repeating: "x", count: 200)))
      while isOpen {
        isOpen = sendAll(piece, to: connection)
        sent.withLock { $0 += piece.utf8.count }
      }
      return false
    }
    defer { server.close() }
    var limits = AnswerLimits()
    (limits.textBytes, limits.streamBytes, limits.events) = (.max, .max, .max)
    try await sample.model(server, hasty, limits).withAnswer(to: hello) { events in
      for try await _ in events { break }
      // Until for a second nothing more was sent.
      var early = -1
      while early != sent.withLock({ $0 }) {
        early = sent.withLock { $0 }
        try await Task.sleep(for: .seconds(1))
      }
      // What fits into the system's buffers.
      #expect(early < 16_777_216)
    }
  }

  // MARK: Sizes

  private static let tight = AnswerLimits(
    textBytes: 1_000, calls: 3, argumentBytes: 1_000, nameBytes: 50, eventBytes: 5_000, events: 500,
    streamBytes: 100_000)

  @Test(arguments: samples)
  func `what is too large ends the answer and its connection, and just below all is well`(sample: Sample) async throws {
    let done = sample.ending(sample === anthropic ? "tool_use" : "tool_calls")
    let long = String(repeating: "y", count: 100)
    func calls(_ count: Int) -> String { (0..<count).map { sample.call($0, "search", ["{}"]) }.joined() }
    let cases: [(String, fits: String, exceeds: String)] = [
      (
        "text", String(repeating: sample.piece(long), count: 10) + calls(1) + done,
        String(repeating: sample.piece(long), count: 11)
      ),
      ("calls", calls(3) + done, calls(4)),
      (
        "arguments", sample.call(0, "a", ["{\"a\":\"", String(repeating: "z", count: 990), "\"}"]) + done,
        sample.call(0, "a", ["{\"a\":\"", String(repeating: "z", count: 999), "\"}"])
      ),
      (
        "names", sample.call(0, String(repeating: "n", count: 50), []) + done,
        sample.call(0, String(repeating: "n", count: 51), [])
      ),
      (
        "an event", ": \(String(repeating: "c", count: 4_900))\n\n" + calls(1) + done,
        ": \(String(repeating: "c", count: 5_100))"
      ),
      (
        "events", String(repeating: sample.piece("x"), count: 450) + calls(1) + done,
        String(repeating: sample.piece("x"), count: 510)
      ),
      (
        "bytes", String(repeating: ": \(long)\n\n", count: 900) + calls(1) + done,
        String(repeating: ": \(long)\n\n", count: 1_000)
      ),
    ]
    for (name, fits, exceeds) in cases {
      let closed = Mutex(false)
      let server = try ScriptedServer { request, connection in
        if request.number == 0 { return sendAll(stream(sample.opening + fits), to: connection) }
        _ = sendAll(streamHead + chunk(sample.opening + exceeds), to: connection)
        let isClosed = isClosedSoon(connection)
        closed.withLock { $0 = isClosed }
        return false
      }
      defer { server.close() }
      let model = try sample.model(server, hasty, Self.tight)
      let first = try await outcome(of: model)
      #expect(first.error == nil, "\(name): \(first.error.debugDescription)")
      let second = try await outcome(of: model)
      #expect(second.error?.code == .tooLarge, "\(name): \(second.error.debugDescription)")
      #expect(server.requests.count == 2, "\(name)")
      #expect(try await eventually { closed.withLock { $0 } }, "\(name)")
    }
  }

  @Test(arguments: samples)
  func `a text of the greatest size arrives whole, and one byte more is too large`(sample: Sample) async throws {
    let most = AnswerLimits().textBytes
    for (extra, error) in [(0, ModelError.Code?.none), (1, .tooLarge)] {
      // In one piece, all of it escaped: what a server may do that does not really stream.
      let text = String(repeating: "\u{1}", count: most + extra)
      let server = try ScriptedServer(
        answers: [stream(sample.opening + sample.piece(text) + sample.ending(sample.reasons[0].0))])
      defer { server.close() }
      let end = try await outcome(of: try sample.model(server))
      #expect(end.error?.code == error)
      #expect(error != nil || end.text == text)
    }
  }

  @Test func `a refusal without an end is read up to its bound only`() async throws {
    let server = try ScriptedServer { _, connection in
      var isOpen = sendAll("HTTP/1.1 400 No\r\ntransfer-encoding: chunked\r\n\r\n", to: connection)
      while isOpen { isOpen = sendAll(chunk(String(repeating: " ", count: 10_000)), to: connection) }
      return false
    }
    defer { server.close() }
    #expect(try await outcome(of: try openAI.model(server)).error?.code == .refused)
  }

  // MARK: Many

  @Test(arguments: samples)
  func `a hundred answers at once are each whole, and none waits for another`(sample: Sample) async throws {
    let server = try ScriptedServer { _, connection in
      _ = sendAll(streamHead + chunk(sample.opening), to: connection)
      for word in 0..<20 {
        _ = sendAll(chunk(sample.piece("w\(word) ")), to: connection)
        usleep(20_000)
      }
      return sendAll(chunk(sample.ending(sample.reasons[0].0)) + "0\r\n\r\n", to: connection)
    }
    defer { server.close() }
    let model = try sample.model(server)
    let text = (0..<20).map { "w\($0) " }.joined()
    let start = ContinuousClock.now
    try await withThrowingTaskGroup(of: WholeAnswer.self) { group in
      for _ in 0..<100 { group.addTask { try await model.wholeAnswer(to: hello) } }
      for try await answer in group { #expect(answer.text == text) }
    }
    // One after the other they would take forty seconds.
    #expect(ContinuousClock.now - start < .seconds(30))
  }

  // MARK: Keys

  @Test(arguments: samples)
  func `a key goes into its header and nowhere else`(sample: Sample) async throws {
    let lines = Mutex<[String]>([])
    let logger = Logger(label: "test") { _ in LineCollector { line in lines.withLock { $0.append(line) } } }
    let server = try ScriptedServer(answers: [answer("500 \(Sample.key)", Sample.key), stream(sample.short)])
    defer { server.close() }
    let model = try sample.model(server, hasty, AnswerLimits(), logger)
    #expect(try await model.wholeAnswer(to: hello) == sample.shortAnswer)
    let head = try #require(server.requests.first?.head).lowercased()
    #expect(
      head.contains(sample === anthropic ? "\r\nx-api-key: \(Sample.key)" : "\r\nauthorization: bearer \(Sample.key)"))
    var dumped = ""
    dump(model, to: &dumped)
    let said = lines.withLock { $0 }
    #expect(said.count == 1)
    for text in said + ["\(model)", String(reflecting: model), dumped, model.name] {
      #expect(!text.contains("3141"), "\(text)")
    }
  }
}

extension Sample {
  static func === (left: Sample, right: Sample) -> Bool { left.testDescription == right.testDescription }
}

/// Keeps every line of a log as text.
private struct LineCollector: LogHandler {
  let keep: @Sendable (String) -> Void
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.trace

  init(_ keep: @escaping @Sendable (String) -> Void) { self.keep = keep }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) { keep("\(event.message) \(event.metadata ?? [:])") }
}
