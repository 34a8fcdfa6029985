/// What a piece of the screen is, which is all that a view says about its looks. A terminal maps each role
/// to attributes and to the sixteen palette entries, on its own background.
///
/// Colour is never the only carrier: what a role means also stands there as a word or a mark.
public enum Role: UInt8, Sendable, CaseIterable {
  /// Text like any other.
  case plain
  /// What matters less: ages, placeholders, hints. Dim, without a colour.
  case muted
  /// The title of a pane, the names of columns. Bold.
  case heading
  /// What draws the eye without being good or bad: the current view, a live conversation.
  case accent
  /// It works.
  case ok
  /// It works, but somebody should look.
  case warning
  /// It does not work. Bold.
  case alarm
  /// A message of the user.
  case user
  /// A message of the assistant.
  case assistant
  /// A message of the system or of a tool.
  case system
  /// The frame of a pane.
  case border
  /// The frame of the pane that has the keys. Bold.
  case focus
  /// The name of a key in the footer and the help. Bold.
  case key
  /// What a search found, inside other text. Underlined.
  case match
  /// What is being typed.
  case input

  /// The letter that stands for the role in a snapshot of styles; unique.
  public var letter: Character {
    switch self {
    case .plain: "."
    case .muted: "m"
    case .heading: "h"
    case .accent: "a"
    case .ok: "o"
    case .warning: "w"
    case .alarm: "x"
    case .user: "u"
    case .assistant: "s"
    case .system: "y"
    case .border: "b"
    case .focus: "f"
    case .key: "k"
    case .match: "t"
    case .input: "i"
    }
  }
}

/// A role, and whether it is selected or stale. Written `.alarm`, `.plain.selected`, `.ok.dimmed`.
public struct Style: Hashable, Sendable {
  public var role: Role
  /// Reverse video: the row that the keys act on.
  public var isSelected = false
  /// Dim, whatever the role: a value that is older than it should be.
  public var isDimmed = false

  public init(_ role: Role, isSelected: Bool = false, isDimmed: Bool = false) {
    self.role = role
    self.isSelected = isSelected
    self.isDimmed = isDimmed
  }

  public var selected: Style { Style(role, isSelected: true, isDimmed: isDimmed) }
  public var dimmed: Style { Style(role, isSelected: isSelected, isDimmed: true) }

  public static let plain = Style(.plain)
  public static let selected = Style(.plain, isSelected: true)
  public static let muted = Style(.muted)
  public static let heading = Style(.heading)
  public static let accent = Style(.accent)
  public static let ok = Style(.ok)
  public static let warning = Style(.warning)
  public static let alarm = Style(.alarm)
  public static let user = Style(.user)
  public static let assistant = Style(.assistant)
  public static let system = Style(.system)
  public static let border = Style(.border)
  public static let focus = Style(.focus)
  public static let key = Style(.key)
  public static let match = Style(.match)
  public static let input = Style(.input)
}

/// A run of text in one style; a line is an array of them.
public struct Span: Hashable, Sendable {
  public var text: String
  public var style: Style

  public init(_ text: String, _ style: Style = .plain) {
    self.text = text
    self.style = style
  }
}
