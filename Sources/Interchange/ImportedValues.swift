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

  /// A time as PostgreSQL writes it; nil outside the years 1 to 9999.
  init?(postgres text: String) {
    guard let time = PostgresTime(text)?.timestamp,
      (-62_135_596_800_000_000..<253_402_300_800_000_000).contains(time.microseconds)
    else { return nil }
    self = time
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
