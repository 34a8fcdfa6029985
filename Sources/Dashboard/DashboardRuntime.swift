public import ConversationModel
public import TerminalCanvas

/// Runs the screens on a terminal until somebody quits.
///
/// The terminal belongs to the main thread, which waits for keys, changes the model and draws; it never waits
/// for the store. Everything else runs in child tasks, and wakes it. A screen is painted before anything is read.
@MainActor
public final class DashboardRuntime {
  private let terminal: any Terminal
  private let mailbox: Mailbox
  private let runner: EffectRunner
  private var model: DashboardModel
  private var shown: Canvas?
  private var shownCursor: Point?
  private var ending: Key.Reason?
  private var pace: FramePace
  /// Whether something may have changed that was not drawn, because of the pace.
  private var isBehind = false

  /// - Parameters:
  ///   - exporter: Writes conversations into files; nil where that is not offered.
  ///   - principal: Whose things are shown; `.service` sees everybody's.
  ///   - terminal: Open. It is closed when `run` returns.
  public init(
    store: any Store, live: any LiveSource, exporter: ThreadExporter? = nil, principal: Principal = .service,
    settings: DashboardSettings, terminal: any Terminal
  ) {
    self.terminal = terminal
    mailbox = Mailbox(wake: terminal.wake)
    runner = EffectRunner(store: store, live: live, exporter: exporter, principal: principal, mailbox: mailbox)
    model = DashboardModel(settings: settings, size: terminal.size, glyphs: terminal.glyphs, now: Moment.now())
    pace = FramePace(at: Moment.now().steady)
  }

  /// Shows the screens, and blocks the main thread; returns when they are over and everything under way has ended.
  ///
  /// - Returns: What from outside ended it; nil if somebody pressed a key for that.
  public func run() async -> Key.Reason? {
    let runner = runner
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await runner.run() }
      loop()
      terminal.close()
      mailbox.close()
      runner.stop()
    }
    return ending
  }

  /// Ends the screens from outside, at any time and from any thread.
  public nonisolated func finish() { mailbox.post(.over) }

  private func loop() {
    draw(isAsked: true)
    perform(model.begin())
    while !model.isOver {
      var deadline = model.wakeup
      if isBehind { deadline = min(deadline ?? .max, pace.next) }
      let due = model.wakeup ?? .max
      let left = deadline.map { Duration.microseconds(max(0, $0 - Moment.now().steady)) }
      let keys = terminal.nextKeys(timeout: left)
      let moment = Moment.now()
      // Emptied after the wait, so that whatever ended it is in there.
      perform(model.apply(mailbox.takeAll(), at: moment))
      for key in keys {
        if case .finish(let reason) = key { ending = reason }
        perform(model.apply(.key(key), at: moment))
      }
      if moment.steady >= due { perform(model.apply(.tick, at: moment)) }
      // Whoever presses a key sees at once what it does.
      isBehind = keys.isEmpty && !pace.allows(at: moment.steady)
      if !isBehind { draw(isAsked: !keys.isEmpty) }
      // A frame is due anyway: until then what comes need not wake the loop.
      mailbox.isQuiet = isBehind
    }
  }

  private func draw(isAsked: Bool) {
    let (canvas, cursor) = Screen.draw(model)
    guard canvas != shown || cursor != shownCursor else { return }
    terminal.draw(canvas, cursor: cursor)
    shown = canvas
    shownCursor = cursor
    if !isAsked { pace.count(at: Moment.now().steady) }
  }

  private func perform(_ effects: [DashboardEffect]) {
    for effect in effects {
      switch effect {
      case .copy(let text): terminal.copy(text)
      case .mouse(let isOn): terminal.takesMouse = isOn
      case .suspend:
        terminal.suspend()
        shown = nil
      case .redraw:
        terminal.redraw()
        shown = nil
      case .load, .attach, .detach, .typing: runner.perform(effect)
      case .quit: break
      }
    }
  }
}
