public import ConversationModel

extension SQLStore {
  public func search(
    _ query: SearchQuery, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<SearchHit> {
    try query.validate()
    try validatePageLimit(page.limit)
    let words = SearchWords(query.text)
    if let user = query.user, !principal.owns(user) {
      throw ConversationError(.forbidden, "A user may search its own messages only.", field: "user_id")
    }
    let list = SearchList(query: query, words: words, owner: principal.onlyUser ?? query.user, limit: page.limit)
    let start = try page.cursor.map { text throws(ConversationError) in try list.row(at: text) }
    return try await read { connection in
      var list = list
      if let id = query.conversation {
        let conversation = try self.owned(.id(id), by: principal, on: connection)
        // Another user's conversation is none of the one that was named.
        guard list.owner == nil || list.owner == conversation.userID else { throw ConversationError.noConversation }
        list.owner = conversation.userID
      }
      if words.isEmpty { return Page(items: [], next: nil) }
      var reader = HitReader(list: list, connection: connection)
      return try reader.page(below: start ?? .max)
    }
  }
}

/// One list of hits: a search, and the order of rows.
private struct SearchList: Sendable {
  let query: SearchQuery
  let words: SearchWords
  /// Whose messages; nil for everybody's.
  var owner: UserID?
  let limit: Int

  func row(at cursor: String) throws(ConversationError) -> Int {
    guard let row = Int(exactly: try Cursor(cursor, .search, of: name, count: 1).numbers[0]) else {
      throw .damagedCursor()
    }
    return row
  }

  func cursor(_ row: Int) -> String { Cursor(.search, of: name, [UInt64(row)]).text }

  /// What a cursor is bound to: everything that decides which hits there are. The conversation stands for its owner.
  private var name: String {
    let owner = query.conversation == nil ? self.owner : nil
    return [
      owner?.description ?? "", query.conversation?.description ?? "", query.scope.rawValue, query.text,
    ].joined(separator: "\u{0}")
  }
}

/// Ends a reading that has reached its bytes.
private struct EnoughRead: Error {}

/// Reads a page of hits: asks the index for rows, or goes through all of them, and looks at each message before it is shown.
private struct HitReader<Connection: SQLConnection> {
  let list: SearchList
  let connection: Connection
  private var places: [ConversationID: SearchedConversation] = [:]
  /// What may still be read of everybody's messages.
  private var left = (rows: Limits.searchReadRows, bytes: Limits.searchReadBytes)

  init(list: SearchList, connection: Connection) {
    self.list = list
    self.connection = connection
  }

  mutating func page(below start: Int) throws -> Page<SearchHit> {
    var hits: [SearchHit] = []
    var (row, looked, bytes, shown) = (start, 0, 0, 0)
    while true {
      let (rows, end) = try rows(below: row)
      for next in rows {
        // There is one hit more, or there may be: the page ends before it.
        if hits.count == list.limit || looked == Limits.searchRows || shown >= Limits.searchBytes
          || bytes >= Limits.searchReadBytes
        {
          return Page(items: hits, next: list.cursor(row))
        }
        looked += 1
        row = next
        guard let message = try connection.first(SearchStatements.message, [.integer(next)], Message.init) else {
          continue
        }
        bytes += message.content.utf8.count
        guard let hit = try hit(message) else { continue }
        shown += message.content.utf8.count
        hits.append(hit)
      }
      switch end {
      case .nothingLeft: return Page(items: hits, next: nil)
      case .readEnough(let below): return Page(items: hits, next: list.cursor(below))
      case .goOn: continue
      }
    }
  }

  /// What lies behind the rows of a chunk.
  private enum End {
    case goOn
    case nothingLeft
    /// So much was read that the page ends, below this row.
    case readEnough(below: Int)
  }

  /// The next rows that may be hits, newest first.
  private mutating func rows(below row: Int) throws -> ([Int], End) {
    guard let owner = list.owner else { return try rowsOfAll(below: row) }
    let terms = SearchTerms(owner: owner)
    let count = list.limit + 1
    let rows = try connection.all(
      SearchStatements.matches,
      [.text(list.words.expression(terms, in: list.query.conversation)), .integer(row), .integer(count)]
    ) { try $0.integer(0) }
    return (rows, rows.count < count ? .nothingLeft : .goOn)
  }

  /// Goes through everybody's texts: only an index without owners could find among all, and it would double what a save
  /// costs.
  private mutating func rowsOfAll(below row: Int) throws -> ([Int], End) {
    var found: [Int] = []
    var (last, left) = (row, left)
    defer { self.left = left }
    do {
      try connection.forEachRow(SearchStatements.texts, [.integer(row), .integer(left.rows + 1)]) { row in
        guard found.count <= list.limit, left.rows > 0, left.bytes > 0 else { throw EnoughRead() }
        last = try row.integer(0)
        let text = try row.text(1)
        left = (left.rows - 1, left.bytes - text.utf8.count)
        if list.words.place(in: text) != nil { found.append(last) }
      }
    } catch is EnoughRead {
      return (found, found.count > list.limit ? .goOn : .readEnough(below: last))
    }
    return (found, .nothingLeft)
  }

  /// Nil for a message that is not to be shown.
  private mutating func hit(_ message: Message) throws -> SearchHit? {
    if let id = list.query.conversation, message.conversationID != id { return nil }
    guard let place = list.words.place(in: message.content) else { return nil }
    if places[message.conversationID] == nil {
      places[message.conversationID] = try SearchedConversation(
        message.conversationID, scope: list.query.scope, on: connection)
    }
    guard let conversation = places[message.conversationID]?.conversation,
      list.owner == nil || list.owner == conversation.userID,
      try places[message.conversationID]?.holds(message, on: connection) ?? false
    else { return nil }
    return SearchHit(
      message: message, snippet: snippet(of: message.content, around: place), title: conversation.title)
  }
}

/// A conversation, and which of its branches count.
private struct SearchedConversation {
  /// Nil for one that is being erased.
  let conversation: Conversation?
  private let scope: SearchQuery.Scope
  /// The last position that counts, of each branch on the active path.
  private var path: [BranchNumber: Position] = [:]
  private var deleted: [BranchNumber: Bool] = [Branch.trunk: false]

  init<Connection: SQLConnection>(
    _ id: ConversationID, scope: SearchQuery.Scope, on connection: Connection
  ) throws {
    self.scope = scope
    conversation = try connection.first(Statements.conversationByID, [.id(id)], Conversation.init)
    guard let conversation, scope == .active else { return }
    var (number, end): (BranchNumber?, Position) = (conversation.activeBranch, .max)
    while let own = number {
      path[own] = end
      guard own != Branch.trunk else { break }
      let fork = try connection.first(Statements.branch, [.id(id), .integer(own)]) { row in
        (parent: try row.optional(1, row.integer), position: try row.integer(2))
      }
      number = fork?.parent
      end = min(end, fork?.position ?? 0)
    }
  }

  mutating func holds<Connection: SQLConnection>(_ message: Message, on connection: Connection) throws -> Bool {
    if scope == .active { return path[message.branch].map { message.position <= $0 } ?? false }
    if let isDeleted = deleted[message.branch] { return !isDeleted }
    let isDeleted = try connection.first(
      Statements.branch, [.id(message.conversationID), .integer(message.branch)]
    ) { try $0.boolean(6) }
    deleted[message.branch] = isDeleted ?? true
    return !(isDeleted ?? true)
  }
}
