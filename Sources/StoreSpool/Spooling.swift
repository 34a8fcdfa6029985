public import ConversationModel
import StoreSQL
import StoreSQLite
import Synchronization

extension SpoolStore {
  public func apply(_ command: Command, as principal: Principal) async throws(ConversationError) -> Receipt {
    switch command {
    // Nobody could end an answer that only the spool has.
    case .append(let append) where append.messages.contains(where: \.isStreaming):
      try await begin(append, as: principal)
    case .append(let append): try await self.append(append, as: principal)
    case .open(let open): try await self.open(open, as: principal)
    default: try await pass(command, as: principal)
    }
  }

  // MARK: Appends

  /// Where an append goes now.
  private enum Route {
    case store(any ReplayableStore)
    case spool(ConversationError)
    /// The last records of its conversation are on their way; it must not overtake them.
    case wait
  }

  private func append(_ append: Append, as principal: Principal) async throws(ConversationError) -> Receipt {
    // Named here, so that an append whose outcome is unknown can be handed over again.
    let preset = environment.preset(for: append.messages.count, at: environment.now())
    while true {
      let (resolved, route) = state.withLock { state in
        let resolved = state.aliases.resolve(append)
        return (resolved, self.route(resolved.conversation, state))
      }
      switch route {
      case .wait: await finished(resolved.conversation)
      case .spool(let error): return try await spool(resolved, preset, as: principal, because: error)
      case .store(let store):
        do {
          let receipt = try await store.apply(.append(resolved), preset: preset, as: principal)
          note(receipt, in: resolved.conversation, as: principal)
          return receipt
        } catch {
          guard error.isOutage else {
            noteMissing(.id(resolved.conversation), error, as: principal)
            throw error
          }
          failed(error, writing: true)
          return try await spool(resolved, preset, as: principal, because: error)
        }
      }
    }
  }

  /// A question with the place of its answer: only the store takes it, behind what waits of its conversation.
  private func begin(_ append: Append, as principal: Principal) async throws(ConversationError) -> Receipt {
    while true {
      let (id, isHeld, isFinishing) = state.withLock { state in
        let id = state.aliases.resolve(append.conversation)
        return (id, rules.keepsOrder && state.backlog.holds(id), state.backlog.isFinishing(id))
      }
      guard isHeld else { return try await pass(.append(append), as: principal) }
      guard isFinishing else { throw Self.isDraining }
      await finished(id)
    }
  }

  private func route(_ id: ConversationID, _ state: borrowing State) -> Route {
    guard let store = state.opened?.store, state.outage == nil else {
      return .spool(down(state.outage ?? "It is not open."))
    }
    guard rules.keepsOrder, state.backlog.holds(id) else { return .store(store) }
    return state.backlog.isFinishing(id) ? .wait : .spool(Self.isDraining)
  }

  private static let isDraining = ConversationError(
    .unavailable, "Earlier messages of this conversation are on their way to the store; try again.")

  private func finished(_ id: ConversationID) async {
    await withCheckedContinuation { continuation in
      let waits = state.withLock { state in
        guard state.backlog.isFinishing(id) else { return false }
        state.backlog.wait(continuation, for: id)
        return true
      }
      if !waits { continuation.resume() }
    }
  }

  /// Takes an append into the spool, if the store will be able to take it later.
  private func spool(
    _ append: Append, _ preset: Preset, as principal: Principal, because error: ConversationError
  ) async throws(ConversationError) -> Receipt {
    try Command.append(append).validate()
    let clientIDs = append.messages.compactMap(\.clientID)
    guard Set(clientIDs.map { Array($0.utf8) }).count == clientIDs.count else { throw .repeatedClientID }
    guard let entry = await knownEntry(.id(append.conversation), as: principal) else { throw error }
    if let receipt = try remembered(append, entry) { return receipt }
    guard await canFollow(append, entry, as: principal) else { throw error }
    let record = SpoolRecord(
      conversation: append.conversation, user: entry.user, content: .append(append, preset.messages),
      createdAt: preset.time)
    let earlier = try await keep(record)
    return Receipt(
      messages: (earlier ?? record).messages(
        in: append.conversation, activeBranch: entry.conversation?.activeBranch ?? Branch.trunk),
      version: nil, durability: .spooled, isReplay: earlier != nil)
  }

  /// The receipt of an append whose messages are remembered as stored; nil if that is not certain.
  private func remembered(_ append: Append, _ entry: Known.Entry) throws(ConversationError) -> Receipt? {
    let clientIDs = append.messages.map(\.clientID)
    guard
      let index = clientIDs.firstIndex(where: { id in
        id != nil && entry.messages.contains { sameBytes($0.clientID, id) }
      }), let first = entry.messages.firstIndex(where: { sameBytes($0.clientID, clientIDs[index]) })
    else { return nil }
    let start = first - index
    guard start >= 0, start + clientIDs.count <= entry.messages.count else { return nil }
    let messages = Array(entry.messages[start..<start + clientIDs.count])
    // What was edited no longer shows what was sent; the store knows, later.
    guard messages.allSatisfy({ $0.revision == 1 && $0.status == .complete }) else { return nil }
    guard
      zip(messages, append.messages).allSatisfy({
        sameBytes($0.clientID, $1.clientID) && $0.fingerprint == $1.fingerprint
      })
    else { throw .reusedClientID }
    return Receipt(messages: messages, version: entry.conversation?.version, isReplay: true)
  }

  /// Whether the store will find the place that an append names.
  private func canFollow(_ append: Append, _ entry: Known.Entry, as principal: Principal) async -> Bool {
    if let branch = append.branch, branch != Branch.trunk, branch != entry.conversation?.activeBranch,
      !entry.messages.contains(where: { $0.branch == branch })
    {
      return false
    }
    guard let parent = append.parent else { return true }
    // Whether it is the last one will be known only later, and an acknowledgement is not taken back.
    guard append.onConflict == .branch else { return false }
    if parent == entry.head || entry.messages.contains(where: { $0.id == parent }) { return true }
    if let record = try? await file.record(of: parent) { return resolved(record.conversation) == entry.id }
    guard let store = readable, let detail = try? await store.message(parent, as: principal) else { return false }
    return detail.message.conversationID == entry.id
  }

  // MARK: Openings

  private func open(_ open: OpenConversation, as principal: Principal) async throws(ConversationError) -> Receipt {
    let time = environment.now()
    let preset = Preset(conversation: environment.newID(at: time), time: time)
    let key = ConversationKey.session(open.user, open.session)
    // A session that is in the spool only is not opened past it.
    let fresh = known.withLock { known in known.entry(of: key).flatMap { $0.isFresh ? $0.id : nil } }
    let (store, outage) = state.withLock { state in
      let isHeldUp = state.outage != nil || fresh.map { state.backlog.holds($0) } ?? false
      return (isHeldUp ? nil : state.opened?.store, state.outage)
    }
    guard let store else {
      let error = outage.map(down) ?? Self.isDraining
      return try await spool(open, preset, as: principal, because: error)
    }
    do {
      let receipt = try await store.apply(.open(open), preset: preset, as: principal)
      if let conversation = receipt.conversation { known.withLock { $0.note(conversation) } }
      return receipt
    } catch {
      guard error.isOutage else { throw error }
      failed(error, writing: true)
      return try await spool(open, preset, as: principal, because: error)
    }
  }

  private func spool(
    _ open: OpenConversation, _ preset: Preset, as principal: Principal, because error: ConversationError
  ) async throws(ConversationError) -> Receipt {
    try Command.open(open).validate()
    guard principal.owns(open.user), let fresh = preset.conversation else {
      throw ConversationError(.forbidden, "A user may open its own conversations only.", field: "user_id")
    }
    let key = ConversationKey.session(open.user, open.session)
    if open.session != .new, let entry = await knownEntry(key, as: principal), var conversation = entry.conversation {
      guard open.changesContext, let context = open.context, context != conversation.context else {
        return Receipt(
          conversation: conversation, version: entry.isFresh ? nil : conversation.version,
          durability: entry.isFresh ? .spooled : .stored, isReplay: true)
      }
      _ = try await keep(
        SpoolRecord(conversation: entry.id, user: open.user, content: .open(open), createdAt: preset.time))
      conversation.context = context
      known.withLock { [conversation] in $0.note(conversation, isFresh: entry.isFresh) }
      return Receipt(conversation: conversation, version: nil, durability: .spooled)
    }
    let record = SpoolRecord(conversation: fresh, user: open.user, content: .open(open), createdAt: preset.time)
    let earlier = try await keep(record)
    guard let conversation = (earlier ?? record).freshConversation else { throw error }
    known.withLock { $0.note(conversation, isFresh: true) }
    return Receipt(conversation: conversation, version: nil, durability: .spooled, isReplay: earlier != nil)
  }

  // MARK: The file

  /// Writes a record, synced when this returns; gives back the one that was kept for the same thing before.
  private func keep(_ record: SpoolRecord) async throws(ConversationError) -> SpoolRecord? {
    let id = record.conversation
    let (names, reservation) = state.withLock { state in
      (state.aliases.names(of: id), state.backlog.reserve(id, bytes: record.bytes, at: record.createdAt))
    }
    guard let reservation else {
      throw ConversationError(.unavailable, "The store is down, and the spool is full.")
    }
    var kept: SpoolFile.Kept?
    defer {
      let isKept = if case .new = kept { true } else { false }
      let waiters = state.withLock { state in
        state.backlog.settle(reservation, as: state.aliases.resolve(id), isKept: isKept)
      }
      waiters.forEach { $0.resume() }
      drain()
    }
    do {
      let check: @Sendable () throws -> Void = { [self] in
        if state.withLock({ $0.erased.contains(id) }) { throw ConversationError.noConversation }
      }
      kept = try await file.keep(record, names: names, check: check)
    } catch {
      // Nobody was told so, but it may be there all the same.
      if !(error is ConversationError) { state.withLock { $0.isUnsure = true } }
      throw Self.refusal(error)
    }
    if case .earlier(let earlier) = kept { return earlier }
    return nil
  }

  private static func refusal(_ error: any Error) -> ConversationError {
    switch error {
    case let error as ConversationError: error
    case SQLFailure.tooMuchWaits(let reason):
      ConversationError(.unavailable, reason, rule: .tooMuchWaits, underlying: error)
    case SQLFailure.unavailable(let reason, _):
      ConversationError(
        .unavailable, "The store is down, and so is the spool: \(reason)", underlying: error)
    default:
      ConversationError(.unavailable, "The store is down, and so is the spool.", underlying: error)
    }
  }

  // MARK: Everything else

  /// Commands that only the store can carry out.
  private func pass(_ command: Command, as principal: Principal) async throws(ConversationError) -> Receipt {
    let (resolved, store, outage) = state.withLock { state in
      (state.aliases.resolve(command), state.outage == nil ? state.opened?.store : nil, state.outage)
    }
    guard let store else {
      try command.validate()
      throw down(outage ?? "It is not open.")
    }
    do {
      var receipt = try await store.apply(resolved, as: principal)
      let isForgotten =
        switch resolved {
        case .erase(let id): await erased([id])
        case .eraseUser(let user): await erased(await conversations(of: user))
        default: true
        }
      if !isForgotten { receipt.erasure?.isComplete = false }
      await note(receipt, of: resolved, as: principal)
      return receipt
    } catch {
      if error.isOutage { failed(error, writing: true) }
      guard error.code == .notFound else { throw error }
      if await isSpooled(resolved) { throw Self.notStoredYet }
      // Another server has erased it, perhaps; what is left of it here goes, too.
      if case .erase(let id) = resolved, await isOwner(principal, of: id) { await erased([id]) }
      throw error
    }
  }

  public func keepDraft(
    _ content: String, of id: MessageID, as principal: Principal
  ) async throws(ConversationError) {
    let (id, store, outage) = state.withLock { state in
      (state.aliases.resolve(id), state.outage == nil ? state.opened?.store : nil, state.outage)
    }
    guard let store else { throw down(outage ?? "It is not open.") }
    do { try await store.keepDraft(content, of: id, as: principal) } catch {
      if error.isOutage { failed(error, writing: true) }
      throw error
    }
  }

  static let notStoredYet = ConversationError(
    .unavailable, "This was acknowledged and is on its way to the store; try again.")

  /// Whether what the spool has of a conversation is the principal's.
  private func isOwner(_ principal: Principal, of id: ConversationID) async -> Bool {
    let names = state.withLock { $0.aliases.names(of: id) }
    if let entry = known.withLock({ $0[id] }) { return principal.owns(entry.user) }
    guard let owner = try? await file.owner(of: names) else { return false }
    return principal.owns(owner)
  }

  /// Whether a command names something that the store cannot know yet.
  private func isSpooled(_ command: Command) async -> Bool {
    guard !state.withLock({ $0.backlog.isEmpty }) else { return false }
    if let id = command.conversation, isFresh(id) { return true }
    guard let id = command.message else { return false }
    return (try? await file.record(of: id)) != nil
  }

  func isFresh(_ id: ConversationID) -> Bool {
    known.withLock { $0[id]?.isFresh ?? false } && state.withLock { $0.backlog.holds(id) }
  }
}

extension Command {
  /// The conversation that it names itself.
  fileprivate var conversation: ConversationID? {
    switch self {
    case .update(let update): update.conversation
    case .makeBranch(let make): make.conversation
    case .updateBranch(let update): update.branch.conversation
    case .deleteBranch(let key): key.conversation
    case .erase(let id): id
    default: nil
    }
  }

  fileprivate var message: MessageID? {
    switch self {
    case .revise(let revise): revise.message
    case .finish(let finish): finish.message
    case .deleteMessage(let delete): delete.message
    case .makeBranch(let make):
      switch make.start {
      case .after(let id): id
      case .inPlaceOf(let id): id
      }
    default: nil
    }
  }
}
