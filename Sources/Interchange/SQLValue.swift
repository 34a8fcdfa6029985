import ConversationModel
import StrictJSON

// Values in the rows of a dump.

extension SQLLexer {
  enum Value {
    case null
    case bool(Bool)
    case number(String)
    case text([UInt8])

    /// As PostgREST gives a value of the column.
    ///
    /// - Throws: `.invalid` for a text that is not UTF-8.
    func json(of column: String) throws(ConversationError) -> JSONValue {
      switch self {
      case .null: return .null
      case .bool(let value): return .string(value ? "true" : "false")
      case .number(let literal):
        return column == "confidence" ? Self.number(literal) : .string(literal)
      case .text(let bytes):
        guard let text = String(validating: bytes, as: UTF8.self) else {
          throw ConversationError(.invalid, "The column \(column) is not valid UTF-8.")
        }
        switch column {
        case "entities", "metadata", "context_data":
          let limits = JSONLimits(bytes: bytes.count, depth: 64)
          return (try? JSONReader.read(bytes, limits: limits)) ?? .string(text)
        case "confidence": return Self.number(text)
        default: return .string(text)
        }
      }
    }

    /// PostgreSQL has numbers that JSON has not, such as NaN.
    private static func number(_ literal: String) -> JSONValue {
      JSONNumber(literal: literal).map { .number($0) } ?? .string(literal)
    }
  }

  /// Reads a literal, and the casts behind it.
  ///
  /// - Throws: `.invalid` for any other expression.
  mutating func value() throws(ConversationError) -> Value {
    var isNegative = false
    while true {
      if try take("-") { isNegative.toggle() } else if try !take("+") { break }
    }
    let value: Value
    switch try next() {
    case .string: value = .text(text)
    case .number(let literal): value = .number(isNegative ? "-" + literal : literal)
    case .word("null"): value = .null
    case .word("true"): value = .bool(true)
    case .word("false"): value = .bool(false)
    // No column that is read has another default than null or the empty object.
    case .word("default"): value = .null
    default: throw fault("a value is expected")
    }
    while try take(":") {
      guard try take(":") else { throw fault("a type is expected") }
      try skipType()
    }
    return value
  }

  /// `jsonb`, `pg_catalog."text"`, `numeric(3,2)`, `timestamp with time zone`.
  private mutating func skipType() throws(ConversationError) {
    while true {
      let place = cursor
      switch try next() {
      case .word, .name, .mark("."), .mark("["), .mark("]"): break
      case .mark("("): while try !take(")") { guard try next() != .end else { throw fault("a type has no end") } }
      default: return cursor = place
      }
    }
  }
}

extension ByteCursor {
  /// Reads a value of a COPY block up to the tab behind it (PostgreSQL 15, COPY, "Text Format").
  mutating func copiedValue() throws(ConversationError) -> SQLLexer.Value {
    var bytes: [UInt8] = []
    var isNull = false
    while let byte = try peek(), byte != 0x09 {
      advance()
      guard byte == UInt8(ascii: "\\"), let second = try next() else {
        bytes.append(byte)
        continue
      }
      if second == UInt8(ascii: "N"), bytes.isEmpty {
        let after = try peek()
        isNull = after == nil || after == 0x09
        if isNull { continue }
      }
      bytes += try copiedEscape(second)
    }
    return isNull ? .null : .text(bytes)
  }

  /// Unlike strings, COPY knows no \u.
  private mutating func copiedEscape(_ first: UInt8) throws(ConversationError) -> [UInt8] {
    first | 0x20 == UInt8(ascii: "u") ? [first] : try escaped(first)
  }
}
