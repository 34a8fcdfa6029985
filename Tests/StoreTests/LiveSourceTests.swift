import ConversationModel
import StoreRemote
import Testing

/// What every live source promises, whichever way it is reached.
@Suite(.timeLimit(.minutes(3))) struct LiveSourceTests {
  typealias World = LiveBackend.World

  // MARK: Attaching

  @Test(arguments: LiveBackend.allCases)
  func `an attached client starts from the newest page`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser(), "phone")
      let principal = Principal.user(conversation.userID)
      try await world.store.appended((1...25).map { "\($0)" }, to: conversation)
      let now = try await world.store.conversation(.id(conversation.id), as: principal)
      let targets = [
        Attach(.conversation(conversation.id)), Attach(.session(.named("phone"))),
        Attach(.session(.named("phone")), of: conversation.userID),
      ]
      for attach in targets {
        let connection = try await world.live.attach(attach, as: principal)
        let start = connection.start
        #expect(start.conversation == now && start.branch == 0 && start.version == now.version)
        guard case .page(let page, false) = start.content else { throw UnexpectedEvent() }
        #expect(page.messages.map(\.content) == (6...25).map { "\($0)" } && page.headPosition == 25)
        #expect(page.conversation == conversation.id && page.version == now.version && page.after == nil)
        let before = MessagePageRequest(limit: 3, .before(.cursor(try #require(page.before))))
        let earlier = try await world.store.messages(Path(.id(conversation.id)), before, as: principal)
        #expect(earlier.messages.map(\.content) == ["3", "4", "5"])
        #expect(start.presence.connections.count == 1 && start.presence.typing.isEmpty)
        connection.close()
      }
    }
  }

  @Test(arguments: LiveBackend.allCases)
  func `an unknown session is made, the service role names its user`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let user = newUser()
      for key in [SessionKey.named("new"), .default, .new] {
        let made = try await world.live.attach(Attach(.session(key)), as: .user(user)).start.conversation
        #expect(made.userID == user && made.isDefault == (key == .default))
        if key == .named("new") { #expect(made.sessionID == "new") }
        let found = try await world.live.attach(Attach(.conversation(made.id)), as: .service)
        #expect(found.start.conversation.id == made.id)
        guard case .page(let page, false) = found.start.content else { throw UnexpectedEvent() }
        #expect(page.messages.isEmpty && page.headPosition == 0 && page.before == nil)
        let refused = await code { _ = try await world.live.attach(Attach(.session(key)), as: .service) }
        #expect(refused == .invalid)
        let named = try await world.live.attach(Attach(.session(key), of: user), as: .service).start.conversation
        #expect((named.id == made.id) == (key != .new) && named.userID == user)
      }
    }
  }

  @Test(arguments: LiveBackend.allCases)
  func `a client that was here before is given what it missed`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      let principal = Principal.user(conversation.userID)
      for number in 1...5 { try await world.append("\(number)", to: conversation) }
      let all = try await world.store.changes(in: conversation.id, since: 3, limit: 200, as: principal)
      let connection = try await world.attach(conversation, since: 3)
      guard case .missed(let missed) = connection.start.content else { throw UnexpectedEvent() }
      #expect(missed == all.changes && connection.start.version == all.version && all.version == 6)
      // What is known already.
      guard case .missed([]) = try await world.attach(conversation, since: 6).start.content else {
        throw UnexpectedEvent()
      }
      for version in [7, Int.max, -1] {
        #expect(await code { _ = try await world.attach(conversation, since: version) } == .invalid)
      }
      try await world.append("6", to: conversation)
      #expect(try await connection.changes().version == 7)
    }
  }

  @Test(arguments: LiveBackend.allCases)
  func `a client that missed too much is given a page`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      try await world.store.appended((1...1_100).map { "\($0)" }, to: conversation)
      let connection = try await world.attach(conversation, since: 1)
      guard case .page(let page, isResync: true) = connection.start.content else { throw UnexpectedEvent() }
      #expect(page.messages.last?.content == "1100" && connection.start.version == 12)
      try await world.append("next", to: conversation)
      #expect(try await connection.changes().version == 13)
    }
  }

  @Test(arguments: LiveBackend.allCases)
  func `a foreign conversation and an unknown one get the same answer`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let theirs = try await world.store.opened(newUser())
      let stranger = Principal.user(newUser())
      var messages: Set<String> = []
      for id in [theirs.id, ConversationID(high: 1, low: 2)] {
        do throws(ConversationError) {
          _ = try await world.live.attach(Attach(.conversation(id)), as: stranger)
          Issue.record("attached to \(id)")
        } catch {
          #expect(error.code == .notFound)
          messages.insert(error.message)
        }
      }
      #expect(messages.count == 1)
      let named = Attach(.session(.named("x")), of: theirs.userID)
      #expect(await code { _ = try await world.live.attach(named, as: stranger) } == .forbidden)
    }
  }

  @Test func `a token that is not good is unauthenticated, the anonymous key is forbidden`() async throws {
    try await LiveBackend.remote.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      for (token, expected) in [
        ("nonsense", .unauthenticated), ("", .unauthenticated), ("line\nbreak", .unauthenticated),
        (nil, .unauthenticated), ("the-anon-key", .forbidden), ("the-service-key", nil),
      ] as [(String?, ConversationError.Code?)] {
        let live = try RemoteStore(server: "http://localhost:\(world.server.port)") { _ in
          guard let token else { throw UnexpectedEvent() }
          return token
        }
        let refused = await code {
          _ = try await live.attach(Attach(.conversation(conversation.id)), as: .user(conversation.userID))
        }
        #expect(refused == expected)
      }
    }
  }

  // MARK: Events

  @Test(arguments: LiveBackend.allCases)
  func `three clients see every change once and in order, whoever made it`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      let principal = Principal.user(conversation.userID)
      let first = try await world.append("first", to: conversation)
      var connections: [any LiveConnection] = []
      for _ in 0..<3 { connections.append(try await world.attach(conversation)) }
      let commands: [Command] =
        (1...20).map { .append(Append(to: conversation.id, [NewMessage(role: .assistant, content: "\($0)")])) }
        + [
          .revise(Revise(first.id, content: "changed")),
          .update(UpdateConversation(conversation.id, title: .named("T"), isPinned: true)),
          .makeBranch(.fork(conversation.id, after: first.id)),
          .makeBranch(.edit(conversation.id, first.id, by: NewMessage(role: .user, content: "instead"))),
          .updateBranch(UpdateBranch(BranchKey(conversation.id, 1), title: "b")),
          .append(
            Append(
              to: conversation.id, [NewMessage(role: .user, content: "a"), NewMessage(role: .user, content: "b")],
              branch: 1)),
          .update(UpdateConversation(conversation.id, activeBranch: 0)),
          .deleteBranch(BranchKey(conversation.id, 2)), .deleteMessage(DeleteMessage(first.id)),
        ]
      for command in commands { _ = try await world.store.apply(command, as: principal) }
      let last = 2 + commands.count
      let all = try await world.store.changes(in: conversation.id, since: 2, limit: 200, as: principal)
      #expect(all.version == last && !all.hasMore)
      for connection in connections {
        #expect(connection.start.version == 2)
        var latest: [RowKey: Changes.Change] = [:]
        for version in 3...last {
          let event = try await connection.changes()
          #expect(event.version == version && event.changes.allSatisfy { $0.version == version })
          for change in event.changes { latest[RowKey(change.row)] = change }
        }
        // Whoever takes all events over knows what the store knows.
        #expect(Self.known(Array(latest.values)) == Self.known(all.changes))
      }
    }
  }

  /// The rows that count, in an order: a branch that is deleted takes its messages with it.
  private static func known(_ changes: [Changes.Change]) -> [Changes.Change] {
    let deleted = changes.compactMap { change in
      if case .branch(let branch) = change.row, branch.isDeleted { branch.number } else { nil }
    }
    return changes.sorted { RowKey($0.row) < RowKey($1.row) }.filter { change in
      if case .message(let message) = change.row { !deleted.contains(message.branch) } else { true }
    }
  }

  /// Names a row, in an order.
  private struct RowKey: Hashable, Comparable {
    let text: String

    init(_ row: Changes.Row) {
      text =
        switch row {
        case .conversation(let conversation): "c\(conversation.id)"
        case .branch(let branch): "b\(branch.number)"
        case .message(let message): "m\(message.id)"
        }
    }

    static func < (left: RowKey, right: RowKey) -> Bool { left.text < right.text }
  }

  /// The snapshot and the events behind it leave no hole, wherever the writer stands.
  @Test(arguments: LiveBackend.allCases)
  func `clients that attach while others write miss nothing`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      let principal = Principal.user(conversation.userID)
      let last = 301
      // Somebody is there all the time, so that the server tells of changes while others come.
      let witness = try await world.attach(conversation)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          for number in 2...last {
            let message = NewMessage(role: .user, content: "\(number)")
            _ = try await world.store.apply(.append(Append(to: conversation.id, [message])), as: principal)
          }
        }
        for client in 0..<8 {
          group.addTask {
            try await Task.sleep(for: .milliseconds(10 * client))
            for round in 0..<12 {
              let since: Version? = round % 2 == 0 ? nil : 1
              let connection = try await world.live.attach(
                Attach(.conversation(conversation.id), since: since), as: principal)
              var known = connection.start.version
              switch connection.start.content {
              case .page(let page, _): #expect(page.messages.last.map { Int($0.content) ?? 0 } ?? 1 == known)
              case .missed(let missed): #expect(missed.map(\.version).max() ?? 1 == known)
              }
              let goal = min(last, known + 10)
              while known < goal {
                let (version, changes) = try await connection.changes()
                #expect(version == known + 1)
                let told = changes.lazy.compactMap { if case .message(let message) = $0.row { message } else { nil } }
                if let message = told.first { #expect(Int(message.content) == version) }
                known = version
              }
            }
          }
        }
        try await group.waitForAll()
      }
      for version in 2...last { #expect(try await witness.changes().version == version) }
    }
  }

  // MARK: Presence

  @Test(arguments: LiveBackend.allCases)
  func `clients see each other come, write and go`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      let one = try await world.attach(conversation)
      do {
        let two = try await world.attach(conversation)
        #expect(two.start.presence.connections.count == 2)
        let both = try await one.presence { $0.connections.count == 2 }
        #expect(Set(both.connections) == Set(two.start.presence.connections))
        #expect(both.connections.map(\.client) == ["parley", "parley"])
        let name = try #require(both.connections.map(\.id).first { $0 != one.start.presence.connections[0].id })
        two.typing(true)
        two.typing(true)
        #expect(try await one.presence { !$0.typing.isEmpty }.typing == [name])
        two.typing(false)
        #expect(try await one.presence { $0.typing.isEmpty }.connections.count == 2)
        two.typing(true)
        _ = try await one.presence { $0.typing == [name] }
        // Whoever sends has written.
        _ = try await two.send(NewMessage(role: .user, content: "x", clientID: "x"), parent: nil)
        _ = try await one.presence { $0.typing.isEmpty }
        two.typing(true)
        _ = try await one.presence { $0.typing == [name] }
      }
      // Its last copy is gone, and so is the client.
      let alone = try await one.presence { $0.connections.count == 1 }
      #expect(alone.typing.isEmpty && alone.connections == one.start.presence.connections)
    }
  }

  // MARK: Sending

  @Test(arguments: LiveBackend.allCases)
  func `a message that is sent is acknowledged and told to all`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      let (one, two) = (try await world.attach(conversation), try await world.attach(conversation))
      let hello = NewMessage(
        role: .assistant, content: "Hello \u{1F600}\u{1}\"", clientID: "a", intent: "greeting",
        confidence: Confidence(hundredths: 90), entities: JSONText(canonical: #"{"a":1}"#),
        metadata: JSONText(canonical: #"{"b":[2.50]}"#))
      let receipt = try await one.send(hello, parent: nil)
      let message = try #require(receipt.messages.first)
      #expect(message.content == hello.content && message.metadata == hello.metadata && message.clientID == "a")
      #expect(
        message.intent == "greeting" && message.entities == hello.entities && message.confidence == hello.confidence)
      #expect(receipt.version == 2 && receipt.durability == .stored && !receipt.isReplay)
      let kept = try await world.store.message(message.id, as: .user(conversation.userID)).message
      #expect(kept == message)
      for connection in [one, two] {
        let (version, changes) = try await connection.changes()
        #expect(version == 2 && firstMessage(of: changes) == message)
      }

      // Once more is a replay, and nothing to tell of.
      let again = try await two.send(hello, parent: nil)
      #expect(again.isReplay && again.messages == [message])
      var other = hello
      other.content = "another"
      #expect(await code { _ = try await one.send(other, parent: nil) } == .conflict)

      // Behind a message that others went on from already: a branch of its own.
      _ = try await one.send(NewMessage(role: .user, content: "next", clientID: "b"), parent: message.id)
      let fork = try await two.send(NewMessage(role: .user, content: "instead", clientID: "c"), parent: message.id)
      #expect(fork.branch?.number == 1 && fork.messages.first?.branch == 1)
      #expect(try await one.changes().version == 3)
      #expect(try await one.changes().version == 4)
      // The connection's branch is where it was.
      #expect(try await one.send(NewMessage(role: .user, content: "on", clientID: "d"), parent: nil).version == 5)
      #expect(
        try await world.store.page(conversation).messages.map(\.content) == ["Hello \u{1F600}\u{1}\"", "next", "on"])

      let unknown = MessageID(high: 1, low: 1)
      let orphan = NewMessage(role: .user, content: "x", clientID: "e")
      #expect(await code { _ = try await one.send(orphan, parent: unknown) } == .notFound)
      let long = NewMessage(
        role: .user, content: String(repeating: "x", count: Limits.contentBytes + 1), clientID: "f")
      #expect(await code { _ = try await one.send(long, parent: nil) } == .tooLarge)
      let huge = NewMessage(role: .user, content: String(repeating: "x", count: 2_000_000), clientID: "g")
      #expect(await code { _ = try await one.send(huge, parent: nil) } == .tooLarge)
      // None of this has hurt the connection.
      #expect(try await one.send(NewMessage(role: .user, content: "end", clientID: "h"), parent: nil).version == 6)
    }
  }

  @Test(arguments: LiveBackend.allCases)
  func `many messages at a time are all answered, each with its own`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      let connection = try await world.attach(conversation)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<Limits.liveSends {
          group.addTask {
            let message = NewMessage(role: .user, content: "\(number)", clientID: "\(number)")
            let receipt = try await connection.send(message, parent: nil)
            #expect(receipt.messages.map(\.content) == ["\(number)"] && receipt.messages.first?.clientID == "\(number)")
          }
        }
        try await group.waitForAll()
      }
      for version in 2...(Limits.liveSends + 1) { #expect(try await connection.changes().version == version) }
    }
  }
}
