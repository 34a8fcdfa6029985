import ConversationModel
import TerminalCanvas

extension Screen {
  static let sessionColumns: [Table.Column] = [
    .init("ST", 2, rank: 1), .init("USER", 8, rank: 4), .init("SESSION", 10, rank: 2),
    .init("CONVERSATION", 17, rank: 1, isFlexible: true), .init("CONN", 4, rank: 5, align: .right),
    .init("MSGS", 5, rank: 7, align: .right), .init("TOK/S", 5, rank: 8, align: .right),
    .init("PEND", 4, rank: 6, align: .right), .init("LAG", 5, rank: 3, align: .right),
  ]

  mutating func drawSessions() {
    drawSessionList(layout.sessions)
    if layout.isWide { drawPersistence(layout.persistence) } else { drawFolded(layout.folded) }
    if layout.hasPreview { drawPreview(layout.preview) }
  }

  /// For a printer: every row, without a preview, and none of them selected.
  mutating func drawPrinted() {
    let body = layout.body.inset(top: -1, bottom: 0)
    let side = layout.isWide ? 31 : 0
    if layout.isWide {
      drawPersistence(Rect(row: body.row, column: body.endColumn - side, rows: body.rows, columns: side))
    } else {
      drawFolded(body.line(0))
    }
    drawSessionList(body.inset(top: layout.isWide ? 0 : 1, right: side), isPrinted: true)
  }

  // MARK: The list

  private mutating func drawSessionList(_ rect: Rect, isPrinted: Bool = false) {
    let state = model.sessions
    let visible =
      isPrinted
      ? state.rows.indices : state.cursor.visible(count: state.rows.count, height: layout.listHeight(.sessions))
    let total =
      state.rows.count == state.all.count ? "\(state.rows.count)" : "\(state.rows.count) of \(state.all.count)"
    let right =
      state.rows.isEmpty
      ? [] : [Span("\(visible.lowerBound + 1)-\(visible.upperBound) of \(total)\(state.isPart ? "+" : "")", .muted)]
    let inside = pane(rect, "Sessions", right: right, hasKeys: true)
    let table = Table(Self.sessionColumns, width: inside.columns)
    if let failure = state.failure, state.rows.isEmpty { return say(failure, in: inside) }
    guard state.isLoaded else { return say([[Span("loading sessions", .muted)]], in: inside) }
    guard !state.all.isEmpty else {
      return say(
        [
          [Span("Nobody is connected.", .heading)],
          [Span("Clients appear here as they attach.")],
          [Span("3", .key), Span(" shows every thread", .muted)],
        ], in: inside)
    }
    guard !state.rows.isEmpty else { return sayNoHit(state.filter.text, state.isInverted, "session", in: inside) }
    table.drawTitles(on: &canvas, in: inside.line(0), sorted: state.sort.name)
    for (line, row) in visible.enumerated() {
      table.draw(
        sessionCells(state.rows[row]), on: &canvas, in: inside.line(1 + line),
        isSelected: !isPrinted && row == state.cursor.selected)
    }
  }

  mutating func sayNoHit(_ text: String, _ isInverted: Bool, _ noun: String, in rect: Rect) {
    let shown = TextWidth.truncated(text, to: max(4, rect.columns - 24), glyphs: glyphs)
    say(
      [
        [Span("No \(noun) \(isInverted ? "without" : "with") \""), Span(shown, .accent), Span("\".")],
        [Span("Esc", .key), Span(" drops the filter, ", .muted), Span("!", .key), Span(" inverts it", .muted)],
      ], in: rect)
  }

  private func sessionCells(_ session: LiveSession) -> [Span] {
    let (mark, style) = state(of: session)
    let lag = session.lagMilliseconds.map { Figures.duration(milliseconds: $0) } ?? "-"
    return [
      Span(mark, style), Span(Figures.short(session.user), .muted), Span(session.sessionID ?? "(default)"),
      session.title.map { Span($0) } ?? Span("(untitled)", .muted), Span("\(session.connections.count)"),
      Span(Figures.count(session.messageCount)),
      session.turn.map { Span(Figures.decimals($0.tokensPerSecond, 1), .accent) } ?? Span("-", .muted),
      session.pending > 0 ? Span("\(session.pending)", .warning) : Span("-", .muted),
      Span(lag, session.isStalled ? .alarm : lag == "-" ? .muted : .plain),
    ]
  }

  /// Stalled, at work, idle, or long asleep.
  private func state(of session: LiveSession) -> (String, Style) {
    if session.isStalled { return (glyphs.marks.alarm, .alarm) }
    let idle = model.now.wall.microseconds &- session.lastActivity.microseconds
    if session.turn != nil || session.pending > 0 || idle < 10_000_000 { return (glyphs.marks.live, .accent) }
    return idle < 600_000_000 ? (glyphs.marks.idle, .muted) : (glyphs.marks.asleep, .muted)
  }

  // MARK: Persistence

  private mutating func drawPersistence(_ rect: Rect) {
    let inside = pane(rect, "Persistence", right: [Span("2", .key)])
    guard let status = model.status else { return say([[Span("loading", .muted)]], in: inside) }
    var lines = reasonLines(status, width: inside.columns)
    let (save, load) = (status.latencies.save, status.latencies.load)
    func mark(_ isGood: Bool) -> Span { isGood ? Span("OK  ", .ok) : Span("!!  ", .alarm) }
    lines.append([
      mark(status.store.refusal == nil && status.state.kind == .ok), Span("store   "),
      Span("wal \(Figures.bytes(status.store.walBytes))", .muted),
    ])
    let share = status.counts.savedShare
    lines.append([
      mark((share ?? 1) > 0.99), Span("saved   "),
      Span(share.map { Figures.decimals($0 * 100, 3) + " %" } ?? "-", .muted),
    ])
    lines.append(latencyLine("save", save))
    lines.append(latencyLine("load", load))
    lines.append([])
    let graph = lines.count - 1
    if let spool = status.store.spool {
      lines.append([
        mark(spool.refusal == nil && spool.deadLetters == 0), Span("spool   "),
        Span("\(Figures.count(spool.waiting)) waiting", spool.waiting > 0 ? .warning : .muted),
      ])
      let fallback = status.counts.spooledShare
      lines.append([
        mark((fallback ?? 0) < 0.01), Span("fallback "),
        Span(fallback.map { Figures.decimals($0 * 100, 2) + " %" } ?? "-", .muted),
      ])
    } else {
      lines.append([Span("--  ", .muted), Span("spool   "), Span("none", .muted)])
    }
    lines.append([
      Span("writes ", .muted), Span("\(Figures.count(status.rates.saves))/s"), Span(" reads ", .muted),
      Span("\(Figures.count(status.rates.reads))/s"),
    ])
    if status.counts.stalledSessions > 0 {
      let count = status.counts.stalledSessions
      let noun = count == 1 ? "session" : "sessions"
      lines.append([Span("!!  ", .alarm), Span("\(Figures.count(count)) \(noun) stalled", .alarm)])
    }
    for (row, line) in lines.prefix(inside.rows).enumerated() {
      canvas.draw(line, row: row, column: 1, in: inside.inset(right: 1))
    }
    if graph < inside.rows {
      canvas.sparkline(status.history.map { Double($0.saves) }, in: inside.line(graph).inset(left: 5, right: 1))
    }
  }

  /// Why the state is not what it should be, before everything else.
  private func reasonLines(_ status: ServerStatus, width: Int) -> [[Span]] {
    guard status.state.kind != .ok else { return [] }
    return status.state.reasons.prefix(3).flatMap { reason in
      wrapped(reason, width: max(8, width - 6), maxLines: 3, glyphs: glyphs).lines.enumerated().map { index, line in
        [Span(index == 0 ? "!!  " : "    ", .alarm), Span(line, .warning)]
      }
    }
  }

  private func latencyLine(_ name: String, _ latency: Latency) -> [Span] {
    guard latency.count > 0 else { return [Span("   \(name) ", .muted), Span("nothing yet", .muted)] }
    return [
      Span("   \(name) ", .muted), Span("p50 ", .muted), Span(Figures.latency(latency.p50)), Span(" p99 ", .muted),
      Span(Figures.latency(latency.p99)),
    ]
  }

  private mutating func drawFolded(_ line: Rect) {
    guard let status = model.status else { return }
    let isGood = status.store.refusal == nil && status.state.kind == .ok
    var spans = [isGood ? Span("OK", .ok) : Span("!!", .alarm), Span(" store")]
    if status.state.kind != .ok, let reason = status.state.reasons.first { spans.append(Span("  \(reason)", .warning)) }
    let save = status.latencies.save
    let load = status.latencies.load
    spans += [
      Span("  save p99 ", .muted), Span(save.count == 0 ? "-" : Figures.latency(save.p99)), Span("  load p99 ", .muted),
      Span(load.count == 0 ? "-" : Figures.latency(load.p99)), Span("  spool ", .muted),
      Span(status.store.spool.map { Figures.count($0.waiting) } ?? "none"), Span("  wal ", .muted),
      Span(Figures.bytes(status.store.walBytes)),
    ]
    canvas.draw(spans, row: 0, column: 1, in: line.inset(right: 1))
  }

  // MARK: Preview

  private mutating func drawPreview(_ rect: Rect) {
    guard let session = model.sessions.selected else {
      let inside = pane(rect, "Preview")
      return say([[Span("The selected session's last messages show here.", .muted)]], in: inside)
    }
    let name = "\(Figures.short(session.user)) / \(session.sessionID ?? "(default)")   \(session.title ?? "(untitled)")"
    let title = TextWidth.truncated(name, to: max(8, rect.columns - 22), glyphs: glyphs)
    let inside = pane(rect, title, right: [Span("Enter", .key), Span(" open", .muted)])
    let clients = Set(session.connections.map { $0.client.isEmpty ? "unnamed" : $0.client }).sorted()
    var lines: [[Span]] = [
      [
        Span("\(Figures.grouped(session.messageCount)) msgs", .muted),
        Span("   last change \(Figures.time(session.lastActivity, at: model.now))", .muted),
        Span("   \(clients.joined(separator: ", ")) attached", .muted),
      ]
    ]
    if let turn = session.turn {
      var text = "streaming since \(Figures.time(turn.since, at: model.now)), \(Figures.grouped(turn.tokens)) tokens"
      if session.pending > 0 {
        text += ", \(session.pending) waiting for \(Figures.duration(milliseconds: session.lagMilliseconds ?? 0))"
      }
      lines.append([Span(text, .accent)])
    }
    let preview = model.sessions.preview
    if let failure = preview?.failure {
      lines.append([Span("!! \(failure.code)  ", .alarm), Span(failure.message)])
    } else if preview?.conversation != session.conversation || preview?.isLoaded != true {
      lines.append([Span("loading its last messages", .muted)])
    } else if let messages = preview?.messages {
      if messages.isEmpty { lines.append([Span("no messages yet", .muted)]) }
      let digits = messages.map { "\($0.position)".count }.max() ?? 1
      lines += messages.suffix(max(0, inside.rows - lines.count)).map { previewLine($0, digits) }
    }
    for (row, line) in lines.prefix(inside.rows).enumerated() {
      canvas.draw(line, row: row, column: 1, in: inside.inset(right: 1))
    }
  }

  private func previewLine(_ message: Message, _ digits: Int) -> [Span] {
    let number = MessageLayout.place(of: message)
    let role = message.role.rawValue
    let text =
      switch message.status {
      case .deleted: "(deleted)"
      case .streaming where message.content.isEmpty: "(being written)"
      default: drawable(message.content.unicodeScalars.prefix(400).text, glyphs: glyphs, lineEnds: .joined)
      }
    let clock = Figures.clock(message.createdAt, offset: model.now.offset).prefix(5)
    return [
      Span(number + String(repeating: " ", count: max(0, digits + 1 - number.count)) + " ", .muted),
      Span(role + String(repeating: " ", count: max(1, 11 - role.count)), MessageLayout.style(of: message.role)),
      Span("\(clock)  ", .muted),
    ] + (message.durability == .spooled ? [MessageLayout.promise(of: message), Span("  ")] : []) + [Span(text)]
  }
}

extension Substring.UnicodeScalarView {
  fileprivate var text: String { String(self) }
}
