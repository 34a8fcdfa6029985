import StoreSQL

/// The tables of the spool's file. Ids are 16-byte blobs, times whole microseconds since 1970.
enum SpoolSchema {
  /// Tells the file from a store's: "Prly" in ASCII.
  static let applicationID = 0x5072_6C79
  static let version = 1

  static let readApplicationID = SQLStatement("PRAGMA application_id")
  static let readVersion = SQLStatement("PRAGMA user_version")
  static let tables = SQLStatement("SELECT count(*) FROM sqlite_master")

  static let script = """
    CREATE TABLE records (
      sequence INTEGER PRIMARY KEY AUTOINCREMENT,
      kind TEXT NOT NULL CHECK (kind IN ('open', 'append')),
      conversation_id BLOB NOT NULL CHECK (length(conversation_id) = 16),
      user_id BLOB NOT NULL CHECK (length(user_id) = 16),
      session TEXT CHECK (session IN ('default', 'new', 'named')),
      session_id TEXT,
      title TEXT,
      context TEXT,
      replaces_context INTEGER NOT NULL DEFAULT 0 CHECK (replaces_context IN (0, 1)),
      parent BLOB CHECK (parent IS NULL OR length(parent) = 16),
      branch INTEGER,
      on_conflict TEXT CHECK (on_conflict IN ('branch', 'reject')),
      bytes INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      checksum BLOB NOT NULL,
      died_at INTEGER,
      reason_code TEXT,
      reason TEXT
    );
    CREATE INDEX records_waiting ON records (sequence) WHERE died_at IS NULL;
    CREATE INDEX records_dead ON records (sequence) WHERE died_at IS NOT NULL;
    CREATE INDEX records_conversation ON records (conversation_id, sequence);
    CREATE TABLE messages (
      sequence INTEGER NOT NULL,
      number INTEGER NOT NULL,
      conversation_id BLOB NOT NULL CHECK (length(conversation_id) = 16),
      id BLOB NOT NULL CHECK (length(id) = 16),
      client_id TEXT,
      role TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'system', 'tool')),
      content TEXT NOT NULL,
      intent TEXT,
      confidence REAL,
      entities TEXT NOT NULL,
      metadata TEXT NOT NULL,
      fingerprint BLOB NOT NULL
    );
    CREATE UNIQUE INDEX messages_place ON messages (sequence, number);
    CREATE INDEX messages_id ON messages (id);
    CREATE INDEX messages_client ON messages (conversation_id, client_id) WHERE client_id IS NOT NULL;
    CREATE TABLE aliases (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      fresh BLOB NOT NULL UNIQUE CHECK (length(fresh) = 16),
      real BLOB NOT NULL CHECK (length(real) = 16),
      conversation_id BLOB NOT NULL CHECK (length(conversation_id) = 16)
    );
    CREATE INDEX aliases_conversation ON aliases (conversation_id);
    CREATE TABLE known (
      id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
      user_id BLOB NOT NULL CHECK (length(user_id) = 16),
      head BLOB CHECK (head IS NULL OR length(head) = 16),
      session_id TEXT,
      is_default INTEGER,
      title TEXT,
      context TEXT,
      archived INTEGER,
      pinned INTEGER,
      active_branch INTEGER,
      head_position INTEGER,
      message_count INTEGER,
      branch_count INTEGER,
      version INTEGER,
      created_at INTEGER,
      updated_at INTEGER
    ) WITHOUT ROWID;
    CREATE TABLE facts (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    PRAGMA application_id = \(applicationID);
    PRAGMA user_version = \(version);
    """
}

enum SpoolStatements {
  static let recordColumns = """
    sequence, kind, conversation_id, user_id, session, session_id, title, context, replaces_context, parent, branch, \
    on_conflict, created_at, checksum
    """
  static let messageColumns =
    "id, client_id, role, content, intent, confidence, entities, metadata, fingerprint, conversation_id"

  static let insertRecord = SQLStatement(
    """
    INSERT INTO records (kind, conversation_id, user_id, session, session_id, title, context, replaces_context, parent,
      branch, on_conflict, created_at, checksum, bytes)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    RETURNING sequence
    """)
  static let insertMessage = SQLStatement(
    """
    INSERT INTO messages (sequence, number, \(messageColumns))
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    """)
  static let record = SQLStatement("SELECT \(recordColumns) FROM records WHERE sequence = $1")
  static let waiting = SQLStatement(
    """
    SELECT \(recordColumns), bytes FROM records
    WHERE died_at IS NULL AND sequence > $1 ORDER BY sequence LIMIT $2
    """)
  static let waitingOfConversation = SQLStatement(
    """
    SELECT \(recordColumns) FROM records
    WHERE conversation_id = $1 AND died_at IS NULL ORDER BY sequence LIMIT $2
    """)
  static let waitingOpen = SQLStatement(
    """
    SELECT \(recordColumns) FROM records
    WHERE died_at IS NULL AND user_id = $1 AND session = $2 AND session_id IS $3 AND kind = 'open'
    ORDER BY sequence LIMIT 1
    """)
  static let waitingOpens = SQLStatement(
    "SELECT \(recordColumns) FROM records WHERE died_at IS NULL AND kind = 'open' ORDER BY sequence LIMIT $1")
  static let owner = SQLStatement("SELECT user_id FROM records WHERE conversation_id = $1 ORDER BY sequence LIMIT 1")
  static let messages = SQLStatement(
    "SELECT \(messageColumns) FROM messages WHERE sequence = $1 ORDER BY number LIMIT $2")
  static let sequenceOfClientID = SQLStatement(
    """
    SELECT m.sequence FROM messages m JOIN records r ON r.sequence = m.sequence
    WHERE m.conversation_id = $1 AND m.client_id = $2 AND r.died_at IS NULL
    ORDER BY m.sequence LIMIT 1
    """)
  static let sequenceOfMessage = SQLStatement(
    """
    SELECT m.sequence FROM messages m JOIN records r ON r.sequence = m.sequence
    WHERE m.id = $1 AND r.died_at IS NULL
    ORDER BY m.sequence LIMIT 1
    """)
  static let deleteRecord = SQLStatement("DELETE FROM records WHERE sequence = $1")
  static let deleteMessages = SQLStatement("DELETE FROM messages WHERE sequence = $1")
  static let bury = SQLStatement(
    "UPDATE records SET died_at = $2, reason_code = $3, reason = $4 WHERE sequence = $1 AND died_at IS NULL")
  static let deadCount = SQLStatement("SELECT count(*) FROM records WHERE died_at IS NOT NULL")
  static let counts = SQLStatement(
    """
    SELECT conversation_id, count(*), sum(bytes), min(created_at) FROM records
    WHERE died_at IS NULL GROUP BY conversation_id ORDER BY conversation_id LIMIT $1
    """)
  static let conversationsOfUser = SQLStatement(
    """
    SELECT conversation_id FROM records WHERE user_id = $1
    UNION SELECT id FROM known WHERE user_id = $1
    ORDER BY 1 LIMIT $2
    """)
  static let purgeCounts = SQLStatement(
    """
    SELECT count(*) FILTER (WHERE died_at IS NULL), coalesce(sum(bytes) FILTER (WHERE died_at IS NULL), 0),
      count(*) FILTER (WHERE died_at IS NOT NULL)
    FROM records WHERE conversation_id = $1
    """)
  static let purgeMessages = SQLStatement(
    "DELETE FROM messages WHERE sequence IN (SELECT sequence FROM records WHERE conversation_id = $1)")
  static let purgeRecords = SQLStatement("DELETE FROM records WHERE conversation_id = $1")
  static let purgeAliases = SQLStatement("DELETE FROM aliases WHERE fresh = $1 OR conversation_id = $1 RETURNING fresh")
  static let insertAlias = SQLStatement(
    "INSERT INTO aliases (fresh, real, conversation_id) VALUES ($1, $2, $3) ON CONFLICT (fresh) DO NOTHING")
  static let aliases = SQLStatement("SELECT fresh, real FROM aliases ORDER BY number LIMIT $1")
  static let dropAliases = SQLStatement(
    "DELETE FROM aliases WHERE number <= (SELECT max(number) FROM aliases) - $1")

  static let knownColumns = """
    id, user_id, head, session_id, is_default, title, context, archived, pinned, active_branch, head_position, \
    message_count, branch_count, version, created_at, updated_at
    """
  static let known = SQLStatement("SELECT \(knownColumns) FROM known ORDER BY updated_at, id LIMIT $1")
  static let keepKnown = SQLStatement(
    """
    INSERT OR REPLACE INTO known (\(knownColumns))
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
    """)
  static let dropKnown = SQLStatement("DELETE FROM known WHERE id = $1")

  static let fact = SQLStatement("SELECT value FROM facts WHERE name = $1")
  static let keepFact = SQLStatement("INSERT OR REPLACE INTO facts (name, value) VALUES ($1, $2)")
}
