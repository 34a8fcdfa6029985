public import ConversationModel
import Synchronization

// Whole conversations come from the store and go into it: an import is not acknowledged bit by bit, and an export without what
// waits in the spool would look whole.

extension SpoolStore: ArchivingStore {
  public func conversationIDs(
    of user: UserID?, after id: ConversationID?, as principal: Principal
  ) async throws(ConversationError) -> [ConversationID] {
    try await reading { store throws(ConversationError) in
      try await store.conversationIDs(of: user, after: id, as: principal)
    }
  }

  /// - Throws: `.unavailable` also while messages of the conversation wait in the spool.
  public func archivedConversation(
    _ id: ConversationID, as principal: Principal
  ) async throws(ConversationError) -> ArchivedConversation {
    let id = resolved(id)
    let archive: ArchivedConversation
    do {
      archive = try await reading { store throws(ConversationError) in
        try await store.archivedConversation(id, as: principal)
      }
    } catch {
      throw error.code == .notFound && isFresh(id) ? Self.notStoredYet : error
    }
    guard !state.withLock({ $0.backlog.holds(id) }) else { throw Self.notStoredYet }
    return archive
  }

  public func archivedMessages(
    of branch: BranchKey, after position: Position, as principal: Principal
  ) async throws(ConversationError) -> [ArchivedMessage] {
    try await reading { store throws(ConversationError) in
      try await store.archivedMessages(of: branch, after: position, as: principal)
    }
  }

  public func archivedRevisions(
    of message: MessageID, above number: Int, below end: Int, as principal: Principal
  ) async throws(ConversationError) -> [Revision] {
    try await reading { store throws(ConversationError) in
      try await store.archivedRevisions(of: message, above: number, below: end, as: principal)
    }
  }

  public func beginRestoring(
    _ conversation: ArchivedConversation, as principal: Principal
  ) async throws(ConversationError) -> Restoration? {
    try await writing { store throws(ConversationError) in
      try await store.beginRestoring(conversation, as: principal)
    }
  }

  public func restore(
    _ messages: [ArchivedMessage], of restoration: inout Restoration
  ) async throws(ConversationError) {
    let before = restoration
    restoration = try await writing { store throws(ConversationError) in
      var restoration = before
      try await store.restore(messages, of: &restoration)
      return restoration
    }
  }

  public func finishRestoring(_ restoration: Restoration) async throws(ConversationError) -> Conversation {
    let conversation = try await writing { store throws(ConversationError) in
      try await store.finishRestoring(restoration)
    }
    // It may have been erased here before, under the same id.
    state.withLock { _ = $0.erased.remove(conversation.id) }
    return conversation
  }

  public func abandonRestoring(_ restoration: Restoration) async {
    // Without a store there is nobody who holds it back: whatever is hidden goes when the store is back.
    await state.withLock { $0.opened?.store }?.abandonRestoring(restoration)
  }

  /// A write that the spool cannot take instead of the store.
  private func writing<Value: Sendable>(
    _ body: (any ReplayableStore) async throws(ConversationError) -> Value
  ) async throws(ConversationError) -> Value {
    let (store, outage) = state.withLock { ($0.outage == nil ? $0.opened?.store : nil, $0.outage) }
    guard let store else { throw down(outage ?? "It is not open.") }
    do { return try await body(store) } catch {
      if error.isOutage { failed(error, writing: true) }
      throw error
    }
  }
}
