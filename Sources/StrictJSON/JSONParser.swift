/// One pass over the bytes of one text, by recursive descent that `depth` bounds.
struct JSONParser {
  private let source: UnsafeRawBufferPointer
  private let depth: Int
  private var at = 0
  /// Where strings with escapes are put together; kept between them.
  private var unescaped: [UInt8] = []

  init(_ source: UnsafeRawBufferPointer, depth: Int) {
    self.source = source
    self.depth = depth
  }

  mutating func document() throws(JSONError) -> JSONValue {
    skipSpace()
    let result = try value(inside: 0)
    skipSpace()
    guard at == source.count else { throw unexpected("the end of the text") }
    return result
  }

  /// - Parameter level: How many arrays and objects this value stands in.
  private mutating func value(inside level: Int) throws(JSONError) -> JSONValue {
    switch next {
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "{"): return .object(try object(inside: level))
    case UInt8(ascii: "["): return .array(try array(inside: level))
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: throw unexpected("a value")
    }
  }

  private mutating func object(inside level: Int) throws(JSONError) -> JSONObject {
    let start = at
    try open(inside: level)
    if take(UInt8(ascii: "}")) { return JSONObject() }
    var members: [JSONObject.Member] = []
    repeat {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw unexpected("a key in quotation marks") }
      let key = try string()
      skipSpace()
      guard take(UInt8(ascii: ":")) else { throw unexpected("a colon") }
      skipSpace()
      members.append(JSONObject.Member(key: key, value: try value(inside: level + 1)))
      skipSpace()
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "}")) else { throw unexpected("a comma or a closing brace") }
    guard let object = JSONObject(members: members) else {
      throw JSONError(
        kind: .duplicateKey,
        message: "The object at byte \(start) of the JSON text has the same key twice; each may stand once.",
        offset: start)
    }
    return object
  }

  private mutating func array(inside level: Int) throws(JSONError) -> [JSONValue] {
    try open(inside: level)
    var elements: [JSONValue] = []
    if take(UInt8(ascii: "]")) { return elements }
    repeat {
      skipSpace()
      elements.append(try value(inside: level + 1))
      skipSpace()
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "]")) else { throw unexpected("a comma or a closing bracket") }
    return elements
  }

  /// Steps over the opening bracket, if one more level is allowed, and the white space behind it.
  private mutating func open(inside level: Int) throws(JSONError) {
    guard level < depth else {
      throw JSONError(
        kind: .tooDeep,
        message:
          "The JSON text is nested too deep at byte \(at); at most \(max(0, depth)) levels are allowed.",
        offset: at)
    }
    at += 1
    skipSpace()
  }

  private mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
    for index in 0..<word.utf8CodeUnitCount {
      guard next == word.utf8Start[index] else { throw unexpected("true, false or null in full") }
      at += 1
    }
    return value
  }
}

// MARK: Strings

extension JSONParser {
  /// Reads a string whose opening quotation mark is next.
  private mutating func string() throws(JSONError) -> String {
    let start = at
    var run = at + 1
    at = UTF8Bytes.firstSpecial(in: source, from: run)
    if next == UInt8(ascii: "\"") {
      at += 1
      return try text(UnsafeRawBufferPointer(rebasing: source[run..<(at - 1)]), of: start)
    }
    unescaped.removeAll(keepingCapacity: true)
    while next != UInt8(ascii: "\"") {
      guard next == UInt8(ascii: "\\") else {
        throw unexpected("a closing quotation mark, or a control character's escape,")
      }
      unescaped.append(contentsOf: UnsafeRawBufferPointer(rebasing: source[run..<at]))
      try escape()
      run = at
      at = UTF8Bytes.firstSpecial(in: source, from: run)
    }
    unescaped.append(contentsOf: UnsafeRawBufferPointer(rebasing: source[run..<at]))
    at += 1
    return try unescaped.span.bytes.withUnsafeBytes { (bytes) throws(JSONError) in try text(bytes, of: start)
    }
  }

  /// Validating here, once per string, is enough: every other byte of the grammar is ASCII, and no escape
  /// completes a sequence that is cut off in front of it.
  private func text(_ bytes: UnsafeRawBufferPointer, of start: Int) throws(JSONError) -> String {
    // Twice as fast as String(validating:as:) in Swift 6.3.
    guard let valid = try? UTF8Span(validating: bytes.assumingMemoryBound(to: UInt8.self).span) else {
      throw JSONError(
        kind: .encoding, message: "The string at byte \(start) of the JSON text is not valid UTF-8.",
        offset: start)
    }
    return String(copying: valid)
  }

  private mutating func escape() throws(JSONError) {
    at += 1
    switch next {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): unescaped.append(next)
    case UInt8(ascii: "b"): unescaped.append(0x08)
    case UInt8(ascii: "f"): unescaped.append(0x0C)
    case UInt8(ascii: "n"): unescaped.append(0x0A)
    case UInt8(ascii: "r"): unescaped.append(0x0D)
    case UInt8(ascii: "t"): unescaped.append(0x09)
    case UInt8(ascii: "u"):
      unescaped.append(contentsOf: try escapedScalar().utf8)
      return
    default: throw unexpected("one of the letters \" \\ / b f n r t u after a backslash")
    }
    at += 1
  }

  /// Reads `uXXXX`, and for the first half of a surrogate pair the escape of its second half.
  private mutating func escapedScalar() throws(JSONError) -> Unicode.Scalar {
    let start = at - 1
    let unit = try hexDigits()
    if let scalar = Unicode.Scalar(unit) {
      guard unit != 0 else {
        throw encoding("NUL is not allowed; the escape at byte \(start) stands for it", start)
      }
      return scalar
    }
    if unit < 0xDC00, next == UInt8(ascii: "\\"), at + 1 < source.count, source[at + 1] == UInt8(ascii: "u") {
      at += 1
      let low = try hexDigits()
      if 0xDC00...0xDFFF ~= low, let scalar = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)) {
        return scalar
      }
    }
    throw encoding("Surrogates are allowed in pairs only; the one at byte \(start) stands alone", start)
  }

  /// Steps over the `u` that is next and reads the four digits behind it.
  private mutating func hexDigits() throws(JSONError) -> UInt32 {
    at += 1
    var unit: UInt32 = 0
    for _ in 0..<4 {
      let digit: UInt8
      switch next {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = next - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = next - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = next - UInt8(ascii: "A") + 10
      default: throw unexpected("a hexadecimal digit, one of four after \\u,")
      }
      unit = unit << 4 | UInt32(digit)
      at += 1
    }
    return unit
  }
}

// MARK: Numbers

extension JSONParser {
  private mutating func number() throws(JSONError) -> JSONNumber {
    let start = at
    _ = take(UInt8(ascii: "-"))
    if take(UInt8(ascii: "0")) {
      guard !isDigit(next) else { throw unexpected("no digit after a leading zero") }
    } else {
      try digits()
    }
    if take(UInt8(ascii: ".")) { try digits() }
    let mantissa = start..<at
    var exponent = 0
    if next | 0x20 == UInt8(ascii: "e") {
      at += 1
      if !take(UInt8(ascii: "-")) { _ = take(UInt8(ascii: "+")) }
      let first = at
      try digits()
      exponent = self.exponent(first..<at)
    }
    guard at - start <= JSONLimits.numberBytes else {
      throw outOfRange("is \(at - start) bytes long; at most \(JSONLimits.numberBytes) are allowed", start)
    }
    let text = String(decoding: UnsafeRawBufferPointer(rebasing: source[start..<at]), as: UTF8.self)
    try checkRange(of: text, mantissa, exponent: exponent)
    return JSONNumber(checked: text)
  }

  private mutating func digits() throws(JSONError) {
    guard isDigit(next) else { throw unexpected("a digit") }
    repeat { at += 1 } while isDigit(next)
  }

  /// The value of the digits in `range`, or something above `JSONLimits.exponent` if it is above.
  private func exponent(_ range: Range<Int>) -> Int {
    source[range].reduce(0) { min($0, JSONLimits.exponent) * 10 + Int($1 - UInt8(ascii: "0")) }
  }

  /// Refuses what a database or a client would turn into infinity or zero. Zero with an absurd exponent is
  /// refused as well: SQL `numeric` types do not take it.
  private func checkRange(of text: String, _ mantissa: Range<Int>, exponent: Int) throws(JSONError) {
    guard exponent <= JSONLimits.exponent else {
      throw outOfRange("has an exponent beyond \(JSONLimits.exponent)", mantissa.lowerBound)
    }
    // A mantissa as long as a literal may be stays within 10^±128: only a large exponent can leave the range.
    guard exponent > 150 else { return }
    let isZero = !source[mantissa].contains { UInt8(ascii: "1")...UInt8(ascii: "9") ~= $0 }
    let value = Double(text) ?? .infinity
    guard value.isFinite, isZero || value != 0 else {
      throw outOfRange("is too large or too small for a 64-bit floating-point number", mantissa.lowerBound)
    }
  }

  private func isDigit(_ byte: UInt8) -> Bool {
    UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
  }
}

// MARK: Bytes and faults

extension JSONParser {
  /// The byte to be read, or NUL at the end: NUL is allowed nowhere, so neither can pass for anything else.
  private var next: UInt8 {
    @inline(__always) get { at < source.count ? source[at] : 0 }
  }

  @inline(__always)
  private mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    at += 1
    return true
  }

  @inline(__always)
  private mutating func skipSpace() {
    while next <= 0x20, next == 0x20 || next == 0x0A || next == 0x0D || next == 0x09 { at += 1 }
  }

  /// The fault at the byte to be read, where only `wanted` is allowed.
  private func unexpected(_ wanted: String) -> JSONError {
    guard at < source.count else {
      let message = "The JSON text ends too soon, at byte \(at): \(wanted) is expected."
      return JSONError(kind: .syntax, message: message, offset: at)
    }
    if source[at] == 0 {
      return encoding("Byte \(at) of the JSON text is NUL; UTF-8 without NUL is expected", at)
    }
    if source[at...].starts(with: [0xEF, 0xBB, 0xBF]) {
      return encoding("Byte \(at) of the JSON text begins a byte order mark; none is allowed", at)
    }
    var decoder = UTF8()
    var rest = source[at...].makeIterator()
    if case .error = decoder.decode(&rest) {
      return encoding("Byte \(at) of the JSON text is not valid UTF-8", at)
    }
    let message = "Byte \(at) of the JSON text is not allowed there: \(wanted) is expected."
    return JSONError(kind: .syntax, message: message, offset: at)
  }

  private func encoding(_ clause: String, _ offset: Int) -> JSONError {
    JSONError(kind: .encoding, message: clause + ".", offset: offset)
  }

  private func outOfRange(_ clause: String, _ offset: Int) -> JSONError {
    let message = "The number at byte \(offset) of the JSON text \(clause)."
    return JSONError(kind: .numberRange, message: message, offset: offset)
  }
}
