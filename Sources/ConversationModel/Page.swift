/// One page of a list.
public struct Page<Item: Sendable>: Sendable {
  public var items: [Item]
  /// Where the next page starts; nil on the last one.
  public var next: String?

  public init(items: [Item], next: String?) {
    self.items = items
    self.next = next
  }

  public var hasMore: Bool { next != nil }
}

/// Which page of a list is wanted.
public struct PageRequest: Hashable, Sendable {
  /// 1 to 200 items.
  public var limit: Int
  /// An opaque cursor of the same list; nil for the first page.
  public var cursor: String?

  public init(limit: Int = Limits.defaultPageItems, cursor: String? = nil) {
    self.limit = limit
    self.cursor = cursor
  }
}

/// A path of a conversation: root to the head of one branch.
public struct Path: Hashable, Sendable {
  public var conversation: ConversationKey
  /// Nil for the active branch.
  public var branch: BranchNumber?

  public init(_ conversation: ConversationKey, branch: BranchNumber? = nil) {
    self.conversation = conversation
    self.branch = branch
  }
}

/// Which part of a path is wanted.
public struct MessagePageRequest: Hashable, Sendable {
  /// A place on a path, named in one of three ways.
  public enum Anchor: Hashable, Sendable {
    case position(Position)
    case message(MessageID)
    /// `before` or `after` of an earlier page of the same conversation.
    case cursor(String)
  }

  public enum Part: Hashable, Sendable {
    /// The newest messages.
    case latest
    /// The nearest messages below the anchor.
    case before(Anchor)
    /// The nearest messages above the anchor.
    case after(Anchor)
    /// The anchor in the middle, as far as the ends of the path allow.
    case around(Anchor)
  }

  /// 1 to 200 messages.
  public var limit: Int
  public var part: Part
  /// Bytes of content and objects after which the page may break off, behind at least one message; nil
  /// for a whole page. The messages left out are named in `MessagePage.rest`.
  public var bytes: Int?

  public init(limit: Int = Limits.defaultPageItems, _ part: Part = .latest, bytes: Int? = nil) {
    self.limit = limit
    self.part = part
    self.bytes = bytes
  }
}

/// A bounded slice of a path, oldest message first.
public struct MessagePage: Sendable {
  public var conversation: ConversationID
  public var messages: [Message]
  /// The positions of the page that its messages do not reach, because it reached its bytes; nil for
  /// a whole page. Everything else speaks of the whole page.
  public var rest: ClosedRange<Position>?
  /// Ascending by position.
  public var forks: [Fork]
  /// The branch whose path this is.
  public var branch: BranchNumber
  /// Cursor for the messages below this page; nil at the start of the path.
  public var before: String?
  /// Cursor for the messages above this page; nil at its end.
  public var after: String?
  public var headPosition: Position
  public var version: Version
  /// Whether it comes from what the server remembers, because the store is down, or holds messages that
  /// are only spooled, which stand at its end.
  public var isDegraded: Bool

  public init(
    conversation: ConversationID, messages: [Message], rest: ClosedRange<Position>? = nil, forks: [Fork],
    branch: BranchNumber, before: String?, after: String?, headPosition: Position, version: Version,
    isDegraded: Bool = false
  ) {
    self.conversation = conversation
    self.messages = messages
    self.rest = rest
    self.forks = forks
    self.branch = branch
    self.before = before
    self.after = after
    self.headPosition = headPosition
    self.version = version
    self.isDegraded = isDegraded
  }
}

/// The positions that a page covers: `first ..< end` on a path of `head` messages.
public struct PageWindow: Hashable, Sendable {
  public let first: Position
  public let end: Position
  private let head: Position

  /// What an anchor at a position asks for.
  public enum Placement: Hashable, Sendable {
    case latest
    case before(Position)
    case after(Position)
    case around(Position)
  }

  /// - Parameters:
  ///   - placement: Its position lies in `0 ... head + 1`.
  ///   - limit: At least 1.
  ///   - head: The number of messages on the path.
  public init(_ placement: Placement, limit: Int, head: Position) {
    self.head = head
    switch placement {
    case .latest:
      end = head + 1
      first = max(1, end - limit)
    case .before(let position):
      end = min(max(position, 1), head + 1)
      first = max(1, end - limit)
    case .after(let position):
      first = min(max(position, 0), head) + 1
      end = min(first + limit, head + 1)
    case .around(let position):
      // Shifted, not cut, at the ends of the path: the page is as full as the path allows.
      let wanted = max(1, position - limit / 2)
      first = max(1, min(wanted, head + 1 - limit))
      end = min(first + limit, head + 1)
    }
  }

  public var isEmpty: Bool { first >= end }
  /// Nil for an empty window.
  public var positions: ClosedRange<Position>? { isEmpty ? nil : first...(end - 1) }
  public var hasBefore: Bool { first > 1 }
  public var hasAfter: Bool { end <= head }
}
