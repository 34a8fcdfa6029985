import ConversationModel
import TerminalCanvas

extension DashboardModel {
  // MARK: What the keys of a thread do

  mutating func moveInThread(_ action: Action) -> [DashboardEffect] {
    guard let open = thread, let viewport else { return [] }
    if open.isInBranches, layout.isWide, [.previous, .next, .first, .pageUp, .pageDown].contains(action) {
      let rows = [
        Action.previous: -1, .next: 1, .pageUp: -layout.branchRows, .pageDown: layout.branchRows, .first: -100_000,
      ]
      var cursor = open.branchCursor
      cursor.move(by: rows[action] ?? 0, count: open.tree.rows.count, height: layout.branchRows)
      thread?.branchCursor = cursor
      return []
    }
    switch action {
    case .previous: return selectMessage(open.selected - 1)
    case .next: return selectMessage(open.selected + 1)
    case .pageUp: return scrollThread(by: -max(1, viewport.height - 1))
    case .pageDown: return scrollThread(by: max(1, viewport.height - 1))
    case .first: return jumpToOldest()
    case .copy:
      guard let message = open.selectedMessage else { return [] }
      say("Copied \(message.id).")
      return [.copy(message.id.description)]
    default: return []
    }
  }

  mutating func expand() -> [DashboardEffect] {
    guard let message = thread?.selectedMessage else { return [] }
    if thread?.raw == message.id {
      thread?.raw = nil
    } else if thread?.expanded.remove(message.id) == nil {
      thread?.expanded.insert(message.id)
    }
    let isOpen = thread?.expanded.contains(message.id) == true
    keepInSight()
    return isOpen && message.revision > 1 ? loadDetail(message.id) : []
  }

  mutating func toggleRaw() -> [DashboardEffect] {
    guard let message = thread?.selectedMessage else { return [] }
    let isRaw = thread?.raw == message.id
    thread?.raw = isRaw ? nil : message.id
    keepInSight()
    return isRaw ? [] : loadDetail(message.id)
  }

  private mutating func loadDetail(_ id: MessageID) -> [DashboardEffect] {
    guard isConnected, thread?.detail?.message.id != id else { return [] }
    return [ask(.detail(id), .detail)]
  }

  /// A message that grew starts on the screen, and the reader is no longer moved along.
  private mutating func keepInSight() {
    guard let viewport, let open = thread else { return }
    let fits = viewport.height(of: open.selected) <= viewport.height
    if open.isFollowing, fits { return settleThread() }
    thread?.isFollowing = false
    thread?.anchor = viewport.settled(viewport.showing(open.selected, from: open.anchor))
  }

  mutating func toggleText(_ action: Action) {
    if action == .wrap { thread?.isWrapped.toggle() } else { thread?.isBare.toggle() }
    settleThread()
    guard thread?.isFollowing == false, let viewport, let open = thread else { return }
    thread?.anchor = viewport.settled(viewport.showing(open.selected, from: open.anchor))
  }

  // MARK: Finding

  mutating func find(upwards: Bool, including: Bool = false) -> [DashboardEffect] {
    guard let open = thread, !open.needle.isEmpty else {
      say("Nothing is being looked for: / begins.")
      return []
    }
    let needle = Needle(open.needle)
    let step = upwards ? -1 : 1
    var position = open.selected + (including ? 0 : step)
    while let message = open.window[position] {
      if needle.isIn(message.content) {
        thread?.isFollowing = false
        return selectMessage(position)
      }
      position += step
    }
    let more = upwards ? open.hasOlder : open.hasNewer
    say("Not found \(upwards ? "above" : "below")\(more ? " in what is loaded: L loads older messages." : ".")")
    return []
  }

  // MARK: Branches

  mutating func stepBranch(by step: Int) -> [DashboardEffect] {
    guard let open = thread, let shown = open.branch, let row = open.tree.row(of: shown) else { return [] }
    guard open.tree.rows.count > 1 else {
      say("There is only this branch.")
      return []
    }
    return show(branchAt: (row + step + open.tree.rows.count) % open.tree.rows.count)
  }

  mutating func pickBranch() {
    guard let open = thread, let row = open.branch.flatMap({ open.tree.row(of: $0) }) else { return }
    overlay = .branches(selected: row)
  }

  /// Shows the path of a branch; a message that both paths share stays selected.
  mutating func show(branchAt row: Int) -> [DashboardEffect] {
    guard let open = thread, open.tree.rows.indices.contains(row), let shown = open.branch else { return [] }
    let branch = open.tree.rows[row].branch.number
    thread?.isInBranches = false
    guard branch != shown else { return [] }
    let stays = !open.isFollowing && open.selected <= open.tree.shared(branch, shown)
    return loadThread(stays ? .around(.position(open.selected)) : .latest, branch: branch)
  }

  mutating func openDifference() -> [DashboardEffect] {
    guard let open = thread, let shown = open.branch, let branch = open.tree[shown], let parent = branch.parent else {
      say("The trunk has no parent to differ from.")
      return []
    }
    guard isConnected else { return [] }
    overlay = .difference(Difference(branch: shown, parent: parent, fork: branch.forkPosition))
    return [
      ask(.difference(open.id, branch: shown, parent: parent, fork: branch.forkPosition), .difference)
    ]
  }
}
