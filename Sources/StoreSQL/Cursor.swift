import ConversationModel
import Crypto

/// An opaque place in one ordering: numbers, bound to the list they were taken from.
///
/// The text is a letter for the kind of list, then hexadecimal: 8 bytes a number, then 8 bytes of a
/// SHA-256 over the list's name and the numbers. The check finds damage and mix-ups. It is no
/// secret: a forged cursor names another place in the caller's own list, which it may see anyway.
struct Cursor {
  enum Kind: Character {
    case conversations = "c"
    case messages = "m"
    case revisions = "r"
    case search = "s"
  }

  let kind: Kind
  let list: String
  let numbers: [UInt64]

  var text: String {
    let payload = numbers.flatMap(Self.bytes)
    return String(kind.rawValue) + Self.hex(payload) + Self.hex(Self.check(kind, list, payload))
  }

  init(_ kind: Kind, of list: String, _ numbers: [UInt64]) {
    self.kind = kind
    self.list = list
    self.numbers = numbers
  }

  /// - Throws: `.invalid` if the text is no cursor of this list with `count` numbers.
  init(_ text: String, _ kind: Kind, of list: String, count: Int) throws(ConversationError) {
    let bytes = text.utf8.count <= Limits.cursorCharacters ? Self.unhex(text.utf8.dropFirst()) : nil
    guard text.first == kind.rawValue, let bytes, bytes.count == (count + 1) * 8 else { throw .damagedCursor() }
    let payload = Array(bytes.prefix(count * 8))
    guard Array(bytes.suffix(8)) == Self.check(kind, list, payload) else { throw .damagedCursor() }
    self.init(
      kind, of: list,
      stride(from: 0, to: payload.count, by: 8).map { start in
        payload[start..<start + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      })
  }

  private static func check(_ kind: Kind, _ list: String, _ payload: [UInt8]) -> [UInt8] {
    Array(SHA256.hash(data: Array("\(kind.rawValue) \(list)".utf8) + payload).prefix(8))
  }

  private static func bytes(_ number: UInt64) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  private static func unhex(_ text: some Collection<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    var half: UInt8?
    for character in text {
      let digit: UInt8
      switch character {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character - UInt8(ascii: "a") + 10
      default: return nil
      }
      if let high = half {
        bytes.append(high << 4 | digit)
        half = nil
      } else {
        half = digit
      }
    }
    return half == nil ? bytes : nil
  }
}
