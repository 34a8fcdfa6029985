public import ConversationModel

extension SQLStore {
  /// Adds messages to the end of a branch, or finds that they are there already.
  ///
  /// - Parameter preset: The ids and the time of the messages; nil to choose them here.
  func append(
    _ append: Append, preset: Preset? = nil, as principal: Principal, on connection: Driver.Connection
  ) throws -> Receipt {
    let conversation = SQLValue.id(append.conversation)
    guard
      let target = try connection.first(Statements.appendTarget, [conversation], AppendTarget.init),
      principal.owns(target.owner)
    else { throw ConversationError.noConversation }
    if let preset, preset.isRepeated, let replay = try replay(of: append, preset, target, on: connection) {
      return replay
    }
    let prints = append.messages.map(\.fingerprint)
    if let replay = try replay(of: append, prints, target, on: connection) { return replay }

    let (branch, head): (BranchNumber, Position)
    switch try place(of: append, target, on: connection) {
    case .head(let number, let position): (branch, head) = (number, position)
    case .conflict(let parent):
      return try addBranch(behind: parent, append, preset, as: principal, on: connection)
    }
    let now = environment.now()
    let preset = preset?.taken(after: target.updatedAt) ?? environment.preset(for: append.messages.count, at: now)
    let version = target.version + 1
    var messages: [Message] = []
    messages.reserveCapacity(append.messages.count)
    let search = SearchIndex(owner: target.owner, conversation: append.conversation)
    for (index, new) in append.messages.enumerated() {
      let message = Message(
        id: preset.messages[index], clientID: new.clientID, conversationID: append.conversation, branch: branch,
        position: head + 1 + index, role: new.role, content: new.content, intent: new.intent,
        confidence: new.confidence, entities: new.entities, metadata: new.metadata, status: new.status, revision: 1,
        createdAt: preset.time, editedAt: nil)
      try insert(message, fingerprint: prints[index], version: version, search, on: connection)
      messages.append(message)
    }
    try connection.execute(
      Statements.moveHead,
      [conversation, .integer(branch), .integer(head + messages.count), .integer(version)])
    let title = target.isUntitled ? automaticTitle(ofFirst: append.messages) : nil
    try connection.execute(
      Statements.countAppend,
      [
        conversation, .integer(version), .integer(messages.count), .time(max(now, target.updatedAt)),
        .optional(title, SQLValue.text),
      ])
    return Receipt(messages: messages, version: version)
  }

  /// Where an append goes.
  private enum Place {
    case head(of: BranchNumber, at: Position)
    /// Behind a message that others went on from already.
    case conflict(behind: MessagePlace)
  }

  private func place(
    of append: Append, _ target: AppendTarget, on connection: Driver.Connection
  ) throws -> Place {
    func row(_ number: BranchNumber) throws -> Branch? {
      try connection.first(Statements.branch, [.id(append.conversation), .integer(number)]) {
        try Branch($0, activeBranch: target.activeBranch)
      }
    }
    func named(_ number: BranchNumber) throws -> Branch {
      guard let branch = try row(number), !branch.isDeleted else { throw ConversationError.noBranch }
      return branch
    }
    guard let parentID = append.parent else {
      guard let number = append.branch, number != target.activeBranch else {
        return .head(of: target.activeBranch, at: target.activeHead)
      }
      return .head(of: number, at: try named(number).headPosition)
    }
    guard let parent = try connection.first(Statements.messagePlace, [.id(parentID)], MessagePlace.init),
      parent.conversation == append.conversation
    else { throw ConversationError.noMessage }
    if append.branch ?? parent.branch == target.activeBranch, parent.branch == target.activeBranch,
      parent.position == target.activeHead
    {
      // By far the most common: a client goes on where it is.
      return .head(of: parent.branch, at: parent.position)
    }
    guard let own = try row(parent.branch), !own.isDeleted else { throw ConversationError.deletedMessage }
    // The message is the head of its own branch, and of every branch that forks behind it and is empty.
    var heads = own.headPosition == parent.position ? [own.number] : []
    if target.branchCount > 1 {
      heads += try connection.all(
        Statements.emptyBranches,
        [.id(append.conversation), .integer(own.number), .integer(parent.position), .integer(.max)]
      ) { try $0.integer(0) }
    }
    if let number = append.branch {
      _ = try named(number)
      if heads.contains(number) { return .head(of: number, at: parent.position) }
    } else if let number = heads.contains(target.activeBranch) ? target.activeBranch : heads.first {
      return .head(of: number, at: parent.position)
    }
    guard append.onConflict == .branch else {
      throw ConversationError(
        .conflict, "The parent is no longer the last message of the branch; read on and send again.", field: "parent")
    }
    return .conflict(behind: parent)
  }

  /// The messages become a branch of their own, which is not shown by default: nobody's words are lost, and
  /// nobody's screen jumps.
  private func addBranch(
    behind parent: MessagePlace, _ append: Append, _ preset: Preset?, as principal: Principal,
    on connection: Driver.Connection
  ) throws -> Receipt {
    let conversation = try owned(.id(append.conversation), by: principal, on: connection)
    let now = environment.now()
    let preset =
      preset?.taken(after: conversation.updatedAt) ?? environment.preset(for: append.messages.count, at: now)
    var change = try TreeChange(conversation, at: now, on: connection)
    var branch = try change.addBranch(
      parent: parent.branch, at: parent.position, origin: .conflict, title: nil, on: connection)
    let messages = try change.add(append.messages, preset, to: &branch, on: connection)
    try change.commit(on: connection)
    return Receipt(messages: messages, branch: branch, version: change.version)
  }

  /// The receipt of an append that was accepted before; nil if none of its client ids is known.
  private func replay(
    of append: Append, _ prints: [[UInt8]], _ target: AppendTarget, on connection: Driver.Connection
  ) throws -> Receipt? {
    let clientIDs = append.messages.map(\.clientID)
    let known = clientIDs.compactMap(\.self)
    guard !known.isEmpty else { return nil }
    guard Set(known.map { Array($0.utf8) }).count == known.count else {
      throw ConversationError.repeatedClientID
    }
    var first: BranchPlace?
    for (index, clientID) in clientIDs.enumerated() {
      guard let clientID else { continue }
      let place = try connection.first(
        Statements.messageByClientID, [.id(append.conversation), .text(clientID)]
      ) { BranchPlace(branch: try $0.integer(0), position: try $0.integer(1)) }
      if let place {
        first = BranchPlace(branch: place.branch, position: place.position - index)
        break
      }
    }
    guard let first else { return nil }

    var made = try branch(of: first, append, target, on: connection)
    let messages = try stored(
      append.messages, prints, at: first, of: append.conversation, isDeleted: made?.isDeleted ?? false, on: connection)
    if made?.isConflict(at: first) != true { made = nil }
    return Receipt(messages: messages, branch: made, version: target.version, isReplay: true)
  }

  /// The receipt of an append that was accepted under the same ids; nil if they are unknown. Its messages
  /// may have been edited or deleted since.
  private func replay(
    of append: Append, _ preset: Preset, _ target: AppendTarget, on connection: Driver.Connection
  ) throws -> Receipt? {
    guard let id = preset.messages.first,
      let place = try connection.first(Statements.messagePlace, [.id(id)], MessagePlace.init)
    else { return nil }
    guard place.conversation == append.conversation else { throw ConversationError.noMessage }
    let first = BranchPlace(branch: place.branch, position: place.position)
    var made = try branch(of: first, append, target, on: connection)
    let messages = try connection.all(
      Statements.messagesOfBranch,
      [
        .id(append.conversation), .integer(first.branch), .integer(first.position),
        .integer(first.position + preset.messages.count - 1), .integer(preset.messages.count),
      ], Message.init)
    if made?.isConflict(at: first) != true { made = nil }
    return Receipt(messages: messages, branch: made, version: target.version, isReplay: true)
  }

  /// The branch of a message; nil for the trunk.
  private func branch(
    of place: BranchPlace, _ append: Append, _ target: AppendTarget, on connection: Driver.Connection
  ) throws -> Branch? {
    guard place.branch != Branch.trunk else { return nil }
    return try connection.first(Statements.branch, [.id(append.conversation), .integer(place.branch)]) {
      try Branch($0, activeBranch: target.activeBranch)
    }
  }

  /// The messages that an earlier command stored, as they are now.
  ///
  /// All or none were stored, side by side, so what stands there must be these to the letter.
  /// - Throws: `.conflict` if it is not, `.gone` if it was deleted.
  func stored(
    _ messages: [NewMessage], _ prints: [[UInt8]], at first: BranchPlace, of conversation: ConversationID,
    isDeleted: Bool, on connection: Driver.Connection
  ) throws -> [Message] {
    let range: [SQLValue] = [
      .id(conversation), .integer(first.branch), .integer(first.position),
      .integer(first.position + prints.count - 1), .integer(prints.count),
    ]
    let stored = try connection.all(Statements.fingerprints, range) { row in
      (
        clientID: try row.optional(0, row.text), status: try row.value(1) as Message.Status, print: try row.bytes(2),
        role: try row.value(3) as Message.Role
      )
    }
    guard stored.count == prints.count else { throw ConversationError.reusedClientID }
    for (index, row) in stored.enumerated() {
      guard sameBytes(row.clientID, messages[index].clientID) else { throw ConversationError.reusedClientID }
      // An answer was not there yet to be compared, and may have been deleted since.
      if messages[index].isStreaming, row.role == .assistant, !isDeleted { continue }
      guard row.status != .deleted, !isDeleted else {
        throw ConversationError(
          .gone, "The message with this client_id was deleted; it is not made again.", field: "client_id")
      }
      guard row.print == prints[index] else { throw ConversationError.reusedClientID }
    }
    return try connection.all(Statements.messagesOfBranch, range, Message.init)
  }
}

extension Preset {
  /// Not before the last change of the conversation, unless it was made before, and kept: what arrives together need not be
  /// stored in the order of its arrival, and the former system's programs put messages in the order of their times.
  fileprivate func taken(after last: Timestamp) -> Preset {
    var preset = self
    if !isRepeated { preset.time = max(time, Timestamp(microseconds: last.microseconds + 1)) }
    return preset
  }
}

extension NewMessage {
  /// How it stands once it is stored.
  var status: Message.Status { isStreaming ? .streaming : .complete }
}

extension Branch {
  /// Whether an append made it, because the message at its start could not go where it was meant to.
  fileprivate func isConflict(at first: BranchPlace) -> Bool {
    origin == .conflict && forkPosition == first.position - 1
  }
}

extension ConversationError {
  /// The one answer for a client id that stands for something else.
  public static let reusedClientID = ConversationError(
    .conflict, "This client_id was used in this conversation before, for another message.", field: "client_id",
    rule: .clientIDReused)
  /// The one answer for an append that names a client id twice.
  public static let repeatedClientID = ConversationError(
    .invalid, "One append names the same client_id twice.", field: "client_id")
}

/// What an append must know of its conversation.
private struct AppendTarget {
  let owner: UserID
  let version: Version
  let activeBranch: BranchNumber
  let activeHead: Position
  let isUntitled: Bool
  let branchCount: Int
  let updatedAt: Timestamp

  init(_ row: some SQLRow) throws {
    owner = try row.id(0)
    version = try row.integer(1)
    activeBranch = try row.integer(2)
    activeHead = try row.integer(3)
    isUntitled = try row.boolean(4)
    branchCount = try row.integer(5)
    updatedAt = try row.time(6)
  }
}

/// Where a message lives.
struct MessagePlace {
  let conversation: ConversationID
  let branch: BranchNumber
  let position: Position

  init(_ row: some SQLRow) throws {
    conversation = try row.id(0)
    branch = try row.integer(1)
    position = try row.integer(2)
  }
}

/// The title that new messages give an untitled conversation.
public func automaticTitle(ofFirst messages: [NewMessage]) -> String? {
  messages.lazy.filter { $0.role == .user }.compactMap { automaticTitle(from: $0.content) }.first
}

/// `String ==` is canonical equivalence; ids are the same only if their bytes are.
public func sameBytes(_ left: String?, _ right: String?) -> Bool {
  switch (left, right) {
  case (nil, nil): true
  case (let left?, let right?): left.utf8.elementsEqual(right.utf8)
  default: false
  }
}
