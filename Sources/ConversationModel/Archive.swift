/// A store that hands conversations out whole, and takes whole ones in.
///
/// What is handed out is everything that the conversation is: its tree with the places of deleted things, earlier texts,
/// ids, times and versions. Taken in by an empty store it is the same conversation again.
public protocol ArchivingStore: Store {
  /// The conversations of a user in the order of their ids: an order that no change alters, so that a reader that goes on from
  /// the last id meets every conversation that was there when it began.
  ///
  /// - Parameter user: Nil for all users', which the service role may ask for.
  /// - Returns: At most `Limits.archivedIDs`; empty at the end.
  /// - Throws: `.forbidden` for another user's.
  func conversationIDs(
    of user: UserID?, after id: ConversationID?, as principal: Principal
  ) async throws(ConversationError) -> [ConversationID]

  /// - Throws: `.notFound` if it is unknown or not the principal's.
  func archivedConversation(
    _ id: ConversationID, as principal: Principal
  ) async throws(ConversationError) -> ArchivedConversation

  /// The branch's own messages behind a position, deleted ones included, in their order.
  ///
  /// - Returns: At most 200, fewer if their texts are long; empty at the end.
  /// - Throws: `.notFound` if the conversation is unknown or not the principal's, and for an unknown branch.
  func archivedMessages(
    of branch: BranchKey, after position: Position, as principal: Principal
  ) async throws(ConversationError) -> [ArchivedMessage]

  /// Earlier texts of a message, oldest first: those whose numbers lie between two others.
  ///
  /// - Returns: At most 200, fewer if the texts are long; empty at the end.
  /// - Throws: `.notFound` if the message is unknown or not the principal's.
  func archivedRevisions(
    of message: MessageID, above number: Int, below end: Int, as principal: Principal
  ) async throws(ConversationError) -> [Revision]

  /// Begins to take a conversation in. Nobody sees it until `finishRestoring`; if that does not come, because the process
  /// ended, it is removed at the next start.
  ///
  /// It keeps its id if that is free. Otherwise it gets one that follows from its own and the user's, so that the same file
  /// taken in twice makes one conversation.
  /// - Returns: Nil if the user has it already.
  /// - Throws: `.conflict` with the rule `.beingErased` while what there was of it is being removed: under another id it would come
  ///   a second time afterwards.
  ///   `.invalid` or `.tooLarge` for a conversation that no store would hold; `.forbidden` for another user's.
  func beginRestoring(
    _ conversation: ArchivedConversation, as principal: Principal
  ) async throws(ConversationError) -> Restoration?

  /// Takes messages in: by branch, and on each branch without a gap. Ids that are not free are replaced as a conversation's.
  ///
  /// - Throws: `.invalid` or `.tooLarge` for a message that no store would hold, or that does not come next; `.conflict` for an id
  ///   or a client id that comes twice; `.notFound` if the user was erased meanwhile.
  func restore(
    _ messages: [ArchivedMessage], of restoration: inout Restoration
  ) async throws(ConversationError)

  /// Shows the conversation, if all its messages came.
  ///
  /// A session name that is taken is replaced by the conversation's id, and a second default conversation is none.
  /// - Returns: The conversation as it is now.
  /// - Throws: `.invalid` if messages are missing; `.notFound` if the user was erased meanwhile.
  func finishRestoring(_ restoration: Restoration) async throws(ConversationError) -> Conversation

  /// Removes what was taken in of a conversation that will not be finished.
  func abandonRestoring(_ restoration: Restoration) async
}

/// A conversation and its branches, without the messages.
public struct ArchivedConversation: Hashable, Sendable {
  /// Its counts and its head follow from the rest, and are not looked at when it is taken in.
  public var conversation: Conversation
  /// All, deleted ones included, by number.
  public var branches: [ArchivedBranch]

  public init(_ conversation: Conversation, branches: [ArchivedBranch]) {
    self.conversation = conversation
    self.branches = branches
  }
}

public struct ArchivedBranch: Hashable, Sendable {
  public var branch: Branch
  /// The conversation's version when it last changed.
  public var version: Version

  public init(_ branch: Branch, version: Version) {
    self.branch = branch
    self.version = version
  }
}

public struct ArchivedMessage: Hashable, Sendable {
  public var message: Message
  /// The conversation's version when it last changed.
  public var version: Version
  /// Earlier texts, oldest first. When it is handed out they are read apart, by `archivedRevisions`: there is no bound to
  /// their number.
  public var revisions: [Revision]

  public init(_ message: Message, version: Version, revisions: [Revision] = []) {
    self.message = message
    self.version = version
    self.revisions = revisions
  }
}

/// How far a conversation has been taken in.
public struct Restoration: Sendable {
  /// The conversation's own id, or the one it gets.
  public let id: ConversationID
  /// The store's, to tell it from another of the same conversation.
  public let mark: Int
  public let archive: ArchivedConversation
  public let principal: Principal
  /// Messages taken in so far, deleted ones not counted, nor those of deleted branches.
  public var messages = 0
  /// The last message's place; nil before the first.
  public var last: (branch: BranchNumber, position: Position)?
  /// Where its branch stands among the archive's.
  public var branchIndex = 0

  public init(id: ConversationID, mark: Int, archive: ArchivedConversation, principal: Principal) {
    self.id = id
    self.mark = mark
    self.archive = archive
    self.principal = principal
  }
}
