import ConversationModel
import TerminalCanvas

extension Screen {
  private static let threadColumns: [Table.Column] = [
    .init("ST", 2, rank: 1), .init("USER", 8, rank: 4), .init("SESSION", 14, rank: 3),
    .init("CONVERSATION", 24, rank: 1, isFlexible: true), .init("MSGS", 5, rank: 5, align: .right),
    .init("BRANCHES", 8, rank: 6, align: .right), .init("ACTIVITY", 8, rank: 2, align: .right),
    .init("MADE", 16, rank: 7),
  ]

  mutating func drawThreads() {
    let state = model.threads
    let visible = state.cursor.visible(count: state.rows.count, height: layout.listHeight(.threads))
    let right =
      state.rows.isEmpty
      ? []
      : [
        Span(
          "\(visible.lowerBound + 1)-\(visible.upperBound) of \(Figures.grouped(state.rows.count))\(state.hasMore ? "+" : "")",
          .muted)
      ]
    let inside = pane(layout.body, "Threads", right: right, hasKeys: true)
    if let failure = state.failure { return say(failure, in: inside) }
    guard state.isLoaded else { return say([[Span("loading threads", .muted)]], in: inside) }
    guard !state.rows.isEmpty else {
      if state.isStartingOver || state.hasMore { return say([[Span("searching", .muted)]], in: inside) }
      if !state.filter.text.isEmpty { return sayNoHit(state.filter.text, state.isInverted, "thread", in: inside) }
      return say(
        [
          [Span("There are no conversations yet.", .heading)],
          [Span("A client makes the first one:")],
          [Span("POST /v1/conversations", .accent)],
        ], in: inside)
    }
    let table = Table(Self.threadColumns, width: inside.columns)
    table.drawTitles(on: &canvas, in: inside.line(0), sorted: state.sort.name)
    let live = Set(model.sessions.all.map(\.conversation))
    for (line, row) in visible.enumerated() {
      let rect = inside.line(1 + line)
      if let thread = state.rows[row] {
        table.draw(threadCells(thread, live), on: &canvas, in: rect, isSelected: row == state.cursor.selected)
      } else {
        canvas.draw("loading", row: 0, column: 2, in: rect, style: .muted)
        if row == state.cursor.selected { canvas.restyle(rect) { $0.selected } }
      }
    }
    if visible.upperBound == state.rows.count, state.hasMore, visible.count + 1 < inside.rows {
      canvas.draw("\(glyphs.ellipsis) more (PgDn)", row: 1 + visible.count, column: 2, in: inside, style: .muted)
    }
  }

  private func threadCells(_ thread: Conversation, _ live: Set<ConversationID>) -> [Span] {
    let idle = model.now.wall.microseconds &- thread.updatedAt.microseconds
    let mark: Span
    if live.contains(thread.id) {
      mark = Span(glyphs.marks.live, .accent)
    } else if thread.isPinned {
      mark = Span("* ", .warning)
    } else if thread.isArchived {
      mark = Span("a ", .muted)
    } else {
      mark = Span(idle < 600_000_000 ? glyphs.marks.idle : glyphs.marks.asleep, .muted)
    }
    var marks = ""
    if thread.isPinned { marks += "* " }
    if thread.isArchived { marks += "(archived) " }
    return [
      mark, Span(Figures.short(thread.userID), .muted), Span(thread.sessionID ?? "(default)"),
      thread.title.map { Span(marks + $0, thread.isArchived ? .muted : .plain) } ?? Span(marks + "(untitled)", .muted),
      Span(Figures.count(thread.messageCount)), Span(thread.branchCount > 1 ? "\(thread.branchCount)" : "-", .muted),
      Span(Figures.age(idle)), Span(String(Figures.day(thread.createdAt, at: model.now)), .muted),
    ]
  }
}
