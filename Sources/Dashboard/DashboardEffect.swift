import ConversationModel

/// What the screens want done. The runtime does it, away from the terminal's thread where it may take time.
enum DashboardEffect: Hashable, Sendable {
  /// Answered by one `DashboardEvent.answer` with the same request.
  case load(Query, Request)
  /// Follows a conversation, instead of the one before; `serial` numbers what comes of it.
  case attach(ConversationID, since: Version?, serial: Int)
  case detach
  /// Tells the others whether this user is writing.
  case typing(Bool)
  case copy(String)
  case mouse(Bool)
  case suspend
  case redraw
  case quit
}

/// What can be asked.
enum Query: Hashable, Sendable {
  case status
  /// All live sessions, as far as the screens show them.
  case sessions
  case log(since: Int)
  case conversations(ConversationFilter, cursor: String?, limit: Int)
  case page(ConversationID, branch: BranchNumber?, MessagePageRequest.Part, limit: Int)
  case branches(ConversationID)
  case detail(MessageID)
  case difference(ConversationID, branch: BranchNumber, parent: BranchNumber, fork: Position)
  case search(SearchQuery, cursor: String?)
  /// Whether messages are taken; for a user, who is told no more.
  case health
  /// The conversation of a session, made if there is none.
  case open(UserID, session: String)
  case turn(TurnRequest, in: ConversationID)
  /// A question alone, where nobody can answer it now.
  case append(NewMessage, to: ConversationID, branch: BranchNumber?)
  case revise(MessageID, String, ifRevision: Int)
  case cancel(turn: MessageID, in: ConversationID)
  case activate(BranchNumber, in: ConversationID)
  case export(ThreadExport)
}

/// How much the screens hold, so that a day of looking around costs no more than a minute.
enum Bounds {
  /// Live sessions that are read and sorted; a server with more says so.
  static let sessions = 1_000
  /// Records of the log; what the server keeps.
  static let records = Limits.logRecords
  /// Conversations of the list that are held at once; further ones are read again on the way.
  static let conversations = 2_000
  /// Conversations read at once.
  static let conversationPage = 100
  /// Hits of a search read at once.
  static let hits = 50
  /// Messages read at once.
  static let messagePage = 50
  /// Messages of the open thread, and bytes of their texts.
  static let messages = 1_000
  static let textBytes = 4_194_304
  /// Graphemes of a file's name: what the system takes at most.
  static let path = 4_096
  /// Microseconds after which a server that does not answer counts as lost.
  static let silence: Int64 = 2_000_000
  /// Microseconds for which any other answer is waited for.
  static let patience: Int64 = 15_000_000
  /// Microseconds between two looks whether the server is there, however slow the screens tick.
  static let probe: Int64 = 2_000_000
  /// Seconds between two tries to reach a lost server.
  static let backoff: [Int64] = [1, 2, 4, 5]
  /// Ticks that a value may miss before it is shown as old.
  static let staleTicks: Int64 = 3
}
