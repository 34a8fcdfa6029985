import ConversationModel
import TerminalCanvas

extension DashboardModel {
  // MARK: The list on the screen

  var cursor: ListCursor {
    switch view {
    case .sessions: sessions.cursor
    case .events: events.cursor
    default: threads.cursor
    }
  }

  private var rowCount: Int {
    switch view {
    case .sessions: sessions.rows.count
    case .events: events.rows.count
    default: threads.rows.count
    }
  }

  private mutating func setCursor(_ cursor: ListCursor) -> [DashboardEffect] {
    switch view {
    case .sessions:
      sessions.cursor = cursor
      return loadPreview()
    case .events:
      events.cursor = cursor
      events.isFollowing = cursor.selected >= events.rows.count - 1
      return []
    default:
      threads.cursor = cursor
      return loadMissingThreads()
    }
  }

  mutating func selectRow(_ row: Int) -> [DashboardEffect] {
    var cursor = cursor
    cursor.select(row, count: rowCount, height: layout.listHeight(view))
    return setCursor(cursor)
  }

  mutating func scroll(by rows: Int) -> [DashboardEffect] {
    switch view {
    case .thread, .chat: return scrollThread(by: rows)
    case .health:
      scrollHealth(by: rows)
      return []
    default:
      var cursor = cursor
      cursor.scroll(by: rows, count: rowCount, height: layout.listHeight(view))
      return setCursor(cursor)
    }
  }

  mutating func scrollHealth(by rows: Int) {
    guard let status else { return }
    let height = HealthView(status: status, moment: now, glyphs: glyphs).height(size.columns)
    let most = max(0, height - layout.body.rows)
    healthScroll = max(0, min(healthScroll + rows, most))
  }

  mutating func moveInList(_ action: Action) -> [DashboardEffect] {
    let height = layout.listHeight(view)
    if view == .health {
      let rows = [
        Action.previous: -1, .next: 1, .pageUp: -layout.body.rows, .pageDown: layout.body.rows, .first: -1_000,
        .last: 1_000,
      ]
      scrollHealth(by: rows[action] ?? 0)
      return []
    }
    switch action {
    case .previous: return selectRow(cursor.selected - 1)
    case .next: return selectRow(cursor.selected + 1)
    case .first: return selectRow(0)
    case .last: return selectRow(rowCount - 1)
    case .pageUp: return selectRow(cursor.selected - height)
    case .pageDown: return selectRow(cursor.selected + height)
    case .open: return openRow()
    case .filter: overlay = .filter
    case .invert: return invert()
    case .sort: sort()
    case .reverse: reverse()
    case .nextAlert: return nextAlert()
    case .copy: return copyRow()
    case .level: nextLevel()
    default: break
    }
    return []
  }

  private mutating func openRow() -> [DashboardEffect] {
    switch view {
    case .sessions:
      guard let row = sessions.selected else { return [] }
      return openThread(row.conversation, title: row.title, user: row.user, sessionID: row.sessionID)
    case .threads:
      guard let row = threads.selected else { return [] }
      return openThread(row.id, title: row.title, user: row.userID, sessionID: row.sessionID)
    default:
      guard let row = events.selected else { return [] }
      events.expanded = events.expanded == row.number ? nil : row.number
      return []
    }
  }

  private mutating func copyRow() -> [DashboardEffect] {
    let text: String? =
      switch view {
      case .sessions: sessions.selected?.conversation.description
      case .threads: threads.selected?.id.description
      default:
        events.selected.map { ([$0.message] + $0.fields.map { "\($0.name)=\($0.value)" }).joined(separator: " ") }
      }
    guard let text else { return [] }
    say(view == .events ? "The line was copied." : "Copied \(text).")
    return [.copy(text)]
  }

  private mutating func nextAlert() -> [DashboardEffect] {
    let count = rowCount
    guard count > 0 else { return [] }
    for step in 1...count {
      let row = (cursor.selected + step) % count
      let isAlert =
        view == .sessions ? sessions.rows[row].isStalled : EventsState.Level(events.rows[row].level) >= .warning
      if isAlert { return selectRow(row) }
    }
    say(view == .sessions ? "No session is stalled." : "No warning or error is shown.")
    return []
  }

  // MARK: Sorting and filtering

  private mutating func sort() {
    if view == .sessions {
      let all = SessionsState.Sort.allCases
      sessions.sort = all[(sessions.sort.rawValue + 1) % all.count]
      sessions.isDescending = sessions.sort.startsDescending
      sessions.arrange(height: layout.listHeight(.sessions))
    } else {
      let all = ThreadsState.Sort.allCases
      threads.sort = all[(threads.sort.rawValue + 1) % all.count]
      threads.isReversed = false
      threads.arrange(height: layout.listHeight(.threads))
      if threads.hasMore, threads.sort != .activity {
        say("Sorted: the loaded ones. The store's order is by activity.")
      }
    }
  }

  private mutating func reverse() {
    if view == .sessions {
      sessions.isDescending.toggle()
      sessions.arrange(height: layout.listHeight(.sessions))
    } else {
      threads.isReversed.toggle()
      threads.arrange(height: layout.listHeight(.threads))
    }
  }

  private mutating func nextLevel() {
    let all = EventsState.Level.allCases
    events.least = all[(events.least.rawValue + 1) % all.count]
    events.arrange(height: layout.listHeight(.events))
  }

  var filterText: String {
    switch view {
    case .sessions: sessions.filter.text
    case .threads: threads.filter.text
    case .events: events.filter.text
    case .thread, .health, .chat: ""
    }
  }

  var filterInput: LineInput {
    switch view {
    case .sessions: sessions.filter
    case .threads: threads.filter
    default: events.filter
    }
  }

  mutating func setFilter(_ input: LineInput) -> [DashboardEffect] {
    guard input != filterInput else { return [] }
    switch view {
    case .sessions:
      sessions.filter = input
      sessions.arrange(height: layout.listHeight(.sessions))
      return loadPreview()
    case .threads:
      threads.filter = input
      return refilterThreads()
    default:
      events.filter = input
      events.arrange(height: layout.listHeight(.events))
      return []
    }
  }

  /// The rows stay until the store has answered, so that nothing flickers while somebody types.
  private mutating func refilterThreads() -> [DashboardEffect] {
    threads.isStartingOver = true
    return loadThreads(from: nil)
  }

  private mutating func invert() -> [DashboardEffect] {
    switch view {
    case .sessions:
      sessions.isInverted.toggle()
      sessions.arrange(height: layout.listHeight(.sessions))
      return loadPreview()
    case .threads:
      threads.isInverted.toggle()
      return refilterThreads()
    default:
      events.isInverted.toggle()
      events.arrange(height: layout.listHeight(.events))
      return []
    }
  }
}
