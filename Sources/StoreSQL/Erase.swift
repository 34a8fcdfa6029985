import ConversationModel

extension SQLStore {
  /// Hides a conversation at once and removes what it held, a chunk at a time, so that no other
  /// writer waits for long.
  ///
  /// The receipt counts what was there when it was hidden, whoever removes it then.
  func erase(_ id: ConversationID, as principal: Principal) async throws(ConversationError) -> Receipt {
    var (erasure, isComplete): (Erasure, Bool)
    do {
      (erasure, isComplete) = try await write { connection in
        _ = try self.owned(.id(id), by: principal, on: connection)
        try connection.execute(Statements.markErasing, [.id(id)])
        let erasure = try self.contents(of: id, on: connection)
        return (erasure, try self.eraseStep(id, on: connection))
      }
    } catch {
      // It may have been marked all the same.
      if error.code == .unavailable { pendingErasures.add() }
      throw error
    }
    // Also when a step fails: what is marked gets finished.
    defer { if !isComplete { pendingErasures.add() } }
    for _ in 0..<Limits.eraseStepsAwaited where !isComplete {
      isComplete = try await write { connection in try self.eraseStep(id, on: connection) }
    }
    erasure.isComplete = isComplete
    return Receipt(erasure: erasure, version: nil)
  }

  /// How many rows a conversation has. Positions are dense, so its branches tell how many messages.
  private func contents(of id: ConversationID, on connection: Driver.Connection) throws -> Erasure {
    let counts = try connection.first(Statements.contents, [.id(id)]) { row in
      try Erasure(
        isComplete: false, conversations: 1, branches: row.integer(0), messages: row.integer(1),
        revisions: row.integer(2))
    }
    return counts ?? Erasure(isComplete: false, conversations: 1, branches: 0, messages: 0, revisions: 0)
  }

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
        for id in ids where !restorations.contains(id) {
          while try await !write({ connection in try self.eraseStep(id, on: connection) }) {
            try Task.checkCancellation()
          }
        }
        let branches = try await read { connection in
          try connection.all(Statements.buriedBranches, [.integer(Limits.eraseRows)], BuriedBranch.init)
        }
        for branch in branches { _ = try await blank(branch, steps: .max) }
        if max(ids.count, branches.count) == Limits.eraseRows { pendingErasures.add() }
      } catch {
        // The rows are hidden and marked. The store may be down: try again, but not at once.
        pendingErasures.add()
        do { try await Task.sleep(for: .seconds(1)) } catch { return }
      }
    }
  }

  /// Removes a chunk; returns whether nothing is left.
  private func eraseStep(_ id: ConversationID, on connection: Driver.Connection) throws -> Bool {
    let values: [SQLValue] = [.id(id), .integer(Limits.eraseRows)]
    if try connection.execute(Statements.eraseRevisions, values) > 0 { return false }
    let rows = try takeOutWords(of: id, on: connection)
    if try connection.execute(Statements.eraseMessages, [.id(id), .integer(rows)]) > 0 { return false }
    try connection.execute(Statements.eraseDrafts, [.id(id)])
    try connection.execute(Statements.eraseBranches, [.id(id)])
    try connection.execute(Statements.eraseConversation, [.id(id)])
    return true
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
