/// Breaks text into lines that fit, as a reader expects it: between words, anywhere between the characters of
/// Chinese, Japanese and Korean, and inside a word only if it is longer than a line. Line ends in the text are
/// kept, so an empty line stays empty; the blanks at a break are not drawn.
///
/// - Parameters:
///   - text: Hostile text is made drawable.
///   - width: In columns. A wide grapheme in a line of one column becomes the replacement.
///   - maxLines: How many lines are wanted. What lies behind them is not even read, so that the start of a long
///     text costs no more than that of a short one.
/// - Returns: The lines, at least one, and whether there are more than `maxLines`.
public func wrapped(
  _ text: some StringProtocol, width: Int, maxLines: Int = .max, glyphs: Glyphs = .unicode
) -> (lines: [String], isCut: Bool) {
  var wrapper = Wrapper(width: max(1, width), maxLines: max(1, maxLines))
  let replacement = Grapheme(character: Character(glyphs.replacement), width: 1)
  for grapheme in Graphemes(text, glyphs: glyphs, lineEnds: .kept) {
    wrapper.take(grapheme.width > wrapper.width ? replacement : grapheme)
    if wrapper.isFull { return (wrapper.lines, true) }
  }
  wrapper.endLine()
  return wrapper.isFull ? (wrapper.lines, true) : (wrapper.lines, false)
}

private struct Wrapper {
  let width: Int
  let maxLines: Int
  private(set) var lines: [String] = []
  /// Whether a line more than wanted has begun.
  private(set) var isFull = false
  /// The line so far, and how much of it stays if a word does not fit: up to the last place for a break.
  private var line: [Grapheme] = []
  private var used = 0
  private var breakAt: Int?
  private var hasWord = false

  init(width: Int, maxLines: Int) {
    self.width = width
    self.maxLines = maxLines
  }

  mutating func take(_ grapheme: Grapheme) {
    if grapheme.width == 0 { return endLine() }
    // Blanks at the end of a line hang over its edge: they are dropped, whatever follows.
    if grapheme == .space {
      line.append(grapheme)
      used += 1
      // A break behind an indentation would leave an empty line.
      if hasWord { breakAt = line.count }
      return
    }
    if used > 0, grapheme.width == 2 || line.last?.width == 2 { breakAt = line.count }
    if used + grapheme.width > width { breakLine() }
    line.append(grapheme)
    used += grapheme.width
    hasWord = true
  }

  /// Ends the line where the text has a line end.
  mutating func endLine() {
    emit(line[...])
    line = []
    used = 0
    breakAt = nil
    hasWord = false
  }

  /// Ends the line at the last place for a break, or right here, and starts the next with the rest.
  private mutating func breakLine() {
    let end = breakAt ?? line.count
    let rest = line[end...]
    emit(line[..<end])
    line = Array(rest)
    used = line.reduce(0) { $0 + $1.width }
    breakAt = nil
    hasWord = !line.isEmpty
  }

  private mutating func emit(_ graphemes: ArraySlice<Grapheme>) {
    guard lines.count < maxLines else {
      isFull = true
      return
    }
    var kept = graphemes
    while kept.last == .space { kept.removeLast() }
    lines.append(String(kept.map(\.character)))
  }
}
