import CNcurses
import TerminalCanvas

/// Which colours are wanted.
public enum ColorPreference: String, Sendable, CaseIterable {
  /// What the terminal type has, or none if `NO_COLOR` is set.
  case auto
  case never
  /// The palette that the user has chosen for the terminal, whatever its type says.
  case sixteen = "16"
  /// The same, with one grey of the 256 for frames.
  case twoHundredFiftySix = "256"
}

/// What each style is on this terminal: attributes, and a foreground out of the palette on the terminal's own
/// background, so that it can be read on a light one too.
struct Palette {
  /// No attributes at all.
  let plain: [UInt8]
  private let bytes: [Style: [UInt8]]

  init(colors: ColorPreference, noColor: Bool) {
    let known = Int(cncurses_number("colors"))
    let count =
      switch colors {
      case .auto: noColor ? 0 : known
      case .never: 0
      case .sixteen: 16
      case .twoHundredFiftySix: 256
      }
    let plain = Capability.bytes("sgr0")
    let foreground = Capability.string("setaf")
    var bytes: [Style: [UInt8]] = [:]
    for role in Role.allCases {
      for (isSelected, isDimmed) in [(false, false), (false, true), (true, false), (true, true)] {
        var sequence = plain
        let looks = role.looks
        if looks.isBold { sequence += Capability.bytes("bold") }
        if looks.isUnderlined { sequence += Capability.bytes("smul") }
        // Dim and reversed at once is not readable on all terminals.
        if (looks.isDim || isDimmed) && !isSelected { sequence += Capability.bytes("dim") }
        if isSelected { sequence += Capability.bytes("rev") }
        // The selected row is one bar: colours would be patches in it.
        if count >= 8, !isSelected, let color = role == .border && count >= 256 ? 244 : looks.color {
          sequence += foreground.map { Capability.bytes($0, color) } ?? Array("\u{1B}[\(Self.code(color))m".utf8)
        }
        bytes[Style(role, isSelected: isSelected, isDimmed: isDimmed)] = sequence
      }
    }
    self.plain = plain
    self.bytes = bytes
  }

  subscript(style: Style) -> [UInt8] { bytes[style] ?? plain }

  /// For a type without colours whose user asks for them.
  private static func code(_ color: Int) -> String {
    color < 8 ? "3\(color)" : "38;5;\(color)"
  }
}

private struct Looks {
  var color: Int?
  var isBold = false
  var isDim = false
  var isUnderlined = false
}

extension Role {
  /// Palette entries 1 to 6, which every palette keeps readable on its background: red, green, yellow, blue,
  /// magenta, cyan.
  fileprivate var looks: Looks {
    switch self {
    case .plain, .input: Looks()
    case .muted: Looks(isDim: true)
    case .heading: Looks(isBold: true)
    case .accent: Looks(color: 6)
    case .ok: Looks(color: 2)
    case .warning: Looks(color: 3)
    case .alarm: Looks(color: 1, isBold: true)
    case .user: Looks(color: 6)
    case .assistant: Looks(color: 2)
    case .system: Looks(color: 5)
    case .border: Looks(isDim: true)
    case .focus: Looks(color: 6, isBold: true)
    case .key: Looks(isBold: true)
    case .match: Looks(color: 3, isUnderlined: true)
    }
  }
}
