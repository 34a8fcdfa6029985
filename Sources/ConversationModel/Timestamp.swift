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

extension Int64 {
  /// Quotient rounded towards minus infinity, and the remainder that is never negative.
  fileprivate func floorDivided(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
