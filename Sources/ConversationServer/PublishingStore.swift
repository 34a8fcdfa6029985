import ConversationModel

/// The store as the doors use it: the hub hears of its changes, and every call is measured.
struct PublishingStore: ArchivingStore {
  let inner: any ArchivingStore
  let hub: LiveHub
  let meters: Meters

  func apply(_ command: Command, as principal: Principal) async throws(ConversationError) -> Receipt {
    let ticket = command.conversation.flatMap(hub.began)
    defer { if let ticket { hub.ended(ticket) } }
    let receipt = try await meters.save { () async throws(ConversationError) in
      try await inner.apply(command, as: principal)
    }
    if case .erase(let id) = command {
      hub.erased(id)
    } else if case .eraseUser(let user) = command {
      hub.erased(allOf: user)
    } else if let version = receipt.version, !receipt.isReplay, let id = command.conversation ?? receipt.changed {
      hub.changed(id, to: version)
    }
    return receipt
  }

  func keepDraft(_ content: String, of id: MessageID, as principal: Principal) async throws(ConversationError) {
    try await inner.keepDraft(content, of: id, as: principal)
  }

  func conversations(
    _ filter: ConversationFilter, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<Conversation> {
    try await meters.query { () async throws(ConversationError) in
      try await inner.conversations(filter, page, as: principal)
    }
  }

  func conversation(_ key: ConversationKey, as principal: Principal) async throws(ConversationError) -> Conversation {
    try await meters.query { () async throws(ConversationError) in
      try await inner.conversation(key, as: principal)
    }
  }

  func messages(
    _ path: Path, _ page: MessagePageRequest, as principal: Principal
  ) async throws(ConversationError) -> MessagePage {
    try await meters.load { () async throws(ConversationError) in
      try await inner.messages(path, page, as: principal)
    }
  }

  func message(_ id: MessageID, as principal: Principal) async throws(ConversationError) -> MessageDetail {
    try await meters.query { () async throws(ConversationError) in
      try await inner.message(id, as: principal)
    }
  }

  func revisions(
    of id: MessageID, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<Revision> {
    try await meters.query { () async throws(ConversationError) in
      try await inner.revisions(of: id, page, as: principal)
    }
  }

  func branches(of id: ConversationID, as principal: Principal) async throws(ConversationError) -> [Branch] {
    try await meters.query { () async throws(ConversationError) in
      try await inner.branches(of: id, as: principal)
    }
  }

  func changes(
    in id: ConversationID, since version: Version, limit: Int, as principal: Principal
  ) async throws(ConversationError) -> Changes {
    try await meters.query { () async throws(ConversationError) in
      try await inner.changes(in: id, since: version, limit: limit, as: principal)
    }
  }

  func search(
    _ query: SearchQuery, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<SearchHit> {
    try await meters.query { () async throws(ConversationError) in
      try await inner.search(query, page, as: principal)
    }
  }

  // MARK: Whole conversations

  func conversationIDs(
    of user: UserID?, after id: ConversationID?, as principal: Principal
  ) async throws(ConversationError) -> [ConversationID] {
    try await inner.conversationIDs(of: user, after: id, as: principal)
  }

  func archivedConversation(
    _ id: ConversationID, as principal: Principal
  ) async throws(ConversationError) -> ArchivedConversation {
    try await inner.archivedConversation(id, as: principal)
  }

  func archivedMessages(
    of branch: BranchKey, after position: Position, as principal: Principal
  ) async throws(ConversationError) -> [ArchivedMessage] {
    try await inner.archivedMessages(of: branch, after: position, as: principal)
  }

  func archivedRevisions(
    of message: MessageID, above number: Int, below end: Int, as principal: Principal
  ) async throws(ConversationError) -> [Revision] {
    try await inner.archivedRevisions(of: message, above: number, below: end, as: principal)
  }

  func beginRestoring(
    _ conversation: ArchivedConversation, as principal: Principal
  ) async throws(ConversationError) -> Restoration? {
    try await inner.beginRestoring(conversation, as: principal)
  }

  func restore(
    _ messages: [ArchivedMessage], of restoration: inout Restoration
  ) async throws(ConversationError) {
    try await inner.restore(messages, of: &restoration)
  }

  /// Whoever watches the user's conversations hears of one more.
  func finishRestoring(_ restoration: Restoration) async throws(ConversationError) -> Conversation {
    let conversation = try await inner.finishRestoring(restoration)
    hub.changed(conversation.id, to: conversation.version)
    return conversation
  }

  func abandonRestoring(_ restoration: Restoration) async { await inner.abandonRestoring(restoration) }

  func statistics() async throws(ConversationError) -> StoreStatistics { try await inner.statistics() }

  func health() async -> StoreHealth { await inner.health() }
}

extension Command {
  /// The conversation that the command names itself.
  fileprivate var conversation: ConversationID? {
    switch self {
    case .update(let update): update.conversation
    case .append(let append): append.conversation
    case .makeBranch(let make): make.conversation
    case .updateBranch(let update): update.branch.conversation
    case .deleteBranch(let key): key.conversation
    case .erase(let id): id
    case .eraseUser, .open, .revise, .finish, .deleteMessage: nil
    }
  }
}

extension Receipt {
  /// The conversation that a receipt speaks of.
  fileprivate var changed: ConversationID? { conversation?.id ?? messages.first?.conversationID }
}
