import ConversationModel
import Foundation
import StoreRemote
import StoreSQL
import StoreSQLite
import Testing

/// What can go wrong between a remote store and its server, and what becomes of it.
@Suite(.timeLimit(.minutes(2))) struct RemoteStoreTests {
  private typealias Question = @Sendable (any Store) async throws -> Void

  /// Everything a store can be asked.
  private static let questions: [(String, Question)] = {
    let (user, conversation, message) = (
      newUser(), ConversationID(high: 1, low: 2), MessageID(high: 3, low: 4)
    )
    let principal = Principal.user(user)
    let commands: [Command] = [
      .open(OpenConversation(user: user, session: .new)),
      .update(UpdateConversation(conversation, isPinned: true)),
      .append(Append(to: conversation, [NewMessage(role: .user, content: "x", clientID: "x")])),
      .revise(Revise(message, content: "y")), .deleteMessage(DeleteMessage(message)),
      .makeBranch(.fork(conversation, after: nil)), .updateBranch(UpdateBranch(BranchKey(conversation, 1), title: "x")),
      .deleteBranch(BranchKey(conversation, 1)), .erase(conversation),
    ]
    let reads: [(String, Question)] = [
      ("conversations", { _ = try await $0.conversations(ConversationFilter(), PageRequest(), as: principal) }),
      ("conversation", { _ = try await $0.conversation(.id(conversation), as: principal) }),
      ("session", { _ = try await $0.conversation(.session(user, .named("x")), as: principal) }),
      ("default", { _ = try await $0.conversation(.session(user, .default), as: principal) }),
      ("messages", { _ = try await $0.messages(Path(.id(conversation)), MessagePageRequest(), as: principal) }),
      ("message", { _ = try await $0.message(message, as: principal) }),
      ("revisions", { _ = try await $0.revisions(of: message, PageRequest(), as: principal) }),
      ("branches", { _ = try await $0.branches(of: conversation, as: principal) }),
      ("changes", { _ = try await $0.changes(in: conversation, since: 0, limit: 20, as: principal) }),
    ]
    return reads
      + commands.map { command in
        let question: Question = { _ = try await $0.apply(command, as: principal) }
        return ("\(command)", question)
      }
  }()

  @Test func `a server that is gone is unavailable, at once, and says so in its health`() async throws {
    let server = try RawServer { _, _ in }
    server.close()
    let store = try LiveServer(port: server.port).store()
    let clock = ContinuousClock()
    let start = clock.now
    for (name, ask) in Self.questions { #expect(await code { try await ask(store) } == .unavailable, "\(name)") }
    #expect(await store.health().refusal != nil)
    // Waiting for it would take five seconds each time.
    #expect(clock.now - start < .seconds(60))
  }

  @Test func `a server that does not answer is unavailable when its time is up`() async throws {
    let server = try RawServer { connection, _ in
      var byte: UInt8 = 0
      while recv(connection, &byte, 1, 0) > 0 {}
    }
    defer { server.close() }
    let store = try LiveServer(port: server.port).store(.init(connectSeconds: 1, answerSeconds: 1))
    #expect(await code { _ = try await store.message(MessageID(high: 1, low: 1), as: .service) } == .unavailable)
  }

  @Test(arguments: [
    ("200 OK", "hello"), ("200 OK", "{}"), ("200 OK", "[]"), ("200 OK", ""), ("200 OK", #"{"a":1,"#),
    ("200 OK", #"{"a":1,"a":2}"#), ("302 Found", ""), ("404 Not Found", "nope"),
    ("500 Oh", #"{"code":"of the moon"}"#), ("500 Oh", #"{"code":"not_found"}"#), ("", "SSH-2.0-OpenSSH_9.2p1"),
  ])
  func `an answer that is none is an internal error`(status: String, body: String) async throws {
    let server = try RawServer.answering(status, body)
    defer { server.close() }
    let store = try LiveServer(port: server.port).store()
    for (name, ask) in Self.questions { #expect(await code { try await ask(store) } == .internal, "\(name)") }
    #expect(await store.health().refusal != nil)
  }

  @Test func `an answer that lacks a field names it`() async throws {
    let body = #"{"data":[{"id":"0190abcd-ef01-7234-89ab-cdef01234567"}],"has_more":false,"next_cursor":null}"#
    let server = try RawServer.answering("200 OK", body)
    defer { server.close() }
    let store = try LiveServer(port: server.port).store()
    do {
      _ = try await store.conversations(ConversationFilter(), PageRequest(), as: .service)
      Issue.record("nonsense was taken")
    } catch {
      #expect(error.code == .internal && error.message.contains("conversation.user_id"), "\(error.message)")
    }
  }

  @Test func `a gateway's refusal is unavailable`() async throws {
    let server = try RawServer.answering("502 Bad Gateway", "oops")
    defer { server.close() }
    let store = try LiveServer(port: server.port).store()
    #expect(await code { _ = try await store.message(MessageID(high: 1, low: 1), as: .service) } == .unavailable)
  }

  @Test func `an answer without an end is read up to its bound only`() async throws {
    let bound = 1 << 20
    let server = try RawServer { connection, number in
      _ = receiveRequest(connection)
      if number == 0 {
        sendAll(Array("HTTP/1.1 200 OK\r\ncontent-length: \(bound + 1)\r\n\r\n".utf8), to: connection)
        return
      }
      sendAll(Array("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".utf8), to: connection)
      let piece = Array("10000\r\n".utf8) + Array(repeating: UInt8(ascii: " "), count: 65_536) + Array("\r\n".utf8)
      // Ends when the client closes.
      while sendAll(piece, to: connection) {}
    }
    defer { server.close() }
    let store = try LiveServer(port: server.port).store(.init(answerBytes: bound))
    for _ in 0..<2 {
      #expect(await code { _ = try await store.message(MessageID(high: 1, low: 1), as: .service) } == .tooLarge)
    }
    // A command may have been carried out, whatever its answer is.
    let append = Append(to: ConversationID(high: 1, low: 1), [NewMessage(role: .user, content: "x")])
    #expect(await code { _ = try await store.apply(.append(append), as: .service) } == .internal)
  }

  @Test func `a token that is not good is unauthenticated, a foreign id is not found`() async throws {
    try await withSQLite { below in
      let theirs = try await below.opened(newUser())
      try await withServer(of: below) { server in
        let address = "http://127.0.0.1:\(server.port)"
        for token in ["nonsense", "", "line\nbreak", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA"] {
          let store = try RemoteStore(server: address) { _ in token }
          #expect(await code { _ = try await store.conversation(.id(theirs.id), as: .service) } == .unauthenticated)
        }
        let tokenless = try RemoteStore(server: address) { _ in throw CocoaError(.fileNoSuchFile) }
        #expect(await code { _ = try await tokenless.conversation(.id(theirs.id), as: .service) } == .unauthenticated)
        let anonymous = try RemoteStore(server: address + "/") { _ in "the-anon-key" }
        #expect(await code { _ = try await anonymous.conversation(.id(theirs.id), as: .service) } == .forbidden)
        let store = try server.store()
        #expect(await code { _ = try await store.conversation(.id(theirs.id), as: .user(newUser())) } == .notFound)
        #expect(try await store.conversation(.id(theirs.id), as: .service) == theirs)
        #expect(await store.health().engine.hasPrefix("SQLite 3."))
        // Without a token of the service role there is only whether commands are taken.
        for answer in [nil, "the-anon-key", "nonsense"] {
          let userOnly = try RemoteStore(server: address) { _ in
            guard let answer else { throw CocoaError(.fileNoSuchFile) }
            return answer
          }
          #expect(await userOnly.health() == StoreHealth())
        }
      }
    }
  }

  @Test(arguments: [
    "", "localhost:7275", "http://", "http:///v1", "ftp://host", "http://a b", "http://host?x", "http://user@host",
    "http://host\r\nx: y", "http://host:", "http://host:0", "http://host:65536", "http://host:-1", "http://[::1",
    "http://[]:80", "http://[::1]x",
  ])
  func `what is no address is refused`(address: String) async throws {
    #expect(await code { _ = try RemoteStore(server: address) { _ in "" } } == .invalid)
  }

  @Test func `an answer that was lost on the way is asked for again where a client id makes that safe`() async throws {
    try await withSQLite { below in
      let user = newUser()
      let conversation = try await below.opened(user)
      func append(_ text: String, _ clientID: String?) -> Command {
        .append(Append(to: conversation.id, [NewMessage(role: .user, content: text, clientID: clientID)]))
      }
      try await withServer(of: below) { server in
        let named = try RawServer.losingFirstAnswer(of: server.port)
        defer { named.close() }
        let receipt = try await LiveServer(port: named.port).store().apply(append("named", "1"), as: .user(user))
        #expect(receipt.isReplay && receipt.messages.map(\.content) == ["named"])

        // The control: without a client id nobody may say it again, and the outcome is open.
        let nameless = try RawServer.losingFirstAnswer(of: server.port)
        defer { nameless.close() }
        let store = try LiveServer(port: nameless.port).store()
        #expect(await code { _ = try await store.apply(append("nameless", nil), as: .user(user)) } == .unavailable)
      }
      #expect(try await below.page(conversation).messages.map(\.content) == ["named", "nameless"])
    }
  }

  @Test func `a store outlives its server, and goes on with the next one at the same place`() async throws {
    try await withSQLite { below in
      let user = newUser()
      let conversation = try await below.opened(user)
      let append = Command.append(
        Append(to: conversation.id, [NewMessage(role: .user, content: "x", clientID: "x")]))
      let (store, port) = try await withServer(of: below) { server in
        let store = try server.store()
        #expect(try await store.conversation(.id(conversation.id), as: .user(user)) == conversation)
        return (store, server.port)
      }
      #expect(await code { _ = try await store.apply(append, as: .user(user)) } == .unavailable)
      try await withServer(of: below, port: port) { _ async throws in
        #expect(try await !store.apply(append, as: .user(user)).isReplay)
        #expect(try await store.apply(append, as: .user(user)).isReplay)
        #expect(try await store.page(conversation).messages.count == 1)
      }
    }
  }

  @Test func `a command of a cancelled caller is carried out, a read is not made`() async throws {
    try await withSQLite { below in
      let user = newUser()
      let conversation = try await below.opened(user)
      try await withServer(of: below) { server in
        let store = try server.store()
        let cancelled = Task {
          withUnsafeCurrentTask { $0?.cancel() }
          let reading = await code { _ = try await store.conversation(.id(conversation.id), as: .user(user)) }
          let writing = await code { try await store.appended(["x"], to: conversation) }
          return (reading, writing)
        }
        let (reading, writing) = await cancelled.value
        #expect(reading == .unavailable && writing == nil)
      }
      #expect(try await below.page(conversation).messages.map(\.content) == ["x"])
    }
  }

  @Test func `the service role finds a user's sessions by their keys, others do not`() async throws {
    try await withSQLite { below in
      let user = newUser()
      let name = "a+b &c=%2F?#\u{1F600}"
      let named = try await below.opened(user, name)
      let other = try await below.opened(newUser(), name)
      try await below.appended(["x"], to: named)
      try await withServer(of: below) { server in
        let store = try server.store()
        let found = try await store.conversation(.session(user, .named(name)), as: .service)
        #expect(found.id == named.id && found.sessionID == name)
        #expect(try await store.conversation(.session(other.userID, .named(name)), as: .service) == other)
        #expect(try await store.conversation(.defaultOrLatest(user), as: .service).id == named.id)
        let page = try await store.messages(
          Path(.session(user, .named(name))), MessagePageRequest(), as: .user(user))
        #expect(page.conversation == named.id && page.messages.map(\.content) == ["x"])
        for key in [ConversationKey.session(user, .named(name)), .session(user, .new), .defaultOrLatest(user)] {
          let refused = await code { _ = try await store.conversation(key, as: .user(other.userID)) }
          #expect(refused == .notFound)
        }
      }
    }
  }

  @Test func `text that must be escaped comes through, both ways`() async throws {
    try await Backend.remote.withStore { store in
      let conversation = try await store.opened(newUser())
      let content = "\u{1}\"\\/\u{7F}\u{2028}\r\n\u{1F600}e\u{301}\u{FFFF}"
      let message = NewMessage(
        role: .assistant, content: content, clientID: content.filter { $0.isLetter || $0 == "\\" || $0 == "\"" },
        intent: content, confidence: Confidence(hundredths: -5), entities: JSONText(canonical: #"{"a\"":[1e2,-0.0]}"#),
        metadata: JSONText(canonical: #"{"\u0001":"\u001f"}"#))
      let receipt = try await store.apply(.append(Append(to: conversation.id, [message])), as: .service)
      let kept = try #require(receipt.messages.first)
      #expect(kept.content.utf8.elementsEqual(content.utf8) && kept.clientID == message.clientID)
      #expect(kept.intent == message.intent && kept.confidence == message.confidence)
      #expect(kept.entities == message.entities && kept.metadata == message.metadata)
      #expect(try await store.message(kept.id, as: .service).message == kept)
    }
  }

  /// What the native door has no room or no words for is said before it is sent.
  @Test func `a command that the door cannot take is refused`() async throws {
    try await Backend.remote.withStore { store in
      let conversation = try await store.opened(newUser())
      let text = String(repeating: "x", count: Limits.contentBytes)
      let large = Append(to: conversation.id, Array(repeating: NewMessage(role: .user, content: text), count: 4))
      #expect(await code { _ = try await store.apply(.append(large), as: .service) } == .tooLarge)
      let make = MakeBranch(
        conversation: conversation.id, start: .after(nil), origin: .regenerate,
        message: NewMessage(role: .user, content: "x"), title: nil, isActivated: true)
      #expect(await code { _ = try await store.apply(.makeBranch(make), as: .service) } == .invalid)
      #expect(try await store.conversation(.id(conversation.id), as: .service) == conversation)
    }
  }
}
