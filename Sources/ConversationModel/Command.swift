/// A change that a client asks for. One command is one change: it raises its conversation's version
/// by exactly one, whatever it did, or not at all when it was a replay.
public enum Command: Sendable {
  case open(OpenConversation)
  case update(UpdateConversation)
  case append(Append)
  /// Removes the conversation with everything in it.
  case erase(ConversationID)
}

/// Finds the conversation of a session, or makes it.
public struct OpenConversation: Hashable, Sendable {
  public var user: UserID
  public var session: SessionKey
  public var title: String?
  public var context: JSONText?
  /// Whether a conversation that exists takes `context` over, as the former system's programs
  /// expect. Otherwise it is left as it is.
  public var replacesContext: Bool

  public init(
    user: UserID, session: SessionKey, title: String? = nil, context: JSONText? = nil, replacesContext: Bool = false
  ) {
    self.user = user
    self.session = session
    self.title = title
    self.context = context
    self.replacesContext = replacesContext
  }
}

/// Changes facts about a conversation; unset fields stay.
public struct UpdateConversation: Hashable, Sendable {
  public enum Title: Hashable, Sendable {
    case named(String)
    /// Taken from the first line of the first user message, as if none had been set.
    case automatic
  }

  public var conversation: ConversationID
  public var title: Title?
  public var context: JSONText?
  public var isArchived: Bool?
  public var isPinned: Bool?
  public var activeBranch: BranchNumber?
  /// Refused with `preconditionFailed` unless the conversation stands at this version.
  public var ifVersion: Version?

  public init(
    _ conversation: ConversationID, title: Title? = nil, context: JSONText? = nil, isArchived: Bool? = nil,
    isPinned: Bool? = nil, activeBranch: BranchNumber? = nil, ifVersion: Version? = nil
  ) {
    self.conversation = conversation
    self.title = title
    self.context = context
    self.isArchived = isArchived
    self.isPinned = isPinned
    self.activeBranch = activeBranch
    self.ifVersion = ifVersion
  }
}

/// Adds one or several messages to the end of a branch: all of them or none.
public struct Append: Hashable, Sendable {
  public var conversation: ConversationID
  /// 1 to 100, in order.
  public var messages: [NewMessage]
  /// The message to continue after: a head. Nil for whatever is the head now.
  public var parent: MessageID?
  /// Nil for the branch of `parent`, or else the active one.
  public var branch: BranchNumber?

  public init(
    to conversation: ConversationID, _ messages: [NewMessage], parent: MessageID? = nil, branch: BranchNumber? = nil
  ) {
    self.conversation = conversation
    self.messages = messages
    self.parent = parent
    self.branch = branch
  }
}

/// A message that is not stored yet.
public struct NewMessage: Hashable, Sendable {
  public var role: Message.Role
  public var content: String
  /// The caller's own name for this append, which makes it repeatable.
  public var clientID: String?
  public var intent: String?
  public var confidence: Confidence?
  public var entities: JSONText
  public var metadata: JSONText

  public init(
    role: Message.Role, content: String, clientID: String? = nil, intent: String? = nil,
    confidence: Confidence? = nil, entities: JSONText = .emptyObject, metadata: JSONText = .emptyObject
  ) {
    self.role = role
    self.content = content
    self.clientID = clientID
    self.intent = intent
    self.confidence = confidence
    self.entities = entities
    self.metadata = metadata
  }
}

/// Where an acknowledged change lies. There is nothing weaker.
public enum Durability: String, Sendable {
  /// Committed and synced in the store.
  case stored
  /// Synced in the spool.
  case spooled
}

/// The answer to a command that was accepted.
public struct Receipt: Sendable {
  /// The conversation as it is now; set by `open` and `update`.
  public var conversation: Conversation?
  /// The messages of an append, in its order.
  public var messages: [Message]
  /// How much an erasure removes.
  public var erasure: Erasure?
  public var version: Version?
  public var durability: Durability
  /// Nothing changed: the same command had been accepted before.
  public var isReplay: Bool

  public init(
    conversation: Conversation? = nil, messages: [Message] = [], erasure: Erasure? = nil, version: Version?,
    durability: Durability = .stored, isReplay: Bool = false
  ) {
    self.conversation = conversation
    self.messages = messages
    self.erasure = erasure
    self.version = version
    self.durability = durability
    self.isReplay = isReplay
  }
}

/// What an erasure removes.
public struct Erasure: Hashable, Sendable {
  /// Whether nothing is left to remove. What is left is hidden already and goes in the background.
  public var isComplete: Bool
  public var conversations: Int
  public var branches: Int
  public var messages: Int
  public var revisions: Int

  public init(isComplete: Bool, conversations: Int, branches: Int, messages: Int, revisions: Int) {
    self.isComplete = isComplete
    self.conversations = conversations
    self.branches = branches
    self.messages = messages
    self.revisions = revisions
  }
}
