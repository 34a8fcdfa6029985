import ConversationModel
import Testing

/// What the contract says, in the plainest way: everything in memory, nothing fast, nothing shared with
/// the real stores.
private struct NaiveStore {
  struct Kept: Equatable {
    var client: String?
    var role: Message.Role
    var content: String
  }

  struct Thread {
    var user: UserID
    var session: String?
    var isDefault: Bool
    var title: String?
    var isPinned = false
    var isArchived = false
    var version = 1
    var messages: [Kept] = []
    var activity = 0
  }

  var threads: [ConversationID: Thread] = [:]
  private var clock = 0

  mutating func touch(_ id: ConversationID, _ change: (inout Thread) -> Void) {
    clock += 1
    change(&threads[id]!)
    threads[id]!.activity = clock
    threads[id]!.version += 1
  }

  mutating func add(_ id: ConversationID, _ thread: Thread) {
    clock += 1
    threads[id] = thread
    threads[id]!.activity = clock
  }

  func list(_ user: UserID) -> [ConversationID] {
    threads.filter { $0.value.user == user }.sorted { $0.value.activity > $1.value.activity }.map(\.key)
  }
}

/// A small seeded generator (SplitMix64, Steele et al. 2014), so that a failing run can be repeated.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

@Suite struct RandomCommandTests {
  @Test(arguments: Backend.allCases, [1, 2, 3, 4, 5, 6] as [UInt64])
  func `random commands leave the store as a plain model of it`(backend: Backend, seed: UInt64) async throws {
    try await backend.withStore { store in
      var random = SeededGenerator(seed: seed)
      var model = NaiveStore()
      let users = [newUser(), newUser()]
      for step in 0..<300 {
        let user = users.randomElement(using: &random)!
        let own = model.list(user)
        switch Int.random(in: 0..<10, using: &random) {
        case 0...1: try await open(store, &model, user, &random)
        case 2: try await update(store, &model, user, &random)
        case 3 where Int.random(in: 0..<4, using: &random) == 0: try await erase(store, &model, user, &random)
        default: if !own.isEmpty { try await append(store, &model, user, &random) }
        }
        if step % 10 == 0 { try await compare(store, model, users, &random) }
      }
      try await compare(store, model, users, &random)
    }
  }

  private func open(
    _ store: any Store, _ model: inout NaiveStore, _ user: UserID, _ random: inout SeededGenerator
  ) async throws {
    let keys: [SessionKey] = [.default, .named("a"), .named("b"), .new]
    let key = keys.randomElement(using: &random)!
    let receipt = try await store.apply(.open(OpenConversation(user: user, session: key)), as: .user(user))
    let id = try #require(receipt.conversation?.id)
    let known = model.threads.first { _, thread in
      switch key {
      case .default: thread.user == user && thread.isDefault
      case .named(let name): thread.user == user && thread.session == name
      case .new: false
      }
    }
    #expect(receipt.isReplay == (known != nil))
    if let known {
      #expect(id == known.key)
    } else {
      let name: String? =
        switch key {
        case .default: nil
        case .named(let name): name
        case .new: id.description
        }
      model.add(id, .init(user: user, session: name, isDefault: key == .default))
    }
  }

  private func append(
    _ store: any Store, _ model: inout NaiveStore, _ user: UserID, _ random: inout SeededGenerator
  ) async throws {
    // Now and then into the other user's conversation, which must not exist.
    let id = model.threads.keys.sorted().randomElement(using: &random)!
    let thread = model.threads[id]!
    let messages = (0..<Int.random(in: 1...3, using: &random)).map { _ in
      NaiveStore.Kept(
        client: Bool.random(using: &random) ? "k\(Int.random(in: 0..<12, using: &random))" : nil,
        role: [.user, .assistant, .tool].randomElement(using: &random)!,
        content: "text \(Int.random(in: 0..<3, using: &random))")
    }
    let command = Command.append(
      Append(to: id, messages.map { NewMessage(role: $0.role, content: $0.content, clientID: $0.client) }))

    let clients = messages.compactMap(\.client)
    let firstKnown = messages.indices.first { index in
      messages[index].client != nil && thread.messages.contains { $0.client == messages[index].client }
    }
    let expected: ConversationError.Code?
    var isReplay = false
    if thread.user != user {
      expected = .notFound
    } else if Set(clients).count != clients.count {
      expected = .invalid
    } else if let index = firstKnown {
      let start = thread.messages.firstIndex { $0.client == messages[index].client }! - index
      isReplay = start >= 0 && thread.messages.dropFirst(start).prefix(messages.count).elementsEqual(messages)
      expected = isReplay ? nil : .conflict
    } else {
      expected = nil
    }

    var receipt: Receipt?
    let refused = await code { receipt = try await store.apply(command, as: .user(user)) }
    #expect(refused == expected, "\(messages)")
    guard expected == nil else { return }
    #expect(receipt?.isReplay == isReplay)
    if !isReplay {
      model.touch(id) { thread in
        thread.messages += messages
        if thread.title == nil { thread.title = messages.first { $0.role == .user }?.content }
      }
    }
    #expect(receipt?.version == model.threads[id]!.version)
  }

  private func update(
    _ store: any Store, _ model: inout NaiveStore, _ user: UserID, _ random: inout SeededGenerator
  ) async throws {
    guard let id = model.list(user).randomElement(using: &random) else { return }
    let isStale = Int.random(in: 0..<4, using: &random) == 0
    let pinned = Bool.random(using: &random)
    let title = Bool.random(using: &random) ? "title \(Int.random(in: 0..<5, using: &random))" : nil
    let version = model.threads[id]!.version - (isStale ? 1 : 0)
    let command = UpdateConversation(
      id, title: title.map(UpdateConversation.Title.named), isPinned: pinned, ifVersion: version)
    let refused = await code { _ = try await store.apply(.update(command), as: .user(user)) }
    #expect(refused == (isStale ? .preconditionFailed : nil))
    if !isStale {
      model.touch(id) { thread in
        thread.title = title ?? thread.title
        thread.isPinned = pinned
      }
    }
  }

  private func erase(
    _ store: any Store, _ model: inout NaiveStore, _ user: UserID, _ random: inout SeededGenerator
  ) async throws {
    guard let id = model.list(user).randomElement(using: &random) else { return }
    let erasure = try await store.apply(.erase(id), as: .user(user)).erasure
    #expect(erasure?.messages == model.threads[id]!.messages.count)
    model.threads[id] = nil
  }

  private func compare(
    _ store: any Store, _ model: NaiveStore, _ users: [UserID], _ random: inout SeededGenerator
  ) async throws {
    for user in users {
      let listed = try await store.conversations(ConversationFilter(), PageRequest(limit: 200), as: .user(user)).items
      #expect(listed.map(\.id) == model.list(user))
      for conversation in listed {
        let thread = model.threads[conversation.id]!
        #expect(conversation.title == thread.title && conversation.sessionID == thread.session)
        #expect(conversation.version == thread.version && conversation.isPinned == thread.isPinned)
        #expect(conversation.messageCount == thread.messages.count && conversation.isDefault == thread.isDefault)
        let limit = Int.random(in: 1...30, using: &random)
        let page = try await store.page(conversation, limit: limit)
        #expect(
          page.messages.map { NaiveStore.Kept(client: $0.clientID, role: $0.role, content: $0.content) }
            == thread.messages.suffix(limit))
      }
    }
  }
}
