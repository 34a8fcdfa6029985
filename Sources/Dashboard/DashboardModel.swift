public import ConversationModel
import TerminalCanvas

/// Everything the screens know. It changes in `apply`, and `Screen` draws it; nothing else is remembered.
struct DashboardModel: Equatable {
  enum View: Int, CaseIterable, Equatable {
    case sessions = 1, health, threads, thread, events
    /// The user's only one.
    case chat

    static let operators: [View] = [.sessions, .health, .threads, .thread, .events]
    var title: String {
      switch self {
      case .sessions: "Sessions"
      case .health: "Health"
      case .threads: "Threads"
      case .thread: "Thread"
      case .events: "Events"
      case .chat: "Chat"
      }
    }
  }

  /// Whether the server is there.
  enum Link: Equatable {
    /// Nothing has come yet; with the reason if a try has failed.
    case connecting(Failure?)
    case connected
    /// What was read before stays.
    case lost(Failure)
    /// It is there, and will not tell: a person has to do something.
    case refused(Failure)
  }

  /// What stands on top of a view and has the keys.
  enum Overlay: Equatable {
    case help(scroll: Int)
    case filter
    case find(LineInput)
    case palette(Palette)
    case switcher(Switcher)
    case search(Finder)
    case branches(selected: Int)
    case difference(Difference)
    case export(ExportPrompt)
  }

  var settings: DashboardSettings
  let glyphs: Glyphs
  var size: Size
  /// As last told; frozen while paused.
  var now: Moment
  let startedAt: Moment
  var isPaused = false
  var takesMouse = false
  var isOver = false

  var link = Link.connecting(nil)
  /// Failed tries since the server was last there, and when the next one is made.
  var attempts = 0
  var nextTry: Int64 = 0
  var lastTry: Int64 = 0
  /// What is under way: the number of the last question of each slot, and when it was asked.
  var requests: [Request.Slot: (number: Int, since: Int64)] = [:]
  var lastNumber = 0

  var interval: Int64 = 1_000_000
  var nextPoll: Int64 = 0
  var nextProbe: Int64 = 0

  var view = View.sessions
  var history: [View] = []
  var overlay: Overlay?
  /// A word about the last key, until the time.
  var notice: (text: String, until: Int64)?

  var status: ServerStatus?
  var statusAt: Int64 = 0
  var sessions = SessionsState()
  var threads = ThreadsState()
  var thread: ThreadState?
  /// Whether the open thread has changed since its screen was put where it belongs.
  var isUnsettled = false
  var events = EventsState()
  var healthScroll = 0
  /// One at a time.
  var exporting: RunningExport?
  /// Nil on the operators' screens.
  var chat: ChatState?

  init(settings: DashboardSettings, size: Size, glyphs: Glyphs = .unicode, now: Moment) {
    self.glyphs = glyphs
    self.settings = settings
    self.size = size
    self.now = now
    startedAt = now
    interval = settings.interval
    if case .user(let user, let session, let device) = settings.audience {
      chat = ChatState(user: user, session: session, device: device)
      view = .chat
    }
  }

  static func == (left: Self, right: Self) -> Bool {
    left.view == right.view && left.overlay == right.overlay && left.size == right.size && left.now == right.now
      && left.link == right.link && left.isPaused == right.isPaused && left.isOver == right.isOver
      && left.takesMouse == right.takesMouse && left.attempts == right.attempts && left.nextTry == right.nextTry
      && left.interval == right.interval && left.nextPoll == right.nextPoll && left.lastNumber == right.lastNumber
      && left.status == right.status && left.statusAt == right.statusAt && left.sessions == right.sessions
      && left.threads == right.threads && left.thread == right.thread && left.events == right.events
      && left.healthScroll == right.healthScroll && left.history == right.history
      && left.notice?.text == right.notice?.text && left.requests.keys == right.requests.keys
      && left.settings == right.settings && left.chat == right.chat && left.exporting == right.exporting
  }
}

/// What the program says about itself and the user wants, once.
public struct DashboardSettings: Hashable, Sendable {
  /// Of this program; the server's is shown as soon as it is known.
  public var version: String
  /// How the server is called on the screen: `127.0.0.1:7275`.
  public var server: String
  /// Microseconds between two readings: 500,000 to 30,000,000.
  public var interval: Int64
  /// Whether the server is this program: quitting stops it, and nothing may halt it.
  public var isServing: Bool
  public var audience: Audience

  /// Whose screens they are.
  public enum Audience: Hashable, Sendable {
    /// They see everything, and change nothing.
    case operators
    /// Talks, in this session to begin with, or in the latest. The device's name is a random one: no other may have it.
    case user(UserID, session: String?, device: String)
  }

  public init(
    version: String, server: String, interval: Duration = .seconds(1), isServing: Bool = false,
    audience: Audience = .operators
  ) {
    self.audience = audience
    self.version = version
    self.server = server
    self.isServing = isServing
    let (seconds, attoseconds) = interval.components
    self.interval = max(500_000, min(30_000_000, min(seconds, 60) * 1_000_000 + attoseconds / 1_000_000_000_000))
  }
}

extension DashboardModel {
  /// The scopes whose keys hold now, the nearest first.
  var scopes: [Scope] {
    switch overlay {
    case .help, .difference: [.text, .always]
    case .filter, .find, .palette, .switcher, .search, .branches, .export: [.prompt, .always]
    case nil: chat?.focus == .composer ? [.composer, .always] : Self.scopes(of: view) + [.always, .everywhere]
    }
  }

  static func scopes(of view: View) -> [Scope] {
    switch view {
    case .sessions: [.sessions, .sorted, .lists, .operators]
    case .health: [.health, .operators]
    case .threads: [.threads, .sorted, .lists, .operators]
    case .thread: [.thread, .reading, .operators]
    case .events: [.events, .lists, .operators]
    case .chat: [.chat, .thread]
    }
  }

  var isConnected: Bool { link == .connected }
  /// Whether the open thread is on the screen.
  var showsThread: Bool { view == .thread || view == .chat }
  /// How old the status is, in microseconds.
  var age: Int64 { max(0, now.steady - statusAt) }
  /// Whether what is shown is older than it should be.
  var isStale: Bool { status != nil && age > Bounds.staleTicks * max(interval, 1_000_000) + 500_000 }

  /// Whether messages wait for a store that is down, or may do so.
  var isSpooling: Bool {
    (status?.store.spool?.waiting ?? 0) > 0 || chat?.health?.warnings.isEmpty == false
  }

  func isPending(_ slot: Request.Slot) -> Bool { requests[slot] != nil }

  /// Asks a question; an answer to an earlier one of the slot is then too late.
  mutating func ask(_ query: Query, _ slot: Request.Slot) -> DashboardEffect {
    lastNumber += 1
    requests[slot] = (lastNumber, now.steady)
    return .load(query, Request(slot: slot, number: lastNumber))
  }

  mutating func say(_ text: String) {
    notice = (text, now.steady + 4_000_000)
  }

  /// When something is to be done even if nothing happens, on the steady clock; nil while paused.
  var wakeup: Int64? {
    if isPaused { return nil }
    var next = now.steady + now.untilNextSecond
    if let asked = requests[.status] {
      next = min(next, asked.since + Bounds.silence)
    } else {
      next = min(next, isConnected ? nextProbe : nextTry)
    }
    if isConnected { next = min(next, nextPoll) }
    if case .lost(let nextTry, _)? = thread?.live, isConnected, showsThread { next = min(next, nextTry) }
    if isConnected, let due = chat?.nextTry, !isPending(.turn), !isPending(.open) { next = min(next, due) }
    // Whatever is overdue waits a little: a wake-up that finds nothing to do must not follow the next at once.
    return max(next, now.steady + 10_000)
  }
}
