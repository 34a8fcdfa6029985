import ConversationModel

/// What the contract says of one conversation's tree, in the plainest way: each message points at the
/// one before it, a branch is where it started and where it ends, and a path is what the pointers lead
/// through. Nothing fast, nothing shared with the real stores.
struct NaiveTree {
  final class Node {
    let id: MessageID
    let before: Node?
    let position: Position
    let branch: BranchNumber
    let role: Message.Role
    let client: String?
    /// As appended first, as it is now last.
    var texts: [Text]
    var isDeleted = false
    var version: Version

    init(_ id: MessageID, _ new: NewMessage, behind before: Node?, on branch: BranchNumber, _ version: Version) {
      (self.id, self.before, self.branch, self.version) = (id, before, branch, version)
      (role, client, texts) = (new.role, new.clientID, [Text(new)])
      position = (before?.position ?? 0) + 1
    }

    /// The nodes from the root to this one.
    var path: [Node] {
      var path: [Node] = []
      var node: Node? = self
      while let current = node {
        path.append(current)
        node = current.before
      }
      return path.reversed()
    }

    /// Whether this is what was appended.
    func says(_ new: NewMessage) -> Bool { new.role == role && Text(new) == texts[0] }
  }

  struct Text: Equatable {
    var content: String
    var metadata: JSONText

    init(_ content: String, _ metadata: JSONText = .emptyObject) {
      (self.content, self.metadata) = (content, metadata)
    }

    init(_ new: NewMessage) { self.init(new.content, new.metadata) }
  }

  struct Twig {
    let start: Node?
    var head: Node?
    let origin: Branch.Origin
    var title: String?
    var isDeleted = false
    var version: Version

    init(behind start: Node?, _ origin: Branch.Origin, title: String?, _ version: Version) {
      (self.start, head, self.origin, self.title, self.version) = (start, start, origin, title, version)
    }

    /// The branch of the message that it goes on behind; before the first that is the trunk.
    var parent: BranchNumber { start?.branch ?? Branch.trunk }
    /// Its first own message.
    var first: Node? { head?.path.dropFirst(start?.position ?? 0).first }
  }

  /// Why a command is refused. Where several reasons hold at once, any of them will do.
  struct Refusal: Error {
    let codes: Set<ConversationError.Code>

    init(_ codes: ConversationError.Code...) { self.codes = Set(codes) }
  }

  /// What an accepted command answers.
  struct Answer {
    var isReplay = false
    /// The messages that were there before.
    var nodes: [Node] = []
    /// The branch that the receipt names.
    var branch: BranchNumber?
    /// The messages that are new, and where they go.
    var new: (messages: [NewMessage], on: BranchNumber)?
  }

  private(set) var nodes: [Node] = []
  private(set) var twigs = [Twig(behind: nil, .trunk, title: nil, 1)]
  private(set) var active = Branch.trunk
  private(set) var version = 1
  private(set) var isPinned = false

  // MARK: What there is to see

  var living: [BranchNumber] { twigs.indices.filter { !twigs[$0].isDeleted } }
  var messageCount: Int { nodes.count { !$0.isDeleted && !isGone($0) } }

  func path(_ number: BranchNumber) -> [Node] { twigs[number].head?.path ?? [] }

  /// Whether its branch was deleted.
  func isGone(_ node: Node) -> Bool { twigs[node.branch].isDeleted }

  func siblings(of node: Node) -> [Node] {
    nodes.filter { $0.before === node.before && !isGone($0) }.sorted { $0.branch < $1.branch }
  }

  /// The branches that are there and have messages, each with its first one.
  var starts: [(branch: BranchNumber, first: Node)] {
    living.compactMap { number in twigs[number].first.map { (number, $0) } }
  }

  // MARK: Commands

  mutating func append(
    _ new: [NewMessage], after parent: Node?, on named: BranchNumber?, _ onConflict: Append.OnConflict
  ) throws(Refusal) -> Answer {
    let clients = new.compactMap(\.clientID)
    guard Set(clients).count == clients.count else { throw Refusal(.invalid) }
    if let replay = try replay(of: new) { return replay }

    let isLost = parent.map(isGone) ?? false
    if let named, !living.contains(named) { throw isLost ? Refusal(.notFound, .gone) : Refusal(.notFound) }
    if isLost { throw Refusal(.gone) }
    guard let parent else { return Answer(new: (new, named ?? active)) }
    let heads = living.filter { twigs[$0].head === parent }
    let preferred = [named ?? active, named ?? parent.branch, named ?? heads.first]
    if let number = preferred.compactMap(\.self).first(where: heads.contains) { return Answer(new: (new, number)) }
    guard onConflict == .branch else { throw Refusal(.conflict) }
    let number = begin(behind: parent, .conflict, title: nil, activate: false)
    return Answer(branch: number, new: (new, number))
  }

  /// Messages that are all there, side by side.
  private func replay(of new: [NewMessage]) throws(Refusal) -> Answer? {
    func known(_ new: NewMessage) -> Node? { new.clientID.flatMap { id in nodes.first { $0.client == id } } }
    guard let index = new.indices.first(where: { known(new[$0]) != nil }), let found = known(new[index]) else {
      return nil
    }
    let own = nodes.filter { $0.branch == found.branch }
    let start = own.firstIndex { $0 === found }! - index
    let stored = start < 0 ? [] : Array(own.dropFirst(start).prefix(new.count))
    let isAnyDeleted = isGone(found) || stored.contains(where: \.isDeleted)
    // Nobody knows any more what a deleted one said.
    let isSame = zip(stored, new).allSatisfy { node, new in
      node.client == new.clientID && (node.isDeleted || isGone(node) || node.says(new))
    }
    guard stored.count == new.count, isSame else {
      throw isAnyDeleted ? Refusal(.conflict, .gone) : Refusal(.conflict)
    }
    if isAnyDeleted { throw Refusal(.gone) }
    // The branch is named if this is what made it, by a conflict.
    let isConflict = twigs[found.branch].origin == .conflict && twigs[found.branch].first === stored.first
    return Answer(isReplay: true, nodes: stored, branch: isConflict ? found.branch : nil)
  }

  mutating func edit(_ node: Node, by new: NewMessage, _ title: String?, activate: Bool) throws(Refusal) -> Answer {
    var new = new
    new.role = node.role
    if let known = nodes.first(where: { $0.client != nil && $0.client == new.clientID }) {
      let twig = twigs[known.branch]
      let isDeleted = known.isDeleted || twig.isDeleted
      let isSamePlace = twig.origin == .edit && twig.first === known && known.before === node.before
      guard isSamePlace, isDeleted || known.says(new) else {
        throw isDeleted || isGone(node) ? Refusal(.conflict, .gone) : Refusal(.conflict)
      }
      if isDeleted { throw Refusal(.gone) }
      return Answer(isReplay: true, nodes: [known], branch: known.branch)
    }
    if node.isDeleted || isGone(node) { throw Refusal(.gone) }
    let number = begin(behind: node.before, .edit, title: title, activate: activate)
    return Answer(branch: number, new: ([new], number))
  }

  mutating func fork(after node: Node?, _ title: String?, activate: Bool) throws(Refusal) -> Answer {
    if let node, isGone(node) { throw Refusal(.gone) }
    return Answer(branch: begin(behind: node, .fork, title: title, activate: activate))
  }

  mutating func revise(_ node: Node, _ text: Text, ifRevision: Int?) throws(Refusal) -> Answer {
    if isGone(node) { throw Refusal(.gone) }
    let isStale = ifRevision ?? node.texts.count != node.texts.count
    if isStale { throw node.isDeleted ? Refusal(.gone, .preconditionFailed) : Refusal(.preconditionFailed) }
    if node.isDeleted { throw Refusal(.gone) }
    node.texts.append(text)
    node.version = version + 1
    return Answer(nodes: [node])
  }

  mutating func delete(_ node: Node) throws(Refusal) -> Answer {
    if isGone(node) { throw Refusal(.gone) }
    if node.isDeleted { return Answer(isReplay: true, nodes: [node]) }
    node.isDeleted = true
    node.version = version + 1
    return Answer(nodes: [node])
  }

  mutating func rename(_ number: BranchNumber, _ title: String?) throws(Refusal) -> Answer {
    guard living.contains(number) else { throw Refusal(.notFound) }
    twigs[number].title = title
    twigs[number].version = version + 1
    return Answer(branch: number)
  }

  mutating func deleteBranch(_ number: BranchNumber) throws(Refusal) -> Answer {
    guard living.contains(number) else { throw Refusal(.notFound) }
    let isContinued = living.contains { $0 != Branch.trunk && twigs[$0].parent == number }
    guard number != Branch.trunk, !isContinued else { throw Refusal(.conflict) }
    if number == active { show(twigs[number].parent) }
    twigs[number].isDeleted = true
    twigs[number].title = nil
    twigs[number].version = version + 1
    return Answer(branch: number)
  }

  mutating func activate(_ number: BranchNumber) throws(Refusal) -> Answer {
    guard living.contains(number) else { throw Refusal(.notFound) }
    show(number)
    return Answer()
  }

  mutating func pin(_ isPinned: Bool) -> Answer {
    self.isPinned = isPinned
    return Answer()
  }

  /// Ends an accepted command: takes its new messages over under the ids that the store gave them.
  mutating func finish(_ answer: Answer, _ ids: [MessageID]) {
    guard !answer.isReplay else { return }
    version += 1
    guard let (messages, number) = answer.new else { return }
    for (id, new) in zip(ids, messages) {
      let node = Node(id, new, behind: twigs[number].head, on: number, version)
      nodes.append(node)
      twigs[number].head = node
    }
    twigs[number].version = version
  }

  private mutating func begin(
    behind node: Node?, _ origin: Branch.Origin, title: String?, activate: Bool
  ) -> BranchNumber {
    twigs.append(Twig(behind: node, origin, title: title, version + 1))
    if activate { show(twigs.count - 1) }
    return twigs.count - 1
  }

  /// Both branches say whether they are the one, so both change.
  private mutating func show(_ number: BranchNumber) {
    guard number != active else { return }
    for number in [active, number] { twigs[number].version = version + 1 }
    active = number
  }
}
