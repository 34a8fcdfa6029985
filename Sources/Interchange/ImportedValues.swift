import ConversationModel
import StrictJSON

// Values of other systems, made such that a store takes them.

extension Identifier {
  /// The id that a text stands for: itself if it is a UUID, else one that follows from it, so that a second import makes
  /// the same. Two 64-bit FNV-1a sums with different starts, each finished with SplitMix64's mixer, as a UUID of version 8
  /// (RFC 9562 §5.8). No protection against texts that are chosen to collide: the store refuses an id that comes twice.
  init(following text: String, in scope: String) {
    if let id = Self(text) {
      self = id
      return
    }
    var sums: (UInt64, UInt64) = (0xCBF2_9CE4_8422_2325, 0x9AE1_6A3B_2F90_404F)
    func add(_ byte: UInt8) {
      sums.0 = (sums.0 ^ UInt64(byte)) &* 0x100_0000_01B3
      sums.1 = (sums.1 ^ UInt64(byte)) &* 0x100_0000_01B3
    }
    for byte in scope.utf8 { add(byte) }
    add(0)
    for byte in text.utf8 { add(byte) }
    self.init(
      high: mixed(sums.0) & ~0xF000 | 0x8000,
      low: mixed(sums.1 ^ sums.0) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
  }
}

/// The last step of SplitMix64 (Steele, Lea, Flood 2014).
private func mixed(_ value: UInt64) -> UInt64 {
  var value = value
  value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
  value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
  return value ^ (value >> 31)
}

extension Timestamp {
  /// Seconds since 1970 as a number; nil outside the years 1 to 9999.
  init?(seconds: Double?) {
    guard let seconds, seconds.isFinite, seconds > -62_135_596_800, seconds < 253_402_300_799 else { return nil }
    self.init(microseconds: Int64((seconds * 1_000_000).rounded()))
  }

  /// A time as PostgreSQL writes it: `2026-11-22 13:34:24.8777+00`, with a T or a space and any offset.
  ///
  /// Reads the bytes itself: `init(_:)` takes any kind of string, and a table has many times.
  init?(postgres text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count >= 19, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
      bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: " "), bytes[13] == UInt8(ascii: ":"),
      bytes[16] == UInt8(ascii: ":"),
      let year = Self.number(bytes[0..<4]), let month = Self.number(bytes[5..<7]), let day = Self.number(bytes[8..<10]),
      let hour = Self.number(bytes[11..<13]), let minute = Self.number(bytes[14..<16]),
      let second = Self.number(bytes[17..<19]), hour < 24, minute < 60, second < 60,
      let days = Self.days(year, month, day)
    else { return nil }
    var end = 19
    var fraction = 0
    if end < bytes.count, bytes[end] == UInt8(ascii: ".") {
      let digits = bytes[20...].prefix { (0x30...0x39).contains($0) }
      guard (1...6).contains(digits.count), let number = Self.number(digits) else { return nil }
      fraction = (digits.count..<6).reduce(number) { value, _ in value * 10 }
      end += 1 + digits.count
    }
    guard let offset = Self.offsetSeconds(bytes[end...]) else { return nil }
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset
    self.init(microseconds: Int64(seconds) * 1_000_000 + Int64(fraction))
    guard (-62_135_596_800_000_000..<253_402_300_800_000_000).contains(microseconds) else { return nil }
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
    var number = 0
    for byte in digits {
      guard (0x30...0x39).contains(byte) else { return nil }
      number = number * 10 + Int(byte - 0x30)
    }
    return number
  }

  /// Days from 1970 to a day of the Gregorian calendar; nil for one that it has not.
  private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int? {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard year >= 1, (1...12).contains(month), (1...lengths[month - 1]).contains(day) else { return nil }
    let before = year - 1
    return before * 365 + before / 4 - before / 100 + before / 400 + lengths[..<(month - 1)].reduce(0, +) + day
      - 719_163
  }

  /// Of `Z`, nothing, `+00`, `-03:30`, `+00:53:28`.
  private static func offsetSeconds(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard let sign = bytes.first, bytes != [UInt8(ascii: "Z")] else { return 0 }
    guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"), [3, 6, 9].contains(bytes.count) else { return nil }
    var seconds = 0
    var rest = bytes.dropFirst()
    for unit in [3600, 60, 1] where !rest.isEmpty {
      if unit < 3600 {
        guard rest.first == UInt8(ascii: ":") else { return nil }
        rest = rest.dropFirst()
      }
      guard let number = number(rest.prefix(2)) else { return nil }
      seconds += number * unit
      rest = rest.dropFirst(2)
    }
    return sign == UInt8(ascii: "-") ? -seconds : seconds
  }
}

/// A title that a store takes: without control characters, cut at `Limits.titleScalars`; nil if nothing is left.
func fittingTitle(_ title: String) -> (title: String?, isCut: Bool) {
  let kept = title.unicodeScalars.filter { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
  var scalars = String.UnicodeScalarView()
  scalars.append(contentsOf: kept.prefix(Limits.titleScalars))
  return (scalars.isEmpty ? nil : String(scalars), kept.count > Limits.titleScalars)
}

extension JSONValue {
  /// Nil unless it is an object that a store takes.
  var fittingObject: JSONText? {
    guard object != nil, depth <= Limits.objectDepth else { return nil }
    let text = canonicalText()
    return text.utf8.count <= Limits.objectBytes ? JSONText(canonical: text) : nil
  }
}
