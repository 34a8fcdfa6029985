import ConversationModel
import StoreRemote
import Testing

/// What can go wrong before a socket is open, and what becomes of it: a clear error, in time.
@Suite(.timeLimit(.minutes(2))) struct LiveHandshakeTests {
  @Test(
    arguments: [
      ("SSH-2.0-OpenSSH_9.2p1\r\n\r\n", .internal), ("\u{0}\u{1}\u{2}\r\n\r\n", .internal),
      ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", .internal),
      ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe", .unavailable),
      ("HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n", .internal),
      ("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnope", .internal),
      ("HTTP/1.1 502 Bad Gateway\r\n\r\noops", .unavailable), ("HTTP/1.1 101 Switching Protocols\r\n\r\n", .internal),
      ("HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n", .internal),
      ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", .internal),
      ("HTTP/1.1 200 O", .unavailable), ("", .unavailable),
      ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n", .internal),
    ] as [(String, ConversationError.Code)])
  func `an answer that opens no socket is an error`(answer: String, code: ConversationError.Code) async throws {
    let server = try RawServer { connection, _ in
      _ = receiveRequest(connection)
      sendAll(Array(answer.utf8), to: connection)
    }
    defer { server.close() }
    #expect(try await server.errorOfAttaching()?.code == code)
  }

  @Test(
    arguments: [
      ["sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="], ["sec-websocket-accept": nil],
      ["sec-websocket-protocol": nil], ["sec-websocket-protocol": "parley.v2"],
      ["sec-websocket-extensions": "permessage-deflate"], ["connection": "close"], ["connection": nil],
      ["upgrade": "h2c"], ["upgrade": nil],
    ] as [[String: String?]])
  func `an acceptance of something else is an error`(changes: [String: String?]) async throws {
    let server = try RawServer { connection, _ in
      _ = RawSocket.accept(connection, changes)
      RawSocket.drain(connection)
    }
    defer { server.close() }
    #expect(try await server.errorOfAttaching()?.code == .internal)
  }

  @Test(
    arguments: [
      (401, .unauthenticated), (403, .forbidden), (404, .notFound), (426, .invalid), (429, .rateLimited),
      (503, .unavailable),
    ] as [(Int, ConversationError.Code)])
  func `a refusal says what the server says`(status: Int, code: ConversationError.Code) async throws {
    let body = #"{"type":"x","title":"x","status":\#(status),"detail":"Because.","code":"\#(code.rawValue)"}"#
    let server = try RawServer.answering("\(status) No", body)
    defer { server.close() }
    let refused = try await server.errorOfAttaching()
    #expect(refused?.code == code && refused?.message == "Because.")
  }

  @Test func `a head without an end is no answer`() async throws {
    let server = try RawServer { connection, _ in
      _ = receiveRequest(connection)
      sendAll(Array("HTTP/1.1 101 Switching Protocols\r\n".utf8), to: connection)
      let line = Array("x: \(String(repeating: "y", count: 1_000))\r\n".utf8)
      while sendAll(line, to: connection) {}
    }
    defer { server.close() }
    #expect(try await server.errorOfAttaching() != nil)
  }

  @Test func `a body without an end is no answer`() async throws {
    let server = try RawServer { connection, _ in
      _ = receiveRequest(connection)
      sendAll(Array("HTTP/1.1 403 Forbidden\r\n\r\n".utf8), to: connection)
      let line = Array(repeating: UInt8(ascii: "x"), count: 10_000)
      while sendAll(line, to: connection) {}
    }
    defer { server.close() }
    #expect(try await server.errorOfAttaching()?.code == .internal)
  }

  @Test func `a server that is gone, or does not answer, is unavailable`() async throws {
    let gone = try RawServer { _, _ in }
    gone.close()
    #expect(try await gone.errorOfAttaching()?.code == .unavailable)
    for step in 0..<3 {
      let server = try RawServer { connection, _ in
        if step == 1 { _ = RawSocket.accept(connection) }
        if step == 2 { _ = RawSocket.accept(connection, frames: RawSocket.text(#"{"type":"pong"}"#)) }
        RawSocket.drain(connection)
      }
      defer { server.close() }
      let start = ContinuousClock.now
      #expect(try await server.errorOfAttaching(within: 1)?.code == .unavailable)
      #expect((.seconds(1)...(.seconds(8))).contains(start.duration(to: .now)))
    }
  }

  @Test func `an attach that is cancelled ends at once, and closes its socket`() async throws {
    for accepts in [false, true] {
      let (ends, end) = AsyncStream<Void>.makeStream()
      let (starts, start) = AsyncStream<Void>.makeStream()
      let server = try RawServer { connection, _ in
        if accepts { _ = RawSocket.accept(connection) } else { _ = receiveRequest(connection) }
        start.yield()
        RawSocket.drain(connection)
        end.yield()
      }
      defer { server.close() }
      let store = try server.store(.init(answerSeconds: 60))
      let attaching = Task { try await store.attach(RawServer.attach, as: RawServer.user) }
      for await _ in starts { break }
      let began = ContinuousClock.now
      attaching.cancel()
      #expect(await code { _ = try await attaching.value } == .unavailable)
      for await _ in ends { break }
      #expect(began.duration(to: .now) < .seconds(4))
    }
  }

  @Test func `a name and a token that no header holds are refused before anything is sent`() async throws {
    for name in ["", " ", "a\r\nb: c", "\u{E9}", String(repeating: "x", count: 101)] {
      #expect(
        await code { _ = try RemoteStore(server: "http://h", configuration: .init(client: name)) { _ in "" } }
          == .invalid)
    }
  }

  @Test func `the request says who asks`() async throws {
    let (heads, head) = AsyncStream<String>.makeStream()
    let server = try RawServer { connection, _ in
      if let request = RawSocket.accept(connection) { head.yield(request) }
    }
    defer { server.close() }
    let store = try RemoteStore(
      server: "http://127.0.0.1:\(server.port)/behind/a/proxy/", configuration: .init(client: "my client/1.0")
    ) { _ in "the-token" }
    _ = try? await store.attach(RawServer.attach, as: RawServer.user)
    var iterator = heads.makeAsyncIterator()
    let request = try #require(await iterator.next())
    #expect(request.hasPrefix("GET /behind/a/proxy/v1/live HTTP/1.1\r\n"))
    let lines = Set(request.split(separator: "\r\n").map { $0.lowercased() })
    #expect(
      lines.isSuperset(of: [
        "host: 127.0.0.1:\(server.port)", "authorization: bearer the-token", "user-agent: my client/1.0",
        "sec-websocket-protocol: parley.v1", "sec-websocket-version: 13", "upgrade: websocket", "connection: upgrade",
      ]))
  }
}
