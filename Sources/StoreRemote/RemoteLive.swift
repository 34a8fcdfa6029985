public import ConversationModel
import Wire

/// What is happening on the server, over its native and its live door.
///
/// - A connection is a WebSocket of its own.
/// - A message that is sent needs a client id. A `send` waits for the answer of a frame, behind the events
///   that nobody has taken yet; cancelled or not, until `answerSeconds` are over.
extension RemoteStore: LiveSource {
  public func status(as principal: Principal) async throws(ConversationError) -> ServerStatus {
    try await read(.get("/v1/status"), as: principal).status()
  }

  public func sessions(
    _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<LiveSession> {
    try validatePageLimit(page.limit)
    let parameters: [(name: String, value: String?)] = [("limit", "\(page.limit)"), ("cursor", try page.validCursor)]
    return try await read(.get("/v1/sessions", parameters), as: principal).liveSessions()
  }

  public func log(
    since number: Int, limit: Int, as principal: Principal
  ) async throws(ConversationError) -> LogPage {
    try validatePageLimit(limit)
    let parameters: [(name: String, value: String?)] = [("since", "\(onTheWire(number))"), ("limit", "\(limit)")]
    return try await read(.get("/v1/log", parameters), as: principal).log()
  }

  public func attach(
    _ attach: Attach, as principal: Principal
  ) async throws(ConversationError) -> any LiveConnection {
    var attach = attach
    attach.since = attach.since.map(onTheWire)
    if case .session(.new) = attach.target {
      attach.target = .conversation(try await newConversation(of: attach.user, as: principal))
    }
    let (server, link) = (server, server.newLink())
    let attached = attach
    let start = await withTaskCancellationHandler {
      do throws(ConversationError) {
        return Result<LiveStart, ConversationError>.success(
          try await server.attach(attached, as: principal, over: link))
      } catch {
        return .failure(error)
      }
    } onCancel: {
      link.close()
    }
    switch start {
    case .success(let start): return RemoteConnection(start, link)
    case .failure(let error):
      link.close()
      throw error
    }
  }

  /// A frame has no words for a session without a name.
  private func newConversation(
    of user: UserID?, as principal: Principal
  ) async throws(ConversationError) -> ConversationID {
    guard let user = user ?? principal.onlyUser else {
      throw ConversationError(
        .invalid, "The service role must name the user whose session this is.", field: "user_id")
    }
    let receipt = try await apply(.open(OpenConversation(user: user, session: .new)), as: principal)
    guard let conversation = receipt.conversation else { throw .noConversation }
    return conversation.id
  }
}

/// One socket that is attached. It closes with its last copy.
private final class RemoteConnection: LiveConnection {
  let start: LiveStart
  private let link: LiveLink

  init(_ start: LiveStart, _ link: LiveLink) {
    self.start = start
    self.link = link
  }

  deinit { link.close() }

  func next() async throws(ConversationError) -> LiveEvent? { try await link.next() }

  func send(_ message: NewMessage, parent: MessageID?) async throws(ConversationError) -> Receipt {
    guard case .ack(let receipt) = try await link.ask(.send(LiveRequest.Send(message, parent: parent))) else {
      throw .unexpectedAnswer
    }
    return receipt
  }

  func turn(_ request: TurnRequest) async throws(ConversationError) -> BegunTurn {
    guard case .began(let turn) = try await link.ask(.turn(request)) else { throw .unexpectedAnswer }
    return turn
  }

  func cancel(_ turn: MessageID) async throws(ConversationError) {
    guard case .cancelled = try await link.ask(.cancel(turn)) else { throw .unexpectedAnswer }
  }

  func typing(_ isTyping: Bool) { link.typing(isTyping) }

  func close() { link.close() }
}
