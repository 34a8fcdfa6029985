/// Strings as the bytes of their UTF-8, eight at a time.
///
/// Swift's own `==` and `<` on strings go by canonical equivalence, under which two different keys can be
/// one.
enum UTF8Bytes {
  static func equal(_ left: String, _ right: String) -> Bool {
    left.utf8.count == right.utf8.count
      && withBytes(of: left, and: right) { left, right in
        firstDifference(left, right, within: left.count) == nil
      }
  }

  /// Whether `left` stands before `right` byte for byte, which is also the order of their scalars.
  static func precedes(_ left: String, _ right: String) -> Bool {
    withBytes(of: left, and: right) { left, right in
      guard let index = firstDifference(left, right, within: min(left.count, right.count)) else {
        return left.count < right.count
      }
      return left[index] < right[index]
    }
  }

  /// The first eight bytes of `text` as one number, the first in the highest place; NUL stands in for what is
  /// missing. Where two heads differ, they are in the order of their texts.
  static func head(of text: String) -> UInt64 {
    text.utf8Span.span.bytes.withUnsafeBytes { bytes in
      if bytes.count >= 8 { return UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)) }
      var head: UInt64 = 0
      for index in 0..<8 { head = head << 8 | UInt64(index < bytes.count ? bytes[index] : 0) }
      return head
    }
  }

  /// The index of the first byte from `start` on that cannot stand in a JSON string as it is: a quotation
  /// mark, a backslash or a control character. `bytes.count` if there is none.
  @inline(__always)
  static func firstSpecial(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
    var index = start
    while index &+ 8 <= bytes.count {
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      // The sign bit of a byte is set here if the byte is special. A borrow can set it wrongly in a
      // higher byte only, so the lowest one is always right.
      let control = (word &- 0x2020_2020_2020_2020) & ~word
      let quote = zeroBytes(word ^ 0x2222_2222_2222_2222)
      let backslash = zeroBytes(word ^ 0x5C5C_5C5C_5C5C_5C5C)
      let special = (control | quote | backslash) & 0x8080_8080_8080_8080
      if special != 0 { return index &+ special.trailingZeroBitCount / 8 }
      index &+= 8
    }
    while index < bytes.count, !isSpecial(bytes[index]) { index &+= 1 }
    return index
  }

  private static func isSpecial(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
  }

  @inline(__always)
  private static func zeroBytes(_ word: UInt64) -> UInt64 {
    (word &- 0x0101_0101_0101_0101) & ~word
  }

  private static func firstDifference(
    _ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer, within count: Int
  ) -> Int? {
    var index = 0
    while index + 8 <= count {
      let difference =
        UInt64(littleEndian: left.loadUnaligned(fromByteOffset: index, as: UInt64.self))
        ^ UInt64(littleEndian: right.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      if difference != 0 { return index + difference.trailingZeroBitCount / 8 }
      index += 8
    }
    while index < count {
      if left[index] != right[index] { return index }
      index += 1
    }
    return nil
  }

  @inline(__always)
  private static func withBytes<Result>(
    of left: String, and right: String, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Result
  ) -> Result {
    left.utf8Span.span.bytes.withUnsafeBytes { left in
      right.utf8Span.span.bytes.withUnsafeBytes { right in body(left, right) }
    }
  }
}
