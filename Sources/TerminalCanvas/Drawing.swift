/// Where a text stands in its field.
public enum Alignment: Sendable {
  case left, center, right
}

/// What becomes of text that is wider than its field.
public enum Overflow: Sendable {
  /// It ends with an ellipsis.
  case ellipsis
  /// It ends.
  case clip
}

extension Canvas {
  /// Draws text in one line.
  ///
  /// - Parameters:
  ///   - row: Counted from the first row of `rect`, as `column` from its first column; both may be negative.
  ///   - rect: Nothing outside of it changes. Nil is the whole canvas.
  ///   - width: The columns of the field; nil reaches to the right edge of `rect`. Of a field only the text is
  ///     drawn; what stands beside it stays.
  /// - Returns: The column behind the text, counted as `column` is, also where it was clipped.
  @discardableResult
  public mutating func draw(
    _ text: some StringProtocol, row: Int, column: Int = 0, in rect: Rect? = nil, style: Style = .plain,
    width: Int? = nil, align: Alignment = .left, overflow: Overflow = .ellipsis, lineEnds: LineEnds = .replaced
  ) -> Int {
    let rect = rect ?? bounds
    let room = max(0, min(width ?? Int.max, rect.columns - column))
    let all = Graphemes(text, glyphs: glyphs, lineEnds: lineEnds == .kept ? .replaced : lineEnds)
    let drawn = overflow == .ellipsis ? TextWidth.fitted(all, to: room, glyphs: glyphs) : Self.started(all, room)
    let used = drawn.reduce(0) { $0 + $1.width }
    let field = width.map { min($0, room) } ?? room
    let start =
      switch align {
      case .left: column
      case .center: column + max(0, field - used) / 2
      case .right: column + max(0, field - used)
      }
    return put(drawn, row: row, column: start, in: rect, style: style)
  }

  /// Draws runs of text one behind the other, in one line and as one text: with an ellipsis where the line ends.
  @discardableResult
  public mutating func draw(_ line: [Span], row: Int, column: Int = 0, in rect: Rect? = nil) -> Int {
    let rect = rect ?? bounds
    let glyphs = glyphs
    var column = column
    for (index, span) in line.enumerated() {
      let room = max(0, rect.columns - column)
      let isCut = line[(index + 1)...].contains { !$0.text.isEmpty }
      var text = TextWidth.fitted(Graphemes(span.text, glyphs: glyphs), to: room, glyphs: glyphs)
      // A run that just fits is cut as well when there is no room for what follows.
      if isCut, text.reduce(0, { $0 + $1.width }) == room {
        text = TextWidth.fitted(Graphemes(span.text + "  ", glyphs: glyphs), to: room, glyphs: glyphs)
        return put(text, row: row, column: column, in: rect, style: span.style)
      }
      column = put(text, row: row, column: column, in: rect, style: span.style)
    }
    return column
  }

  /// Fills a rectangle with blanks, or with a character of one column.
  public mutating func fill(_ rect: Rect, with character: Character = " ", style: Style = .plain) {
    let first = Graphemes(String(character), glyphs: glyphs).first { _ in true } ?? .space
    let filling = first.width == 1 ? first : .space
    let area = rect.intersection(bounds)
    for row in area.row..<area.endRow {
      for column in area.column..<area.endColumn {
        put(filling.character, width: 1, at: Point(row: row, column: column), style: style, clip: area)
      }
    }
  }

  /// Draws a frame with titles in its upper edge, `┌─ left ──── right ─┐`, and blanks inside. Where both do not
  /// fit, the right title falls away first, then the left one is cut.
  ///
  /// - Returns: The rectangle inside of the frame.
  @discardableResult
  public mutating func box(
    _ rect: Rect, left: [Span] = [], right: [Span] = [], style: Style = .border
  ) -> Rect {
    guard rect.rows >= 2, rect.columns >= 2 else {
      return Rect(row: rect.row, column: rect.column, rows: 0, columns: 0)
    }
    fill(rect)
    fill(rect.line(0).inset(left: 1, right: 1), with: Character(glyphs.horizontal), style: style)
    fill(rect.line(rect.rows - 1).inset(left: 1, right: 1), with: Character(glyphs.horizontal), style: style)
    for column in [rect.column, rect.endColumn - 1] {
      fill(
        Rect(row: rect.row + 1, column: column, rows: rect.rows - 2, columns: 1), with: Character(glyphs.vertical),
        style: style)
    }
    draw(glyphs.topLeft, row: 0, in: rect, style: style)
    draw(glyphs.topRight, row: 0, column: rect.columns - 1, in: rect, style: style)
    draw(glyphs.bottomLeft, row: rect.rows - 1, in: rect, style: style)
    draw(glyphs.bottomRight, row: rect.rows - 1, column: rect.columns - 1, in: rect, style: style)
    titles(left, right, in: rect.line(0).inset(left: 2, right: 2))
    return rect.interior
  }

  /// Draws the titles with a blank on each side into the edge of a box.
  private mutating func titles(_ left: [Span], _ right: [Span], in edge: Rect) {
    func width(_ line: [Span]) -> Int { line.reduce(0) { $0 + TextWidth.of($1.text, glyphs: glyphs) } }
    let leftWidth = width(left)
    let rightWidth = width(right)
    if leftWidth > 0, edge.columns > 2 {
      let room = edge.inset(right: max(0, edge.columns - leftWidth - 2))
      fill(room)
      draw(left, row: 0, in: room.inset(left: 1, right: 1))
    }
    let taken = leftWidth > 0 ? leftWidth + 3 : 0
    if rightWidth > 0, taken + rightWidth + 2 <= edge.columns {
      let room = edge.inset(left: edge.columns - rightWidth - 2)
      fill(room)
      draw(right, row: 0, in: room.inset(left: 1, right: 1))
    }
  }

  /// Draws a bar from left to right over the first row of a rectangle.
  ///
  /// - Parameter fraction: How much of it is full, from 0 to 1; less, more and NaN are as the nearest, 0 for NaN.
  ///   Full and empty are only drawn for exactly that.
  public mutating func bar(_ rect: Rect, fraction: Double, style: Style = .accent, emptyStyle: Style = .muted) {
    let fraction = fraction > 0 ? min(fraction, 1) : 0
    var full = Int((fraction * Double(rect.columns)).rounded())
    if fraction > 0 { full = max(full, 1) }
    if fraction < 1 { full = min(full, rect.columns - 1) }
    fill(rect.line(0), with: Character(glyphs.barEmpty), style: emptyStyle)
    fill(rect.line(0).inset(right: rect.columns - max(0, full)), with: Character(glyphs.barFull), style: style)
  }

  /// Draws the newest values of a series in the first row of a rectangle, one in a column, the last at the right
  /// edge.
  ///
  /// - Parameter maximum: What is drawn full; nil takes the largest value shown. Values that are not positive
  ///   are blank, and every other one can be seen.
  public mutating func sparkline(_ values: [Double], in rect: Rect, maximum: Double? = nil, style: Style = .accent) {
    let shown = values.suffix(rect.columns)
    let largest = maximum ?? shown.filter(\.isFinite).max() ?? 0
    fill(rect.line(0), style: style)
    for (index, value) in shown.enumerated() where value > 0 && largest > 0 {
      let top = glyphs.levels.count - 1
      let share = min(value / largest, 1)
      let level = max(1, Int((share.isNaN ? 1 : share) * Double(top) + 0.5))
      draw(glyphs.levels[min(level, top)], row: 0, column: rect.columns - shown.count + index, in: rect, style: style)
    }
  }

  /// Puts graphemes side by side; returns the column behind them.
  private mutating func put(_ text: some Sequence<Grapheme>, row: Int, column: Int, in rect: Rect, style: Style) -> Int
  {
    var column = column
    for grapheme in text {
      put(
        grapheme.character, width: grapheme.width,
        at: Point(row: rect.row + row, column: rect.column + column), style: style, clip: rect)
      column += grapheme.width
    }
    return column
  }

  /// The graphemes that start inside of so many columns: a wide one may reach beyond, and is cut there.
  private static func started(_ text: Graphemes, _ room: Int) -> [Grapheme] {
    var used = 0
    return Array(
      text.prefix { grapheme in
        defer { used += grapheme.width }
        return used < room
      })
  }
}
