import Foundation
import TerminalCanvas
import TerminalNcurses

/// A program with a screen that does as it is told, for the tests that look at terminals from outside.
///
/// `TerminalProbe [COLORS [FILE]]`: which colours it asks for, and a file of texts to show, one in a line of
/// JSON. It shows its size and the last keys; some keys are orders, see `obey`. After the screen is given back it
/// prints how it ended. Exit code 64 if there is no terminal.
@main struct Probe {
  private let terminal: NcursesTerminal
  private let texts: [String]
  private var log: [String] = []
  private var ticks = 0
  private var first = 0
  private var hasCursor = false

  static func main() throws {
    let arguments = CommandLine.arguments
    var options = NcursesTerminal.Options(environment: ProcessInfo.processInfo.environment)
    if arguments.count > 1 { options.colors = ColorPreference(rawValue: arguments[1]) ?? .auto }
    var texts: [String] = []
    if arguments.count > 2 {
      texts = try JSONDecoder().decode([String].self, from: Data(contentsOf: URL(filePath: arguments[2])))
    }
    do {
      var probe = Probe(terminal: try NcursesTerminal(options), texts: texts)
      let ending = probe.run()
      probe.terminal.close()
      print("ended: \(ending)")
    } catch {
      FileHandle.standardError.write(Data("\(error) Try --once.\n".utf8))
      exit(64)
    }
  }

  private init(terminal: NcursesTerminal, texts: [String]) {
    self.terminal = terminal
    self.texts = texts
  }

  private mutating func run() -> String {
    while true {
      terminal.draw(canvas(), cursor: hasCursor ? Point(row: 2, column: 4) : nil)
      for key in terminal.nextKeys(timeout: nil) {
        if case .paste(let text) = key {
          log.append("Paste \(text.utf8.count) \(text.debugDescription)")
        } else if case .mousePress(let point) = key {
          log.append("Click \(point.row),\(point.column)")
        } else if case .mouseWheel(let point, let lines) = key {
          log.append("Wheel \(point.row),\(point.column) \(lines)")
        } else {
          log.append("\(key)")
        }
        if case .finish(let reason) = key { return "\(reason)" }
        if key == .character("q") { return "q" }
        obey(key)
      }
    }
  }

  private mutating func obey(_ key: Key) {
    switch key {
    case .control("z"): terminal.suspend()
    case .control("l"): terminal.redraw()
    case .control("x"): fatalError("told to crash")
    case .control("y"):
      log.append("copied \(terminal.copy("clip \u{20AC}")) \(terminal.copy(String(repeating: "x", count: 74_995)))")
    case .control("e"): exit(3)
    // Does not look at its events any more.
    case .control("w"): while true { sleep(1) }
    case .control("o"): overflow(0)
    case .control("v"): terminal.takesMouse.toggle()
    case .control("u"): hasCursor.toggle()
    case .control("t"): ticks += 1
    case .control("n"): first += 10
    default: break
    }
  }

  /// Uses the stack up; the result keeps the compiler from making a loop of it.
  private func overflow(_ depth: Int) {
    withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { bytes in
      bytes[depth % 4096] = 1
      overflow(depth + 1)
      bytes[0] = bytes[depth % 4096]
    }
  }

  private func canvas() -> Canvas {
    var canvas = Canvas(terminal.size, glyphs: terminal.glyphs)
    let size = "\(terminal.size.columns)x\(terminal.size.rows)"
    let inside = canvas.box(canvas.bounds, left: [Span("Probe \(size)", .heading)], right: [Span("tick \(ticks)", .ok)])
    var row = 0
    for text in texts.dropFirst(first).prefix(10) {
      // A field between two fences, which no text may move or paint over.
      canvas.draw("[", row: row, column: 0, in: inside)
      canvas.draw(text, row: row, column: 1, in: inside, style: .alarm, width: 24)
      canvas.draw("]", row: row, column: 25, in: inside)
      row += 1
    }
    for entry in log.suffix(max(0, inside.rows - row)) {
      canvas.draw(entry, row: row, in: inside, style: row % 2 == 0 ? .plain : .selected)
      row += 1
    }
    return canvas
  }
}
