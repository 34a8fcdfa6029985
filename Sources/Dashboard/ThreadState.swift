import ConversationModel
import TerminalCanvas

/// The open thread: the part of one branch's path that is held, and what of it is on the screen.
struct ThreadState: Equatable {
  /// Where the screen starts: a line of a message, 0 being the one with its name. The message keeps its row
  /// whatever is read above or below it.
  struct Anchor: Equatable, Comparable {
    var position: Position
    var line: Int
    static func < (left: Self, right: Self) -> Bool {
      (left.position, left.line) < (right.position, right.line)
    }
  }

  enum Live: Equatable {
    case off, attaching, attached
    case lost(nextTry: Int64, attempts: Int)
  }

  struct Detail: Equatable {
    let message: Message
    let revisions: [Revision]
    /// The message as it is read by programs.
    let json: String

    init(_ message: Message, _ revisions: [Revision]) {
      self.message = message
      self.revisions = revisions
      json = RawMessage.text(message)
    }
  }

  let id: ConversationID
  /// From the list that it was opened from; as last heard of.
  var title: String?
  var user: UserID?
  var sessionID: String?
  var conversation: Conversation?
  /// The branch whose path is shown; nil is the active one, until a page says which.
  var branch: BranchNumber?
  var tree = BranchTree()
  var window = MessageWindow()
  var head: Position = 0
  var version: Version = 0
  var isLoaded = false
  var failure: Failure?
  /// What the page under way is for.
  var loading: MessagePageRequest.Part?
  /// Whether the store was down when the end of the path was read last.
  var isDegraded = false

  var selected: Position = 0
  var anchor = Anchor(position: 0, line: 0)
  var isFollowing = true
  /// Messages that came while the newest was not on the screen.
  var unseen = 0
  /// Whether the branches have the keys.
  var isInBranches = false
  var branchCursor = ListCursor()

  var expanded: Set<MessageID> = []
  var raw: MessageID?
  var detail: Detail?
  var isWrapped = true
  var isBare = false
  /// Whether every text is shown to its end.
  var isWhole = false
  var needle = ""

  /// What happened while a page was being read: the page may be older.
  var meanwhile: [Changes.Change] = []
  var live = Live.off
  var serial = 0

  init(_ id: ConversationID, title: String?, user: UserID?, sessionID: String?) {
    self.id = id
    self.title = title
    self.user = user
    self.sessionID = sessionID
  }

  var selectedMessage: Message? { window[selected] }
  var hasOlder: Bool { window.first > 1 }
  var hasNewer: Bool { !window.isEmpty && window.last < head }
}

/// Which lines are on the screen. Only the messages near it are ever laid out.
struct Viewport {
  var thread: ThreadState
  var width: Int
  var height: Int
  var glyphs: Glyphs

  /// A line that says how many older messages are not loaded counts as a message of one line.
  private var lowest: Position { thread.hasOlder ? thread.window.first - 1 : thread.window.first }
  private var highest: Position { thread.window.end }

  func height(of position: Position) -> Int {
    guard let message = thread.window[position] else { return 1 }
    return MessageLayout(thread: thread, width: width, glyphs: glyphs).height(of: message)
  }

  /// The anchor so many lines below, or above if negative; at most the ends of what is loaded.
  func moved(_ anchor: ThreadState.Anchor, by lines: Int) -> ThreadState.Anchor {
    guard !thread.window.isEmpty else { return anchor }
    var anchor = anchor
    if anchor.position < lowest { anchor = .init(position: lowest, line: 0) }
    if anchor.position > highest { anchor = .init(position: highest, line: height(of: highest) - 1) }
    var left = lines
    while left > 0 {
      let room = height(of: anchor.position) - 1 - anchor.line
      if left <= room {
        anchor.line += left
        return anchor
      }
      guard anchor.position < highest else {
        anchor.line += max(0, room)
        return anchor
      }
      left -= room + 1
      anchor = .init(position: anchor.position + 1, line: 0)
    }
    while left < 0 {
      if -left <= anchor.line {
        anchor.line += left
        return anchor
      }
      guard anchor.position > lowest else { return .init(position: lowest, line: 0) }
      left += anchor.line + 1
      anchor = .init(position: anchor.position - 1, line: height(of: anchor.position - 1) - 1)
    }
    return anchor
  }

  /// Where the screen starts when the newest loaded message stands at its end.
  var bottom: ThreadState.Anchor {
    guard !thread.window.isEmpty else { return thread.anchor }
    let end = ThreadState.Anchor(position: highest, line: height(of: highest) - 1)
    return moved(end, by: -(height - 1))
  }

  /// The anchor, or the nearest one that exists and leaves no room below the end.
  func settled(_ anchor: ThreadState.Anchor) -> ThreadState.Anchor {
    guard !thread.window.isEmpty else { return anchor }
    var anchor = moved(anchor, by: 0)
    anchor.line = min(anchor.line, height(of: anchor.position) - 1)
    return min(anchor, bottom)
  }

  /// The anchor that shows a message, scrolled as little as that needs.
  func showing(_ position: Position, from anchor: ThreadState.Anchor) -> ThreadState.Anchor {
    if position < anchor.position || (position == anchor.position && anchor.line > 0) {
      return .init(position: position, line: 0)
    }
    // Far below: no need to walk there.
    guard position - anchor.position <= height else { return lastFitting(position) }
    var used = -anchor.line
    for passed in anchor.position...position { used += height(of: passed) }
    return used <= height ? anchor : max(anchor, lastFitting(position))
  }

  private func lastFitting(_ position: Position) -> ThreadState.Anchor {
    let own = height(of: position)
    guard own < height else { return .init(position: position, line: 0) }
    return moved(.init(position: position, line: own - 1), by: -(height - 1))
  }

  /// The messages that begin on the screen.
  func beginning(from anchor: ThreadState.Anchor) -> ClosedRange<Position>? {
    guard !thread.window.isEmpty else { return nil }
    let first = max(thread.window.first, anchor.line == 0 ? anchor.position : anchor.position + 1)
    var row = -anchor.line
    var last = anchor.position - 1
    for position in anchor.position...max(anchor.position, highest) {
      guard row < height else { break }
      last = position
      row += height(of: position)
    }
    last = min(last, highest)
    return first <= last ? first...last : nil
  }
}
