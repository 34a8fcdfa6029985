import ConversationModel
import NIOCore
import Synchronization
import Testing

@testable import ConversationServer

/// Answers every message with itself.
private struct EchoDoor: SocketDoor {
  func serve(_ socket: WebSocket) async {
    for await message in socket.messages { socket.send(message.array) }
  }
}

/// A door made of a closure.
private struct TestDoor: SocketDoor {
  let body: @Sendable (WebSocket) async -> Void

  func serve(_ socket: WebSocket) async { await body(socket) }
}

extension RunningServer {
  /// A socket that is open.
  fileprivate func socket(token: String? = nil, receiveBytes: Int32? = nil) async throws -> RawWebSocket {
    let socket = try RawWebSocket(port: port, receiveBytes: receiveBytes)
    await socket.send(RawWebSocket.head(more: ["Authorization: Bearer \(token ?? credentials.serviceKey)"]))
    try #require(await socket.head().hasPrefix("http/1.1 101 "))
    return socket
  }
}

@Suite(.serialized, .timeLimit(.minutes(2))) struct WebSocketTests {
  // MARK: Frames

  /// What a client sends, and all frames that it hears until the server closes.
  struct Exchange: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let sent: [UInt8]
    let heard: [String]

    init(_ name: String, _ sent: [UInt8], _ heard: [String]) {
      (testDescription, self.sent, self.heard) = (name, sent, heard)
    }
  }

  private static let bye = closeFrame(1_000)
  private static let mebibyte = 1_048_576

  private static func long(_ count: Int) -> Exchange {
    let text = String(repeating: "x", count: count)
    return Exchange("a text of \(count) bytes", frame(0x81, text) + bye, ["text:\(text)", "close:1000"])
  }

  private static func wrong(_ name: String, _ code: Int, _ sent: [UInt8]) -> Exchange {
    Exchange(name, sent, ["close:\(code)"])
  }

  static let sound: [Exchange] =
    [
      Exchange("a text", frame(0x81, "hello") + bye, ["text:hello", "close:1000"]),
      Exchange("an empty text", frame(0x81, "") + bye, ["text:", "close:1000"]),
      Exchange(
        "texts in a row", frame(0x81, "a") + frame(0x81, "b") + frame(0x81, "c") + bye,
        ["text:a", "text:b", "text:c", "close:1000"]),
      long(125), long(126), long(65_535), long(65_536),
      Exchange("a ping", frame(0x89, "x") + bye, ["pong:x", "close:1000"]),
      Exchange("an empty ping", frame(0x89, "") + bye, ["pong:", "close:1000"]),
      Exchange(
        "a ping of 125 bytes", frame(0x89, String(repeating: "p", count: 125)) + bye,
        ["pong:" + String(repeating: "p", count: 125), "close:1000"]),
      Exchange("a pong that nobody asked for", frame(0x8A, "x") + bye, ["close:1000"]),
      Exchange(
        "a text in pieces", frame(0x01, "he") + frame(0x00, "") + frame(0x80, "llo") + bye,
        ["text:hello", "close:1000"]),
      Exchange(
        "a text in empty pieces", frame(0x01, "") + frame(0x00, "") + frame(0x80, "") + bye, ["text:", "close:1000"]),
      Exchange(
        "pings and a pong between pieces",
        frame(0x01, "he") + frame(0x89, "1") + frame(0x8A, "") + frame(0x00, "ll") + frame(0x89, "2") + frame(0x80, "o")
          + bye, ["pong:1", "pong:2", "text:hello", "close:1000"]),
      Exchange(
        "a scalar cut by pieces", frame(0x01, [0xF0, 0x9F]) + frame(0x00, [0x91]) + frame(0x80, [0x8B, 0x21]) + bye,
        ["text:👋!", "close:1000"]),
      Exchange(
        "the edges of Unicode", frame(0x81, "\u{0}\u{7F}\u{80}\u{7FF}\u{800}\u{D7FF}\u{E000}\u{FFFF}\u{10FFFF}") + bye,
        ["text:\u{0}\u{7F}\u{80}\u{7FF}\u{800}\u{D7FF}\u{E000}\u{FFFF}\u{10FFFF}", "close:1000"]),
      Exchange("a close without a code", frame(0x88, ""), ["close:"]),
      Exchange("a close with a reason", closeFrame(1_000, Array("genug 👋".utf8)), ["close:1000"]),
      Exchange("a close in the middle of a message", frame(0x01, "he") + bye, ["close:1000"]),
      Exchange("words behind a close", bye + frame(0x81, "x") + frame(0x89, "x"), ["close:1000"]),
    ]
    + [1_000, 1_001, 1_002, 1_003, 1_007, 1_011, 1_012, 1_014, 3_000, 3_999, 4_000, 4_999].map {
      Exchange("a close with \($0)", closeFrame($0), ["close:\($0)"])
    }

  static let unsound: [Exchange] =
    [
      wrong("no mask", 1_002, frame(0x81, Array("hello".utf8), isMasked: false)),
      wrong("the first reserved bit", 1_002, frame(0xC1, "x")), wrong("the second", 1_002, frame(0xA1, "x")),
      wrong("the third", 1_002, frame(0x91, "x")), wrong("a reserved bit on a ping", 1_002, frame(0xC9, "")),
      wrong("a reserved bit, and no more", 1_002, [0xC1]),
      wrong("a reserved opcode", 1_002, frame(0x83, "x")), wrong("a reserved control opcode", 1_002, frame(0x8B, "")),
      wrong("a ping in pieces", 1_002, frame(0x09, "x")), wrong("a close in pieces", 1_002, frame(0x08, "")),
      wrong("a ping of 126 bytes", 1_002, frame(0x89, String(repeating: "p", count: 126))),
      wrong("a close of 126 bytes", 1_002, closeFrame(1_000, [UInt8](repeating: 0x61, count: 124))),
      wrong("a continuation of nothing", 1_002, frame(0x80, "x")),
      wrong("a continuation behind the end", 1_002, frame(0x01, "a") + frame(0x80, "b") + frame(0x80, "c"))
        .hearing("text:ab"),
      wrong("a text within a text", 1_002, frame(0x01, "a") + frame(0x81, "b")),
      wrong("a binary message", 1_003, frame(0x82, "x")),
      wrong("a long length that is short", 1_002, frame(0x81, Array("x".utf8), lengthBytes: 2)),
      wrong("a very long length that is short", 1_002, frame(0x81, Array("x".utf8), lengthBytes: 8)),
      wrong("a length of 64 bits", 1_002, [0x81, 0xFF] + [UInt8](repeating: 0xFF, count: 8)),
      wrong("one byte too many, announced", 1_009, frame(0x81, [], length: mebibyte + 1)),
      wrong("far too many, announced", 1_009, frame(0x81, [], length: 1 << 62)),
      wrong(
        "one byte too many in pieces", 1_009,
        frame(0x01, [UInt8](repeating: 0x61, count: mebibyte)) + frame(0x80, [], length: 1)),
      wrong("no UTF-8", 1_007, frame(0x81, [0x61, 0xFF])), wrong("an overlong form", 1_007, frame(0x81, [0xC0, 0xAF])),
      wrong("a longer overlong form", 1_007, frame(0x81, [0xE0, 0x80, 0xAF])),
      wrong("half of a surrogate pair", 1_007, frame(0x81, [0xED, 0xA0, 0x80])),
      wrong("a scalar beyond Unicode, before the message ends", 1_007, frame(0x81, [0xF4, 0x90], length: 100)),
      wrong("a scalar that is cut off", 1_007, frame(0x81, [0x61, 0xE2, 0x82])),
      wrong("a scalar that is cut off in pieces", 1_007, frame(0x01, [0xE2]) + frame(0x80, [0x82])),
      wrong("a continuation byte alone in a second piece", 1_007, frame(0x01, "a") + frame(0x00, [0x80])),
      wrong("a close of one byte", 1_002, frame(0x88, [0x03])),
      wrong("a close whose reason is no UTF-8", 1_007, closeFrame(1_000, [0xFF])),
      wrong("a fault behind a text", 1_002, frame(0x81, "heard") + frame(0xF1, "x")).hearing("text:heard"),
    ]
    + [0, 999, 1_004, 1_005, 1_006, 1_015, 1_016, 2_999, 5_000, 65_535].map {
      wrong("a close with \($0)", 1_002, closeFrame($0))
    }

  @Test(arguments: [false, true])
  func `sound frames are answered, and others close the socket with their code`(oneByOne: Bool) async throws {
    try await RunningServer.with(door: EchoDoor()) { server in
      for exchange in Self.sound + Self.unsound where !oneByOne || exchange.sent.count < 1_000 {
        let socket = try await server.socket()
        await socket.send(exchange.sent, oneByOne: oneByOne)
        #expect(await socket.frames() == exchange.heard, "\(exchange.testDescription)")
        #expect(socket.isEnded, "\(exchange.testDescription)")
      }
    }
  }

  @Test(arguments: sound + unsound)
  func `every cut of the bytes reads as the same`(exchange: Exchange) throws {
    func read(_ cut: (Int) -> Int) -> [String] {
      var reader = FrameReader(limits: WebSocketLimits())
      var input = ByteBuffer()
      var rest = exchange.sent[...]
      var heard: [String] = []
      while !rest.isEmpty {
        let piece = rest.prefix(cut(rest.count))
        input.writeBytes(piece)
        rest = rest.dropFirst(piece.count)
        do throws(WebSocketFault) {
          while let event = try reader.next(&input) {
            heard.append("\(event)")
            if case .close = event { return heard }
          }
        } catch {
          return heard + ["\(error.code)"]
        }
      }
      return heard
    }
    let whole = read { $0 }
    for size in [1, 2, 3, 5, 7, 64] where exchange.sent.count < 200_000 || size == 64 {
      #expect(read { min(size, $0) } == whole, "pieces of \(size)")
    }
  }

  @Test func `a message of one mebibyte passes, whole and in pieces`() async throws {
    try await RunningServer.with(door: EchoDoor()) { server in
      let text = [UInt8](repeating: 0x61, count: Self.mebibyte)
      let socket = try await server.socket()
      async let heard = socket.frame()
      await socket.send(frame(0x81, text))
      #expect(await heard?.utf8.count == Self.mebibyte + 5)
    }
  }

  @Test func `frames that come with the request are read`() async throws {
    try await RunningServer.with(door: EchoDoor()) { server in
      let socket = try RawWebSocket(port: server.port)
      await socket.send(
        RawWebSocket.head(more: ["Authorization: Bearer \(server.credentials.serviceKey)"]) + frame(0x81, "early")
          + Self.bye)
      #expect(await socket.head().hasPrefix("http/1.1 101 "))
      #expect(await socket.frames() == ["text:early", "close:1000"])
    }
  }

  // MARK: The handshake

  @Test func `an upgrade is answered as RFC 6455 wants it`() async throws {
    try await RunningServer.with(door: EchoDoor()) { server in
      let socket = try RawWebSocket(port: server.port)
      await socket.send(
        RawWebSocket.head(
          "/v1/live", ["Sec-WebSocket-Protocol": "other, parley.v1, bearer.\(server.credentials.serviceKey)"]))
      let head = await socket.head()
      let lines = Set(head.split(separator: "\r\n").map(String.init))
      #expect(head.hasPrefix("http/1.1 101 "))
      #expect(
        lines.isSuperset(of: [
          "upgrade: websocket", "connection: upgrade", "sec-websocket-protocol: parley.v1",
          "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=",
        ]))
      #expect(
        head.contains("x-request-id: ") && !head.contains("content-length") && !head.contains("transfer-encoding"))
      #expect(!head.contains(server.credentials.serviceKey))
    }
  }

  @Test func `what is no upgrade is answered with a problem`() async throws {
    try await RunningServer.with(origins: ["https://chat.example"]) { server in
      let bearer = "Authorization: Bearer \(server.credentials.serviceKey)"
      let user = try await server.user().token
      let cases: [(Int, [String: String?], [String])] = [
        (101, [:], [bearer]), (101, [:], ["Authorization: Bearer \(user)"]),
        (101, ["Sec-WebSocket-Protocol": "parley.v1,bearer.\(user)"], []),
        (101, ["Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket"], [bearer]),
        (426, ["Upgrade": nil], [bearer]), (426, ["Connection": "keep-alive"], [bearer]),
        (426, ["Upgrade": "h2c"], [bearer]),
        (426, ["Sec-WebSocket-Version": "8"], [bearer]), (426, ["Sec-WebSocket-Version": nil], [bearer]),
        (400, ["Sec-WebSocket-Key": nil], [bearer]), (400, ["Sec-WebSocket-Key": "c2hvcnQ="], [bearer]),
        (400, [:], [bearer, "Sec-WebSocket-Key: \(RawWebSocket.key)"]), (400, ["Sec-WebSocket-Key": "?"], [bearer]),
        (400, ["Sec-WebSocket-Protocol": "parley.v2"], [bearer]),
        (400, ["Sec-WebSocket-Protocol": "bearer.\(user)"], []),
        (401, [:], []), (401, [:], ["Authorization: Bearer nonsense"]), (401, [:], ["Authorization: Basic x"]),
        (401, ["Sec-WebSocket-Protocol": "parley.v1, bearer.nonsense"], []),
        (401, ["Sec-WebSocket-Protocol": "parley.v1, bearer."], []),
        (403, [:], ["Authorization: Bearer \(server.credentials.anonKey)"]),
        (403, [:], [bearer, "Origin: https://evil.example"]), (403, [:], [bearer, "Origin: null"]),
        (403, [:], [bearer, "Origin: https://chat.example.evil"]), (403, [:], [bearer, "Origin: "]),
        (403, [:], [bearer, "Origin: https://chat.example", "Origin: https://evil.example"]),
        (101, [:], [bearer, "Origin: https://chat.example"]), (101, [:], [bearer, "Origin: HTTPS://Chat.Example"]),
      ]
      for (status, changes, more) in cases {
        let socket = try RawWebSocket(port: server.port)
        await socket.send(RawWebSocket.head("/v1/live", changes, more: more))
        let head = await socket.head()
        #expect(head.hasPrefix("http/1.1 \(status) "), "\(changes) \(more): \(head)")
        #expect(head.contains("\r\nx-request-id: "))
        if status == 426 { #expect(head.contains("\r\nupgrade: websocket\r\n")) }
        if status != 101 { #expect(head.contains("\r\ncontent-type: application/problem+json\r\n")) }
        if changes["Sec-WebSocket-Version"] != nil { #expect(head.contains("\r\nsec-websocket-version: 13\r\n")) }
      }
    }
  }

  @Test func `other methods and targets with an upgrade are answered as without`() async throws {
    try await RunningServer.with { server in
      let bearer = "Authorization: Bearer \(server.credentials.serviceKey)"
      for (status, target) in [
        (404, "/v1/nothing"), (200, "/healthz"), (400, "/v1/live?x=1"), (200, "/v1/conversations"),
      ] {
        let socket = try RawWebSocket(port: server.port)
        await socket.send(RawWebSocket.head(target, more: [bearer]))
        #expect(await socket.head().hasPrefix("http/1.1 \(status) "), "\(target)")
        #expect(await socket.rest().hasSuffix("}"))
      }
      #expect(try await server.send("POST", "/v1/live", token: server.credentials.serviceKey).status == 405)
      #expect(try await server.send("HEAD", "/v1/live", token: server.credentials.serviceKey).status == 426)
    }
  }

  @Test func `only the first request of a connection can open a socket`() async throws {
    try await RunningServer.with { server in
      let bearer = "Authorization: Bearer \(server.credentials.serviceKey)"
      let socket = try RawWebSocket(port: server.port)
      await socket.send(Array("GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n".utf8))
      #expect(await socket.head().hasPrefix("http/1.1 200 "))
      await socket.send(RawWebSocket.head(more: [bearer]))
      let rest = await socket.rest()
      #expect(rest.contains("HTTP/1.1 400 ") && rest.contains("Only the first request"))
      let old = try RawWebSocket(port: server.port)
      let head = String(decoding: RawWebSocket.head(more: [bearer]), as: UTF8.self)
      await old.send(Array(head.replacing("HTTP/1.1", with: "HTTP/1.0").utf8))
      #expect(await old.head().hasPrefix("http/1.0 426 "))
      // A body would stand between the head and the first frame.
      let other = try RawWebSocket(port: server.port)
      await other.send(RawWebSocket.head(more: [bearer, "Content-Length: 1"]) + [0x78])
      #expect(await other.head().hasPrefix("http/1.1 400 "))
    }
  }

  @Test func `a user beyond its rate gets 429, and a socket has its place among the connections`() async throws {
    try await RunningServer.with(
      door: EchoDoor(), connections: ConnectionLimits(connections: 2), rates: RateLimits(perUser: 2)
    ) { server in
      let token = try await server.user().token
      let first = try await server.socket(token: token)
      do {
        let second = try await server.socket(token: token)
        let third = try RawWebSocket(port: server.port)
        #expect(await third.head().hasPrefix("http/1.1 503 "))
        await second.send(Self.bye)
        #expect(await second.frames() == ["close:1000"])
      }
      var head = ""
      repeat {
        // The second one's place is free soon.
        let fourth = try RawWebSocket(port: server.port)
        await fourth.send(RawWebSocket.head(more: ["Authorization: Bearer \(token)"]))
        head = await fourth.head()
      } while head.hasPrefix("http/1.1 503 ")
      #expect(head.hasPrefix("http/1.1 429 ") && head.contains("\r\nretry-after: "))
      await first.send(frame(0x81, "still here") + Self.bye)
      #expect(await first.frames() == ["text:still here", "close:1000"])
    }
  }

  // MARK: Both sides

  @Test func `the door knows who speaks, and frames leave in the order of the calls`() async throws {
    let door = TestDoor { socket in
      socket.send("\(socket.principal) \(socket.peer?.ipAddress ?? "-") \(socket.expiry != nil)")
      await withTaskGroup { group in
        group.addTask { for number in 0..<2_000 { socket.send("\(number)") } }
      }
    }
    try await RunningServer.with(door: door) { server in
      let (user, token) = try await server.user()
      let socket = try await server.socket(token: token)
      let frames = await socket.frames()
      #expect(frames.first == "text:\(Principal.user(user)) 127.0.0.1 true")
      #expect(Array(frames.dropFirst()) == (0..<2_000).map { "text:\($0)" } + ["close:1000"])
    }
  }

  @Test func `a close that the client does not answer ends after its time`() async throws {
    var limits = WebSocketLimits()
    limits.closeMilliseconds = 300
    let door = TestDoor { socket in socket.close(.policy, "no") }
    try await RunningServer.with(door: door, sockets: limits) { server in
      let socket = try await server.socket()
      let start = ContinuousClock.now
      #expect(await socket.frames() == ["close:1008"])
      #expect(socket.isEnded && (.milliseconds(200)...(.seconds(3))).contains(start.duration(to: .now)))
    }
  }

  @Test func `a client that goes without a word ends the messages`() async throws {
    let (ends, ended) = AsyncStream<Int>.makeStream()
    let door = TestDoor { socket in
      var count = 0
      for await _ in socket.messages { count += 1 }
      ended.yield(count)
    }
    try await RunningServer.with(door: door) { server in
      var iterator = ends.makeAsyncIterator()
      do {
        let socket = try await server.socket()
        await socket.send(frame(0x81, "a") + frame(0x81, "b") + frame(0x81, "c").prefix(3))
        socket.endSending()
        #expect(await socket.frames().isEmpty)
      }
      #expect(await iterator.next() == 2)
      _ = try await server.socket()
      #expect(await iterator.next() == 0)
    }
  }

  @Test func `a wait for a message ends when its task is cancelled`() async throws {
    let door = TestDoor { socket in
      await withTaskGroup { group in
        group.addTask { for await _ in socket.messages {} }
        try? await Task.sleep(for: .milliseconds(50))
        group.cancelAll()
      }
      socket.send("on")
      for await message in socket.messages { socket.send(message.array) }
    }
    try await RunningServer.with(door: door) { server in
      let socket = try await server.socket()
      #expect(await socket.frame() == "text:on")
      await socket.send(frame(0x81, "and on") + Self.bye)
      #expect(await socket.frames() == ["text:and on", "close:1000"])
    }
  }

  // MARK: Too much

  @Test func `a client that sends more than the door takes is not read on`() async throws {
    let (starts, start) = AsyncStream<Void>.makeStream()
    let door = TestDoor { socket in
      for await _ in starts { break }
      var bytes = 0
      for await message in socket.messages { bytes += message.bytes.readableBytes }
      socket.send("\(bytes)")
    }
    try await RunningServer.with(door: door) { server in
      let socket = try await server.socket()
      let piece = frame(0x81, String(repeating: "x", count: 99_986))
      #expect(piece.count == 100_000)
      var pieces: [UInt8] = []
      for _ in 0..<400 { pieces += piece }
      let sent = await socket.send(pieces)
      // What two kernels keep on the way.
      #expect(sent < 20_000_000)
      start.yield()
      // Now it is all read: the rest of a piece, and the end.
      await socket.send(piece.suffix((100_000 - sent % 100_000) % 100_000) + Self.bye)
      #expect(await socket.frames().last == "close:1000")
    }
  }

  @Test func `a client that does not take its answers is heard no more`() async throws {
    let answer = [UInt8](repeating: 0x61, count: 400_000)
    let heard = Heard()
    let door = TestDoor { socket in
      for await _ in socket.messages {
        heard.add()
        socket.send(answer)
      }
    }
    try await RunningServer.with(door: door) { server in
      let socket = try await server.socket(receiveBytes: 4_096)
      await socket.send([UInt8]((0..<200).map { _ in frame(0x81, "more") }.joined()) + Self.bye)
      try await Task.sleep(for: .milliseconds(500))
      #expect((1..<100).contains(heard.count))
      let frames = await socket.frames()
      #expect(frames.count { $0.hasPrefix("text:") } + 1 == frames.count && frames.last == "close:1000")
    }
  }

  @Test func `a client that is a mebibyte behind is closed as too slow`() async throws {
    let door = TestDoor { socket in
      for number in 0..<400 {
        socket.send("\(number) " + String(repeating: "x", count: 50_000))
        await Task.yield()
      }
      for await _ in socket.messages {}
    }
    try await RunningServer.with(door: door) { server in
      let socket = try await server.socket(receiveBytes: 65_536)
      try await Task.sleep(for: .milliseconds(300))
      let frames = await socket.frames()
      #expect(frames.last == "close:4408")
      #expect(frames.count < 300)
    }
  }

  @Test func `a client that takes nothing for too long is closed, whatever it holds back`() async throws {
    var limits = WebSocketLimits()
    (limits.backlogMilliseconds, limits.closeMilliseconds) = (400, 200)
    let (ends, ended) = AsyncStream<Void>.makeStream()
    let door = TestDoor { socket in
      socket.send([UInt8](repeating: 0x61, count: 30_000_000))
      for await _ in socket.messages {}
      ended.yield()
    }
    try await RunningServer.with(door: door, sockets: limits) { server in
      let start = ContinuousClock.now
      let socket = try await server.socket(receiveBytes: 4_096)
      for await _ in ends { break }
      #expect((.milliseconds(300)...(.seconds(3))).contains(start.duration(to: .now)))
      try await Task.sleep(for: .milliseconds(500))
      #expect(await socket.frames().isEmpty && socket.isEnded)
    }
  }

  // MARK: Time

  @Test func `silence is asked for a sign of life, and without one it ends`() async throws {
    var limits = WebSocketLimits()
    (limits.pingMilliseconds, limits.silenceMilliseconds) = (200, 700)
    try await RunningServer.with(door: EchoDoor(), sockets: limits) { server in
      let silent = try await server.socket()
      let start = ContinuousClock.now
      let frames = await silent.frames()
      #expect(frames.starts(with: ["ping:", "ping:"]) && frames.last == "close:1001" && frames.count <= 5)
      #expect(start.duration(to: .now) > .milliseconds(600))
      let alive = try await server.socket()
      for _ in 0..<6 {
        #expect(await alive.frame() == "ping:")
        await alive.send(frame(0x8A, ""))
      }
      await alive.send(Self.bye)
      #expect(await alive.frames().last == "close:1000")
    }
  }

  @Test func `a token that ends closes its socket with 4401`() async throws {
    try await RunningServer.with(door: EchoDoor()) { server in
      // Clocks may differ by 30 s.
      let (user, _) = try await server.user()
      let token = try await server.token(.user(user), lifetimeSeconds: -26)
      let socket = try await server.socket(token: token)
      await socket.send(frame(0x81, "x"))
      #expect(await socket.frame() == "text:x")
      let start = ContinuousClock.now
      #expect(await socket.frame() == "close:4401")
      #expect(start.duration(to: .now) < .seconds(6))
    }
  }

  @Test func `a server that stops lets the door answer, and tells every client`() async throws {
    let door = TestDoor { socket in
      for await _ in socket.messages {
        try? await Task.sleep(for: .milliseconds(200))
        socket.send("done")
      }
    }
    let stuck = TestDoor { socket in
      for await _ in socket.messages {}
      // Ends only because it is cancelled, or in time.
      try? await Task.sleep(for: .seconds(1))
      socket.send("too late")
    }
    for (door, heard) in [(door, ["text:done", "close:1001"]), (stuck, ["close:1001"])] {
      try await withThrowingTaskGroup { group in
        try await RunningServer.with(door: door) { server in
          for _ in 0..<20 {
            let socket = try await server.socket()
            await socket.send(frame(0x81, "x"))
            // Hearing the end lets a client close, so that the server need not wait for it.
            group.addTask { #expect(await socket.frames() == heard) }
          }
          try await Task.sleep(for: .milliseconds(100))
        }
        try await group.waitForAll()
      }
    }
  }

  @Test func `a server that stops does not wait for clients that do not answer`() async throws {
    var sockets: [RawWebSocket] = []
    var start = ContinuousClock.now
    try await RunningServer.with(door: EchoDoor()) { server in
      for _ in 0..<20 { sockets.append(try await server.socket()) }
      start = .now
    }
    #expect(start.duration(to: .now) < .seconds(4))
    for socket in sockets { #expect(await socket.frames() == ["close:1001"]) }
  }
}

extension WebSocketTests.Exchange {
  /// The same with something heard before the end.
  fileprivate func hearing(_ frame: String) -> Self { Self(testDescription, sent, [frame] + heard) }
}

/// Counts from any thread.
private final class Heard: Sendable {
  private let state = Mutex(0)

  var count: Int { state.withLock { $0 } }
  func add() { state.withLock { $0 += 1 } }
}
