import ConversationModel
import TerminalCanvas
import Testing

@testable import Dashboard

@Suite struct ComposerTests {
  private func composer(_ text: String, width: Int = 10) -> Composer {
    var composer = Composer()
    composer.arrange(width: width)
    composer.replace(by: text)
    return composer
  }

  private func lines(_ composer: Composer) -> [String] { composer.lines.indices.map { composer.text(ofLine: $0) } }

  @Test func `lines break between words, and anywhere in a word that is too long`() {
    #expect(lines(composer("one two three four")) == ["one two ", "three four"])
    #expect(lines(composer("abcdefghijklm")) == ["abcdefghij", "klm"])
    #expect(lines(composer("a\n\nb\n")) == ["a", "", "b", ""])
    #expect(lines(composer("日本語日本語")) == ["日本語日本", "語"])
    #expect(lines(composer("")) == [""])
  }

  @Test func `the cursor moves by characters, words, and lines, and stays in its column`() {
    var composer = composer("one two three four\nx\nlast line")
    #expect(composer.place.line == 3 && composer.place.column == 9)
    _ = composer.take(.up)
    #expect(composer.place == (2, 1))
    _ = composer.take(.up)
    #expect(composer.place == (1, 1))
    _ = composer.take(.end)
    #expect(composer.place == (1, 10))
    _ = composer.take(.alt("b"))
    #expect(composer.place == (1, 6))
    _ = composer.take(.up)
    #expect(composer.place == (0, 6))
    _ = composer.take(.end)
    #expect(composer.place == (0, 7), "in front of the blank at which the line was broken")
    _ = composer.take(.up)
    #expect(composer.cursor == 0)
    _ = composer.take(.left)
    #expect(composer.cursor == 0)
  }

  @Test func `what is removed is what was meant`() {
    var composer = composer("one two three")
    _ = composer.take(.control("w"))
    #expect(composer.text == "one two ")
    _ = composer.take(.backspace)
    _ = composer.take(.home)
    _ = composer.take(.delete)
    #expect(composer.text == "ne two")
    _ = composer.take(.end)
    _ = composer.take(.control("u"))
    #expect(composer.text.isEmpty && composer.isEmpty)
    _ = composer.take(.backspace)
    #expect(composer.isEmpty)
  }

  @Test func `marks join the letter before them, and a flag is one character`() {
    var composer = composer("e")
    _ = composer.take(.character("\u{301}"))
    #expect(composer.text == "é" && composer.cursor == 1)
    _ = composer.take(.paste("\u{1F1EB}"))
    _ = composer.take(.paste("\u{1F1F7}"))
    #expect(composer.cursor == 2)
    _ = composer.take(.backspace)
    #expect(composer.text == "é")
  }

  @Test func `a message holds no more bytes than a store takes`() {
    var composer = composer(String(repeating: "a", count: Limits.contentBytes - 1))
    _ = composer.take(.paste("é"))
    #expect(composer.isFull && composer.text.utf8.count == Limits.contentBytes - 1)
    _ = composer.take(.paste("b"))
    #expect(!composer.isFull && composer.text.utf8.count == Limits.contentBytes)
    _ = composer.take(.backspace)
    _ = composer.take(.paste("c"))
    #expect(composer.text.hasSuffix("c") && !composer.isFull)
  }
}
