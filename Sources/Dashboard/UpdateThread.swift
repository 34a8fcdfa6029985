import ConversationModel
import TerminalCanvas

extension DashboardModel {
  /// The open thread's lines at the size of the screen.
  var viewport: Viewport? {
    guard let thread else { return nil }
    let path = layout.path(isBare: thread.isBare)
    return Viewport(thread: thread, width: path.columns, height: path.rows - 1, glyphs: glyphs)
  }

  /// Opens a conversation and follows it. Each has its own text in the user's composer.
  mutating func openThread(
    _ id: ConversationID, title: String?, user: UserID?, sessionID: String?, at part: MessagePageRequest.Part = .latest,
    branch: BranchNumber? = nil
  ) -> [DashboardEffect] {
    if thread?.id != id { chat?.changeThread(from: thread?.id, to: id) }
    chat?.isStarting = false
    chat?.newSession = nil
    return show(id, title: title, user: user, sessionID: sessionID, at: part, branch: branch)
  }

  mutating func show(
    _ id: ConversationID, title: String?, user: UserID?, sessionID: String?, at part: MessagePageRequest.Part = .latest,
    branch: BranchNumber? = nil
  ) -> [DashboardEffect] {
    var effects: [DashboardEffect] = []
    if thread?.id != id {
      if let thread, thread.live != .off { effects.append(.detach) }
      let isBare = thread?.isBare ?? false
      let isWrapped = thread?.isWrapped ?? true
      for slot in [Request.Slot.page, .end, .branches, .detail, .difference] { requests[slot] = nil }
      thread = ThreadState(id, title: title, user: user, sessionID: sessionID)
      thread?.isWrapped = isWrapped
      thread?.isBare = isBare
      thread?.isWhole = chat != nil
      if chat == nil { effects += go(to: .thread) }
      if isConnected { effects += loadThread(part, branch: branch) }
      return effects
    }
    if chat == nil { effects += go(to: .thread) }
    if part != .latest { effects += loadThread(part, branch: branch ?? thread?.conversation?.activeBranch) }
    return effects
  }

  /// Reads a part of the path; the tree too, unless it is held.
  mutating func loadThread(_ part: MessagePageRequest.Part, branch: BranchNumber? = nil) -> [DashboardEffect] {
    guard isConnected, let open = thread else { return [] }
    thread?.loading = part
    var effects = [
      ask(.page(open.id, branch: branch ?? open.branch, part, limit: Bounds.messagePage), .page)
    ]
    if open.conversation == nil || part == .latest, !isPending(.branches) {
      effects.append(ask(.branches(open.id), .branches))
    }
    return effects
  }

  mutating func takePage(_ page: MessagePage) -> [DashboardEffect] {
    guard var open = thread, page.conversation == open.id else { return [] }
    let part = open.loading
    open.loading = nil
    open.failure = nil
    defer { catchUp(behind: page.version) }
    open.head = max(page.headPosition, open.branch == page.branch ? open.head : 0)
    let first = open.window.first
    switch part {
    case .before? where open.branch == page.branch:
      guard open.window.prepend(page.messages) else { break }
      thread = open
      // The line that told of older messages has become the end of one: everything keeps its row.
      if open.anchor.position == first - 1, let viewport {
        thread?.anchor.line = viewport.height(of: first - 1) - 1
      }
      settleThread()
      return []
    case .after? where open.branch == page.branch:
      _ = open.window.append(page.messages.filter { $0.durability == .stored })
      open.takeEnd(of: page)
      thread = open
      settleThread()
      return []
    default:
      return showPage(page, part, open)
    }
    thread = open
    return []
  }

  /// Starts the window anew, at another place or on another branch.
  private mutating func showPage(
    _ page: MessagePage, _ part: MessagePageRequest.Part?, _ old: ThreadState
  ) -> [DashboardEffect] {
    var open = old
    open.window = MessageWindow(page.messages, head: page.headPosition)
    open.isDegraded = page.isDegraded
    open.branch = page.branch
    open.head = page.headPosition
    open.isLoaded = true
    open.expanded = []
    open.unseen = 0
    open.version = max(open.version, page.version)
    open.isFollowing = part == .latest || part == nil
    switch part {
    case .around(.position(let position)):
      open.selected = max(open.window.first, min(position, open.window.end))
      open.anchor = .init(position: open.selected, line: 0)
      if open.selected == open.window.first, open.hasOlder { open.anchor.position -= 1 }
    default:
      open.selected = open.window.end
      open.anchor = .init(position: open.window.end, line: 0)
    }
    open.branchCursor.select(
      open.tree.row(of: page.branch) ?? 0, count: open.tree.rows.count, height: layout.branchRows)
    thread = open
    settleThread()
    return reattach()
  }

  /// Reads the end of the path again while messages wait in the spool: nobody is told of those.
  mutating func pollEnd() -> [DashboardEffect] {
    guard let open = thread, open.isLoaded, open.failure == nil, open.loading == nil, !open.hasNewer,
      !isPending(.end), isSpooling || open.isDegraded || !open.window.waiting.isEmpty
    else { return [] }
    return [ask(.page(open.id, branch: open.branch, .latest, limit: Bounds.messagePage), .end)]
  }

  mutating func takeEnd(_ page: MessagePage) {
    guard var open = thread, page.conversation == open.id, page.branch == open.branch, open.loading == nil else {
      return
    }
    let before = open.window.end
    let new = page.messages.filter { $0.durability == .stored && $0.position > open.window.last }
    if open.isFollowing || open.window.messages.count < Bounds.messages { _ = open.window.append(new) }
    open.head = max(open.head, page.headPosition)
    open.takeEnd(of: page)
    if !open.isFollowing { open.unseen += max(0, open.window.end - before) }
    thread = open
    settleThread()
  }

  mutating func takeBranches(_ conversation: Conversation, _ branches: [Branch]) {
    guard var open = thread, conversation.id == open.id else { return }
    open.conversation = conversation
    open.title = conversation.title
    open.user = conversation.userID
    open.sessionID = conversation.sessionID
    open.tree = BranchTree(branches)
    if let shown = open.branch, let branch = open.tree[shown] { open.head = max(open.head, branch.headPosition) }
    open.branchCursor.select(
      open.tree.row(of: open.branch ?? conversation.activeBranch) ?? 0, count: open.tree.rows.count,
      height: layout.branchRows)
    thread = open
    settleThread()
  }

  /// Puts the screen where it belongs after anything has changed: to the end while following, else where it was.
  mutating func settleThread() {
    guard let viewport, let open = thread, !open.window.isEmpty else { return }
    if open.isFollowing {
      thread?.selected = open.window.end
      thread?.anchor = viewport.bottom
      thread?.unseen = 0
    } else {
      thread?.selected = max(open.window.first, min(open.selected, open.window.end))
      thread?.anchor = viewport.settled(open.anchor)
    }
  }

  // MARK: Moving

  mutating func selectMessage(_ position: Position) -> [DashboardEffect] {
    guard let viewport, let open = thread, !open.window.isEmpty else { return [] }
    let selected = max(open.window.first, min(position, open.window.end))
    thread?.selected = selected
    thread?.anchor = viewport.settled(viewport.showing(selected, from: open.anchor))
    // At the very top the line about older messages is worth its row.
    if selected == open.window.first, position < open.window.first, open.hasOlder {
      thread?.anchor = .init(position: open.window.first - 1, line: 0)
    }
    thread?.isFollowing = selected == open.window.end && !open.hasNewer && position >= selected
    if thread?.isFollowing == true { settleThread() }
    return loadNear(isUp: position < open.selected)
  }

  mutating func scrollThread(by lines: Int) -> [DashboardEffect] {
    guard let viewport, let open = thread, !open.window.isEmpty else { return [] }
    let anchor = viewport.settled(viewport.moved(open.anchor, by: lines))
    thread?.anchor = anchor
    let atEnd = anchor == viewport.bottom
    if let shown = viewport.beginning(from: anchor) {
      thread?.selected = max(shown.lowerBound, min(open.selected, shown.upperBound))
      if anchor == open.anchor { thread?.selected = lines < 0 ? shown.lowerBound : shown.upperBound }
    } else {
      thread?.selected = max(open.window.first, min(anchor.position, open.window.end))
    }
    thread?.isFollowing = lines > 0 && atEnd && !open.hasNewer
    if thread?.isFollowing == true { settleThread() }
    return loadNear(isUp: lines < 0)
  }

  /// Reads on before the reader gets there.
  private mutating func loadNear(isUp: Bool) -> [DashboardEffect] {
    guard let open = thread, open.loading == nil, let viewport else { return [] }
    if isUp, open.hasOlder, open.anchor.position - open.window.first <= viewport.height { return loadOlder() }
    if !isUp, open.hasNewer, open.window.last - open.anchor.position <= 2 * viewport.height {
      return loadThread(.after(.position(open.window.last)))
    }
    return []
  }

  mutating func loadOlder() -> [DashboardEffect] {
    guard let open = thread, open.hasOlder, open.loading == nil else { return [] }
    return loadThread(.before(.position(open.window.first)))
  }

  mutating func jumpToOldest() -> [DashboardEffect] {
    guard let open = thread, open.isLoaded else { return [] }
    guard open.hasOlder else { return selectMessage(open.window.first) }
    return loadThread(.around(.position(1)))
  }

  mutating func follow() -> [DashboardEffect] {
    guard let open = thread, open.isLoaded else { return [] }
    if open.hasNewer { return loadThread(.latest) }
    thread?.isFollowing = true
    settleThread()
    return reattach()
  }
}

extension ThreadState {
  /// Takes over what a page says about the end of the path, if the window reaches that.
  fileprivate mutating func takeEnd(of page: MessagePage) {
    isDegraded = page.isDegraded
    if page.after == nil, !hasNewer { window.wait(for: page.messages) }
  }
}
