import ConversationModel
import Testing

@Suite struct LimitTests {
  private static func text(_ count: Int, _ character: String = "x") -> String {
    String(repeating: character, count: count)
  }

  /// Messages that are just small enough.
  private static let accepted: [NewMessage] = [
    NewMessage(role: .user, content: ""),
    NewMessage(role: .user, content: text(Limits.contentBytes)),
    NewMessage(role: .user, content: text(Limits.contentBytes / 4, "\u{1F600}")),
    NewMessage(role: .user, content: "x", clientID: text(Limits.keyScalars, "\u{1F600}")),
    NewMessage(role: .user, content: "\u{1}\u{7F}\r\n\t\u{202E}", intent: text(Limits.intentScalars)),
    NewMessage(role: .tool, content: "x", metadata: JSONText(canonical: "{\"a\":\"\(text(Limits.objectBytes - 8))\"}")),
  ]

  /// Messages that are just too large, or hold what may not be held.
  private static let refused: [(NewMessage, ConversationError.Code, String)] = [
    (NewMessage(role: .user, content: text(Limits.contentBytes + 1)), .tooLarge, "content"),
    (NewMessage(role: .user, content: "a\u{0}b"), .invalid, "content"),
    (NewMessage(role: .user, content: "x", clientID: ""), .invalid, "client_id"),
    (NewMessage(role: .user, content: "x", clientID: text(Limits.keyScalars + 1)), .invalid, "client_id"),
    (NewMessage(role: .user, content: "x", clientID: "a\nb"), .invalid, "client_id"),
    (NewMessage(role: .user, content: "x", clientID: "a\u{85}b"), .invalid, "client_id"),
    (NewMessage(role: .user, content: "x", intent: text(Limits.intentScalars + 1)), .invalid, "intent"),
    (NewMessage(role: .user, content: "x", intent: "\u{0}"), .invalid, "intent"),
    (
      NewMessage(
        role: .user, content: "x", metadata: JSONText(canonical: "{\"a\":\"\(text(Limits.objectBytes - 7))\"}")),
      .tooLarge, "metadata"
    ),
    (
      NewMessage(role: .user, content: "x", entities: JSONText(canonical: "{\"a\":\"\(text(Limits.objectBytes))\"}")),
      .tooLarge, "entities"
    ),
  ]

  @Test(arguments: Backend.allCases)
  func `messages up to the limits are kept to the byte`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let conversation = try await store.opened(user)
      _ = try await store.apply(.append(Append(to: conversation.id, Self.accepted)), as: .user(user))
      for (kept, new) in zip(try await store.page(conversation).messages, Self.accepted) {
        #expect(kept.content.utf8.elementsEqual(new.content.utf8))
        #expect(kept.clientID == new.clientID && kept.intent == new.intent && kept.role == new.role)
        #expect(kept.metadata == new.metadata && kept.entities == new.entities)
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `messages beyond the limits are refused whole, and the field is named`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let conversation = try await store.opened(user)
      let good = NewMessage(role: .user, content: "good")
      for (message, code, field) in Self.refused {
        do {
          _ = try await store.apply(.append(Append(to: conversation.id, [good, message])), as: .user(user))
          Issue.record("\(field) was accepted")
        } catch let error as ConversationError {
          #expect(error.code == code && error.field == field)
        }
      }
      for count in [0, 101] {
        let messages = Array(repeating: good, count: count)
        #expect(
          await code { _ = try await store.apply(.append(Append(to: conversation.id, messages)), as: .user(user)) }
            == .invalid)
      }
      #expect(try await store.page(conversation).messages.isEmpty)
    }
  }

  @Test(arguments: Backend.allCases)
  func `titles, session ids, contexts and filters have limits`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      func open(_ session: SessionKey, title: String? = nil, context: String? = nil) async -> ConversationError.Code? {
        await code {
          let open = OpenConversation(
            user: user, session: session, title: title, context: context.map(JSONText.init(canonical:)))
          _ = try await store.apply(.open(open), as: .user(user))
        }
      }
      #expect(await open(.named(Self.text(255)), title: Self.text(200)) == nil)
      #expect(await open(.named(Self.text(256))) == .invalid)
      #expect(await open(.named("")) == .invalid)
      #expect(await open(.named("a\u{0}")) == .invalid)
      #expect(await open(.named("a\u{1B}[2J")) == .invalid)
      #expect(await open(.new, title: Self.text(201)) == .invalid)
      #expect(await open(.new, title: "") == .invalid)
      #expect(await open(.new, title: "two\nlines") == .invalid)
      #expect(await open(.new, context: "{\"a\":\"\(Self.text(Limits.objectBytes))\"}") == .tooLarge)
      for limit in [Int.min, -1, 0, 201, .max] {
        #expect(
          await code {
            _ = try await store.conversations(ConversationFilter(), PageRequest(limit: limit), as: .user(user))
          }
            == .invalid)
      }
      let conversation = try await store.opened(user)
      for limit in [Int.min, -1, 0, 201, .max] {
        #expect(await code { _ = try await store.page(conversation, limit: limit) } == .invalid)
      }
      let long = ConversationFilter(titlePart: Self.text(201))
      #expect(await code { _ = try await store.conversations(long, PageRequest(), as: .user(user)) } == .invalid)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a negative number names nothing`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let conversation = try await store.opened(user)
      let message = try await store.appended(["x"], to: conversation)[0]
      func refusal(_ command: Command) async -> ConversationError.Code? {
        await code { _ = try await store.apply(command, as: .user(user)) }
      }
      for number in [-1, Int.min] {
        let branch = BranchKey(conversation.id, number)
        #expect(await refusal(.updateBranch(UpdateBranch(branch, title: "x"))) == .notFound)
        #expect(await refusal(.deleteBranch(branch)) == .notFound)
        #expect(await refusal(.update(UpdateConversation(conversation.id, activeBranch: number))) == .notFound)
        let new = NewMessage(role: .user, content: "y")
        #expect(await refusal(.append(Append(to: conversation.id, [new], branch: number))) == .notFound)
        let update = UpdateConversation(conversation.id, isPinned: true, ifVersion: number)
        #expect(await refusal(.update(update)) == .preconditionFailed)
        #expect(await refusal(.revise(Revise(message.id, content: "y", ifRevision: number))) == .preconditionFailed)
        #expect(await refusal(.deleteMessage(DeleteMessage(message.id, ifRevision: number))) == .preconditionFailed)
        let path = Path(.id(conversation.id), branch: number)
        let paged = await code { _ = try await store.messages(path, MessagePageRequest(), as: .user(user)) }
        #expect(paged == .notFound)
        let followed = await code {
          _ = try await store.changes(in: conversation.id, since: number, limit: 20, as: .user(user))
        }
        #expect(followed == .invalid)
      }
      #expect(try await store.conversation(.id(conversation.id), as: .user(user)).version == 2)
    }
  }
}
