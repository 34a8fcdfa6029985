import TerminalCanvas
import Testing

@Suite struct KeyTests {
  private func keys(_ text: String) -> [Key] {
    var decoder = KeyDecoder()
    let keys = decoder.take(text.utf8)
    return keys + (decoder.patience == nil ? [] : decoder.finish())
  }

  @Test(
    arguments: [
      ("a", [.character("a")]), ("é漢", [.character("é"), .character("漢")]),
      ("e\u{301}x", [.character("e\u{301}"), .character("x")]),
      ("👩‍🚀", [.character("👩‍🚀")]), ("\r", [.enter]), ("\n", [.control("j")]), ("\t", [.tab]),
      ("\u{7F}\u{8}", [.backspace, .backspace]),
      ("\u{1}\u{1A}\u{0}", [.control("a"), .control("z"), .control("@")]), ("\u{1B}", [.escape]),
      ("\u{1B}\u{1B}", [.escape, .escape]),
      ("\u{1B}[A\u{1B}OA", [.up, .up]), ("\u{1B}[B\u{1B}OB", [.down, .down]), ("\u{1B}[C\u{1B}[D", [.right, .left]),
      ("\u{1B}[1;5A", [.up]), ("\u{1B}[H\u{1B}OF\u{1B}[1~\u{1B}[4~", [.home, .end, .home, .end]),
      ("\u{1B}[5~\u{1B}[6~", [.pageUp, .pageDown]),
      ("\u{1B}[2~\u{1B}[3~", [.insert, .delete]), ("\u{1B}[Z", [.backTab]),
      ("\u{1B}OP\u{1B}[15~\u{1B}[24~", [.function(1), .function(5), .function(12)]),
      ("\u{1B}[[A", [.function(1)]), ("\u{1B}x", [.alt("x")]), ("\u{1B}é", [.alt("é")]), ("\u{1B}\r", [.alt("\n")]),
      ("\u{1B}[", [.alt("[")]),
      ("\u{1B}O", [.alt("O")]), ("\u{1B}\u{3}", [.escape, .control("c")]),
      ("\u{1B}[<0;5;3M\u{1B}[<0;5;3m", [.mousePress(Point(row: 2, column: 4))]),
      (
        "\u{1B}[<64;1;1M\u{1B}[<65;1;1M",
        [.mouseWheel(Point(row: 0, column: 0), lines: -1), .mouseWheel(Point(row: 0, column: 0), lines: 1)]
      ),
      ("\u{1B}[M !!", [.mousePress(Point(row: 0, column: 0))]), ("\u{1B}[<0;99999999999999999999;1M", []),
      ("\u{1B}[?62;c\u{1B}[I", []),
      ("\u{1B}]11;rgb:0/0/0\u{7}a", [.character("a")]), ("\u{1B}P1$r\u{1B}\\b", [.character("b")]),
      ("\u{1B}OMz", [.enter, .character("z")]),
      ("\u{1B}Oq", [.character("1")]), ("\u{1B}[\u{3}", [.control("c")]),
      ("\u{1B}[200~a\r\nb\rc\u{1B}[31m\u{1B}[201~d", [.paste("a\nb\nc\u{1B}[31m"), .character("d")]),
      ("\u{1B}[200~open", [.paste("open")]),
    ] as [(String, [Key])])
  func `bytes become keys, in whatever pieces they come`(text: String, expected: [Key]) {
    #expect(keys(text) == expected)
    guard !expected.contains(.character("e\u{301}")), !expected.contains(.character("👩‍🚀")) else { return }
    var decoder = KeyDecoder()
    var found: [Key] = []
    for byte in text.utf8 { found += decoder.take([byte]) }
    if decoder.patience != nil { found += decoder.finish() }
    #expect(found == expected)
  }

  @Test func `a lone Esc waits for no longer than 25 ms`() {
    var decoder = KeyDecoder()
    #expect(decoder.take([0x1B]) == [])
    #expect(decoder.patience == .milliseconds(25))
    #expect(decoder.finish() == [.escape])
    #expect(decoder.patience == nil)
  }

  @Test func `what a terminal type sends goes first`() {
    var decoder = KeyDecoder(sequences: [Array("\u{1B}[A".utf8): .function(9), Array("\u{1B}Oz".utf8): .home])
    #expect(decoder.take("\u{1B}[A\u{1B}Oz".utf8) == [.function(9), .home])
  }

  @Test func `no bytes break it or make it hold more than a paste`() {
    var random = Xorshift(state: 3)
    for _ in 0..<2000 {
      var decoder = KeyDecoder()
      let starts: [[UInt8]] = [
        [], [0x1B], [0x1B, 0x5B], [0x1B, 0x5B, 0x4D], Array("\u{1B}[200~".utf8), [0xE2], [0x1B, 0xF0],
      ]
      _ = decoder.take(starts.randomElement(using: &random)!)
      _ = decoder.take((0..<40).map { _ in UInt8.random(in: 0...255, using: &random) })
      _ = decoder.finish()
      #expect(decoder.patience == nil)
      #expect(decoder.take("k".utf8) == [.character("k")])
    }
    var decoder = KeyDecoder()
    _ = decoder.take("\u{1B}[200~".utf8)
    _ = decoder.take([UInt8](repeating: 0x61, count: KeyDecoder.pasteBytes + 5000))
    let keys = decoder.take("\u{1B}[201~z".utf8)
    #expect(keys == [.paste(String(repeating: "a", count: KeyDecoder.pasteBytes)), .character("z")])
    #expect(decoder.take("\u{1B}[".utf8 + [UInt8](repeating: 0x31, count: 100_000) + "Az".utf8).last == .character("z"))
  }

  @Test(
    arguments: [
      (.control("k"), "Ctrl-K"), (.pageUp, "PgUp"), (.pageDown, "PgDn"), (.enter, "Enter"), (.escape, "Esc"),
      (.character("a"), "a"),
      (.character("G"), "G"), (.character(" "), "Space"), (.alt("x"), "Alt-x"), (.alt("\n"), "Alt-Enter"),
      (.function(5), "F5"), (.up, "Up"),
      (.backTab, "Shift-Tab"), (.backspace, "Backspace"), (.delete, "Del"), (.end, "End"),
      (.control("@"), "Ctrl-Space"),
    ] as [(Key, String)])
  func `keys have the names that the help shows`(key: Key, name: String) {
    #expect("\(key)" == name)
  }
}
