import ConversationModel

/// The live sessions: as read, and as shown.
struct SessionsState: Equatable {
  enum Sort: Int, CaseIterable, Equatable {
    case lag, pending, rate, messages, connections, activity, user, session, title
    var name: String {
      switch self {
      case .lag: "LAG"
      case .pending: "PEND"
      case .rate: "TOK/S"
      case .messages: "MSGS"
      case .connections: "CONN"
      case .activity: "ACTIVITY"
      case .user: "USER"
      case .session: "SESSION"
      case .title: "CONVERSATION"
      }
    }
    /// Numbers are wanted largest first, words from A to Z.
    var startsDescending: Bool { rawValue < Sort.user.rawValue }
  }

  private(set) var all: [LiveSession] = []
  private(set) var rows: [LiveSession] = []
  /// Whether the server has more than were read.
  var isPart = false
  var isLoaded = false
  var failure: Failure?
  var cursor = ListCursor()
  var sort = Sort.lag
  var isDescending = true
  var filter = LineInput()
  var isInverted = false
  var preview: Preview?

  /// The last messages of the selected session.
  struct Preview: Equatable {
    var conversation: ConversationID
    /// When the session was last active, as known when it was read.
    var activity: Timestamp
    var messages: [Message] = []
    var branch: BranchNumber = 0
    var isLoaded = false
    var failure: Failure?
  }

  var selected: LiveSession? { rows.indices.contains(cursor.selected) ? rows[cursor.selected] : nil }

  mutating func take(_ sessions: [LiveSession], isPart: Bool, height: Int) {
    all = sessions
    self.isPart = isPart
    isLoaded = true
    failure = nil
    arrange(height: height)
  }

  /// Sorts and filters; the selected session stays selected, wherever its row goes.
  mutating func arrange(height: Int) {
    let kept = selected?.conversation
    let wanted = Needle(filter.text)
    rows = all.filter { session in
      wanted.isEmpty
        || wanted.isIn([session.title ?? "(untitled)", session.sessionID ?? "(default)", session.user.description])
          != isInverted
    }
    let (sort, isDescending) = (sort, isDescending)
    rows.sort { left, right in
      let order = Self.order(left, right, by: sort)
      if order == 0 { return left.conversation < right.conversation }
      return isDescending ? order > 0 : order < 0
    }
    let row = kept.flatMap { id in rows.firstIndex { $0.conversation == id } } ?? cursor.selected
    cursor.select(row, count: rows.count, height: height)
  }

  /// Negative, 0 or positive.
  private static func order(_ left: LiveSession, _ right: LiveSession, by sort: Sort) -> Int {
    func compare<Value: Comparable>(_ left: Value, _ right: Value) -> Int {
      left < right ? -1 : left > right ? 1 : 0
    }
    return switch sort {
    case .lag: compare(left.lag, right.lag)
    case .pending: compare(left.pending, right.pending)
    case .rate: compare(left.turn?.tokensPerSecond ?? -1, right.turn?.tokensPerSecond ?? -1)
    case .messages: compare(left.messageCount, right.messageCount)
    case .connections: compare(left.connections.count, right.connections.count)
    case .activity: compare(left.lastActivity, right.lastActivity)
    case .user: compare(left.user, right.user)
    case .session: compare(left.sessionID ?? "", right.sessionID ?? "")
    case .title: compare(left.title?.lowercased() ?? "", right.title?.lowercased() ?? "")
    }
  }
}

extension LiveSession {
  /// What waits counts before what is done: a stalled session stands at the top.
  fileprivate var lag: Int { (isStalled ? 1 << 40 : 0) + (lagMilliseconds ?? -1) }
}

/// A text that is looked for, letters in either case.
struct Needle: Equatable {
  private let bytes: [UInt8]

  init(_ text: String) { bytes = Array(text.lowercased().utf8) }

  var isEmpty: Bool { bytes.isEmpty }

  func isIn(_ texts: [String]) -> Bool { texts.contains { isIn($0) } }

  func isIn(_ text: String) -> Bool {
    guard let first = bytes.first else { return true }
    var lowered = text.lowercased()
    return lowered.withUTF8 { hay in
      guard hay.count >= bytes.count else { return false }
      for start in 0...(hay.count - bytes.count) where hay[start] == first {
        if bytes.indices.allSatisfy({ hay[start + $0] == bytes[$0] }) { return true }
      }
      return false
    }
  }
}
