import ConversationModel
import Testing

@Suite struct IdempotencyTests {
  private static let original = NewMessage(
    role: .user, content: "one", clientID: "key", intent: "greet", confidence: Confidence(hundredths: 50),
    entities: JSONText(canonical: #"{"a":1}"#), metadata: JSONText(canonical: #"{"b":2}"#))

  /// The original with one thing changed.
  private static let others: [NewMessage] = [
    changed { $0.role = .assistant }, changed { $0.content = "two" }, changed { $0.content = "one " },
    changed { $0.intent = nil }, changed { $0.intent = "" }, changed { $0.confidence = nil },
    changed { $0.confidence = Confidence(hundredths: 51) }, changed { $0.entities = .emptyObject },
    changed { $0.metadata = JSONText(canonical: #"{"b":3}"#) },
  ]

  private static func changed(_ change: (inout NewMessage) -> Void) -> NewMessage {
    var message = original
    change(&message)
    return message
  }

  @Test(arguments: Backend.allCases)
  func `the same client id with the same content is the same message`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let conversation = try await store.opened(user)
      let append = Command.append(Append(to: conversation.id, [Self.original]))
      let first = try await store.apply(append, as: .user(user))
      try await store.appended(["in between"], to: conversation)
      let second = try await store.apply(append, as: .user(user))
      #expect(!first.isReplay && second.isReplay)
      #expect(first.messages == second.messages)
      #expect(second.version == 3)
      #expect(try await store.page(conversation).messages.map(\.content) == ["one", "in between"])
    }
  }

  @Test(arguments: Backend.allCases)
  func `the same client id with anything else in it is a conflict`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let conversation = try await store.opened(user)
      _ = try await store.apply(.append(Append(to: conversation.id, [Self.original])), as: .user(user))
      for other in Self.others {
        let refused = await code {
          _ = try await store.apply(.append(Append(to: conversation.id, [other])), as: .user(user))
        }
        #expect(refused == .conflict, "\(other)")
      }
      #expect(try await store.conversation(.id(conversation.id), as: .user(user)).version == 2)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a client id counts in its conversation only, and by its bytes`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let (one, two) = (try await store.opened(user), try await store.opened(user))
      let composed = NewMessage(role: .user, content: "x", clientID: "\u{E9}")
      let decomposed = NewMessage(role: .user, content: "y", clientID: "e\u{301}")
      for (conversation, message) in [(one, composed), (two, composed), (one, decomposed)] {
        let receipt = try await store.apply(.append(Append(to: conversation.id, [message])), as: .user(user))
        #expect(!receipt.isReplay)
      }
      #expect(try await store.page(one).messages.map(\.content) == ["x", "y"])
    }
  }

  @Test(arguments: Backend.allCases)
  func `an append of several comes again as a whole or not at all`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let conversation = try await store.opened(user)
      func message(_ text: String, _ id: String?) -> NewMessage { NewMessage(role: .user, content: text, clientID: id) }
      func apply(_ messages: [NewMessage]) async throws -> Receipt {
        try await store.apply(.append(Append(to: conversation.id, messages)), as: .user(user))
      }
      let several = [message("a", "1"), message("b", nil), message("c", "3")]
      let first = try await apply(several)
      #expect(first.messages.map(\.position) == [1, 2, 3])
      #expect(first.version == 2)
      let again = try await apply(several)
      #expect(again.isReplay && again.messages == first.messages)
      // The same ids in other company, in another order, or with something new.
      for other in [
        [message("a", "1"), message("B", nil), message("c", "3")], [message("c", "3"), message("a", "1")],
        [message("a", "1"), message("new", "4")], [message("new", "5"), message("a", "1")],
        several + [message("d", "6")],
      ] {
        #expect(await code { _ = try await apply(other) } == .conflict)
      }
      #expect(await code { _ = try await apply([message("x", "7"), message("y", "7")]) } == .invalid)
      #expect(try await store.page(conversation).messages.map(\.content) == ["a", "b", "c"])
    }
  }

  @Test(arguments: Backend.allCases)
  func `64 racing appends with one client id store one message`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let conversation = try await store.opened(user)
      let append = Command.append(Append(to: conversation.id, [Self.original]))
      let receipts = try await withThrowingTaskGroup(of: Receipt.self) { group in
        for _ in 0..<64 { group.addTask { try await store.apply(append, as: .user(user)) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(receipts.count { !$0.isReplay } == 1)
      #expect(Set(receipts.flatMap(\.messages).map(\.id)).count == 1)
      #expect(try await store.page(conversation).messages.count == 1)
    }
  }

  @Test(arguments: Backend.allCases, [SessionKey.default, .named("phone")])
  func `64 racing opens of one session make one conversation`(backend: Backend, session: SessionKey) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let open = Command.open(OpenConversation(user: user, session: session))
      let receipts = try await withThrowingTaskGroup(of: Receipt.self) { group in
        for _ in 0..<64 { group.addTask { try await store.apply(open, as: .user(user)) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(receipts.count { !$0.isReplay } == 1)
      #expect(Set(receipts.compactMap(\.conversation?.id)).count == 1)
    }
  }
}
