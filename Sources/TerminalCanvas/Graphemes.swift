/// One drawable grapheme cluster and the columns it takes: 1 or 2; a line feed takes none.
public struct Grapheme: Hashable, Sendable {
  public let character: Character
  public let width: Int

  static let space = Grapheme(character: " ", width: 1)
  static let lineFeed = Grapheme(character: "\n", width: 0)
}

/// What becomes of line ends.
public enum LineEnds: Sendable {
  /// They must not be drawn, like every other control character.
  case replaced
  /// CR LF, CR and the separators of Unicode become one line feed each.
  case kept
  /// They, tabs and runs of spaces become one space: for showing the start of a text in one line.
  case joined
}

/// Reads a text as the drawable grapheme clusters that it amounts to, lazily, in time linear in what is read.
///
/// Text from users is hostile: it may hold control sequences, change its direction, hide letters or pile marks
/// up. Whatever stands in it, each cluster that comes out is a base that can be seen, with few marks, and no
/// terminal draws it wider than it says:
///
/// - Control characters, what changes direction, what is invisible (also fillers and soft hyphens), private,
///   unassigned and line separating scalars are replaced by U+FFFD, in ASCII by `?`; tabs are four spaces.
/// - A joiner stays only between two emoji, three in a cluster; a selector only on an emoji or a key cap; tags
///   only on the black flag.
/// - At most five marks stay on a base; a mark without a base is replaced, with those that follow it.
/// - Syllables of Hangul have at most one letter of each kind.
///
/// Reading what came out once more changes nothing.
public struct Graphemes: Sequence, IteratorProtocol {
  /// How many combining marks a base keeps: real writing has up to five, in Burmese.
  private static let marksOnBase = 5
  private static let joinersInCluster = 3
  private static let tagsOnFlag = 6
  private static let tabWidth = 4

  private var rest: Substring.UnicodeScalarView.Iterator
  private var ahead: Unicode.Scalar?
  private let isASCII: Bool
  private let lineEnds: LineEnds
  private let replacement: Grapheme
  private var spacesLeft = 0

  public init(_ text: some StringProtocol, glyphs: Glyphs = .unicode, lineEnds: LineEnds = .replaced) {
    rest = Substring(text).unicodeScalars.makeIterator()
    ahead = rest.next()
    isASCII = glyphs.isASCII
    self.lineEnds = lineEnds
    replacement = Grapheme(character: Character(glyphs.replacement), width: 1)
  }

  public mutating func next() -> Grapheme? {
    if spacesLeft > 0 {
      spacesLeft -= 1
      return .space
    }
    guard let first = take() else { return nil }
    // Nearly all of most texts: a visible ASCII character that nothing can be attached to.
    if first.value > 0x20, first.value < 0x7F, ahead.map(\.isASCII) ?? true {
      return Grapheme(character: Character(first), width: 1)
    }
    if lineEnds == .joined, first.isBlank || first.isLineEnd {
      while let next = ahead, next.isBlank || next.isLineEnd { _ = take() }
      return .space
    }
    if first == "\t" {
      spacesLeft = Self.tabWidth - 1
      return .space
    }
    if lineEnds == .kept, first.isLineEnd {
      if first == "\r", ahead == "\n" { _ = take() }
      return .lineFeed
    }
    switch first.nature {
    case .unsafe, .joiner, .selector, .tag:
      return replacement
    case .mark, .vowel, .final:
      while let next = ahead, next.nature == .mark { _ = take() }
      return replacement
    case .base, .initial, .syllable, .flagLetter:
      let cluster = cluster(of: first)
      return isASCII && !(cluster.character.isASCII) ? replacement : cluster
    }
  }

  private mutating func take() -> Unicode.Scalar? {
    defer { ahead = rest.next() }
    return ahead
  }

  /// The scalar behind the one ahead.
  private var behind: Unicode.Scalar? {
    var copy = rest
    return copy.next()
  }

  /// Takes what belongs to the base.
  private mutating func cluster(of first: Unicode.Scalar) -> Grapheme {
    let base: Unicode.Scalar = first.isBlank && first != "\u{3000}" ? " " : first
    var scalars = String.UnicodeScalarView([base])
    var width = WideRanges.contains(base) ? 2 : 1
    var last = first
    var marks = 0
    var joiners = 0
    while let next = ahead, !(next.isASCII) {
      let isKept: Bool
      switch next.nature {
      case .mark where next.properties.generalCategory == .spacingMark:
        // It takes a column of its own, so a cluster has one at most.
        guard width == 1, Self.isOne(scalars, next) else { return Self.grapheme(scalars, width) }
        isKept = true
        width = 2
      case .mark:
        marks += 1
        isKept = marks <= Self.marksOnBase && Self.isOne(scalars, next)
      case .selector:
        // U+FE0F asks for the picture, which is two columns wide. Other selectors change nothing in a cell.
        let makesPicture = next.value == 0xFE0F && first.isEmoji && last == first
        let makesKeyCap = next.value == 0xFE0F && first.isKeyCapBase && last == first && behind?.value == 0x20E3
        guard last.nature != .selector else { return Self.grapheme(scalars, width) }
        isKept = makesPicture || makesKeyCap || (next.value == 0xFE0F && joiners > 0 && last.isEmoji)
        if isKept { width = 2 }
      case .joiner:
        guard joiners < Self.joinersInCluster, first.isEmoji, last.isEmoji || last.value == 0xFE0F,
          let emoji = behind, emoji.isEmoji
        else { return Self.grapheme(scalars, width) }
        joiners += 1
        scalars.append(next)
        _ = take()
        last = emoji
        width = 2
        scalars.append(emoji)
        _ = take()
        continue
      case .tag:
        guard first.value == 0x1F3F4, scalars.count <= Self.tagsOnFlag, last == first || last.nature == .tag else {
          return Self.grapheme(scalars, width)
        }
        isKept = true
      case .vowel:
        guard last.nature == .initial else { return Self.grapheme(scalars, width) }
        isKept = true
      case .final:
        guard last.nature == .vowel || last.isOpenSyllable else { return Self.grapheme(scalars, width) }
        isKept = true
      case .flagLetter:
        guard first.nature == .flagLetter, scalars.count == 1 else { return Self.grapheme(scalars, width) }
        isKept = true
        width = 2
      case .base where next.properties.isEmojiModifier && last.properties.isEmojiModifierBase:
        isKept = true
        width = 2
      default:
        return Self.grapheme(scalars, width)
      }
      if isKept { scalars.append(next) }
      last = next
      _ = take()
    }
    return Self.grapheme(scalars, width)
  }

  private static func isOne(_ scalars: String.UnicodeScalarView, _ next: Unicode.Scalar) -> Bool {
    var both = scalars
    both.append(next)
    return String(both).count == 1
  }

  /// What the library counts as several characters is no cell.
  private static func grapheme(_ scalars: String.UnicodeScalarView, _ width: Int) -> Grapheme {
    let text = String(scalars)
    return Grapheme(character: text.count == 1 ? Character(text) : Character(scalars.first ?? " "), width: width)
  }
}

/// What a scalar can be to a cluster.
private enum Nature {
  case base, mark, selector, joiner, tag, flagLetter, unsafe
  /// The letters of a Hangul syllable, and one that is whole.
  case initial, vowel, final, syllable
}

extension Unicode.Scalar {
  fileprivate var isLineEnd: Bool {
    switch value {
    case 0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029: true
    default: false
    }
  }

  fileprivate var isBlank: Bool { self == " " || self == "\t" || properties.generalCategory == .spaceSeparator }
  /// A scalar that can be a picture, alone or joined; not digits and the letters of flags.
  fileprivate var isEmoji: Bool { properties.isEmoji && !(isASCII) && nature == .base }
  fileprivate var isKeyCapBase: Bool { properties.isEmoji && isASCII }
  fileprivate var isOpenSyllable: Bool { nature == .syllable && (value - 0xAC00) % 28 == 0 }

  fileprivate var nature: Nature {
    switch value {
    case 0x20...0x7E: return .base
    case 0x200D: return .joiner
    case 0xFE00...0xFE0F, 0xE0100...0xE01EF: return .selector
    case 0xE0020...0xE007F: return .tag
    case 0x1F1E6...0x1F1FF: return .flagLetter
    // Fillers, which look like nothing, come first.
    case 0x115F, 0x1160, 0x3164, 0xFFA0: return .unsafe
    case 0x1100...0x115E, 0xA960...0xA97C: return .initial
    case 0x1161...0x11A7, 0xD7B0...0xD7C6: return .vowel
    case 0x11A8...0x11FF, 0xD7CB...0xD7FB: return .final
    case 0xAC00...0xD7A3: return .syllable
    default: break
    }
    let properties = properties
    if properties.isDefaultIgnorableCodePoint { return .unsafe }
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: return .unsafe
    case .nonspacingMark, .enclosingMark, .spacingMark: return .mark
    default: return .base
    }
  }
}
