/// The second contract everything meets at: what is happening on a server right now.
///
/// The server's hub implements it in process, a remote store over the wire. The store is the truth, this
/// is who is looking at it: nothing here is durable.
///
/// Every call may throw `.unavailable` (the server cannot be reached) and `.internal`. The first three
/// are the service role's; anybody else gets `.forbidden`.
public protocol LiveSource: Sendable {
  /// What the server has measured. Never waits for the store.
  func status(as principal: Principal) async throws(ConversationError) -> ServerStatus

  /// The sessions that have connections, by conversation id, so that pages stay in place while they change.
  ///
  /// - Throws: `.invalid` for a limit outside `Limits.pageItems` and for a damaged cursor.
  func sessions(_ page: PageRequest, as principal: Principal) async throws(ConversationError) -> Page<LiveSession>

  /// What the server has logged behind a record, oldest first. Never text of messages.
  ///
  /// - Parameters:
  ///   - number: Of the last record that the caller knows; 0 for all that are kept.
  ///   - limit: Records, in `Limits.pageItems`.
  func log(
    since number: Int, limit: Int, as principal: Principal
  ) async throws(ConversationError) -> LogPage

  /// Follows a conversation: gives what the caller needs to start from, and then every change, each
  /// once and in order, until the connection is closed.
  ///
  /// - Throws: As `Store.messages`; `.invalid` for a `since` that is still to come.
  func attach(_ attach: Attach, as principal: Principal) async throws(ConversationError) -> any LiveConnection
}

/// Where to attach, and from where on.
public struct Attach: Hashable, Sendable {
  public enum Target: Hashable, Sendable {
    case conversation(ConversationID)
    /// Made if it is unknown.
    case session(SessionKey)
  }

  public var target: Target
  /// Whose session it is; only the service role has to say.
  public var user: UserID?
  /// The version that the caller knows; nil to get a page.
  public var since: Version?

  public init(_ target: Target, of user: UserID? = nil, since: Version? = nil) {
    self.target = target
    self.user = user
    self.since = since
  }
}

/// One client that follows a conversation.
public protocol LiveConnection: Sendable {
  /// What it was given when it attached.
  var start: LiveStart { get }

  /// What happens, one after the other; nil when the connection was closed by this side, and for a task that
  /// is cancelled: the connection goes on then. For one reader.
  ///
  /// - Throws: Why it ended: `.unavailable` for a server that stops, a connection that broke or a reader
  ///   that was too slow (attach again with the last version seen), `.unauthenticated` for a token that
  ///   ended, `.notFound` for a conversation that was erased.
  func next() async throws(ConversationError) -> LiveEvent?

  /// Adds a message to the connection's branch, or behind `parent`; with its client id it may be sent again.
  ///
  /// - Throws: As `Store.apply`.
  func send(_ message: NewMessage, parent: MessageID?) async throws(ConversationError) -> Receipt

  /// Asks for an answer on the connection's branch, or behind `parent`. It comes as events, the first of them perhaps
  /// before this returns.
  ///
  /// - Throws: As `Store.apply`; `.conflict` for a branch that has a turn already.
  func turn(_ request: TurnRequest) async throws(ConversationError) -> BegunTurn

  /// Ends an answer as it is, as `incomplete`; one that has ended stays as it is.
  ///
  /// - Throws: `.notFound` unless it is the user's.
  func cancel(_ turn: MessageID) async throws(ConversationError)

  /// Tells the others whether this user is writing. Never waits.
  func typing(_ isTyping: Bool)

  /// Idempotent; never waits.
  func close()
}

/// A turn that has begun, or had before.
public struct BegunTurn: Sendable {
  /// The id of the message that it writes.
  public var turn: MessageID
  /// Its first message is the question; the answer for one that is written anew. With the branch that it made.
  public var receipt: Receipt

  public init(turn: MessageID, receipt: Receipt) {
    self.turn = turn
    self.receipt = receipt
  }
}

extension LiveEvent {
  /// Two pieces of one answer that follow each other, as one; nil for anything else.
  public func joined(with next: LiveEvent) -> LiveEvent? {
    guard case .delta(let turn, let offset, let text) = self, case .delta(turn, _, let more) = next else { return nil }
    return .delta(turn: turn, offset: offset, text: text + more)
  }
}

/// What an attached client is given to start from.
public struct LiveStart: Sendable {
  public enum Content: Sendable {
    /// The newest page; with `isResync` because too much changed since the version that it knew.
    case page(MessagePage, isResync: Bool)
    /// Everything that changed since the version that it knew.
    case missed([Changes.Change])
  }

  public var conversation: Conversation
  /// The branch that the connection shows: another device's switch does not move it.
  public var branch: BranchNumber
  /// The client knows everything up to here; events go on behind it.
  public var version: Version
  public var content: Content
  public var presence: Presence

  public init(
    conversation: Conversation, branch: BranchNumber, version: Version, content: Content, presence: Presence
  ) {
    self.conversation = conversation
    self.branch = branch
    self.version = version
    self.content = content
    self.presence = presence
  }
}

/// What an attached client is told.
public enum LiveEvent: Sendable {
  /// Every row that a version changed and that no later one has changed again. Versions have no holes.
  case changes(Version, [Changes.Change])
  case presence(Presence)
  /// A message that was acknowledged as spooled has its place; the changes that hold it come, too.
  case stored(Delivery)
  /// All that an answer says so far, for whoever comes in the middle of it; its pieces go on from there. A turn has the
  /// id of the message that it writes.
  case draft(turn: MessageID, text: String)
  /// A piece of an answer, behind `offset` Unicode scalars of it.
  case delta(turn: MessageID, offset: Int, text: String)
  case tool(turn: MessageID, ToolUse)
  /// An answer has ended: complete, or incomplete because it was cancelled or because something failed.
  case done(turn: MessageID, Message, failure: ConversationError?)
  /// Too much changed at once to be told: the client reads a page, and goes on behind this version.
  case resync(Version)
}

/// A message that was acknowledged as spooled and is in the store now.
public struct Delivery: Hashable, Sendable {
  /// Nil if its sender gave it none.
  public var clientID: String?
  public var message: MessageID
  /// The id that was acknowledged: another one if the store had a message with this client id already.
  public var spooledID: MessageID
  public var position: Position
  public var version: Version

  public init(clientID: String?, message: MessageID, spooledID: MessageID, position: Position, version: Version) {
    self.clientID = clientID
    self.message = message
    self.spooledID = spooledID
    self.position = position
    self.version = version
  }
}

/// Who else is there.
public struct Presence: Hashable, Sendable {
  public struct Connection: Hashable, Sendable {
    public var id: String
    /// What the client calls itself; may be empty.
    public var client: String
    public var since: Timestamp

    public init(id: String, client: String, since: Timestamp) {
      self.id = id
      self.client = client
      self.since = since
    }
  }

  public var connections: [Connection]
  /// The ids of the connections whose user is writing.
  public var typing: [String]

  public init(connections: [Connection], typing: [String]) {
    self.connections = connections
    self.typing = typing
  }
}

/// A session with connections.
public struct LiveSession: Hashable, Sendable {
  public struct Connection: Hashable, Sendable {
    /// What the client calls itself; may be empty.
    public var client: String
    /// The address it comes from; empty for one inside the server.
    public var address: String
    public var since: Timestamp
    /// Milliseconds for which something has waited to be sent to it; 0 if nothing does.
    public var backlogMilliseconds: Int

    public init(client: String, address: String, since: Timestamp, backlogMilliseconds: Int) {
      self.client = client
      self.address = address
      self.since = since
      self.backlogMilliseconds = backlogMilliseconds
    }
  }

  /// An answer that is being written.
  public struct Turn: Hashable, Sendable {
    public var id: String
    public var branch: BranchNumber
    public var since: Timestamp
    public var tokens: Int
    /// Over the last seconds.
    public var tokensPerSecond: Double

    public init(id: String, branch: BranchNumber, since: Timestamp, tokens: Int, tokensPerSecond: Double) {
      self.id = id
      self.branch = branch
      self.since = since
      self.tokens = tokens
      self.tokensPerSecond = tokensPerSecond
    }
  }

  public var user: UserID
  /// Nil for a default conversation without a name.
  public var sessionID: String?
  public var isDefault: Bool
  public var conversation: ConversationID
  public var title: String?
  /// Not deleted, on all branches, as last heard of.
  public var messageCount: Int
  public var connections: [Connection]
  public var turn: Turn?
  /// Changes that wait for the store.
  public var pending: Int
  /// Milliseconds for which the oldest of them has waited, or that the last one took; nil before the first.
  public var lagMilliseconds: Int?
  /// Of a change or a connection.
  public var lastActivity: Timestamp

  public init(
    user: UserID, sessionID: String?, isDefault: Bool, conversation: ConversationID, title: String?,
    messageCount: Int, connections: [Connection], turn: Turn?, pending: Int, lagMilliseconds: Int?,
    lastActivity: Timestamp
  ) {
    self.user = user
    self.sessionID = sessionID
    self.isDefault = isDefault
    self.conversation = conversation
    self.title = title
    self.messageCount = messageCount
    self.connections = connections
    self.turn = turn
    self.pending = pending
    self.lagMilliseconds = lagMilliseconds
    self.lastActivity = lastActivity
  }

  /// Whether something has waited for longer than a person would.
  public var isStalled: Bool { pending > 0 && (lagMilliseconds ?? 0) > Limits.stalledMilliseconds }
}

/// A part of a server's log ring.
public struct LogPage: Hashable, Sendable {
  public struct Record: Hashable, Sendable {
    public struct Field: Hashable, Sendable {
      public var name: String
      public var value: String

      public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
      }
    }

    /// Counts from 1 since the server's start.
    public var number: Int
    public var time: Timestamp
    /// trace, debug, info, notice, warning, error or critical.
    public var level: String
    public var message: String
    /// By name.
    public var fields: [Field]

    public init(number: Int, time: Timestamp, level: String, message: String, fields: [Field]) {
      self.number = number
      self.time = time
      self.level = level
      self.message = message
      self.fields = fields
    }
  }

  /// Oldest first.
  public var records: [Record]
  /// Of the newest record that there is; lower than before after a restart.
  public var last: Int
  /// Whether records between the number asked for and the first one here are no longer kept.
  public var hasGap: Bool

  public init(records: [Record], last: Int, hasGap: Bool) {
    self.records = records
    self.last = last
    self.hasGap = hasGap
  }

  public var hasMore: Bool { records.last.map { $0.number < last } ?? false }
}
