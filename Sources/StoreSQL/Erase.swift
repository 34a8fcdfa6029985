import ConversationModel

extension SQLStore {
  /// Hides a conversation at once and removes what it held, a chunk at a time, so that no other
  /// writer waits for long.
  func erase(_ id: ConversationID, as principal: Principal) async throws(ConversationError) -> Receipt {
    var erasure = try await write { connection in
      _ = try self.owned(.id(id), by: principal, on: connection)
      try connection.execute(Statements.markErasing, [.id(id)])
      return try self.eraseStep(id, on: connection)
    }
    for _ in 0..<Limits.eraseStepsAwaited where !erasure.isComplete {
      erasure += try await write { connection in try self.eraseStep(id, on: connection) }
    }
    if !erasure.isComplete { pendingErasures.add() }
    return Receipt(erasure: erasure, version: nil)
  }

  /// Finishes erasures that were not waited for, those of an earlier run included; returns when the
  /// task is cancelled. Run it beside everything else.
  public func finishErasures() async {
    for await _ in pendingErasures.signals {
      do {
        while let id = try await read({ connection in
          try connection.first(Statements.erasing, [.integer(1)]) { row -> ConversationID in try row.id(0) }
        }) {
          var step = Erasure.none
          while !step.isComplete {
            try Task.checkCancellation()
            step = try await write { connection in try self.eraseStep(id, on: connection) }
          }
        }
      } catch {
        // The rows are hidden and marked; the next signal or the next start goes on with them.
        continue
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
