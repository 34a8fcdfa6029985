import ConversationModel

extension SQLStore {
  /// Holds each user's part of the search index against the user's texts, in a snapshot for each, and then looks for words
  /// of users that have no conversation.
  func auditSearch(_ report: (Finding) -> Void) async throws(ConversationError) {
    do {
      try await auditWords(report)
    } catch {
      // One that cannot be opened at all is no fault of the statement.
      guard case .statement(let detail)? = error.underlying as? SQLFailure else { throw error }
      report(Finding(.searchIndex, subject: "the search index", fault: "cannot be read (\(detail))"))
    }
  }

  private func auditWords(_ report: (Finding) -> Void) async throws(ConversationError) {
    guard try await read({ try $0.first(SearchStatements.state, [], SearchState.init) }) != nil else {
      return report(Finding(.searchIndex, subject: "the search index", fault: "has no state"))
    }
    let heads = try await auditing("the search index", of: .searchIndex, report) { connection in
      try connection.first(SearchAuditStatements.heads, []) { try $0.integer(0) }
    }
    guard let heads else { return }
    guard heads == 2 else {
      return report(Finding(.searchIndex, subject: "the search index", fault: "has lost its head"))
    }
    var last = UserID(high: 0, low: 0)
    while true {
      let start = last
      let users = try await auditing("the list of users", report) { connection in
        try connection.all(SearchAuditStatements.users, [.id(start)]) { row -> UserID in try row.id(0) }
      }
      guard let users, let newest = users.last else { break }
      last = newest
      for user in users {
        let findings = try await auditing("the search index of user \(user)", of: .searchIndex, report) { connection in
          var audit = SearchAudit(user)
          return try audit.run(on: connection)
        }
        findings?.forEach(report)
      }
    }
    let strays = try await auditing("the search index", of: .searchIndex, report) { connection in
      try Self.strays(on: connection)
    }
    strays?.forEach(report)
  }

  /// Goes from the words of one user to those of the next, and finds those of nobody.
  private static func strays(on connection: Driver.Connection) throws -> [Finding] {
    var owners: Set<[UInt8]> = []
    try connection.forEachRow(SearchAuditStatements.allUsers, []) {
      owners.insert(SearchTerms(owner: try $0.id(0)).owner)
    }
    var findings: [Finding] = []
    var end = ""
    while findings.count < 100 {
      let next = try connection.first(SearchAuditStatements.nextWord, [.text(end)]) { row in
        try row.withText(0) { Array($0.prefix(SearchTerms.ownerBytes)) }
      }
      guard let next else { break }
      if !owners.contains(next) {
        findings.append(
          Finding(.searchIndex, subject: "the search index", fault: "has words of a user without a conversation"))
      }
      end = SearchTerms.end(ofOwner: next)
    }
    return findings
  }
}

private enum SearchAuditStatements {
  static let users = SQLStatement(
    "SELECT DISTINCT user_id FROM pam_conversations WHERE user_id > $1 ORDER BY user_id LIMIT 200")
  static let allUsers = SQLStatement("SELECT DISTINCT user_id FROM pam_conversations")
  static let nextWord = SQLStatement("SELECT term FROM pam_search_words WHERE term >= $1 ORDER BY term LIMIT 1")
  static let words = SQLStatement("SELECT term, doc FROM pam_search_words WHERE term >= $1 AND term < $2")
  static let finds = SQLStatement("SELECT 1 FROM pam_search WHERE pam_search MATCH $1 AND rowid = $2")
  /// The sums of the index and its list of parts, without which FTS5 reads some of it, and writes nothing.
  static let heads = SQLStatement("SELECT count(*) FROM pam_search_data WHERE id IN (1, 10)")
  static let texts = SQLStatement(
    """
    SELECT m.rowid, m.conversation_id, m.branch, m.position, m.content
    FROM pam_conversations c JOIN pam_messages m ON m.conversation_id = c.id
    WHERE c.user_id = $1
    """)
}

/// One user's part of the search index under the lens. Of each message a sum over its words is kept, not the words.
private struct SearchAudit {
  private struct Sum: Equatable {
    var words = 0
    var hashes: UInt64 = 0

    mutating func add(_ hash: UInt64) {
      words += 1
      hashes &+= hash
    }
  }

  private let user: UserID
  private let terms: SearchTerms
  private var indexed: [Int: Sum] = [:]
  private var findings: [Finding] = []

  init(_ user: UserID) {
    self.user = user
    terms = SearchTerms(owner: user)
  }

  mutating func run<Connection: SQLConnection>(on connection: Connection) throws -> [Finding] {
    guard let state = try connection.first(SearchStatements.state, [], SearchState.init) else { return [] }
    var (last, words, samples): (UInt64?, Int, [(word: String, row: Int)]) = (nil, 0, [])
    try connection.forEachRow(
      SearchAuditStatements.words,
      [.text(String(decoding: terms.owner, as: UTF8.self)), .text(SearchTerms.end(ofOwner: terms.owner))]
    ) { row in
      let hash = try row.withText(0) { Self.hash($0) }
      let id = try row.integer(1)
      indexed[id, default: Sum()].add(hash)
      if hash != last {
        last = hash
        words += 1
        // More than one of each page of the index.
        if words % 32 == 1 { samples.append((word: try row.text(0), row: id)) }
      }
    }
    // The scan goes from page to page; a search looks the page up.
    for sample in samples {
      let found = try connection.first(
        SearchAuditStatements.finds, [.text("\"\(sample.word)\""), .integer(sample.row)]
      ) { _ in true }
      guard found == nil else { continue }
      findings.append(
        Finding(.searchIndex, subject: "the search index of user \(user)", fault: "does not find words that are in it"))
      break
    }
    try connection.forEachRow(SearchAuditStatements.texts, [.id(user)]) { row in
      let id = try row.integer(0)
      let stored = indexed.removeValue(forKey: id) ?? Sum()
      if state.missing?.contains(id) ?? false { return }
      // Text that cannot be read is found where its conversation is read.
      guard let text = try? row.text(4) else { return }
      let conversation: ConversationID = try row.id(1)
      guard stored != sum(text, of: conversation) else { return }
      findings.append(
        Finding(
          .searchIndex,
          subject: "conversation \(conversation), branch \(try row.integer(2)), position \(try row.integer(3))",
          fault: stored.words == 0 ? "is not in the search index" : "the search index has other words of it"))
    }
    if !indexed.isEmpty {
      // Another user may have the same ten letters; then these are that user's.
      let strangers = try Set(
        connection.all(SearchAuditStatements.allUsers, []) { row -> UserID in try row.id(0) }
      ).filter { $0 != user && SearchTerms(owner: $0).owner == terms.owner }
      if strangers.isEmpty {
        findings.append(
          Finding(
            .searchIndex, subject: "the search index of user \(user)",
            fault: "has words of \(indexed.count) messages that do not exist"))
      }
    }
    return findings
  }

  /// The sum that the index must have of a text.
  private func sum(_ text: String, of conversation: ConversationID) -> Sum {
    var hashes: Set<UInt64> = []
    terms.forEach(in: text, of: conversation) { term in
      term.withUnsafeBufferPointer { _ = hashes.insert(Self.hash($0)) }
    }
    return hashes.reduce(into: Sum()) { $0.add($1) }
  }

  /// FNV-1a, mixed so that sums of it do not cancel out.
  private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    hash = (hash ^ hash >> 32) &* 0x9E37_79B9_7F4A_7C15
    return hash ^ hash >> 29
  }
}
