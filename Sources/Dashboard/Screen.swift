import ConversationModel
import TerminalCanvas

/// Draws what a model knows. A pure function of it: the same model gives the same canvas.
struct Screen {
  let model: DashboardModel
  let layout: Layout
  var canvas: Canvas
  /// Where something is being typed.
  var cursor: Point?

  /// The canvas, of exactly the terminal's size, and the place of the cursor.
  static func draw(_ model: DashboardModel) -> (canvas: Canvas, cursor: Point?) {
    var screen = Screen(model: model, layout: model.layout, canvas: Canvas(model.size, glyphs: model.glyphs))
    screen.drawAll()
    return (screen.canvas, screen.cursor)
  }

  var glyphs: Glyphs { model.glyphs }

  private mutating func drawAll() {
    if layout.isTooSmall { return drawTooSmall() }
    if model.showsThread, let thread = model.thread, thread.isBare, model.overlay == nil {
      return drawBare(thread)
    }
    drawHeader()
    if model.chat == nil { drawTabs() }
    drawNote()
    drawFooter()
    drawView()
    drawOverlay()
  }

  private mutating func drawView() {
    if let chat = model.chat { return drawChat(chat) }
    if model.status == nil, !model.isConnected { return drawConnecting() }
    switch model.view {
    case .sessions: drawSessions()
    case .health: drawHealth()
    case .threads: drawThreads()
    case .thread: drawThread()
    case .events: drawEvents()
    case .chat: break
    }
    // What is older than it should be is not to be taken for what is.
    if model.isStale || !model.isConnected, model.view != .thread {
      canvas.restyle(layout.body) { $0.role == .border || $0.role == .heading ? $0 : $0.dimmed }
    }
  }

  private mutating func drawTooSmall() {
    let text =
      "\(layout.size.columns)x\(layout.size.rows): Parley needs \(Layout.smallest.columns)x\(Layout.smallest.rows)"
    canvas.draw(text, row: 0, style: .warning)
  }

  // MARK: The frame

  private mutating func drawNote() {
    let line = layout.note
    if let input = promptText { return drawPrompt(input, in: line) }
    if let notice = model.notice {
      canvas.draw(notice.text, row: 0, column: 1, in: line, style: .accent, lineEnds: .joined)
      return
    }
    if let chat = model.chat { return drawOutbox(chat, in: line) }
    guard let alert = model.events.latestAlert else { return }
    let hint = "[5] events"
    let hasHint = line.columns >= 60
    let level = EventsState.Level(alert.level)
    let text = ([alert.message] + alert.fields.map { "\($0.name)=\($0.value)" }).joined(separator: " ")
    canvas.draw(
      [
        Span(Figures.clock(alert.time, offset: model.now.offset) + " ", .muted),
        Span(level == .warning ? "warn" : alert.level, level == .warning ? .warning : .alarm),
        Span("  " + drawable(text, glyphs: glyphs, lineEnds: .joined)),
      ], row: 0, column: 1, in: line.inset(right: hasHint ? hint.count + 3 : 1))
    if hasHint { canvas.draw(hint, row: 0, column: line.columns - hint.count - 1, in: line, style: .muted) }
  }

  /// What is being typed at the bottom, with its mark.
  private var promptText: (mark: String, text: String, hint: String)? {
    switch model.overlay {
    case .filter: ("/", model.filterText, model.view == .threads ? "titles, asked from the store" : "")
    case .find(let input): ("/", input.text, "in the loaded messages")
    default: nil
    }
  }

  private mutating func drawPrompt(_ prompt: (mark: String, text: String, hint: String), in line: Rect) {
    canvas.draw(prompt.mark, row: 0, column: 1, in: line, style: .key)
    // The end of a long line is what is being typed.
    var shown = drawable(prompt.text, glyphs: glyphs)
    while TextWidth.of(shown, glyphs: glyphs) > line.columns - 4, !shown.isEmpty { shown.removeFirst() }
    let end = canvas.draw(shown, row: 0, column: 2, in: line, style: .input)
    cursor = Point(row: line.row, column: end)
    if line.columns - end > prompt.hint.count + 3 {
      canvas.draw(prompt.hint, row: 0, column: line.columns - prompt.hint.count - 1, in: line, style: .muted)
    }
  }

  /// The keys that matter here, as many as there is room for, the first ones last to go.
  private mutating func drawFooter() {
    let width = layout.footer.columns - 2
    var seen = Set<Action>()
    let candidates = KeyTable.bindings.filter {
      model.scopes.contains($0.scope) && !footerText($0).isEmpty && seen.insert($0.action).inserted
    }
    func length(_ binding: Binding) -> Int { binding.footerKeys.count + footerText(binding).count + 3 }
    var kept = candidates
    while kept.reduce(-2, { $0 + length($1) }) > width,
      let last = kept.indices.max(by: { (kept[$0].footer?.rank ?? 0) < (kept[$1].footer?.rank ?? 0) })
    {
      kept.remove(at: last)
    }
    // The view's own keys first, then what holds everywhere.
    let common: [Scope] = [.everywhere, .operators, .always]
    kept = kept.filter { !common.contains($0.scope) } + common.flatMap { scope in kept.filter { $0.scope == scope } }
    var column = 1
    for binding in kept {
      column = canvas.draw(binding.footerKeys, row: 0, column: column, in: layout.footer, style: .key)
      column = 2 + canvas.draw(" \(footerText(binding))", row: 0, column: column, in: layout.footer, style: .muted)
    }
  }

  /// What the footer says of a key, here and now; empty for one that does not stand there.
  private func footerText(_ binding: Binding) -> String {
    guard let text = binding.footer?.text else { return "" }
    switch (model.overlay, binding.action) {
    // Where q quits, that is said instead.
    case (_, .quit) where binding.scope == .always && model.chat?.focus != .composer: return ""
    case (nil, .leave) where model.chat != nil && model.streamingAnswer != nil: return "stop"
    case (_, .quit) where model.settings.isServing: return "stop the server"
    case (.search, .choose): return "open"
    case (.search(let finder), .complete): return finder.scope == .all ? "shown branches" : "every branch"
    case (.filter, .choose): return "keep"
    case (.filter, .cancel): return "drop"
    case (.filter, .previous): return "select"
    case (.find, .choose): return "find"
    case (.filter, .complete), (.find, .complete), (.find, .previous): return ""
    default: return text
    }
  }

  // MARK: Pieces

  /// A pane with a title, bright if it has the keys; returns what is inside.
  mutating func pane(_ rect: Rect, _ title: String, right: [Span] = [], hasKeys: Bool = false) -> Rect {
    guard rect.rows >= 2 else { return rect }
    return canvas.box(rect, left: [Span(title, .heading)], right: right, style: hasKeys ? .focus : .border)
  }

  /// A few lines in the middle of a pane: that it is empty, loading, or why there is nothing.
  mutating func say(_ lines: [[Span]], in rect: Rect) {
    let top = max(0, (rect.rows - lines.count) / 2)
    for (index, line) in lines.enumerated() {
      let width = line.reduce(0) { $0 + TextWidth.of($1.text, glyphs: glyphs) }
      canvas.draw(line, row: top + index, column: max(1, (rect.columns - width) / 2), in: rect.inset(right: 1))
    }
  }

  mutating func say(_ failure: Failure, in rect: Rect) {
    let reason = wrapped(failure.message, width: max(10, rect.columns - 4), maxLines: 4, glyphs: glyphs).lines
    say(
      [[Span("!! ", .alarm), Span(failure.code, .alarm)]] + reason.map { [Span($0)] }
        + [[Span("r", .key), Span(" tries again", .muted)]], in: rect)
  }
}
