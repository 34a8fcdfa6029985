/// A 128-bit identifier of one kind of thing, so that a message's id cannot be passed where a
/// user's is wanted.
///
/// The text form is the lower-case UUID (RFC 9562, 8-4-4-4-12). Ids made by Parley are version 7: the
/// first 48 bits are milliseconds since 1970, which keeps new rows side by side in every index.
public struct Identifier<Entity>: Hashable, Sendable, Comparable {
  /// The first eight bytes, big-endian.
  public let high: UInt64
  /// The last eight bytes, big-endian.
  public let low: UInt64

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// A version 7 UUID (RFC 9562 §5.7) for an instant, with 74 random bits.
  public init(at time: Timestamp, random: (UInt64, UInt64)) {
    let milliseconds = UInt64(bitPattern: max(0, time.microseconds / 1000))
    high = (milliseconds << 16) | 0x7000 | (random.0 & 0x0FFF)
    low = 0x8000_0000_0000_0000 | (random.1 & 0x3FFF_FFFF_FFFF_FFFF)
  }

  /// Reads the 36-character form in either case; nil for anything else.
  public init?(_ text: some StringProtocol) {
    var halves: (UInt64, UInt64) = (0, 0)
    var digits = 0
    var index = 0
    for byte in text.utf8 {
      if index == 8 || index == 13 || index == 18 || index == 23 {
        guard byte == UInt8(ascii: "-") else { return nil }
      } else {
        guard index < 36, let digit = Self.hexDigit(byte) else { return nil }
        if digits < 16 {
          halves.0 = halves.0 << 4 | digit
        } else {
          halves.1 = halves.1 << 4 | digit
        }
        digits += 1
      }
      index += 1
    }
    guard index == 36 else { return nil }
    (high, low) = halves
  }

  private static func hexDigit(_ byte: UInt8) -> UInt64? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
  }

  public static func < (left: Self, right: Self) -> Bool {
    (left.high, left.low) < (right.high, right.low)
  }
}

extension Identifier: CustomStringConvertible {
  /// The 36-character lower-case form.
  public var description: String {
    String(unsafeUninitializedCapacity: Self.characters) { write(into: $0) }
  }

  /// Bytes of the text form.
  public static var characters: Int { 36 }

  /// Writes the text form to the front of a buffer and returns `characters`, so that a page full of
  /// ids can be written without a string for each.
  public func write(into buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
    var out = 0
    for index in 0..<2 {
      let half = index == 0 ? high : low
      for shift in stride(from: 60, through: 0, by: -4) {
        if out == 8 || out == 13 || out == 18 || out == 23 {
          buffer[out] = UInt8(ascii: "-")
          out += 1
        }
        let digit = UInt8(truncatingIfNeeded: half >> UInt64(shift)) & 0x0F
        buffer[out] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        out += 1
      }
    }
    return out
  }
}

/// The owner of sessions. Parley keeps no rows for users: a user is the id that a token names.
public enum User {}

public typealias UserID = Identifier<User>
public typealias ConversationID = Identifier<Conversation>
public typealias MessageID = Identifier<Message>
