public import ConversationModel

// Conversations on their way out, page by page: no read lasts long, so that an export, however slow its reader, keeps the log
// of nobody.

extension SQLStore: ArchivingStore {
  public func conversationIDs(
    of user: UserID?, after id: ConversationID?, as principal: Principal
  ) async throws(ConversationError) -> [ConversationID] {
    let user = user ?? principal.onlyUser
    guard user.map(principal.owns) ?? true else {
      throw ConversationError(.forbidden, "A user may export its own conversations only.", field: "user_id")
    }
    let start = SQLValue.id(id ?? ConversationID(high: 0, low: 0))
    return try await read { connection in
      if let user {
        return try connection.all(
          ArchiveStatements.idsOfUser, [.id(user), start, .integer(Limits.archivedIDs)]
        ) { try $0.id(0) }
      }
      return try connection.all(ArchiveStatements.ids, [start, .integer(Limits.archivedIDs)]) { try $0.id(0) }
    }
  }

  public func archivedConversation(
    _ id: ConversationID, as principal: Principal
  ) async throws(ConversationError) -> ArchivedConversation {
    try await read { connection in
      let conversation = try self.owned(.id(id), by: principal, on: connection)
      let branches = try connection.all(ArchiveStatements.branches, [.id(id), .integer(.max)]) { row in
        ArchivedBranch(try Branch(row, activeBranch: conversation.activeBranch), version: try row.integer(8))
      }
      return ArchivedConversation(conversation, branches: branches)
    }
  }

  public func archivedMessages(
    of key: BranchKey, after position: Position, as principal: Principal
  ) async throws(ConversationError) -> [ArchivedMessage] {
    try await read { connection in
      let conversation = try self.owned(.id(key.conversation), by: principal, on: connection)
      let branch = try connection.first(Statements.branch, [.id(key.conversation), .integer(key.number)]) {
        try Branch($0, activeBranch: conversation.activeBranch)
      }
      guard let branch else { throw ConversationError.noBranch }
      var (messages, bytes): ([ArchivedMessage], Int) = ([], 0)
      try connection.forEachRow(
        ArchiveStatements.messages,
        [.id(key.conversation), .integer(key.number), .integer(position), .integer(Limits.pageItems.upperBound)]
      ) { row in
        guard bytes < Limits.archivedBytes else { return }
        var message = try Message(row)
        // Its text waits to be blanked, and is no longer anybody's to read.
        if branch.isDeleted { message.blank() }
        messages.append(ArchivedMessage(message, version: try row.integer(15)))
        bytes += message.content.utf8.count + message.entities.text.utf8.count + message.metadata.text.utf8.count
      }
      return messages
    }
  }

  public func archivedRevisions(
    of id: MessageID, above number: Int, below end: Int, as principal: Principal
  ) async throws(ConversationError) -> [Revision] {
    try await read { connection in
      guard let place = try connection.first(Statements.messagePlace, [.id(id)], MessagePlace.init) else {
        throw ConversationError.noMessage
      }
      let conversation = try self.find(.id(place.conversation), on: connection)
      guard let conversation, principal.owns(conversation.userID) else { throw ConversationError.noMessage }
      var (revisions, bytes): ([Revision], Int) = ([], 0)
      try connection.forEachRow(
        ArchiveStatements.revisions,
        [
          .id(place.conversation), .id(id), .integer(number), .integer(end),
          .integer(Limits.pageItems.upperBound),
        ]
      ) { row in
        guard bytes < Limits.archivedBytes else { return }
        let revision = try Revision(row)
        revisions.append(revision)
        bytes += revision.content.utf8.count + revision.metadata.text.utf8.count
      }
      return revisions
    }
  }
}

enum ArchiveStatements {
  /// Sorted anew for each page, which has ten thousand: no index keeps this order.
  static let idsOfUser = SQLStatement(
    """
    SELECT id FROM pam_conversations
    WHERE user_id = $1 AND id > $2 AND erasing = 0
    ORDER BY id LIMIT $3
    """)
  static let ids = SQLStatement(
    "SELECT id FROM pam_conversations WHERE id > $1 AND erasing = 0 ORDER BY id LIMIT $2")
  static let branches = SQLStatement(
    """
    SELECT \(Statements.branchColumns), version FROM pam_branches
    WHERE conversation_id = $1 ORDER BY number LIMIT $2
    """)
  static let messages = SQLStatement(
    """
    SELECT \(Statements.messageColumns), version FROM pam_messages
    WHERE conversation_id = $1 AND branch = $2 AND position > $3
    ORDER BY position LIMIT $4
    """)
  static let revisions = SQLStatement(
    """
    SELECT revision, content, metadata, replaced_at FROM pam_revisions
    WHERE conversation_id = $1 AND message_id = $2 AND revision > $3 AND revision < $4
    ORDER BY revision LIMIT $5
    """)

  // MARK: The other way

  static let owner = SQLStatement("SELECT user_id FROM pam_conversations WHERE id = $1")
  /// Hidden like one that is being erased, and without a session until it is whole.
  static let insertConversation = SQLStatement(
    """
    INSERT INTO pam_conversations (id, user_id, title, context_data, archived, pinned, erasing, active_branch, next_branch,
      branch_count, version, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10, $11, $12)
    """)
  static let insertBranch = SQLStatement(
    """
    INSERT INTO pam_branches (conversation_id, number, parent, fork_position, head_position, title, origin, deleted, version,
      created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    """)
  static let insertRevision = SQLStatement(
    """
    INSERT INTO pam_revisions (conversation_id, message_id, revision, content, metadata, fingerprint, replaced_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    """)
  static let isSessionTaken = SQLStatement(
    "SELECT 1 FROM pam_conversations WHERE user_id = $1 AND session_id = $2")
  static let hasDefault = SQLStatement("SELECT 1 FROM pam_conversations WHERE user_id = $1 AND is_default = 1")
  static let show = SQLStatement(
    """
    UPDATE pam_conversations
    SET erasing = 0, session_id = $2, is_default = $3, message_count = $4
    WHERE id = $1 AND erasing = 1
    """)

  /// The statements that exports and imports make, for the test that reads their query plans.
  static let hot: [SQLStatement] = [
    ids, branches, messages, revisions, owner, isSessionTaken, hasDefault, show,
  ]
}
