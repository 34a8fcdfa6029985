import TerminalCanvas

/// The columns of a list: where there is too little room those with the highest rank fall away first.
struct Table {
  struct Column {
    var title: String
    /// In columns; of a flexible one the least that makes sense.
    var width: Int
    var isFlexible = false
    var align = Alignment.left
    /// 1 stays longest.
    var rank: Int

    init(_ title: String, _ width: Int, rank: Int, align: Alignment = .left, isFlexible: Bool = false) {
      self.title = title
      self.width = width
      self.rank = rank
      self.align = align
      self.isFlexible = isFlexible
    }
  }

  /// One column that has room.
  struct Field {
    var index: Int
    var column: Column
    var start: Int
    var width: Int
  }

  let fields: [Field]

  /// The pointer, and a blank in front of every column.
  private static let margin = 2
  private static let gap = 2

  /// Numbers stand close: their names are longer than most of them.
  private static func gap(_ column: Column, after before: Column) -> Int {
    column.align == .right && before.align == .right ? 1 : gap
  }

  init(_ columns: [Column], width: Int) {
    var kept = Array(columns.enumerated())
    func gaps() -> [Int] { [0] + zip(kept.dropFirst(), kept).map { Self.gap($0.element, after: $1.element) } }
    func needed() -> Int { kept.reduce(Self.margin + 1) { $0 + $1.element.width } + gaps().reduce(0, +) }
    while kept.count > 1, needed() > width,
      let last = kept.indices.max(by: { kept[$0].element.rank < kept[$1].element.rank })
    {
      kept.remove(at: last)
    }
    let surplus = max(0, width - needed())
    var flexible = kept.filter(\.element.isFlexible).count
    var left = surplus
    var start = Self.margin
    fields = zip(kept, gaps()).map { kept, gap in
      let (index, column) = kept
      start += gap
      var columns = column.width
      if column.isFlexible {
        columns += left / flexible
        left -= left / flexible
        flexible -= 1
      }
      defer { start += columns }
      return Field(index: index, column: column, start: start, width: max(0, min(columns, width - start - 1)))
    }
  }

  func drawTitles(on canvas: inout Canvas, in line: Rect, sorted: String? = nil) {
    for field in fields {
      let style: Style = field.column.title == sorted ? .accent : .heading
      canvas.draw(
        field.column.title, row: 0, column: field.start, in: line, style: style, width: field.width,
        align: field.column.align, overflow: .clip)
    }
  }

  /// - Parameter cells: One for each of the columns that the table was made with.
  func draw(_ cells: [Span], on canvas: inout Canvas, in line: Rect, isSelected: Bool) {
    if isSelected { canvas.draw(canvas.glyphs.pointer, row: 0, in: line, style: .focus) }
    for field in fields {
      canvas.draw(
        cells[field.index].text, row: 0, column: field.start, in: line, style: cells[field.index].style,
        width: field.width, align: field.column.align, lineEnds: .joined)
    }
    if isSelected { canvas.restyle(line) { $0.selected } }
  }
}
