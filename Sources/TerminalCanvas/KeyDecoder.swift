/// Makes keys of the bytes that a terminal sends, in whatever pieces they arrive.
///
/// Understood are UTF-8, the control characters, arrows and the like in both encodings (`ESC [ A`, `ESC O A`), the
/// keypad, bracketed paste, the mouse in its two encodings, and Esc before a character as Alt. What a terminal
/// reports besides is swallowed; bytes that are no UTF-8 become U+FFFD. No input makes it hold more than a paste.
public struct KeyDecoder: Sendable {
  /// The longest paste; the rest of a longer one is dropped. Four times the longest message.
  public static let pasteBytes = 1 << 20
  private static let sequenceBytes = 64

  private enum State {
    case text
    /// After Esc, inside `ESC [`, after `ESC O`, inside an answer of the terminal, behind `ESC [ M`.
    case escape, control, keypad, answer, mouse
    case paste
  }

  private var state = State.text
  /// The bytes of the sequence so far, from Esc on; in a paste those of the paste.
  private var pending: [UInt8] = []
  private var text: [UInt8] = []
  private var keys: [Key] = []
  private let sequences: [[UInt8]: Key]

  /// - Parameter sequences: What this terminal sends besides, from Esc on; it goes before what is built in.
  public init(sequences: [[UInt8]: Key] = [:]) {
    self.sequences = sequences
  }

  /// How long to wait for the rest of what has begun before `finish` is called; nil if nothing has. A lone Esc is
  /// a key as well as a beginning.
  public var patience: Duration? {
    switch state {
    case .text: text.isEmpty ? nil : .milliseconds(25)
    case .paste: .seconds(2)
    default: .milliseconds(25)
    }
  }

  /// Takes bytes; returns the keys that are complete, in order.
  public mutating func take(_ bytes: some Sequence<UInt8>) -> [Key] {
    for byte in bytes { step(byte) }
    flushText(all: false)
    return takeKeys()
  }

  /// Takes what has begun as it is, because nothing more came.
  public mutating func finish() -> [Key] {
    switch state {
    case .text: break
    case .escape: keys.append(.escape)
    // Alt with a character that otherwise begins a sequence.
    case .control, .keypad, .answer:
      if pending.count == 2 { keys.append(.alt(Character(Unicode.Scalar(pending[1])))) }
    case .mouse: break
    case .paste: endPaste()
    }
    reset()
    flushText(all: true)
    return takeKeys()
  }

  private mutating func takeKeys() -> [Key] {
    defer { keys = [] }
    return keys
  }

  private mutating func reset() {
    state = .text
    pending = []
  }

  private mutating func step(_ byte: UInt8) {
    switch state {
    case .text: plain(byte)
    case .escape: escape(byte)
    case .paste: paste(byte)
    case .mouse:
      pending.append(byte)
      if pending.count == 6 {
        let (button, column, row) = (Int(pending[3]) - 32, Int(pending[4]) - 32, Int(pending[5]) - 32)
        mouse(button, column, row, isPress: button & 3 != 3 || button & 64 != 0)
        reset()
      }
    case .answer:
      // It ends with BEL, or with ESC and a backslash.
      let isEnd = byte == 0x07 || (byte == 0x5C && pending.last == 0x1B)
      if pending.count == Self.sequenceBytes { pending.removeLast(Self.sequenceBytes / 2) }
      pending.append(byte)
      if isEnd { reset() }
    case .keypad:
      if byte < 0x20 || byte > 0x7E { return restart(byte) }
      pending.append(byte)
      if let key = sequences[pending] ?? Self.keypad[byte] { keys.append(key) }
      reset()
    case .control: control(byte)
    }
  }

  /// A byte that belongs to no sequence.
  private mutating func plain(_ byte: UInt8) {
    if byte >= 0x20, byte != 0x7F { return text.append(byte) }
    flushText(all: true)
    switch byte {
    case 0x1B:
      state = .escape
      pending = [byte]
    case 0x09: keys.append(.tab)
    case 0x0D: keys.append(.enter)
    case 0x08, 0x7F: keys.append(.backspace)
    case 1...26: keys.append(.control(Character(Unicode.Scalar(byte + 0x60))))
    default: keys.append(.control(Character(Unicode.Scalar(byte + 0x40))))
    }
  }

  private mutating func escape(_ byte: UInt8) {
    switch byte {
    case 0x1B: keys.append(.escape)
    case 0x5B: begin(.control, byte)
    case 0x4F: begin(.keypad, byte)
    // Device control, start of string, operating system command, privacy message, application command.
    case 0x50, 0x58, 0x5D, 0x5E, 0x5F: begin(.answer, byte)
    case 0x0D: alt("\n")
    case 0x08, 0x7F: alt("\u{7F}")
    case 0x00..<0x20:
      keys.append(.escape)
      restart(byte)
    case 0x20..<0x80 where pending.count == 1: alt(Character(Unicode.Scalar(byte)))
    default:
      pending.append(byte)
      // A character of several bytes, once they are all there.
      guard pending.count > Self.length(pending[1]) else { return }
      alt(String(decoding: pending[1...], as: UTF8.self).first ?? "\u{FFFD}")
    }
  }

  private mutating func begin(_ state: State, _ byte: UInt8) {
    self.state = state
    pending.append(byte)
  }

  private mutating func alt(_ character: Character) {
    keys.append(.alt(character))
    reset()
  }

  /// A sequence broke off; the byte begins something else.
  private mutating func restart(_ byte: UInt8) {
    reset()
    plain(byte)
  }

  /// A byte of a sequence that began with `ESC [`: parameters, then one byte that says what it is.
  private mutating func control(_ byte: UInt8) {
    if byte < 0x20 || byte > 0x7E { return restart(byte) }
    pending.append(byte)
    // `ESC [ [ A` is F1 on the Linux console.
    if byte == 0x5B, pending.count == 3 { return }
    guard byte >= 0x40 else {
      // Longer than any real one: what is left of it is swallowed.
      if pending.count > Self.sequenceBytes { pending.removeLast(Self.sequenceBytes / 2) }
      return
    }
    if pending == Self.pasteStart {
      state = .paste
      pending = []
      return
    }
    if pending == [0x1B, 0x5B, 0x4D] {
      state = .mouse
      return
    }
    let body = pending[2..<(pending.count - 1)]
    if let key = sequences[pending] {
      keys.append(key)
    } else if body.first == 0x3C, byte == 0x4D || byte == 0x6D {
      let numbers = Self.numbers(body.dropFirst())
      if numbers.count == 3 { mouse(numbers[0], numbers[1], numbers[2], isPress: byte == 0x4D) }
    } else if body == [0x5B], let number = Self.consoleKeys[byte] {
      keys.append(.function(number))
    } else if byte == 0x7E {
      if let key = Self.numbers(body).first.flatMap({ Self.numbered[$0] }) { keys.append(key) }
    } else if body.allSatisfy({ $0 < 0x3C }), let key = Self.lettered[byte] {
      keys.append(key)
    }
    reset()
  }

  private mutating func paste(_ byte: UInt8) {
    pending.append(byte)
    if byte == 0x7E, pending.suffix(Self.pasteEnd.count) == Self.pasteEnd[...] {
      pending.removeLast(Self.pasteEnd.count)
      endPaste()
      reset()
    } else if pending.count > Self.pasteBytes + 2 * Self.pasteEnd.count {
      // Too long: only the end is still looked for, in the last bytes.
      pending.remove(at: Self.pasteBytes)
    }
  }

  private mutating func endPaste() {
    var isAfterReturn = false
    var scalars = String.UnicodeScalarView()
    for scalar in String(decoding: pending.prefix(Self.pasteBytes), as: UTF8.self).unicodeScalars {
      // Terminals send CR for a line end.
      if scalar != "\n" || !isAfterReturn { scalars.append(scalar == "\r" ? "\n" : scalar) }
      isAfterReturn = scalar == "\r"
    }
    keys.append(.paste(String(scalars)))
  }

  private mutating func mouse(_ button: Int, _ column: Int, _ row: Int, isPress: Bool) {
    guard isPress, (1...9999).contains(column), (1...9999).contains(row) else { return }
    let point = Point(row: row - 1, column: column - 1)
    // Bits 2 to 4 are Shift, Alt and Ctrl, bit 5 is a movement.
    switch button & ~0b11100 {
    case 0: keys.append(.mousePress(point))
    case 64: keys.append(.mouseWheel(point, lines: -1))
    case 65: keys.append(.mouseWheel(point, lines: 1))
    default: break
    }
  }

  /// Makes characters of the text so far. The start of one stays until its rest has come, unless all is wanted.
  private mutating func flushText(all: Bool) {
    guard !text.isEmpty else { return }
    var end = text.count
    if !all {
      for back in 1...min(3, text.count) where text[text.count - back] >= 0xC0 {
        if Self.length(text[text.count - back]) > back { end = text.count - back }
        break
      }
    }
    for character in String(decoding: text[..<end], as: UTF8.self) { keys.append(.character(character)) }
    text.removeFirst(end)
  }

  /// How many bytes a character with that first byte has.
  private static func length(_ first: UInt8) -> Int {
    switch first {
    case 0xC2...0xDF: 2
    case 0xE0...0xEF: 3
    case 0xF0...0xF4: 4
    default: 1
    }
  }

  /// The decimal numbers between semicolons; one that is too long is -1.
  private static func numbers(_ bytes: ArraySlice<UInt8>) -> [Int] {
    bytes.split(separator: 0x3B, omittingEmptySubsequences: false).map { digits in
      digits.count <= 6 ? Int(String(decoding: digits, as: UTF8.self)) ?? -1 : -1
    }
  }

  private static let pasteStart = Array("\u{1B}[200~".utf8)
  private static let pasteEnd = Array("\u{1B}[201~".utf8)

  private static let lettered: [UInt8: Key] = [
    0x41: .up, 0x42: .down, 0x43: .right, 0x44: .left, 0x46: .end, 0x48: .home, 0x5A: .backTab,
    0x50: .function(1), 0x51: .function(2), 0x52: .function(3), 0x53: .function(4),
  ]

  private static let keypad: [UInt8: Key] = lettered.merging(
    [(0x4D, .enter)] + zip(UInt8(0x6A)..., "*+,-./0123456789").map { ($0, .character($1)) }
  ) { first, _ in first }

  private static let consoleKeys: [UInt8: Int] = [0x41: 1, 0x42: 2, 0x43: 3, 0x44: 4, 0x45: 5]

  private static let numbered: [Int: Key] = [
    1: .home, 2: .insert, 3: .delete, 4: .end, 5: .pageUp, 6: .pageDown, 7: .home, 8: .end,
    11: .function(1), 12: .function(2), 13: .function(3), 14: .function(4), 15: .function(5), 17: .function(6),
    18: .function(7), 19: .function(8), 20: .function(9), 21: .function(10), 23: .function(11), 24: .function(12),
  ]
}
