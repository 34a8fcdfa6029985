import ConversationModel
import Foundation
import TerminalCanvas
import Testing

@testable import Dashboard

/// What every view and every state looks like, compared with what a person has looked at. With
/// PARLEY_RECORD_SNAPSHOTS=1 the files are written anew: look at them before they are committed.
@Suite struct SnapshotTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Snapshots")
  static let sizes = [Size(rows: 36, columns: 120), Size(rows: 24, columns: 80), Size(rows: 10, columns: 40)]

  private func expect(_ canvas: Canvas, _ name: String) throws {
    let file = Self.folder.appending(path: "\(name).txt")
    let text = canvas.text + "\n"
    if ProcessInfo.processInfo.environment["PARLEY_RECORD_SNAPSHOTS"] == "1" {
      try text.write(to: file, atomically: true, encoding: .utf8)
    }
    let recorded = try String(contentsOf: file, encoding: .utf8)
    #expect(text == recorded, "\(name) looks different")
  }

  private func expectEverywhere(_ name: String, world: World = World(), _ prepare: (inout Bench) -> Void) throws {
    for size in Self.sizes {
      var bench = Bench(rows: size.rows, columns: size.columns, world: world)
      prepare(&bench)
      try expect(bench.canvas, "\(name)-\(size.columns)x\(size.rows)")
    }
  }

  @Test(arguments: [("sessions", "1"), ("health", "2"), ("threads", "3"), ("events", "5")])
  func `every view has its look`(name: String, key: Character) throws {
    try expectEverywhere(name) { $0.press(.character(key)) }
  }

  @Test func `a thread has its look`() throws {
    try expectEverywhere("thread") { $0.press(.character("3"), .enter) }
  }

  @Test func `help and palette stand on top`() throws {
    try expectEverywhere("help") { $0.press(.character("?")) }
    try expectEverywhere("palette") { $0.press(.character(":")) }
  }

  @Test func `a skeleton is there before anything was read`() throws {
    for size in Self.sizes {
      let bench = Bench(rows: size.rows, columns: size.columns, isConnected: false)
      try expect(bench.canvas, "connecting-\(size.columns)x\(size.rows)")
    }
  }

  @Test func `a store in trouble comes first`() throws {
    var world = World()
    world.state = .init(.degraded, reasons: ["The store is down: the disk is full. Messages are safe in the spool."])
    try expectEverywhere("degraded", world: world) { _ in }
  }

  @Test func `a lost server is said, and the last data stays`() throws {
    try expectEverywhere("lost") { bench in
      bench.world.failure = Failure(code: "unavailable", "The server cannot be reached.")
      bench.wait(seconds: 3)
    }
  }

  @Test func `an empty server and a filter without a hit say what to do`() throws {
    var world = World()
    world.sessionCount = 0
    try expectEverywhere("empty", world: world) { _ in }
    try expectEverywhere("no-hit") { bench in
      bench.press(.character("3"), .character("/"))
      bench.type("zebra")
    }
  }

  @Test func `a pause is said`() throws {
    try expectEverywhere("paused") { $0.press(.character(" ")) }
  }

  @Test func `another character set gets plain glyphs`() throws {
    var world = World()
    world.titles = ["Plan a weekend"]
    try expect(Bench(world: world, glyphs: .ascii).canvas, "ascii-120x36")
  }

  @Test func `too small a terminal is told the size that is needed`() throws {
    try expect(Bench(rows: 6, columns: 30).canvas, "too-small-30x6")
  }
}
