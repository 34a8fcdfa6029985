import ConversationModel
import TerminalCanvas

/// Everything that can happen to the screens.
enum DashboardEvent: Sendable {
  case key(Key)
  case tick
  /// What an effect has found; an answer to a request that was made again since is dropped.
  case answer(Answer, to: Request)
  /// What the live connection with this number says.
  case live(LiveNews, serial: Int)
  /// What the screens show has ended.
  case over
}

/// One question to the store or the server. Of each slot only the last one counts.
struct Request: Hashable, Sendable {
  enum Slot: Hashable, Sendable {
    case status, sessions, log, threads, preview, page, end, branches, detail, difference, switcher
    case search, open, turn, cancel, activate, export

    /// Whether it is not for a view to say how long its answer takes: the server's state has a bound of its own, and a file
    /// none.
    var isPatient: Bool { self == .status || self == .export }
  }

  var slot: Slot
  var number: Int
}

enum Answer: Sendable {
  case status(ServerStatus)
  case sessions([LiveSession], isPart: Bool)
  case log(LogPage)
  case conversations(Page<Conversation>)
  case page(MessagePage)
  case branches(Conversation, [Branch])
  case detail(MessageDetail, [Revision])
  /// The parent's path and the branch's own, both from behind the fork.
  case difference(MessagePage, MessagePage)
  case hits(Page<SearchHit>)
  case health(StoreHealth)
  case opened(Conversation)
  case begun(BegunTurn)
  case written(Receipt)
  case cancelled
  case exported(ThreadExport, bytes: Int)
  case failure(Failure)
}

enum LiveNews: Sendable {
  case attached(LiveStart)
  case event(LiveEvent)
  case ended(Failure)
}

/// An error as the screens show it.
struct Failure: Hashable, Sendable {
  var code: String
  var message: String
  /// Whether it is only for as long as an answer is being written.
  var isBusy = false

  init(_ error: ConversationError) {
    code = error.code.rawValue
    message = error.message
    if case .turnRuns = error.rule { isBusy = true }
  }

  init(code: String, _ message: String) {
    self.code = code
    self.message = message
  }

  /// Whether the other side may be there again later.
  var isOutage: Bool { code == ConversationError.Code.unavailable.rawValue }
  /// Whether the token has ended; the next try has another one, if there is one.
  var isExpired: Bool { code == ConversationError.Code.unauthenticated.rawValue }
  var isGone: Bool {
    code == ConversationError.Code.notFound.rawValue || code == ConversationError.Code.gone.rawValue
  }

  static let noAnswer = Failure(code: "unavailable", "The server does not answer.")
  static let tooSlow = Failure(code: "unavailable", "More happened than the screen could take.")
}
