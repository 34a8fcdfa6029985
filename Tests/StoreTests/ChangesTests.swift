import ConversationModel
import Testing

@Suite struct ChangesTests {
  @Test(arguments: Backend.allCases)
  func `changes hold each row once, as it is now and at its latest version`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2"])
      let ids = try await tree.messages().map(\.id)
      for text in ["a", "b"] { try await tree.revise(ids[0], text) }
      try await tree.edit(ids[1], "zwei", activate: true)
      try await tree.delete(ids[1])
      let changes = try await tree.changes(since: 0)
      #expect(changes.version == 6 && !changes.hasMore)
      let (messages, branches) = (try await tree.messages(0), try await tree.branches())
      let own = try await tree.messages(1)[1]
      #expect(
        changes.changes == [
          .init(version: 4, row: .message(messages[0])),
          .init(version: 5, row: .branch(branches[0])), .init(version: 5, row: .branch(branches[1])),
          .init(version: 5, row: .message(own)), .init(version: 6, row: .message(messages[1])),
          .init(version: 6, row: .conversation(try await tree.now())),
        ])
      #expect(try await tree.changes(since: 4).changes == Array(changes.changes.dropFirst()))
      #expect(try await tree.changes(since: 5).changes == Array(changes.changes.suffix(2)))
      let none = try await tree.changes(since: 6)
      #expect(none.changes.isEmpty && none.version == 6 && !none.hasMore)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a new conversation has its trunk and itself to tell`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store)
      let changes = try await tree.changes(since: 0, limit: 1)
      #expect(changes.version == 1 && !changes.hasMore)
      #expect(
        changes.changes == [
          .init(version: 1, row: .branch(try await tree.branch(0))),
          .init(version: 1, row: .conversation(tree.conversation)),
        ])
    }
  }

  @Test(arguments: Backend.allCases)
  func `a version to come and a limit out of range are invalid`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1"])
      for since in [3, 4, 1 << 40, -1] {
        #expect(await code { _ = try await tree.changes(since: since) } == .invalid, "\(since)")
      }
      for limit in [Int.min, -1, 0, 201, .max] {
        #expect(await code { _ = try await tree.changes(since: 0, limit: limit) } == .invalid, "\(limit)")
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `one version comes whole, however many rows it has`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store)
      try await tree.append((1...100).map { "\($0)" })
      try await tree.append(["last"])
      for limit in [1, 99, 100] {
        let first = try await tree.changes(since: 1, limit: limit)
        #expect(first.version == 2 && first.hasMore && first.changes.allSatisfy { $0.version == 2 })
        #expect(first.changes.compactMap(\.row.message?.position) == Array(1...100))
        // The branch and the conversation have changed again since.
        #expect(first.changes.count == 100)
        let second = try await tree.changes(since: 2, limit: limit)
        #expect(second.version == 3 && !second.hasMore && second.changes.count == 3)
      }
      // As the newest version it takes the conversation along.
      try await tree.append((1...100).map { "\($0)" })
      let newest = try await tree.changes(since: 3, limit: 1)
      #expect(newest.changes.count == 102 && newest.version == 4 && !newest.hasMore)
      #expect(newest.changes.first?.row.branch?.number == 0 && newest.changes.last?.row.conversation?.version == 4)
    }
  }

  @Test(arguments: Backend.allCases, [1, 2, 3, 5, 8, 200])
  func `pages hold whole versions, and together everything`(backend: Backend, size: Int) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2"])
      let ids = try await tree.messages().map(\.id)
      for number in 1...10 {
        try await tree.append((0..<number % 4 + 1).map { "\(number) \($0)" }, on: 0)
        if number % 3 == 0 { try await tree.edit(ids[1], "\(number)", activate: number % 2 == 0) }
        if number % 5 == 0 { try await tree.revise(ids[0], "\(number)") }
      }
      try await tree.deleteBranch(2)
      let now = try await tree.now()
      for start in 0...now.version {
        var (since, all): (Version, [Changes.Change]) = (start, [])
        while true {
          let page = try await tree.changes(since: since, limit: size)
          let versions = Set(page.changes.map(\.version))
          #expect(page.changes.count <= size || versions.count == 1)
          #expect(page.version > since || !page.hasMore)
          #expect(versions.allSatisfy { $0 > since && $0 <= page.version })
          #expect(page.hasMore == (page.version < now.version))
          all += page.changes
          since = page.version
          guard page.hasMore else { break }
        }
        #expect(all == all.sorted { ($0.version, $0.rank) < ($1.version, $1.rank) })
        if start == now.version {
          #expect(all.isEmpty)
        } else {
          #expect(all.last == .init(version: now.version, row: .conversation(now)))
          #expect(all.count { $0.row.conversation != nil } == 1)
        }
        #expect(Set(all.compactMap(\.row.message?.id)).count == all.count { $0.row.message != nil })
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `long texts end a page earlier, but never inside a version`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store)
      let text = String(repeating: "x", count: Limits.contentBytes)
      for _ in 1...6 { try await tree.append([text, text]) }
      var (since, pages): (Version, [Int]) = (1, [])
      while true {
        let page = try await tree.changes(since: since)
        pages.append(page.changes.count { $0.row.message != nil })
        since = page.version
        guard page.hasMore else { break }
      }
      #expect(pages.reduce(0, +) == 12)
      let most = Limits.changesBytes / Limits.contentBytes + 2
      #expect(pages.count > 1 && pages.allSatisfy { (2...most).contains($0) && $0 % 2 == 0 }, "\(pages)")
    }
  }

  @Test(arguments: Backend.allCases)
  func `what was deleted comes blank`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "secret"])
      let ids = try await tree.messages().map(\.id)
      try await tree.edit(ids[1], "secret", title: "secret", activate: true)
      try await tree.append(["secret", "secret"])
      try await tree.delete(ids[1])
      try await tree.deleteBranch(1)
      _ = try await tree.apply(.update(UpdateConversation(tree.id, title: .named("title"))))
      for since in 0...7 {
        let changes = try await tree.changes(since: since).changes
        for change in changes {
          switch change.row {
          case .message(let message) where message.position > 1:
            #expect(message.content == "" && message.status == .deleted)
          case .branch(let branch) where branch.number == 1:
            #expect(branch.isDeleted && !branch.isActive && branch.title == nil)
          default: break
          }
        }
        #expect(changes.contains { $0.row.branch?.number == 1 } == (since < 6))
        #expect(changes.contains { $0.row.message?.id == ids[1] } == (since < 5))
      }
    }
  }

  // MARK: Snapshot and changes

  /// Several on the store itself; whatever stands before it needs one.
  private static let runs: [(backend: Backend, seed: UInt64)] = Backend.allCases.flatMap { backend in
    (1...(backend == .sqlite ? 6 : 1)).map { (backend, $0) }
  }

  @Test(arguments: runs)
  func `a snapshot and the changes since then are a fresh snapshot`(backend: Backend, seed: UInt64) async throws {
    try await backend.withStore { store in
      var random = SeededGenerator(seed: seed)
      let tree = try await OwnedTree(store)
      var hand = RandomHand(tree)
      var snapshots = [try await Follower(snapshotOf: tree)]
      var live = snapshots[0]
      for step in 1...120 {
        try await hand.act(&random)
        if step % 5 == 0 { snapshots.append(try await Follower(snapshotOf: tree)) }
        if step % 7 == 0 { try await live.catchUp(with: tree, &random) }
        if step % 40 == 0 {
          let fresh = try await Follower(snapshotOf: tree)
          for snapshot in snapshots + [live, Follower()] {
            var follower = snapshot
            try await follower.catchUp(with: tree, &random)
            #expect(follower == fresh, "from version \(snapshot.version) to \(fresh.version)")
          }
        }
      }
      #expect(hand.accepted > 60)
    }
  }

  @Test(arguments: Backend.allCases)
  func `whoever follows while others write misses nothing`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1"])
      let follower = try await withThrowingTaskGroup(of: Follower?.self) { group in
        for writer in 1...4 {
          group.addTask {
            var random = SeededGenerator(seed: UInt64(writer))
            var hand = RandomHand(tree)
            for _ in 1...60 { try await hand.act(&random) }
            return nil
          }
        }
        group.addTask {
          var random = SeededGenerator(seed: 99)
          var follower = Follower()
          for _ in 1...80 { try await follower.catchUp(with: tree, &random) }
          return follower
        }
        return try await group.reduce(nil) { $1 ?? $0 }
      }
      var random = SeededGenerator(seed: 100)
      var last = try #require(follower)
      try await last.catchUp(with: tree, &random)
      #expect(try await Follower(snapshotOf: tree) == last)
    }
  }
}

/// What a plain client knows of a conversation: rows replace rows, and a deleted branch takes its
/// messages away.
private struct Follower: Equatable {
  var version: Version = 0
  var conversation: Conversation?
  var branches: [BranchNumber: Branch] = [:]
  var messages: [MessageID: Message] = [:]

  init() {}

  /// Reads everything there is to see.
  init(snapshotOf tree: OwnedTree) async throws {
    conversation = try await tree.now()
    version = conversation?.version ?? 0
    for branch in try await tree.branches() {
      branches[branch.number] = branch
      var part = MessagePageRequest.Part.latest
      while true {
        let page = try await tree.page(branch.number, part)
        for message in page.messages { messages[message.id] = message }
        guard let before = page.before else { break }
        part = .before(.cursor(before))
      }
    }
  }

  mutating func catchUp(with tree: OwnedTree, _ random: inout SeededGenerator) async throws {
    while true {
      let limit = [1, 2, 3, 10, 50, 200].randomElement(using: &random)!
      let page = try await tree.changes(since: version, limit: limit)
      for change in page.changes { take(change.row) }
      version = page.version
      if !page.hasMore { return }
    }
  }

  private mutating func take(_ row: Changes.Row) {
    switch row {
    case .conversation(let conversation): self.conversation = conversation
    case .message(let message): messages[message.id] = message
    case .branch(let branch) where branch.isDeleted:
      branches[branch.number] = nil
      messages = messages.filter { $0.value.branch != branch.number }
    case .branch(let branch): branches[branch.number] = branch
    }
  }
}

/// Does one thing after another to a tree, without knowing whether it is allowed.
private struct RandomHand {
  let tree: OwnedTree
  private(set) var accepted = 0
  private var messages: [MessageID] = []
  private var branches = [Branch.trunk]

  init(_ tree: OwnedTree) { self.tree = tree }

  mutating func act(_ random: inout SeededGenerator) async throws {
    guard let command = command(&random) else { return }
    do {
      let receipt = try await tree.apply(command)
      if !receipt.isReplay { accepted += 1 }
      messages += receipt.messages.map(\.id)
      if let branch = receipt.branch { branches.append(branch.number) }
    } catch let error as ConversationError {
      #expect([.gone, .notFound, .conflict].contains(error.code), "\(error)")
    }
  }

  private func command(_ random: inout SeededGenerator) -> Command? {
    let new = (0..<Int.random(in: 1...3, using: &random)).map { _ in
      NewMessage(role: .user, content: "text \(Int.random(in: 0..<1000, using: &random))")
    }
    let branch = Bool.random(using: &random) ? branches.randomElement(using: &random)! : branches.last!
    guard let message = Bool.random(using: &random) ? messages.randomElement(using: &random) : messages.last else {
      return .append(Append(to: tree.id, new))
    }
    let activate = Bool.random(using: &random)
    switch Int.random(in: 0..<20, using: &random) {
    case 0...3: return .append(Append(to: tree.id, new))
    case 4...5: return .append(Append(to: tree.id, new, branch: branch))
    case 6...7: return .append(Append(to: tree.id, new, parent: message))
    case 8...9: return .makeBranch(.edit(tree.id, message, by: new[0], isActivated: activate))
    case 10: return .makeBranch(.fork(tree.id, after: message, isActivated: activate))
    case 11: return .makeBranch(.fork(tree.id, after: nil, isActivated: activate))
    case 12...13: return .revise(Revise(message, content: new[0].content))
    case 14: return .deleteMessage(DeleteMessage(message))
    case 15: return .updateBranch(UpdateBranch(BranchKey(tree.id, branch), title: activate ? new[0].content : nil))
    case 16...17: return .deleteBranch(BranchKey(tree.id, branch))
    case 18: return .update(UpdateConversation(tree.id, activeBranch: branch))
    default: return .update(UpdateConversation(tree.id, isPinned: activate))
    }
  }
}

extension Changes.Row {
  fileprivate var message: Message? { if case .message(let message) = self { message } else { nil } }
  fileprivate var branch: Branch? { if case .branch(let branch) = self { branch } else { nil } }
  fileprivate var conversation: Conversation? {
    if case .conversation(let conversation) = self { conversation } else { nil }
  }
}

extension Changes.Change {
  /// The order within one version.
  fileprivate var rank: Int {
    switch row {
    case .branch(let branch): branch.number
    case .message(let message): 1 << 40 + message.branch << 20 + message.position
    case .conversation: .max
    }
  }
}
