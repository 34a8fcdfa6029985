/// The tables of the former system, extended, and Parley's own, as a list of migrations.
///
/// A migration that has landed is never changed; a later one changes what it made. `version` of a
/// database is the number of migrations it has seen.
public struct SQLDialect: Sendable {
  /// Scripts in order, each run inside the transaction that records it.
  public let migrations: [String]
  /// Returns one row with the number of migrations that the database has seen.
  public let readVersion: SQLStatement
  /// A script that records the number.
  public let writeVersion: @Sendable (Int) -> String
  /// Runs behind the late rows of a transaction, with the pages that it may tidy as `$1`.
  public let upkeep: SQLStatement
  /// A script that leaves the search index empty, whatever became of it.
  public let emptySearch: String

  public init(
    migrations: [String], readVersion: SQLStatement, writeVersion: @escaping @Sendable (Int) -> String,
    upkeep: SQLStatement, emptySearch: String
  ) {
    self.migrations = migrations
    self.readVersion = readVersion
    self.writeVersion = writeVersion
    self.upkeep = upkeep
    self.emptySearch = emptySearch
  }
}

extension SQLDialect {
  /// SQLite: ids are 16-byte blobs, times whole microseconds since 1970, booleans 0 and 1.
  ///
  /// `pam_messages` is a rowid table: with random reads as rare as they are here, inserting into a
  /// heap and a narrow unique path index costs half of what a clustered table does.
  public static let sqlite = SQLDialect(
    migrations: [
      """
      CREATE TABLE pam_conversations (
        id BLOB NOT NULL CHECK (length(id) = 16),
        user_id BLOB NOT NULL CHECK (length(user_id) = 16),
        session_id TEXT,
        is_default INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
        title TEXT,
        context_data TEXT NOT NULL DEFAULT '{}',
        archived INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1)),
        pinned INTEGER NOT NULL DEFAULT 0 CHECK (pinned IN (0, 1)),
        erasing INTEGER NOT NULL DEFAULT 0 CHECK (erasing IN (0, 1)),
        active_branch INTEGER NOT NULL DEFAULT 0,
        next_branch INTEGER NOT NULL DEFAULT 1,
        branch_count INTEGER NOT NULL DEFAULT 1,
        message_count INTEGER NOT NULL DEFAULT 0,
        version INTEGER NOT NULL DEFAULT 1,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
      );
      CREATE UNIQUE INDEX pam_conversations_id ON pam_conversations (id);
      CREATE UNIQUE INDEX pam_conversations_session ON pam_conversations (user_id, session_id)
        WHERE session_id IS NOT NULL;
      CREATE UNIQUE INDEX pam_conversations_default ON pam_conversations (user_id) WHERE is_default = 1;
      CREATE INDEX pam_conversations_user_activity ON pam_conversations (user_id, updated_at, id);
      CREATE INDEX pam_conversations_activity ON pam_conversations (updated_at, id);
      CREATE INDEX pam_conversations_erasing ON pam_conversations (erasing) WHERE erasing = 1;

      CREATE TABLE pam_branches (
        conversation_id BLOB NOT NULL CHECK (length(conversation_id) = 16),
        number INTEGER NOT NULL,
        parent INTEGER,
        fork_position INTEGER NOT NULL,
        head_position INTEGER NOT NULL,
        title TEXT,
        origin TEXT NOT NULL CHECK (origin IN ('trunk', 'edit', 'regenerate', 'fork', 'conflict')),
        deleted INTEGER NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1)),
        version INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (conversation_id, number)
      ) WITHOUT ROWID;
      CREATE INDEX pam_branches_forks ON pam_branches (conversation_id, parent, fork_position)
        WHERE parent IS NOT NULL;

      CREATE TABLE pam_messages (
        id BLOB NOT NULL CHECK (length(id) = 16),
        conversation_id BLOB NOT NULL CHECK (length(conversation_id) = 16),
        branch INTEGER NOT NULL,
        position INTEGER NOT NULL,
        client_id TEXT,
        role TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'system', 'tool')),
        content TEXT NOT NULL,
        intent TEXT,
        confidence REAL,
        entities TEXT NOT NULL DEFAULT '{}',
        metadata TEXT NOT NULL DEFAULT '{}',
        status TEXT NOT NULL CHECK (status IN ('complete', 'streaming', 'incomplete', 'deleted')),
        revision INTEGER NOT NULL DEFAULT 1,
        version INTEGER NOT NULL,
        fingerprint BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        edited_at INTEGER
      );
      CREATE UNIQUE INDEX pam_messages_id ON pam_messages (id);
      CREATE UNIQUE INDEX pam_messages_path ON pam_messages (conversation_id, branch, position);
      CREATE UNIQUE INDEX pam_messages_client ON pam_messages (conversation_id, client_id)
        WHERE client_id IS NOT NULL;
      CREATE INDEX pam_messages_version ON pam_messages (conversation_id, version);

      CREATE TABLE pam_revisions (
        conversation_id BLOB NOT NULL CHECK (length(conversation_id) = 16),
        message_id BLOB NOT NULL CHECK (length(message_id) = 16),
        revision INTEGER NOT NULL,
        content TEXT NOT NULL,
        metadata TEXT NOT NULL,
        fingerprint BLOB NOT NULL,
        replaced_at INTEGER NOT NULL,
        PRIMARY KEY (conversation_id, message_id, revision)
      ) WITHOUT ROWID;

      CREATE TABLE pam_drafts (
        conversation_id BLOB NOT NULL CHECK (length(conversation_id) = 16),
        message_id BLOB NOT NULL CHECK (length(message_id) = 16),
        content TEXT NOT NULL,
        updated_at INTEGER NOT NULL,
        PRIMARY KEY (conversation_id, message_id)
      ) WITHOUT ROWID;
      """,
      // Deleted branches are blanked a chunk at a time, and changes are found by version.
      """
      ALTER TABLE pam_branches ADD COLUMN erasing INTEGER NOT NULL DEFAULT 0 CHECK (erasing IN (0, 1));
      CREATE INDEX pam_branches_erasing ON pam_branches (erasing, conversation_id, number) WHERE erasing = 1;
      CREATE INDEX pam_branches_version ON pam_branches (conversation_id, version);
      """,
      // One row, which is written and read back to see whether the store keeps what it is told.
      """
      CREATE TABLE pam_canary (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        mark INTEGER NOT NULL,
        written_at INTEGER NOT NULL
      );
      """,
      // Answers that a crash cut off are found without looking at every message.
      """
      CREATE INDEX pam_messages_streaming ON pam_messages (conversation_id) WHERE status = 'streaming';
      """,
      // The search index: words, no texts and no places in them. It is joined in small steps by Parley itself and never by
      // FTS5, which would do all that has gathered in one commit. What was there before is put in by `migrate`.
      """
      CREATE VIRTUAL TABLE pam_search USING fts5(words, content='', columnsize=0, detail=none, tokenize='ascii');
      INSERT INTO pam_search (pam_search, rank) VALUES ('automerge', 0), ('usermerge', 8), ('crisismerge', 500);
      CREATE VIRTUAL TABLE pam_search_words USING fts5vocab(pam_search, 'instance');
      CREATE TABLE pam_search_state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        indexed INTEGER NOT NULL,
        last INTEGER NOT NULL,
        purge INTEGER NOT NULL DEFAULT 0 CHECK (purge IN (0, 1, 2))
      );
      INSERT INTO pam_search_state (id, indexed, last) SELECT 1, 0, COALESCE(max(rowid), 0) FROM pam_messages;
      """,
    ],
    readVersion: SQLStatement("PRAGMA user_version"),
    writeVersion: { "PRAGMA user_version = \($0)" },
    upkeep: SearchStatements.merge,
    // FTS5 opens an index before it empties it, and cannot open one whose version, settings or first two records are damaged. So
    // these are written as FTS5 itself writes them for a new index (ext/fts5/fts5_index.c and fts5_config.c of SQLite).
    emptySearch: """
      CREATE TABLE IF NOT EXISTS pam_search_data (id INTEGER PRIMARY KEY, block BLOB);
      CREATE TABLE IF NOT EXISTS pam_search_idx (segid, term, pgno, PRIMARY KEY (segid, term)) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS pam_search_config (k PRIMARY KEY, v) WITHOUT ROWID;
      DELETE FROM pam_search_data;
      DELETE FROM pam_search_idx;
      DELETE FROM pam_search_config;
      INSERT INTO pam_search_data (id, block) VALUES (1, x''), (10, x'00000000000000');
      INSERT INTO pam_search_config (k, v) VALUES
        ('version', 4), ('automerge', 0), ('usermerge', 8), ('crisismerge', 500);
      INSERT INTO pam_search (pam_search) VALUES ('delete-all');
      """)
}
