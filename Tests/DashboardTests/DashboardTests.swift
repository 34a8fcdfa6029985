import ConversationModel
import TerminalCanvas
import Testing

@testable import Dashboard

@Suite struct DashboardTests {
  // MARK: Keys

  @Test func `no key is bound twice where two scopes hold at once`() {
    for view in DashboardModel.View.allCases {
      let scopes = DashboardModel.scopes(of: view) + [.everywhere, .always]
      var seen: [Key: Action] = [:]
      for binding in KeyTable.bindings where scopes.contains(binding.scope) {
        for key in binding.keys {
          #expect(seen.updateValue(binding.action, forKey: key) == nil, "\(key) is bound twice in \(view)")
        }
      }
    }
  }

  @Test func `the keys of the views lead there`() {
    var bench = Bench()
    for view in DashboardModel.View.operators where view != .thread {
      bench.press(.character(Character("\(view.rawValue)")))
      #expect(bench.model.view == view)
    }
  }

  @Test func `q and control C quit`() {
    for key in [Key.character("q"), .control("c")] {
      var bench = Bench()
      bench.press(key)
      #expect(bench.model.isOver)
    }
  }

  // MARK: Lists

  @Test func `a filter asks the store and so finds what was not loaded`() {
    var bench = Bench()
    bench.press(.character("3"), .character("/"))
    bench.type("arm64")
    #expect(bench.shows("Fix flaky CI") && !bench.shows("Refund policy"))
    bench.press(.escape)
    #expect(bench.shows("Refund policy"))
  }

  @Test func `the session that is stalled is the next alert`() {
    var bench = Bench()
    #expect(bench.shows("1 stalled"))
    bench.press(.character("s"), .character("a"))
    bench.press(.character("y"))
    let id: ConversationID = World.id(7)
    #expect(bench.effects.last == .copy(id.description))
  }

  // MARK: The thread

  @Test func `older messages come by scrolling, and the top message keeps its row`() throws {
    var bench = Bench()
    bench.press(.character("3"), .enter)
    #expect(bench.shows("#1000 ") && bench.effects.contains { if case .attach = $0 { true } else { false } })
    var oldest = World.messageCount
    for _ in 0..<40 {
      bench.press(.pageUp)
      let shown = positions(bench)
      let top = try #require(shown.first)
      #expect(top <= oldest && shown == Array(top...(shown.last ?? top)), "messages have no holes")
      oldest = top
    }
    #expect(oldest < World.messageCount - 100)
    let before = rows(bench)
    bench.press(.character("L"))
    #expect(rows(bench) == before, "what is on the screen stays where it is")
  }

  @Test func `the oldest message is one jump away`() {
    var bench = Bench()
    bench.press(.character("3"), .enter, .character("g"))
    #expect(positions(bench).first == 1)
    bench.press(.character("G"))
    #expect(positions(bench).last == World.messageCount)
  }

  @Test func `a new message is followed`() {
    var bench = Bench()
    bench.press(.character("3"), .enter)
    guard case .attach(_, _, let serial)? = bench.effects.last(where: { if case .attach = $0 { true } else { false } })
    else {
      Issue.record("nothing is attached")
      return
    }
    let version = World.messageCount + 3
    var branch = bench.world.branches[0]
    branch.headPosition += 1
    let rows: [Changes.Row] = [
      .branch(branch), .message(bench.world.message(World.messageCount + 1)),
      .conversation(bench.world.conversation(0)),
    ]
    let changes = rows.map { Changes.Change(version: version, row: $0) }
    bench.perform(bench.model.apply(.live(.event(.changes(version, changes)), serial: serial), at: bench.moment))
    #expect(positions(bench).last == World.messageCount + 1)
  }

  private func rows(_ bench: Bench) -> [Int: Position] {
    var found: [Int: Position] = [:]
    for (row, line) in bench.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if let position = position(in: line) { found[row] = position }
    }
    return found
  }

  private func positions(_ bench: Bench) -> [Position] { rows(bench).sorted { $0.key < $1.key }.map(\.value) }

  /// Of a message's first line in the path's pane.
  private func position(in line: Substring) -> Position? {
    line.firstMatch(of: /#(\d+) (?:user|assistant)  \d/).flatMap { Int($0.1) }
  }

  // MARK: The server comes and goes

  @Test func `a lost server is shown within three seconds and tried for ever`() {
    var bench = Bench()
    bench.world.failure = Failure(code: "unavailable", "The server cannot be reached.")
    bench.wait(seconds: 3)
    guard case .lost = bench.model.link else {
      Issue.record("\(bench.model.link)")
      return
    }
    #expect(bench.shows("Refund policy"), "the last data stays")
    bench.wait(seconds: 120)
    bench.world.failure = nil
    bench.wait(seconds: 5)
    #expect(bench.model.link == .connected)
  }

  @Test func `nothing changes while paused, and all is read again afterwards`() {
    var bench = Bench()
    bench.press(.character(" "))
    let paused = bench.text
    #expect(bench.model.wakeup == nil)
    bench.press(.character(" "))
    bench.wait(seconds: 1)
    #expect(bench.text != paused && bench.model.link == .connected)
  }

  // MARK: Whatever comes

  @Test(arguments: SnapshotTests.sizes)
  func `hostile titles change only their own cells`(size: Size) {
    let hostile = [
      "\u{1B}[31mred\u{1B}[0m", "\u{1B}]0;title\u{7}", "over\rwritten", "\u{8}\u{8}\u{8}back", "\u{202E}evil",
      "a\u{300}".padding(60),
      "\u{200B}\u{200B}", "\u{2028}line", "tab\tbed", "\u{9B}31m", "\u{FEFF}bom", "👩‍👩‍👧‍👦 family", "\u{0}nul",
      String(repeating: "字", count: 300),
    ]
    for title in hostile {
      var world = World()
      world.titles = [title]
      world.content = title
      for keys: [Key] in [[], [.character("3")], [.character("3"), .enter], [.character("5")]] {
        var plain = Bench(rows: size.rows, columns: size.columns, world: World())
        var bench = Bench(rows: size.rows, columns: size.columns, world: world)
        plain.press(keys)
        bench.press(keys)
        let (lines, others) = (
          bench.text.split(separator: "\n", omittingEmptySubsequences: false),
          plain.text.split(separator: "\n", omittingEmptySubsequences: false)
        )
        #expect(lines.count == others.count && lines.first == others.first, "\(title.debugDescription)")
        #expect(bench.text.unicodeScalars.allSatisfy { $0 == "\n" || $0.properties.generalCategory != .control })
      }
    }
  }

  @Test(arguments: 0..<8)
  func `no keys bring it down, and every frame has the terminal's size`(seed: Int) {
    var random = Random(seed: UInt64(seed))
    let keys = KeyTable.bindings.flatMap(\.keys).filter { $0 != .control("c") && $0 != .character("q") }
    var bench = Bench(rows: 24, columns: 80)
    for step in 0..<600 {
      switch Int.random(in: 0..<12, using: &random) {
      case 0: bench.wait(seconds: 1)
      case 1:
        bench.press(
          .resize(Size(rows: .random(in: 1...50, using: &random), columns: .random(in: 1...150, using: &random))))
      case 2: bench.type("re")
      case 3: bench.world.failure = step % 3 == 0 ? Failure(code: "unavailable", "Gone.") : nil
      default: bench.press(keys.randomElement(using: &random)!)
      }
      let canvas = bench.canvas
      #expect(canvas.size == bench.model.size)
    }
  }
}

extension String {
  /// With so many marks on its end.
  fileprivate func padding(_ count: Int) -> String { self + String(repeating: "\u{301}", count: count) }
}

/// The same numbers for the same seed: SplitMix64.
struct Random: RandomNumberGenerator {
  var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
