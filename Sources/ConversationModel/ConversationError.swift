/// The one error of Parley's contracts.
public struct ConversationError: Error, Sendable {
  public enum Code: String, Sendable, CaseIterable {
    /// The request itself is wrong; repeating it will not help.
    case invalid
    /// No token, or one that does not verify.
    case unauthenticated
    /// A valid token for somebody who may not do this.
    case forbidden
    /// No such thing, or not the caller's: the two cannot be told apart.
    case notFound = "not_found"
    /// It was there and has been deleted.
    case gone
    /// It contradicts what is stored, such as a client id used before for another text.
    case conflict
    /// `If-Match` named another version.
    case preconditionFailed = "precondition_failed"
    /// Larger than a limit.
    case tooLarge = "too_large"
    /// Too many requests in a window.
    case rateLimited = "rate_limited"
    /// The store cannot take it now. The outcome may be unknown: repeat with the same client id.
    case unavailable
    /// A fault of Parley's.
    case `internal`
  }

  public let code: Code
  /// A whole sentence for the caller: what was wrong, what is allowed. Never SQL, paths or input.
  public let message: String
  /// The request field that was wrong, where there is one.
  public let field: String?
  /// Which rule was broken, for doors that have a code of their own for it.
  public let rule: Rule?
  /// What happened below, for the log only.
  public let underlying: (any Error)?

  /// Rules that some door answers in a way of its own.
  public enum Rule: Hashable, Sendable {
    /// A client id came again with other content.
    case clientIDReused
    /// The message that a page was to start from is not on its path.
    case anchorNotOnPath
    /// A number in a JSON text is one that no double comes near.
    case numberRange
    /// Too much waits for the store: nothing was done, and nothing is wrong with it.
    case tooMuchWaits
    /// The branch has a turn already, which writes this message.
    case turnRuns(MessageID)
    /// What has the id is on its way out.
    case beingErased
  }

  public init(
    _ code: Code, _ message: String, field: String? = nil, rule: Rule? = nil, underlying: (any Error)? = nil
  ) {
    self.code = code
    self.message = message
    self.field = field
    self.rule = rule
    self.underlying = underlying
  }

  /// The one answer for unknown and foreign conversations.
  public static let noConversation = ConversationError(.notFound, "There is no such conversation.")
  /// The one answer for whatever would touch a deleted message.
  public static let deletedMessage = ConversationError(.gone, "The message was deleted.")
  /// The one answer for a cursor that no list made, or another one did.
  public static func damagedCursor(_ field: String? = "cursor") -> ConversationError {
    ConversationError(
      .invalid, "The cursor is damaged or belongs to another list; start again without it.", field: field)
  }
  /// The one answer for unknown and deleted branches.
  public static let noBranch = ConversationError(.notFound, "There is no such branch.", field: "branch")
  /// The one answer for unknown and foreign messages.
  public static let noMessage = ConversationError(.notFound, "There is no such message.")
}
