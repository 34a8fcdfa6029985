public import ConversationModel
import Wire

/// A `Store` over a running server's native door.
///
/// What the contract says holds here as it does for the server's own store, but for these:
/// - A session's key is looked up before what was asked for, and an `open` that replaces the context of a
///   conversation that exists is two commands: others may come in between.
/// - A receipt may call a command a replay that was sent twice by this store, see `apply`.
/// - All messages and ids of a command must fit one request body, `Limits.bodyBytes`; else `.tooLarge`.
/// - A branch is made as `MakeBranch.fork` and `.edit` make it, in no other way.
/// - `health` has counts only with a token of the service role, and `statistics` needs one.
///
/// Connection trouble is `.unavailable`, an answer that cannot be read `.internal`. Connections are pooled,
/// and closed when the last copy of the store is gone.
public struct RemoteStore: Store {
  /// What a server may cost its client.
  public struct Configuration: Sendable {
    /// Seconds for a connection to come about, or to become free.
    public var connectSeconds: Int
    /// Seconds in which the next part of an answer must come.
    public var answerSeconds: Int
    /// Bytes of one answer; `Limits.replyBytes` at most.
    public var answerBytes: Int
    /// Connections at the same time; further requests wait for one. Live connections are not counted.
    public var connections: Int
    /// Seconds without a sign of life after which a live connection is given up; it is asked for one before.
    public var silenceSeconds: Int
    /// What this client calls itself: 1 to `Limits.clientNameScalars` printable characters of ASCII.
    public var client: String

    public init(
      connectSeconds: Int = 5, answerSeconds: Int = 30, answerBytes: Int = Limits.replyBytes, connections: Int = 64,
      silenceSeconds: Int = 75, client: String = "parley"
    ) {
      self.connectSeconds = connectSeconds
      self.answerSeconds = answerSeconds
      self.answerBytes = min(answerBytes, Limits.replyBytes)
      self.connections = connections
      self.silenceSeconds = silenceSeconds
      self.client = client
    }
  }

  let server: ServerConnection

  /// - Parameters:
  ///   - server: `http://HOST:PORT` or `https://HOST:PORT`; a path before `/v1` may follow.
  ///   - token: A token, or key, that the server takes for this principal. Asked for before every request.
  /// - Throws: `.invalid` for an address that is none and for a client name out of range. Nothing is sent yet.
  public init(
    server: String, configuration: Configuration = Configuration(),
    token: @escaping @Sendable (Principal) async throws -> String
  ) throws(ConversationError) {
    self.server = try ServerConnection(server: server, configuration: configuration, token: token)
  }

  // MARK: Commands

  /// Applies one change, durably.
  ///
  /// If the connection breaks before the answer, the command is sent once more, provided that it carries a
  /// client id, opens a session or deletes a message. What the first sending did is then answered as a
  /// replay.
  public func apply(_ command: Command, as principal: Principal) async throws(ConversationError) -> Receipt {
    try command.validate()
    // In a task of its own, because a command that was handed over runs to its end even if the caller
    // is cancelled: a request that broke off would leave the outcome open.
    let task = Task { () async -> Result<Receipt, ConversationError> in
      do throws(ConversationError) {
        return .success(try await carryOut(command, as: principal))
      } catch {
        return .failure(error)
      }
    }
    return try await task.value.get()
  }

  private func carryOut(_ command: Command, as principal: Principal) async throws(ConversationError) -> Receipt {
    let reply = try await server.reply(to: try NativeRequest(command), as: principal)
    switch command {
    case .erase, .eraseUser: return Receipt(erasure: try reply.erasure(), version: nil)
    default: break
    }
    let receipt = try reply.receipt()
    guard case .open(let open) = command, let update = open.replacement(after: receipt) else { return receipt }
    return try await server.reply(to: try NativeRequest(.update(update)), as: principal).receipt()
  }

  // MARK: Conversations

  public func conversations(
    _ filter: ConversationFilter, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<Conversation> {
    try filter.validate()
    try validatePageLimit(page.limit)
    let parameters: [(name: String, value: String?)] = [
      ("limit", "\(page.limit)"), ("cursor", try page.validCursor), ("user_id", filter.user?.description),
      ("archived", filter.isArchived?.description), ("pinned", filter.isPinned?.description),
      ("q", filter.titlePart), ("session_id", filter.sessionID), ("is_default", filter.isDefault?.description),
    ]
    return try await read(.get("/v1/conversations", parameters), as: principal).conversations()
  }

  public func conversation(
    _ key: ConversationKey, as principal: Principal
  ) async throws(ConversationError) -> Conversation {
    try key.validate()
    let found: Conversation?
    switch key {
    case .id(let id): return try await read(.get(NativeRequest.path(id)), as: principal).conversation()
    case .session(let user, .named(let name)):
      found = try await first(of: user, ConversationFilter(sessionID: name), as: principal)
    case .session(let user, .default):
      found = try await first(of: user, ConversationFilter(isDefault: true), as: principal)
    case .session(_, .new):
      found = nil
    case .defaultOrLatest(let user):
      let byDefault = try await first(of: user, ConversationFilter(isDefault: true), as: principal)
      if let byDefault, byDefault.messageCount > 0 { return byDefault }
      found = try await first(of: user, ConversationFilter(), as: principal) { $0.messageCount > 0 } ?? byDefault
    }
    guard let found else { throw .noConversation }
    return found
  }

  /// The most recently active conversation of a user's that the filter lets pass and `holds` finds good.
  private func first(
    of user: UserID, _ filter: ConversationFilter, as principal: Principal,
    where holds: ((Conversation) -> Bool)? = nil
  ) async throws(ConversationError) -> Conversation? {
    // Another user's things do not exist, and are no secret that one may not know.
    guard principal.owns(user) else { return nil }
    var filter = filter
    filter.user = user
    var page = PageRequest(limit: holds == nil ? 1 : Limits.defaultPageItems)
    repeat {
      let found = try await conversations(filter, page, as: principal)
      if let match = found.items.first(where: holds ?? { _ in true }) { return match }
      // A filtered page may be empty and yet not the last.
      page.cursor = found.next
    } while page.cursor != nil
    return nil
  }

  // MARK: Messages

  /// - Returns: Always a whole page: `bytes` is of no concern to a client, and `rest` is nil.
  public func messages(
    _ path: Path, _ page: MessagePageRequest, as principal: Principal
  ) async throws(ConversationError) -> MessagePage {
    try validatePageLimit(page.limit)
    try path.conversation.validate()
    let anchor = try page.part.parameter
    let id: ConversationID
    if case .id(let named) = path.conversation {
      id = named
    } else {
      id = try await conversation(path.conversation, as: principal).id
    }
    let parameters: [(name: String, value: String?)] = [
      ("limit", "\(page.limit)"), ("branch", path.branch.map { "\(onTheWire($0))" }), anchor,
    ]
    return try await read(.get("\(NativeRequest.path(id))/messages", parameters), as: principal).messagePage(of: id)
  }

  public func message(_ id: MessageID, as principal: Principal) async throws(ConversationError) -> MessageDetail {
    try await read(.get(NativeRequest.path(id)), as: principal).messageDetail()
  }

  public func revisions(
    of id: MessageID, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<Revision> {
    try validatePageLimit(page.limit)
    let parameters: [(name: String, value: String?)] = [("limit", "\(page.limit)"), ("cursor", try page.validCursor)]
    return try await read(.get("\(NativeRequest.path(id))/revisions", parameters), as: principal).revisions()
  }

  public func search(
    _ query: SearchQuery, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<SearchHit> {
    try query.validate()
    try validatePageLimit(page.limit)
    let parameters: [(name: String, value: String?)] = [
      ("q", query.text), ("user_id", query.user?.description), ("conversation_id", query.conversation?.description),
      ("scope", query.scope.rawValue), ("limit", "\(page.limit)"), ("cursor", try page.validCursor),
    ]
    return try await read(.get("/v1/search", parameters), as: principal).searchHits()
  }

  // MARK: Branches and changes

  public func branches(of id: ConversationID, as principal: Principal) async throws(ConversationError) -> [Branch] {
    try await read(.get("\(NativeRequest.path(id))/branches"), as: principal).branches()
  }

  public func changes(
    in id: ConversationID, since version: Version, limit: Int, as principal: Principal
  ) async throws(ConversationError) -> Changes {
    try validatePageLimit(limit)
    let parameters: [(name: String, value: String?)] = [("since", "\(onTheWire(version))"), ("limit", "\(limit)")]
    return try await read(.get("\(NativeRequest.path(id))/changes", parameters), as: principal).changes()
  }

  /// - Throws: `.invalid`: answers are written by the server.
  public func keepDraft(
    _ content: String, of id: MessageID, as principal: Principal
  ) async throws(ConversationError) {
    throw .notOnTheWire
  }

  /// - Returns: What the server counted last.
  /// - Throws: `.unavailable` while it has not counted yet; `.forbidden` without a token of the service role.
  public func statistics() async throws(ConversationError) -> StoreStatistics {
    guard let counted = try await status(as: .service).statistics else {
      throw ConversationError(.unavailable, "The server has not counted its conversations yet.")
    }
    return counted
  }

  /// - Returns: What the server tells of its store. Without a token of the service role it is only why
  ///   commands are refused, and the counts are 0; the same for a server that cannot be reached. Waits for
  ///   the server for at most five seconds.
  public func health() async -> StoreHealth { await server.health() }

  func read(_ request: NativeRequest, as principal: Principal) async throws(ConversationError) -> Reply {
    guard !Task.isCancelled else {
      throw ConversationError(.unavailable, "The request was cancelled before it was made.")
    }
    return try await server.reply(to: request, as: principal)
  }
}

extension OpenConversation {
  /// What is left to do when the conversation existed and its context is to be another: the native door
  /// leaves it as it is.
  fileprivate func replacement(after receipt: Receipt) -> UpdateConversation? {
    guard replacesContext, receipt.isReplay, let found = receipt.conversation, let context,
      !context.isEmptyObject, context != found.context
    else { return nil }
    return UpdateConversation(found.id, context: context)
  }
}

extension PageRequest {
  var validCursor: String? {
    get throws(ConversationError) {
      if let cursor, cursor.utf8.count > Limits.cursorCharacters { throw .damagedCursor("cursor") }
      return cursor
    }
  }
}

extension MessagePageRequest.Part {
  /// How the query names it.
  fileprivate var parameter: (name: String, value: String?) {
    get throws(ConversationError) {
      switch self {
      case .latest: ("around", nil)
      case .before(let anchor): ("before", try anchor.text("before"))
      case .after(let anchor): ("after", try anchor.text("after"))
      case .around(let anchor): ("around", try anchor.text("around"))
      }
    }
  }
}

extension MessagePageRequest.Anchor {
  fileprivate func text(_ field: String) throws(ConversationError) -> String {
    switch self {
    case .position(let position): return "\(onTheWire(position))"
    case .message(let id): return id.description
    case .cursor(let text):
      // The query tells the three apart by their looks, so what looks like another one is no cursor.
      let isNumber = text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      guard text.utf8.count <= Limits.cursorCharacters, !isNumber, MessageID(text) == nil else {
        throw .damagedCursor(field)
      }
      return text
    }
  }
}
