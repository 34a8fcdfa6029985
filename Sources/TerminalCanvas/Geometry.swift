/// How many rows and columns there are; never negative.
public struct Size: Hashable, Sendable {
  public let rows: Int
  public let columns: Int

  public init(rows: Int, columns: Int) {
    self.rows = max(0, rows)
    self.columns = max(0, columns)
  }
}

/// One cell, counted from the top left, which is (0, 0).
public struct Point: Hashable, Sendable {
  public var row: Int
  public var column: Int

  public init(row: Int, column: Int) {
    self.row = row
    self.column = column
  }
}

/// A part of a canvas: its top left cell and how far it reaches. Its size is never negative; it may lie
/// outside of the canvas, where nothing is drawn.
public struct Rect: Hashable, Sendable {
  public let row: Int
  public let column: Int
  public let rows: Int
  public let columns: Int

  public init(row: Int, column: Int, rows: Int, columns: Int) {
    self.row = row
    self.column = column
    self.rows = max(0, rows)
    self.columns = max(0, columns)
  }

  public init(_ size: Size) {
    self.init(row: 0, column: 0, rows: size.rows, columns: size.columns)
  }

  public var size: Size { Size(rows: rows, columns: columns) }
  public var isEmpty: Bool { rows == 0 || columns == 0 }
  /// The first row below it, and the first column right of it.
  public var endRow: Int { row + rows }
  public var endColumn: Int { column + columns }

  public func contains(_ point: Point) -> Bool {
    row <= point.row && point.row < endRow && column <= point.column && point.column < endColumn
  }

  /// What both cover; of size nothing when they do not meet.
  public func intersection(_ other: Rect) -> Rect {
    let top = max(row, other.row)
    let left = max(column, other.column)
    return Rect(
      row: top, column: left, rows: min(endRow, other.endRow) - top, columns: min(endColumn, other.endColumn) - left)
  }

  /// What remains without so many cells on each side.
  public func inset(top: Int = 0, left: Int = 0, bottom: Int = 0, right: Int = 0) -> Rect {
    Rect(row: row + top, column: column + left, rows: rows - top - bottom, columns: columns - left - right)
  }

  /// What remains inside a frame of one cell.
  public var interior: Rect { inset(top: 1, left: 1, bottom: 1, right: 1) }

  /// One of its rows, counted from its first; of size nothing when it has no such row.
  public func line(_ index: Int) -> Rect {
    Rect(row: row + index, column: column, rows: (0..<rows).contains(index) ? 1 : 0, columns: columns)
  }

  /// A rectangle of the size in the middle of this one, or as much of it as fits: for what stands on top.
  public func centered(_ size: Size) -> Rect {
    let rows = min(size.rows, self.rows)
    let columns = min(size.columns, self.columns)
    return Rect(
      row: row + (self.rows - rows) / 2, column: column + (self.columns - columns) / 2, rows: rows, columns: columns)
  }
}

/// How much of a split one part gets.
public enum Part: Hashable, Sendable {
  /// So many cells, as long as there are that many.
  case fixed(Int)
  /// Of what the fixed parts leave, a share in proportion to the weight, and at least so many cells.
  case flexible(weight: Int = 1, minimum: Int = 0)
}

extension Rect {
  /// Splits it into parts one below the other.
  ///
  /// - Returns: As many rectangles as parts, together exactly this one. Where there is too little room the
  ///   earlier parts get theirs first, and the last ones may be of size nothing.
  public func split(rows parts: [Part]) -> [Rect] {
    var start = row
    return Self.lengths(parts, of: rows).map { length in
      defer { start += length }
      return Rect(row: start, column: column, rows: length, columns: columns)
    }
  }

  /// Splits it into parts side by side, as `split(rows:)` does.
  public func split(columns parts: [Part]) -> [Rect] {
    var start = column
    return Self.lengths(parts, of: columns).map { length in
      defer { start += length }
      return Rect(row: row, column: start, rows: rows, columns: length)
    }
  }

  private static func lengths(_ parts: [Part], of total: Int) -> [Int] {
    var left = total
    // First what each part cannot do without, in their order.
    var lengths = parts.map { part in
      let wanted =
        switch part {
        case .fixed(let length): length
        case .flexible(_, let minimum): minimum
        }
      let length = min(max(0, wanted), left)
      left -= length
      return length
    }
    // Then the rest by weight; dividing by the weight that remains leaves no cell over.
    var weightLeft = parts.reduce(0) { $0 + $1.weight }
    for (index, part) in parts.enumerated() where part.weight > 0 {
      let share = left * part.weight / weightLeft
      lengths[index] += share
      left -= share
      weightLeft -= part.weight
    }
    return lengths
  }
}

extension Part {
  fileprivate var weight: Int {
    switch self {
    case .fixed: 0
    case .flexible(let weight, _): max(0, weight)
    }
  }
}
