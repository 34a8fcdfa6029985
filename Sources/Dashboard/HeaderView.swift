import ConversationModel
import TerminalCanvas

extension Screen {
  /// Name, server and uptime left; what needs an eye right, the clock last. What matters least goes first.
  mutating func drawHeader() {
    let line = layout.header
    let clock = model.isPaused ? "PAUSED" : Figures.clock(model.now.wall, offset: model.now.offset)
    canvas.draw(
      clock, row: 0, column: line.columns - clock.count - 1, in: line, style: model.isPaused ? .warning : .plain)
    func width(_ spans: [Span]) -> Int { spans.reduce(0) { $0 + TextWidth.of($1.text, glyphs: glyphs) } }
    let room = line.columns - clock.count - 5
    var figures = model.isConnected ? figures : []
    // The name and what is wrong stay whatever happens; the rest of the left side is cut where the right begins.
    let (left, needed) = leftSpans
    var used: Int { figures.reduce(needed) { $0 + width($1.spans) + 3 } }
    while used > room, let last = figures.indices.max(by: { figures[$0].rank < figures[$1].rank }) {
      figures.remove(at: last)
    }
    let right = figures.map(\.spans)
    let rightWidth = right.reduce(0) { $0 + width($1) + 3 }
    var kept: [Span] = []
    for span in left {
      let isLast = span == left.last
      // Of several facts each is whole or not there; only a reason at the end may be cut.
      let left = room - rightWidth - width(kept)
      guard width([span]) <= left || (isLast && span.style == .warning && left >= 10) else { break }
      kept.append(span)
    }
    canvas.draw(kept, row: 0, column: 1, in: line.inset(right: line.columns - 1 - max(needed, room - rightWidth)))
    var column = line.columns - clock.count - 1
    for spans in right.reversed() {
      column -= width(spans) + 3
      canvas.draw(spans, row: 0, column: column, in: line)
    }
  }

  /// The left side, and how many of its columns must not be taken away.
  private var leftSpans: (spans: [Span], needed: Int) {
    let name = Span("PARLEY", .heading)
    let rest = model.isConnected ? model.chat.map(chatSpans) ?? stateSpans : linkSpans
    let isTrouble = !model.isConnected || (model.chat == nil ? model.status?.state.kind != .ok : model.isKeptInSpool)
    guard isTrouble, let first = rest.first else {
      // Which server it is stays too, where there is room for more than what needs an eye.
      let kept = layout.size.columns < 60 ? [name] : [name] + rest.prefix(2)
      return ([name] + rest, kept.reduce(0) { $0 + TextWidth.of($1.text, glyphs: glyphs) })
    }
    let trouble = TextWidth.of(first.text, glyphs: glyphs)
    if layout.size.columns < 60 {
      guard model.isConnected else { return ([name] + rest, name.text.count + trouble) }
      // On the smallest screens what is wrong, and how much waits, is worth more than the name.
      let text = String(first.text.drop { $0 == " " })
      return ([Span(text, first.style)] + rest.dropFirst(), text.count)
    }
    let reason = rest.count > 1 ? min(layout.isWide ? 40 : 20, TextWidth.of(rest[1].text, glyphs: glyphs)) : 0
    return ([name] + rest, name.text.count + trouble + reason)
  }

  private var linkSpans: [Span] {
    let wait = max(0, (model.nextTry - model.now.steady + 999_999) / 1_000_000)
    let isTrying = model.isPending(.status) || wait == 0
    let isNarrow = layout.size.columns < 60
    let next = isTrying ? (isNarrow ? "..." : "trying now") : (isNarrow ? "\(wait)s" : "next try in \(wait)s")
    switch model.link {
    case .connecting(nil):
      return [
        Span(" connecting", .accent), Span(" to \(model.settings.server)", .accent), Span("  \(sinceStart)", .muted),
      ]
    case .connecting(let failure?):
      return [
        Span(" !! no server \(isNarrow ? next : "at \(model.settings.server)")", .alarm),
        Span(isNarrow ? "" : "  \(next)", .warning), Span("  \(failure.message)", .warning),
      ]
    case .lost(let failure):
      return [
        Span(" !! DISCONNECTED \(isNarrow ? next : "")", .alarm), Span(isNarrow ? "" : " \(next)", .warning),
        Span("  data \(Figures.age(model.age)) old", .muted), Span("  \(failure.message)", .warning),
      ]
    case .refused(let failure):
      return [
        Span(" !! \(failure.code.uppercased())", .alarm), Span("  \(failure.message)", .warning),
      ]
    case .connected: return []
    }
  }

  private var sinceStart: String { Figures.age(model.now.steady - model.startedAt.steady) }

  private var stateSpans: [Span] {
    guard let status = model.status else { return [] }
    switch status.state.kind {
    case .ok:
      let up = Figures.age(status.time.microseconds &- status.startedAt.microseconds)
      return [
        Span(" " + drawable(status.version, glyphs: glyphs), .heading), Span("  \(model.settings.server)"),
        Span("  up \(up)", .muted),
      ]
    case .degraded, .unavailable:
      let word = status.state.kind == .degraded ? "DEGRADED" : "UNAVAILABLE"
      return [
        Span(" !! \(word)", .alarm),
        Span("  " + drawable(status.state.reasons.joined(separator: " "), glyphs: glyphs, lineEnds: .joined), .warning),
      ]
    }
  }

  /// What a user is told: where the words go, and who else is there.
  private func chatSpans(_ chat: ChatState) -> [Span] {
    if model.isKeptInSpool { return [Span(" !! messages are safe in the spool", .warning)] }
    var spans = [Span("  \(model.settings.server)")]
    let others = chat.presence.connections.count
    if model.thread?.live == .attached, others > 1 { spans.append(Span("  \(others) devices here", .accent)) }
    return spans
  }

  /// What needs an eye, as it stands there; the highest rank falls away first.
  private var figures: [(rank: Int, spans: [Span])] {
    guard let status = model.status else { return [] }
    let counts = status.counts
    var alerts: [Span] = []
    if model.isStale { alerts.append(Span("stale \(Figures.age(model.age))", .warning)) }
    if counts.stalledSessions > 0 {
      alerts.append(Span((alerts.isEmpty ? "" : "  ") + "!! \(counts.stalledSessions) stalled", .alarm))
    }
    let live = [Span("\(Figures.count(counts.liveSessions)) live", counts.liveSessions > 0 ? .accent : .muted)]
    let waiting = status.store.spool?.waiting
    let save = status.latencies.save
    let isSpooling = model.isSpooling
    return [(2, live)] + (alerts.isEmpty ? [] : [(1, alerts)]) + [
      (
        3,
        [
          Span("save p99 ", .muted),
          Span(save.count == 0 ? "-" : Figures.latency(save.p99), save.p99 > 50_000 ? .warning : .ok),
        ]
      ),
      (
        isSpooling ? 0 : 4,
        [
          Span("spool ", .muted),
          Span(waiting.map { Figures.count($0) } ?? "-", isSpooling ? .warning : .muted),
        ]
      ),
    ]
  }

  /// The views, and how the list on the screen is made.
  mutating func drawTabs() {
    let line = layout.tabs
    let isNarrow = line.columns < 76
    var end = 0
    for tab in Layout.tabSpans {
      let isCurrent = tab.view == model.view
      if isNarrow {
        // Only the numbers, and the name of the view that is shown.
        let text = isCurrent ? "[\(tab.text)]" : " \(tab.view.rawValue) "
        end = canvas.draw(text, row: 0, column: end, in: line, style: isCurrent ? .accent : .muted)
      } else {
        let text = isCurrent ? "[\(tab.text)]" : " \(tab.text) "
        end = max(end, canvas.draw(text, row: 0, column: tab.column - 1, in: line, style: isCurrent ? .accent : .muted))
      }
    }
    var parts = listSpans
    parts.append([Span("every \(Figures.decimals(Double(model.interval) / 1_000_000, 1))s", .muted)])
    func width() -> Int { parts.reduce(0) { $0 + $1.reduce(0) { $0 + TextWidth.of($1.text, glyphs: glyphs) } + 2 } }
    while end + 2 + width() > line.columns, !parts.isEmpty {
      // How often is read goes first, then the order of a list that is filtered.
      parts.remove(at: parts.count == 2 && !model.filterText.isEmpty ? 0 : parts.count - 1)
    }
    var column = line.columns - width() + 1
    for part in parts { column = canvas.draw(part, row: 0, column: column, in: line) + 2 }
  }

  private var listSpans: [[Span]] {
    func filter(_ text: String, _ isInverted: Bool) -> [Span] {
      let shown = TextWidth.truncated(text, to: 16, glyphs: glyphs)
      return text.isEmpty
        ? [Span("filter:-", .muted)]
        : [Span("filter:", .muted), Span((isInverted ? "!" : "") + shown, .accent)]
    }
    switch model.view {
    case .sessions:
      return [
        [Span("sort:\(model.sessions.sort.name) \(model.sessions.isDescending ? glyphs.down : glyphs.up)", .muted)],
        filter(model.sessions.filter.text, model.sessions.isInverted),
      ]
    case .threads:
      return [
        [Span("sort:\(model.threads.sort.name) \(model.threads.isReversed ? glyphs.up : glyphs.down)", .muted)],
        filter(model.threads.filter.text, model.threads.isInverted),
      ]
    case .events:
      return [
        filter(model.events.filter.text, model.events.isInverted), [Span("level:\(model.events.least) and up", .muted)],
      ]
    case .thread where model.thread?.needle.isEmpty == false:
      return [filter(model.thread?.needle ?? "", false)]
    case .thread, .health, .chat: return []
    }
  }
}
