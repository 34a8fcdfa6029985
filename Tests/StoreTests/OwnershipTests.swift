import ConversationModel
import Testing

@Suite struct OwnershipTests {
  /// Everything that can be asked about one conversation or message.
  private static func questions(
    _ conversation: ConversationID, _ message: MessageID
  ) -> [(String, (any Store, Principal) async throws -> Void)] {
    [
      ("conversation", { _ = try await $0.conversation(.id(conversation), as: $1) }),
      ("messages", { _ = try await $0.messages(Path(.id(conversation)), MessagePageRequest(), as: $1) }),
      ("message", { _ = try await $0.message(message, as: $1) }),
      ("branches", { _ = try await $0.branches(of: conversation, as: $1) }),
      (
        "append",
        {
          _ = try await $0.apply(
            .append(Append(to: conversation, [NewMessage(role: .user, content: "mine", clientID: "known")])), as: $1)
        }
      ),
      ("update", { _ = try await $0.apply(.update(UpdateConversation(conversation, isPinned: true)), as: $1) }),
      ("erase", { _ = try await $0.apply(.erase(conversation), as: $1) }),
    ]
  }

  @Test(arguments: Backend.allCases)
  func `another user's things and things that never were give the same error`(backend: Backend) async throws {
    try await backend.withStore { store in
      let (owner, stranger) = (newUser(), newUser())
      let theirs = try await store.opened(owner)
      let message = try #require(
        try await store.apply(
          .append(Append(to: theirs.id, [NewMessage(role: .user, content: "secret", clientID: "known")])),
          as: .user(owner)
        ).messages.first)
      let foreign = Self.questions(theirs.id, message.id)
      let unknown = Self.questions(ConversationID(high: 1, low: 2), MessageID(high: 3, low: 4))
      for ((name, askForeign), (_, askUnknown)) in zip(foreign, unknown) {
        let errors = await [askForeign, askUnknown].asyncMap { ask -> ConversationError? in
          do {
            try await ask(store, .user(stranger))
            return nil
          } catch {
            return error as? ConversationError
          }
        }
        let first = try #require(errors[0], "\(name) was answered")
        let second = try #require(errors[1], "\(name) was answered")
        #expect(first.code == .notFound)
        #expect(first.code == second.code && first.message == second.message && first.field == second.field)
      }
      // Nothing of it left a trace.
      let after = try await store.conversation(.id(theirs.id), as: .user(owner))
      #expect(after.version == 2 && after.messageCount == 1 && !after.isPinned)
    }
  }

  @Test(arguments: Backend.allCases)
  func `the service role may do everything`(backend: Backend) async throws {
    try await backend.withStore { store in
      let owner = newUser()
      let conversation = try await store.opened(owner)
      let message = try await store.appended(["one"], to: conversation)[0]
      for (_, ask) in Self.questions(conversation.id, message.id) { try await ask(store, .service) }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a list holds its user's conversations, and all of them for the service role`(backend: Backend) async throws {
    try await backend.withStore { store in
      let (one, two) = (newUser(), newUser())
      let mine = try await store.opened(one)
      let theirs = try await store.opened(two)
      let listed = try await store.conversations(ConversationFilter(), PageRequest(), as: .user(one))
      #expect(listed.items.map(\.id) == [mine.id])
      let all = try await store.conversations(ConversationFilter(), PageRequest(), as: .service)
      #expect(all.items.map(\.id) == [theirs.id, mine.id])
      let named = try await store.conversations(ConversationFilter(user: two), PageRequest(), as: .service)
      #expect(named.items.map(\.id) == [theirs.id])
      #expect(
        await code { _ = try await store.conversations(ConversationFilter(user: two), PageRequest(), as: .user(one)) }
          == .forbidden)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a user opens conversations for itself only`(backend: Backend) async throws {
    try await backend.withStore { store in
      let (one, two) = (newUser(), newUser())
      #expect(
        await code {
          _ = try await store.apply(.open(OpenConversation(user: two, session: .default)), as: .user(one))
        } == .forbidden)
      let all = try await store.conversations(ConversationFilter(), PageRequest(), as: .service)
      #expect(all.items.isEmpty)
    }
  }
}

extension Array {
  func asyncMap<Result>(_ transform: (Element) async -> Result) async -> [Result] {
    var results: [Result] = []
    for element in self { results.append(await transform(element)) }
    return results
  }
}
