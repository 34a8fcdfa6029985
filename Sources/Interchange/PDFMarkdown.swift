#if PDF
  /// What one line of a message is.
  enum PDFBlock {
    case blank
    case paragraph(PDFText)
    /// 1 to 6.
    case heading(level: Int, PDFText)
    /// - level: How far it is indented, from 0.
    case item(marker: String, level: Int, PDFText)
    case quote(PDFText)
    /// Columns that are lined up by spaces.
    case table(PDFText)
    case codeBegin(label: PDFText)
    case code(PDFText)
    case codeEnd
  }

  /// Takes a message apart line by line. It knows the part of Markdown that assistants write most; all else is a paragraph,
  /// so that nothing is lost that is not understood.
  struct PDFMarkdown: Sequence, IteratorProtocol {
    private var lines: Lines
    private var fence: Fence?

    private struct Fence {
      var mark: UInt8
      var length: Int
      /// Spaces before it, which are no part of the code.
      var indent: Int
    }

    private static let space = UInt8(ascii: " ")
    /// Lists in lists, beyond which no further indentation is shown.
    private static let levels = 5

    init(_ content: String) {
      lines = Lines(content)
    }

    mutating func next() -> PDFBlock? {
      guard let line = lines.next() else {
        guard fence != nil else { return nil }
        fence = nil
        return .codeEnd
      }
      if let fence {
        if closes(line, fence) {
          self.fence = nil
          return .codeEnd
        }
        let indent = line.prefix(fence.indent).prefix { $0 == Self.space }.count
        return .code(PDFText(line.dropFirst(indent)))
      }
      return block(line)
    }

    private mutating func block(_ line: ArraySlice<UInt8>) -> PDFBlock {
      let text = line.drop { $0 == Self.space || $0 == UInt8(ascii: "\t") }
      let indent = line.count - text.count
      guard let first = text.first else { return .blank }
      switch first {
      case UInt8(ascii: "`"), UInt8(ascii: "~"):
        if let label = opensFence(text, indent) { return .codeBegin(label: PDFText(label)) }
      case UInt8(ascii: "#"):
        let level = text.prefix { $0 == first }.count
        let title = text.dropFirst(level)
        if level <= 6, title.first == Self.space { return .heading(level: level, PDFText(markdown: title.dropFirst())) }
      case UInt8(ascii: ">"):
        let quoted = text.dropFirst()
        return .quote(PDFText(markdown: quoted.first == Self.space ? quoted.dropFirst() : quoted))
      case UInt8(ascii: "|"): return .table(PDFText(line))
      case UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "+"):
        let item = text.dropFirst()
        if item.first == Self.space { return self.item("\u{2022}", indent, item) }
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        let number = text.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        let rest = text.dropFirst(number.count)
        if number.count <= 4, let mark = rest.first, mark == UInt8(ascii: ".") || mark == UInt8(ascii: ")"),
          rest.dropFirst().first == Self.space
        {
          return item(String(decoding: number + [mark], as: UTF8.self), indent, rest.dropFirst())
        }
      default: break
      }
      return .paragraph(PDFText(markdown: text))
    }

    private func item(_ marker: String, _ indent: Int, _ text: ArraySlice<UInt8>) -> PDFBlock {
      .item(
        marker: marker, level: Swift.min(indent / 2, Self.levels), PDFText(markdown: text.drop { $0 == Self.space }))
    }

    /// Returns what stands behind the mark, such as the name of a language; nil if it is no fence.
    private mutating func opensFence(_ text: ArraySlice<UInt8>, _ indent: Int) -> ArraySlice<UInt8>? {
      guard let mark = text.first else { return nil }
      let length = text.prefix { $0 == mark }.count
      let label = text.dropFirst(length)
      guard length >= 3, !label.contains(mark) else { return nil }
      fence = Fence(mark: mark, length: length, indent: indent)
      return label.drop { $0 == Self.space }
    }

    private func closes(_ line: ArraySlice<UInt8>, _ fence: Fence) -> Bool {
      let text = line.drop { $0 == Self.space }
      let length = text.prefix { $0 == fence.mark }.count
      return length >= fence.length && text.dropFirst(length).allSatisfy { $0 == Self.space }
    }
  }

  extension PDFMarkdown {
    /// The lines of a text without their ends; every mark that Unicode ends a line with counts, since Pango would end one
    /// there too.
    struct Lines: Sequence, IteratorProtocol {
      private let bytes: [UInt8]
      private var index = 0

      init(_ content: String) {
        bytes = Array(content.utf8)
      }

      mutating func next() -> ArraySlice<UInt8>? {
        guard index < bytes.count else { return nil }
        let start = index
        while index < bytes.count {
          let end = index
          let length = lineEnd(at: end)
          index += Swift.max(length, 1)
          if length > 0 { return bytes[start..<end] }
        }
        return bytes[start...]
      }

      /// Bytes of the end of line that stands there; 0 if none does.
      private func lineEnd(at index: Int) -> Int {
        switch bytes[index] {
        case UInt8(ascii: "\r"): index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "\n") ? 2 : 1
        case UInt8(ascii: "\n")...0x0C: 1
        // U+0085, and U+2028 and U+2029.
        case 0xC2: index + 1 < bytes.count && bytes[index + 1] == 0x85 ? 2 : 0
        case 0xE2:
          index + 2 < bytes.count && bytes[index + 1] == 0x80 && (0xA8...0xA9).contains(bytes[index + 2]) ? 3 : 0
        default: 0
        }
      }
    }
  }
#endif
