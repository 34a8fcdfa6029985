/// What is searched for, and where.
public struct SearchQuery: Hashable, Sendable {
  /// Which messages of a conversation count.
  public enum Scope: String, Hashable, Sendable, CaseIterable {
    /// Those on the path of its active branch.
    case active
    /// Those of all branches that are not deleted.
    case all
  }

  /// 1 to `Limits.searchScalars` Unicode scalars. Without a word in them nothing is found.
  public var text: String
  /// Whose messages; nil for the principal's, all users' for the service role.
  public var user: UserID?
  /// Nil for all conversations.
  public var conversation: ConversationID?
  public var scope: Scope

  public init(
    _ text: String, user: UserID? = nil, conversation: ConversationID? = nil, scope: Scope = .active
  ) {
    self.text = text
    self.user = user
    self.conversation = conversation
    self.scope = scope
  }
}

/// A message that a search found.
public struct SearchHit: Hashable, Sendable {
  public var message: Message
  /// A part of its text with the first word that was found, on one line; `…` stands where something was left out.
  public var snippet: String
  /// The title of its conversation.
  public var title: String?

  public init(message: Message, snippet: String, title: String?) {
    self.message = message
    self.snippet = snippet
    self.title = title
  }
}
