import ConversationModel

/// The branches of a conversation as a tree: who continues whom, in the order in which a reader sees them.
struct BranchTree: Equatable {
  /// One line of the tree.
  struct Row: Equatable {
    var branch: Branch
    /// For each level above it, and its own: whether another child follows there.
    var follows: [Bool]
  }

  private(set) var rows: [Row] = []
  private var byNumber: [BranchNumber: Branch] = [:]
  /// By where they start: the not empty branches behind a message of a branch.
  private var children: [Place: [BranchNumber]] = [:]

  private struct Place: Hashable {
    var branch: BranchNumber
    var position: Position
  }

  /// Levels of the tree that are drawn; deeper ones stand below each other.
  private static let depth = 12

  init(_ branches: [Branch] = []) {
    let living = branches.filter { !$0.isDeleted }.sorted { $0.number < $1.number }
    byNumber = Dictionary(living.map { ($0.number, $0) }, uniquingKeysWith: { $1 })
    for branch in living {
      guard let parent = branch.parent, branch.headPosition > branch.forkPosition else { continue }
      children[Place(branch: parent, position: branch.forkPosition), default: []].append(branch.number)
    }
    var below: [BranchNumber?: [Branch]] = [:]
    for branch in living {
      // A child whose parent is not there, as in a list that is older than it, hangs from the root.
      let parent = branch.parent.flatMap { byNumber[$0] == nil || $0 >= branch.number ? nil : $0 }
      below[parent, default: []].append(branch)
    }
    // Not by recursion: a tree may be a thousand forks deep.
    var waiting = (below[nil] ?? []).reversed().map { Row(branch: $0, follows: []) }
    while let row = waiting.popLast() {
      rows.append(row)
      let own = below[row.branch.number] ?? []
      for (index, child) in own.enumerated().reversed() {
        waiting.append(Row(branch: child, follows: Array((row.follows + [index < own.count - 1]).suffix(Self.depth))))
      }
    }
  }

  subscript(_ number: BranchNumber) -> Branch? { byNumber[number] }
  var branches: [Branch] { byNumber.values.sorted { $0.number < $1.number } }
  func row(of number: BranchNumber) -> Int? { rows.firstIndex { $0.branch.number == number } }

  /// The tree with a branch as it is now.
  func updated(_ branch: Branch) -> BranchTree {
    var all = byNumber
    all[branch.number] = branch
    if branch.isActive {
      for number in all.keys where number != branch.number { all[number]?.isActive = false }
    }
    return BranchTree(Array(all.values))
  }

  /// The branch that owns a position of a branch's path.
  func owner(of position: Position, on branch: BranchNumber) -> BranchNumber {
    var current = branch
    while let row = byNumber[current], position <= row.forkPosition, let parent = row.parent { current = parent }
    return current
  }

  /// The last position that two paths share.
  func shared(_ first: BranchNumber, _ second: BranchNumber) -> Position {
    var forks: [BranchNumber: Position] = [:]
    var current: BranchNumber? = first
    var upper = Position.max
    while let number = current {
      forks[number] = upper
      upper = min(upper, byNumber[number]?.forkPosition ?? 0)
      current = byNumber[number]?.parent
    }
    current = second
    upper = Position.max
    while let number = current {
      if let other = forks[number] { return min(upper, other) }
      upper = min(upper, byNumber[number]?.forkPosition ?? 0)
      current = byNumber[number]?.parent
    }
    return 0
  }

  /// The place of a message among those that follow the same one: `index` of `count`, from 1; nil for an only child.
  func sibling(at position: Position, on path: BranchNumber) -> (index: Int, count: Int)? {
    let group = siblings(at: position, on: path)
    guard let index = group.firstIndex(of: owner(of: position, on: path)) else { return nil }
    return (index + 1, group.count)
  }

  /// The branches that own a message at this place, behind the same one; empty for an only child.
  func siblings(at position: Position, on path: BranchNumber) -> [BranchNumber] {
    let owner = owner(of: position, on: path)
    var parent = owner
    if let row = byNumber[owner], row.forkPosition == position - 1, let above = row.parent { parent = above }
    var group = children[Place(branch: parent, position: position - 1)] ?? []
    guard !group.isEmpty else { return [] }
    if let row = byNumber[parent], row.headPosition >= position { group.append(parent) }
    return group.count > 1 ? group.sorted() : []
  }

  /// Whether paths part behind this message.
  func forks(at position: Position, on path: BranchNumber) -> Bool {
    children[Place(branch: owner(of: position, on: path), position: position)] != nil
  }
}
