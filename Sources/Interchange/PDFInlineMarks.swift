#if PDF
  /// Finds `code`, **bold** and *italic* in one line, in one pass: whoever wrote it chose its length and its marks.
  ///
  /// A mark is only taken as one, and taken away, if its partner is there and it cannot be anything else: `2 * 3`,
  /// `a*b*c`, `/*x*/` and `*.swift` stay as they are.
  struct PDFInlineMarks {
    struct Mark {
      var look: PDFSpan.Look
      var opens: Bool
      var at: Int
      var length: Int
    }

    private(set) var found: [Mark] = []
    private let text: ArraySlice<UInt8>
    /// Where bold and italic may have begun.
    private var opened: [Int: Int] = [:]
    /// Lengths of runs of backticks that have no partner from here on.
    private var unmatched: Set<Int> = []
    private static let backtick = UInt8(ascii: "`")
    private static let star = UInt8(ascii: "*")

    init(_ text: ArraySlice<UInt8>) {
      self.text = text
    }

    mutating func find() {
      var index = text.startIndex
      while index < text.endIndex {
        let byte = text[index]
        guard byte == Self.backtick || byte == Self.star else {
          index += 1
          continue
        }
        let length = run(at: index)
        index = byte == Self.star ? takeStars(at: index, length) : takeBackticks(at: index, length)
      }
    }

    private func run(at start: Int) -> Int {
      (text[start...].firstIndex { $0 != text[start] } ?? text.endIndex) - start
    }

    /// Returns where to go on.
    private mutating func takeBackticks(at start: Int, _ length: Int) -> Int {
      let behind = start + length
      guard length <= 3, !unmatched.contains(length) else { return behind }
      var index = behind
      while index < text.endIndex {
        guard text[index] == Self.backtick else {
          index += 1
          continue
        }
        let other = run(at: index)
        if other == length {
          add(.code, from: start, to: index, length)
          return index + length
        }
        index += other
      }
      unmatched.insert(length)
      return behind
    }

    private mutating func takeStars(at start: Int, _ length: Int) -> Int {
      let behind = start + length
      guard length <= 2 else { return behind }
      let before = start > text.startIndex ? text[start - 1] : UInt8(ascii: " ")
      let after = behind < text.endIndex ? text[behind] : UInt8(ascii: " ")
      if let opening = opened[length], !isSpace(before), mayStand(after, beside: " \t.,;:!?)]}\"'") {
        add(length == 2 ? .bold : .italic, from: opening, to: start, length)
        opened[length] = nil
      } else if !isSpace(after), mayStand(before, beside: length == 2 ? " \t([{\"'.,;:!?" : " \t([{\"'") {
        opened[length] = start
      }
      return behind
    }

    private mutating func add(_ look: PDFSpan.Look, from opening: Int, to closing: Int, _ length: Int) {
      found.append(Mark(look: look, opens: true, at: opening, length: length))
      found.append(Mark(look: look, opens: false, at: closing, length: length))
    }

    private func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    /// Bytes of other scripts pass: in Chinese, nothing stands between a word and its mark. So does another mark.
    private func mayStand(_ byte: UInt8, beside punctuation: StaticString) -> Bool {
      byte >= 0x80 || byte == Self.star || byte == Self.backtick
        || punctuation.withUTF8Buffer { $0.contains(byte) }
    }
  }
#endif
