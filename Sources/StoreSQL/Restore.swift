public import ConversationModel
import Crypto
import Synchronization

// Conversations on their way in. Until it is whole, one is hidden as if it were being erased, and that is what becomes of it
// if the process ends before: nobody ever sees half of a conversation.

/// The conversations that are being taken in. Whoever removes hidden rows leaves these alone; whoever erases a user takes its
/// conversations out, and their import ends.
final class Restorations: Sendable {
  private struct Running {
    var marks: [ConversationID: (user: UserID, mark: Int)] = [:]
    var lastMark = 0
  }

  private let running = Mutex(Running())

  /// A mark for one that is about to begin: a later one of the same conversation has another.
  func newMark() -> Int {
    running.withLock { running in
      running.lastMark += 1
      return running.lastMark
    }
  }

  func begin(_ id: ConversationID, of user: UserID, mark: Int) { running.withLock { $0.marks[id] = (user, mark) } }

  func end(_ id: ConversationID, mark: Int) {
    running.withLock { if $0.marks[id]?.mark == mark { $0.marks[id] = nil } }
  }

  func endAll(of user: UserID) { running.withLock { $0.marks = $0.marks.filter { $0.value.user != user } } }
  func contains(_ id: ConversationID) -> Bool { running.withLock { $0.marks[id] != nil } }
  func contains(_ id: ConversationID, mark: Int) -> Bool { running.withLock { $0.marks[id]?.mark == mark } }
}

extension SQLStore {
  public func beginRestoring(
    _ archive: ArchivedConversation, as principal: Principal
  ) async throws(ConversationError) -> Restoration? {
    try archive.validate()
    let user = archive.conversation.userID
    guard principal.owns(user) else {
      throw ConversationError(.forbidden, "A user may import its own conversations only.", field: "user_id")
    }
    let mark = restorations.newMark()
    let id: ConversationID
    switch try await begin(archive, mark: mark) {
    case .free(let free): id = free
    case .there: return nil
    case .hidden:
      pendingErasures.add()
      throw ConversationError(
        .conflict, "The conversation is still being erased; import it again later.", rule: .beingErased)
    }
    let restoration = Restoration(id: id, mark: mark, archive: archive, principal: principal)
    do {
      var rest = archive.branches[...]
      while !rest.isEmpty {
        let chunk = Array(rest.prefix(Limits.eraseRows))
        rest = rest.dropFirst(chunk.count)
        try await write { connection in
          try self.requireRestoring(restoration)
          for branch in chunk { try self.insert(branch, of: id, on: connection) }
        }
      }
    } catch {
      await abandonRestoring(restoration)
      throw error
    }
    return restoration
  }

  /// Where a conversation comes to stand.
  private enum Place {
    /// Nowhere else: under this id.
    case free(ConversationID)
    /// The user has it already.
    case there
    /// It was the user's, and is being removed.
    case hidden
  }

  /// Makes the conversation's row, hidden, if there is a place for it.
  private func begin(_ archive: ArchivedConversation, mark: Int) async throws(ConversationError) -> Place {
    // A commit that failed may have come to pass, and one that was given up may still come: what either leaves must not count as
    // being taken in.
    let state = Mutex((begun: ConversationID?.none, isGivenUp: false))
    do {
      return try await write { connection in
        let place = try self.place(of: archive.conversation, on: connection)
        guard case .free(let id) = place else { return place }
        try state.withLock { state in
          guard !state.isGivenUp else { throw ConversationError(.unavailable, "The import was given up.") }
          self.restorations.begin(id, of: archive.conversation.userID, mark: mark)
          state.begun = id
        }
        try self.insert(archive, as: id, on: connection)
        return place
      }
    } catch {
      let begun = state.withLock { state in
        state.isGivenUp = true
        return state.begun
      }
      if let begun { await abandon(begun, mark: mark) }
      throw error
    }
  }

  /// Both of its ids count, so that what once came under the second does not come again under the first.
  private func place(of conversation: Conversation, on connection: Driver.Connection) throws -> Place {
    let ids = [conversation.id, .derived(from: conversation.id, in: conversation.userID)]
    let owners: [UserID?] = try ids.map { id in
      try connection.first(ArchiveStatements.owner, [.id(id)]) { try $0.id(0) }
    }
    var isHidden = false
    for (id, owner) in zip(ids, owners) where owner == conversation.userID {
      guard !restorations.contains(id) else {
        throw ConversationError(.conflict, "The conversation is being imported by another request.")
      }
      if try find(.id(id), on: connection) != nil { return .there }
      isHidden = true
    }
    if isHidden { return .hidden }
    guard let free = zip(ids, owners).first(where: { $0.1 == nil }) else {
      throw ConversationError(.conflict, "Both ids that the conversation could have are taken.")
    }
    return .free(free.0)
  }

  private func insert(
    _ archive: ArchivedConversation, as id: ConversationID, on connection: Driver.Connection
  ) throws {
    let conversation = archive.conversation
    try connection.execute(
      ArchiveStatements.insertConversation,
      [
        .id(id), .id(conversation.userID), .optional(conversation.title, SQLValue.text),
        .text(conversation.context.text), .boolean(conversation.isArchived), .boolean(conversation.isPinned),
        .integer(conversation.activeBranch), .integer((archive.branches.last?.branch.number ?? 0) + 1),
        .integer(archive.branches.count { !$0.branch.isDeleted }), .integer(conversation.version),
        .time(conversation.createdAt), .time(max(conversation.createdAt, conversation.updatedAt)),
      ])
  }

  private func insert(_ archived: ArchivedBranch, of id: ConversationID, on connection: Driver.Connection) throws {
    let branch = archived.branch
    try connection.execute(
      ArchiveStatements.insertBranch,
      [
        .id(id), .integer(branch.number), .optional(branch.parent, SQLValue.integer), .integer(branch.forkPosition),
        .integer(branch.headPosition), .optional(branch.title, SQLValue.text), .text(branch.origin.rawValue),
        .boolean(branch.isDeleted), .integer(archived.version), .time(branch.createdAt),
      ])
  }

  public func restore(
    _ messages: [ArchivedMessage], of restoration: inout Restoration
  ) async throws(ConversationError) {
    for message in messages { try message.validate() }
    let before = restoration
    restoration = try await write { connection in
      try self.requireRestoring(before)
      var restoration = before
      let search = SearchIndex(owner: before.archive.conversation.userID, conversation: before.id)
      for message in messages {
        let branch = try restoration.take(message)
        try self.insert(message, on: branch, of: before.id, search, on: connection)
        if message.message.status != .deleted, !branch.isDeleted { restoration.messages += 1 }
      }
      return restoration
    }
  }

  private func requireRestoring(_ restoration: Restoration) throws {
    guard restorations.contains(restoration.id, mark: restoration.mark) else {
      throw ConversationError(.notFound, "The user was erased while its conversation was imported.")
    }
  }

  private func insert(
    _ archived: ArchivedMessage, on branch: Branch, of id: ConversationID, _ search: SearchIndex,
    on connection: Driver.Connection
  ) throws {
    var message = archived.message
    let original = message.id
    if let place = try connection.first(Statements.messagePlace, [.id(message.id)], MessagePlace.init) {
      message.id = .derived(from: original, in: id)
      guard place.conversation != id,
        try connection.first(Statements.messagePlace, [.id(message.id)], MessagePlace.init) == nil
      else { throw ConversationError(.conflict, "Two messages of the conversation have the id \(original).") }
    }
    if let clientID = message.clientID,
      try connection.first(Statements.messageByClientID, [.id(id), .text(clientID)], { try $0.integer(0) }) != nil
    {
      throw ConversationError(.conflict, "Two messages of the conversation have the same client_id.")
    }
    message.conversationID = id
    // Nobody writes it any more.
    if message.status == .streaming { message.status = .incomplete }
    if branch.isDeleted || message.status == .deleted {
      message.blank()
    } else if archived.revisions.count != message.revision - 1 {
      // It was edited or deleted while its export went by.
      message.revision = archived.revisions.count + 1
      if message.revision == 1 { message.editedAt = nil }
    }
    let fingerprint = message.status == .deleted ? blankFingerprint : message.fingerprint
    try StoreSQL.insert(message, fingerprint: fingerprint, version: archived.version, search, on: connection)
    guard message.status != .deleted else { return }
    for revision in archived.revisions {
      var earlier = message
      (earlier.content, earlier.metadata) = (revision.content, revision.metadata)
      try connection.execute(
        ArchiveStatements.insertRevision,
        [
          .id(id), .id(message.id), .integer(revision.number), .text(revision.content),
          .text(revision.metadata.text), .bytes(earlier.fingerprint), .time(revision.replacedAt),
        ])
    }
  }

  public func finishRestoring(_ restoration: Restoration) async throws(ConversationError) -> Conversation {
    try restoration.requireWhole()
    let conversation = restoration.archive.conversation
    let shown = try await write { connection in
      try self.requireRestoring(restoration)
      func isTaken(_ session: String) throws -> Bool {
        try connection.first(
          ArchiveStatements.isSessionTaken, [.id(conversation.userID), .text(session)]
        ) { _ in true } ?? false
      }
      let hasDefault = try connection.first(ArchiveStatements.hasDefault, [.id(conversation.userID)]) { _ in true }
      let isDefault = conversation.isDefault && hasDefault == nil
      var session = conversation.sessionID
      if try session.map(isTaken) ?? !isDefault {
        session = restoration.id.description
        // Whoever has given that name to another has its reasons.
        if try isTaken(restoration.id.description) {
          session = ConversationID.derived(from: restoration.id, in: conversation.userID).description
        }
      }
      try connection.execute(
        ArchiveStatements.show,
        [
          .id(restoration.id), .optional(session, SQLValue.text), .boolean(isDefault),
          .integer(restoration.messages),
        ])
      return try self.owned(.id(restoration.id), by: restoration.principal, on: connection)
    }
    restorations.end(restoration.id, mark: restoration.mark)
    commands.add()
    return shown
  }

  public func abandonRestoring(_ restoration: Restoration) async {
    await abandon(restoration.id, mark: restoration.mark)
  }

  /// Removed at once, so that the same file, mended, can come again; what cannot be removed now goes in the background.
  private func abandon(_ id: ConversationID, mark: Int) async {
    restorations.end(id, mark: mark)
    await removeHidden(id)
  }
}

extension Restoration {
  /// Moves on to a message that comes next.
  ///
  /// - Returns: Its branch.
  fileprivate mutating func take(_ message: ArchivedMessage) throws(ConversationError) -> Branch {
    let (number, position) = (message.message.branch, message.message.position)
    let branches = archive.branches
    let start =
      last?.branch == number ? branchIndex : branches[branchIndex...].firstIndex { $0.branch.number == number }
    guard let start else { throw Self.outOfOrder(number, position) }
    let branch = branches[start].branch
    let next = last?.branch == number ? last!.position + 1 : branch.forkPosition + 1
    // The branches that are passed over must have no messages of their own.
    let isGap = last?.branch == number ? false : skipped(upTo: start)
    guard position == next, position <= branch.headPosition, !isGap else { throw Self.outOfOrder(number, position) }
    guard (1...archive.conversation.version).contains(message.version) else {
      throw ConversationError(.invalid, "A message has a version that its conversation has not.", field: "version")
    }
    (branchIndex, last) = (start, (number, position))
    return branch
  }

  /// Whether messages are missing on the branches from the current one to another.
  private func skipped(upTo end: Int) -> Bool {
    if let last, last.position != archive.branches[branchIndex].branch.headPosition { return true }
    let first = last == nil ? branchIndex : branchIndex + 1
    return archive.branches[first..<max(first, end)].contains { $0.branch.headPosition > $0.branch.forkPosition }
  }

  /// - Throws: `.invalid` if messages are missing.
  fileprivate func requireWhole() throws(ConversationError) {
    guard !skipped(upTo: archive.branches.count) else {
      throw ConversationError(.invalid, "Messages of the conversation are missing.", field: "messages")
    }
  }

  private static func outOfOrder(_ branch: BranchNumber, _ position: Position) -> ConversationError {
    ConversationError(
      .invalid, "The message at branch \(branch), position \(position) does not come next: one is missing before it.",
      field: "messages")
  }
}

extension Identifier {
  /// The id that a thing gets whose own is not free: the same for the same thing in the same place, so that what comes twice
  /// is found to be there.
  ///
  /// A version 8 UUID (RFC 9562 §5.8): the front of a SHA-256 over the two ids.
  static func derived<Place>(from id: Identifier, in place: Identifier<Place>) -> Identifier {
    var hash = SHA256()
    for half in [place.high, place.low, id.high, id.low] {
      withUnsafeBytes(of: half.bigEndian) { hash.update(bufferPointer: $0) }
    }
    let bytes = Array(hash.finalize())
    func half(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
    return Identifier(
      high: half(0..<8) & ~0xF000 | 0x8000, low: half(8..<16) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
  }
}
