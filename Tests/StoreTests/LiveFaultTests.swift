import ConversationModel
import Glibc
import StoreRemote
import Testing

/// What can go wrong between a live connection and its server, and what becomes of it: a clear error, in time.
@Suite(.timeLimit(.minutes(2))) struct LiveFaultTests {
  /// What a server sends behind its acceptance.
  struct Speech: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let bytes: [UInt8]
    let code: ConversationError.Code
    /// Whether the server ends the connection behind it.
    var isCut = false

    init(_ name: String, _ bytes: [UInt8], _ code: ConversationError.Code, isCut: Bool = false) {
      (testDescription, self.bytes, self.code, self.isCut) = (name, bytes, code, isCut)
    }
  }

  private static let masked: [UInt8] = [0x81, 0x82, 1, 2, 3, 4, 0x7A, 0x7F]
  private static let long = [UInt8](repeating: UInt8(ascii: " "), count: 1 << 20)

  static let speeches: [Speech] = [
    Speech("a masked frame", masked, .internal),
    Speech("a reserved bit", RawSocket.frame(0xC1, Array("{}".utf8)), .internal),
    Speech("a binary message", RawSocket.frame(0x82, [1]), .internal),
    Speech("an unknown opcode", RawSocket.frame(0x83, [1]), .internal),
    Speech("an unknown control frame", RawSocket.frame(0x8B, []), .internal),
    Speech("a ping in pieces", RawSocket.frame(0x09, [1]), .internal),
    Speech("a long ping", RawSocket.frame(0x89, [UInt8](repeating: 1, count: 126)), .internal),
    Speech("a continuation of nothing", RawSocket.frame(0x80, [1]), .internal),
    Speech("a text within a text", RawSocket.frame(0x01, [0x7B]) + RawSocket.text("{}"), .internal),
    Speech("a length beyond the bound", [0x81, 127, 0, 0, 0, 0, 0, 0x80, 0, 1], .internal),
    Speech("a length of 64 bits", [0x81, 127] + [UInt8](repeating: 255, count: 8), .internal),
    Speech(
      "pieces beyond the bound",
      RawSocket.frame(0x01, long) + [UInt8].joined((0..<8).map { _ in RawSocket.frame(0x00, long) }),
      .internal),
    Speech("no UTF-8", RawSocket.frame(0x81, Array(#"{"type":""#.utf8) + [0xFF] + Array(#""}"#.utf8)), .internal),
    Speech("no JSON", RawSocket.text("hello"), .internal), Speech("nothing", RawSocket.text(""), .internal),
    Speech("a number", RawSocket.text("7"), .internal), Speech("no frame", RawSocket.text("{}"), .internal),
    Speech("deep JSON", RawSocket.text(String(repeating: "[", count: 100_000)), .internal),
    Speech("an event without changes", RawSocket.text(#"{"type":"event","version":6}"#), .internal),
    Speech("a number that is too large", RawSocket.text(#"{"type":"event","version":1e300,"changes":[]}"#), .internal),
    Speech("half a frame", Array(RawSocket.text(RawSocket.event(6)).prefix(20)), .unavailable, isCut: true),
    Speech("half a header", [0x81], .unavailable, isCut: true), Speech("the end", [], .unavailable, isCut: true),
    Speech("a piece of a message", RawSocket.frame(0x01, [0x7B]), .unavailable, isCut: true),
    Speech("a version left out", RawSocket.text(RawSocket.event(7)), .unavailable),
    Speech("too much to tell", RawSocket.text(#"{"type":"resync"}"#), .unavailable),
    Speech("a stop", RawSocket.close(1_001), .unavailable),
    Speech("a stop, cut", RawSocket.close(1_001), .unavailable, isCut: true),
    Speech("an end", RawSocket.close(1_000), .unavailable),
    Speech("a close without a code", RawSocket.frame(0x88, []), .unavailable),
    Speech("a close of one byte", RawSocket.frame(0x88, [3]), .unavailable),
    Speech("a close that is no UTF-8", RawSocket.frame(0x88, [3, 233, 255]), .unavailable),
    Speech("a policy", RawSocket.close(1_008), .forbidden), Speech("a fault", RawSocket.close(1_011), .unavailable),
    Speech("a misunderstanding", RawSocket.close(1_002), .internal),
    Speech("an ended token", RawSocket.close(4_401, "The token has expired."), .unauthenticated),
    Speech("too slow", RawSocket.close(4_408), .unavailable),
    Speech("an unknown code", RawSocket.close(4_999), .unavailable),
    Speech("an error", RawSocket.text(#"{"type":"error","code":"not_found","detail":"x"}"#), .notFound),
  ]

  @Test(arguments: speeches)
  func `what a server must not say ends the connection`(speech: Speech) async throws {
    let server = try RawServer { connection, _ in
      _ = RawSocket.accept(connection)
      guard RawSocket.receive(connection) != nil else { return }
      sendAll(RawSocket.text(RawSocket.attached), to: connection)
      sendAll(speech.bytes, to: connection)
      if !speech.isCut { RawSocket.drain(connection) }
    }
    defer { server.close() }
    let store = try server.store()
    let connection = try await soon { try await store.attach(RawServer.attach, as: RawServer.user) }
    let end = try await soon { await connection.rest() }
    #expect(end.error?.code == speech.code && end.versions.isEmpty, "\(String(describing: end.error))")
    #expect(await code { _ = try await connection.next() } == speech.code)
    let message = NewMessage(role: .user, content: "x", clientID: "x")
    #expect(await code { _ = try await soon { try await connection.send(message, parent: nil) } } == speech.code)
  }

  @Test(
    arguments: speeches.filter {
      $0.code != .unavailable || !$0.testDescription.contains("left out") && !$0.testDescription.contains("too much")
    })
  func `the same in the place of the first answer is an error of attaching`(speech: Speech) async throws {
    let server = try RawServer { connection, _ in
      _ = RawSocket.accept(connection, frames: speech.bytes)
      if !speech.isCut { RawSocket.drain(connection) }
    }
    defer { server.close() }
    #expect(try await server.errorOfAttaching()?.code == speech.code)
  }

  /// The control: the same server when it is good.
  @Test func `frames in pieces, pings between them and words of a newer server are understood`() async throws {
    let (heard, hear) = AsyncStream<(first: UInt8, payload: [UInt8])>.makeStream()
    let server = try RawServer { connection, _ in
      // The first frame may come with the acceptance.
      _ = RawSocket.accept(connection, frames: RawSocket.text(#"{"type":"welcome"}"#))
      if let attach = RawSocket.receive(connection) { hear.yield(attach) }
      let text = Array(RawSocket.attached.utf8)
      sendAll(
        RawSocket.frame(0x01, Array(text[..<10])) + RawSocket.frame(0x89, [7, 8]) + RawSocket.frame(0x00, [])
          + RawSocket.frame(0x00, Array(text[10..<50])) + RawSocket.frame(0x80, Array(text[50...])), to: connection)
      // One byte at a time, with a long text in it.
      let event = RawSocket.event(6).dropLast() + #","new":"\#(String(repeating: "y", count: 5_000))"}"#
      for byte in RawSocket.text(String(event)) { sendAll([byte], to: connection) }
      sendAll(
        RawSocket.text(RawSocket.event(6)) + RawSocket.text(#"{"type":"thought","text":"x"}"#)
          + RawSocket.text(RawSocket.event(7)) + RawSocket.frame(0x8A, []), to: connection)
      while let frame = RawSocket.receive(connection) { hear.yield(frame) }
      hear.finish()
    }
    defer { server.close() }
    let store = try server.store()
    let connection = try await store.attach(RawServer.attach, as: RawServer.user)
    #expect(connection.start.version == 5)
    #expect(try await connection.changes().version == 6)
    // One that is known already is passed over.
    #expect(try await connection.changes().version == 7)
    connection.typing(true)
    try await Task.sleep(for: .milliseconds(100))
    connection.close()
    var frames: [(first: UInt8, payload: [UInt8])] = []
    for await frame in heard { frames.append(frame) }
    #expect(frames.map(\.first) == [0x81, 0x8A, 0x81, 0x88])
    #expect(frames[1].payload == [7, 8] && frames[3].payload == [3, 232])
    #expect(
      String(decoding: frames[0].payload, as: UTF8.self).contains(#""conversation_id":"\#(RawSocket.conversation.id)""#)
    )
  }

  @Test func `a server that falls silent is asked, and given up`() async throws {
    let (heard, hear) = AsyncStream<UInt8>.makeStream()
    let server = try RawServer { connection, _ in
      _ = RawSocket.accept(connection)
      _ = RawSocket.receive(connection)
      sendAll(RawSocket.text(RawSocket.attached), to: connection)
      while let frame = RawSocket.receive(connection) { hear.yield(frame.first) }
      hear.finish()
    }
    defer { server.close() }
    let store = try server.store(.init(answerSeconds: 20, silenceSeconds: 3))
    let connection = try await store.attach(RawServer.attach, as: RawServer.user)
    let end = try await soon { await connection.rest() }
    #expect(end.error?.code == .unavailable)
    var frames: [UInt8] = []
    for await frame in heard { frames.append(frame) }
    #expect(frames.suffix(3) == [0x89, 0x89, 0x88])
  }

  @Test func `a server that answers pings is kept, a message that it does not answer is not waited for`() async throws {
    let server = try RawServer { connection, _ in
      _ = RawSocket.accept(connection)
      _ = RawSocket.receive(connection)
      sendAll(RawSocket.text(RawSocket.attached), to: connection)
      while let frame = RawSocket.receive(connection) {
        if frame.first == 0x89 { sendAll(RawSocket.frame(0x8A, frame.payload), to: connection) }
      }
    }
    defer { server.close() }
    let store = try server.store(.init(answerSeconds: 9, silenceSeconds: 6))
    let connection = try await store.attach(RawServer.attach, as: RawServer.user)
    let message = NewMessage(role: .user, content: "x", clientID: "x")
    let start = ContinuousClock.now
    #expect(await code { _ = try await connection.send(message, parent: nil) } == .unavailable)
    #expect((.seconds(8)...(.seconds(20))).contains(start.duration(to: .now)))
    let waiting = Task { await connection.rest() }
    try await Task.sleep(for: .milliseconds(100))
    // It is still there.
    connection.close()
    #expect(try await soon { await waiting.value.error } == nil)
  }

  @Test func `more messages than may wait are refused, and all end with the connection`() async throws {
    let server = try RawServer { connection, _ in
      _ = RawSocket.accept(connection)
      _ = RawSocket.receive(connection)
      sendAll(RawSocket.text(RawSocket.attached), to: connection)
      for _ in 0..<Limits.liveSends { _ = RawSocket.receive(connection) }
      // Asked for something else, it answers something else.
      sendAll(RawSocket.text(#"{"type":"pong","ref":2}"#), to: connection)
      sendAll(RawSocket.text(#"{"type":"error","ref":3,"code":"conflict","detail":"x"}"#), to: connection)
      sendAll(RawSocket.text(#"{"type":"error","ref":99,"code":"conflict","detail":"nobody's"}"#), to: connection)
      // Closed with something unread, the socket would take back what was just sent.
      shutdown(connection, Int32(SHUT_WR))
      var byte: UInt8 = 0
      while recv(connection, &byte, 1, 0) > 0 {}
    }
    defer { server.close() }
    let store = try server.store(.init(answerSeconds: 30))
    let connection = try await store.attach(RawServer.attach, as: RawServer.user)
    let start = ContinuousClock.now
    var codes = await withTaskGroup(of: ConversationError.Code?.self) { group in
      for number in 0..<(Limits.liveSends + 10) {
        let message = NewMessage(role: .user, content: "x", clientID: "\(number)")
        group.addTask { await code { _ = try await connection.send(message, parent: nil) } }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(start.duration(to: .now) < .seconds(8))
    codes.removeAll { $0 == .unavailable }
    #expect(Set(codes) == [.internal, .conflict] && codes.count == 2)
  }

  /// It neither reads nor stops talking: what waits for it here stays bounded, and it can be left.
  @Test func `a server that pings and does not read is left in time`() async throws {
    let server = try RawServer { connection, _ in
      _ = RawSocket.accept(connection)
      _ = RawSocket.receive(connection)
      sendAll(RawSocket.text(RawSocket.attached), to: connection)
      let pings = [UInt8].joined((0..<1_000).map { _ in RawSocket.frame(0x89, [UInt8](repeating: 1, count: 125)) })
      for _ in 0..<300 where !sendAll(pings, to: connection) { return }
      usleep(3_000_000)
    }
    defer { server.close() }
    let store = try server.store()
    let connection = try await store.attach(RawServer.attach, as: RawServer.user)
    for number in 0..<10_000 { connection.typing(number % 2 == 0) }
    try await Task.sleep(for: .milliseconds(500))
    let start = ContinuousClock.now
    connection.close()
    #expect(try await soon { try await connection.next() } == nil)
    #expect(start.duration(to: .now) < .seconds(10))
  }

  /// Nothing is thrown away and nothing is kept without bound: the server has to wait.
  @Test func `a reader that does not read makes the server wait`() async throws {
    let last = 40_000
    let sent = AsyncStream<Int>.makeStream()
    let server = try RawServer { connection, _ in
      _ = RawSocket.accept(connection)
      _ = RawSocket.receive(connection)
      sendAll(RawSocket.text(RawSocket.attached), to: connection)
      let padding = String(repeating: "p", count: 2_000)
      for version in 6...last {
        let event = #"{"type":"event","version":\#(version),"changes":[],"new":"\#(padding)"}"#
        guard sendAll(RawSocket.text(event), to: connection) else { break }
        if version % 1_000 == 0 { sent.continuation.yield(version) }
      }
      sent.continuation.finish()
      RawSocket.drain(connection)
    }
    defer { server.close() }
    let store = try server.store()
    let connection = try await store.attach(RawServer.attach, as: RawServer.user)
    try await Task.sleep(for: .seconds(1))
    // 80 MB are more than the system and this connection take.
    #expect(try await soon { try await connection.changes().version } == 6)
    for version in 7...last {
      guard case .changes(version, _)? = try await connection.next() else { throw UnexpectedEvent() }
    }
    var reached = 0
    for await version in sent.stream { reached = version }
    #expect(reached == last)
  }
}

extension [UInt8] {
  fileprivate static func joined(_ parts: [[UInt8]]) -> [UInt8] { Array(parts.joined()) }
}
