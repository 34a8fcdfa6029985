import ConversationModel
import Foundation
import TerminalCanvas
import Testing

@testable import Dashboard

/// What stands on top of the views, a thread in every form, and the states that last only for a moment.
@Suite struct StateSnapshotTests {
  /// The sizes: roomy, usual, and the smallest that is drawn.
  static let sizes = [(120, 36), (80, 24), (40, 10)]

  static func check(_ name: String, _ play: Play) throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Snapshots")
    let file = folder.appending(path: "state-\(name).txt")
    let (canvas, _) = Screen.draw(play.model)
    #expect(canvas.size == play.model.size)
    let text = canvas.text + "\n"
    if ProcessInfo.processInfo.environment["PARLEY_RECORD_SNAPSHOTS"] != nil {
      try text.write(to: file, atomically: true, encoding: .utf8)
      return
    }
    let expected = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    #expect(text == expected, "\(name) looks different:\n\(text)")
  }

  @Test(arguments: sizes) func `what stands on top of a view`(columns: Int, rows: Int) throws {
    let size = "\(columns)x\(rows)"
    var play = Play.inThread(columns, rows)
    play.play(.character("?"))
    try Self.check("help-\(size)", play)
    play.play(.escape, .character(":"))
    play.type("br")
    try Self.check("palette-\(size)", play)
    play.play(.escape, .control("k"))
    play.type("refund")
    try Self.check("switcher-\(size)", play)
    play.play(.escape, .character("B"))
    try Self.check("branches-\(size)", play)
    play.play(.escape, .character("d"))
    try Self.check("difference-\(size)", play)
    play.play(.escape, .character("e"))
    try Self.check("export-\(size)", play)
    play.world.failures[.export] = Failure(code: "invalid", "Another name, please: there is a file trip.md already.")
    play.play(.enter)
    try Self.check("export-failed-\(size)", play)
  }

  @Test(arguments: sizes) func `a thread in every form`(columns: Int, rows: Int) throws {
    let size = "\(columns)x\(rows)"
    var play = Play.inThread(columns, rows)
    for _ in 0..<11 { play.play(.character("k")) }
    try Self.check("thread-fork-\(size)", play)
    play.play(.enter)
    try Self.check("thread-expanded-\(size)", play)
    play.play(.enter, .character("o"))
    try Self.check("thread-raw-\(size)", play)
    play.play(.character("o"), .character("v"))
    try Self.check("thread-bare-\(size)", play)
    play.play(.character("v"), .character("/"))
    play.type("branch")
    play.play(.enter)
    try Self.check("thread-find-\(size)", play)
  }

  @Test(arguments: sizes) func `the states`(columns: Int, rows: Int) throws {
    let size = "\(columns)x\(rows)"
    var play = Play(columns, rows)
    try Self.check("connecting-\(size)", play)
    play.begin()
    play.pass(1)
    play.pass(0.9)
    try Self.check("connecting-2s-\(size)", play)
    play = Play(columns, rows)
    play.begin()
    play.answer(.status, .failure(.noAnswer))
    try Self.check("no-server-\(size)", play)

    play = Play.begun(columns, rows)
    play.pass(1)
    play.answer(.status, .failure(.noAnswer))
    try Self.check("disconnected-\(size)", play)

    play = Play.begun(columns, rows)
    play.pass(1)
    play.answer(.status, .failure(Failure(code: "forbidden", "Only the service role may look at the server.")))
    try Self.check("refused-\(size)", play)

    var world = Warehouse()
    world.fail(waiting: 1_204)
    play = Play.begun(columns, rows, world: world)
    try Self.check("degraded-\(size)", play)
    play.play(.character("2"))
    try Self.check("degraded-health-\(size)", play)

    play = Play.begun(columns, rows, glyphs: .ascii)
    try Self.check("ascii-\(size)", play)
    play = Play.inThread(columns, rows, glyphs: .ascii)
    try Self.check("ascii-thread-\(size)", play)
  }

  @Test(arguments: sizes) func `every message says what the store promises of it`(columns: Int, rows: Int) throws {
    let size = "\(columns)x\(rows)"
    var world = Warehouse()
    let last = world.path(1).count
    world.texts[1]?[last - 40].status = .deleted
    world.texts[1]?[last - 39].status = .incomplete
    world.texts[1]?[last - 38].status = .streaming
    var play = Play.inThread(columns, rows, world: world)
    try Self.check("thread-pending-\(size)", play)

    world.spooled = [
      Warehouse.spooled(1, .user, "And if the reach trucks go?"), Warehouse.spooled(2, .assistant, "Then by March."),
    ]
    world.fail(waiting: 2)
    play = Play.inThread(columns, rows, world: world)
    try Self.check("thread-spooled-\(size)", play)
    play.play(.character("1"))
    try Self.check("sessions-spooled-\(size)", play)

    world.spooled = []
    world.isRemembered = true
    play = Play.inThread(columns, rows, world: world)
    try Self.check("thread-remembered-\(size)", play)
  }

  @Test(arguments: sizes) func `nothing to show`(columns: Int, rows: Int) throws {
    let size = "\(columns)x\(rows)"
    var world = Warehouse()
    world.sessions = []
    world.threads = []
    world.log = []
    var play = Play.begun(columns, rows, world: world)
    try Self.check("sessions-empty-\(size)", play)
    play.play(.character("3"))
    try Self.check("threads-empty-\(size)", play)
    play.play(.character("5"))
    try Self.check("events-empty-\(size)", play)

    play = Play.begun(columns, rows)
    play.play(.character("/"))
    play.type("no such thing")
    try Self.check("sessions-no-hit-\(size)", play)
    play.play(.escape, .character("3"), .character("/"))
    play.type("zzz")
    play.play(.enter)
    try Self.check("threads-no-hit-\(size)", play)
    play.play(.escape)
    play.press(.character("/"))
    play.type("refund")
    play.play(.enter)
    try Self.check("threads-filter-\(size)", play)

    world = Warehouse()
    world.failures[.threads] = Failure(code: "unavailable", "The store cannot be read: the disk is full.")
    play = Play.begun(columns, rows, world: world)
    play.play(.character("3"))
    try Self.check("threads-error-\(size)", play)
    play = Play.begun(columns, rows)
    play.press(.character("3"))
    try Self.check("threads-loading-\(size)", play)
    play = Play.begun(columns, rows)
    play.press(.enter)
    try Self.check("thread-loading-\(size)", play)
    world = Warehouse()
    world.texts = [:]
    world.branches = [world.branches[0]]
    world.branches[0].headPosition = 0
    world.conversation.activeBranch = 0
    play = Play.inThread(columns, rows, world: world)
    try Self.check("thread-empty-\(size)", play)
  }

  @Test func `values that are old are dimmed, and the screen says how old`() throws {
    var play = Play.begun()
    for _ in 0..<2 { play.pass(0.9) }
    play.pass(2.9)
    #expect(play.model.isStale)
    try Self.check("stale-120x36", play)
    #expect(play.canvas.styles.split(separator: "\n")[4].contains("-----"))
  }

  @Test func `the plain printer shows every session`() throws {
    let world = Warehouse()
    let moment = Moment(steady: 0, wall: Warehouse.now, offset: 0)
    for columns in [120, 80] {
      let text = SessionsPrinter.text(
        world.status, world.sessions, isPart: false,
        settings: DashboardSettings(version: "0.1.0", server: "127.0.0.1:7275"),
        columns: columns, glyphs: .ascii, moment: moment)
      #expect(text.utf8.allSatisfy { $0 == 10 || (0x20..<0x7F).contains($0) })
      #expect(world.sessions.allSatisfy { text.contains(Figures.short($0.user)) })
      let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "Snapshots/state-once-\(columns).txt")
      if ProcessInfo.processInfo.environment["PARLEY_RECORD_SNAPSHOTS"] != nil {
        try text.write(to: folder, atomically: true, encoding: .utf8)
      }
      #expect(text == (try? String(contentsOf: folder, encoding: .utf8)))
    }
  }
}
