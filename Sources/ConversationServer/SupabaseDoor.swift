import ConversationModel
import HTTPTypes
import Hummingbird
import StrictJSON
import Wire

/// The Supabase door, `/rest/v1/rpc`: the three functions of the former system, as its programs call
/// them through PostgREST's clients.
///
/// Each function is a few calls of the store; what is particular here is how arguments are read and
/// how answers and errors look.
struct SupabaseDoor: Sendable {
  let store: any Store
  let authenticator: Authenticator
  let limiter: RateLimiter

  func addRoutes(to router: Router<ServerContext>) {
    router.route("/rest/v1/rpc/{function}", [.post: call, .get: call])
    router.route(
      "/rest/v1/{table}", [.post: refuseWrite, .put: refuseWrite, .patch: refuseWrite, .delete: refuseWrite])
  }

  @Sendable private func call(_ request: Request, _ context: ServerContext) async throws -> Response {
    let role = try await role(of: request)
    let name = context.parameters.get("function") ?? ""
    let query = request.method == .post ? nil : try request.queryItems()
    guard let function = RPCFunction(rawValue: name) else {
      let names: [String]
      if let query {
        names = query.map(\.name)
      } else {
        names = try await request.json().object?.members.map(\.key) ?? []
      }
      throw PostgRESTError.noFunction(name, names)
    }
    let signature = function.signature
    let arguments: RPCArguments
    if let query {
      guard !signature.writes else {
        throw PostgRESTError(
          .methodNotAllowed, "25006", "cannot execute \(name) in a read-only transaction", hint: "Call it with POST.")
      }
      arguments = try RPCArguments(query: query, of: signature)
    } else {
      arguments = try RPCArguments(try await request.json(), of: signature)
    }
    guard case .principal(let principal) = role else { throw PostgRESTError.notPermitted(name, as: role) }
    switch function {
    case .getOrCreate: return try await getOrCreate(arguments, as: principal)
    case .storeMessage: return try await storeMessage(arguments, as: principal)
    case .history: return try await history(arguments, counting: request.wantsExactCount, as: principal)
    }
  }

  /// The former programs write through the functions; so does everybody here.
  @Sendable private func refuseWrite(_ request: Request, _ context: ServerContext) async throws -> Response {
    let role = try await role(of: request)
    let table = context.parameters.get("table") ?? ""
    guard let function = ["pam_conversations": RPCFunction.getOrCreate, "pam_messages": .storeMessage][table] else {
      throw PostgRESTError(
        .notFound, "PGRST205",
        "Could not find the table 'public.\(PostgRESTError.shown(table))' in the schema cache")
    }
    throw PostgRESTError(
      role == .anonymous ? .unauthorized : .forbidden, "42501", "permission denied for table \(table)",
      hint: "Call the function \(function.rawValue) instead.")
  }

  // MARK: The functions

  private func getOrCreate(_ arguments: RPCArguments, as principal: Principal) async throws -> Response {
    let user: UserID = try user(arguments, principal, .getOrCreate, table: "pam_conversations")
    let open = OpenConversation(
      user: user, session: try session(arguments) ?? .default, context: try arguments.json("p_context"),
      replacesContext: true)
    let receipt = try await store.apply(.open(open), as: principal)
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

  private func history(
    _ arguments: RPCArguments, counting: Bool, as principal: Principal
  ) async throws -> Response {
    let user: UserID = try user(arguments, principal, .history, table: "pam_conversations")
    let limit = min(try arguments.integer("p_limit") ?? 10, Self.historyRows)
    guard limit >= 0 else { throw PostgRESTError(.badRequest, "2201W", "LIMIT must not be negative") }
    let before: MessageID? = try arguments.uuid("p_before")
    let conversation: ConversationKey = try session(arguments).map { .session(user, $0) } ?? .defaultOrLatest(user)
    do {
      return .history(try await newest(limit, of: conversation, before: before, as: principal), counting: counting)
    } catch {
      switch (error.code, error.rule) {
      case (.notFound, _): return .history([], counting: counting)
      case (_, .anchorNotOnPath):
        throw PostgRESTError(.badRequest, "22023", "p_before is not a message of this conversation")
      default: throw error
      }
    }
  }

  /// Rows of one answer; PostgREST's `max-rows` caps a larger wish without a word.
  private static let historyRows = 1_000

  /// The newest messages that the former table would show, newest first: the active path without
  /// deleted messages, tool results and unfinished answers.
  private func newest(
    _ limit: Int, of key: ConversationKey, before: MessageID?, as principal: Principal
  ) async throws(ConversationError) -> [Message] {
    var rows: [Message] = []
    var path = Path(key)
    var part = before.map { MessagePageRequest.Part.before(.message($0)) } ?? .latest
    while rows.count < limit {
      // Not by what is missing alone: behind many hidden messages that would be many tiny pages.
      let wanted = min(max(limit - rows.count, Limits.defaultPageItems), Limits.pageItems.upperBound)
      let page = try await store.messages(path, MessagePageRequest(limit: wanted, part), as: principal)
      rows += page.messages.reversed().filter { $0.status == .complete && $0.role != .tool }
      guard let next = page.before else { break }
      path = Path(.id(page.conversation))
      part = .before(.cursor(next))
    }
    return Array(rows.prefix(limit))
  }

  // MARK: Reading a call

  private func role(of request: Request) async throws -> Role {
    let role = try await provenRole(of: request)
    if case .principal(let principal) = role { try limiter.admit(principal) }
    return role
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

extension Response {
  private static let jsonType = "application/json; charset=utf-8"

  /// A function's single value, bare.
  fileprivate static func scalar(_ text: String?) -> Response {
    .json(type: jsonType, reserving: 64) { $0.string(text) }
  }

  /// The rows of a history, with the range that PostgREST names in a header.
  ///
  /// - Parameter counting: Whether the total stands there too; a function's total is what it returned.
  fileprivate static func history(_ rows: [Message], counting: Bool) -> Response {
    let total = counting ? "\(rows.count)" : "*"
    let range = rows.isEmpty ? "*/\(total)" : "0-\(rows.count - 1)/\(total)"
    return .json(headers: [.contentRange: range], type: jsonType, reserving: 512 * (rows.count + 1)) { writer in
      writer.list(rows) { writer, message in
        writer.beginObject()
        writer.field("role", message.role.rawValue)
        writer.field("content", message.content)
        writer.field("intent", message.intent)
        writer.field("created_at", message.createdAt.postgresText)
        writer.field("id", message.id.description)
        writer.field("position", message.position)
        writer.endObject()
      }
    }
  }
}

extension Request {
  /// Whether the client asked for the total with `Prefer: count=exact`.
  fileprivate var wantsExactCount: Bool {
    headers[values: .prefer].contains { $0.split(separator: ",").contains { $0.trimmingSpaces == "count=exact" } }
  }
}

extension HTTPField.Name {
  fileprivate static let prefer = HTTPField.Name("prefer")!
}
