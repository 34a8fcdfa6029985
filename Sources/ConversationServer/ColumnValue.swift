import ConversationModel
import HTTPTypes
import StrictJSON

/// The value of one column in one row, or what a filter compares it with.
enum ColumnValue: Sendable {
  case null
  case uuid(high: UInt64, low: UInt64)
  case text(String)
  case integer(Int)
  /// Hundredths in a row, any number in a filter; printed as `text`.
  case numeric(Double, text: String)
  case boolean(Bool)
  case time(Timestamp)
  case json(JSONText)

  static func id<Entity>(_ id: Identifier<Entity>) -> ColumnValue { .uuid(high: id.high, low: id.low) }

  static func confidence(_ confidence: Confidence) -> ColumnValue {
    .numeric(Double(confidence.hundredths) / 100, text: confidence.text)
  }

  static func text(orNull text: String?) -> ColumnValue { text.map { .text($0) } ?? .null }

  var isNull: Bool {
    if case .null = self { true } else { false }
  }

  /// Bytes that keeping the value costs beside its fixed size.
  var textBytes: Int {
    switch self {
    case .text(let text): text.utf8.count
    case .json(let json): json.text.utf8.count
    default: 0
    }
  }

  /// Less than zero if the left one comes first, zero if they are equal; nil if one is null, or for two
  /// different types, which a parsed query never compares.
  ///
  /// Texts compare by their UTF-8 bytes, PostgreSQL's collation "C".
  static func order(_ left: ColumnValue, _ right: ColumnValue) -> Int? {
    switch (left, right) {
    case (.uuid(let high, let low), .uuid(let otherHigh, let otherLow)):
      compare((high, low), (otherHigh, otherLow), <)
    case (.text(let left), .text(let right)): compareBytes(left, right)
    case (.integer(let left), .integer(let right)): compare(left, right, <)
    case (.numeric(let left, _), .numeric(let right, _)): compare(left, right, <)
    case (.boolean(let left), .boolean(let right)): (left ? 1 : 0) - (right ? 1 : 0)
    case (.time(let left), .time(let right)): compare(left, right, <)
    case (.json(let left), .json(let right)): compareBytes(left.text, right.text)
    default: nil
    }
  }

  private static func compare<Value>(_ left: Value, _ right: Value, _ precedes: (Value, Value) -> Bool) -> Int {
    precedes(left, right) ? -1 : precedes(right, left) ? 1 : 0
  }

  private static func compareBytes(_ left: String, _ right: String) -> Int {
    compare(left.utf8, right.utf8) { $0.lexicographicallyPrecedes($1) }
  }
}

extension JSONWriter {
  /// Writes a value as PostgREST prints it.
  mutating func columnValue(_ value: ColumnValue) {
    switch value {
    case .null: null()
    case .uuid(let high, let low): string(Identifier<Never>(high: high, low: low).description)
    case .text(let text): string(text)
    case .integer(let number): int(number)
    case .numeric(_, let text): raw(text)
    case .boolean(let value): bool(value)
    case .time(let time): string(time.postgresText)
    case .json(let json): raw(json.text)
    }
  }
}

/// The types of the former tables' columns, by PostgreSQL's names.
enum ColumnType: String, Sendable {
  case uuid
  case text
  case integer
  case numeric
  case boolean
  case time = "timestamp with time zone"
  case json = "jsonb"

  /// Reads what a client wrote, as PostgreSQL reads an untyped literal.
  ///
  /// - Throws: 22P02 for what is no value of this type, 22007 for what is no time, 22003 and 22008 for
  ///   one that is out of range.
  func value(of text: String) throws(PostgRESTError) -> ColumnValue {
    switch self {
    case .uuid:
      guard let id = Identifier<Never>(postgres: text) else { throw .badSyntax(rawValue, text) }
      return .id(id)
    case .text:
      return .text(text)
    case .integer:
      return .integer(try Int(postgres: text))
    case .numeric:
      guard let number = Self.number(text.trimmingSpaces) else { throw .badSyntax(rawValue, text) }
      return .numeric(number, text: text)
    case .boolean:
      guard let value = Self.boolean(text) else { throw .badSyntax(rawValue, text) }
      return .boolean(value)
    case .time:
      return .time(try Timestamp(postgres: text))
    case .json:
      do {
        return .json(JSONText(canonical: try JSONReader.read(text).canonicalText()))
      } catch {
        throw PostgRESTError(.badRequest, "22P02", "invalid input syntax for type json", details: error.message)
      }
    }
  }

  /// A decimal number: digits with at most one point among them, and an exponent.
  private static func number(_ text: Substring) -> Double? {
    let bytes = text.utf8.drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
    guard text.utf8.count - bytes.count <= 1, text.utf8.count <= JSONLimits.numberBytes,
      let first = bytes.first, isDigit(first) || first == UInt8(ascii: "."),
      bytes.allSatisfy({ isDigit($0) || "+-.eE".utf8.contains($0) })
    else { return nil }
    return Double(text)
  }

  /// Any beginning of a word that says one truth value only, in either case.
  private static func boolean(_ text: String) -> Bool? {
    let word = text.trimmingSpaces.lowercased()
    guard !word.isEmpty, word.utf8.count <= 5 else { return nil }
    switch word {
    case "1", "on": return true
    case "0", "of", "off": return false
    default: break
    }
    if "true".hasPrefix(word) || "yes".hasPrefix(word) { return true }
    if "false".hasPrefix(word) || "no".hasPrefix(word) { return false }
    return nil
  }
}

func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

extension Identifier {
  /// A UUID in any form that PostgreSQL takes: letters in either case, a hyphen after any four digits or
  /// none, braces around it.
  init?(postgres text: String) {
    // The longest has braces and a hyphen after every group of four digits.
    guard text.utf8.count <= 41 else { return nil }
    var bytes = text.utf8[...]
    if bytes.first == UInt8(ascii: "{") {
      guard bytes.last == UInt8(ascii: "}"), bytes.count > 1 else { return nil }
      bytes = bytes.dropFirst().dropLast()
    }
    var digits: [UInt8] = []
    var wasHyphen = true
    for byte in bytes {
      if byte == UInt8(ascii: "-") {
        guard digits.count % 4 == 0, !wasHyphen else { return nil }
        wasHyphen = true
      } else {
        digits.append(byte)
        wasHyphen = false
      }
    }
    guard digits.count == 32, !wasHyphen else { return nil }
    let groups = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32]
    self.init(groups.map { String(decoding: digits[$0], as: UTF8.self) }.joined(separator: "-"))
  }
}

extension Int {
  /// A PostgreSQL integer of 32 bits, white space around it allowed.
  ///
  /// - Throws: 22P02, or 22003 for a whole number that does not fit.
  init(postgres text: String) throws(PostgRESTError) {
    let digits = text.trimmingSpaces
    guard let number = Int(digits) else {
      // A whole number that does not fit is another error than something that is none.
      let unsigned = digits.utf8.drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
      guard digits.utf8.count - unsigned.count <= 1, !unsigned.isEmpty, unsigned.allSatisfy(isDigit) else {
        throw .badSyntax("integer", text)
      }
      throw .integerRange(text)
    }
    guard Int(Int32.min)...Int(Int32.max) ~= number else { throw .integerRange(text) }
    self = number
  }
}
