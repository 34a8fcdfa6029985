import ConversationModel
import Synchronization

/// Beginnings without an outcome: a store that went away in the middle does not say whether an answer took its place.
extension Turns {
  /// Changes of a conversation that are looked through for an answer that nobody writes.
  private static let doubtfulChanges = 200

  func doubt(_ id: ConversationID, _ principal: Principal) {
    let isNew = state.withLock { $0.doubts.count < settings.turns && $0.doubts.insert(id).inserted }
    if isNew { job.yield(.settle(id, principal)) }
  }

  /// Waits for the store, and writes the answers whose place was taken although the store could not say so: a commit
  /// whose outcome is unknown may have happened, and no answer may stay unwritten for ever.
  func settle(_ id: ConversationID, as principal: Principal) async {
    var pause = 1
    while (try? await Task.sleep(for: .seconds(pause))) != nil, !state.withLock(\.isStopped) {
      pause = min(2 * pause, 8)
      // With the gate taken, every answer of a turn that has begun is among those that are written.
      await enter(id)
      defer { leave(id) }
      do throws(ConversationError) {
        if try await !writeForgotten(in: id, as: principal) { continue }
      } catch {
        if error.code == .unavailable { continue }
      }
      // Before the gate is left: whoever comes next may have doubts of its own.
      return state.withLock { _ = $0.doubts.remove(id) }
    }
  }

  /// - Returns: False while the store is down.
  private func writeForgotten(
    in id: ConversationID, as principal: Principal
  ) async throws(ConversationError) -> Bool {
    let version = try await store.conversation(.id(id), as: principal).version
    var since = max(0, version - Self.doubtfulChanges)
    while true {
      let changes = try await store.changes(
        in: id, since: since, limit: Limits.pageItems.upperBound, as: principal)
      guard !changes.isDegraded else { return false }
      for case .message(let message) in changes.changes.map(\.row)
      where message.status == .streaming && running(message.id) == nil {
        _ = start(message, version: version, as: principal)
      }
      guard changes.hasMore else { return true }
      since = changes.version
    }
  }
}
