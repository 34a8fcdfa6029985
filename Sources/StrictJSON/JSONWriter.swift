/// Writes JSON into a growing array of bytes, with commas where they belong.
///
/// ```swift
/// var writer = JSONWriter()
/// writer.beginObject()
/// writer.key("title")
/// writer.string(title)
/// writer.endObject()
/// ```
///
/// The caller pairs begin and end and gives each key one value; a value by itself is a text as well. What is
/// written has no white space and no more escapes than RFC 8259 asks for. A writer has no limit of its own:
/// bound what goes in.
public struct JSONWriter: Sendable {
  /// The text so far, in UTF-8.
  public private(set) var bytes: [UInt8] = []

  /// Whether the next key or element stands behind another one.
  private var needsComma = false

  /// - Parameter reserving: How many bytes to make room for at once.
  public init(reserving: Int = 256) {
    bytes.reserveCapacity(reserving)
  }

  /// The text so far, as a string.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Hands out the text so far and goes on behind it: for a text that is sent in pieces.
  public mutating func takeBytes() -> [UInt8] {
    defer { bytes.removeAll() }
    return bytes
  }

  /// Opens an object, as an element, a member's value or the whole text.
  public mutating func beginObject() {
    begin(UInt8(ascii: "{"))
  }

  /// Closes the object that was opened last.
  public mutating func endObject() {
    end(UInt8(ascii: "}"))
  }

  /// Opens an array, as an element, a member's value or the whole text.
  public mutating func beginArray() {
    begin(UInt8(ascii: "["))
  }

  /// Closes the array that was opened last.
  public mutating func endArray() {
    end(UInt8(ascii: "]"))
  }

  /// Writes the name of the next member of an object; its value comes next.
  public mutating func key(_ name: String) {
    separate()
    quote(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// Writes `text` in quotation marks, escaping only quotation marks, backslashes and control characters.
  public mutating func string(_ text: String) {
    separate()
    quote(text)
  }

  /// Writes `text`, or `null` if there is none.
  public mutating func string(_ text: String?) {
    if let text { string(text) } else { null() }
  }

  /// Writes a string that is made in place: `fill` gets room for `capacity` bytes and returns how many it
  /// wrote, printable ASCII without quotation marks and backslashes.
  public mutating func plainString(capacity: Int, _ fill: (UnsafeMutableBufferPointer<UInt8>) -> Int) {
    separate()
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: capacity + 2) { buffer in
      let written = fill(UnsafeMutableBufferPointer(rebasing: buffer[1...]))
      buffer[0] = UInt8(ascii: "\"")
      buffer[written + 1] = UInt8(ascii: "\"")
      bytes.append(contentsOf: buffer[..<(written + 2)])
    }
  }

  /// Writes `value` in decimal digits.
  public mutating func int(_ value: Int) {
    separate()
    append(String(value))
  }

  /// Writes `value`, or `null` if there is none.
  public mutating func int(_ value: Int?) {
    if let value { int(value) } else { null() }
  }

  /// Writes `value` as it was written.
  public mutating func number(_ value: JSONNumber) {
    separate()
    append(value.text)
  }

  /// Writes `true` or `false`.
  public mutating func bool(_ value: Bool) {
    separate()
    append(value ? "true" : "false")
  }

  /// Writes `null`.
  public mutating func null() {
    separate()
    append("null")
  }

  /// Writes one value that is JSON already, as it is. The caller vouches for it.
  public mutating func raw(_ json: String) {
    separate()
    append(json)
  }

  /// Writes `value` with the members of its objects in document order.
  public mutating func value(_ value: JSONValue) {
    write(value) { $0.members }
  }

  /// Writes `value` with the members of its objects in the order of their keys.
  mutating func canonical(_ value: JSONValue) {
    write(value) { $0.sortedMembers }
  }

  private mutating func write(_ value: JSONValue, members: (JSONObject) -> [JSONObject.Member]) {
    switch value {
    case .null: null()
    case .bool(let value): bool(value)
    case .number(let value): number(value)
    case .string(let value): string(value)
    case .array(let elements):
      beginArray()
      for element in elements { write(element, members: members) }
      endArray()
    case .object(let object):
      beginObject()
      for member in members(object) {
        key(member.key)
        write(member.value, members: members)
      }
      endObject()
    }
  }
}

extension JSONWriter {
  private mutating func begin(_ bracket: UInt8) {
    separate()
    bytes.append(bracket)
    needsComma = false
  }

  private mutating func end(_ bracket: UInt8) {
    bytes.append(bracket)
    needsComma = true
  }

  @inline(__always)
  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }

  private mutating func append(_ text: String) {
    text.utf8Span.span.bytes.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }

  private mutating func quote(_ text: String) {
    text.utf8Span.span.bytes.withUnsafeBytes { source in
      bytes.append(UInt8(ascii: "\""))
      var start = 0
      while true {
        let special = UTF8Bytes.firstSpecial(in: source, from: start)
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: source[start..<special]))
        guard special < source.count else { break }
        escape(source[special])
        start = special + 1
      }
      bytes.append(UInt8(ascii: "\""))
    }
  }

  private mutating func escape(_ byte: UInt8) {
    bytes.append(UInt8(ascii: "\\"))
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
    case 0x08: bytes.append(UInt8(ascii: "b"))
    case 0x09: bytes.append(UInt8(ascii: "t"))
    case 0x0A: bytes.append(UInt8(ascii: "n"))
    case 0x0C: bytes.append(UInt8(ascii: "f"))
    case 0x0D: bytes.append(UInt8(ascii: "r"))
    default:
      append(byte < 0x10 ? "u000" : "u001")
      let digit = byte & 0x0F
      bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
  }
}
