import ConversationModel
import StoreSQL
import Synchronization

// What passes by is remembered, in memory and behind the call's answer.

extension SpoolStore {
  /// An append that the store has taken.
  func note(_ receipt: Receipt, in id: ConversationID, as principal: Principal) {
    known.withLock { known in
      guard let user = principal.onlyUser ?? known[id]?.user else { return }
      known.note(receipt.messages, of: user, version: receipt.isReplay ? nil : receipt.version)
    }
  }

  /// Another command that the store has carried out.
  func note(_ receipt: Receipt, of command: Command, as principal: Principal) async {
    switch command {
    case .update:
      if let conversation = receipt.conversation { known.withLock { $0.note(conversation) } }
    case .revise, .finish, .deleteMessage:
      if let message = receipt.messages.first { known.withLock { $0.note(changed: message) } }
    case .makeBranch(let make):
      guard let branch = receipt.branch, !receipt.isReplay else { return }
      known.withLock { $0.note(branch, of: make.conversation, receipt.messages, version: receipt.version) }
    case .deleteBranch(let key):
      guard let branch = receipt.branch else { return }
      known.withLock { $0.note(branch, of: key.conversation, [], version: receipt.version) }
    case .append(let append): note(receipt, in: append.conversation, as: principal)
    case .open, .updateBranch, .erase, .eraseUser: break
    }
  }

  /// Conversations are gone for good.
  ///
  /// - Returns: Whether nothing is left of them here; false after some seconds, and then `run` goes on.
  @discardableResult
  func erased(_ ids: [ConversationID]) async -> Bool {
    state.withLock { state in
      // Bounded: who names so many erased conversations is answered by the store.
      if state.erased.count + ids.count > Limits.knownSessions { state.erased = [] }
      state.erased.formUnion(ids.prefix(Limits.knownSessions))
      state.unpurged.formUnion(ids)
    }
    let deadline = ContinuousClock.now + .milliseconds(Limits.eraseMilliseconds)
    while true {
      await purge()
      if state.withLock({ $0.unpurged.isDisjoint(with: ids) }) { return true }
      guard .now < deadline, (try? await Task.sleep(for: .milliseconds(20))) != nil else { return false }
    }
  }

  /// Those of a user of which something is kept here.
  func conversations(of user: UserID) async -> [ConversationID] {
    let known = known.withLock { $0.entries(of: user).map(\.id) }
    let kept = (try? await file.conversations(of: user)) ?? []
    return Array(Set(known + kept))
  }

  /// The store tells a conversation's owner that there is none: another server has erased it.
  func noteMissing(_ key: ConversationKey, _ error: ConversationError, as principal: Principal) {
    guard case .id(let id) = key, error.code == .notFound, error.message == ConversationError.noConversation.message
    else { return }
    known.withLock { known in
      guard let entry = known[id], !entry.isFresh, principal.owns(entry.user) else { return }
      known.forget(id)
    }
  }

  /// Removes what is left in the spool of conversations that were erased; what cannot be removed now is tried
  /// again by `run`.
  func purge() async {
    // What is being written down was taken from memory before it was forgotten there.
    guard writingDown.begin() else { return }
    defer { writingDown.end() }
    var removed: [ConversationID] = []
    for id in state.withLock({ Array($0.unpurged) }) {
      let names = state.withLock { $0.aliases.names(of: id) }
      known.withLock { known in for name in names { known.forget(name) } }
      guard let purged = try? await file.purge(names) else { continue }
      let waiters = state.withLock { state in
        state.aliases.remove(purged.aliases)
        state.deadLetters = max(0, state.deadLetters - purged.dead)
        return state.backlog.remove(purged.waiting, bytes: purged.bytes, of: id)
      }
      waiters.forEach { $0.resume() }
      removed.append(id)
    }
    guard !removed.isEmpty, (try? await file.emptyLog()) == true else { return }
    state.withLock { $0.unpurged.subtract(removed) }
  }

  /// The store, if it reads.
  var readable: (any ReplayableStore)? { state.withLock { $0.isUnreadable ? nil : $0.opened?.store } }

  /// What is known of a conversation of the principal's; asks the store if that still reads.
  func knownEntry(_ key: ConversationKey, as principal: Principal) async -> Known.Entry? {
    if let entry = known.withLock({ $0.entry(of: key) }) { return principal.owns(entry.user) ? entry : nil }
    guard let store = readable, let found = try? await store.conversation(key, as: principal) else { return nil }
    return known.withLock { known in
      known.note(found)
      return known[found.id]
    }
  }
}
