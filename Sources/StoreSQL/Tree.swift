import ConversationModel

// Edits, branches and deletions: each is one change of one conversation, at one version.

extension SQLStore {
  // MARK: Messages

  func revise(_ revise: Revise, as principal: Principal, on connection: Driver.Connection) throws -> Receipt {
    var (message, change) = try changing(revise.message, ifRevision: revise.ifRevision, as: principal, on: connection)
    guard message.status != .deleted else { throw ConversationError.deletedMessage }
    guard message.status != .streaming else {
      throw ConversationError(.conflict, "The message is still being written.")
    }
    try connection.execute(Statements.insertRevision, [.id(message.id), .time(change.now)])
    let content = revise.content ?? message.content
    if !sameBytes(content, message.content) {
      try replaceWords(of: message, by: content, change.conversation, on: connection)
    }
    message.content = content
    message.metadata = revise.metadata ?? message.metadata
    message.revision += 1
    message.editedAt = change.now
    try connection.execute(
      Statements.reviseMessage,
      [
        .id(message.id), .text(message.content), .text(message.metadata.text), .integer(message.revision),
        .time(change.now), .integer(change.version), .bytes(message.fingerprint),
      ])
    try change.commit(on: connection)
    return Receipt(messages: [message], version: change.version)
  }

  func delete(_ delete: DeleteMessage, as principal: Principal, on connection: Driver.Connection) throws -> Receipt {
    var (message, change) = try changing(delete.message, ifRevision: delete.ifRevision, as: principal, on: connection)
    if message.status == .deleted {
      return Receipt(messages: [message], version: change.conversation.version, isReplay: true)
    }
    guard message.status != .streaming else {
      throw ConversationError(.conflict, "The message is still being written.")
    }
    let key: [SQLValue] = [.id(message.conversationID), .id(message.id)]
    try connection.execute(Statements.deleteRevisions, key)
    try connection.execute(Statements.deleteDraft, key)
    try replaceWords(of: message, by: "", change.conversation, on: connection)
    try connection.execute(SearchStatements.wantPurge, [])
    try connection.execute(
      Statements.blankMessage, [.id(message.id), .integer(change.version), .bytes(blankFingerprint)])
    change.messages = -1
    try change.commit(on: connection)
    message.blank()
    return Receipt(messages: [message], version: change.version)
  }

  /// Puts the words of a message's next text into the search index, for those of the present one.
  func replaceWords(
    of message: Message, by content: String, _ conversation: Conversation, on connection: Driver.Connection
  ) throws {
    let row = try connection.first(SearchStatements.rowOfMessage, [.id(message.id)]) { try $0.integer(0) }
    guard let row else { return }
    SearchIndex(conversation).replace(message.content, by: content, ofRow: row, on: connection)
  }

  /// A message, deleted or not, with its conversation.
  ///
  /// - Throws: `.notFound` unless it exists and is the principal's; `.gone` if its branch was deleted.
  func ownedMessage(
    _ id: MessageID, by principal: Principal, on connection: Driver.Connection
  ) throws -> (Message, Conversation) {
    guard let message = try connection.first(Statements.messageByID, [.id(id)], Message.init),
      let conversation = try find(.id(message.conversationID), on: connection), principal.owns(conversation.userID)
    else { throw ConversationError.noMessage }
    guard try branch(message.branch, of: conversation, on: connection) != nil else {
      throw ConversationError.deletedMessage
    }
    return (message, conversation)
  }

  /// A message that may be changed, and the change of its conversation.
  private func changing(
    _ id: MessageID, ifRevision: Int?, as principal: Principal, on connection: Driver.Connection
  ) throws -> (Message, TreeChange) {
    let (message, conversation) = try ownedMessage(id, by: principal, on: connection)
    if let ifRevision, ifRevision != message.revision {
      throw ConversationError(
        .preconditionFailed, "The message has changed since the revision that If-Match names.", field: "If-Match")
    }
    return (message, try TreeChange(conversation, at: environment.now(), on: connection))
  }

  // MARK: Branches

  func makeBranch(_ make: MakeBranch, as principal: Principal, on connection: Driver.Connection) throws -> Receipt {
    let conversation = try owned(.id(make.conversation), by: principal, on: connection)
    let fork = try forkPlace(of: make, conversation, on: connection)
    var first = make.message
    if let replaced = fork.replaced { first?.role = replaced.role }
    if let first, let clientID = first.clientID {
      let known = try connection.first(Statements.messageByClientID, [.id(conversation.id), .text(clientID)]) {
        BranchPlace(branch: try $0.integer(0), position: try $0.integer(1))
      }
      if let known { return try replay(make, first, fork, known, conversation, on: connection) }
    }
    if fork.isGone { throw ConversationError.deletedMessage }

    var change = try TreeChange(conversation, at: environment.now(), on: connection)
    var branch = try change.addBranch(
      parent: fork.place.branch, at: fork.place.position, origin: make.origin, title: make.title, on: connection)
    var messages: [Message] = []
    if let first {
      let added = [first] + (make.answer.map { [$0] } ?? [])
      messages = try change.add(
        added, environment.preset(for: added.count, at: change.now), to: &branch, on: connection)
    }
    if make.isActivated { try change.activate(branch.number, on: connection) }
    try change.commit(on: connection)
    branch.isActive = make.isActivated
    return Receipt(messages: messages, branch: branch, version: change.version)
  }

  func update(_ update: UpdateBranch, as principal: Principal, on connection: Driver.Connection) throws -> Receipt {
    let conversation = try owned(.id(update.branch.conversation), by: principal, on: connection)
    guard var branch = try branch(update.branch.number, of: conversation, on: connection) else {
      throw ConversationError.noBranch
    }
    let change = try TreeChange(conversation, at: environment.now(), on: connection)
    branch.title = update.title
    try connection.execute(
      Statements.retitleBranch,
      [
        .id(conversation.id), .integer(branch.number), .optional(branch.title, SQLValue.text),
        .integer(change.version),
      ])
    try change.commit(on: connection)
    return Receipt(branch: branch, version: change.version)
  }

  /// Makes a branch a tombstone, which hides its messages, and blanks those in chunks, so that no other
  /// writer waits for long.
  func deleteBranch(_ key: BranchKey, as principal: Principal) async throws(ConversationError) -> Receipt {
    let receipt = try await write { connection in try self.bury(key, as: principal, on: connection) }
    guard let branch = receipt.branch else { return receipt }
    let buried = BuriedBranch(key, forkPosition: branch.forkPosition, headPosition: branch.headPosition)
    // The branch is gone, whatever happens now; what is not blanked here is blanked in the background.
    if (try? await blank(buried, steps: Limits.eraseStepsAwaited)) != true { pendingErasures.add() }
    return receipt
  }

  private func bury(_ key: BranchKey, as principal: Principal, on connection: Driver.Connection) throws -> Receipt {
    let conversation = try owned(.id(key.conversation), by: principal, on: connection)
    guard var branch = try branch(key.number, of: conversation, on: connection) else {
      throw ConversationError.noBranch
    }
    guard let parent = branch.parent else {
      throw ConversationError(.conflict, "The trunk cannot be deleted; delete the conversation instead.")
    }
    let place: [SQLValue] = [.id(conversation.id), .integer(key.number)]
    guard try connection.first(Statements.childOfBranch, place, { try $0.integer(0) }) == nil else {
      throw ConversationError(.conflict, "Other branches continue this one; delete those first.")
    }
    var change = try TreeChange(conversation, at: environment.now(), on: connection)
    change.messages = -(try connection.first(Statements.countMessages, place) { try $0.integer(0) } ?? 0)
    change.branches = -1
    if branch.isActive { try change.activate(parent, on: connection) }
    try connection.execute(Statements.buryBranch, place + [.integer(change.version)])
    try change.commit(on: connection)
    branch.title = nil
    branch.isActive = false
    branch.isDeleted = true
    return Receipt(branch: branch, version: change.version)
  }

  /// A branch that is there and not deleted.
  func branch(
    _ number: BranchNumber, of conversation: Conversation, on connection: Driver.Connection
  ) throws -> Branch? {
    try row(ofBranch: number, conversation, on: connection).flatMap { $0.isDeleted ? nil : $0 }
  }

  /// A branch, or what a deleted one left.
  private func row(
    ofBranch number: BranchNumber, _ conversation: Conversation, on connection: Driver.Connection
  ) throws -> Branch? {
    try connection.first(Statements.branch, [.id(conversation.id), .integer(number)]) {
      try Branch($0, activeBranch: conversation.activeBranch)
    }
  }

  /// Where a new branch leaves the tree.
  private struct ForkPlace {
    let place: BranchPlace
    /// The message that the branch's first one replaces.
    var replaced: Message?
    /// Whether what it starts from was deleted. Only a repeated command is answered then.
    var isGone = false
  }

  private func forkPlace(
    of make: MakeBranch, _ conversation: Conversation, on connection: Driver.Connection
  ) throws -> ForkPlace {
    func message(_ id: MessageID) throws -> (Message, Branch) {
      guard let message = try connection.first(Statements.messageByID, [.id(id)], Message.init),
        message.conversationID == conversation.id,
        let branch = try row(ofBranch: message.branch, conversation, on: connection)
      else { throw ConversationError.noMessage }
      return (message, branch)
    }
    switch make.start {
    case .after(nil):
      return ForkPlace(place: BranchPlace(branch: Branch.trunk, position: 0))
    case .after(let id?):
      let (message, branch) = try message(id)
      return ForkPlace(
        place: BranchPlace(branch: message.branch, position: message.position), isGone: branch.isDeleted)
    case .inPlaceOf(let id):
      let (replaced, branch) = try message(id)
      // The branch that owns the message before: only that one can be a parent.
      let isFirst = replaced.position == branch.forkPosition + 1
      let owner = isFirst ? branch.parent ?? Branch.trunk : branch.number
      return ForkPlace(
        place: BranchPlace(branch: owner, position: replaced.position - 1), replaced: replaced,
        isGone: branch.isDeleted || replaced.status == .deleted)
    }
  }

  /// The receipt of a branch whose first message had been accepted before.
  private func replay(
    _ make: MakeBranch, _ first: NewMessage, _ fork: ForkPlace, _ known: BranchPlace,
    _ conversation: Conversation, on connection: Driver.Connection
  ) throws -> Receipt {
    guard let branch = try row(ofBranch: known.branch, conversation, on: connection),
      branch.parent == fork.place.branch, branch.forkPosition == fork.place.position,
      branch.origin == make.origin, known.position == branch.forkPosition + 1
    else { throw ConversationError.reusedClientID }
    let added = [first] + (make.answer.map { [$0] } ?? [])
    let messages = try stored(
      added, added.map(\.fingerprint), at: known, of: conversation.id, isDeleted: branch.isDeleted, on: connection)
    return Receipt(messages: messages, branch: branch, version: conversation.version, isReplay: true)
  }

  // MARK: Blanking

  /// Blanks the messages of a deleted branch; returns whether none is left.
  func blank(_ branch: BuriedBranch, steps: Int) async throws(ConversationError) -> Bool {
    var next: Position? = branch.forkPosition + 1
    for _ in 0..<steps {
      guard let position = next else { break }
      next = try await blankStep(branch, from: position)
    }
    return next == nil
  }

  /// Blanks a chunk; returns where the next one starts, nil behind the last.
  private func blankStep(
    _ branch: BuriedBranch, from position: Position
  ) async throws(ConversationError) -> Position? {
    try await write { connection in
      var last = min(position + Limits.eraseRows - 1, branch.headPosition)
      if position <= last { last = try self.takeOutWords(of: branch.key, position...last, on: connection) }
      let range: [SQLValue] = [
        .id(branch.key.conversation), .integer(branch.key.number), .integer(position), .integer(last),
      ]
      if position <= last {
        try connection.execute(Statements.deleteRevisionsOfBranch, range)
        try connection.execute(Statements.deleteDraftsOfBranch, range)
        try connection.execute(Statements.blankMessages, range + [.bytes(blankFingerprint)])
      }
      guard last >= branch.headPosition else { return last + 1 }
      try connection.execute(
        Statements.branchIsBlank, [.id(branch.key.conversation), .integer(branch.key.number)])
      return nil
    }
  }
}

/// A deleted branch whose messages still hold text.
struct BuriedBranch: Sendable {
  let key: BranchKey
  let forkPosition: Position
  let headPosition: Position

  init(_ key: BranchKey, forkPosition: Position, headPosition: Position) {
    self.key = key
    self.forkPosition = forkPosition
    self.headPosition = headPosition
  }

  init(_ row: some SQLRow) throws {
    self.init(
      BranchKey(try row.id(0), try row.integer(1)), forkPosition: try row.integer(2),
      headPosition: try row.integer(3))
  }
}

/// A place in a conversation's tree.
struct BranchPlace: Hashable {
  let branch: BranchNumber
  let position: Position
}

/// What a deleted message's fingerprint is, because that of a short text would give it away.
let blankFingerprint = [UInt8](repeating: 0, count: 16)

extension Message {
  /// Takes away everything but the place, as `Statements.blankMessage` does.
  mutating func blank() {
    content = ""
    intent = nil
    confidence = nil
    entities = .emptyObject
    metadata = .emptyObject
    status = .deleted
  }
}

/// One change of a conversation's tree: gathers what it does to the counters, and raises the version once.
struct TreeChange {
  let conversation: Conversation
  let now: Timestamp
  /// The conversation's version with this change.
  let version: Version
  /// How many more messages there are.
  var messages = 0
  /// How many more branches there are.
  var branches = 0
  private var nextBranch: BranchNumber
  private var activeBranch: BranchNumber
  /// The title that an untitled conversation takes from its first user message.
  private var title: String?

  init<Connection: SQLConnection>(
    _ conversation: Conversation, at now: Timestamp, on connection: Connection
  ) throws {
    self.conversation = conversation
    self.now = now
    version = conversation.version + 1
    activeBranch = conversation.activeBranch
    nextBranch = try connection.first(Statements.nextBranch, [.id(conversation.id)]) { try $0.integer(0) } ?? 1
  }

  /// Starts a branch, empty.
  ///
  /// - Throws: `.invalid` if it would be too many forks deep.
  mutating func addBranch<Connection: SQLConnection>(
    parent: BranchNumber, at position: Position, origin: Branch.Origin, title: String?, on connection: Connection
  ) throws -> Branch {
    try requireShallow(parent, on: connection)
    let branch = Branch(
      number: nextBranch, parent: parent, forkPosition: position, headPosition: position, title: title,
      origin: origin, isActive: false, isDeleted: false, createdAt: now)
    try connection.execute(
      Statements.insertBranch,
      [
        .id(conversation.id), .integer(branch.number), .integer(parent), .integer(position), .integer(position),
        .optional(title, SQLValue.text), .text(origin.rawValue), .integer(version), .time(now),
      ])
    nextBranch += 1
    branches += 1
    return branch
  }

  private func requireShallow<Connection: SQLConnection>(_ parent: BranchNumber, on connection: Connection) throws {
    var depth = 1
    var number = parent
    while number != Branch.trunk {
      let row = try connection.first(Statements.branch, [.id(conversation.id), .integer(number)]) {
        try $0.optional(1, $0.integer)
      }
      guard let above = row ?? nil else { break }
      number = above
      depth += 1
    }
    guard depth <= Limits.forkDepth else {
      throw ConversationError(
        .invalid, "A branch is at most \(Limits.forkDepth) forks away from the trunk.")
    }
  }

  /// Adds messages to the end of a branch, and moves its head.
  mutating func add<Connection: SQLConnection>(
    _ new: [NewMessage], _ preset: Preset, to branch: inout Branch, on connection: Connection
  ) throws -> [Message] {
    var added: [Message] = []
    added.reserveCapacity(new.count)
    let search = SearchIndex(conversation)
    for (id, new) in zip(preset.messages, new) {
      let message = Message(
        id: id, clientID: new.clientID, conversationID: conversation.id,
        branch: branch.number, position: branch.headPosition + 1, role: new.role, content: new.content,
        intent: new.intent, confidence: new.confidence, entities: new.entities, metadata: new.metadata,
        status: new.status, revision: 1, createdAt: preset.time, editedAt: nil)
      try insert(message, fingerprint: new.fingerprint, version: version, search, on: connection)
      branch.headPosition += 1
      added.append(message)
    }
    try connection.execute(
      Statements.moveHead,
      [.id(conversation.id), .integer(branch.number), .integer(branch.headPosition), .integer(version)])
    messages += added.count
    if conversation.title == nil { title = automaticTitle(ofFirst: new) }
    return added
  }

  /// Shows another branch by default. Both branches say whether they are the active one, so both change.
  mutating func activate<Connection: SQLConnection>(_ number: BranchNumber, on connection: Connection) throws {
    guard number != activeBranch else { return }
    for touched in [activeBranch, number] {
      try connection.execute(
        Statements.stampBranch, [.id(conversation.id), .integer(touched), .integer(version)])
    }
    activeBranch = number
  }

  func commit<Connection: SQLConnection>(on connection: Connection) throws {
    try connection.execute(
      Statements.advance,
      [
        .id(conversation.id), .integer(version), .time(max(now, conversation.updatedAt)), .integer(activeBranch),
        .integer(messages),
        .integer(branches), .integer(nextBranch), .optional(title, SQLValue.text),
      ])
  }
}

/// Writes a new message's row, and its words into the search index.
func insert<Connection: SQLConnection>(
  _ message: Message, fingerprint: [UInt8], version: Version, _ search: SearchIndex, on connection: Connection
) throws {
  let row = try connection.first(
    Statements.insertMessage,
    [
      .id(message.id), .optional(message.clientID, SQLValue.text), .id(message.conversationID),
      .integer(message.branch), .integer(message.position), .text(message.role.rawValue), .text(message.content),
      .optional(message.intent, SQLValue.text),
      .optional(message.confidence) { .real(Double($0.hundredths) / 100) },
      .text(message.entities.text), .text(message.metadata.text), .text(message.status.rawValue),
      .integer(message.revision), .time(message.createdAt), .optional(message.editedAt, SQLValue.time),
      .integer(version), .bytes(fingerprint),
    ]
  ) { try $0.integer(0) }
  if let row { search.replace(by: message.content, ofRow: row, on: connection) }
}
