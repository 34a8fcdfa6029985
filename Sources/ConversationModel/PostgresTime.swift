/// A date and a time as PostgreSQL writes and reads `timestamptz`; whether there is such a day is not known yet.
public struct PostgresTime: Sendable {
  private var year = 0
  private var month = 0
  private var day = 0
  private var hour = 0
  private var minute = 0
  private var second = 0
  private var microsecond = 0
  private var zoneSeconds = 0
  private var zoneIsSound = true

  /// Bytes of a time: far more than any precision needs.
  private static let longest = 64

  /// Reads the ISO 8601 forms: a date, then if wanted a time, its fraction and a zone (`Z`, `+02`, `+0200`, `+02:00`,
  /// `+00:53:28`; UTC without one), parted by `T` or a space. Digits behind the microsecond are rounded.
  ///
  /// Nil unless the whole text is a date, or a date with a time.
  public init?(_ text: some StringProtocol) {
    guard text.utf8.count <= Self.longest else { return nil }
    var scanner = Scanner(rest: Array(text.utf8)[...])
    guard let year = scanner.number(4...4), scanner.skip("-"), let month = scanner.number(1...2), scanner.skip("-"),
      let day = scanner.number(1...2)
    else { return nil }
    (self.year, self.month, self.day) = (year, month, day)
    if scanner.skip("T") || scanner.skip("t") || scanner.skip(" ") {
      scanner.skipSpaces()
      guard let hour = scanner.number(1...2), scanner.skip(":"), let minute = scanner.number(2...2) else { return nil }
      (self.hour, self.minute) = (hour, minute)
      if scanner.skip(":") {
        guard let second = scanner.number(2...2) else { return nil }
        self.second = second
        if scanner.skip(".") { microsecond = scanner.fraction() }
      }
      scanner.skipSpaces()
      guard readZone(&scanner) else { return nil }
    }
    guard scanner.rest.isEmpty else { return nil }
  }

  private mutating func readZone(_ scanner: inout Scanner) -> Bool {
    if scanner.rest.isEmpty || scanner.skip("Z") || scanner.skip("z") { return true }
    let isWest = scanner.skip("-")
    guard isWest || scanner.skip("+"), let hours = scanner.number(2...2) else { return false }
    let hasColon = scanner.skip(":")
    let minutes = scanner.number(2...2)
    guard minutes != nil || !hasColon else { return false }
    var seconds = 0
    if hasColon, scanner.skip(":") {
      guard let number = scanner.number(2...2) else { return false }
      seconds = number
    }
    zoneIsSound = hours < 16 && (minutes ?? 0) < 60 && seconds < 60
    zoneSeconds = (hours * 3_600 + (minutes ?? 0) * 60 + seconds) * (isWest ? -1 : 1)
    return true
  }

  /// Nil if a field is out of range. Every field is below 10,000, so nothing here comes near the end of 64 bits.
  public var timestamp: Timestamp? {
    guard zoneIsSound, year > 0, (1...12).contains(month), (1...daysOfMonth).contains(day), minute < 60, second <= 60,
      hour < 24 || hour == 24 && minute == 0 && second == 0 && microsecond == 0
    else { return nil }
    let days = Timestamp.daysSince1970(year: Int64(year), month: Int64(month), day: Int64(day))
    let seconds = (days * 24 + Int64(hour)) * 3_600 + Int64(minute * 60 + second - zoneSeconds)
    return Timestamp(microseconds: seconds * 1_000_000 + Int64(microsecond))
  }

  private var daysOfMonth: Int {
    switch month {
    case 4, 6, 9, 11: 30
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    default: 31
    }
  }

  private struct Scanner {
    var rest: ArraySlice<UInt8>

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
      guard rest.first == UInt8(ascii: character) else { return false }
      rest.removeFirst()
      return true
    }

    mutating func skipSpaces() {
      while skip(" ") {}
    }

    /// As many digits as `count` allows; nil if there are fewer.
    mutating func number(_ count: ClosedRange<Int>) -> Int? {
      let digits = rest.prefix(count.upperBound).prefix(while: Self.isDigit)
      guard digits.count >= count.lowerBound else { return nil }
      rest.removeFirst(digits.count)
      return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    /// The digits behind a point, rounded to microseconds; there may be none.
    mutating func fraction() -> Int {
      let digits = rest.prefix(while: Self.isDigit)
      rest.removeFirst(digits.count)
      var value = 0
      for place in 0..<6 {
        let index = digits.startIndex + place
        value = value * 10 + (index < digits.endIndex ? Int(digits[index] - UInt8(ascii: "0")) : 0)
      }
      let next = digits.startIndex + 6
      return next < digits.endIndex && digits[next] >= UInt8(ascii: "5") ? value + 1 : value
    }
  }
}
