import ConversationModel
import StrictJSON

/// Walks a JSON file of any size with bounded memory: into arrays and objects, past values. What stands inside a value
/// that is passed over is only followed as far as its end must be found; whoever takes it reads it strictly.
struct JSONWalk {
  var cursor: ByteCursor
  /// Arrays and objects inside one another whose kinds are remembered; deeper ones are counted, as whoever takes a value
  /// takes none that deep.
  private static let depth = 512

  /// - Parameter end: Where to stop; nil for the end of the file.
  init(_ file: ImportFile, at offset: Int = 0, end: Int? = nil) { cursor = ByteCursor(file, at: offset, end: end) }

  /// The next byte that is no white space; nil at the end.
  mutating func peek() throws(ConversationError) -> UInt8? {
    while let byte = try cursor.peek() {
      guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
      cursor.advance()
    }
    return nil
  }

  mutating func take(_ character: Unicode.Scalar) throws(ConversationError) {
    guard try peek() == UInt8(ascii: character) else { throw broken }
    cursor.advance()
  }

  /// Goes to the next element of an array, or past the array's end.
  ///
  /// - Returns: False at the end.
  mutating func nextElement(isFirst: Bool) throws(ConversationError) -> Bool {
    if try peek() == UInt8(ascii: "]") {
      cursor.advance()
      return false
    }
    if !isFirst { try take(",") }
    return true
  }

  /// Goes to the value of the next member of an object, or past the object's end.
  ///
  /// - Returns: The key, "" for one longer than 1 KiB; nil at the end.
  mutating func nextKey(isFirst: Bool) throws(ConversationError) -> String? {
    if try peek() == UInt8(ascii: "}") {
      cursor.advance()
      return nil
    }
    if !isFirst { try take(",") }
    guard try peek() == UInt8(ascii: "\"") else { throw broken }
    let span = try skip()
    try take(":")
    guard span.count <= 1024 else { return "" }
    return (try? JSONReader.read(cursor.file.read(at: span.lowerBound, count: span.count)))?.string ?? ""
  }

  /// Goes past the next value.
  ///
  /// - Returns: Where it stands.
  @discardableResult
  mutating func skip() throws(ConversationError) -> Range<Int> {
    guard let first = try peek(), first != UInt8(ascii: ","), first != UInt8(ascii: ":") else { throw broken }
    let start = cursor.offset
    var closers: [UInt8] = []
    var deeper = 0
    repeat {
      guard let byte = try peek() else { throw broken }
      switch byte {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        // The closing bracket stands two places behind the opening one in ASCII.
        if closers.count < Self.depth { closers.append(byte + 2) } else { deeper += 1 }
        cursor.advance()
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if deeper > 0 {
          deeper -= 1
        } else if closers.popLast() != byte {
          throw broken
        }
        cursor.advance()
      case UInt8(ascii: "\""): try skipString()
      case UInt8(ascii: ","), UInt8(ascii: ":"): cursor.advance()
      default: try skipScalar()
      }
    } while !closers.isEmpty
    return start..<cursor.offset
  }

  private mutating func skipString() throws(ConversationError) {
    cursor.advance()
    while let byte = try cursor.next() {
      if byte == UInt8(ascii: "\"") { return }
      if byte == UInt8(ascii: "\\") { _ = try cursor.next() }
    }
    throw broken
  }

  private mutating func skipScalar() throws(ConversationError) {
    var count = 0
    while let byte = try cursor.peek(), Self.isScalar(byte) {
      cursor.advance()
      count += 1
    }
    guard count > 0 else { throw broken }
  }

  /// Letters, digits and signs: what `true`, `null` and numbers are written with.
  private static func isScalar(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "E"),
      UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
      true
    default: false
    }
  }

  /// Whatever stands behind the end of the document; nil for nothing.
  mutating func rest() throws(ConversationError) -> SkippedPiece? {
    guard try peek() != nil else { return nil }
    return SkippedPiece(place: "byte \(cursor.offset)", why: "The JSON ends in front of this, which is not taken.")
  }

  /// What is wrong at the place where the walk stands.
  private var broken: ConversationError {
    let isCut = cursor.offset >= cursor.file.size
    return ConversationError(
      .invalid,
      isCut
        ? "The file is cut off: the JSON has no end."
        : "The JSON is broken at byte \(cursor.offset); the rest of the file cannot be read.")
  }
}
