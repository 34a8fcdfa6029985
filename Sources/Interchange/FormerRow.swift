import ConversationModel
import StrictJSON

// What rows of the former tables say.

extension JSONObject {
  /// Whether a column has a value.
  func holds(_ column: String) -> Bool { self[column].map { !$0.isNull } ?? false }

  func time(_ column: String) -> Timestamp? { self[column]?.string.flatMap { Timestamp(postgres: $0) } }

  /// An object that a store takes; the empty one, and a note, for anything else.
  fileprivate func object(_ column: String, _ notes: inout [String]) -> JSONText {
    guard holds(column), let value = self[column] else { return .emptyObject }
    if let object = value.fittingObject { return object }
    notes.append(
      "The \(column) are left out: taken is an object of at most \(Limits.objectBytes) bytes and \(Limits.objectDepth) levels."
    )
    return .emptyObject
  }

  /// - Parameter notes: Gets what is left out of the message.
  /// - Throws: `.invalid` or `.tooLarge` for a message that no store takes.
  func message(
    _ id: MessageID, in conversation: ConversationID, position: Position, createdAt: Timestamp, _ notes: inout [String]
  ) throws(ConversationError) -> ArchivedMessage {
    guard let role = self["role"]?.string.flatMap({ Message.Role(rawValue: $0) }) else {
      throw ConversationError(.invalid, "The message has no known role.")
    }
    guard let content = self["content"]?.string else { throw ConversationError(.invalid, "The message has no text.") }
    let confidence = self["confidence"]?.number.flatMap { Confidence(rounding: $0.double) }
    if confidence == nil, holds("confidence") {
      notes.append("The confidence is left out: it is no number between -10 and 10.")
    }
    var intent = self["intent"]?.string
    if let label = intent, label.unicodeScalars.count > Limits.intentScalars || label.utf8.contains(0) {
      intent = nil
      notes.append("The intent is left out: it is longer than \(Limits.intentScalars) characters.")
    }
    let message = Message(
      id: id, clientID: nil, conversationID: conversation, branch: 0, position: position, role: role,
      content: content, intent: intent, confidence: confidence, entities: object("entities", &notes),
      metadata: object("metadata", &notes), status: .complete, revision: 1, createdAt: createdAt, editedAt: nil)
    let archived = ArchivedMessage(message, version: position + 1)
    try archived.validate()
    return archived
  }

  /// - Parameters:
  ///   - count: Of the messages.
  ///   - times: When it was made, and when its last message was.
  ///   - queue: Gets what is left out of the conversation.
  /// - Throws: `.invalid` for a row without an id.
  func conversation(
    of user: UserID, isDefault: Bool, messages count: Int, times: (created: Timestamp, last: Timestamp?),
    _ place: String, _ queue: inout PieceQueue
  ) throws(ConversationError) -> ArchivedConversation {
    guard let id = self["id"]?.string.flatMap({ ConversationID($0) }) else {
      throw ConversationError(.invalid, "The row has no id that is a UUID.")
    }
    var notes: [String] = []
    let title = fittingTitle(self["title"]?.string ?? "")
    if title.isCut { notes.append("The title was cut at \(Limits.titleScalars) characters.") }
    let context = object("context_data", &notes)
    let trunk = Branch(
      number: 0, parent: nil, forkPosition: 0, headPosition: count, title: nil, origin: .trunk, isActive: true,
      isDeleted: false, createdAt: times.created)
    var conversation = Conversation(
      id: id, userID: user, sessionID: nil, isDefault: isDefault, title: title.title, context: context,
      isArchived: false, isPinned: false, activeBranch: 0, headPosition: count, messageCount: count, branchCount: 1,
      version: count + 1, createdAt: times.created, updatedAt: time("updated_at") ?? times.last ?? times.created)
    if let session = self["session_id"]?.string, !session.isEmpty {
      conversation.sessionID = session
      do { try ArchivedConversation(conversation, branches: [ArchivedBranch(trunk, version: 1)]).validate() } catch {
        conversation.sessionID = nil
        notes.append("The session id is left out: \(error.message)")
      }
    }
    for note in notes { queue.skip(place, note) }
    return ArchivedConversation(conversation, branches: [ArchivedBranch(trunk, version: 1)])
  }
}
