/// An instant: whole microseconds since 1970-01-01T00:00:00Z, the resolution that both engines keep.
public struct Timestamp: Hashable, Sendable, Comparable {
  public let microseconds: Int64

  public init(microseconds: Int64) {
    self.microseconds = microseconds
  }

  public static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }
}

extension Timestamp: CustomStringConvertible {
  /// RFC 3339 in UTC with six decimals: `2026-11-22T13:34:24.877756Z`.
  public var description: String {
    String(unsafeUninitializedCapacity: Self.capacity) { write(into: $0) }
  }

  /// Bytes that the text form needs at most.
  public static let capacity = 40

  /// Writes `description` to the front of a buffer of at least `capacity` bytes; returns its length.
  public func write(into buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
    write(into: buffer, suffix: "Z", trimmingZeros: false)
  }

  /// RFC 3339 as PostgreSQL prints `timestamptz` in JSON: `2026-11-22T13:34:24.8777+00:00`, trailing
  /// zeros of the fraction trimmed, no fraction at all for a whole second.
  public var postgresText: String {
    String(unsafeUninitializedCapacity: Self.capacity) {
      write(into: $0, suffix: "+00:00", trimmingZeros: true)
    }
  }

  private func write(
    into buffer: UnsafeMutableBufferPointer<UInt8>, suffix: StaticString, trimmingZeros: Bool
  ) -> Int {
    let (days, ofDay) = microseconds.floorDivided(by: 86_400_000_000)
    let (year, month, day) = Self.civilDate(daysSince1970: days)
    let seconds = ofDay / 1_000_000
    var out = 0
    func put(_ value: Int64, width: Int) {
      var value = value
      for place in stride(from: out + width - 1, through: out, by: -1) {
        buffer[place] = UInt8(ascii: "0") + UInt8(value % 10)
        value /= 10
      }
      out += width
    }
    func put(_ character: Unicode.Scalar) {
      buffer[out] = UInt8(ascii: character)
      out += 1
    }
    put(min(max(year, 0), 9999), width: 4)
    put("-")
    put(month, width: 2)
    put("-")
    put(day, width: 2)
    put("T")
    put(seconds / 3600, width: 2)
    put(":")
    put(seconds / 60 % 60, width: 2)
    put(":")
    put(seconds % 60, width: 2)
    let fraction = ofDay % 1_000_000
    if !trimmingZeros || fraction != 0 {
      put(".")
      put(fraction, width: 6)
      while trimmingZeros, buffer[out - 1] == UInt8(ascii: "0") { out -= 1 }
    }
    suffix.withUTF8Buffer { for byte in $0 { put(Unicode.Scalar(byte)) } }
    return out
  }

  /// The proleptic Gregorian date of a day count, by the era arithmetic of Howard Hinnant's
  /// "chrono-compatible low-level date algorithms" (`civil_from_days`).
  private static func civilDate(daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, ofEra) = (daysSince1970 + 719_468).floorDivided(by: 146_097)
    let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
    let dayOfYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }
}

extension Timestamp {
  /// Reads `description`, and nothing else: the years 0 to 9999 in UTC, with six decimals.
  public init?(_ text: some StringProtocol) {
    let form = "0000-00-00T00:00:00.000000Z".utf8
    guard text.utf8.count == form.count else { return nil }
    // The numbers between the marks: year, month, day, hour, minute, second, microsecond.
    var fields: [Int64] = []
    var number: Int64 = 0
    for (byte, mark) in zip(text.utf8, form) {
      if mark == UInt8(ascii: "0") {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        number = number * 10 + Int64(byte - UInt8(ascii: "0"))
      } else {
        guard byte == mark else { return nil }
        fields.append(number)
        number = 0
      }
    }
    let days = Self.daysSince1970(year: fields[0], month: fields[1], day: fields[2])
    let seconds = ((days * 24 + fields[3]) * 60 + fields[4]) * 60 + fields[5]
    self.init(microseconds: seconds * 1_000_000 + fields[6])
    // A day that no month has, or a minute that no hour has, comes out as another time.
    guard text.utf8.elementsEqual(description.utf8) else { return nil }
  }

  /// The inverse of `civilDate` (`days_from_civil`); a month out of range is one of another year.
  static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
    let (era, yearOfEra) = (month <= 2 ? year - 1 : year).floorDivided(by: 400)
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }
}

extension Int64 {
  /// Quotient rounded towards minus infinity, and the remainder that is never negative.
  fileprivate func floorDivided(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
