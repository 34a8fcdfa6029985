import ConversationModel

extension SQLStore {
  /// Hides a conversation at once and removes what it held, a chunk at a time, so that no other
  /// writer waits for long.
  func erase(_ id: ConversationID, as principal: Principal) async throws(ConversationError) -> Receipt {
    var erasure = Erasure.none
    // Also when a step fails, or the first one's outcome is unknown: what is marked gets finished.
    defer { if !erasure.isComplete { pendingErasures.add() } }
    erasure = try await write { connection in
      _ = try self.owned(.id(id), by: principal, on: connection)
      try connection.execute(Statements.markErasing, [.id(id)])
      return try self.eraseStep(id, on: connection)
    }
    for _ in 0..<Limits.eraseStepsAwaited where !erasure.isComplete {
      erasure += try await write { connection in try self.eraseStep(id, on: connection) }
    }
    return Receipt(erasure: erasure, version: nil)
  }

  /// Finishes erasures that were not waited for, those of an earlier run included; returns when the
  /// task is cancelled. Run it beside everything else.
  public func finishErasures() async {
    for await _ in pendingErasures.signals {
      do {
        let ids = try await read { connection in
          try connection.all(Statements.erasing, [.integer(Limits.eraseRows)]) { row -> ConversationID in try row.id(0)
          }
        }
        for id in ids {
          var step = Erasure.none
          while !step.isComplete {
            try Task.checkCancellation()
            step = try await write { connection in try self.eraseStep(id, on: connection) }
          }
        }
        if ids.count == Limits.eraseRows { pendingErasures.add() }
      } catch {
        // The rows are hidden and marked. The store may be down: try again, but not at once.
        pendingErasures.add()
        do { try await Task.sleep(for: .seconds(1)) } catch { return }
      }
    }
  }

  private func eraseStep(_ id: ConversationID, on connection: Driver.Connection) throws -> Erasure {
    var step = Erasure.none
    let values: [SQLValue] = [.id(id), .integer(Limits.eraseRows)]
    step.revisions = try connection.execute(Statements.eraseRevisions, values)
    if step.revisions > 0 { return step }
    step.messages = try connection.execute(Statements.eraseMessages, values)
    if step.messages == Limits.eraseRows { return step }
    try connection.execute(Statements.eraseDrafts, [.id(id)])
    step.branches = try connection.execute(Statements.eraseBranches, [.id(id)])
    step.conversations = try connection.execute(Statements.eraseConversation, [.id(id)])
    step.isComplete = true
    return step
  }
}

extension Erasure {
  fileprivate static let none = Erasure(isComplete: false, conversations: 0, branches: 0, messages: 0, revisions: 0)

  fileprivate static func += (total: inout Erasure, step: Erasure) {
    total.isComplete = step.isComplete
    total.conversations += step.conversations
    total.branches += step.branches
    total.messages += step.messages
    total.revisions += step.revisions
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
