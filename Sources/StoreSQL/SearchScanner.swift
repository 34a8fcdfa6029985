/// Takes a text apart as the search index sees it, piece by piece: words, and runs of characters that are written without
/// spaces. A search is taken apart by the same rules as the texts, so nothing in it is syntax.
struct SearchScanner {
  enum Piece {
    /// In `word`.
    case word
    /// In `run`.
    case run
  }

  /// A character of a run, folded, and where it starts in the text.
  struct RunScalar {
    var value: UInt32
    let start: Int
  }

  /// Bytes of a word that count; longer ones are the same if they begin the same. No language has such words, but data has.
  static let wordBytes = 96

  private let text: UnsafeBufferPointer<UInt8>
  private var next = 0
  /// The last word, folded, as UTF-8.
  private(set) var word: [UInt8] = []
  /// The last run.
  private(set) var run: [RunScalar] = []
  /// Where the last piece stands in the text, in bytes.
  private(set) var range = 0..<0

  /// - Parameter text: Valid UTF-8, which outlives the scanner.
  init(_ text: UnsafeBufferPointer<UInt8>) {
    self.text = text
    word.reserveCapacity(Self.wordBytes + 12)
  }

  /// The byte behind the last piece; nil at the end.
  var following: UInt8? { range.upperBound < text.count ? text[range.upperBound] : nil }

  /// Goes on to the next piece; nil at the end of the text.
  mutating func piece() -> Piece? {
    while next < text.count {
      let byte = text[next]
      if byte < 0x80 {
        guard Self.isWord(byte) else {
          next += 1
          continue
        }
        takeWord()
        return .word
      }
      let (scalar, length) = decoded()
      let folded = SearchFolding.folded(scalar)
      switch folded.kind {
      case .word:
        takeWord()
        return .word
      case .run:
        takeRun()
        return .run
      case .symbol:
        word.removeAll(keepingCapacity: true)
        append(folded.first)
        range = next..<next + length
        next += length
        return .word
      case .separator, .ignored: next += length
      }
    }
    return nil
  }

  private mutating func takeWord() {
    word.removeAll(keepingCapacity: true)
    let start = next
    while next < text.count {
      let byte = text[next]
      if byte < 0x80 {
        guard Self.isWord(byte) else { break }
        // Upper case differs from lower in one bit, which digits have set.
        if word.count < Self.wordBytes { word.append(byte | 0x20) }
        next += 1
        continue
      }
      let (scalar, length) = decoded()
      let folded = SearchFolding.folded(scalar)
      if folded.kind == .word {
        if word.count < Self.wordBytes {
          append(folded.first)
          if folded.second != 0 { append(folded.second) }
          if folded.third != 0 { append(folded.third) }
        }
      } else if folded.kind != .ignored {
        break
      }
      next += length
    }
    range = start..<next
  }

  private mutating func takeRun() {
    run.removeAll(keepingCapacity: true)
    let start = next
    while next < text.count, text[next] >= 0x80 {
      let (scalar, length) = decoded()
      let folded = SearchFolding.folded(scalar)
      if folded.kind == .run {
        if let last = run.last, let both = SearchFolding.composed(last.value, folded.first) {
          run[run.count - 1].value = both
        } else {
          run.append(RunScalar(value: folded.first, start: next))
        }
      } else if folded.kind != .ignored {
        break
      }
      next += length
    }
    range = start..<next
  }

  /// ASCII letters and digits.
  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }

  /// The scalar at `next`, of two to four bytes.
  private func decoded() -> (Unicode.Scalar, length: Int) {
    let first = UInt32(text[next])
    let length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
    guard next + length <= text.count else { return ("\u{FFFD}", text.count - next) }
    var value = first & (0xFF >> UInt32(length + 1))
    for offset in 1..<length { value = value << 6 | UInt32(text[next + offset] & 0x3F) }
    return (Unicode.Scalar(value) ?? "\u{FFFD}", length)
  }

  private mutating func append(_ scalar: UInt32) { word.append(scalar: scalar) }
}

extension [UInt8] {
  /// Appends a scalar as UTF-8.
  mutating func append(scalar: UInt32) {
    guard let scalar = Unicode.Scalar(scalar) else { return }
    if scalar.value < 0x80 {
      append(UInt8(scalar.value))
    } else {
      append(contentsOf: UTF8.encode(scalar)!)
    }
  }
}
