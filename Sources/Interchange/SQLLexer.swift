import ConversationModel

/// Reads the tokens of PostgreSQL's SQL from a file of any size (PostgreSQL 15, §4.1). Of a string only what is asked for is
/// held in memory.
struct SQLLexer {
  enum Token: Equatable {
    /// In lower case, of a name longer than 128 bytes the first.
    case word(String)
    /// In quotation marks.
    case name(String)
    /// Without its sign.
    case number(String)
    case string
    case mark(Unicode.Scalar)
    case end
  }

  /// The dumps, of a database or of all of them, whose first comment came, and whose last one did not. Of each kind there may
  /// be several, where one that is cut off has another one behind it.
  struct OpenDumps: Equatable {
    fileprivate var databases = 0
    fileprivate var clusters = 0
  }

  /// Where to go back to.
  struct Place {
    var offset = 0
    /// Comments that are read again do not count twice.
    fileprivate var openDumps = OpenDumps()
  }

  var cursor: ByteCursor
  /// Whether strings without an E have escapes too: `standard_conforming_strings` is off.
  var hasEscapes = false
  /// Bytes of a string that are put into `text` at most.
  var textBytes = 0
  /// What the last string says.
  private(set) var text: [UInt8] = []
  /// Whether all its escapes stand for something.
  private(set) var isTextSound = true
  /// Where the last token begins.
  private(set) var start = 0
  private(set) var openDumps = OpenDumps()
  /// Bytes that were gone back over.
  private var readAgain = 0
  private static let nameBytes = 128

  init(_ cursor: ByteCursor) { self.cursor = cursor }

  /// - Throws: `.invalid` for a string, a name or a comment without an end.
  mutating func next() throws(ConversationError) -> Token {
    try skipBlank()
    start = cursor.offset
    guard let byte = try cursor.next() else { return .end }
    switch byte {
    case UInt8(ascii: "'"): return try string(hasEscapes: hasEscapes)
    case UInt8(ascii: "\""): return .name(try quotedName())
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."): return try number(byte)
    case UInt8(ascii: "$"): return try dollars()
    case _ where Self.isNameByte(byte):
      let name = try name(byte)
      guard name == "e", try cursor.peek() == UInt8(ascii: "'") else { return .word(name) }
      cursor.advance()
      return try string(hasEscapes: true)
    default: return .mark(Unicode.Scalar(byte))
    }
  }

  /// Goes past a mark, if it is next.
  mutating func take(_ mark: Unicode.Scalar) throws(ConversationError) -> Bool {
    try skipBlank()
    guard try cursor.peek() == UInt8(ascii: mark) else { return false }
    start = cursor.offset
    cursor.advance()
    return true
  }

  /// Whether a comma or a closing bracket is next.
  mutating func isBehindValue() throws(ConversationError) -> Bool {
    try skipBlank()
    let byte = try cursor.peek()
    return byte == UInt8(ascii: ",") || byte == UInt8(ascii: ")")
  }

  /// Whether so much was read again that the rest of the file is not worth it: faults behind which a reader goes back far
  /// could follow one another to the file's end.
  var isGivenUp: Bool { readAgain > 4 * cursor.file.size }

  /// Where the next token is looked for.
  var place: Place { Place(offset: cursor.offset, openDumps: openDumps) }

  /// Where the last token begins. No comment is in a token.
  var startOfToken: Place { Place(offset: start, openDumps: openDumps) }

  /// Goes back to a place that was passed.
  mutating func goBack(to place: Place) {
    readAgain += cursor.offset - place.offset
    cursor.seek(to: place.offset)
    openDumps = place.openDumps
  }

  /// Goes back to a place in order to take for something else what stands there.
  ///
  /// - Throws: `.invalid` if the file is given up.
  mutating func reconsider(from place: Place) throws(ConversationError) {
    goBack(to: place)
    guard !isGivenUp else { throw fault("too much of the file must be read again") }
  }

  mutating func skipLine() throws(ConversationError) {
    while let byte = try cursor.next(), byte != 0x0A {}
  }

  /// What is wrong with the last token.
  func fault(_ what: String) -> ConversationError {
    ConversationError(.invalid, "The SQL is broken or cut off at byte \(start): \(what).")
  }
}

// MARK: Blanks and names

extension SQLLexer {
  /// Goes past white space and comments.
  private mutating func skipBlank() throws(ConversationError) {
    while let byte = try cursor.peek() {
      switch byte {
      case 0x20, 0x09...0x0D: cursor.advance()
      case UInt8(ascii: "-"):
        guard try isDoubled(UInt8(ascii: "-")) else { return }
        try skipLineComment()
      case UInt8(ascii: "/"):
        guard try isDoubled(UInt8(ascii: "*")) else { return }
        try skipComment()
      default: return
      }
    }
  }

  /// Whether the byte behind the next one is `second`.
  private mutating func isDoubled(_ second: UInt8) throws(ConversationError) -> Bool {
    let place = cursor
    cursor.advance()
    let found = try cursor.peek()
    cursor = place
    return found == second
  }

  private mutating func skipLineComment() throws(ConversationError) {
    var line: [UInt8] = []
    while let byte = try cursor.next(), byte != 0x0A {
      if line.count < Self.nameBytes, byte != 0x0D { line.append(byte) }
    }
    switch String(decoding: line, as: UTF8.self) {
    case "-- PostgreSQL database dump": openDumps.databases += 1
    case "-- PostgreSQL database dump complete": openDumps.databases = max(0, openDumps.databases - 1)
    case "-- PostgreSQL database cluster dump": openDumps.clusters += 1
    case "-- PostgreSQL database cluster dump complete": openDumps.clusters = max(0, openDumps.clusters - 1)
    default: break
    }
  }

  /// Comments stand inside one another.
  private mutating func skipComment() throws(ConversationError) {
    start = cursor.offset
    var depth = 0
    var last: UInt8 = 0
    while let byte = try cursor.next() {
      switch (last, byte) {
      case (UInt8(ascii: "/"), UInt8(ascii: "*")): (depth, last) = (depth + 1, 0)
      case (UInt8(ascii: "*"), UInt8(ascii: "/")):
        (depth, last) = (depth - 1, 0)
        if depth == 0 { return }
      default: last = byte
      }
    }
    throw fault("a comment has no end")
  }

  private mutating func name(_ first: UInt8) throws(ConversationError) -> String {
    var bytes = [first]
    while let byte = try cursor.peek(), Self.isNameByte(byte) || byte == UInt8(ascii: "$") {
      if bytes.count < Self.nameBytes { bytes.append(byte) }
      cursor.advance()
    }
    for index in bytes.indices where (0x41...0x5A).contains(bytes[index]) { bytes[index] |= 0x20 }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
      true
    default: false
    }
  }

  private mutating func quotedName() throws(ConversationError) -> String {
    var bytes: [UInt8] = []
    while let byte = try cursor.next() {
      if byte == UInt8(ascii: "\"") {
        guard try cursor.peek() == byte else { return String(decoding: bytes, as: UTF8.self) }
        cursor.advance()
      }
      if bytes.count < Self.nameBytes { bytes.append(byte) }
    }
    throw fault("a name has no end")
  }

  private mutating func number(_ first: UInt8) throws(ConversationError) -> Token {
    var bytes = [first]
    while let byte = try cursor.peek() {
      let isSign = byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")
      let isDigit = (0x30...0x39).contains(byte) || byte == UInt8(ascii: ".") || byte | 0x20 == UInt8(ascii: "e")
      guard isDigit || isSign && (bytes.last.map { $0 | 0x20 }) == UInt8(ascii: "e") else { break }
      if bytes.count < Self.nameBytes { bytes.append(byte) }
      cursor.advance()
    }
    return bytes == [UInt8(ascii: ".")] ? .mark(".") : .number(String(decoding: bytes, as: UTF8.self))
  }
}

// MARK: Strings

extension SQLLexer {
  private mutating func string(hasEscapes: Bool) throws(ConversationError) -> Token {
    text.removeAll(keepingCapacity: true)
    isTextSound = true
    while let byte = try cursor.next() {
      if byte == UInt8(ascii: "'") {
        guard try cursor.peek() == byte else { return .string }
        cursor.advance()
      } else if byte == UInt8(ascii: "\\"), hasEscapes {
        try escape()
        continue
      }
      if text.count < textBytes { text.append(byte) }
    }
    throw fault("a string has no end")
  }

  private mutating func escape() throws(ConversationError) {
    guard let byte = try cursor.next() else { return }
    var bytes: [UInt8] = []
    if byte | 0x20 != UInt8(ascii: "u") {
      bytes = [try cursor.escaped(byte)]
    } else if let scalar = try cursor.escapedScalar(byte) {
      bytes = Array(String(scalar).utf8)
    } else {
      isTextSound = false
    }
    if text.count < textBytes { text += bytes }
  }

  /// A string between two equal tags, `$$` or `$tag$`.
  private mutating func dollars() throws(ConversationError) -> Token {
    var tag = [UInt8(ascii: "$")]
    while let byte = try cursor.peek(), Self.isNameByte(byte), tag.count < Self.nameBytes {
      guard tag.count > 1 || !(0x30...0x39).contains(byte) else { return .mark("$") }
      tag.append(byte)
      cursor.advance()
    }
    guard try cursor.peek() == tag[0] else { return .mark("$") }
    cursor.advance()
    tag.append(tag[0])
    var matched = 0
    text.removeAll(keepingCapacity: true)
    isTextSound = true
    while let byte = try cursor.next() {
      if text.count < textBytes { text.append(byte) }
      // A dollar sign stands at the tag's ends only, so that nothing but the last byte can begin the next one.
      matched = byte == tag[matched] ? matched + 1 : byte == tag[0] ? 1 : 0
      if matched == tag.count {
        text.removeLast(min(tag.count, text.count))
        return .string
      }
    }
    throw fault("a string has no end")
  }
}

extension ByteCursor {
  /// What stands behind a backslash, whose first byte was read: a letter's meaning, a byte in octal or hexadecimal digits, or
  /// itself.
  mutating func escaped(_ first: UInt8) throws(ConversationError) -> UInt8 {
    switch first {
    case UInt8(ascii: "b"): return 0x08
    case UInt8(ascii: "f"): return 0x0C
    case UInt8(ascii: "n"): return 0x0A
    case UInt8(ascii: "r"): return 0x0D
    case UInt8(ascii: "t"): return 0x09
    case UInt8(ascii: "v"): return 0x0B
    case UInt8(ascii: "0")...UInt8(ascii: "7"):
      let rest = try digits(2, radix: 8)
      return UInt8(truncatingIfNeeded: (UInt32(first) - 0x30) << UInt32(3 * rest.count) | rest.value)
    case UInt8(ascii: "x"):
      let found = try digits(2, radix: 16)
      return found.count == 0 ? first : UInt8(truncatingIfNeeded: found.value)
    default: return first
    }
  }

  /// The character in digits behind `\u` or `\U`, or in two such halves of UTF-16; nil for none that PostgreSQL takes.
  fileprivate mutating func escapedScalar(_ letter: UInt8) throws(ConversationError) -> Unicode.Scalar? {
    guard let first = try escapedNumber(letter) else { return nil }
    guard (0xD800..<0xDC00).contains(first) else { return Unicode.Scalar(first) }
    guard try peek() == UInt8(ascii: "\\") else { return nil }
    advance()
    guard let letter = try next(), letter | 0x20 == UInt8(ascii: "u"), let second = try escapedNumber(letter),
      (0xDC00..<0xE000).contains(second)
    else { return nil }
    return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
  }

  private mutating func escapedNumber(_ letter: UInt8) throws(ConversationError) -> UInt32? {
    let count = letter == UInt8(ascii: "u") ? 4 : 8
    let found = try digits(count, radix: 16)
    return found.count == count && found.value > 0 ? found.value : nil
  }

  private mutating func digits(_ most: Int, radix: UInt32) throws(ConversationError) -> (value: UInt32, count: Int) {
    var value: UInt32 = 0
    var count = 0
    while count < most, let byte = try peek(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue,
      digit < radix
    {
      value = value << (radix == 8 ? 3 : 4) | UInt32(digit)
      count += 1
      advance()
    }
    return (value, count)
  }
}
