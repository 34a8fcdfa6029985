import ConversationModel
import TerminalCanvas

/// The panels of the Health view. They are drawn at full height on a canvas of their own; the screen shows a
/// part of it.
struct HealthView {
  let status: ServerStatus
  let moment: Moment
  let glyphs: Glyphs

  private static let twoColumns = 76
  private static let writeRows = 14
  private static let targetRows = 9
  private static let storeRows = 11
  private static let spoolRows = 7
  private static let countRows = 9
  private static let nameColumns = 13

  /// Rows of everything at a width.
  func height(_ columns: Int) -> Int {
    let left = Self.writeRows + Self.targetRows
    let right = Self.storeRows + warningRows + Self.spoolRows + Self.countRows
    return columns >= Self.twoColumns ? max(left, right) : left + right
  }

  /// Room for what needs a person, if anything does.
  private var warningRows: Int { status.store.warnings.isEmpty ? 0 : 3 }

  /// What needs a person, whole if it can be: it is the reason why somebody looks here.
  private func warnings(_ columns: Int) -> [[Span]] {
    let width = (columns >= Self.twoColumns ? columns / 2 : columns) - 7
    let warnings = status.store.warnings.prefix(warningRows)
    let lines = warnings.flatMap { warning in
      wrapped(warning, width: max(8, width), maxLines: max(1, warningRows + 1 - warnings.count), glyphs: glyphs).lines
        .enumerated().map { index, line in [Span(index == 0 ? "!! " : "   ", .alarm), Span(line, .warning)] }
    }
    return (lines + Array(repeating: [], count: warningRows)).prefix(warningRows).map { $0 }
  }

  func draw(columns: Int) -> Canvas {
    var canvas = Canvas(Size(rows: height(columns), columns: columns), glyphs: glyphs)
    let warnings = warnings(columns)
    let left: Rect
    let right: Rect
    if columns >= Self.twoColumns {
      let halves = canvas.bounds.split(columns: [.flexible(), .flexible()])
      (left, right) = (halves[0], halves[1])
    } else {
      let halves = canvas.bounds.split(rows: [.fixed(Self.writeRows + Self.targetRows), .flexible()])
      (left, right) = (halves[0], halves[1])
    }
    let leftRows = left.split(rows: [.fixed(Self.writeRows), .flexible()])
    let rightRows = right.split(rows: [.fixed(Self.storeRows + warnings.count), .fixed(Self.spoolRows), .flexible()])
    drawWritePath(on: &canvas, leftRows[0])
    drawTargets(on: &canvas, leftRows[1])
    draw(warnings + store, "Store", on: &canvas, rightRows[0])
    draw(spool, "Spool", on: &canvas, rightRows[1])
    draw(counts, "Counts", on: &canvas, rightRows[2])
    return canvas
  }

  private func draw(_ lines: [[Span]], _ title: String, on canvas: inout Canvas, _ rect: Rect) {
    let inside = canvas.box(rect, left: [Span(title, .heading)])
    for (row, line) in lines.prefix(inside.rows).enumerated() {
      canvas.draw(line, row: row, column: 1, in: inside.inset(right: 1))
    }
  }

  private func line(_ name: String, _ value: String, _ style: Style = .plain, _ note: String = "") -> [Span] {
    let pad = String(repeating: " ", count: max(1, Self.nameColumns - name.count))
    return [Span(name + pad, .muted), Span(value, style)] + (note.isEmpty ? [] : [Span("  " + note, .muted)])
  }

  // MARK: Write path

  private func drawWritePath(on canvas: inout Canvas, _ rect: Rect) {
    let store = status.store
    let state: [Span] =
      store.refusal.map { [Span("!! ", .alarm), Span($0, .warning)] }
      ?? (status.state.kind == .ok
        ? [Span("OK ", .ok), Span("commands are taken")]
        : [Span("!! ", .alarm), Span("commands are taken; Store says what is wrong", .warning)])
    let oldest = store.oldestQueuedMilliseconds
    var lines = [state]
    lines.append(
      line(
        "queue", Figures.grouped(store.queuedCommands), store.queuedCommands > Limits.batchCommands ? .warning : .plain,
        "of \(Figures.grouped(Limits.queuedCommands))"))
    lines.append(
      line(
        "oldest", store.queuedCommands == 0 ? "-" : Figures.duration(milliseconds: oldest),
        oldest > Limits.stalledMilliseconds ? .alarm : .plain))
    lines.append(line("batch", "\(Figures.decimals(store.batchCommands, 1))", .plain, "commands a commit"))
    lines.append([Span(String(repeating: " ", count: Self.nameColumns)), Span("  p50   p95   p99   max", .heading)])
    lines.append(percentiles("commit+sync", store.commit))
    lines.append(percentiles("save", status.latencies.save))
    lines.append(percentiles("load", status.latencies.load))
    lines.append(percentiles("query", status.latencies.query))
    lines.append(percentiles("rpc", status.latencies.rpc))
    draw(lines, "Write path", on: &canvas, rect)
    let inside = rect.interior
    let saves = status.history.map { Double($0.saves) }
    let slowest = status.history.map { Double($0.slowestSave) }
    let most = status.history.map(\.saves).max() ?? 0
    let worst = status.history.map(\.slowestSave).max() ?? 0
    graph("saves/s", saves, "max \(Figures.count(most))", .accent, on: &canvas, inside.line(10))
    graph("slowest", slowest, worst == 0 ? "" : "max \(Figures.latency(worst))", .warning, on: &canvas, inside.line(11))
  }

  private func graph(
    _ name: String, _ values: [Double], _ note: String, _ style: Style, on canvas: inout Canvas, _ line: Rect
  ) {
    canvas.draw(name, row: 0, column: 1, in: line, style: .muted)
    let noteColumns = 11
    let room = line.columns - 10 - noteColumns
    canvas.sparkline(
      values, in: Rect(row: line.row, column: line.column + 9, rows: line.rows, columns: max(0, min(60, room))),
      style: style)
    canvas.draw(note, row: 0, column: 10 + max(0, min(60, room)), in: line, style: .muted)
  }

  private func percentiles(_ name: String, _ latency: Latency) -> [Span] {
    let pad = String(repeating: " ", count: max(1, Self.nameColumns - name.count))
    guard latency.count > 0 else { return [Span(name + pad, .muted), Span("nothing lately", .muted)] }
    let values = [latency.p50, latency.p95, latency.p99, latency.max].map { value in
      let text = Figures.latency(value)
      return String(repeating: " ", count: max(0, 5 - text.count)) + text
    }
    return [Span(name + pad, .muted), Span(values.joined(separator: " "))]
  }

  // MARK: Targets

  private func drawTargets(on canvas: inout Canvas, _ rect: Rect) {
    let inside = canvas.box(
      rect, left: [Span("Targets of the former system", .heading)], right: [Span("p95, last minute", .muted)])
    let columns = [
      Table.Column("WHAT", 12, rank: 1, isFlexible: true), .init("BOUND", 9, rank: 3, align: .right),
      .init("MEASURED", 9, rank: 2, align: .right), .init("MET", 4, rank: 1),
    ]
    let table = Table(columns, width: inside.columns)
    table.drawTitles(on: &canvas, in: inside.line(0))
    for (row, target) in status.targets.prefix(max(0, inside.rows - 1)).enumerated() {
      let sign = target.isUpperBound ? "< " : "> "
      let met: Span =
        switch target.isMet {
        case true?: Span("OK", .ok)
        case false?: Span("!!", .alarm)
        case nil: Span("--", .muted)
        }
      let cells = [
        Span(target.name), Span(target.bound.map { sign + Self.value($0, target.unit, 0) } ?? "watched", .muted),
        Span(target.measured.map { Self.value($0, target.unit, 2) } ?? "-", target.isMet == false ? .alarm : .plain),
        met,
      ]
      table.draw(cells, on: &canvas, in: inside.line(row + 1), isSelected: false)
    }
  }

  private static func value(_ value: Double, _ unit: ServerStatus.Target.Unit, _ places: Int) -> String {
    switch unit {
    case .milliseconds: Figures.decimals(value, min(places, 1)) + " ms"
    case .percent: Figures.decimals(value, places) + " %"
    case .messages: Figures.decimals(value, min(places, 1))
    }
  }

  // MARK: Store, spool, counts

  private var store: [[Span]] {
    let store = status.store
    var lines = [
      line("engine", store.engine),
      line("size", Figures.bytes(store.bytes), .plain, "wal \(Figures.bytes(store.walBytes))"),
      line(
        "checkpoint",
        store.checkpointMilliseconds.map { Figures.duration(milliseconds: $0) + " ago" } ?? "none needed yet"),
      line(
        "disk left", store.freeBytes.map(Figures.bytes) ?? "unknown",
        (store.freeBytes ?? .max) < 1_000_000_000 ? .alarm : .plain),
      line("readers", "\(store.readers)"),
      canary,
      line("commits", Figures.grouped(store.commits), .plain, "of \(Figures.grouped(store.commands)) cmds"),
    ]
    if let held = status.statistics {
      lines.append(
        line(
          "threads", Figures.grouped(held.conversations), .plain, "counted \(Figures.time(held.countedAt, at: moment))")
      )
      lines.append(
        line("messages", Figures.grouped(held.messages), .plain, "largest \(Figures.grouped(held.largestMessages))"))
    } else {
      lines.append(line("threads", "not counted yet", .muted))
    }
    return lines
  }

  /// Whether the store keeps what it is told, tried out.
  private var canary: [Span] {
    guard let canary = status.store.canary else { return line("canary", "not tried yet", .muted) }
    let when = "tried \(Figures.time(canary.time, at: moment))"
    guard let took = canary.microseconds, canary.failure == nil else {
      return line("canary", "!! failed", .alarm, canary.failure ?? when)
    }
    return line(
      "canary", Figures.latency(took), .plain,
      canary.failures == 0 ? when : "\(when), \(Figures.grouped(canary.failures)) failed before")
  }

  private var spool: [[Span]] {
    guard let spool = status.store.spool else {
      return [
        [Span("-- ", .muted), Span("none")], [Span("While the store is down,", .muted)],
        [Span("nothing is taken.", .muted)],
      ]
    }
    let age = spool.oldest.map { Figures.age(moment.wall.microseconds &- $0.microseconds) + " old" }
    return [
      spool.refusal.map { [Span("!! ", .alarm), Span($0, .warning)] }
        ?? (spool.waiting > 0
          ? [Span("!! ", .warning), Span("keeps what the store has not taken", .warning)]
          : [Span("OK ", .ok), Span("takes over when the store cannot")]),
      line("waiting", Figures.grouped(spool.waiting), spool.waiting > 0 ? .warning : .plain, age ?? ""),
      line("drained", Figures.grouped(spool.drained)),
      line("dead letters", Figures.grouped(spool.deadLetters), spool.deadLetters > 0 ? .alarm : .plain),
      line("size", Figures.bytes(spool.bytes)),
    ]
  }

  private var counts: [[Span]] {
    let counts = status.counts
    let rates = status.rates
    return [
      line(
        "per second", "\(Figures.count(rates.saves)) saves", .plain,
        "\(Figures.count(rates.reads)) reads  \(Figures.count(rates.requests)) req"),
      line("saved", Figures.grouped(counts.saved), .plain, "spooled \(Figures.grouped(counts.spooled))"),
      line("failed", Figures.grouped(counts.failed), counts.failed > 0 ? .warning : .plain),
      line("requests", Figures.grouped(counts.requests), .plain, "5xx \(Figures.grouped(counts.errors))"),
      line(
        "live", "\(Figures.grouped(counts.liveSessions)) sessions", .plain,
        "\(Figures.grouped(counts.connections)) connections"),
      line("attached", Figures.grouped(counts.attaches), .plain, "resumed \(Figures.grouped(counts.resumes))"),
      line(
        "history", "\(Figures.grouped(counts.historyLoads)) loads", .plain,
        "too slow \(Figures.grouped(counts.slowConsumers))"),
    ]
  }
}

extension Screen {
  mutating func drawHealth() {
    guard let status = model.status else { return say([[Span("loading", .muted)]], in: layout.body) }
    let whole = HealthView(status: status, moment: model.now, glyphs: glyphs).draw(columns: layout.size.columns)
    var part = Canvas(layout.body.size, glyphs: glyphs)
    part.draw(whole, at: Point(row: -model.healthScroll, column: 0))
    canvas.draw(part, at: Point(row: layout.body.row, column: 0))
  }
}
