import CNcurses
import TerminalCanvas

/// Turns canvases into what a terminal must be sent. It remembers what stands on the screen and sends the
/// difference, row by row, each run of cells from its own absolute position.
struct Painter {
  /// Equal cells between two runs that cost less than a new position.
  private static let gap = 6

  private let palette: Palette
  private let position: String
  private let hideCursor: [UInt8]
  private let showCursor: [UInt8]
  private let clearScreen: [UInt8]
  private let clearLine: [UInt8]
  /// Whether writing the last cell of the last row scrolls the screen.
  private let scrollsAtEnd: Bool

  private var shown: Canvas?
  private var cursor: Point?
  private var output: [UInt8] = []
  private var style: Style?

  /// - Precondition: ncurses has been started.
  init(colors: ColorPreference, noColor: Bool) {
    palette = Palette(colors: colors, noColor: noColor)
    position = Capability.string("cup") ?? ""
    hideCursor = Capability.bytes("civis")
    showCursor = Capability.bytes("cnorm")
    clearScreen = Capability.bytes("clear")
    clearLine = Capability.bytes("el")
    scrollsAtEnd = cncurses_flag("am") && !cncurses_flag("xenl")
  }

  /// Forgets what stands on the screen: the next frame clears it and is drawn whole.
  mutating func forget() {
    shown = nil
  }

  /// Returns the bytes that make the screen of that size show the canvas; none if it does already.
  mutating func frame(_ canvas: Canvas, cursor: Point?, size: Size) -> [UInt8] {
    output.removeAll(keepingCapacity: true)
    style = nil
    let isFirst = shown == nil
    if isFirst {
      output += palette.plain
      output += hideCursor
      output += clearScreen
    }
    let before = shown ?? Canvas(size)
    // A canvas of another size is drawn from the top left, and what it does not reach is blank.
    var next = Canvas(size)
    if canvas.size == size { next = canvas } else { next.draw(canvas, at: Point(row: 0, column: 0)) }
    let start = output.count
    for row in 0..<size.rows where before.cells(inRow: row) != next.cells(inRow: row) {
      paint(row, Array(before.cells(inRow: row)), Array(next.cells(inRow: row)), isLast: row == size.rows - 1)
    }
    if let style, style != .plain { output += palette.plain }
    let hasPainted = output.count > start
    if hasPainted, self.cursor != nil, !isFirst { output.insert(contentsOf: hideCursor, at: start) }
    shown = next
    let cursor = cursor.flatMap { Rect(size).contains($0) ? $0 : nil }
    if let cursor, hasPainted || isFirst || cursor != self.cursor {
      move(cursor)
      if hasPainted || isFirst || self.cursor == nil { output += showCursor }
    } else if cursor == nil, self.cursor != nil, !hasPainted, !isFirst {
      output += hideCursor
    }
    self.cursor = cursor
    return output
  }

  private mutating func paint(_ row: Int, _ before: [Cell], _ next: [Cell], isLast: Bool) {
    var end = next.count
    if isLast, scrollsAtEnd { end -= 1 }
    // A row that ends in blanks is not written to its end but cleared.
    var textEnd = end
    while textEnd > 0, next[textEnd - 1] == .blank() { textEnd -= 1 }
    let isCleared = !clearLine.isEmpty && end - textEnd > 8 && before[textEnd..<end] != next[textEnd..<end]
    let limit = isCleared ? textEnd : end
    let isDrawn = Self.differences(before, next)
    var column = 0
    while let first = (column..<limit).first(where: { isDrawn[$0] }) {
      var last = first
      var index = first + 1
      while index < limit, index - last <= Self.gap {
        if isDrawn[index] { last = index }
        index += 1
      }
      column = last + 1
      write(row, from: first, through: last, next)
    }
    if isCleared {
      set(.plain)
      move(Point(row: row, column: textEnd))
      output += clearLine
    }
  }

  /// Whether the cell must be drawn: also where only its other half has changed.
  private static func differ(_ before: [Cell], _ next: [Cell], _ index: Int) -> Bool {
    if before[index] != next[index] { return true }
    let other = index + 1
    return other < next.count && before[other] != next[other]
      && (before[other].isContinuation || next[other].isContinuation)
  }

  /// Which cells must be drawn: those that differ, and those behind a cluster that a terminal without such clusters
  /// draws part by part, over what stands there.
  private static func differences(_ before: [Cell], _ next: [Cell]) -> [Bool] {
    var overhangEnd = 0
    return next.indices.map { index in
      let isDrawn = index < overhangEnd || differ(before, next, index)
      if isDrawn, let scalars = next[index].character?.unicodeScalars, scalars.count > 1 {
        overhangEnd = max(overhangEnd, index + scalars.reduce(0) { $0 + TextWidth.of(String($1)) })
      }
      return isDrawn
    }
  }

  private mutating func write(_ row: Int, from first: Int, through last: Int, _ cells: [Cell]) {
    var isPlaced = false
    for index in first...last {
      // The right half was drawn with the left one.
      guard let character = cells[index].character else { continue }
      if !isPlaced { move(Point(row: row, column: index)) }
      set(cells[index].style)
      isPlaced = character.isASCII || Self.hasKnownWidth(character)
      if !isPlaced, index + 1 < cells.count, cells[index + 1].isContinuation {
        // A terminal that takes it for narrow would leave what stood in its right half.
        output += "  ".utf8
        move(Point(row: row, column: index))
      }
      output += character.utf8
      // Where terminals do not agree how wide it is, the next cell gets a position of its own.
    }
  }

  /// Whether every terminal takes it for as wide as we do: one scalar, no emoji, not newer than Unicode 9.
  private static func hasKnownWidth(_ character: Character) -> Bool {
    guard let scalar = character.unicodeScalars.first, character.unicodeScalars.count == 1 else { return false }
    if 0x2500...0x259F ~= scalar.value || 0x4E00...0x9FA5 ~= scalar.value { return true }
    return !scalar.properties.isEmoji && (scalar.properties.age.map { $0.major <= 9 } ?? false)
      && scalar.properties.generalCategory != .spacingMark
  }

  private mutating func set(_ style: Style) {
    guard style != self.style else { return }
    // The frame before ended plain.
    if self.style != nil || style != .plain { output += palette[style] }
    self.style = style
  }

  private mutating func move(_ point: Point) {
    output += Capability.bytes(position, point.row, point.column)
  }
}

/// The strings of the terminal type.
enum Capability {
  static func string(_ name: String) -> String? {
    cncurses_string(name).map { String(cString: $0) }
  }

  /// The bytes to send, without the waiting times of terminals made of tubes; none if the type has no such string.
  static func bytes(_ name: String) -> [UInt8] {
    string(name).map { withoutPadding($0.utf8) } ?? []
  }

  static func bytes(_ string: String, _ first: Int, _ second: Int = 0) -> [UInt8] {
    guard let text = cncurses_with(string, Int32(first), Int32(second)) else { return [] }
    return withoutPadding(String(cString: text).utf8)
  }

  private static func withoutPadding(_ text: String.UTF8View) -> [UInt8] {
    var bytes = Array(text)
    while let start = bytes.indices.first(where: { bytes[$0...].starts(with: "$<".utf8) }),
      let end = bytes[start...].firstIndex(of: UInt8(ascii: ">"))
    {
      bytes.removeSubrange(start...end)
    }
    return bytes
  }
}
