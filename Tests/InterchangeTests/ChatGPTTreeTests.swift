import ConversationModel
import Interchange
import Testing

/// Trees made at random, and trees that are none.
@Suite struct ChatGPTTreeTests {
  private struct Node {
    var parent: Int?
    var children: [Int] = []
    /// Whether it says something.
    var isKept = true
  }

  private static func file(_ nodes: [Node], current: Int? = nil) -> String {
    let members = nodes.enumerated().map { index, node in
      let parent = node.parent.map { "\"n\($0)\"" } ?? "null"
      let children = node.children.map { "\"n\($0)\"" }.joined(separator: ",")
      let message = #"{"author":{"role":"user"},"content":{"parts":["\#(node.isKept ? "n\(index)" : "")"]}}"#
      return #""n\#(index)":{"message":\#(message),"parent":\#(parent),"children":[\#(children)]}"#
    }
    let current = current.map { #","current_node":"n\#($0)""# } ?? ""
    return #"{"id":"c","create_time":1700000000,"mapping":{\#(members.joined(separator: ","))}\#(current)}"#
  }

  /// The texts from the root to each leaf, sorted.
  private static func paths(_ nodes: [Node]) -> [[String]] {
    // A path that ends in front of another one's next message is a part of that one.
    let paths = nodes.indices.filter { nodes[$0].isKept && !hasKeptBelow($0, nodes) }.map { leaf in
      var path: [String] = []
      var node: Int? = leaf
      while let index = node {
        if nodes[index].isKept { path.append("n\(index)") }
        node = nodes[index].parent
      }
      return Array(path.reversed())
    }
    return paths.sorted { $0.lexicographicallyPrecedes($1) }
  }

  private static func hasKeptBelow(_ node: Int, _ nodes: [Node]) -> Bool {
    nodes[node].children.contains { nodes[$0].isKept || hasKeptBelow($0, nodes) }
  }

  /// The texts from the root to the head of each branch that no other continues there.
  private static func paths(_ found: ImportedPieces) throws -> [[String]] {
    let branches = try #require(found.conversations.first).branches.map(\.branch)
    let own = Dictionary(grouping: found.messages[0].map(\.message), by: \.branch)
    var paths: [[String]] = []
    for branch in branches where branch.headPosition > branch.forkPosition {
      #expect((own[branch.number] ?? []).map(\.position) == Array(branch.forkPosition + 1...branch.headPosition))
      var path: [String] = []
      var (number, end) = (branch.number, branch.headPosition)
      while true {
        path = (own[number] ?? []).filter { $0.position <= end }.map(\.content) + path
        guard let parent = branches[number].parent else { break }
        (end, number) = (min(end, branches[number].forkPosition), parent)
      }
      paths.append(path)
    }
    return paths.sorted { $0.lexicographicallyPrecedes($1) }
  }

  @Test(arguments: 1...60) func `every path from the root to a leaf is the same in the branches`(_ seed: UInt64) throws
  {
    var random = SeededNumbers(state: seed)
    var nodes = [Node(parent: nil, isKept: false)]
    for index in 1...Int.random(in: 2...60, using: &random) {
      // Mostly behind one of the last: long and branched at once.
      let parent = Int.random(in: max(0, index - Int.random(in: 1...8, using: &random))..<index, using: &random)
      nodes.append(Node(parent: parent, isKept: index == 1 || Int.random(in: 0..<6, using: &random) > 0))
      nodes[parent].children.append(index)
    }
    let current = Int.random(in: 0..<nodes.count, using: &random)
    let found = try ImportedPieces(of: Self.file(nodes, current: current))
    #expect(found.skipped == [])
    #expect(try Self.paths(found) == Self.paths(nodes))
    try found.validate()
  }

  @Test func `messages in a circle are left out, and said`() throws {
    let found = try ImportedPieces(
      of: Self.file([
        Node(parent: nil, children: [1]), Node(parent: 0), Node(parent: 3, children: [3]),
        Node(parent: 2, children: [2]),
        Node(parent: 4, children: [4]),
      ]))
    #expect(found.contents == [["n0", "n1"]])
    #expect(found.skipped.map(\.why) == ["3 messages stand in a circle and are left out."])
    try found.validate()
  }

  @Test func `a message whose predecessor is missing begins a branch`() throws {
    let found = try ImportedPieces(
      of: Self.file([Node(parent: nil), Node(parent: 77, children: [2]), Node(parent: 1)]))
    #expect(try Self.paths(found) == [["n0"], ["n1", "n2"]])
    #expect(found.skipped.count == 1)
    try found.validate()
  }

  @Test func `ten thousand answers are ten thousand branches`() throws {
    let nodes = [Node(parent: nil, children: Array(1...10_000))] + Array(repeating: Node(parent: 0), count: 10_000)
    let found = try ImportedPieces(of: Self.file(nodes, current: 10_000))
    #expect(found.skipped == [])
    #expect(found.conversations.first?.branches.count == 10_000)
    #expect(found.conversations.first?.conversation.activeBranch == 9_999)
    #expect(found.messages[0].count == 10_001)
    try found.validate()
  }

  @Test func `forks beyond the limit are left out, and said`() throws {
    // A ladder: each second child goes on with two children again.
    var nodes = [Node(parent: nil)]
    var last = 0
    for _ in 0..<Limits.forkDepth + 50 {
      nodes[last].children = [nodes.count, nodes.count + 1]
      nodes += [Node(parent: last), Node(parent: last)]
      last = nodes.count - 1
    }
    let found = try ImportedPieces(of: Self.file(nodes, current: last))
    #expect(found.skipped.map(\.why) == ["1 branches are more than 1000 forks deep and are left out."])
    #expect(found.conversations.first?.branches.count == Limits.forkDepth + 1)
    try found.validate()
  }

  @Test func `parents decide where children and parents disagree`() throws {
    // n3 is claimed by n1 and n2, n4 by nobody, n5 twice by its own parent, n0 by a node below it.
    let found = try ImportedPieces(
      of: Self.file([
        Node(parent: nil, children: [1, 2, 99]), Node(parent: 0, children: [3, 0]),
        Node(parent: 0, children: [3, 5, 5]),
        Node(parent: 2), Node(parent: 1), Node(parent: 2),
      ]))
    #expect(try Self.paths(found) == [["n0", "n1", "n4"], ["n0", "n2", "n3"], ["n0", "n2", "n5"]])
    #expect(found.skipped == [])
    try found.validate()
  }
}
