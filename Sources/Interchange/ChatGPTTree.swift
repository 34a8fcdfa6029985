import ConversationModel
import StrictJSON

/// The tree of one conversation of a ChatGPT export, with what is left out taken away: children of a left-out node hang on
/// its nearest kept ancestor. Works through stacks of its own, in time that grows with the number of nodes and links;
/// nodes on a circle are not reached.
struct ChatGPTTree {
  struct Run {
    var number: BranchNumber
    var parent: BranchNumber?
    var fork: Position
    var nodes: [Int]
  }

  private(set) var runs: [Run] = []
  /// The run that owns the place of a node, or of its nearest kept ancestor.
  private(set) var owner: [Int]
  private(set) var reached = 0
  /// First nodes of branches that would be more than `Limits.forkDepth` forks away from the trunk.
  private(set) var tooDeep = 0

  /// - Parameters:
  ///   - parents: Of each node; nil for a root.
  ///   - children: As listed by each node; those that name another parent are not taken from there.
  init(parents: [Int?], children listed: [[Int]], isKept: [Bool]) {
    let count = parents.count
    owner = Array(repeating: 0, count: count)
    var children: [[Int]] = Array(repeating: [], count: count)
    var isPlaced = Array(repeating: false, count: count)
    for node in 0..<count {
      for child in listed[node] where parents[child] == node && !isPlaced[child] {
        isPlaced[child] = true
        children[node].append(child)
      }
    }
    for node in 0..<count where !isPlaced[node] {
      if let parent = parents[node] { children[parent].append(node) }
    }
    // Kept nodes under their nearest kept ancestor; the last place is the one above all roots.
    var kept: [[Int]] = Array(repeating: [], count: count + 1)
    var nearest = Array(repeating: count, count: count)
    var stack = (0..<count).reversed().filter { parents[$0] == nil }.map { (node: $0, above: count) }
    while let (node, above) = stack.popLast() {
      reached += 1
      if isKept[node] { kept[above].append(node) }
      nearest[node] = isKept[node] ? node : above
      for child in children[node].reversed() { stack.append((child, nearest[node])) }
    }
    spread(kept, root: count)
    for node in 0..<count where !isKept[node] && nearest[node] < count { owner[node] = owner[nearest[node]] }
  }

  private mutating func spread(_ kept: [[Int]], root: Int) {
    runs = [Run(number: 0, parent: nil, fork: 0, nodes: [])]
    var starts: [(node: Int, parent: Int, fork: Int, depth: Int)] = []
    follow(root, into: 0, depth: 0, kept, &starts, isRoot: true)
    var index = 0
    while index < starts.count {
      let start = starts[index]
      index += 1
      guard start.depth <= Limits.forkDepth else {
        tooDeep += 1
        continue
      }
      runs.append(Run(number: runs.count, parent: start.parent, fork: start.fork, nodes: [start.node]))
      owner[start.node] = runs.count - 1
      follow(start.node, into: runs.count - 1, depth: start.depth, kept, &starts, isRoot: false)
    }
  }

  private mutating func follow(
    _ first: Int, into run: Int, depth: Int, _ kept: [[Int]],
    _ starts: inout [(node: Int, parent: Int, fork: Int, depth: Int)], isRoot: Bool
  ) {
    var node = first
    while true {
      let fork = runs[run].fork + runs[run].nodes.count
      for child in kept[node].dropFirst() { starts.append((child, run, fork, depth + 1)) }
      guard let next = kept[node].first else { return }
      runs[run].nodes.append(next)
      owner[next] = run
      node = next
    }
  }
}
