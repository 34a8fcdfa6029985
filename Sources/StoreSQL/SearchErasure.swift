import ConversationModel

// Words that leave the search index with their texts. FTS5 before SQLite 3.42 has no secure delete, and Debian 12 has
// 3.40: what is taken out is marked, and stays in the file until the parts of the index that hold word and mark are
// joined. So every deletion asks for a purge, which joins all parts in small steps (`SearchUpkeep.swift`).

extension SQLStore {
  /// Takes the words of a conversation's next messages out, in the order in which `Statements.eraseMessages` goes.
  ///
  /// - Returns: How many messages: at most `Limits.eraseRows`, fewer if their texts are long, 0 behind the last.
  func takeOutWords(of id: ConversationID, on connection: Driver.Connection) throws -> Int {
    guard let search = try searchIndex(of: id, on: connection) else { return Limits.eraseRows }
    var (rows, bytes) = (0, 0)
    try connection.forEachRow(SearchStatements.textsOfConversation, [.id(id), .integer(Limits.eraseRows)]) { row in
      guard bytes < Limits.lateBytes else { return }
      // What cannot be read was damaged by other hands; it goes all the same.
      let text = (try? row.text(1)) ?? ""
      search.replace(text, by: "", ofRow: try row.integer(0), on: connection)
      (rows, bytes) = (rows + 1, bytes + text.utf8.count)
    }
    if rows > 0 { try connection.execute(SearchStatements.wantPurge, []) }
    return rows
  }

  /// Takes the words of a branch's messages out.
  ///
  /// - Returns: The position of the last message whose words are out: earlier than asked for if the texts are long.
  func takeOutWords(
    of branch: BranchKey, _ positions: ClosedRange<Position>, on connection: Driver.Connection
  ) throws -> Position {
    guard let search = try searchIndex(of: branch.conversation, on: connection) else { return positions.upperBound }
    var (bytes, end) = (0, positions.upperBound)
    try connection.forEachRow(
      SearchStatements.textsOfBranch,
      [
        .id(branch.conversation), .integer(branch.number), .integer(positions.lowerBound),
        .integer(positions.upperBound), .integer(positions.count),
      ]
    ) { row in
      guard bytes < Limits.lateBytes else { return }
      // What cannot be read was damaged by other hands; it goes all the same.
      let text = (try? row.text(1)) ?? ""
      search.replace(text, by: "", ofRow: try row.integer(0), on: connection)
      bytes += text.utf8.count
      if bytes >= Limits.lateBytes { end = try row.integer(2) }
    }
    try connection.execute(SearchStatements.wantPurge, [])
    return end
  }

  /// Nil for a conversation that is gone.
  private func searchIndex(of id: ConversationID, on connection: Driver.Connection) throws -> SearchIndex? {
    try connection.first(SearchStatements.owner, [.id(id)]) { row in
      SearchIndex(owner: try row.id(0), conversation: id)
    }
  }
}
