import ConversationModel
import TerminalCanvas

extension Screen {
  mutating func drawEvents() {
    let state = model.events
    let visible = state.cursor.visible(count: state.rows.count, height: layout.listHeight(.events))
    var right = [Span(state.isFollowing ? "following" : "\(state.cursor.selected + 1) of \(state.rows.count)", .muted)]
    if state.hasGap { right.insert(Span("some were missed  ", .warning), at: 0) }
    let inside = pane(layout.body, "Events", right: right, hasKeys: true)
    if let failure = state.failure, state.rows.isEmpty { return say(failure, in: inside) }
    guard state.isLoaded else { return say([[Span("loading the log", .muted)]], in: inside) }
    guard !state.rows.isEmpty else {
      if !state.filter.text.isEmpty { return sayNoHit(state.filter.text, state.isInverted, "event", in: inside) }
      return say(
        [
          [Span("Nothing has been logged at \(state.least) and up.", .heading)],
          [Span("s", .key), Span(" changes the level", .muted)],
        ], in: inside)
    }
    let selected = state.selected.flatMap { state.expanded == $0.number ? $0 : nil }
    // An opened record takes the room of the rows below it, and never its own.
    let detail = selected.map { detailLines($0, width: inside.columns - 4) } ?? []
    var rows = Array(visible)
    let surplus = min(max(0, rows.count + detail.count - inside.rows), max(0, rows.count - 1))
    if !detail.isEmpty, let index = rows.firstIndex(of: state.cursor.selected) {
      let above = max(0, min(surplus, index - max(0, inside.rows - 1 - detail.count)))
      rows = Array(rows.dropFirst(above).dropLast(surplus - above))
    }
    var line = 0
    for row in rows where line < inside.rows {
      drawRecord(state.rows[row], in: inside.line(line), isSelected: row == state.cursor.selected)
      line += 1
      guard row == state.cursor.selected else { continue }
      for text in detail where line < inside.rows {
        canvas.draw(text, row: line, column: 4, in: inside.inset(right: 1))
        line += 1
      }
    }
  }

  private mutating func drawRecord(_ record: LogPage.Record, in line: Rect, isSelected: Bool) {
    let level = EventsState.Level(record.level)
    let (mark, style): (String, Style) =
      switch level {
      case .critical, .error: (glyphs.marks.alarm, .alarm)
      case .warning: ("! ", .warning)
      case .notice: ("* ", .accent)
      case .info: ("- ", .plain)
      case .debug, .trace: ("  ", .muted)
      }
    let name = "\(level)" + String(repeating: " ", count: max(1, 9 - "\(level)".count))
    let isNarrow = line.columns < 60
    var spans = [
      Span(isSelected ? "\(glyphs.pointer) " : "  ", .focus),
      Span(Figures.clock(record.time, offset: model.now.offset) + " ", .muted), Span(mark + " ", style),
    ]
    if !isNarrow { spans.append(Span(name, style)) }
    spans.append(Span(drawable(record.message, glyphs: glyphs, lineEnds: .joined)))
    for field in record.fields {
      spans.append(Span("  \(drawable(field.name, glyphs: glyphs, lineEnds: .joined))=", .muted))
      spans.append(Span(drawable(field.value, glyphs: glyphs, lineEnds: .joined)))
    }
    canvas.draw(spans, row: 0, in: line)
    if isSelected { canvas.restyle(line) { $0.selected } }
  }

  private func detailLines(_ record: LogPage.Record, width: Int) -> [[Span]] {
    let head = [[Span("record \(record.number)  \(record.time.description)", .muted)]]
    return head
      + record.fields.flatMap { field -> [[Span]] in
        wrapped("\(field.name) = \(field.value)", width: max(8, width), maxLines: 6, glyphs: glyphs).lines.map {
          [Span($0)]
        }
      }
  }
}
