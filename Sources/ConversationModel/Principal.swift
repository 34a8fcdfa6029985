/// Who is asking.
public enum Principal: Hashable, Sendable {
  /// A user: sees and changes its own things, and cannot tell that others' exist.
  case user(UserID)
  /// The service role: may act on everything.
  case service

  /// Whether things owned by `owner` exist for this principal.
  public func owns(_ owner: UserID) -> Bool {
    switch self {
    case .user(let id): id == owner
    case .service: true
    }
  }

  /// The one user whose things this principal may see; nil for the service role, which sees all.
  public var onlyUser: UserID? {
    switch self {
    case .user(let id): id
    case .service: nil
    }
  }
}
