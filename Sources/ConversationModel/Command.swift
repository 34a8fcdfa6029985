/// A change that a client asks for. One command is one change: it raises its conversation's version
/// by exactly one, whatever it did, or not at all when it was a replay.
public enum Command: Sendable {
  case open(OpenConversation)
  case update(UpdateConversation)
  case append(Append)
  case revise(Revise)
  /// Gives an answer that was being written its final text.
  case finish(FinishAnswer)
  /// Blanks a message and keeps its place; once more is a replay.
  case deleteMessage(DeleteMessage)
  case makeBranch(MakeBranch)
  case updateBranch(UpdateBranch)
  /// Leaves a tombstone of a branch, and blanks its messages.
  case deleteBranch(BranchKey)
  /// Removes the conversation with everything in it. Once more, while it is `pending`, asks how far that is.
  case erase(ConversationID)
  /// Removes all conversations of a user; the user is then a new, empty one. Once more asks how far that is.
  case eraseUser(UserID)
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
  /// Which one, where `parent` is the head of several; without a parent the branch to add to. Nil for
  /// the active branch.
  public var branch: BranchNumber?
  public var onConflict: OnConflict

  /// What happens when `parent` is not the head of the branch.
  public enum OnConflict: String, Hashable, Sendable, CaseIterable {
    /// The messages become a new branch behind `parent`, which is not activated.
    case branch
    /// `.conflict`
    case reject
  }

  public init(
    to conversation: ConversationID, _ messages: [NewMessage], parent: MessageID? = nil, branch: BranchNumber? = nil,
    onConflict: OnConflict = .branch
  ) {
    self.conversation = conversation
    self.messages = messages
    self.parent = parent
    self.branch = branch
    self.onConflict = onConflict
  }
}

/// Edits a message in place: the old text becomes a revision, what follows stays.
public struct Revise: Hashable, Sendable {
  public var message: MessageID
  /// Nil to keep it.
  public var content: String?
  /// Nil to keep it.
  public var metadata: JSONText?
  /// Refused with `preconditionFailed` unless the message stands at this revision.
  public var ifRevision: Int?

  public init(_ message: MessageID, content: String? = nil, metadata: JSONText? = nil, ifRevision: Int? = nil) {
    self.message = message
    self.content = content
    self.metadata = metadata
    self.ifRevision = ifRevision
  }
}

/// Ends an answer whose place was taken before its text was there.
public struct FinishAnswer: Hashable, Sendable {
  public enum Ending: String, Hashable, Sendable, CaseIterable {
    case complete
    /// It was cancelled, or cut off.
    case incomplete

    /// How a message that ended like this stands.
    public var status: Message.Status { self == .complete ? .complete : .incomplete }
  }

  public var message: MessageID
  public var content: String
  public var metadata: JSONText
  public var ending: Ending

  public init(_ message: MessageID, content: String, metadata: JSONText = .emptyObject, ending: Ending) {
    self.message = message
    self.content = content
    self.metadata = metadata
    self.ending = ending
  }
}

/// Blanks a message's text, revisions and metadata.
public struct DeleteMessage: Hashable, Sendable {
  public var message: MessageID
  /// Refused with `preconditionFailed` unless the message stands at this revision.
  public var ifRevision: Int?

  public init(_ message: MessageID, ifRevision: Int? = nil) {
    self.message = message
    self.ifRevision = ifRevision
  }
}

/// Starts a branch at a message.
public struct MakeBranch: Hashable, Sendable {
  public enum Start: Hashable, Sendable {
    /// The branch goes on behind the message; nil for before the first.
    case after(MessageID?)
    /// The branch's first message takes the place of this one, and its role.
    case inPlaceOf(MessageID)
  }

  public var conversation: ConversationID
  public var start: Start
  /// `fork`, `edit` or `regenerate`.
  public var origin: Branch.Origin
  /// The branch's first message, needed for `inPlaceOf`; its client id makes the command repeatable.
  public var message: NewMessage?
  /// Follows `message`: the answer to an edited question, which is still to be written.
  public var answer: NewMessage?
  public var title: String?
  /// Whether it becomes the active branch.
  public var isActivated: Bool

  /// Goes on behind a message, or before the first one.
  public static func fork(
    _ conversation: ConversationID, after message: MessageID?, title: String? = nil, isActivated: Bool = true
  ) -> MakeBranch {
    MakeBranch(
      conversation: conversation, start: .after(message), origin: .fork, message: nil, title: title,
      isActivated: isActivated)
  }

  /// Puts another text in a message's place. The replacement takes over the role and nothing else.
  public static func edit(
    _ conversation: ConversationID, _ message: MessageID, by replacement: NewMessage, title: String? = nil,
    isActivated: Bool = true
  ) -> MakeBranch {
    MakeBranch(
      conversation: conversation, start: .inPlaceOf(message), origin: .edit, message: replacement, title: title,
      isActivated: isActivated)
  }

  public init(
    conversation: ConversationID, start: Start, origin: Branch.Origin, message: NewMessage?,
    answer: NewMessage? = nil, title: String?, isActivated: Bool
  ) {
    self.conversation = conversation
    self.start = start
    self.origin = origin
    self.message = message
    self.answer = answer
    self.title = title
    self.isActivated = isActivated
  }
}

/// A branch of a conversation.
public struct BranchKey: Hashable, Sendable {
  public var conversation: ConversationID
  public var number: BranchNumber

  public init(_ conversation: ConversationID, _ number: BranchNumber) {
    self.conversation = conversation
    self.number = number
  }
}

/// Changes a branch's title.
public struct UpdateBranch: Hashable, Sendable {
  public var branch: BranchKey
  /// Nil for none.
  public var title: String?

  public init(_ branch: BranchKey, title: String?) {
    self.branch = branch
    self.title = title
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
  /// Whether it is an answer whose text is still to come, by `finish`: it takes its place now.
  public var isStreaming = false

  /// An answer that is still to be written.
  public static func answer(clientID: String? = nil, metadata: JSONText = .emptyObject) -> NewMessage {
    var answer = NewMessage(role: .assistant, content: "", clientID: clientID, metadata: metadata)
    answer.isStreaming = true
    return answer
  }

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
  /// The messages of an append, in its order; the message that was revised or deleted; the first
  /// message of a branch that was made with one.
  public var messages: [Message]
  /// The branch that was made, changed or deleted: also the one that an append made because its parent
  /// was no head.
  public var branch: Branch?
  /// How much an erasure removes.
  public var erasure: Erasure?
  public var version: Version?
  public var durability: Durability
  /// Nothing changed: the same command had been accepted before.
  public var isReplay: Bool

  public init(
    conversation: Conversation? = nil, messages: [Message] = [], branch: Branch? = nil, erasure: Erasure? = nil,
    version: Version?, durability: Durability = .stored, isReplay: Bool = false
  ) {
    self.conversation = conversation
    self.messages = messages
    self.branch = branch
    self.erasure = erasure
    self.version = version
    self.durability = durability
    self.isReplay = isReplay
  }
}

/// What an erasure removes.
public struct Erasure: Hashable, Sendable {
  /// Whether nothing of the texts is left: in no table, index, log or free page. What is left is hidden already and goes in
  /// the background.
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
