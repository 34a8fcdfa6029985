/// A number as it is written in JSON. Nothing is rounded until somebody asks for ``int`` or ``double``.
///
/// Always a valid literal of at most ``JSONLimits/numberBytes`` bytes whose value is a finite double.
/// Two numbers are equal when they are written alike: `1`, `1.0` and `1e0` are three.
public struct JSONNumber: Sendable, Equatable {
  /// The literal, byte for byte.
  public let text: String

  /// The reader's way in: `literal` has been checked.
  init(checked literal: String) {
    text = literal
  }

  /// The number as decimal digits.
  public init(_ value: Int) {
    text = String(value)
  }

  /// The shortest literal that reads as `value` again.
  ///
  /// - Returns: nil for infinities and for what is not a number; JSON cannot say them.
  public init?(_ value: Double) {
    guard value.isFinite else { return nil }
    text = value.description
  }

  /// The number that `literal` writes.
  ///
  /// - Returns: nil unless `literal` is a number by ``JSONReader``'s rules, with nothing around it.
  public init?(literal: String) {
    guard case .number(let number) = try? JSONReader.read(literal), UTF8Bytes.equal(number.text, literal)
    else {
      return nil
    }
    self = number
  }

  /// The exact value as an integer, however it is written (`100`, `100.0`, `1e2`); nil if it has a fraction
  /// or does not fit 64 bits. `-0` is 0.
  public var int: Int? {
    // Summed up below zero, where Int reaches one further. Zeros wait until a digit follows: those at the
    // end belong to the exponent, and 10000000000000000000000e-22 is 1.
    var sum = 0
    var zeros = 0
    var places = 0
    var inFraction = false
    var literal = text.utf8[...]
    let negative = literal.first == UInt8(ascii: "-")
    if negative { literal.removeFirst() }
    while let byte = literal.first, byte | 0x20 != UInt8(ascii: "e") {
      literal.removeFirst()
      if byte == UInt8(ascii: ".") {
        inFraction = true
        continue
      }
      if inFraction { places += 1 }
      zeros += 1
      guard byte != UInt8(ascii: "0") else { continue }
      guard let shifted = Self.shift(sum, by: zeros) else { return nil }
      let (next, overflow) = shifted.subtractingReportingOverflow(Int(byte &- UInt8(ascii: "0")))
      guard !overflow else { return nil }
      sum = next
      zeros = 0
    }
    guard sum != 0 else { return 0 }

    // What is left is empty or an exponent, at most `JSONLimits.exponent` either way.
    let exponent = Int(Substring(literal.dropFirst())) ?? 0
    guard let value = Self.shift(sum, by: exponent - places + zeros) else { return nil }
    if negative { return value }
    return value == .min ? nil : -value
  }

  /// The nearest double. `-0` keeps its sign.
  public var double: Double {
    Double(text) ?? 0
  }

  /// `value` times ten to the power of `places`, or nil if that is no integer of 64 bits.
  private static func shift(_ value: Int, by places: Int) -> Int? {
    guard value != 0 else { return 0 }
    guard (0...19).contains(places) else { return nil }
    var result = value
    for _ in 0..<places {
      let (product, overflow) = result.multipliedReportingOverflow(by: 10)
      guard !overflow else { return nil }
      result = product
    }
    return result
  }
}
