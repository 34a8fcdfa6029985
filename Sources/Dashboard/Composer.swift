import ConversationModel
import TerminalCanvas

/// A text of several lines that is being written, where in it, and how it is broken into lines on the screen.
struct Composer: Equatable {
  private var characters: [Character] = []
  private(set) var cursor = 0
  private var bytes = 0
  private var width = 1
  /// At least one; each as indices of the characters that stand in it, line ends left out.
  private(set) var lines: [Range<Int>] = [0..<0]
  /// Whether something was left out, because a message holds no more.
  private(set) var isFull = false

  var isEmpty: Bool { characters.isEmpty }
  var text: String { String(characters) }

  /// The cursor's line, and its column there.
  var place: (line: Int, column: Int) {
    let line = lines.lastIndex { $0.lowerBound <= cursor } ?? 0
    return (line, Self.columns(characters[lines[line].lowerBound..<cursor]))
  }

  func text(ofLine line: Int) -> String { String(characters[lines[line]]) }

  /// Puts another text in the place of this one, the cursor behind it.
  mutating func replace(by text: String) {
    characters = []
    (cursor, bytes, isFull) = (0, 0, false)
    insert(text)
  }

  /// Breaks the lines anew where they have another width.
  mutating func arrange(width: Int) {
    guard width != self.width else { return }
    self.width = max(1, width)
    breakLines()
  }

  /// - Returns: Whether the key was one for a text.
  mutating func take(_ key: Key) -> Bool {
    switch key {
    case .character(let character): insert(String(character))
    case .paste(let pasted): insert(pasted)
    case .alt("\n"), .control("j"): insert("\n")
    case .backspace: remove(max(0, cursor - 1)..<cursor)
    case .delete, .control("d"): remove(cursor..<min(characters.count, cursor + 1))
    case .control("w"), .alt("\u{7F}"): remove(wordStart..<cursor)
    case .control("u"): remove(lines[place.line].lowerBound..<cursor)
    case .left: cursor = max(0, cursor - 1)
    case .right: cursor = min(characters.count, cursor + 1)
    case .alt("b"): cursor = wordStart
    case .alt("f"): cursor = wordEnd
    case .home, .control("a"): cursor = lines[place.line].lowerBound
    case .end, .control("e"): cursor = end(of: place.line)
    case .up: move(by: -1)
    case .down: move(by: 1)
    default: return false
    }
    return true
  }

  // MARK: Changing

  private mutating func insert(_ added: String) {
    isFull = false
    var scalars = String.UnicodeScalarView()
    for scalar in added.unicodeScalars {
      // No text has these, and a terminal makes something else of them.
      if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value), scalar != "\n", scalar != "\t" { continue }
      guard bytes + scalar.utf8.count <= Limits.contentBytes else {
        isFull = true
        break
      }
      bytes += scalar.utf8.count
      scalars.append(scalar)
    }
    // What is inserted may join what stands before it: an accent, the second half of a flag.
    let before = Array(String(characters[..<cursor]) + String(scalars))
    characters = before + characters[cursor...]
    cursor = before.count
    breakLines()
  }

  private mutating func remove(_ range: Range<Int>) {
    bytes -= characters[range].reduce(0) { $0 + $1.utf8.count }
    characters.removeSubrange(range)
    cursor = range.lowerBound
    isFull = false
    breakLines()
  }

  // MARK: Moving

  private var wordStart: Int {
    var index = cursor
    while index > 0, characters[index - 1].isWhitespace { index -= 1 }
    while index > 0, !characters[index - 1].isWhitespace { index -= 1 }
    return index
  }

  private var wordEnd: Int {
    var index = cursor
    while index < characters.count, characters[index].isWhitespace { index += 1 }
    while index < characters.count, !characters[index].isWhitespace { index += 1 }
    return index
  }

  /// Where the cursor stands at the end of a line: in front of the blank at which a long one was broken.
  private func end(of line: Int) -> Int {
    let isBroken = line + 1 < lines.count && lines[line + 1].lowerBound == lines[line].upperBound
    return isBroken ? max(lines[line].lowerBound, lines[line].upperBound - 1) : lines[line].upperBound
  }

  /// To the same column of another line; behind the ends of the text to those.
  private mutating func move(by rows: Int) {
    let (line, column) = place
    guard lines.indices.contains(line + rows) else {
      cursor = rows < 0 ? 0 : characters.count
      return
    }
    let target = lines[line + rows]
    var index = target.lowerBound
    var passed = 0
    while index < end(of: line + rows), passed < column {
      passed += Self.columns(of: characters[index])
      index += 1
    }
    cursor = index
  }

  // MARK: Lines

  private mutating func breakLines() {
    lines = []
    var start = 0
    var used = 0
    var breakAt: Int?
    for (index, character) in characters.enumerated() {
      if character == "\n" {
        lines.append(start..<index)
        (start, used, breakAt) = (index + 1, 0, nil)
        continue
      }
      let columns = Self.columns(of: character)
      if used + columns > width, index > start {
        let end = breakAt ?? index
        lines.append(start..<end)
        (start, used, breakAt) = (end, Self.columns(characters[end..<index]), nil)
      }
      used += columns
      if character == " " { breakAt = index + 1 }
    }
    lines.append(start..<characters.count)
  }

  private static func columns(_ characters: ArraySlice<Character>) -> Int {
    characters.reduce(0) { $0 + columns(of: $1) }
  }

  private static func columns(of character: Character) -> Int {
    // Nearly all are of this kind, and a pasted text may be long.
    if let value = character.asciiValue, (0x20...0x7E).contains(value) { return 1 }
    return TextWidth.of(String(character))
  }
}
