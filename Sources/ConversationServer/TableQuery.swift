import ConversationModel
import HTTPTypes
import Hummingbird

/// What a client wants of a table, as PostgREST's query strings say it: columns, filters, order, window.
struct TableQuery: Sendable {
  struct Output: Sendable {
    let name: String
    let column: Int
  }

  struct OrderTerm: Sendable {
    let column: Int
    let isDescending: Bool
    let nullsFirst: Bool
  }

  let shape: TableShape
  private(set) var outputs: [Output] = []
  /// All of them hold for a row of the answer.
  private(set) var filters: [ColumnFilter] = []
  /// Empty for the table's own order.
  private(set) var order: [OrderTerm] = []
  private(set) var offset = 0
  /// 0 to `TableLimits.answerRows`.
  private(set) var limit = TableLimits.answerRows
  /// Whether the answer names the number of all rows that match.
  let isCounted: Bool

  /// - Parameter items: The query of the request, or the part of it that is about rows.
  /// - Throws: PGRST100 for what cannot be read and for what is not supported; 42703 for an unknown
  ///   column; a code of class 22 for a value that its column cannot have; PGRST103 for a negative window.
  init(_ items: [(name: String, value: String)], of shape: TableShape, _ request: Request) throws(PostgRESTError) {
    self.shape = shape
    isCounted = request.wantsCount
    var select: String?
    var limit: String?
    var offset: String?
    for (name, value) in items {
      switch name {
      case "select": select = select ?? value
      case "limit": limit = value
      case "offset": offset = value
      case "order": order += try Self.order(value, shape)
      // They choose among the columns of a write.
      case "columns", "on_conflict": continue
      default: filters.append(try ColumnFilter(name, value, shape))
      }
      guard filters.count <= TableLimits.filters, order.count <= TableLimits.columns else {
        throw Self.unsupported(
          "query", "", "A query has at most \(TableLimits.filters) filters and \(TableLimits.columns) order terms.")
      }
    }
    outputs = try Self.outputs(select ?? "*", shape)
    try setWindow(limit: limit, offset: offset, range: request.headers[.range])
  }

  // MARK: Columns

  private static func outputs(_ select: String, _ shape: TableShape) throws(PostgRESTError) -> [Output] {
    var outputs: [Output] = []
    var names: Set<String> = []
    func add(_ name: String, _ column: Int) {
      if names.insert(name).inserted { outputs.append(Output(name: name, column: column)) }
    }
    for part in split(select, at: ",") {
      let part = part.trimmingSpaces
      if part == "*" || select.isEmpty {
        for (index, column) in shape.columns.enumerated() { add(column.name, index) }
        continue
      }
      let pieces = split(part, at: ":")
      let name = String(pieces[pieces.count - 1].trimmingSpaces)
      let alias = String(pieces[0].trimmingSpaces)
      guard pieces.count <= 2, !alias.isEmpty, isName(alias), isName(name) else {
        throw unsupported("select parameter", select, "Not a column, nor a column with another name for it.")
      }
      add(alias, try shape.index(of: name))
      guard outputs.count <= TableLimits.columns else {
        throw unsupported("select parameter", select, "A row has at most \(TableLimits.columns) columns.")
      }
    }
    return outputs
  }

  private static func order(_ text: String, _ shape: TableShape) throws(PostgRESTError) -> [OrderTerm] {
    var terms: [OrderTerm] = []
    for part in split(text, at: ",") {
      var pieces = split(part.trimmingSpaces, at: ".")[...]
      let name = String(pieces.removeFirst().trimmingSpaces)
      let isDescending = pieces.first == "desc"
      if isDescending || pieces.first == "asc" { pieces.removeFirst() }
      // PostgreSQL takes null for the greatest value.
      var nullsFirst = isDescending
      if pieces.first == "nullsfirst" || pieces.first == "nullslast" {
        nullsFirst = pieces.removeFirst() == "nullsfirst"
      }
      guard pieces.isEmpty, isName(name) else {
        throw unsupported("order", text, "Not a list of columns, each with asc or desc, nullsfirst or nullslast.")
      }
      let column = try shape.index(of: name)
      // The second time it would decide nothing, and be compared for every row.
      if terms.contains(where: { $0.column == column }) { continue }
      guard shape.columns[column].type != .json else {
        throw unsupported("order", text, "Rows cannot be ordered by a column of type jsonb.")
      }
      terms.append(OrderTerm(column: column, isDescending: isDescending, nullsFirst: nullsFirst))
    }
    return terms
  }

  // MARK: The window

  private mutating func setWindow(
    limit limitText: String?, offset offsetText: String?, range: String?
  ) throws(PostgRESTError) {
    if let offsetText { offset = try Self.rowNumber(offsetText, "offset") }
    // The greatest window that the query's own words leave open, then the header's part of it.
    var rows = try limitText.map { text throws(PostgRESTError) in try Self.rowNumber(text, "limit") } ?? .max
    if let range = range.flatMap(Self.bounds) {
      guard range.first <= range.last else {
        throw .noSuchRange("The lower boundary must be lower than or equal to the upper boundary in the Range header.")
      }
      let end = offset.saturatingSum(rows)
      offset = max(offset, range.first)
      rows = max(0, min(end, range.last.saturatingSum(1)) - offset)
    }
    limit = min(rows, TableLimits.answerRows)
  }

  /// A whole number, as large as one can be if it is larger.
  private static func rowNumber(_ text: String, _ name: String) throws(PostgRESTError) -> Int {
    let digits = text.utf8.first == UInt8(ascii: "-") ? text.dropFirst() : text[...]
    guard !digits.isEmpty, digits.utf8.allSatisfy(isDigit) else {
      throw unsupported(name, text, "Not a whole number.")
    }
    let number = Int(digits) ?? .max
    guard digits.utf8.count == text.utf8.count || number == 0 else {
      throw .noSuchRange("\(name == "limit" ? "Limit" : "Offset") should be greater than or equal to zero.")
    }
    return number
  }

  /// The header `Range: 0-9` or `Range: 10-`. Anything else is another unit, such as bytes, and ignored.
  private static func bounds(_ header: String) -> (first: Int, last: Int)? {
    let parts = split(header.trimmingSpaces, at: "-")
    guard parts.count == 2, let first = wholeNumber(parts[0]) else { return nil }
    if parts[1].isEmpty { return (first, .max) }
    return wholeNumber(parts[1]).map { (first, $0) }
  }

  // MARK: Words

  /// The parts between separators, empty ones too; never an empty list.
  private static func split(_ text: some StringProtocol, at separator: Unicode.Scalar) -> [Substring] {
    Substring(text).unicodeScalars.split(separator: separator, omittingEmptySubsequences: false).map(Substring.init)
  }

  /// Whether a column could have this name without quotation marks.
  static func isName(_ text: some StringProtocol) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy {
        isDigit($0) || $0 == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20)
      }
  }

  static func unsupported(_ part: String, _ input: String, _ details: String) -> PostgRESTError {
    .unreadable(
      part, input, details,
      hint: """
        Supported are select with columns and alias:column, the filters eq, neq, gt, gte, lt, lte, in and is with or \
        without not before them, order, limit and offset.
        """)
  }
}

/// The bounds of what one query may ask for and cost.
enum TableLimits {
  /// Rows of one answer, PostgREST's `max-rows`: a larger limit is capped without a word, as there.
  static let answerRows = 1_000
  /// Messages and conversations that one request looks at: some seconds of one core.
  static let readRows = 100_000
  /// Bytes of text that one request holds: many times an answer of ordinary messages, and a hundred
  /// requests still fit into memory.
  static let heldBytes = 33_554_432
  /// Filters of a query: every column twice.
  static let filters = 32
  /// Columns of an answer, and terms of an order.
  static let columns = 64
  /// Values in one list of a filter: what fits into a URL.
  static let listedValues = 1_000
}

extension Int {
  /// The sum of two numbers that are not negative, or the greatest number if it is beyond.
  func saturatingSum(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
