/// What a session holds: one tree of messages and the facts about it.
public struct Conversation: Hashable, Sendable {
  public var id: ConversationID
  public var userID: UserID
  /// Nil for a default conversation that never had a name.
  public var sessionID: String?
  /// Whether this is what `session_id` null means for its user.
  public var isDefault: Bool
  /// Nil until somebody sets one or the first user message gives one.
  public var title: String?
  public var context: JSONText
  public var isArchived: Bool
  public var isPinned: Bool
  /// The branch that is shown by default.
  public var activeBranch: BranchNumber
  /// The last position on the active branch's path; 0 for an empty conversation.
  public var headPosition: Position
  /// Messages that are not deleted, on all branches.
  public var messageCount: Int
  /// Branches that are not deleted.
  public var branchCount: Int
  public var version: Version
  public var createdAt: Timestamp
  /// The time of the last change of any kind.
  public var updatedAt: Timestamp

  public init(
    id: ConversationID, userID: UserID, sessionID: String?, isDefault: Bool, title: String?, context: JSONText,
    isArchived: Bool, isPinned: Bool, activeBranch: BranchNumber, headPosition: Position, messageCount: Int,
    branchCount: Int, version: Version, createdAt: Timestamp, updatedAt: Timestamp
  ) {
    self.id = id
    self.userID = userID
    self.sessionID = sessionID
    self.isDefault = isDefault
    self.title = title
    self.context = context
    self.isArchived = isArchived
    self.isPinned = isPinned
    self.activeBranch = activeBranch
    self.headPosition = headPosition
    self.messageCount = messageCount
    self.branchCount = branchCount
    self.version = version
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// Count of changes applied to a conversation: concurrency check, resume point and ETag in one number.
public typealias Version = Int

/// A session of one user: the durable key of a conversation.
public enum SessionKey: Hashable, Sendable {
  /// `session_id` null: the user's default conversation.
  case `default`
  /// A session by its name, compared as UTF-8 bytes.
  case named(String)
  /// No name given: a new session, named like its conversation's id.
  case new
}

/// Which conversation is meant.
public enum ConversationKey: Hashable, Sendable {
  case id(ConversationID)
  case session(UserID, SessionKey)
  /// The user's default conversation if it has messages, else its most recently active one. This is
  /// what the former system's history function means when no session is named.
  case defaultOrLatest(UserID)
}

/// Which conversations a list holds. Unset fields let everything pass.
public struct ConversationFilter: Hashable, Sendable {
  public var user: UserID?
  public var isArchived: Bool?
  public var isPinned: Bool?
  /// The title holds this text, letters in either case.
  public var titlePart: String?
  public var sessionID: String?
  public var isDefault: Bool?

  public init(
    user: UserID? = nil, isArchived: Bool? = nil, isPinned: Bool? = nil, titlePart: String? = nil,
    sessionID: String? = nil, isDefault: Bool? = nil
  ) {
    self.user = user
    self.isDefault = isDefault
    self.isArchived = isArchived
    self.isPinned = isPinned
    self.titlePart = titlePart
    self.sessionID = sessionID
  }
}
