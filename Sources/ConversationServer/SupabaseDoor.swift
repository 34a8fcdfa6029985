import ConversationModel
import HTTPTypes
import Hummingbird
import StrictJSON
import Wire

/// The Supabase door, `/rest/v1`: the three functions of the former system and its two tables, as its
/// programs use them through PostgREST's clients.
///
/// Each function is a few calls of the store; what is particular here is how arguments are read and
/// how answers and errors look. Tables are for reading; `TableReader` does that.
struct SupabaseDoor: Sendable {
  let store: any Store
  let authenticator: Authenticator
  let limiter: RateLimiter

  /// Where the former system's functions are.
  static let functions = "/rest/v1/rpc/"

  func addRoutes(to router: Router<ServerContext>) {
    router.route(
      "\(Self.functions){function}",
      [.get: call, .post: call, .put: refuseMethod, .patch: refuseMethod, .delete: refuseMethod])
    router.route(
      "/rest/v1/{table}",
      [.get: read, .post: refuseWrite, .put: refuseWrite, .patch: refuseWrite, .delete: refuseWrite])
  }

  @Sendable private func call(_ request: Request, _ context: ServerContext) async throws -> Response {
    let role = try await role(of: request)
    let name = context.parameters.get("function") ?? ""
    let isPost = request.method == .post
    guard let function = RPCFunction(rawValue: name) else {
      let names = isPost ? try await request.json().object?.members.map(\.key) : try request.queryWords().map(\.name)
      throw PostgRESTError.noFunction(name, names ?? [])
    }
    let signature = function.signature
    guard isPost || !signature.writes else {
      var error = PostgRESTError(
        .methodNotAllowed, "25006", "cannot execute \(name) in a read-only transaction", hint: "Call it with POST.")
      error.headers[.allow] = "POST"
      throw error
    }
    let query = try RPCQuery(request)
    let arguments =
      isPost
      ? try RPCArguments(try await request.json(), of: signature)
      : try RPCArguments(query: query.arguments, of: signature)
    guard case .principal(let principal) = role else { throw PostgRESTError.notPermitted(name, as: role) }
    switch function {
    case .getOrCreate: return try await getOrCreate(arguments, as: principal)
    case .storeMessage: return try await storeMessage(arguments, as: principal)
    case .history:
      let format = try RowFormat(request)
      let rows = try TableQuery(query.rows, of: Table.history.shape, request)
      return try .rows(try await history(arguments, rows, as: principal), format)
    }
  }

  @Sendable private func read(_ request: Request, _ context: ServerContext) async throws -> Response {
    let role = try await role(of: request)
    let name = context.parameters.get("table") ?? ""
    guard let shape = [Table.conversations.shape, Table.messages.shape].first(where: { $0.name == name }) else {
      throw PostgRESTError.noTable(name)
    }
    guard case .principal(let principal) = role else {
      throw PostgRESTError.notPermitted(onTable: name, as: role, hint: "Send a user's token or the service key.")
    }
    let format = try RowFormat(request)
    let query = try TableQuery(request.queryWords(), of: shape, request)
    return try .rows(try await TableReader.read(query, from: store, as: principal), format)
  }

  /// The former programs write through the functions; so does everybody here.
  @Sendable private func refuseWrite(_ request: Request, _ context: ServerContext) async throws -> Response {
    let role = try await role(of: request)
    let table = context.parameters.get("table") ?? ""
    guard let function = ["pam_conversations": RPCFunction.getOrCreate, "pam_messages": .storeMessage][table] else {
      throw PostgRESTError.noTable(table)
    }
    throw PostgRESTError.notPermitted(
      onTable: table, as: role, hint: "Call the function \(function.rawValue) instead.")
  }

  @Sendable private func refuseMethod(_ request: Request, _ context: ServerContext) async throws -> Response {
    _ = try await role(of: request)
    var error = PostgRESTError(.methodNotAllowed, "PGRST101", "Cannot use the \(request.method) method on RPC")
    error.headers[.allow] = "GET, HEAD, POST"
    throw error
  }

  // MARK: The functions

  private func getOrCreate(_ arguments: RPCArguments, as principal: Principal) async throws -> Response {
    let user: UserID = try user(arguments, principal, .getOrCreate, table: "pam_conversations")
    let open = OpenConversation(
      user: user, session: try session(arguments) ?? .default, context: try arguments.json("p_context"),
      replacesContext: true)
    let receipt: Receipt
    do {
      receipt = try await store.apply(.open(open), as: principal)
    } catch {
      guard error.code == .invalid else { throw error }
      throw PostgRESTError(.badRequest, "22023", error.message)
    }
    return .scalar(receipt.conversation?.id.description)
  }

  private func storeMessage(_ arguments: RPCArguments, as principal: Principal) async throws -> Response {
    let conversation: ConversationID? = try arguments.uuid("p_conversation_id")
    guard let conversation else { throw PostgRESTError.null("conversation_id", of: "pam_messages") }
    guard let roleName = arguments.text("p_role") else { throw PostgRESTError.null("role", of: "pam_messages") }
    // `tool` messages are Parley's own; the former table knows three roles.
    guard let role = Message.Role(rawValue: roleName), role != .tool else {
      throw PostgRESTError(
        .badRequest, "23514",
        "new row for relation \"pam_messages\" violates check constraint \"pam_messages_role_check\"",
        hint: "p_role is one of user, assistant, system.")
    }
    guard let content = arguments.text("p_content") else { throw PostgRESTError.null("content", of: "pam_messages") }
    let message = NewMessage(
      role: role, content: content, clientID: arguments.text("p_client_id"), intent: arguments.text("p_intent"),
      confidence: try arguments.confidence("p_confidence"), entities: try arguments.json("p_entities") ?? .emptyObject,
      metadata: try arguments.json("p_metadata") ?? .emptyObject)
    let receipt: Receipt
    do {
      receipt = try await store.apply(.append(Append(to: conversation, [message])), as: principal)
    } catch {
      throw Self.refusal(of: error, conversation)
    }
    return .scalar(receipt.messages.first?.id.description)
  }

  /// What PostgreSQL would have said.
  private static func refusal(of error: ConversationError, _ conversation: ConversationID) -> any Error {
    switch (error.code, error.rule) {
    case (.notFound, _):
      PostgRESTError(
        .conflict, "23503",
        "insert or update on table \"pam_messages\" violates foreign key constraint \"pam_messages_conversation_id_fkey\"",
        details: "Key (conversation_id)=(\(conversation)) is not present in table \"pam_conversations\".")
    case (_, .clientIDReused), (.gone, _):
      PostgRESTError(
        .conflict, "23505", "duplicate key value violates unique constraint \"pam_messages_client\"",
        details: error.message)
    case (.invalid, _):
      PostgRESTError(.badRequest, "22001", error.message)
    default:
      error
    }
  }

  /// The rows that the function returns, and of those the ones that the query wants.
  private func history(
    _ arguments: RPCArguments, _ query: TableQuery, as principal: Principal
  ) async throws -> TableAnswer {
    let user: UserID = try user(arguments, principal, .history, table: "pam_conversations")
    let limit = min(try arguments.integer("p_limit") ?? 10, TableLimits.answerRows)
    guard limit >= 0 else { throw PostgRESTError(.badRequest, "2201W", "LIMIT must not be negative") }
    let before: MessageID? = try arguments.uuid("p_before")
    let conversation: ConversationKey = try session(arguments).map { .session(user, $0) } ?? .defaultOrLatest(user)
    var rows = RowCollector(query, comesInOrder: query.order.isEmpty)
    do {
      try await collect(&rows, newest: limit, of: conversation, before: before, as: principal)
    } catch let error as ConversationError {
      switch (error.code, error.rule) {
      case (.notFound, _): break
      case (_, .anchorNotOnPath):
        throw PostgRESTError(.badRequest, "22023", "p_before is not a message of this conversation")
      case (.invalid, _): throw PostgRESTError(.badRequest, "22023", error.message)
      default: throw error
      }
    }
    let total = query.isCounted ? rows.matches : nil
    return TableAnswer(query: query, rows: rows.answer(), total: total)
  }

  /// Hands over the newest messages that the former table would show, newest first.
  private func collect(
    _ rows: inout RowCollector, newest limit: Int, of key: ConversationKey, before: MessageID?,
    as principal: Principal
  ) async throws {
    var left = limit
    var path = Path(key)
    var part = before.map { MessagePageRequest.Part.before(.message($0)) } ?? .latest
    var lookedAt = 0
    while left > 0 {
      guard lookedAt < TableLimits.readRows else { throw TableReader.tooManyRows }
      // Not by what is missing alone: behind many hidden messages that would be many tiny pages.
      let wanted = min(max(left, Limits.defaultPageItems), Limits.pageItems.upperBound)
      let page = try await store.messages(path, MessagePageRequest(limit: wanted, part), as: principal)
      lookedAt += page.messages.count
      for message in page.messages.reversed().filter(\.isInFormerTable).prefix(left) {
        left -= 1
        // Of one conversation, in which the place says what came first.
        let arrival = Arrival(
          time: Timestamp(microseconds: 0), conversation: page.conversation, position: message.position)
        try rows.take(message, of: .history, at: arrival)
      }
      guard let next = page.before else { break }
      path = Path(.id(page.conversation))
      part = .before(.cursor(next))
    }
  }

  // MARK: Reading a call

  private func role(of request: Request) async throws -> Role {
    let role = try await provenRole(of: request)
    if case .principal(let principal) = role { try limiter.admit(principal) }
    try requirePublicSchema(request)
    return role
  }

  private func requirePublicSchema(_ request: Request) throws(PostgRESTError) {
    for name in [HTTPField.Name.acceptProfile, .contentProfile] {
      guard let schema = request.headers[name], schema != "public" else { continue }
      throw PostgRESTError(
        .notAcceptable, "PGRST106", "Invalid schema: \(PostgRESTError.shown(schema))",
        hint: "Only the following schemas are exposed: public")
    }
  }

  /// Both headers, as Supabase's gateway and PostgREST behind it check them.
  private func provenRole(of request: Request) async throws -> Role {
    guard let key = request.headers[.apiKey] ?? request.headers[.authorization].flatMap(bearerToken) else {
      throw PostgRESTError.noKey
    }
    let keyRole: Role
    if let role = authenticator.role(ofKey: key) {
      keyRole = role
    } else if key.contains(".") {
      do { keyRole = try await authenticator.role(ofToken: key) } catch { throw PostgRESTError.token(error) }
    } else {
      throw PostgRESTError.wrongKey
    }
    guard let bearer = request.headers[.authorization].flatMap(bearerToken), bearer != key else { return keyRole }
    if let role = authenticator.role(ofKey: bearer) { return role }
    do { return try await authenticator.role(ofToken: bearer) } catch { throw PostgRESTError.token(error) }
  }

  private func user(
    _ arguments: RPCArguments, _ principal: Principal, _ function: RPCFunction, table: String
  ) throws -> UserID {
    let user: UserID? = try arguments.uuid("p_user_id")
    guard let user else { throw PostgRESTError.null("user_id", of: table) }
    guard principal.owns(user) else {
      throw PostgRESTError.notPermitted(function.rawValue, as: .principal(principal))
    }
    return user
  }

  /// Nil when no session is named. An empty name is none: the former system had one conversation a
  /// user, whatever the programs sent.
  private func session(_ arguments: RPCArguments) throws(PostgRESTError) -> SessionKey? {
    guard let name = arguments.text("p_session_id"), !name.isEmpty else { return nil }
    guard name.unicodeScalars.count <= Limits.keyScalars else {
      throw PostgRESTError(.badRequest, "22001", "value too long for type character varying(\(Limits.keyScalars))")
    }
    return .named(name)
  }
}

/// The functions, by their names in the former schema.
private enum RPCFunction: String {
  case getOrCreate = "get_or_create_pam_conversation"
  case storeMessage = "store_pam_message"
  case history = "get_conversation_history"

  var signature: RPCSignature {
    switch self {
    case .getOrCreate:
      RPCSignature(
        name: rawValue, required: ["p_user_id"], optional: ["p_session_id", "p_context"],
        writes: true)
    case .storeMessage:
      RPCSignature(
        name: rawValue, required: ["p_conversation_id", "p_role", "p_content"],
        optional: ["p_intent", "p_confidence", "p_entities", "p_metadata", "p_client_id"], writes: true)
    case .history:
      RPCSignature(
        name: rawValue, required: ["p_user_id"], optional: ["p_limit", "p_session_id", "p_before"],
        writes: false)
    }
  }
}

/// The query of a call: arguments of a GET, and what is wanted of the rows that a function returns.
private struct RPCQuery {
  var arguments: [(name: String, value: String)] = []
  var rows: [(name: String, value: String)] = []

  init(_ request: Request) throws {
    for (name, value) in try request.queryWords() {
      let isAboutRows =
        request.method == .post || Self.words.contains(name) || Table.history.shape.columns.contains { $0.name == name }
      if isAboutRows { rows.append((name, value)) } else { arguments.append((name, value)) }
    }
  }

  private static let words = ["select", "order", "limit", "offset"]
}

extension Response {
  /// A function's single value, bare.
  fileprivate static func scalar(_ text: String?) -> Response {
    .json(type: "application/json; charset=utf-8", reserving: 64) { $0.string(text) }
  }
}

extension Request {
  /// The names and values of the query.
  ///
  /// - Throws: PGRST100 when it cannot be decoded.
  fileprivate func queryWords() throws(PostgRESTError) -> [(name: String, value: String)] {
    do {
      return try queryItems()
    } catch {
      throw PostgRESTError(.badRequest, "PGRST100", error.message)
    }
  }
}

extension HTTPField.Name {
  fileprivate static let acceptProfile = HTTPField.Name("accept-profile")!
  fileprivate static let contentProfile = HTTPField.Name("content-profile")!
}
