import ConversationModel

extension SQLStore {
  /// Adds messages to the end of a branch, or finds that they are there already.
  func append(_ append: Append, as principal: Principal, on connection: Driver.Connection) throws -> Receipt {
    let conversation = SQLValue.id(append.conversation)
    guard
      let target = try connection.first(Statements.appendTarget, [conversation], AppendTarget.init),
      principal.owns(target.owner)
    else { throw ConversationError.noConversation }
    let prints = append.messages.map(\.fingerprint)
    if let replay = try replay(of: append, prints, at: target.version, on: connection) { return replay }

    let (branch, head) = try place(of: append, target, on: connection)
    let now = environment.now()
    let version = target.version + 1
    var messages: [Message] = []
    messages.reserveCapacity(append.messages.count)
    for (index, new) in append.messages.enumerated() {
      let message = Message(
        id: environment.newID(at: now), clientID: new.clientID, conversationID: append.conversation, branch: branch,
        position: head + 1 + index, role: new.role, content: new.content, intent: new.intent,
        confidence: new.confidence, entities: new.entities, metadata: new.metadata, status: .complete, revision: 1,
        version: version, createdAt: now, editedAt: nil)
      try insert(message, fingerprint: prints[index], on: connection)
      messages.append(message)
    }
    try connection.execute(
      Statements.moveHead,
      [conversation, .integer(branch), .integer(head + messages.count), .integer(version)])
    let title = target.isUntitled ? firstLine(of: append.messages) : nil
    try connection.execute(
      Statements.countAppend,
      [conversation, .integer(version), .integer(messages.count), .time(now), .optional(title, SQLValue.text)])
    return Receipt(messages: messages, version: version)
  }

  private func insert(_ message: Message, fingerprint: [UInt8], on connection: Driver.Connection) throws {
    try connection.execute(
      Statements.insertMessage,
      [
        .id(message.id), .optional(message.clientID, SQLValue.text), .id(message.conversationID),
        .integer(message.branch), .integer(message.position), .text(message.role.rawValue), .text(message.content),
        .optional(message.intent, SQLValue.text),
        .optional(message.confidence) { .real(Double($0.hundredths) / 100) },
        .text(message.entities.text), .text(message.metadata.text), .text(message.status.rawValue),
        .integer(message.revision), .integer(message.version), .time(message.createdAt),
        .optional(message.editedAt, SQLValue.time), .bytes(fingerprint),
      ])
  }

  /// The branch that an append goes to, and its head.
  private func place(
    of append: Append, _ target: AppendTarget, on connection: Driver.Connection
  ) throws -> (branch: BranchNumber, head: Position) {
    var parent: MessagePlace?
    if let id = append.parent {
      parent = try connection.first(Statements.messagePlace, [.id(id)], MessagePlace.init)
      guard parent?.conversation == append.conversation else { throw ConversationError.noMessage }
    }
    let branch = append.branch ?? parent?.branch ?? target.activeBranch
    var head = target.activeHead
    if branch != target.activeBranch {
      let row = try connection.first(Statements.branch, [.id(append.conversation), .integer(branch)]) {
        try Branch($0, activeBranch: target.activeBranch)
      }
      guard let row, !row.isDeleted else {
        throw ConversationError(.notFound, "There is no such branch.", field: "branch")
      }
      head = row.headPosition
    }
    if let parent, parent.branch != branch || parent.position != head {
      throw ConversationError(
        .conflict, "The parent is no longer the last message of the branch; read on and send again.", field: "parent")
    }
    return (branch, head)
  }

  /// The receipt of an append that was accepted before; nil if none of its client ids is known.
  private func replay(
    of append: Append, _ prints: [[UInt8]], at version: Version, on connection: Driver.Connection
  ) throws -> Receipt? {
    let clientIDs = append.messages.map(\.clientID)
    let known = clientIDs.compactMap(\.self)
    guard !known.isEmpty else { return nil }
    guard Set(known.map { Array($0.utf8) }).count == known.count else {
      throw ConversationError(.invalid, "One append names the same client_id twice.", field: "client_id")
    }
    let reused = ConversationError(
      .conflict, "This client_id was used in this conversation before, for another message.", field: "client_id",
      rule: .clientIDReused)
    var first: (branch: BranchNumber, position: Position)?
    for (index, clientID) in clientIDs.enumerated() {
      guard let clientID else { continue }
      let place = try connection.first(
        Statements.messageByClientID, [.id(append.conversation), .text(clientID)]
      ) { (branch: try $0.integer(0), position: try $0.integer(1)) }
      if let place {
        first = (place.branch, place.position - index)
        break
      }
    }
    guard let first else { return nil }

    // All or none were stored, side by side, so what stands there must be this append to the letter.
    let range: [SQLValue] = [
      .id(append.conversation), .integer(first.branch), .integer(first.position),
      .integer(first.position + prints.count - 1), .integer(prints.count),
    ]
    let stored = try connection.all(Statements.fingerprints, range) { row in
      (
        clientID: try row.optional(0, row.text), status: try row.value(1) as Message.Status, print: try row.bytes(2)
      )
    }
    guard stored.count == prints.count else { throw reused }
    for (index, row) in stored.enumerated() {
      guard sameBytes(row.clientID, clientIDs[index]) else { throw reused }
      guard row.status != .deleted else {
        throw ConversationError(
          .gone, "The message with this client_id was deleted; it is not made again.", field: "client_id")
      }
      guard row.print == prints[index] else { throw reused }
    }
    let messages = try connection.all(Statements.messagesOfBranch, range, Message.init)
    return Receipt(messages: messages, version: version, isReplay: true)
  }

  private func firstLine(of messages: [NewMessage]) -> String? {
    messages.first { $0.role == .user }.flatMap { automaticTitle(from: $0.content) }
  }
}

/// What an append must know of its conversation.
private struct AppendTarget {
  let owner: UserID
  let version: Version
  let activeBranch: BranchNumber
  let activeHead: Position
  let isUntitled: Bool

  init(_ row: some SQLRow) throws {
    owner = try row.id(0)
    version = try row.integer(1)
    activeBranch = try row.integer(2)
    activeHead = try row.integer(3)
    isUntitled = try row.boolean(4)
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

/// `String ==` is canonical equivalence; ids are the same only if their bytes are.
func sameBytes(_ left: String?, _ right: String?) -> Bool {
  switch (left, right) {
  case (nil, nil): true
  case (let left?, let right?): left.utf8.elementsEqual(right.utf8)
  default: false
  }
}
