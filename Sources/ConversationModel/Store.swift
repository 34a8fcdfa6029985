/// The contract everything stands on: conversations, durable, each within its owner's walls.
///
/// Ownership, idempotency, transactions, cursors and batching live behind it. A thing that is not
/// the principal's and a thing that does not exist give the same error. A command handed over runs
/// to its end whether or not its caller is still there; a read that was cancelled before it started
/// is not made.
///
/// Every call may throw `.unavailable` (the store cannot serve it now; for a command the outcome is
/// then unknown, and repeating it with the same client ids is safe) and `.internal`.
public protocol Store: Sendable {
  /// Applies one change, durably: when it returns, the change survives a power cut.
  ///
  /// - Throws: `.invalid` or `.tooLarge` for a command beyond `Limits`; `.notFound` for a conversation,
  ///   message or branch that is not the principal's; `.conflict` for a client id used before with other
  ///   content, for a parent that is no head where that is to be rejected, for a branch that cannot
  ///   be deleted, for an edit of an answer that is being written and for an end of one that is not; `.gone` for a client id whose message was deleted and for a deleted message;
  ///   `.preconditionFailed` for another version or revision than the one named.
  func apply(_ command: Command, as principal: Principal) async throws(ConversationError) -> Receipt

  /// Keeps what an answer that is being written says so far, in case it is never finished. No change: it has no
  /// version, and readers of the message do not see it.
  ///
  /// - Throws: `.conflict` if the message is not being written; `.notFound`, `.gone`, `.tooLarge` and `.invalid` as
  ///   for a command.
  func keepDraft(_ content: String, of id: MessageID, as principal: Principal) async throws(ConversationError)

  /// Lists conversations, newest activity first.
  ///
  /// A user's list holds its own; the service role's holds all, unless the filter names a user. With a
  /// filter a page may come out short, or empty, and yet have a next one: the store looks at a bounded
  /// number of conversations for each.
  /// - Throws: `.invalid` for a limit outside `Limits.pageItems` and for a cursor that is damaged or
  ///   of another list.
  func conversations(
    _ filter: ConversationFilter, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<Conversation>

  /// - Throws: `.notFound` if it is unknown or not the principal's; `.invalid` for a name that no session has.
  func conversation(_ key: ConversationKey, as principal: Principal) async throws(ConversationError) -> Conversation

  /// Returns one page of a path, oldest message first.
  ///
  /// - Returns: At most `page.limit` messages; empty only at an end of the path.
  /// - Throws: `.notFound` for an unknown or foreign conversation and for an unknown branch;
  ///   `.invalid` for an anchor that is not on the path, for a damaged or foreign cursor, and for a name
  ///   that no session has.
  func messages(
    _ path: Path, _ page: MessagePageRequest, as principal: Principal
  ) async throws(ConversationError) -> MessagePage

  /// - Throws: `.notFound` if it is unknown or in somebody else's conversation; `.gone` if its branch was
  ///   deleted.
  func message(_ id: MessageID, as principal: Principal) async throws(ConversationError) -> MessageDetail

  /// The earlier texts of a message, newest first.
  ///
  /// - Throws: As `message`; `.invalid` for a limit outside `Limits.pageItems` and for a cursor that is
  ///   damaged or of another list.
  func revisions(
    of id: MessageID, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<Revision>

  /// The branches that are not deleted, by number.
  func branches(of id: ConversationID, as principal: Principal) async throws(ConversationError) -> [Branch]

  /// What changed behind a version, in whole versions.
  ///
  /// - Parameter limit: Rows, at most `Limits.pageItems`; a version with more comes whole all the same.
  ///   Long texts end the answer earlier.
  /// - Throws: `.notFound` if the conversation is unknown or not the principal's; `.invalid` for a version
  ///   that is still to come and for a limit out of range.
  func changes(
    in id: ConversationID, since version: Version, limit: Int, as principal: Principal
  ) async throws(ConversationError) -> Changes

  /// Finds messages by their words, newest first: in the order in which the store took them.
  ///
  /// A text matches if it holds all words of the search: whole ones, letters in either case, accents left out of account,
  /// `word*` for all that begin so. What is written without spaces between words (Chinese, Japanese, Korean, Thai) matches
  /// anywhere. There is no other syntax, and a text without a word finds nothing. A user's search finds among its own messages, the service role's among all unless
  /// the query names a user or a conversation; without, it reads the messages themselves.
  ///
  /// - Returns: Hits with their texts as they are now. A page may come out short, or empty, and yet have a next one: the
  ///   store looks at a bounded number of messages, and shows a bounded number of bytes, for each.
  /// - Throws: `.invalid` for a search beyond `Limits`, for a limit outside `Limits.pageItems` and for
  ///   a cursor that is damaged or of another search; `.forbidden` for another user; `.notFound` for a conversation that is
  ///   unknown or not the principal's.
  func search(
    _ query: SearchQuery, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<SearchHit>

  /// Counts what the store holds. Looks at every conversation: for now and then, not for every request.
  func statistics() async throws(ConversationError) -> StoreStatistics

  /// Whether the store takes commands, and what it has counted. Never waits for the store.
  func health() async -> StoreHealth
}
