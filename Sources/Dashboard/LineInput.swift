import TerminalCanvas

/// One line that is being typed.
struct LineInput: Equatable {
  private(set) var text = ""

  /// Graphemes that the line takes.
  private let longest: Int

  /// - Parameter longest: Unless told more than any title or command has.
  init(_ text: String = "", longest: Int = 200) {
    self.text = text
    self.longest = longest
  }

  /// - Returns: Whether the key was one for a line.
  mutating func take(_ key: Key) -> Bool {
    switch key {
    case .character(let character): insert(String(character))
    case .paste(let pasted): insert(pasted)
    case .backspace: if !text.isEmpty { text.removeLast() }
    case .control("u"): text = ""
    case .control("w"):
      while text.last == " " { text.removeLast() }
      while let last = text.last, last != " " { text.removeLast() }
    default: return false
    }
    return true
  }

  /// Line ends and other control characters are no part of a line.
  private mutating func insert(_ added: String) {
    for character in added where text.count < longest {
      let isControl = character.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }
      if isControl {
        if text.last != " ", !text.isEmpty { text.append(" ") }
      } else {
        text.append(character)
      }
    }
  }
}
