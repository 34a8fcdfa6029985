public import ConversationModel

extension SQLStore {
  public func changes(
    in id: ConversationID, since version: Version, limit: Int, as principal: Principal
  ) async throws(ConversationError) -> Changes {
    try validatePageLimit(limit)
    return try await read { connection in
      let conversation = try self.owned(.id(id), by: principal, on: connection)
      guard (0...conversation.version).contains(version) else {
        throw ConversationError(
          .invalid, "The conversation stands at version \(conversation.version); since must not be above it.",
          field: "since")
      }
      return try ChangeReader(conversation: conversation, limit: limit).read(since: version, on: connection)
    }
  }
}

/// Reads the rows that changed, in whole versions.
private struct ChangeReader {
  let conversation: Conversation
  let limit: Int

  func read<Connection: SQLConnection>(since version: Version, on connection: Connection) throws -> Changes {
    let span = version + 1...max(version + 1, conversation.version)
    // One more than wanted tells whether the last version is complete.
    let messages = try messages(span, limit + 1, on: connection)
    let branches = try branches(span, limit + 1, on: connection)
    // Behind a list that was cut, versions may lack rows.
    var complete = conversation.version
    for list in [messages, branches] where list.count > limit {
      complete = min(complete, (list.last?.version ?? 1) - 1)
    }
    var rows = branches + messages
    if conversation.version > version {
      rows.append(Changes.Change(version: conversation.version, row: .conversation(conversation)))
    }
    let (whole, end) = cut(Self.inOrder(rows).filter { $0.version <= complete }, at: complete)
    guard whole.isEmpty, let first = Self.inOrder(rows).first?.version else {
      return changes(whole, until: end)
    }
    // A single version has more rows than the page: it comes whole.
    var one =
      try self.branches(first...first, .max, on: connection) + self.messages(first...first, .max, on: connection)
    if first == conversation.version {
      one.append(Changes.Change(version: first, row: .conversation(conversation)))
    }
    return changes(Self.inOrder(one), until: first)
  }

  private func changes(_ changes: [Changes.Change], until version: Version) -> Changes {
    Changes(changes: changes, version: version, hasMore: version < conversation.version)
  }

  /// The longest run of whole versions that fits the page; empty if not even the first does.
  ///
  /// - Parameter complete: All rows up to this version are there.
  private func cut(_ rows: [Changes.Change], at complete: Version) -> (rows: [Changes.Change], until: Version) {
    var bytes = 0
    var end = 0
    for (index, row) in rows.enumerated() {
      bytes += row.bytes
      let isLast = index + 1 == rows.count || rows[index + 1].version > row.version
      guard isLast else { continue }
      if index + 1 > limit { break }
      end = index + 1
      if bytes > Limits.changesBytes { break }
    }
    if end == rows.count { return (rows, complete) }
    return (Array(rows.prefix(end)), end > 0 ? rows[end - 1].version : 0)
  }

  private static func inOrder(_ rows: [Changes.Change]) -> [Changes.Change] {
    rows.sorted { $0.version != $1.version ? $0.version < $1.version : $0.rank < $1.rank }
  }

  private func messages<Connection: SQLConnection>(
    _ versions: ClosedRange<Version>, _ limit: Int, on connection: Connection
  ) throws -> [Changes.Change] {
    let deleted = Set(
      try connection.all(Statements.deletedBranches, [.id(conversation.id), .integer(.max)]) { try $0.integer(0) })
    return try connection.all(Statements.changedMessages, values(versions, limit)) { row in
      var message = try Message(row)
      // Its text may not be blanked yet, but it is gone.
      if deleted.contains(message.branch) { message.blank() }
      return Changes.Change(version: try row.integer(15), row: .message(message))
    }
  }

  private func branches<Connection: SQLConnection>(
    _ versions: ClosedRange<Version>, _ limit: Int, on connection: Connection
  ) throws -> [Changes.Change] {
    try connection.all(Statements.changedBranches, values(versions, limit)) { row in
      Changes.Change(
        version: try row.integer(8), row: .branch(try Branch(row, activeBranch: conversation.activeBranch)))
    }
  }

  private func values(_ versions: ClosedRange<Version>, _ limit: Int) -> [SQLValue] {
    [.id(conversation.id), .integer(versions.lowerBound), .integer(versions.upperBound), .integer(limit)]
  }
}

extension Changes.Change {
  /// The order within one version.
  fileprivate var rank: (Int, BranchNumber, Position) {
    switch row {
    case .branch(let branch): (0, branch.number, 0)
    case .message(let message): (1, message.branch, message.position)
    case .conversation: (2, 0, 0)
    }
  }

  fileprivate var bytes: Int {
    switch row {
    case .message(let message):
      message.content.utf8.count + message.entities.text.utf8.count + message.metadata.text.utf8.count
    case .conversation(let conversation): conversation.context.text.utf8.count
    case .branch: 0
    }
  }
}
