/// The signs that are not letters: frames, arrows, graphs and the marks of states. Each is one column wide;
/// a mark is two. The ASCII set is for terminals whose character set is not UTF-8.
public struct Glyphs: Hashable, Sendable {
  /// Whether text beyond ASCII is drawn as `?`.
  public let isASCII: Bool

  public let horizontal: String
  public let vertical: String
  public let topLeft: String
  public let topRight: String
  public let bottomLeft: String
  public let bottomRight: String
  /// Where text was cut: one column, in ASCII three.
  public let ellipsis: String
  /// Stands for what must not be drawn.
  public let replacement: Unicode.Scalar

  public let up: String
  public let down: String
  public let left: String
  public let right: String
  /// Before the row that the keys act on.
  public let pointer: String
  public let bullet: String

  /// The lines of a tree, two columns each: a child that others follow, the last child, and the line that
  /// passes an inner row.
  public let branch: String
  public let lastBranch: String
  public let trunk: String

  /// The levels of a sparkline, lowest first; the first stands for nothing at all.
  public let levels: [String]
  /// What a bar is made of.
  public let barFull: String
  public let barEmpty: String

  public let marks: Marks

  /// The marks of states, two columns each, the same in both sets: they can be searched for and read aloud.
  public struct Marks: Hashable, Sendable {
    public let ok = "OK"
    public let alarm = "!!"
    public let live = ">>"
    public let idle = ".."
    public let asleep = "zz"
    public let unknown = "??"
    /// In place of a mark where there is none.
    public let none = "  "
  }

  public static let unicode = Glyphs(
    isASCII: false, horizontal: "─", vertical: "│", topLeft: "┌", topRight: "┐", bottomLeft: "└", bottomRight: "┘",
    ellipsis: "…", replacement: "\u{FFFD}", up: "↑", down: "↓", left: "←", right: "→", pointer: ">", bullet: "•",
    branch: "├─", lastBranch: "└─", trunk: "│ ", levels: [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"], barFull: "█",
    barEmpty: "░", marks: Marks())

  public static let ascii = Glyphs(
    isASCII: true, horizontal: "-", vertical: "|", topLeft: "+", topRight: "+", bottomLeft: "+", bottomRight: "+",
    ellipsis: "...", replacement: "?", up: "^", down: "v", left: "<", right: ">", pointer: ">", bullet: "*",
    branch: "|-", lastBranch: "`-", trunk: "| ", levels: [" ", ".", ":", "|"], barFull: "#", barEmpty: "-",
    marks: Marks())
}
