public import ConversationModel

// Answers that take their place before their text is there: what keeps them, ends them, and finds those that nobody
// will end any more.

extension SQLStore {
  /// Writes the final text, once.
  func finish(_ finish: FinishAnswer, as principal: Principal, on connection: Driver.Connection) throws -> Receipt {
    var (message, conversation) = try ownedMessage(finish.message, by: principal, on: connection)
    switch message.status {
    case .streaming: break
    case .deleted: throw ConversationError.deletedMessage
    case finish.ending.status where message.content == finish.content && message.revision == 1:
      return Receipt(messages: [message], version: conversation.version, isReplay: true)
    default: throw ConversationError.isWritten
    }
    let change = try TreeChange(conversation, at: environment.now(), on: connection)
    try replaceWords(of: message, by: finish.content, conversation, on: connection)
    message.content = finish.content
    message.metadata = finish.metadata
    message.status = finish.ending.status
    try connection.execute(
      Statements.finishMessage,
      [
        .id(message.id), .text(message.content), .text(message.metadata.text), .text(message.status.rawValue),
        .integer(change.version), .bytes(message.fingerprint),
      ])
    try connection.execute(Statements.deleteDraft, [.id(message.conversationID), .id(message.id)])
    try change.commit(on: connection)
    return Receipt(messages: [message], version: change.version)
  }

  public func keepDraft(
    _ content: String, of id: MessageID, as principal: Principal
  ) async throws(ConversationError) {
    try validateDraft(content)
    try await write { connection in
      let (message, _) = try self.ownedMessage(id, by: principal, on: connection)
      guard message.status == .streaming else { throw ConversationError.isWritten }
      try connection.execute(
        Statements.keepDraft,
        [.id(message.conversationID), .id(id), .text(content), .time(self.environment.now())])
    }
  }

  /// Ends every answer that is being written as `incomplete`, with what was kept of it. For the start of the one server
  /// that a store has: nobody writes them any more.
  ///
  /// - Returns: How many there were.
  @discardableResult
  public func endUnfinished() async throws(ConversationError) -> Int {
    var count = 0
    while true {
      let cutOff = try await read { connection in
        try connection.all(Statements.unfinished, [.integer(Limits.eraseRows)]) { row in
          FinishAnswer(
            try row.id(0), content: try row.optional(2, row.text) ?? "",
            metadata: JSONText(canonical: try row.text(1)), ending: .incomplete)
        }
      }
      for answer in cutOff {
        do throws(ConversationError) {
          _ = try await apply(.finish(answer), as: .service)
        } catch {
          // Its branch was deleted, and is being blanked.
          guard error.code == .gone || error.code == .notFound else { throw error }
        }
      }
      count += cutOff.count
      if cutOff.count < Limits.eraseRows { return count }
    }
  }
}

extension ConversationError {
  /// The one answer for an answer that is not being written.
  static let isWritten = ConversationError(.conflict, "The message is not being written.")
}
