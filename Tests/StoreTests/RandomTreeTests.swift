import ConversationModel
import Testing

@Suite struct RandomTreeTests {
  /// Many on the store itself; whatever stands before it needs one.
  private static let runs: [(backend: Backend, seed: UInt64)] = Backend.allCases.flatMap { backend in
    (1...(backend == .sqlite ? 12 : 1)).map { (backend, $0) }
  }

  @Test(arguments: runs)
  func `random commands leave a tree as a plain model of it`(backend: Backend, seed: UInt64) async throws {
    try await backend.withStore { store in
      var run = RandomTree(try await OwnedTree(store), seed: seed)
      for step in 1...250 {
        try await run.act()
        if step % 15 == 0 { try await run.compare() }
      }
      try await run.compareEveryMessage()
      // A run of nothing but refusals would prove nothing.
      #expect(run.accepted > 120 && run.replayed > 8 && run.refused > 10, "\(run.counts)")
    }
  }
}

/// Does the same to a store and to a plain model, and compares what there is to see.
private struct RandomTree {
  private struct Diverged: Error {}

  /// A command that names what is in the model.
  private enum Act {
    case append([NewMessage], after: NaiveTree.Node?, on: BranchNumber?, Append.OnConflict)
    case edit(NaiveTree.Node, by: NewMessage, title: String?, activate: Bool)
    case fork(after: NaiveTree.Node?, title: String?, activate: Bool)
    case revise(NaiveTree.Node, NaiveTree.Text, ifRevision: Int?)
    case delete(NaiveTree.Node)
    case rename(BranchNumber, String?)
    case deleteBranch(BranchNumber)
    case activate(BranchNumber)
    case pin(Bool)
  }

  private(set) var accepted = 0
  private(set) var replayed = 0
  private(set) var refused = 0
  var counts: String { "\(accepted) accepted, \(replayed) replayed, \(refused) refused, \(model.twigs.count) branches" }
  private let tree: OwnedTree
  private var model = NaiveTree()
  private var random: SeededGenerator
  /// What may come again and be a replay.
  private var history: [Act] = []

  init(_ tree: OwnedTree, seed: UInt64) {
    self.tree = tree
    random = SeededGenerator(seed: seed)
  }

  // MARK: Acting

  mutating func act() async throws {
    let act = (oneIn(5) ? history.randomElement(using: &random) : nil) ?? chosen()
    switch act {
    case .append, .edit, .delete: history.append(act)
    default: break
    }
    let command = command(act)
    var receipt: Receipt?
    let refusal = await code { receipt = try await tree.apply(command) }
    do throws(NaiveTree.Refusal) {
      let answer = try answer(to: act)
      #expect(refusal == nil, "\(command)")
      if let receipt { take(receipt, answer, command) }
    } catch {
      #expect(error.codes.map(Optional.some).contains(refusal), "\(error.codes) expected: \(command)")
      refused += 1
    }
    // From here on everything would differ.
    guard receipt?.version ?? model.version == model.version else { throw Diverged() }
  }

  private mutating func answer(to act: Act) throws(NaiveTree.Refusal) -> NaiveTree.Answer {
    switch act {
    case .append(let new, let parent, let branch, let onConflict):
      try model.append(new, after: parent, on: branch, onConflict)
    case .edit(let node, let new, let title, let activate): try model.edit(node, by: new, title, activate: activate)
    case .fork(let node, let title, let activate): try model.fork(after: node, title, activate: activate)
    case .revise(let node, let text, let revision): try model.revise(node, text, ifRevision: revision)
    case .delete(let node): try model.delete(node)
    case .rename(let number, let title): try model.rename(number, title)
    case .deleteBranch(let number): try model.deleteBranch(number)
    case .activate(let number): try model.activate(number)
    case .pin(let isPinned): model.pin(isPinned)
    }
  }

  private func command(_ act: Act) -> Command {
    let id = tree.id
    return switch act {
    case .append(let new, let parent, let branch, let onConflict):
      .append(Append(to: id, new, parent: parent?.id, branch: branch, onConflict: onConflict))
    case .edit(let node, let new, let title, let activate):
      .makeBranch(.edit(id, node.id, by: new, title: title, isActivated: activate))
    case .fork(let node, let title, let activate):
      .makeBranch(.fork(id, after: node?.id, title: title, isActivated: activate))
    case .revise(let node, let text, let revision):
      .revise(Revise(node.id, content: text.content, metadata: text.metadata, ifRevision: revision))
    case .delete(let node): .deleteMessage(DeleteMessage(node.id))
    case .rename(let number, let title): .updateBranch(UpdateBranch(BranchKey(id, number), title: title))
    case .deleteBranch(let number): .deleteBranch(BranchKey(id, number))
    case .activate(let number): .update(UpdateConversation(id, activeBranch: number))
    case .pin(let isPinned): .update(UpdateConversation(id, isPinned: isPinned))
    }
  }

  /// Compares a receipt with what was expected, and takes the ids of new messages over.
  private mutating func take(_ receipt: Receipt, _ answer: NaiveTree.Answer, _ command: Command) {
    model.finish(answer, receipt.messages.map(\.id))
    #expect(receipt.isReplay == answer.isReplay, "\(command)")
    #expect(receipt.version == model.version, "\(command)")
    #expect(receipt.branch?.number == answer.branch, "\(command)")
    if let branch = receipt.branch { expect(branch) }
    let nodes = answer.isReplay || answer.new == nil ? answer.nodes : model.nodes.suffix(receipt.messages.count)
    #expect(receipt.messages.count == answer.new?.messages.count ?? answer.nodes.count, "\(command)")
    expect(receipt.messages, nodes)
    if answer.isReplay { replayed += 1 } else { accepted += 1 }
  }

  // MARK: Choosing

  private mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &random) == 0 }

  private mutating func new(client: Bool) -> NewMessage {
    NewMessage(
      role: [.user, .assistant].randomElement(using: &random)!,
      content: "text \(Int.random(in: 0..<4, using: &random))",
      clientID: client ? "k\(Int.random(in: 0..<400, using: &random))" : nil,
      metadata: oneIn(5) ? JSONText(canonical: #"{"n":\#(Int.random(in: 0..<2, using: &random))}"#) : .emptyObject)
  }

  /// One of the newest now and then, so that trees grow deep as well as broad.
  private mutating func node() -> NaiveTree.Node? {
    oneIn(2) ? model.nodes.suffix(6).randomElement(using: &random) : model.nodes.randomElement(using: &random)
  }

  private mutating func number() -> BranchNumber {
    oneIn(8) ? Int.random(in: 0...model.twigs.count, using: &random) : model.living.randomElement(using: &random)!
  }

  private mutating func chosen() -> Act {
    let new = (0..<Int.random(in: 1...3, using: &random)).map { _ in self.new(client: oneIn(2)) }
    let onConflict: Append.OnConflict = oneIn(4) ? .reject : .branch
    let (title, activate) = (oneIn(3) ? "title \(Int.random(in: 0..<9, using: &random))" : nil, oneIn(3))
    guard let node = node() else { return .append(new, after: nil, on: nil, onConflict) }
    switch Int.random(in: 0..<24, using: &random) {
    case 0...2: return .append(new, after: nil, on: nil, onConflict)
    case 3...4: return .append(new, after: nil, on: number(), onConflict)
    case 5: return .append(new, after: node, on: nil, onConflict)
    case 6...7: return .append(new, after: model.twigs[number() % model.twigs.count].head, on: nil, onConflict)
    case 8: return .append(new, after: model.twigs[number() % model.twigs.count].head, on: number(), onConflict)
    case 9...12: return .edit(node, by: self.new(client: oneIn(2)), title: title, activate: activate)
    case 13...14: return .fork(after: oneIn(8) ? nil : node, title: title, activate: activate)
    case 15...17:
      let revision = oneIn(2) ? Int.random(in: 1...3, using: &random) : nil
      return .revise(node, NaiveTree.Text(new[0]), ifRevision: revision)
    case 18: return .delete(node)
    case 19: return .rename(number(), title)
    case 20...21: return .deleteBranch(number())
    case 22: return .activate(number())
    default: return .pin(activate)
    }
  }

  // MARK: Comparing

  mutating func compare() async throws {
    let now = try await tree.now()
    #expect(now.version == model.version && now.isPinned == model.isPinned)
    #expect(now.activeBranch == model.active && now.headPosition == model.path(model.active).count)
    #expect(now.messageCount == model.messageCount && now.branchCount == model.living.count)
    let branches = try await tree.branches()
    #expect(branches.map(\.number) == model.living)
    branches.forEach(expect)
    let starts = model.starts
    for number in model.twigs.indices {
      if !model.twigs[number].isDeleted {
        try await comparePath(number, starts)
      } else if oneIn(4) {
        #expect(await code { _ = try await tree.page(number) } == .notFound)
      }
    }
    for _ in 0..<5 { if let node = model.nodes.randomElement(using: &random) { try await compare(node) } }
    try await compareChanges()
  }

  mutating func compareEveryMessage() async throws {
    try await compare()
    for node in model.nodes { try await compare(node) }
  }

  /// Reads a whole path in pages, upwards or downwards, and one page at an anchor.
  private mutating func comparePath(
    _ number: BranchNumber, _ starts: [(branch: BranchNumber, first: NaiveTree.Node)]
  ) async throws {
    let path = model.path(number)
    let named = number == model.active && oneIn(2) ? nil : number
    let limit = Int.random(in: 1...max(path.count, 4), using: &random)
    var read: [Message] = []
    let isUpwards = oneIn(2) && !path.isEmpty
    var part = isUpwards ? MessagePageRequest.Part.around(.position(1)) : .latest
    while true {
      let page = try await tree.page(named, part, limit: limit)
      expect(page, number, path, starts)
      read = isUpwards ? read + page.messages : page.messages + read
      guard let cursor = isUpwards ? page.after : page.before else { break }
      part = isUpwards ? .after(.cursor(cursor)) : .before(.cursor(cursor))
    }
    expect(read, path)

    guard oneIn(2), let anchor = path.randomElement(using: &random) else { return }
    let name: MessagePageRequest.Anchor = oneIn(2) ? .position(anchor.position) : .message(anchor.id)
    let below = path.prefix(anchor.position - 1)
    let (before, after, around) = try await (
      tree.page(named, .before(name), limit: limit), tree.page(named, .after(name), limit: limit),
      tree.page(named, .around(name), limit: limit)
    )
    expect(before.messages, Array(below.suffix(limit)))
    expect(after.messages, Array(path.dropFirst(anchor.position).prefix(limit)))
    for page in [before, after, around] { expect(page, number, path, starts) }
    let first = try #require(around.messages.first).position
    expect(around.messages, Array(path[(first - 1)...].prefix(min(limit, path.count))))
    #expect(around.messages.contains { $0.id == anchor.id })
    // In the middle, as far as the ends allow.
    let aside = (anchor.position - first, first + around.messages.count - 1 - anchor.position)
    #expect(abs(aside.0 - aside.1) <= 1 || around.before == nil || around.after == nil)

    // A message of another path is no anchor.
    if let other = model.nodes.randomElement(using: &random), !path.contains(where: { $0 === other }) {
      #expect(await code { _ = try await tree.page(number, .around(.message(other.id))) } == .invalid)
    }
  }

  /// What a page says besides its messages.
  private func expect(
    _ page: MessagePage, _ number: BranchNumber, _ path: [NaiveTree.Node],
    _ starts: [(branch: BranchNumber, first: NaiveTree.Node)]
  ) {
    #expect(page.branch == number && page.headPosition == path.count && page.version == model.version)
    guard let first = page.messages.first?.position, let last = page.messages.last?.position else { return }
    #expect((page.before == nil) == (first == 1) && (page.after == nil) == (last == path.count))
    let forks = path[first - 1..<last].compactMap { node -> Fork? in
      let others = starts.filter { $0.first !== node && $0.first.before === node.before }.map(\.branch)
      return others.isEmpty ? nil : Fork(position: node.position, branches: others)
    }
    #expect(page.forks == forks)
  }

  private func expect(_ messages: [Message], _ nodes: some Collection<NaiveTree.Node>) {
    #expect(messages.map(Seen.init) == nodes.map(Seen.init))
  }

  private func expect(_ branch: Branch) {
    let twig = model.twigs[branch.number]
    #expect(branch.parent == (branch.number == Branch.trunk ? nil : twig.parent))
    #expect(branch.forkPosition == twig.start?.position ?? 0 && branch.headPosition == twig.head?.position ?? 0)
    #expect(branch.title == twig.title && branch.origin == twig.origin && branch.isDeleted == twig.isDeleted)
    #expect(branch.isActive == (branch.number == model.active))
  }

  private mutating func compare(_ node: NaiveTree.Node) async throws {
    if model.isGone(node) {
      #expect(await code { _ = try await tree.message(node.id) } == .gone)
      #expect(await code { _ = try await tree.revisions(node.id) } == .gone)
      return
    }
    let detail = try await tree.store.message(node.id, as: tree.owner)
    expect([detail.message], [node])
    #expect(detail.siblings == model.siblings(of: node).map { .init(id: $0.id, branch: $0.branch) })
    var revisions: [Revision] = []
    var cursor: String?
    let limit = Int.random(in: 1...3, using: &random)
    repeat {
      let page = try await tree.store.revisions(
        of: node.id, PageRequest(limit: limit, cursor: cursor), as: tree.owner)
      revisions += page.items
      cursor = page.next
    } while cursor != nil
    let earlier = node.isDeleted ? [] : node.texts.dropLast()
    #expect(revisions.map(\.number) == Array((1..<earlier.count + 1).reversed()))
    #expect(revisions.map { NaiveTree.Text($0.content, $0.metadata) } == earlier.reversed())
  }

  /// Reads what changed since some version in pages of one size.
  private mutating func compareChanges() async throws {
    let start = Int.random(in: 0...model.version, using: &random)
    let limit = Int.random(in: 1...20, using: &random)
    var found: [[Int]] = []
    var since = start
    while true {
      let page = try await tree.changes(since: since, limit: limit)
      for change in page.changes {
        switch change.row {
        case .branch(let branch):
          expect(branch)
          found.append([change.version, 0, branch.number, 0])
        case .message(let message):
          guard let node = model.nodes.first(where: { $0.id == message.id }) else {
            Issue.record("nobody made message \(message.id)")
            continue
          }
          // Those of a deleted branch went with it; whether they show is all the same, if only blank.
          if model.isGone(node) {
            #expect(message.status == .deleted && message.content == "" && message.metadata == .emptyObject)
            continue
          }
          expect([message], [node])
          found.append([change.version, 1, message.branch, message.position])
        case .conversation(let conversation):
          #expect(conversation.version == model.version)
          found.append([change.version, 2, 0, 0])
        }
      }
      #expect(page.changes.count <= limit || Set(page.changes.map(\.version)).count == 1)
      #expect(page.hasMore == (page.version < model.version) && page.version > since || !page.hasMore)
      since = page.version
      if !page.hasMore { break }
    }
    var expected = model.nodes.filter { !model.isGone($0) }.map { [$0.version, 1, $0.branch, $0.position] }
    expected += model.twigs.enumerated().map { [$0.element.version, 0, $0.offset, 0] }
    expected.append([model.version, 2, 0, 0])
    expected = expected.filter { $0[0] > start }.sorted { $0.lexicographicallyPrecedes($1) }
    #expect(found == expected, "since \(start), \(limit) a page")
  }
}

/// What a message shows, for the eyes of both sides; all of them at once, because a check of each would
/// take most of the time.
private struct Seen: Equatable {
  let id: MessageID
  let (branch, position): (BranchNumber, Position)
  let role: Message.Role
  let client: String?
  let text: NaiveTree.Text
  let status: Message.Status
  let revision: Int
  let isEdited: Bool

  init(_ message: Message) {
    (id, branch, position, role) = (message.id, message.branch, message.position, message.role)
    (client, text, status) = (message.clientID, .init(message.content, message.metadata), message.status)
    (revision, isEdited) = (message.revision, message.editedAt != nil)
  }

  init(_ node: NaiveTree.Node) {
    (id, branch, position, role) = (node.id, node.branch, node.position, node.role)
    (client, text) = (node.client, node.isDeleted ? .init("") : node.texts.last!)
    status = node.isDeleted ? .deleted : .complete
    (revision, isEdited) = (node.texts.count, node.texts.count > 1)
  }
}
