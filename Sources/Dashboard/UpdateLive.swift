import ConversationModel

extension DashboardModel {
  /// Follows the open thread if that is due: it is on the screen, and no connection is there.
  mutating func reattach() -> [DashboardEffect] {
    guard isConnected, showsThread, let open = thread, open.isLoaded, open.failure == nil else { return [] }
    switch open.live {
    case .attaching, .attached: return []
    case .lost(let nextTry, _) where now.steady < nextTry: return []
    case .off, .lost:
      lastNumber += 1
      thread?.serial = lastNumber
      if open.live == .off { thread?.live = .attaching }
      // The number of failed tries is kept until one succeeds.
      if case .lost(_, let attempts) = open.live {
        thread?.live = .lost(nextTry: now.steady + 5_000_000, attempts: attempts)
      }
      return [.attach(open.id, since: open.version, serial: thread?.serial ?? 0)]
    }
  }

  /// Stops following, until the thread is on the screen again.
  mutating func detach() -> [DashboardEffect] {
    guard let open = thread, open.live != .off else { return [] }
    thread?.live = .off
    thread?.serial = 0
    return [.detach]
  }

  mutating func take(_ news: LiveNews, _ serial: Int) -> [DashboardEffect] {
    guard serial != 0, thread?.serial == serial, let known = thread?.version else { return [] }
    switch news {
    case .attached(let start):
      thread?.live = .attached
      chat?.presence = start.presence
      thread?.conversation = start.conversation
      thread?.title = start.conversation.title
      switch start.content {
      case .missed(let changes):
        for change in changes { take(change) }
        thread?.version = max(known, start.version)
        isUnsettled = true
        return handOverAttached()
      case .page:
        // Too much was missed to be told, or nothing was known: what is on the screen is read again.
        thread?.version = start.version
        return reload() + handOverAttached()
      }
    case .event(.changes(let version, let changes)):
      for change in changes { take(change) }
      thread?.version = max(known, version)
      isUnsettled = true
      return []
    case .event(.presence(let presence)):
      chat?.presence = presence
      return []
    case .event(.stored(let delivery)):
      // Its row comes as a change. Under another id it would stand there twice.
      thread?.window.settle(delivery.spooledID)
      isUnsettled = true
      return []
    case .event(.draft(let turn, let text)):
      thread?.window.write(turn, text)
      return []
    case .event(.delta(let turn, let offset, let text)):
      thread?.window.write(turn, text, behind: offset)
      return []
    // The change that comes with an answer's end has all of it.
    case .event(.done(_, _, let failure)):
      if chat != nil, let failure { say("The answer ended early: \(failure.message)") }
      return []
    case .event(.tool(_, let use)):
      if chat != nil { say("The assistant used \(use.name).") }
      return []
    case .event(.resync(let version)):
      thread?.version = version
      return reload()
    case .ended(let failure): return end(failure)
    }
  }

  private mutating func end(_ failure: Failure) -> [DashboardEffect] {
    guard let open = thread else { return [] }
    var attempts = 0
    if case .lost(_, let before) = open.live { attempts = before + 1 }
    if failure.isGone || !(failure.isOutage || failure.isExpired && attempts == 0) {
      thread?.live = .off
      thread?.serial = 0
      thread?.failure = failure
      return []
    }
    let backoff = attempts == 0 ? 0 : Bounds.backoff[min(attempts - 1, Bounds.backoff.count - 1)] * 1_000_000
    thread?.live = .lost(nextTry: now.steady + backoff, attempts: attempts)
    return reattach()
  }

  private mutating func reload() -> [DashboardEffect] {
    guard let open = thread else { return [] }
    return loadThread(open.isFollowing ? .latest : .around(.position(open.selected)))
  }

  // MARK: Changes

  private mutating func take(_ change: Changes.Change) {
    if thread?.loading != nil, (thread?.meanwhile.count ?? 0) < Limits.missedChanges {
      thread?.meanwhile.append(change)
    }
    guard var open = thread else { return }
    // Taken out while it changes, or all that it holds would be copied.
    thread = nil
    defer { thread = open }
    switch change.row {
    case .conversation(let conversation):
      open.conversation = conversation
      open.conversation?.context = .emptyObject
      open.title = conversation.title
    case .branch(let branch):
      open.tree = open.tree.updated(branch)
      if branch.isDeleted, branch.number == open.branch {
        open.branch = nil
        say("The branch was deleted.")
      } else if branch.number == open.branch {
        open.head = max(open.head, branch.headPosition)
      }
    case .message(let message): take(message, &open)
    }
  }

  private func take(_ message: Message, _ open: inout ThreadState) {
    // The branch's row may be older than its newest message.
    if var branch = open.tree[message.branch], branch.headPosition < message.position {
      branch.headPosition = message.position
      open.tree = open.tree.updated(branch)
    }
    if open.detail?.message.id == message.id { open.detail = nil }
    guard message.durability == .stored else {
      if message.branch == open.branch, !open.hasNewer { open.window.wait(for: message) }
      return
    }
    guard let shown = open.branch, open.tree.owner(of: message.position, on: shown) == message.branch else { return }
    if message.position <= open.window.last, open.window[message.position] != nil {
      open.window.replace(message)
    } else if message.position == open.window.last + 1 || (open.window.isEmpty && message.position == 1) {
      // The branch's row comes first, and has raised the head already.
      if open.isFollowing || open.window.messages.count < Bounds.messages {
        _ = open.window.append([message])
      }
      if !open.isFollowing { open.unseen += 1 }
    }
    open.head = max(open.head, message.position)
  }

  /// Applies what happened behind the version that a page shows.
  mutating func catchUp(behind version: Version) {
    guard let missed = thread?.meanwhile, !missed.isEmpty else { return }
    thread?.meanwhile = []
    for change in missed where change.version > version { take(change) }
    settleThread()
  }
}
