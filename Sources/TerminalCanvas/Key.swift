/// What came from the terminal: a key, the mouse, a paste, a new size, or the word to end.
public enum Key: Hashable, Sendable {
  /// A character as typed, one grapheme cluster; the space bar is `" "`.
  case character(Character)
  /// Ctrl with a letter, in lower case, or with one of `@ [ \ ] ^ _`. Ctrl-H, Ctrl-I, Ctrl-M and Ctrl-[ cannot
  /// be told from Backspace, Tab, Enter and Esc, and are those.
  case control(Character)
  /// Alt, or Esc right before it, with a character; with Enter it is a line feed, with Backspace U+007F.
  case alt(Character)
  case function(Int)
  case up, down, left, right
  case home, end, pageUp, pageDown
  case enter, escape, tab, backTab, backspace, delete, insert
  /// The first button went down on a cell.
  case mousePress(Point)
  /// The wheel turned away from the user (`lines` is negative) or towards them.
  case mouseWheel(Point, lines: Int)
  /// Text that was pasted as a whole, line ends as line feeds: it is no sequence of commands. Hostile as any
  /// text: nothing was taken out of it.
  case paste(String)
  /// The terminal has this size now. A canvas of another size is still drawn, clipped.
  case resize(Size)
  /// Somebody wants the program to end; nothing else will come.
  case finish(Reason)

  /// Why the program should end.
  public enum Reason: Hashable, Sendable {
    /// SIGINT from outside: Ctrl-C arrives as a key.
    case interrupted
    /// SIGTERM.
    case terminated
    /// SIGHUP, or the terminal is gone.
    case hungUp
  }
}

extension Key: CustomStringConvertible {
  /// The name for the footer and the help: `Ctrl-K`, `PgUp`, `Enter`, `a`, `Space`.
  public var description: String {
    switch self {
    case .character(" "): "Space"
    case .character(let character): String(character)
    case .control("@"): "Ctrl-Space"
    case .control(let character): "Ctrl-" + character.uppercased()
    case .alt(" "): "Alt-Space"
    case .alt("\n"): "Alt-Enter"
    case .alt("\u{7F}"): "Alt-Backspace"
    case .alt(let character): "Alt-\(character)"
    case .function(let number): "F\(number)"
    case .up: "Up"
    case .down: "Down"
    case .left: "Left"
    case .right: "Right"
    case .home: "Home"
    case .finish(.interrupted): "interrupt"
    case .finish(.terminated): "terminate"
    case .finish(.hungUp): "hang up"
    case .end: "End"
    case .pageUp: "PgUp"
    case .pageDown: "PgDn"
    case .enter: "Enter"
    case .escape: "Esc"
    case .tab: "Tab"
    case .backTab: "Shift-Tab"
    case .backspace: "Backspace"
    case .delete: "Del"
    case .insert: "Ins"
    case .mousePress: "Click"
    case .mouseWheel: "Wheel"
    case .paste: "Paste"
    case .resize: "resize"
    }
  }
}
