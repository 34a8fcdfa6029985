import Testing

@testable import TerminalCanvas

/// How wide text is, what is left of hostile text, and where it breaks.
@Suite struct TextTests {
  @Test(
    arguments: [
      ("", 0), ("a", 1), ("abc", 3), ("é", 1), ("e\u{301}", 1), ("漢", 2), ("ｆ", 2), ("ﾊ", 1), ("한", 2),
      ("\u{1112}\u{1161}\u{11AB}", 2),
      ("…", 1), ("─", 1), ("α", 1), ("→", 1), ("😀", 2), ("❤", 1), ("❤\u{FE0F}", 2), ("☎", 1), ("1\u{FE0F}\u{20E3}", 2),
      ("🇳🇴", 2),
      ("🇳", 2), ("👍🏽", 2), ("👩‍👩‍👧‍👦", 2), ("🏳️‍🌈", 2), ("🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}", 2), ("⌚", 2),
      ("कि", 2), ("ที่", 1), ("\u{3000}", 2), ("𠀀", 2), ("\u{1FAE9}", 2), ("a\tb", 6), ("\u{301}", 1), ("𓀀", 1),
      ("שלום", 4),
    ] as [(String, Int)])
  func `a grapheme cluster is as wide as terminals draw it`(text: String, width: Int) {
    #expect(TextWidth.of(text) == width)
  }

  @Test(arguments: hostileTexts)
  func `what comes out of hostile text is drawable`(text: String) {
    let allowed: Set<Unicode.GeneralCategory> = [
      .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
    ]
    for glyphs in [Glyphs.unicode, .ascii] {
      let graphemes = Array(Graphemes(text, glyphs: glyphs))
      for grapheme in graphemes {
        let scalars = Array(grapheme.character.unicodeScalars)
        #expect((1...2).contains(grapheme.width))
        #expect(scalars.count <= 20)
        #expect(WideRanges.contains(scalars[0]) ? grapheme.width == 2 : true)
        if glyphs.isASCII { #expect(scalars.allSatisfy { (0x20...0x7E).contains($0.value) }) }
        for (index, scalar) in scalars.enumerated() where allowed.contains(scalar.properties.generalCategory) {
          let isJoiner = scalar.value == 0x200D && index > 0 && index < scalars.count - 1
          let isTag = (0xE0020...0xE007F).contains(scalar.value) && scalars[0].value == 0x1F3F4
          #expect(isJoiner || isTag, "U+\(String(scalar.value, radix: 16))")
        }
        #expect(scalars.count { $0.properties.generalCategory == .nonspacingMark && $0.value < 0xFE00 } <= 5)
      }
      let once = drawable(text, glyphs: glyphs)
      #expect(Array(drawable(once, glyphs: glyphs).unicodeScalars) == Array(once.unicodeScalars))
      #expect(!text.isEmpty && !once.isEmpty)
    }
  }

  @Test(arguments: hostileTexts)
  func `hostile text changes only its own cells`(text: String) {
    for glyphs in [Glyphs.unicode, .ascii] {
      var before = Canvas(Size(rows: 5, columns: 30), glyphs: glyphs)
      before.fill(before.bounds, with: "x")
      for width in [0, 1, 2, 7] {
        let field = Rect(row: 2, column: 10, rows: 1, columns: width)
        for align in [Alignment.left, .center, .right] {
          for overflow in [Overflow.ellipsis, .clip] {
            var after = before
            after.draw(text, row: 0, in: field, style: .alarm, align: align, overflow: overflow)
            for row in 0..<5 {
              for column in 0..<30 where !field.contains(Point(row: row, column: column)) {
                #expect(after[row, column] == before[row, column])
              }
            }
            #expect(!after[2, 10].isContinuation)
          }
        }
      }
    }
  }

  @Test func `a joiner stays in real emoji only`() {
    #expect(drawable("👩‍🚀") == "👩‍🚀")
    #expect(drawable("a\u{200D}b") == "a\u{FFFD}b")
    #expect(drawable("👩\u{200D}") == "👩\u{FFFD}")
    #expect(drawable("👩\u{200D}b") == "👩\u{FFFD}b")
  }

  @Test func `a pile of marks is cut to five`() {
    let pile = "Z" + String(repeating: "\u{301}", count: 1000) + "y"
    #expect(drawable(pile).unicodeScalars.count == 7)
    #expect(TextWidth.of(pile) == 2)
  }

  @Test func `line ends are replaced, kept or joined`() {
    let text = "a \r\n\t b\rc\u{2028}d"
    #expect(drawable(text) == "a \u{FFFD}\u{FFFD}     b\u{FFFD}c\u{FFFD}d")
    #expect(drawable(text, lineEnds: .kept) == "a \n     b\nc\nd")
    #expect(drawable(text, lineEnds: .joined) == "a b c d")
    #expect(drawable("ä漢👩‍🚀", glyphs: .ascii) == "???")
  }

  @Test func `text that does not fit ends with an ellipsis`() {
    #expect(TextWidth.truncated("abcdef", to: 6) == "abcdef")
    #expect(TextWidth.truncated("abcdef", to: 5) == "abcd…")
    #expect(TextWidth.truncated("漢字漢字", to: 6) == "漢字…")
    #expect(TextWidth.truncated("abcdef", to: 5, glyphs: .ascii) == "ab...")
    #expect(TextWidth.truncated("abcdef", to: 2, glyphs: .ascii) == "..")
    #expect(TextWidth.truncated("abcdef", to: 0) == "")
  }

  @Test func `words stay whole, and the blanks at a break go`() {
    #expect(wrapped("one two three", width: 7).lines == ["one two", "three"])
    #expect(wrapped("one  two", width: 4).lines == ["one", "two"])
    #expect(wrapped("", width: 4).lines == [""])
    #expect(wrapped("a\n\nb\n", width: 4).lines == ["a", "", "b", ""])
    #expect(wrapped("abcdefgh", width: 3).lines == ["abc", "def", "gh"])
    #expect(wrapped("x abcdefgh", width: 4).lines == ["x", "abcd", "efgh"])
    #expect(wrapped("  indented", width: 6).lines == ["  inde", "nted"])
    #expect(wrapped("漢字かな", width: 5).lines == ["漢字", "かな"])
    #expect(wrapped("ab漢字", width: 5).lines == ["ab漢", "字"])
    #expect(wrapped("漢", width: 1).lines == ["\u{FFFD}"])
    #expect(wrapped("a b c d", width: 1, maxLines: 2) == (["a", "b"], true))
    #expect(wrapped("a b", width: 1, maxLines: 2) == (["a", "b"], false))
  }

  @Test(arguments: 1...12)
  func `wrapping fits, loses nothing but blanks, and is done after once`(width: Int) {
    var random = Xorshift(state: UInt64(width) * 77)
    let pieces = ["a", "word", " ", "  ", "\n", "漢", "😀", "e\u{301}", "👩‍👩‍👧‍👦", "longlonglongword", "\t", "\u{202E}", "…"]
    for _ in 0..<300 {
      let text = (0..<Int.random(in: 0...30, using: &random)).map { _ in pieces.randomElement(using: &random)! }
        .joined()
      let (lines, isCut) = wrapped(text, width: width)
      #expect(!isCut)
      #expect(lines.allSatisfy { TextWidth.of($0) <= width })
      if width > 1 {
        let visible = drawable(text, lineEnds: .kept).filter { $0 != " " && $0 != "\n" }
        #expect(lines.joined().filter { $0 != " " } == visible)
        #expect(lines.flatMap { wrapped($0, width: width).lines } == lines)
      }
      let limited = wrapped(text, width: width, maxLines: 3)
      #expect(limited.lines == Array(lines.prefix(3)))
      #expect(limited.isCut == (lines.count > 3))
    }
  }

  @Test func `a message of the greatest length costs little`() {
    let bases = ["a", "word ", " ", "漢", "👩\u{200D}", "e\u{301}\u{301}", "\u{301}", "\u{1100}", "\u{202E}", "क्", "\n"]
    for base in bases {
      let text = String(repeating: base, count: 262_144 / base.utf8.count)
      let all = ContinuousClock().measure { _ = wrapped(text, width: 80) }
      #expect(all < .seconds(4), "\(base.debugDescription) took \(all)")
      let start = ContinuousClock().measure { _ = wrapped(text, width: 80, maxLines: 15) }
      #expect(
        start < .milliseconds(base == " " || base == "\u{301}" ? 2000 : 100), "\(base.debugDescription) took \(start)")
    }
  }
}

/// Random numbers that are the same in every run.
struct Xorshift: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
