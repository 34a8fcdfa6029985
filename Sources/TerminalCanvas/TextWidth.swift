/// How many columns text takes once it is drawable, grapheme cluster by grapheme cluster.
public enum TextWidth {
  /// The width of a text in one line: what the canvas would use to draw all of it.
  public static func of(_ text: some StringProtocol, glyphs: Glyphs = .unicode) -> Int {
    Graphemes(text, glyphs: glyphs).reduce(0) { $0 + $1.width }
  }

  /// The start of a text that fits, with an ellipsis in place of what does not. Reads no more than that.
  ///
  /// - Parameter width: In columns. Where not even the ellipsis fits, only as much of it as does.
  public static func truncated(_ text: some StringProtocol, to width: Int, glyphs: Glyphs = .unicode) -> String {
    String(fitted(Graphemes(text, glyphs: glyphs), to: width, glyphs: glyphs).map(\.character))
  }

  /// What fits, with an ellipsis if something does not.
  static func fitted(_ text: Graphemes, to width: Int, glyphs: Glyphs) -> [Grapheme] {
    var fitting: [Grapheme] = []
    var used = 0
    for grapheme in text {
      if used + grapheme.width > width {
        let mark = Array(Graphemes(glyphs.ellipsis, glyphs: glyphs).prefix(max(0, width)))
        while used + mark.count > width, let last = fitting.popLast() { used -= last.width }
        return fitting + mark
      }
      fitting.append(grapheme)
      used += grapheme.width
    }
    return fitting
  }
}

/// Returns the text as it is safe to print, on any terminal; what `Graphemes` says becomes of it. For printers
/// that write lines instead of drawing on a canvas.
///
/// - Parameter lineEnds: With `.kept` the result may hold line feeds, and nothing else that moves the cursor.
public func drawable(
  _ text: some StringProtocol, glyphs: Glyphs = .unicode, lineEnds: LineEnds = .replaced
) -> String {
  String(Graphemes(text, glyphs: glyphs, lineEnds: lineEnds).map(\.character))
}
