public import ConversationModel
import Synchronization

extension SpoolStore {
  // MARK: What only the store knows

  public func conversations(
    _ filter: ConversationFilter, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<Conversation> {
    try await reading { store throws(ConversationError) in try await store.conversations(filter, page, as: principal) }
  }

  /// Finds what is in the store, not what waits in the spool.
  ///
  /// - Throws: `.unavailable` while the store does not read: an empty answer would say that there is nothing.
  public func search(
    _ query: SearchQuery, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<SearchHit> {
    var query = query
    query.conversation = query.conversation.map(resolved)
    do {
      return try await reading { [query] store throws(ConversationError) in
        try await store.search(query, page, as: principal)
      }
    } catch {
      throw error.code == .notFound && query.conversation.map(isFresh) ?? false ? Self.notStoredYet : error
    }
  }

  public func revisions(
    of id: MessageID, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<Revision> {
    let id = state.withLock { $0.aliases.resolve(id) }
    do {
      return try await reading { store throws(ConversationError) in
        try await store.revisions(of: id, page, as: principal)
      }
    } catch {
      throw await spooled(id, as: principal, error) == nil ? error : Self.notStoredYet
    }
  }

  public func branches(of id: ConversationID, as principal: Principal) async throws(ConversationError) -> [Branch] {
    let id = resolved(id)
    do {
      return try await reading { store throws(ConversationError) in try await store.branches(of: id, as: principal) }
    } catch {
      throw error.code == .notFound && isFresh(id) ? Self.notStoredYet : error
    }
  }

  public func changes(
    in id: ConversationID, since version: Version, limit: Int, as principal: Principal
  ) async throws(ConversationError) -> Changes {
    let id = resolved(id)
    do {
      var changes = try await reading { store throws(ConversationError) in
        try await store.changes(in: id, since: version, limit: limit, as: principal)
      }
      changes.isDegraded = state.withLock { $0.backlog.holds(id) }
      return changes
    } catch {
      throw error.code == .notFound && isFresh(id) ? Self.notStoredYet : error
    }
  }

  /// A read of the inner store.
  ///
  /// - Throws: `.unavailable` while it does not read; a read that fails opens the way to what is remembered.
  func reading<Value: Sendable>(
    _ body: (any ReplayableStore) async throws(ConversationError) -> Value
  ) async throws(ConversationError) -> Value {
    let (store, outage) = state.withLock { ($0.isUnreadable ? nil : $0.opened?.store, $0.outage) }
    guard let store else { throw down(outage ?? "It does not read.") }
    do {
      return try await body(store)
    } catch {
      if error.isOutage { failed(error, writing: false) }
      throw error
    }
  }

  // MARK: What is remembered

  public func conversation(
    _ key: ConversationKey, as principal: Principal
  ) async throws(ConversationError) -> Conversation {
    try key.validate()
    let key = state.withLock { $0.aliases.resolve(key) }
    if let fresh = fresh(key, as: principal) { return fresh }
    do {
      let conversation = try await reading { store throws(ConversationError) in
        try await store.conversation(key, as: principal)
      }
      known.withLock { $0.note(conversation) }
      return conversation
    } catch {
      guard error.isOutage else {
        noteMissing(key, error, as: principal)
        throw error
      }
      guard let entry = entry(key, as: principal), let conversation = entry.conversation, !entry.isUncertain else {
        throw error
      }
      return conversation
    }
  }

  /// A conversation that is in the spool only.
  private func fresh(_ key: ConversationKey, as principal: Principal) -> Conversation? {
    guard let entry = known.withLock({ $0.entry(of: key) }), entry.isFresh, principal.owns(entry.user),
      state.withLock({ $0.backlog.holds(entry.id) })
    else { return nil }
    return entry.conversation
  }

  private func entry(_ key: ConversationKey, as principal: Principal) -> Known.Entry? {
    if case .defaultOrLatest(let user) = key {
      guard principal.owns(user) else { return nil }
      let entries = known.withLock { $0.entries(of: user) }
      let used = entries.filter { entry in
        entry.conversation?.messageCount ?? 0 > 0 || state.withLock { $0.backlog.holds(entry.id) }
      }
      return used.first { $0.conversation?.isDefault ?? false }
        ?? used.max { ($0.lastUse, $0.id) < ($1.lastUse, $1.id) }
        ?? entries.first { $0.conversation?.isDefault ?? false }
    }
    return known.withLock { $0.entry(of: key) }.flatMap { principal.owns($0.user) ? $0 : nil }
  }

  public func message(_ id: MessageID, as principal: Principal) async throws(ConversationError) -> MessageDetail {
    let id = state.withLock { $0.aliases.resolve(id) }
    do {
      return try await reading { store throws(ConversationError) in try await store.message(id, as: principal) }
    } catch {
      guard let message = await spooled(id, as: principal, error) else { throw error }
      return MessageDetail(message: message, siblings: [.init(id: message.id, branch: message.branch)])
    }
  }

  /// A message in the spool that the store did not find.
  private func spooled(
    _ id: MessageID, as principal: Principal, _ error: ConversationError
  ) async -> Message? {
    guard error.code == .notFound || error.isOutage, !state.withLock({ $0.backlog.isEmpty }),
      let record = try? await file.record(of: id), principal.owns(record.user)
    else { return nil }
    return messages(of: record).first { $0.id == id }
  }

  private func messages(of record: SpoolRecord) -> [Message] {
    let id = resolved(record.conversation)
    let branch = known.withLock { $0[id]?.conversation?.activeBranch }
    return record.messages(in: id, activeBranch: branch ?? Branch.trunk)
  }

  // MARK: Pages

  public func messages(
    _ path: Path, _ page: MessagePageRequest, as principal: Principal
  ) async throws(ConversationError) -> MessagePage {
    try validatePageLimit(page.limit)
    try path.conversation.validate()
    var (path, page) = (path, page)
    let aliases = state.withLock { $0.aliases }
    path.conversation = aliases.resolve(path.conversation)
    page.part = try aliases.resolve(page.part, in: path.conversation)
    if let fresh = fresh(path.conversation, as: principal) {
      return try await remembered(fresh.id, path, page)
    }
    // Before the page, so that a message that reaches the store meanwhile is seen twice, never missed.
    let waiting = await waitingMessages(path.conversation, as: principal)
    var request = page
    if let anchor = page.part.anchoredMessage, waiting.contains(where: { $0.id == anchor }) {
      // It has no place on the store's path yet: that ends before it.
      request = MessagePageRequest(limit: page.limit, .latest)
    }
    do {
      let (path, request) = (path, request)
      let found = try await reading { store throws(ConversationError) in
        try await store.messages(path, request, as: principal)
      }
      if case .latest = request.part, path.branch == nil, found.rest == nil { note(found, as: principal) }
      return merge(found, waiting, page)
    } catch {
      guard error.isOutage, let entry = entry(path.conversation, as: principal) else {
        noteMissing(path.conversation, error, as: principal)
        throw error
      }
      return try await remembered(entry.id, path, page, because: error)
    }
  }

  private func note(_ page: MessagePage, as principal: Principal) {
    known.withLock { known in
      guard let user = principal.onlyUser ?? known[page.conversation]?.user else { return }
      known.note(page, of: user)
    }
  }

  private func waitingMessages(_ key: ConversationKey, as principal: Principal) async -> [Message] {
    guard !state.withLock({ $0.backlog.isEmpty }), let entry = entry(key, as: principal) else { return [] }
    return await waitingMessages(of: entry.id)
  }

  private func waitingMessages(of id: ConversationID) async -> [Message] {
    let names = state.withLock { $0.backlog.holds(id) ? $0.aliases.names(of: id) : [] }
    guard !names.isEmpty, let records = try? await file.waiting(of: names) else { return [] }
    return records.flatMap(messages(of:))
  }

  /// The store's page, and behind its end what is in the spool.
  private func merge(_ page: MessagePage, _ waiting: [Message], _ request: MessagePageRequest) -> MessagePage {
    let stored = Set(page.messages.map(\.id))
    let waiting = waiting.filter { $0.branch == page.branch && !stored.contains($0.id) }
    guard !waiting.isEmpty, page.after == nil, page.rest == nil else { return page }
    var tail = Tail(page.messages, waiting, head: page.headPosition)
    // A page that ends at the head has room behind it; one that starts in the spool has it in front.
    let slice: Range<Int>
    if let anchor = request.part.anchoredMessage, let index = tail.index(of: anchor), index >= tail.stored {
      slice = tail.slice(request.part, at: index, limit: request.limit)
    } else if case .after = request.part {
      slice = 0..<min(tail.messages.count, request.limit)
    } else if case .before = request.part {
      return page
    } else {
      slice = max(0, tail.messages.count - request.limit)..<tail.messages.count
    }
    tail.hasBefore = tail.hasBefore || page.before != nil
    var merged = page
    merged.messages = Array(tail.messages[slice])
    merged.before = slice.lowerBound == 0 ? page.before : tail.cursor(slice.lowerBound)
    merged.after = slice.upperBound < tail.messages.count ? tail.cursor(slice.upperBound - 1) : nil
    if let first = merged.messages.first(where: { $0.durability == .stored }) {
      merged.forks.removeAll { $0.position < first.position }
    } else {
      merged.forks = []
    }
    merged.isDegraded = true
    return merged
  }

  /// A page of what is remembered and what is in the spool.
  private func remembered(
    _ id: ConversationID, _ path: Path, _ request: MessagePageRequest, because error: ConversationError? = nil
  ) async throws(ConversationError) -> MessagePage {
    let error = error ?? Self.notStoredYet
    let waiting = await waitingMessages(of: id)
    guard let entry = known.withLock({ $0[id] }), let conversation = entry.conversation, !entry.isUncertain,
      path.branch ?? conversation.activeBranch == conversation.activeBranch
    else { throw error }
    let kept = entry.tail
    // What does not reach the head is not the end of the path.
    let stored = kept.last?.position == conversation.headPosition ? Array(kept) : []
    let tail = Tail(
      stored, waiting.filter { $0.branch == conversation.activeBranch }, head: conversation.headPosition)
    guard !tail.messages.isEmpty || conversation.headPosition == 0 else { throw error }
    let slice: Range<Int>
    switch request.part {
    case .latest: slice = max(0, tail.messages.count - request.limit)..<tail.messages.count
    case .before(let anchor), .after(let anchor), .around(let anchor):
      guard let index = tail.index(of: anchor) else { throw error }
      slice = tail.slice(request.part, at: index, limit: request.limit)
      if case .before = request.part, slice.isEmpty, tail.hasBefore { throw error }
    }
    return MessagePage(
      conversation: id, messages: Array(tail.messages[slice]), forks: [], branch: conversation.activeBranch,
      before: slice.lowerBound > 0 || tail.hasBefore ? tail.cursor(slice.lowerBound) : nil,
      after: slice.upperBound < tail.messages.count ? tail.cursor(slice.upperBound - 1) : nil,
      headPosition: conversation.headPosition, version: conversation.version, isDegraded: true)
  }
}

/// The end of a path: stored messages, then those in the spool.
private struct Tail {
  let messages: [Message]
  /// How many of them are stored.
  let stored: Int
  /// Whether the path has messages before them.
  var hasBefore: Bool

  init(_ stored: [Message], _ waiting: [Message], head: Position) {
    let ids = Set(stored.map(\.id))
    messages = stored + waiting.filter { !ids.contains($0.id) }
    self.stored = stored.count
    hasBefore = stored.first.map { $0.position > 1 } ?? (head > 0)
  }

  func index(of id: MessageID) -> Int? { messages.firstIndex { $0.id == id } }

  func index(of anchor: MessagePageRequest.Anchor) -> Int? {
    switch anchor {
    case .message(let id): index(of: id)
    case .position(let position): messages.firstIndex { $0.durability == .stored && $0.position == position }
    case .cursor: nil
    }
  }

  func slice(_ part: MessagePageRequest.Part, at index: Int, limit: Int) -> Range<Int> {
    switch part {
    case .latest: return max(0, messages.count - limit)..<messages.count
    case .before: return max(0, index - limit)..<index
    case .after: return index + 1..<min(messages.count, index + 1 + limit)
    case .around:
      let window = PageWindow(.around(index + 1), limit: limit, head: messages.count)
      return window.first - 1..<window.end - 1
    }
  }

  /// Names a message so that a page can start there, now and when the store is back.
  func cursor(_ index: Int) -> String? {
    messages.indices.contains(index) ? DegradedCursor(messages[index]).text : nil
  }
}

extension MessagePageRequest.Part {
  fileprivate var anchoredMessage: MessageID? {
    switch self {
    case .before(.message(let id)), .after(.message(let id)), .around(.message(let id)): id
    default: nil
    }
  }
}

extension Known.Entry {
  fileprivate var lastUse: Timestamp { conversation?.updatedAt ?? Timestamp(microseconds: .min) }
}
