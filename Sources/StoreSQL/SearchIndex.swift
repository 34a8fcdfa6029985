import ConversationModel
import Crypto

/// The words of a message as the index holds them: each begins with ten letters that stand for the message's owner.
///
/// So a user's words lie together, and a search, a prefix included, reads the user's own matches and nothing of
/// others, however many messages those have. FTS5 sees plain words and is asked plain words only.
struct SearchTerms {
  /// Ten letters, 50 bits of a hash. Two users may share them: hits are looked at before they are shown.
  let owner: [UInt8]

  static let ownerBytes = 10
  private static let letters = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
  /// Begins the word that all messages of a conversation have; no text has it in a word.
  private static let conversationMark = Array("\u{E000}".utf8)

  init(owner: UserID) {
    let hash = withUnsafeBytes(of: (owner.high.bigEndian, owner.low.bigEndian)) { SHA256.hash(data: $0) }
    self.owner = Self.spelled(hash.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }, Self.ownerBytes)
  }

  private static func spelled(_ number: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { letters[Int(number >> UInt64($0 * 5) & 31)] }
  }

  /// What no word that begins with these letters reaches.
  static func end(ofOwner owner: [UInt8]) -> String { String(decoding: owner, as: UTF8.self) + "\u{10FFFF}" }

  /// Hands out every word of a text, in order, repeated ones again, then that of the conversation. Nothing for a text
  /// without words.
  ///
  /// A run of characters without spaces becomes its pairs, and its last character: each character begins one of them,
  /// so one alone is found as the beginning of a word.
  func forEach(in text: String, of conversation: ConversationID, _ body: (borrowing [UInt8]) -> Void) {
    var term = owner
    func give(_ scalars: UInt32...) {
      term.removeSubrange(Self.ownerBytes...)
      for scalar in scalars { term.append(scalar: scalar) }
      body(term)
    }
    var isEmpty = true
    var text = text
    text.withUTF8 { bytes in
      var scanner = SearchScanner(bytes)
      while let piece = scanner.piece() {
        isEmpty = false
        switch piece {
        case .word:
          term.removeSubrange(Self.ownerBytes...)
          term += scanner.word
          body(term)
        case .run:
          let run = scanner.run
          for index in run.indices.dropLast() { give(run[index].value, run[index + 1].value) }
          if let last = run.last { give(last.value) }
        }
      }
    }
    if !isEmpty { body(of(conversation)) }
  }

  /// The word that all messages of a conversation have.
  func of(_ conversation: ConversationID) -> [UInt8] {
    owner + Self.conversationMark + Self.spelled(conversation.high ^ conversation.high >> 29 ^ conversation.low, 12)
  }

  /// What FTS5 is given of a text: its words, with a space between them. Nil for a text without words.
  func document(_ text: String, of conversation: ConversationID) -> String? {
    guard !text.isEmpty else { return nil }
    var words: [UInt8] = []
    words.reserveCapacity(text.utf8.count * 3)
    forEach(in: text, of: conversation) { term in
      if !words.isEmpty { words.append(UInt8(ascii: " ")) }
      words += term
    }
    return words.isEmpty ? nil : String(decoding: words, as: UTF8.self)
  }
}

/// Changes of the index that wait for the end of the transaction.
struct SearchIndex {
  let terms: SearchTerms
  let conversation: ConversationID

  init(owner: UserID, conversation: ConversationID) {
    terms = SearchTerms(owner: owner)
    self.conversation = conversation
  }

  init(_ conversation: Conversation) {
    self.init(owner: conversation.userID, conversation: conversation.id)
  }

  /// A message's text is another: the words of the old one go, those of the new one come. Empty for none.
  ///
  /// - Parameter row: The rowid of the message.
  func replace<Connection: SQLConnection>(_ old: String = "", by new: String, ofRow row: Int, on connection: Connection)
  {
    if let document = terms.document(old, of: conversation) {
      connection.atEnd(LateRow(order: row, SearchStatements.remove, [.integer(row), .text(document)]))
    }
    if let document = terms.document(new, of: conversation) {
      connection.atEnd(LateRow(order: row, SearchStatements.add, [.integer(row), .text(document)]))
    }
  }
}

enum SearchStatements {
  static let add = SQLStatement("INSERT INTO pam_search (rowid, words) VALUES ($1, $2)")
  /// FTS5 keeps no texts here, so it must be told what it had of one.
  static let remove = SQLStatement("INSERT INTO pam_search (pam_search, rowid, words) VALUES ('delete', $1, $2)")
  /// Joins parts of the index, `$1` pages at a time.
  static let merge = SQLStatement("INSERT INTO pam_search (pam_search, rank) VALUES ('merge', $1)")

  /// The newest matches behind a row.
  static let matches = SQLStatement(
    """
    SELECT rowid FROM pam_search
    WHERE pam_search MATCH $1 AND rowid < $2
    ORDER BY rowid DESC LIMIT $3
    """)
  /// The newest texts of everybody behind a row.
  static let texts = SQLStatement(
    "SELECT rowid, content FROM pam_messages WHERE rowid < $1 ORDER BY rowid DESC LIMIT $2")
  static let message = SQLStatement("SELECT \(Statements.messageColumns) FROM pam_messages WHERE rowid = $1")
  static let rowOfMessage = SQLStatement("SELECT rowid FROM pam_messages WHERE id = $1")

  // MARK: Texts that are about to go

  static let textsOfConversation = SQLStatement(
    """
    SELECT rowid, content FROM pam_messages WHERE conversation_id = $1
    ORDER BY branch, position LIMIT $2
    """)
  static let textsOfBranch = SQLStatement(
    """
    SELECT rowid, content, position FROM pam_messages
    WHERE conversation_id = $1 AND branch = $2 AND position BETWEEN $3 AND $4 AND status <> 'deleted'
    ORDER BY position LIMIT $5
    """)

  /// Also of a conversation that is being erased.
  static let owner = SQLStatement("SELECT user_id FROM pam_conversations WHERE id = $1")

  // MARK: Upkeep

  static let state = SQLStatement("SELECT indexed, last, purge FROM pam_search_state WHERE id = 1")
  static let unindexed = SQLStatement(
    """
    SELECT m.rowid, m.conversation_id, c.user_id, m.content FROM pam_messages m
    JOIN pam_conversations c ON c.id = m.conversation_id
    WHERE m.rowid > $1 AND m.rowid <= $2
    ORDER BY m.rowid LIMIT $3
    """)
  static let beginAnew = SQLStatement(
    """
    INSERT INTO pam_search_state (id, indexed, last) SELECT 1, 0, COALESCE(max(rowid), 0) FROM pam_messages WHERE true
    ON CONFLICT (id) DO UPDATE SET indexed = excluded.indexed, last = excluded.last, purge = 0
    """)
  static let indexed = SQLStatement("UPDATE pam_search_state SET indexed = $1, last = $2 WHERE id = 1")
  static let wantPurge = SQLStatement("UPDATE pam_search_state SET purge = 1 WHERE id = 1 AND purge <> 1")
  static let purged = SQLStatement("UPDATE pam_search_state SET purge = 0 WHERE id = 1 AND purge = 2")
  static let setPurge = SQLStatement("UPDATE pam_search_state SET purge = $1 WHERE id = 1")

  /// The statements that requests make, for the test that reads their query plans.
  static let hot: [SQLStatement] = [message, rowOfMessage, textsOfConversation, textsOfBranch, owner]
}
