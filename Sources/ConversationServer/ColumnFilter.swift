import HTTPTypes

/// One condition on one column: `created_at=gte.2026-01-01`.
struct ColumnFilter: Sendable {
  enum Operator: String, Sendable {
    case eq, neq, gt, gte, lt, lte
  }

  enum Test: Sendable {
    case compare(Operator, ColumnValue)
    /// In ascending order.
    case among([ColumnValue])
    case isNull
    case isNotNull
    case isTruth(Bool)
  }

  let column: Int
  let test: Test
  let isNegated: Bool

  init(_ name: String, _ value: String, _ shape: TableShape) throws(PostgRESTError) {
    let column = name.trimmingSpaces
    guard TableQuery.isName(column), column != "and", column != "or" else {
      throw TableQuery.unsupported("filter", name, "Not the name of a column.")
    }
    var rest = value[...]
    isNegated = Self.drop("not.", from: &rest)
    guard let dot = rest.utf8.firstIndex(of: UInt8(ascii: ".")) else {
      throw TableQuery.unsupported("filter", value, "Not an operator, a point and a value.")
    }
    let word = rest[..<dot]
    let operand = String(rest[rest.utf8.index(after: dot)...])
    guard word == "in" || word == "is" || Operator(rawValue: String(word)) != nil else {
      throw TableQuery.unsupported("filter", value, "Not an operator that is known here.")
    }
    self.column = try shape.index(of: String(column))
    let type = shape.columns[self.column].type
    switch word {
    case "in": test = .among(try Self.list(operand, value, type))
    case "is": test = try Self.identity(operand, value, type)
    default:
      guard let comparison = Operator(rawValue: String(word)),
        type != .json || comparison == .eq || comparison == .neq
      else { throw TableQuery.unsupported("filter", value, "The values of this column have no order.") }
      test = .compare(comparison, try type.value(of: operand))
    }
  }

  private static func drop(_ prefix: String, from text: inout Substring) -> Bool {
    guard text.utf8.starts(with: prefix.utf8) else { return false }
    text = text[text.utf8.index(text.startIndex, offsetBy: prefix.utf8.count)...]
    return true
  }

  private static func identity(
    _ operand: String, _ value: String, _ type: ColumnType
  ) throws(PostgRESTError) -> Test {
    let word = operand.lowercased()
    switch word {
    case "null": return .isNull
    case "not_null": return .isNotNull
    case "true", "false", "unknown":
      guard type == .boolean else {
        throw PostgRESTError(
          .badRequest, "42804", "argument of IS \(word.uppercased()) must be type boolean, not type \(type.rawValue)")
      }
      return word == "unknown" ? .isNull : .isTruth(word == "true")
    default:
      throw TableQuery.unsupported("filter", value, "is takes null, not_null, true, false and unknown.")
    }
  }

  private static func list(
    _ operand: String, _ value: String, _ type: ColumnType
  ) throws(PostgRESTError) -> [ColumnValue] {
    guard let texts = texts(operand) else {
      throw TableQuery.unsupported(
        "filter", value,
        "in takes a list in parentheses, parted by commas, at most \(TableLimits.listedValues) values.")
    }
    var values: [ColumnValue] = []
    for text in texts { values.append(try type.value(of: text)) }
    return values.sorted { (ColumnValue.order($0, $1) ?? 0) < 0 }
  }

  /// The texts in `(a,b,"c,d")`, where a backslash takes the next character into a quoted one; nil for
  /// anything else and for too many of them.
  private static func texts(_ list: String) -> [String]? {
    let bytes = Array(list.trimmingSpaces.utf8)
    guard bytes.count >= 2, bytes.first == UInt8(ascii: "("), bytes.last == UInt8(ascii: ")") else { return nil }
    let end = bytes.count - 1
    if end == 1 { return [] }
    var texts: [String] = []
    var index = 1
    while texts.count < TableLimits.listedValues {
      var text: [UInt8] = []
      if bytes[index] == UInt8(ascii: "\"") {
        index += 1
        while index < end, bytes[index] != UInt8(ascii: "\"") {
          if bytes[index] == UInt8(ascii: "\\") { index += 1 }
          if index < end { text.append(bytes[index]) }
          index += 1
        }
        // The closing quotation mark.
        guard index < end else { return nil }
        index += 1
      } else {
        while index < end, bytes[index] != UInt8(ascii: ",") {
          text.append(bytes[index])
          index += 1
        }
      }
      texts.append(String(decoding: text, as: UTF8.self))
      if index == end { return texts }
      guard bytes[index] == UInt8(ascii: ",") else { return nil }
      index += 1
      // `index` may be `end` now: an empty text follows, which the next round reads as one.
    }
    return nil
  }

  /// Whether a row with this value is wanted. As in SQL, a comparison with null is neither true nor, with
  /// `not` before it, true.
  func holds(for value: ColumnValue) -> Bool {
    switch test {
    case .isNull: return value.isNull != isNegated
    case .isNotNull: return value.isNull == isNegated
    case .isTruth(let wanted):
      guard case .boolean(let truth) = value else { return isNegated }
      return (truth == wanted) != isNegated
    case .among(let values):
      // Not even null is among nothing.
      if values.isEmpty { return isNegated }
      return !value.isNull && Self.contains(value, values) != isNegated
    case .compare(let comparison, let other):
      guard let order = ColumnValue.order(value, other) else { return false }
      let isTrue =
        switch comparison {
        case .eq: order == 0
        case .neq: order != 0
        case .gt: order > 0
        case .gte: order >= 0
        case .lt: order < 0
        case .lte: order <= 0
        }
      return isTrue != isNegated
    }
  }

  /// The only values that its column can have in a row that the filter lets through; nil if there is no
  /// such list.
  var candidates: [ColumnValue]? {
    guard !isNegated else { return nil }
    switch test {
    case .compare(.eq, let value): return [value]
    case .among(let values): return values
    default: return nil
    }
  }

  private static func contains(_ value: ColumnValue, _ sorted: [ColumnValue]) -> Bool {
    var low = 0
    var high = sorted.count
    while low < high {
      let middle = (low + high) / 2
      guard let order = ColumnValue.order(sorted[middle], value) else { return false }
      if order == 0 { return true }
      if order < 0 { low = middle + 1 } else { high = middle }
    }
    return false
  }
}
