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

  /// The values of a row.
  struct Values {
    /// The first ones; nil for one that cannot be read.
    private(set) var values: [Value?] = []
    /// Of all.
    private(set) var count = 0
    /// What is wrong with the first one that cannot be read.
    var fault: ConversationError?

    mutating func add(_ value: Value?, keeping most: Int) {
      count += 1
      if values.count < most { values.append(value) }
    }
  }

  /// Reads a row up to its closing bracket. Goes past values that are no literals: the row may tell whose it is all the same.
  ///
  /// - Throws: `.invalid` if the row has no end, quotation marks stand where they cannot, or the file is given up.
  mutating func values(keeping most: Int) throws(ConversationError) -> Values {
    var found = Values()
    repeat {
      let place = self.place
      do throws(ConversationError) {
        let literal = try value()
        guard try isBehindValue() else { throw fault("a comma or a closing bracket is expected") }
        found.add(literal, keeping: most)
      } catch {
        guard error.code == .invalid else { throw error }
        try reconsider(from: place)
        let why = "The value at byte \(place.offset) is no literal that can be read."
        try skipExpression()
        found.add(nil, keeping: most)
        found.fault = found.fault ?? ConversationError(.invalid, why)
      }
    } while try take(",")
    return found
  }

  /// Goes to the comma or the bracket behind an expression.
  private mutating func skipExpression() throws(ConversationError) {
    guard try !isBehindValue() else { throw fault("a value is expected") }
    var depth = 0
    var isBehindLiteral = false
    while true {
      let token = try next()
      switch token {
      case .mark("("), .mark("["): depth += 1
      case .mark(")"), .mark("]"):
        depth -= 1
        guard depth >= 0 else { throw fault("a bracket is closed that was not opened") }
      case .end, .mark(";"): throw fault("a row has no end")
      case .mark, .word("as"), .word("at"), .word("collate"): break
      // The text is cut where a quotation mark in it is not written twice.
      case .word, .name, .number, .string:
        guard !isBehindLiteral else { throw fault("a comma or a closing bracket is expected") }
      }
      switch token {
      case .string, .number: isBehindLiteral = true
      default: isBehindLiteral = false
      }
      if depth == 0, try isBehindValue() { return }
    }
  }

  /// Reads a literal, and the casts behind it.
  ///
  /// - Throws: `.invalid` for any other expression.
  private mutating func value() throws(ConversationError) -> Value {
    var isNegative = false
    while true {
      if try take("-") { isNegative.toggle() } else if try !take("+") { break }
    }
    let value: Value
    switch try next() {
    case .string:
      guard isTextSound else { throw fault("an escape stands for no character") }
      value = .text(text)
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
      let place = self.place
      switch try next() {
      case .word, .name, .mark("."), .mark("["), .mark("]"): break
      case .mark("("): try skipModifiers()
      default: return try reconsider(from: place)
      }
    }
  }

  /// Only numbers stand there. What went on to any closing bracket could read the whole file for one value.
  private mutating func skipModifiers() throws(ConversationError) {
    while try !take(")") {
      switch try next() {
      case .number, .mark(","): break
      default: throw fault("a type has no end")
      }
    }
  }
}

extension ByteCursor {
  /// Reads a value of a COPY block up to the tab behind it (PostgreSQL 15, COPY, "Text Format"), and keeps at most `most` bytes
  /// of it. Unlike strings, COPY knows no \u.
  mutating func copiedValue(_ most: Int) throws(ConversationError) -> SQLLexer.Value {
    var bytes: [UInt8] = []
    var isNull = false
    while let byte = try peek(), byte != 0x09 {
      advance()
      guard byte == UInt8(ascii: "\\"), let second = try next() else {
        if bytes.count < most { bytes.append(byte) }
        continue
      }
      if second == UInt8(ascii: "N"), bytes.isEmpty {
        let after = try peek()
        isNull = after == nil || after == 0x09
        if isNull { continue }
      }
      let escaped = try escaped(second)
      if bytes.count < most { bytes.append(escaped) }
    }
    return isNull ? .null : .text(bytes)
  }
}
