/// Every statement of the store, one constant each: keywords in capitals, columns listed, a total
/// order and a limit wherever more than one row can come.
///
/// None of the hot ones may scan a table or sort; a test reads their query plans.
enum Statements {
  static let conversationColumns = """
    c.id, c.user_id, c.session_id, c.is_default, c.title, c.context_data, c.archived, c.pinned, \
    c.active_branch, b.head_position, c.message_count, c.branch_count, c.version, c.created_at, c.updated_at
    """
  private static let fromConversations = """
    FROM pam_conversations c
    JOIN pam_branches b ON b.conversation_id = c.id AND b.number = c.active_branch
    """
  static let messageColumns = """
    id, client_id, conversation_id, branch, position, role, content, intent, confidence, entities, metadata, \
    status, revision, created_at, edited_at
    """

  // MARK: Conversations

  static let conversationByID = SQLStatement(
    """
    SELECT \(conversationColumns) \(fromConversations)
    WHERE c.id = $1 AND c.erasing = 0
    """)
  static let conversationBySession = SQLStatement(
    """
    SELECT \(conversationColumns) \(fromConversations)
    WHERE c.user_id = $1 AND c.session_id = $2 AND c.erasing = 0
    """)
  static let conversationByDefault = SQLStatement(
    """
    SELECT \(conversationColumns) \(fromConversations)
    WHERE c.user_id = $1 AND c.is_default = 1 AND c.erasing = 0
    """)
  static let conversationLatest = SQLStatement(
    """
    SELECT \(conversationColumns) \(fromConversations)
    WHERE c.user_id = $1 AND c.message_count > 0 AND c.erasing = 0
    ORDER BY c.updated_at DESC, c.id DESC LIMIT 1
    """)
  static let conversationsOfUser = SQLStatement(
    """
    SELECT \(conversationColumns) \(fromConversations)
    WHERE c.user_id = $1 AND (c.updated_at, c.id) < ($2, $3) AND c.erasing = 0
    ORDER BY c.updated_at DESC, c.id DESC LIMIT $4
    """)
  static let conversationsOfAll = SQLStatement(
    """
    SELECT \(conversationColumns) \(fromConversations)
    WHERE (c.updated_at, c.id) < ($1, $2) AND c.erasing = 0
    ORDER BY c.updated_at DESC, c.id DESC LIMIT $3
    """)
  static let insertConversation = SQLStatement(
    """
    INSERT INTO pam_conversations (id, user_id, session_id, is_default, title, context_data, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
    """)
  static let updateConversation = SQLStatement(
    """
    UPDATE pam_conversations
    SET title = $2, context_data = $3, archived = $4, pinned = $5, active_branch = $6, version = $7, updated_at = $8
    WHERE id = $1
    """)
  static let firstUserMessages = SQLStatement(
    """
    SELECT content FROM pam_messages
    WHERE conversation_id = $1 AND branch = $2 AND role = 'user' AND status = 'complete'
    ORDER BY position LIMIT $3
    """)

  // MARK: Branches

  static let branchColumns = "number, parent, fork_position, head_position, title, origin, deleted, created_at"
  static let branch = SQLStatement(
    """
    SELECT \(branchColumns) FROM pam_branches
    WHERE conversation_id = $1 AND number = $2
    """)
  static let branches = SQLStatement(
    """
    SELECT \(branchColumns) FROM pam_branches
    WHERE conversation_id = $1 AND deleted = 0
    ORDER BY number LIMIT $2
    """)
  static let forks = SQLStatement(
    """
    SELECT fork_position + 1, number FROM pam_branches
    WHERE conversation_id = $1 AND parent = $2 AND fork_position BETWEEN $3 AND $4
      AND deleted = 0 AND head_position > fork_position
    ORDER BY fork_position, number LIMIT $5
    """)
  static let insertBranch = SQLStatement(
    """
    INSERT INTO pam_branches (conversation_id, number, parent, fork_position, head_position, title, origin, version, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    """)
  static let moveHead = SQLStatement(
    """
    UPDATE pam_branches SET head_position = $3, version = $4
    WHERE conversation_id = $1 AND number = $2
    """)

  static let emptyBranches = SQLStatement(
    """
    SELECT number FROM pam_branches
    WHERE conversation_id = $1 AND parent = $2 AND fork_position = $3 AND head_position = $3 AND deleted = 0
    ORDER BY number LIMIT $4
    """)
  static let childOfBranch = SQLStatement(
    """
    SELECT number FROM pam_branches
    WHERE conversation_id = $1 AND parent = $2 AND deleted = 0
    LIMIT 1
    """)
  static let nextBranch = SQLStatement("SELECT next_branch FROM pam_conversations WHERE id = $1")
  static let stampBranch = SQLStatement(
    "UPDATE pam_branches SET version = $3 WHERE conversation_id = $1 AND number = $2")
  static let retitleBranch = SQLStatement(
    "UPDATE pam_branches SET title = $3, version = $4 WHERE conversation_id = $1 AND number = $2")
  static let buryBranch = SQLStatement(
    """
    UPDATE pam_branches SET deleted = 1, erasing = 1, title = NULL, version = $3
    WHERE conversation_id = $1 AND number = $2
    """)
  /// Every change of the tree is one version of its conversation.
  static let advance = SQLStatement(
    """
    UPDATE pam_conversations
    SET version = $2, updated_at = $3, active_branch = $4, message_count = message_count + $5,
      branch_count = branch_count + $6, next_branch = $7, title = COALESCE(title, $8)
    WHERE id = $1
    """)

  // MARK: Messages

  static let reviseMessage = SQLStatement(
    """
    UPDATE pam_messages
    SET content = $2, metadata = $3, revision = $4, edited_at = $5, version = $6, fingerprint = $7
    WHERE id = $1
    """)
  static let insertRevision = SQLStatement(
    """
    INSERT INTO pam_revisions (conversation_id, message_id, revision, content, metadata, fingerprint, replaced_at)
    SELECT conversation_id, id, revision, content, metadata, fingerprint, $2
    FROM pam_messages WHERE id = $1
    """)
  static let revisions = SQLStatement(
    """
    SELECT revision, content, metadata, replaced_at FROM pam_revisions
    WHERE conversation_id = $1 AND message_id = $2 AND revision < $3
    ORDER BY revision DESC LIMIT $4
    """)
  static let blankMessage = SQLStatement(
    """
    UPDATE pam_messages
    SET content = '', intent = NULL, confidence = NULL, entities = '{}', metadata = '{}', status = 'deleted',
      version = $2, fingerprint = $3
    WHERE id = $1
    """)
  static let finishMessage = SQLStatement(
    """
    UPDATE pam_messages
    SET content = $2, metadata = $3, status = $4, version = $5, fingerprint = $6
    WHERE id = $1
    """)
  static let keepDraft = SQLStatement(
    """
    INSERT INTO pam_drafts (conversation_id, message_id, content, updated_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (conversation_id, message_id) DO UPDATE
    SET content = excluded.content, updated_at = excluded.updated_at
    """)
  /// With what was kept of them.
  static let unfinished = SQLStatement(
    """
    SELECT m.id, m.metadata, d.content FROM pam_messages m
    LEFT JOIN pam_drafts d ON d.conversation_id = m.conversation_id AND d.message_id = m.id
    WHERE m.status = 'streaming'
    ORDER BY m.conversation_id LIMIT $1
    """)
  static let deleteRevisions = SQLStatement(
    "DELETE FROM pam_revisions WHERE conversation_id = $1 AND message_id = $2")
  static let deleteDraft = SQLStatement("DELETE FROM pam_drafts WHERE conversation_id = $1 AND message_id = $2")
  static let countMessages = SQLStatement(
    "SELECT count(*) FROM pam_messages WHERE conversation_id = $1 AND branch = $2 AND status <> 'deleted'")

  // MARK: Changes

  /// Those of one version come in the order of their making.
  static let changedMessages = SQLStatement(
    """
    SELECT \(messageColumns), version FROM pam_messages
    WHERE conversation_id = $1 AND version BETWEEN $2 AND $3
    ORDER BY version LIMIT $4
    """)
  static let changedBranches = SQLStatement(
    """
    SELECT \(branchColumns), version FROM pam_branches
    WHERE conversation_id = $1 AND version BETWEEN $2 AND $3
    ORDER BY version LIMIT $4
    """)
  static let deletedBranches = SQLStatement(
    "SELECT number FROM pam_branches WHERE conversation_id = $1 AND deleted = 1 ORDER BY number LIMIT $2")

  static let messagesOfBranch = SQLStatement(
    """
    SELECT \(messageColumns) FROM pam_messages
    WHERE conversation_id = $1 AND branch = $2 AND position BETWEEN $3 AND $4
    ORDER BY position LIMIT $5
    """)
  static let messageByID = SQLStatement("SELECT \(messageColumns) FROM pam_messages WHERE id = $1")
  static let messagePlace = SQLStatement("SELECT conversation_id, branch, position FROM pam_messages WHERE id = $1")
  static let messageAt = SQLStatement(
    """
    SELECT id, branch FROM pam_messages
    WHERE conversation_id = $1 AND branch = $2 AND position = $3
    """)
  static let messageByClientID = SQLStatement(
    """
    SELECT branch, position FROM pam_messages
    WHERE conversation_id = $1 AND client_id = $2
    """)
  static let fingerprints = SQLStatement(
    """
    SELECT m.client_id, m.status, COALESCE(r.fingerprint, m.fingerprint), m.role
    FROM pam_messages m
    LEFT JOIN pam_revisions r
      ON r.conversation_id = m.conversation_id AND r.message_id = m.id AND r.revision = 1
    WHERE m.conversation_id = $1 AND m.branch = $2 AND m.position BETWEEN $3 AND $4
    ORDER BY m.position LIMIT $5
    """)
  static let appendTarget = SQLStatement(
    """
    SELECT c.user_id, c.version, c.active_branch, b.head_position, c.title IS NULL, c.branch_count, c.updated_at
    \(fromConversations)
    WHERE c.id = $1 AND c.erasing = 0
    """)
  static let insertMessage = SQLStatement(
    """
    INSERT INTO pam_messages (\(messageColumns), version, fingerprint)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
    RETURNING rowid
    """)
  static let countAppend = SQLStatement(
    """
    UPDATE pam_conversations
    SET version = $2, message_count = message_count + $3, updated_at = $4, title = COALESCE(title, $5)
    WHERE id = $1
    """)

  // MARK: Erasure

  static let markErasing = SQLStatement(
    """
    UPDATE pam_conversations
    SET erasing = 1, is_default = 0, session_id = NULL, title = NULL, context_data = '{}'
    WHERE id = $1
    """)
  static let contents = SQLStatement(
    """
    SELECT count(*), COALESCE(sum(head_position - fork_position), 0),
      (SELECT count(*) FROM pam_revisions WHERE conversation_id = $1)
    FROM pam_branches WHERE conversation_id = $1
    """)
  static let erasing = SQLStatement(
    "SELECT id FROM pam_conversations WHERE erasing = 1 ORDER BY rowid LIMIT $1")
  /// Of a conversation that is hidden already, and of whose.
  static let ownerOfErasing = SQLStatement("SELECT user_id FROM pam_conversations WHERE id = $1 AND erasing = 1")
  static let isErasing = SQLStatement("SELECT 1 FROM pam_conversations WHERE id = $1 AND erasing = 1")
  static let erasingOfUser = SQLStatement(
    "SELECT id FROM pam_conversations WHERE erasing = 1 AND user_id = $1 ORDER BY rowid LIMIT $2")
  static let shownOfUser = SQLStatement(
    """
    SELECT id, updated_at FROM pam_conversations
    WHERE user_id = $1 AND (updated_at, id) > ($2, $3) AND erasing = 0
    ORDER BY updated_at, id LIMIT $4
    """)
  /// Those of which only the row itself is left.
  static let emptied = SQLStatement(
    """
    SELECT id FROM pam_conversations c
    WHERE erasing = 1 AND NOT EXISTS (SELECT 1 FROM pam_branches b WHERE b.conversation_id = c.id)
    ORDER BY rowid LIMIT $1
    """)
  static let eraseMessages = SQLStatement(
    """
    DELETE FROM pam_messages WHERE rowid IN (
      SELECT rowid FROM pam_messages WHERE conversation_id = $1
      ORDER BY branch, position LIMIT $2)
    """)
  static let eraseRevisions = SQLStatement(
    """
    DELETE FROM pam_revisions WHERE conversation_id = $1 AND message_id IN (
      SELECT DISTINCT message_id FROM pam_revisions WHERE conversation_id = $1
      ORDER BY message_id LIMIT $2)
    """)
  static let eraseDrafts = SQLStatement("DELETE FROM pam_drafts WHERE conversation_id = $1")
  static let eraseBranches = SQLStatement("DELETE FROM pam_branches WHERE conversation_id = $1")
  static let eraseConversation = SQLStatement("DELETE FROM pam_conversations WHERE id = $1 AND erasing = 1")

  // MARK: Blanking deleted branches

  static let buriedBranches = SQLStatement(
    """
    SELECT conversation_id, number, fork_position, head_position FROM pam_branches
    WHERE erasing = 1 AND deleted = 1
    ORDER BY conversation_id, number LIMIT $1
    """)
  static let blankMessages = SQLStatement(
    """
    UPDATE pam_messages
    SET content = '', intent = NULL, confidence = NULL, entities = '{}', metadata = '{}', status = 'deleted',
      fingerprint = $5
    WHERE conversation_id = $1 AND branch = $2 AND position BETWEEN $3 AND $4 AND status <> 'deleted'
    """)
  static let deleteRevisionsOfBranch = SQLStatement(
    """
    DELETE FROM pam_revisions WHERE conversation_id = $1 AND message_id IN (
      SELECT id FROM pam_messages WHERE conversation_id = $1 AND branch = $2 AND position BETWEEN $3 AND $4)
    """)
  static let deleteDraftsOfBranch = SQLStatement(
    """
    DELETE FROM pam_drafts WHERE conversation_id = $1 AND message_id IN (
      SELECT id FROM pam_messages WHERE conversation_id = $1 AND branch = $2 AND position BETWEEN $3 AND $4)
    """)
  static let branchIsBlank = SQLStatement(
    "UPDATE pam_branches SET erasing = 0 WHERE conversation_id = $1 AND number = $2")

  /// Every conversation: counts over a range that no index keeps.
  static let statistics = SQLStatement(
    """
    SELECT count(*), coalesce(sum(message_count), 0), coalesce(max(message_count), 0), min(created_at)
    FROM pam_conversations WHERE erasing = 0
    """)

  /// The statements that requests make, for the test that reads their query plans.
  static let hot: [SQLStatement] = [
    conversationByID, conversationBySession, conversationByDefault, conversationLatest, conversationsOfUser,
    conversationsOfAll, branch, branches, forks, messagesOfBranch, messageByID, messagePlace, messageAt,
    messageByClientID, fingerprints, appendTarget, moveHead, countAppend, updateConversation, firstUserMessages,
    contents, eraseMessages, eraseRevisions, emptyBranches, childOfBranch, nextBranch, stampBranch, retitleBranch,
    buryBranch, advance, reviseMessage, insertRevision, revisions, blankMessage, deleteRevisions, deleteDraft,
    countMessages, changedMessages, changedBranches, deletedBranches, buriedBranches, blankMessages,
    deleteRevisionsOfBranch, deleteDraftsOfBranch, branchIsBlank, finishMessage,
  ]
}
