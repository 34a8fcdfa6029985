import TerminalCanvas

extension Screen {
  /// What is on the screen before anything has been read: the frames, and for how long it has been trying.
  mutating func drawConnecting() {
    let rect = layout.body
    let inside: Rect
    if model.view == .sessions {
      inside = pane(layout.sessions, "Sessions", hasKeys: true)
      if layout.isWide { _ = pane(layout.persistence, "Persistence", right: [Span("2", .key)]) }
      if layout.hasPreview { _ = pane(layout.preview, "Preview") }
      Table(Self.sessionColumns, width: inside.columns).drawTitles(on: &canvas, in: inside.line(0))
    } else {
      inside = pane(rect, model.view.title, hasKeys: true)
    }
    let wait = max(0, (model.nextTry - model.now.steady + 999_999) / 1_000_000)
    let age = Figures.age(model.now.steady - model.startedAt.steady)
    let below = inside.inset(top: 1)
    switch model.link {
    case .connecting(nil):
      say([[Span("connecting to \(model.settings.server)", .accent), Span("  \(age)", .muted)]], in: below)
    case .connecting(let failure?), .lost(let failure), .refused(let failure):
      let next = model.isPending(.status) ? "trying now" : "next try in \(wait)s"
      let reason = wrapped(failure.message, width: max(10, below.columns - 4), maxLines: 3, glyphs: glyphs).lines
      say(
        [[Span("!! ", .alarm), Span("\(failure.code)", .alarm), Span("  \(model.settings.server)", .muted)]]
          + reason.map { [Span($0)] }
          + [[Span(next, .warning), Span("  "), Span("r", .key), Span(" tries now", .muted)]], in: below)
    case .connected: say([[Span("loading", .muted)]], in: below)
    }
  }
}
