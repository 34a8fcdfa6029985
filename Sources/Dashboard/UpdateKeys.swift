import ConversationModel
import TerminalCanvas

extension DashboardModel {
  mutating func press(_ key: Key) -> [DashboardEffect] {
    switch key {
    case .resize(let size): return resize(size)
    case .finish:
      isOver = true
      return [.quit]
    case .mousePress(let point): return click(point)
    case .mouseWheel(_, let lines): return overlay == nil ? scroll(by: lines * 3) : scrollOverlay(by: lines)
    default: break
    }
    if overlay == nil {
      guard let action = KeyTable.action(of: key, in: scopes) else { return compose(key) }
      notice = nil
      return perform(action)
    }
    return pressOverlay(key)
  }

  private mutating func resize(_ size: Size) -> [DashboardEffect] {
    self.size = size
    sessions.arrange(height: layout.listHeight(.sessions))
    threads.arrange(height: layout.listHeight(.threads))
    events.arrange(height: layout.listHeight(.events))
    scrollHealth(by: 0)
    arrangeComposer()
    settleThread()
    return loadPreview() + loadMissingThreads()
  }

  // MARK: Actions

  /// Does what a key, or a name in the palette, asks for.
  mutating func perform(_ action: Action) -> [DashboardEffect] {
    if chat != nil, let effects = performInChat(action) { return effects }
    switch action {
    case .sessions: return go(to: .sessions)
    case .health: return go(to: .health)
    case .threads: return go(to: .threads)
    case .thread: return go(to: .thread)
    case .events: return go(to: .events)
    case .help: overlay = .help(scroll: 0)
    case .palette: overlay = .palette(Palette())
    case .switchThread: return openSwitcher()
    case .search: overlay = .search(Finder())
    case .back: return back()
    case .leave: return leave()
    case .quit:
      if let effects = quitWarnedOfExport() { return effects }
      isOver = true
      return [.quit]
    case .suspend:
      guard !settings.isServing else {
        say("The server runs in this program, and would stand still.")
        return []
      }
      return [.suspend]
    case .redraw: return [.redraw]
    case .pause: return pause()
    case .faster: changeInterval(by: -1)
    case .slower: changeInterval(by: 1)
    case .mouse:
      takesMouse.toggle()
      say(takesMouse ? "Mouse on: Shift selects text." : "Mouse off.")
      return [.mouse(takesMouse)]
    case .retry:
      say("Reading again.")
      return retry()
    case .nextPane: nextPane()
    case .older: return loadOlder()
    case .follow: return follow()
    case .find: overlay = .find(LineInput(""))
    case .findNext: return find(upwards: true)
    case .findPrevious: return find(upwards: false)
    case .previousBranch: return stepBranch(by: -1)
    case .nextBranch: return stepBranch(by: 1)
    case .pickBranch: pickBranch()
    case .difference: return openDifference()
    case .expand: return thread?.isInBranches == true ? show(branchAt: thread?.branchCursor.selected ?? 0) : expand()
    case .raw: return toggleRaw()
    case .wrap, .bare: toggleText(action)
    case .export: openExport()
    case .write: say("These screens only read.")
    case .choose, .complete, .cancel: break
    case .compose, .send, .newLine, .revise, .ask, .regenerate, .previousSibling, .nextSibling, .newSession,
      .previousThread, .nextThread:
      break
    default: return showsThread ? moveInThread(action) : moveInList(action)
    }
    return []
  }

  mutating func go(to view: View, remembering: Bool = true) -> [DashboardEffect] {
    guard self.view != view else { return [] }
    if view == .thread, thread == nil {
      say("No thread is open: Enter opens one in 1 or 3, Ctrl-K finds one.")
      return []
    }
    if remembering { history = (history + [self.view]).suffix(32) }
    self.view = view
    var effects = view == .thread ? [] : detach()
    guard isConnected else { return effects }
    switch view {
    case .sessions:
      if !isPending(.sessions) { effects.append(ask(.sessions, .sessions)) }
      effects += loadPreview()
    case .threads where threads.isLoaded: effects += pollThreads()
    default: effects += refreshView()
    }
    return effects
  }

  private mutating func back() -> [DashboardEffect] {
    guard let before = history.popLast() else {
      say("This is where you began; q quits.")
      return []
    }
    return go(to: before, remembering: false)
  }

  /// First what narrows the view goes, then the view.
  private mutating func leave() -> [DashboardEffect] {
    if thread?.isBare == true, showsThread {
      toggleText(.bare)
      return []
    }
    if showsThread, thread?.needle.isEmpty == false {
      thread?.needle = ""
      return []
    }
    if !filterText.isEmpty { return setFilter(LineInput()) }
    return view == .sessions ? [] : back()
  }

  private mutating func pause() -> [DashboardEffect] {
    isPaused.toggle()
    if isPaused {
      requests = requests.filter { $0.key == .export }
      threads.loading = nil
      thread?.loading = nil
      return detach()
    }
    nextPoll = now.steady
    nextTry = now.steady
    return isConnected ? poll() + refreshView() : [probe()]
  }

  private static let intervals: [Int64] = [500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 30_000_000]

  private mutating func changeInterval(by step: Int) {
    let steps = Self.intervals
    let index = steps.firstIndex { $0 >= interval } ?? steps.count - 1
    interval = steps[max(0, min(index + step, steps.count - 1))]
    nextPoll = min(nextPoll, now.steady + interval)
    say("Reading every \(Figures.decimals(Double(interval) / 1_000_000, 1))s.")
  }

  private mutating func nextPane() {
    if view == .thread, layout.isWide {
      thread?.isInBranches.toggle()
    } else if view == .thread {
      pickBranch()
    } else {
      say("This view has one pane.")
    }
  }

  // MARK: Mouse

  private mutating func click(_ point: Point) -> [DashboardEffect] {
    guard overlay == nil else { return [] }
    if chat != nil { return clickInChat(point) }
    if point.row == layout.tabs.row {
      for tab in Layout.tabSpans where (tab.column - 1..<tab.column + tab.text.count + 1).contains(point.column) {
        return go(to: tab.view)
      }
      return []
    }
    guard layout.body.contains(point) else { return [] }
    if view == .thread {
      if layout.branches.contains(point) {
        return show(branchAt: (thread?.branchCursor.top ?? 0) + point.row - layout.branches.row - 1)
      }
      return clickPath(point)
    }
    let row = point.row - layout.listTop
    guard row >= 0, row < layout.listHeight(view), view != .health else { return [] }
    return selectRow(cursor.top + row)
  }

  mutating func clickPath(_ point: Point) -> [DashboardEffect] {
    guard let viewport, let open = thread else { return [] }
    let row = point.row - layout.path(isBare: open.isBare).row
    guard row >= 0, row < viewport.height else { return [] }
    return selectMessage(viewport.moved(open.anchor, by: row).position)
  }
}
