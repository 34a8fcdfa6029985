#if PDF
  import CPangoCairo

  /// How a whole layout looks.
  struct PDFStyle {
    enum Family: String {
      case sans = "Sans"
      case monospace = "Monospace"
    }

    var family = Family.sans
    /// Points.
    var size: Double
    var isBold = false
    /// From 0, black, to 1.
    var gray = 0.1
    /// Points from one line to the next, at least.
    var lineHeight: Double

    func apply(to layout: OpaquePointer) {
      let font = pango_font_description_new()
      pango_font_description_set_family(font, family.rawValue)
      pango_font_description_set_absolute_size(font, size * Double(PANGO_SCALE))
      pango_font_description_set_weight(font, isBold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL)
      pango_layout_set_font_description(layout, font)
      pango_font_description_free(font)
    }
  }

  /// A part of a text that looks different.
  struct PDFSpan: Equatable {
    enum Look {
      case bold, italic, code, muted
      /// Which forms of the letters that Chinese, Japanese and Korean share.
      case chinese, japanese, korean
    }

    var look: Look
    /// Bytes.
    var range: Range<Int>

    func insert(into list: OpaquePointer?) {
      for attribute in attributes {
        attribute?.pointee.start_index = UInt32(range.lowerBound)
        attribute?.pointee.end_index = UInt32(range.upperBound)
        pango_attr_list_insert(list, attribute)
      }
    }

    private var attributes: [UnsafeMutablePointer<PangoAttribute>?] {
      switch look {
      case .bold: [pango_attr_weight_new(PANGO_WEIGHT_BOLD)]
      case .italic: [pango_attr_style_new(PANGO_STYLE_ITALIC)]
      case .code:
        [
          pango_attr_family_new(PDFStyle.Family.monospace.rawValue), pango_attr_scale_new(0.9),
          pango_attr_background_new(0xEEEE, 0xEEEE, 0xEEEE),
        ]
      case .muted: [pango_attr_foreground_new(0x6666, 0x6666, 0x6666)]
      case .chinese: [pango_attr_language_new(pango_language_from_string("zh-cn"))]
      case .japanese: [pango_attr_language_new(pango_language_from_string("ja"))]
      case .korean: [pango_attr_language_new(pango_language_from_string("ko"))]
      }
    }
  }

  /// One line of what somebody wrote, as it is printed: of any length, without characters that do something.
  struct PDFText {
    private(set) var bytes: [UInt8] = []
    /// By where they begin.
    private(set) var spans: [PDFSpan] = []

    /// The text as it is.
    init(_ plain: some Sequence<UInt8>) {
      for byte in plain { append(byte) }
      addLanguage()
    }

    /// Parts one after the other, each with its look.
    init(_ parts: [(String, PDFSpan.Look?)]) {
      for (part, look) in parts {
        let start = bytes.count
        for byte in part.utf8 { append(byte) }
        if let look { spans.append(PDFSpan(look: look, range: start..<bytes.count)) }
      }
      addLanguage()
    }

    /// The text with the marks inside a line of Markdown carried out.
    init(markdown: ArraySlice<UInt8>) {
      var marks = PDFInlineMarks(markdown)
      marks.find()
      let isTurned = !marks.found.isEmpty && Self.isRightToLeft(markdown)
      var starts: [PDFSpan.Look: [Int]] = [:]
      var index = markdown.startIndex
      for mark in marks.found.sorted(by: { $0.at < $1.at }) {
        for byte in markdown[index..<mark.at] { append(byte) }
        index = mark.at + mark.length
        // What code is made of is no part of the paragraph's direction: `f()` would be turned around.
        if mark.look == .code, isTurned { bytes += (mark.opens ? "\u{2066}" : "\u{2069}").utf8 }
        if mark.opens {
          starts[mark.look, default: []].append(bytes.count)
        } else if let start = starts[mark.look]?.popLast() {
          spans.append(PDFSpan(look: mark.look, range: start..<bytes.count))
        }
      }
      for byte in markdown[index...] { append(byte) }
      spans.sort { $0.range.lowerBound < $1.range.lowerBound }
      addLanguage()
    }

    /// Whether its first letter with a direction is an Arabic or Hebrew one.
    var isRightToLeft: Bool { Self.isRightToLeft(bytes[...]) }

    private static func isRightToLeft(_ text: ArraySlice<UInt8>) -> Bool {
      text.withUnsafeBytes { buffer in
        guard let start = buffer.baseAddress?.assumingMemoryBound(to: CChar.self) else { return false }
        return cpango_is_right_to_left(start, Int32(buffer.count))
      }
    }

    /// Control characters show as `^[`: Pango would end a paragraph at some, and draw boxes for others.
    private mutating func append(_ byte: UInt8) {
      if byte < 0x20, byte != UInt8(ascii: "\t") {
        bytes += [UInt8(ascii: "^"), byte + 0x40]
      } else if byte == 0x7F {
        bytes += "^?".utf8
      } else if byte < 0xA0, byte >= 0x80, bytes.last == 0xC2 {
        bytes.removeLast()
        bytes += "\u{FFFD}".utf8
      } else {
        bytes.append(byte)
      }
    }

    /// Without it, fonts that hold the forms of all three languages would show one's in texts of the others.
    private mutating func addLanguage() {
      var hasHan = false
      var look: PDFSpan.Look?
      var index = 0
      while index + 2 < bytes.count, look == nil {
        switch (bytes[index], bytes[index + 1]) {
        case (0xE3, 0x81...0x83): look = .japanese
        case (0xEA, 0xB0...), (0xEB...0xEC, _), (0xED, ...0x9E): look = .korean
        case (0xE4...0xE9, _): hasHan = true
        default: break
        }
        index += 1
        while index < bytes.count, bytes[index] & 0xC0 == 0x80 { index += 1 }
      }
      if look == nil, hasHan { look = .chinese }
      if let look { spans.insert(PDFSpan(look: look, range: 0..<bytes.count), at: 0) }
    }
  }
#endif
