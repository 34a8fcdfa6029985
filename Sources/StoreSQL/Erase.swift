import ConversationModel

// Erasure, in three steps that a crash may come between: the conversation is hidden, what it holds is removed a chunk at a
// time, and when its words are out of the search index and out of the log, its own row goes, blank by then. As long as that row
// is there, the erasure is `pending`.

extension SQLStore {
  /// The receipt counts what was there when it was hidden, whoever removes it then; asked again, what is still there.
  func erase(_ id: ConversationID, as principal: Principal) async throws(ConversationError) -> Receipt {
    var (erasure, isEmpty): (Erasure, Bool)
    do {
      (erasure, isEmpty) = try await write { connection in
        if try !self.isErasing(id, by: principal, on: connection) {
          _ = try self.owned(.id(id), by: principal, on: connection)
          try connection.execute(Statements.markErasing, [.id(id)])
        }
        let erasure = try self.contents(of: id, on: connection)
        return (erasure, try self.eraseStep(id, on: connection))
      }
    } catch {
      // It may have been marked all the same.
      if error.code == .unavailable { pendingErasures.add() }
      throw error
    }
    var isComplete = false
    // Also when a step fails: what is marked gets finished.
    defer { if !isComplete { pendingErasures.add() } }
    for _ in 0..<Limits.eraseStepsAwaited where !isEmpty {
      isEmpty = try await write { connection in try self.eraseStep(id, on: connection) }
    }
    if isEmpty {
      isComplete = try await settle { connection in
        try connection.first(Statements.isErasing, [.id(id)]) { _ in true } == nil
      }
    }
    erasure.isComplete = isComplete
    return Receipt(erasure: erasure, version: nil)
  }

  /// Whether it is hidden already, and was the principal's. Not if it is being taken in.
  private func isErasing(
    _ id: ConversationID, by principal: Principal, on connection: Driver.Connection
  ) throws -> Bool {
    let owner = try connection.first(Statements.ownerOfErasing, [.id(id)]) { row -> UserID in try row.id(0) }
    return owner.map(principal.owns) ?? false && !restorations.contains(id)
  }

  /// Hides and removes all that a user has, what is being imported for it included. What the user begins meanwhile may
  /// go, too.
  func erase(_ user: UserID, as principal: Principal) async throws(ConversationError) -> Receipt {
    guard principal.owns(user) else {
      throw ConversationError(.forbidden, "A user may erase itself only.", field: "id")
    }
    restorations.endAll(of: user)
    var erasure = Erasure(isComplete: false, conversations: 0, branches: 0, messages: 0, revisions: 0)
    // Also when a step fails: what is marked gets finished.
    defer { if !erasure.isComplete { pendingErasures.add() } }
    var last: (updatedAt: Int, id: ConversationID)? = (.min, ConversationID(high: 0, low: 0))
    while let start = last {
      let (hidden, next) = try await write { connection in try self.hide(user, from: start, on: connection) }
      erasure.add(hidden)
      last = next
    }
    let deadline = Self.eraseDeadline
    while .now < deadline {
      let ids = try await read { connection in
        try connection.all(Statements.erasingOfUser, [.id(user), .integer(Limits.eraseRows)]) {
          row -> ConversationID in try row.id(0)
        }
      }
      guard !ids.isEmpty else {
        erasure.isComplete = true
        break
      }
      for id in ids {
        while .now < deadline, try await !write({ connection in try self.eraseStep(id, on: connection) }) {}
      }
      _ = try await settle(until: deadline) { connection in
        try connection.first(Statements.erasingOfUser, [.id(user), .integer(1)]) { _ in true } == nil
      }
    }
    return Receipt(erasure: erasure, version: nil)
  }

  /// Hides a number of a user's conversations; returns how much is in them, and where to go on.
  private func hide(
    _ user: UserID, from start: (updatedAt: Int, id: ConversationID), on connection: Driver.Connection
  ) throws -> (Erasure, (updatedAt: Int, id: ConversationID)?) {
    let rows = try connection.all(
      Statements.shownOfUser,
      [.id(user), .integer(start.updatedAt), .id(start.id), .integer(Limits.eraseRows)]
    ) { row in (id: try row.id(0) as ConversationID, updatedAt: try row.integer(1)) }
    var hidden = Erasure(isComplete: false, conversations: 0, branches: 0, messages: 0, revisions: 0)
    for row in rows {
      try connection.execute(Statements.markErasing, [.id(row.id)])
      hidden.add(try contents(of: row.id, on: connection))
    }
    return (hidden, rows.count == Limits.eraseRows ? rows.last.map { ($0.updatedAt, $0.id) } : nil)
  }

  private static var eraseDeadline: ContinuousClock.Instant { .now + .milliseconds(Limits.eraseMilliseconds) }

  /// How many rows a conversation has. Positions are dense, so its branches tell how many messages.
  private func contents(of id: ConversationID, on connection: Driver.Connection) throws -> Erasure {
    let counts = try connection.first(Statements.contents, [.id(id)]) { row in
      try Erasure(
        isComplete: false, conversations: 1, branches: row.integer(0), messages: row.integer(1),
        revisions: row.integer(2))
    }
    return counts ?? Erasure(isComplete: false, conversations: 1, branches: 0, messages: 0, revisions: 0)
  }

  /// Removes a chunk; returns whether nothing but the conversation's row is left.
  private func eraseStep(_ id: ConversationID, on connection: Driver.Connection) throws -> Bool {
    // It may have gone meanwhile, and another of the same id is here, or is being taken in.
    guard !restorations.contains(id), try connection.first(Statements.isErasing, [.id(id)], { _ in true }) != nil else {
      return true
    }
    let values: [SQLValue] = [.id(id), .integer(Limits.eraseRows)]
    if try connection.execute(Statements.eraseRevisions, values) > 0 { return false }
    let rows = try takeOutWords(of: id, on: connection)
    if try connection.execute(Statements.eraseMessages, [.id(id), .integer(rows)]) > 0 { return false }
    try connection.execute(Statements.eraseDrafts, [.id(id)])
    try connection.execute(Statements.eraseBranches, [.id(id)])
    return true
  }

  /// Removes what is hidden already, as far as that takes no more than a few seconds; the rest goes in the background.
  func removeHidden(_ id: ConversationID) async {
    var isDone = false
    defer { if !isDone { pendingErasures.add() } }
    do {
      let deadline = Self.eraseDeadline
      while try await !write({ connection in try self.eraseStep(id, on: connection) }) {
        guard .now < deadline else { return }
      }
      isDone = try await settle(until: deadline) { connection in
        try connection.first(Statements.isErasing, [.id(id)]) { _ in true } == nil
      }
    } catch {
      // The row is hidden and marked.
    }
  }

  // MARK: The last of it

  /// Sees to it that nothing is left of what emptied conversations held, and lets their rows go.
  ///
  /// - Parameters:
  ///   - deadline: A few seconds from now unless told; nil for however long it takes. A purge that is broken off begins anew.
  ///   - isDone: Whether the caller's are gone; another may have seen to that.
  private func settle(
    until deadline: ContinuousClock.Instant? = eraseDeadline,
    _ isDone: @escaping @Sendable (Driver.Connection) throws -> Bool
  ) async throws(ConversationError) -> Bool {
    while true {
      if purging.begin() {
        defer { purging.end() }
        if try await settleEmptied(until: deadline) { return try await read(isDone) }
      } else if try await read(isDone) {
        return true
      }
      if let deadline, .now > deadline { return false }
      do { try await Task.sleep(for: .milliseconds(20)) } catch { return false }
    }
  }

  /// - Returns: Whether it came to its end.
  private func settleEmptied(until deadline: ContinuousClock.Instant?) async throws(ConversationError) -> Bool {
    let ids = try await read { connection in
      try connection.all(Statements.emptied, [.integer(Limits.eraseRows)]) { row -> ConversationID in try row.id(0) }
    }.filter { !restorations.contains($0) }
    guard !ids.isEmpty else { return true }
    if try await wantsPurge(), try await !purgeSearch(until: deadline) { return false }
    guard try await emptyLog() else { return false }
    try await write { connection in
      for id in ids { try connection.execute(Statements.eraseConversation, [.id(id)]) }
    }
    return ids.count < Limits.eraseRows
  }

  private func emptyLog() async throws(ConversationError) -> Bool {
    do { return try await driver.emptyLog() } catch { throw Self.conversationError(error) }
  }

  // MARK: In the background

  /// Finishes erasures and deletions of branches that were not waited for, those of an earlier run
  /// included; returns when the task is cancelled.
  func finishErasures() async {
    for await _ in pendingErasures.signals {
      do {
        let ids = try await read { connection in
          try connection.all(Statements.erasing, [.integer(Limits.eraseRows)]) { row -> ConversationID in try row.id(0)
          }
        }
        // Those that are being taken in are hidden, too.
        let erasing = ids.filter { !restorations.contains($0) }
        for id in erasing {
          while try await !write({ connection in try self.eraseStep(id, on: connection) }) {
            try Task.checkCancellation()
          }
        }
        let branches = try await read { connection in
          try connection.all(Statements.buriedBranches, [.integer(Limits.eraseRows)], BuriedBranch.init)
        }
        for branch in branches { _ = try await blank(branch, steps: .max) }
        _ = try await settle(until: nil) { _ in true }
        if max(ids.count, branches.count) == Limits.eraseRows { pendingErasures.add() }
      } catch {
        // The rows are hidden and marked. The store may be down: try again, but not at once.
        pendingErasures.add()
        do { try await Task.sleep(for: .seconds(1)) } catch { return }
      }
    }
  }
}

extension Erasure {
  fileprivate mutating func add(_ other: Erasure) {
    conversations += other.conversations
    branches += other.branches
    messages += other.messages
    revisions += other.revisions
  }
}

/// Wakes whoever finishes erasures. One waiting signal stands for any number of erasures, because
/// the rows themselves say what is left.
final class ErasureQueue: Sendable {
  let signals: AsyncStream<Void>
  private let continuation: AsyncStream<Void>.Continuation

  init() {
    (signals, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    // What an earlier run left is looked for at the start.
    continuation.yield()
  }

  func add() { continuation.yield() }
}
