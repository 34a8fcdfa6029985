import ConversationModel
import HTTPTypes

extension Timestamp {
  /// Reads the ISO 8601 forms that PostgreSQL takes for `timestamptz`: a date, then if wanted a time, its
  /// fraction and a zone (`Z`, `+02`, `+0200`, `+02:00`; UTC without one), parted by `T` or a space. Also
  /// `epoch`, `infinity` and `-infinity`. Digits behind the microsecond are rounded.
  ///
  /// - Throws: 22007 for another text, 22008 for a field that is out of range.
  init(postgres text: String) throws(PostgRESTError) {
    let trimmed = text.trimmingSpaces
    switch trimmed.lowercased() {
    case "epoch": self.init(microseconds: 0)
    case "infinity": self.init(microseconds: .max)
    case "-infinity": self.init(microseconds: .min)
    default:
      guard let fields = TimeFields(trimmed) else {
        throw PostgRESTError(
          .badRequest, "22007",
          "invalid input syntax for type timestamp with time zone: \"\(PostgRESTError.shown(text))\"")
      }
      guard let microseconds = fields.microseconds else {
        throw PostgRESTError(
          .badRequest, "22008", "date/time field value out of range: \"\(PostgRESTError.shown(text))\"")
      }
      self.init(microseconds: microseconds)
    }
  }
}

/// A date and a time as they were written; whether there is such a day is not known yet.
private struct TimeFields {
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

  /// Nil unless the whole text is a date, or a date with a time.
  init?(_ text: Substring) {
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
    zoneIsSound = hours < 16 && (minutes ?? 0) < 60
    zoneSeconds = (hours * 3_600 + (minutes ?? 0) * 60) * (isWest ? -1 : 1)
    return true
  }

  /// Microseconds since 1970 in UTC; nil if a field is out of range. Every field is below 10,000, so
  /// nothing here comes near the end of 64 bits.
  var microseconds: Int64? {
    guard zoneIsSound, year > 0, (1...12).contains(month), (1...daysOfMonth).contains(day), minute < 60, second <= 60,
      hour < 24 || hour == 24 && minute == 0 && second == 0 && microsecond == 0
    else { return nil }
    let seconds = (daysSince1970 * 24 + hour) * 3_600 + minute * 60 + second - zoneSeconds
    return Int64(seconds) * 1_000_000 + Int64(microsecond)
  }

  private var daysOfMonth: Int {
    switch month {
    case 4, 6, 9, 11: 30
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    default: 31
    }
  }

  /// The day count of a proleptic Gregorian date, by the era arithmetic of Howard Hinnant's
  /// "chrono-compatible low-level date algorithms" (`days_from_civil`); the year is not negative here.
  private var daysSince1970: Int {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = shiftedYear / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private struct Scanner {
    var rest: ArraySlice<UInt8>

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
      let digits = rest.prefix(count.upperBound).prefix(while: isDigit)
      guard digits.count >= count.lowerBound else { return nil }
      rest.removeFirst(digits.count)
      return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    /// The digits behind a point, rounded to microseconds; there may be none.
    mutating func fraction() -> Int {
      let digits = rest.prefix(while: isDigit)
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
