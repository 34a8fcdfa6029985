import ConversationModel

// What keeps the search index whole and small. FTS5 writes a part for every transaction and joins eight of a size to one of
// the next. It would do that by itself, but all at once: one save in ten thousand then waits for seconds. Here each
// transaction joins a few pages' worth, and what is left over is joined while nobody writes.

extension SQLStore {
  // MARK: Messages that are not in it

  /// Puts the messages into the index that were stored before it was begun, oldest first, and notes how far it got.
  func indexEarlierMessages() async throws(ConversationError) {
    while try await write({ connection in try self.indexStep(on: connection) }) {}
  }

  /// Empties the index, also one that cannot be opened any more, and has every message put into it again by
  /// `indexEarlierMessages`, which a start resumes.
  func forgetSearch() async throws(ConversationError) {
    let script = driver.dialect.emptySearch
    try await write { connection in
      try connection.script(script)
      try connection.execute(SearchStatements.beginAnew, [])
    }
  }

  /// Returns whether more is left.
  func indexStep(on connection: Driver.Connection) throws -> Bool {
    let state = try connection.first(SearchStatements.state, [], SearchState.init)
    guard let state, let missing = state.missing else { return false }
    var (indexed, bytes, rows) = (state.indexed, 0, 0)
    try connection.forEachRow(
      SearchStatements.unindexed,
      [.integer(missing.lowerBound - 1), .integer(missing.upperBound), .integer(Limits.indexRows)]
    ) { row in
      rows += 1
      guard bytes < Limits.lateBytes else { return }
      indexed = try row.integer(0)
      // A text that cannot be read is for the audit to tell.
      let text = (try? row.text(3)) ?? ""
      bytes += text.utf8.count
      SearchIndex(owner: try row.id(2), conversation: try row.id(1)).replace(by: text, ofRow: indexed, on: connection)
    }
    let isLast = rows < Limits.indexRows && bytes < Limits.lateBytes
    try connection.execute(
      SearchStatements.indexed, isLast ? [.integer(0), .integer(0)] : [.integer(indexed), .integer(state.last)])
    return !isLast
  }

  // MARK: While nobody writes

  /// Tidies the index in small steps whenever the store has been idle for a second, and purges it of deleted words, until
  /// the task is cancelled.
  func keepSearchTidy() async {
    var tidied = -1
    var lastPurge: ContinuousClock.Instant?
    var before = driver.health().commits
    while (try? await Task.sleep(for: .milliseconds(Limits.tidyMilliseconds))) != nil {
      let health = driver.health()
      defer { before = driver.health().commits }
      guard health.commits == before, health.queuedCommands == 0, health.refusal == nil else { continue }
      do {
        let isDue = lastPurge.map { .now - $0 > .seconds(Limits.purgeSeconds) } ?? true
        if isDue, try await wantsPurge(), purging.begin() {
          defer { purging.end() }
          lastPurge = .now
          _ = try await purgeSearch()
        }
        // Commits that were not ours.
        guard health.commits != tidied else { continue }
        while try await tidyStep(Limits.tidyPages) { try Task.checkCancellation() }
        tidied = driver.health().commits
      } catch {
        // It is down, or going down; what is untidy stays so for a while.
      }
    }
  }

  func wantsPurge() async throws(ConversationError) -> Bool {
    let state = try await read { connection in try connection.first(SearchStatements.state, [], SearchState.init) }
    return state?.isPurgeDue ?? false
  }

  /// Writes the index anew, in small steps between which others write, so that nothing is left in it of words that were
  /// taken out before the call. Free pages are overwritten; the write-ahead log is not this one's concern.
  ///
  /// - Returns: Whether it came to its end before `deadline`; if not, the next purge goes on.
  func purgeSearch(until deadline: ContinuousClock.Instant? = nil) async throws(ConversationError) -> Bool {
    try await write { connection in
      try connection.execute(SearchStatements.setPurge, [.integer(SearchState.purgeRuns)])
      // With a minus FTS5 takes all parts for one size, and begins to join them.
      try connection.execute(SearchStatements.merge, [.integer(-Limits.tidyPages)])
    }
    while try await tidyStep(Limits.tidyPages) {
      // The next start begins anew.
      guard !Task.isCancelled else {
        throw ConversationError(.unavailable, "The purge of the search index was cancelled.")
      }
      if let deadline, .now > deadline { return false }
    }
    _ = try await write { connection in try connection.execute(SearchStatements.purged, []) }
    return true
  }

  /// Joins pages of the index; returns whether there was anything to join.
  private func tidyStep(_ pages: Int) async throws(ConversationError) -> Bool {
    try await write { connection in
      let before = connection.changes
      try connection.execute(SearchStatements.merge, [.integer(pages)])
      // The statement itself counts as one.
      return connection.changes - before > 1
    }
  }
}

/// How far the search index is.
struct SearchState {
  /// The messages behind this row and up to `last` are not in the index yet.
  let indexed: Int
  /// 0 if all are in it.
  let last: Int
  /// Whether words were taken out since the last purge began, or one was interrupted.
  let isPurgeDue: Bool

  static let purgeRuns = 2

  init(_ row: some SQLRow) throws {
    (indexed, last) = (try row.integer(0), try row.integer(1))
    isPurgeDue = try row.integer(2) != 0
  }

  /// The rows that are not in the index yet.
  var missing: ClosedRange<Int>? { indexed < last ? indexed + 1...last : nil }
}
