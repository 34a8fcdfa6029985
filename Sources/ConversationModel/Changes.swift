/// What changed in a conversation since a version, as it is now.
///
/// There is no log of events: a row that changed twice shows once, in its latest form and at its latest
/// version. Whoever knows the conversation at `since` and takes all changes over knows it as it is.
public struct Changes: Sendable {
  /// One row as it is now.
  public struct Change: Hashable, Sendable {
    /// The conversation's version when the row last changed.
    public var version: Version
    public var row: Row

    public init(version: Version, row: Row) {
      self.version = version
      self.row = row
    }
  }

  public enum Row: Hashable, Sendable {
    case conversation(Conversation)
    /// Also one that was deleted, which takes all its messages with it.
    case branch(Branch)
    /// Also one that was deleted, blank.
    case message(Message)
  }

  /// In the order of their versions; within one branches, then messages by branch and position, then the
  /// conversation. Never a part of a version.
  public var changes: [Change]
  /// The version that these changes lead to: where to go on from.
  public var version: Version
  /// Whether there are changes behind `version`.
  public var hasMore: Bool
  /// Whether messages wait in the spool, which are no changes yet: a page shows them.
  public var isDegraded: Bool

  public init(changes: [Change], version: Version, hasMore: Bool, isDegraded: Bool = false) {
    self.changes = changes
    self.version = version
    self.hasMore = hasMore
    self.isDegraded = isDegraded
  }
}
