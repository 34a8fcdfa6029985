/// One cell of a canvas: a grapheme cluster, the right half of a wide one, or a blank.
public struct Cell: Hashable, Sendable {
  /// What stands there; nil for the right half of the cell before.
  public let character: Character?
  public let style: Style

  /// Whether the cell is the right half of the wide grapheme before it.
  public var isContinuation: Bool { character == nil }

  public static func blank(_ style: Style = .plain) -> Cell { Cell(character: " ", style: style) }
}

/// A screen as values: what a view draws on, what a terminal shows and what a test compares.
///
/// Everything drawn is made drawable first and clipped, to the rectangle that is named and to the canvas: text
/// from users can be drawn as it is, and no coordinate is wrong. A wide grapheme stands in two cells; where an
/// edge or something drawn later cuts it, its other half is a blank.
public struct Canvas: Hashable, Sendable {
  public let size: Size
  public let glyphs: Glyphs
  private var cells: [Cell]

  public init(_ size: Size, glyphs: Glyphs = .unicode) {
    self.size = size
    self.glyphs = glyphs
    self.cells = Array(repeating: .blank(), count: size.rows * size.columns)
  }

  /// The whole canvas.
  public var bounds: Rect { Rect(size) }

  /// The cell there; a plain blank outside of the canvas.
  public subscript(row: Int, column: Int) -> Cell {
    bounds.contains(Point(row: row, column: column)) ? cells[row * size.columns + column] : .blank()
  }

  /// The cells of one row, from the left.
  ///
  /// - Precondition: The row exists.
  public func cells(inRow row: Int) -> ArraySlice<Cell> {
    cells[row * size.columns..<(row + 1) * size.columns]
  }

  /// What is to be read: one line per row, without the blanks at its end.
  public var text: String {
    (0..<size.rows).map { row in
      var line = String(cells(inRow: row).compactMap(\.character))
      while line.last == " " { line.removeLast() }
      return line
    }.joined(separator: "\n")
  }

  /// The letters of the roles, one per cell; upper case where it is selected, and `-` where it is dimmed and
  /// not selected. Without the plain cells at the end of each line.
  public var styles: String {
    (0..<size.rows).map { row in
      var line = String(
        cells(inRow: row).map { cell -> Character in
          if cell.style.isSelected {
            return cell.style.role == .plain ? "#" : Character(cell.style.role.letter.uppercased())
          }
          return cell.style.isDimmed ? "-" : cell.style.role.letter
        })
      while line.last == "." { line.removeLast() }
      return line
    }.joined(separator: "\n")
  }

  /// Puts one grapheme cluster that is drawable and of that width; what it covers only half becomes blank.
  /// Outside of `clip` and of the canvas nothing happens, and half inside is a blank there.
  mutating func put(_ character: Character, width: Int, at point: Point, style: Style, clip: Rect) {
    let area = clip.intersection(bounds)
    let right = Point(row: point.row, column: point.column + 1)
    let whole = area.contains(point) && (width == 1 || area.contains(right))
    if whole {
      set(Cell(character: character, style: style), at: point)
      if width == 2 { set(Cell(character: nil, style: style), at: right, keepingLeft: true) }
    } else {
      if area.contains(point) { set(.blank(style), at: point) }
      if width == 2, area.contains(right) { set(.blank(style), at: right) }
    }
  }

  /// Changes the style of everything in a rectangle, for example to `selected`. A wide grapheme half inside
  /// keeps the style it had.
  public mutating func restyle(_ rect: Rect, _ change: (Style) -> Style) {
    let area = rect.intersection(bounds)
    for row in area.row..<area.endRow {
      for column in area.column..<area.endColumn {
        let cell = self[row, column]
        if cell.isContinuation, column == area.column { continue }
        if column == area.endColumn - 1, self[row, column + 1].isContinuation { continue }
        cells[row * size.columns + column] = Cell(character: cell.character, style: change(cell.style))
      }
    }
  }

  /// Copies a canvas into this one, its top left cell on `point`.
  public mutating func draw(_ other: Canvas, at point: Point) {
    let target = Rect(row: point.row, column: point.column, rows: other.size.rows, columns: other.size.columns)
    for row in 0..<other.size.rows {
      for column in 0..<other.size.columns {
        guard let character = other[row, column].character else { continue }
        put(
          character, width: other[row, column + 1].isContinuation ? 2 : 1,
          at: Point(row: point.row + row, column: point.column + column), style: other[row, column].style, clip: target)
      }
    }
  }

  /// Sets a cell that exists. If that cuts a wide grapheme, its other half becomes a blank.
  private mutating func set(_ cell: Cell, at point: Point, keepingLeft: Bool = false) {
    let index = point.row * size.columns + point.column
    if cells[index].isContinuation, !keepingLeft, point.column > 0 {
      cells[index - 1] = .blank(cells[index - 1].style)
    }
    if point.column + 1 < size.columns, cells[index + 1].isContinuation {
      cells[index + 1] = .blank(cells[index + 1].style)
    }
    cells[index] = cell
  }
}
