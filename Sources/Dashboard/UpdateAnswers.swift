import ConversationModel

extension DashboardModel {
  /// Takes the answer to a question over, unless the question was asked again since.
  mutating func take(_ answer: Answer, _ request: Request) -> [DashboardEffect] {
    if request.slot == .status, case .status(let status) = answer {
      // A late sign of life is one all the same.
      if requests[.status]?.number == request.number { requests[.status] = nil }
      return take(status)
    }
    if request.slot == .status, case .health(let health) = answer {
      if requests[.status]?.number == request.number { requests[.status] = nil }
      return take(health)
    }
    guard requests[request.slot]?.number == request.number else { return [] }
    requests[request.slot] = nil
    switch (request.slot, answer) {
    case (.status, .failure(let failure)): return lose(failure)
    case (_, .failure(let failure)):
      fail(request.slot, failure)
      return handOver()
    case (.sessions, .sessions(let found, let isPart)):
      sessions.take(found, isPart: isPart, height: layout.listHeight(.sessions))
      return loadPreview()
    case (.log, .log(let page)):
      let hasMore = events.take(page, height: layout.listHeight(.events))
      return hasMore ? [ask(.log(since: events.last), .log)] : []
    case (.threads, .conversations(let page)): return takeThreads(page)
    case (.preview, .page(let page)):
      sessions.preview?.messages = page.messages
      sessions.preview?.branch = page.branch
      sessions.preview?.isLoaded = true
      sessions.preview?.failure = nil
      return loadPreview()
    case (.page, .page(let page)): return takePage(page)
    case (.search, .hits(let page)): return takeHits(page)
    case (.open, .opened(let conversation)): return takeOpened(conversation)
    case (.turn, .begun(let begun)): return takeBegun(begun)
    case (.turn, .written(let receipt)): return takeWritten(receipt)
    case (.end, .page(let page)):
      takeEnd(page)
      return []
    case (.branches, .branches(let conversation, let branches)):
      takeBranches(conversation, branches)
      return []
    case (.detail, .detail(let detail, let revisions)):
      thread?.detail = ThreadState.Detail(detail.message, revisions)
      settleThread()
      return []
    case (.difference, .difference(let parent, let own)):
      if case .difference(var difference) = overlay {
        difference.take(parent: parent.messages, own: own.messages)
        overlay = .difference(difference)
      }
      return []
    case (.export, .exported(let export, let bytes)):
      takeExported(export, bytes: bytes)
      return []
    case (.switcher, .conversations(let page)):
      if case .switcher(var switcher) = overlay {
        switcher.add(page.items)
        overlay = .switcher(switcher)
        if switcher.isDirty { return [search(&switcher)].compactMap { $0 } }
      }
      return []
    default: return []
    }
  }

  private mutating func take(_ status: ServerStatus) -> [DashboardEffect] {
    self.status = status
    statusAt = now.steady
    return isConnected ? [] : connect()
  }

  mutating func fail(_ slot: Request.Slot, _ failure: Failure) {
    switch slot {
    case .sessions: sessions.failure = failure
    case .log: events.failure = failure
    case .threads:
      threads.failure = failure
      threads.loading = nil
      threads.isDirty = false
    case .preview: sessions.preview?.failure = failure
    case .page:
      thread?.loading = nil
      if thread?.isLoaded == true { say(failure.message) } else { thread?.failure = failure }
    case .branches: if thread?.isLoaded == true { say(failure.message) }
    case .detail: say(failure.message)
    case .difference:
      if case .difference(var difference) = overlay {
        difference.failure = failure
        overlay = .difference(difference)
      }
    // The last two are asked again soon, and what was read before stays.
    case .status, .switcher, .end: break
    case .search: failSearch(failure)
    case .turn: failTurn(failure)
    case .open: failOpening(failure)
    case .export: failExport(failure)
    case .cancel, .activate: say(failure.message)
    }
  }

  // MARK: Sessions

  /// Reads the last messages of the selected session, if they are not there or others have come.
  mutating func loadPreview(force: Bool = false) -> [DashboardEffect] {
    guard isConnected, view == .sessions, layout.hasPreview else { return [] }
    guard let selected = sessions.selected else {
      sessions.preview = nil
      return []
    }
    if let preview = sessions.preview, preview.conversation == selected.conversation {
      // Nobody is told of what goes into the spool.
      guard force || isSpooling || preview.activity != selected.lastActivity else { return [] }
      guard !isPending(.preview) else { return [] }
      sessions.preview?.activity = selected.lastActivity
    } else {
      sessions.preview = .init(conversation: selected.conversation, activity: selected.lastActivity)
    }
    return [ask(.page(selected.conversation, branch: nil, .latest, limit: 6), .preview)]
  }

  // MARK: Threads

  mutating func pollThreads() -> [DashboardEffect] {
    if let chat, !layout.hasThreadList, !chat.isStarting { return [] }
    let visible = threads.cursor.visible(count: threads.rows.count, height: layout.listHeight(.threads))
    // Only at the top, where new activity shows; further down the rows would move under the reader's eyes.
    guard visible.lowerBound == 0, threads.pages.count <= 1, now.steady - threads.readAt >= 2_000_000 else { return [] }
    return loadThreads(from: nil)
  }

  mutating func loadThreads(from cursor: String?) -> [DashboardEffect] {
    guard isConnected else { return [] }
    if isPending(.threads) {
      threads.isDirty = threads.isDirty || cursor == nil
      return []
    }
    threads.loading = .some(cursor)
    return [ask(.conversations(threads.storeFilter, cursor: cursor, limit: Bounds.conversationPage), .threads)]
  }

  private mutating func takeThreads(_ page: Page<Conversation>) -> [DashboardEffect] {
    let cursor = threads.loading ?? nil
    threads.loading = nil
    if threads.isDirty {
      threads.isDirty = false
      return loadThreads(from: nil)
    }
    threads.take(page, at: cursor, time: now.steady, height: layout.listHeight(.threads))
    return loadMissingThreads() + takeThreadList()
  }

  /// Reads on where the screen ends, or where pages were dropped.
  mutating func loadMissingThreads() -> [DashboardEffect] {
    guard view == .threads || view == .chat, threads.isLoaded, threads.loading == nil, threads.failure == nil,
      let cursor = threads.missing(height: layout.listHeight(.threads))
    else { return [] }
    return loadThreads(from: cursor)
  }
}
