import ConversationModel
import TerminalCanvas

extension DashboardModel {
  /// Takes one event over.
  ///
  /// - Parameter moment: When it happened.
  /// - Returns: What is to be done now, in this order.
  mutating func apply(_ event: DashboardEvent, at moment: Moment) -> [DashboardEffect] { apply([event], at: moment) }

  /// Takes several over, in their order. What a conversation is told in between moves its screen once.
  mutating func apply(_ events: [DashboardEvent], at moment: Moment) -> [DashboardEffect] {
    var effects: [DashboardEffect] = []
    for event in events {
      if case .live = event {} else { settleIfNeeded() }
      effects += take(event, at: moment)
    }
    settleIfNeeded()
    return effects
  }

  private mutating func settleIfNeeded() {
    guard isUnsettled else { return }
    isUnsettled = false
    settleThread()
  }

  private mutating func take(_ event: DashboardEvent, at moment: Moment) -> [DashboardEffect] {
    // While paused nothing on the screen changes by itself, the clock included; keys still work.
    if !isPaused { now = moment }
    switch event {
    case .key(let key):
      if isPaused { now.steady = moment.steady }
      return press(key)
    case .tick: return isPaused ? [] : tick()
    case .answer(let answer, let request): return isPaused && request.slot != .export ? [] : take(answer, request)
    case .over:
      isOver = true
      return [.quit]
    case .live(let news, let serial): return isPaused ? [] : take(news, serial)
    }
  }

  /// The questions with which everything begins.
  mutating func begin() -> [DashboardEffect] {
    arrangeComposer()
    return poll()
  }

  // MARK: Time

  private mutating func tick() -> [DashboardEffect] {
    if let notice, notice.until <= now.steady { self.notice = nil }
    var effects = expire()
    switch link {
    case .connecting, .lost, .refused:
      if now.steady >= nextTry, !isPending(.status) { effects.append(probe()) }
    case .connected:
      if now.steady >= nextPoll {
        effects += poll()
      } else if now.steady >= nextProbe, !isPending(.status) {
        effects.append(probe())
      }
      effects += reattach() + handOver()
    }
    return effects
  }

  /// A question without an answer for too long counts as one that failed.
  private mutating func expire() -> [DashboardEffect] {
    if let asked = requests[.status], now.steady - asked.since >= Bounds.silence {
      requests[.status] = nil
      return lose(.noAnswer)
    }
    for (slot, asked) in requests where !slot.isPatient && now.steady - asked.since >= Bounds.patience {
      requests[slot] = nil
      fail(slot, .noAnswer)
    }
    return []
  }

  /// Looks whether the server is there.
  mutating func probe() -> DashboardEffect {
    lastTry = now.steady
    nextProbe = now.steady + min(interval, Bounds.probe)
    return ask(chat == nil ? .status : .health, .status)
  }

  /// Reads everything that the view shows, if it is not being read already.
  mutating func poll() -> [DashboardEffect] {
    // With whole seconds the readings fall together with the clock's steps: one wake-up a second.
    let aligned = interval % 1_000_000 == 0 ? now.untilNextSecond : interval
    nextPoll = now.steady + (aligned < 200_000 ? aligned + 1_000_000 : aligned) + max(0, interval - 1_000_000)
    var effects: [DashboardEffect] = []
    if !isPending(.status) { effects.append(probe()) }
    guard isConnected else { return effects }
    if chat != nil {
      // What could not be read is tried again: there may be nobody who asks for it.
      if thread?.failure?.isOutage == true, thread?.loading == nil, !isPending(.page) { effects += loadThread(.latest) }
      return effects + pollThreads() + pollEnd()
    }
    if view == .sessions || !sessions.isLoaded, !isPending(.sessions) { effects.append(ask(.sessions, .sessions)) }
    if !isPending(.log) { effects.append(ask(.log(since: events.last), .log)) }
    if view == .threads { effects += pollThreads() }
    if view == .thread { effects += pollEnd() }
    return effects
  }

  // MARK: The server comes and goes

  mutating func lose(_ failure: Failure) -> [DashboardEffect] {
    let backoff = Bounds.backoff[min(attempts, Bounds.backoff.count - 1)] * 1_000_000
    attempts += 1
    // Counted from the start of the try, so that one which hung does not delay the next.
    nextTry = max(now.steady + 200_000, max(lastTry, now.steady - Bounds.silence) + backoff)
    requests = requests.filter { $0.key.isPatient }
    if !failure.isOutage {
      link = .refused(failure)
      nextTry = now.steady + 5_000_000
    } else if status == nil, chat?.health == nil {
      link = .connecting(failure)
    } else {
      link = .lost(failure)
    }
    if thread != nil, thread?.live != .off { thread?.live = .lost(nextTry: now.steady, attempts: 0) }
    thread?.loading = nil
    threads.loading = nil
    chat?.keepForLater(at: now.steady)
    return thread?.live == .off ? [] : [.detach]
  }

  /// The server answers: everything on the screen is read again.
  mutating func connect() -> [DashboardEffect] {
    link = .connected
    attempts = 0
    nextPoll = now.steady
    var effects = poll()
    effects += refreshView()
    return effects
  }

  /// Reads what the view shows beside what is polled.
  mutating func refreshView() -> [DashboardEffect] {
    guard isConnected else { return [] }
    switch view {
    case .sessions: return loadPreview(force: true)
    case .health, .events: return []
    case .threads: return loadThreads(from: nil)
    case .thread:
      guard let thread else { return [] }
      return thread.isLoaded && thread.failure == nil ? reattach() : loadThread(.latest)
    case .chat: return refreshChat()
    }
  }

  /// Reads again, because somebody asked for it.
  mutating func retry() -> [DashboardEffect] {
    guard isConnected else {
      nextTry = now.steady
      return isPending(.status) ? [] : [probe()]
    }
    threads.failure = nil
    if showsThread, thread?.failure != nil {
      thread?.failure = nil
      return loadThread(.latest)
    }
    return poll() + refreshView()
  }
}
