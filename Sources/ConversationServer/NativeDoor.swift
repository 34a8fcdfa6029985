import ConversationModel
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import StrictJSON
import Wire

/// The native door, `/v1`: conversations and messages as they are.
///
/// The way of a request is straight: who asks, what is asked, one call of the store, and the answer
/// written as JSON.
struct NativeDoor: Sendable {
  let store: any Store
  let authenticator: Authenticator
  let limiter: RateLimiter

  func addRoutes(to router: Router<ServerContext>) {
    router.route(
      "/v1/conversations",
      [.post: openConversation, .get: listConversations])
    router.route(
      "/v1/conversations/{id}",
      [.get: conversation, .patch: updateConversation, .delete: eraseConversation])
    router.route(
      "/v1/conversations/{id}/messages",
      [.get: messages, .post: append])
    router.route("/v1/conversations/{id}/branches", [.get: branches, .post: makeBranch])
    router.route("/v1/conversations/{id}/branches/{number}", [.patch: updateBranch, .delete: deleteBranch])
    router.route("/v1/conversations/{id}/changes", [.get: changes])
    router.route("/v1/messages/{id}", [.get: message, .patch: revise, .delete: deleteMessage])
    router.route("/v1/messages/{id}/revisions", [.get: revisions])
    router.route("/v1/search", [.get: search])
    router.route("/v1/users/{id}", [.delete: eraseUser])
  }

  // MARK: Conversations

  @Sendable private func openConversation(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request)
    let query = try Query(request, allowing: ["user_id"])
    let body = try OpenConversationBody(try await request.json())
    let acting = try principal.acting(for: body.userID, query)
    guard let user = acting.onlyUser else {
      throw ConversationError(
        .invalid, "The service role must name the user whose conversation this is.", field: "user_id")
    }
    let open = OpenConversation(user: user, session: body.session, title: body.title, context: body.context)
    let receipt = try await store.apply(.open(open), as: acting)
    return .receipt(receipt, created: !receipt.isReplay)
  }

  @Sendable private func listConversations(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request)
    let query = try Query(
      request, allowing: ["limit", "cursor", "archived", "pinned", "q", "session_id", "is_default", "user_id"])
    let filter = ConversationFilter(
      user: try query.id("user_id"), isArchived: try query.boolean("archived"), isPinned: try query.boolean("pinned"),
      titlePart: query["q"], sessionID: query["session_id"], isDefault: try query.boolean("is_default"))
    let conversations = try await store.conversations(filter, try query.page(), as: principal)
    return .json(reserving: 512 * conversations.items.count) { writer in
      writer.page(conversations) { $0.conversation($1) }
    }
  }

  @Sendable private func conversation(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request).acting(for: nil, Query(request, allowing: ["user_id"]))
    let conversation = try await store.conversation(.id(try conversationID(context)), as: principal)
    return .json(headers: [.eTag: "\"\(conversation.version)\""]) { $0.conversation(conversation) }
  }

  @Sendable private func updateConversation(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request).acting(for: nil, Query(request, allowing: ["user_id"]))
    let body = try UpdateConversationBody(
      try await request.json(), of: try conversationID(context), ifVersion: try request.ifMatch())
    return .receipt(try await store.apply(.update(body.update), as: principal), created: false)
  }

  @Sendable private func eraseConversation(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request).acting(for: nil, Query(request, allowing: ["user_id"]))
    let id = try conversationID(context)
    return try await erase(.erase(id), ["conversation": "\(id)"], as: principal, context)
  }

  @Sendable private func eraseUser(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request)
    _ = try Query(request, allowing: [])
    guard let user = context.parameters.get("id").flatMap({ UserID($0) }) else {
      throw ConversationError(.invalid, "The id of a user is a UUID.")
    }
    return try await erase(.eraseUser(user), ["user": "\(user)"], as: principal, context)
  }

  /// The log tells who asked for what to be erased: what is gone tells nobody. Asked again while something is left, it tells how
  /// much that is.
  private func erase(
    _ command: Command, _ erased: Logger.Metadata, as principal: Principal, _ context: ServerContext
  ) async throws -> Response {
    var told = erased
    told["by"] = principal.onlyUser.map { "user \($0)" } ?? "service"
    told["request"] = "\(context.requestID)"
    let receipt: Receipt
    do throws(ConversationError) {
      receipt = try await store.apply(command, as: principal)
    } catch {
      if error.code == .unavailable || error.code == .internal {
        context.logger.notice("an erasure broke off; what was hidden by then goes in the background", metadata: told)
      }
      throw error
    }
    guard let erasure = receipt.erasure else { throw ConversationError(.internal, "An erasure without a receipt.") }
    told["conversations"] = "\(erasure.conversations)"
    told["messages"] = "\(erasure.messages)"
    context.logger.notice(
      erasure.isComplete ? "erased" : "erased from sight; the rest goes in the background", metadata: told)
    return .json { $0.erasure(erasure) }
  }

  // MARK: Messages

  @Sendable private func messages(_ request: Request, _ context: ServerContext) async throws -> Response {
    let caller = try await principal(of: request)
    let query = try Query(request, allowing: ["branch", "limit", "before", "after", "around", "user_id"])
    let principal = try caller.acting(for: nil, query)
    let path = Path(.id(try conversationID(context)), branch: try query.number("branch"))
    let wanted = MessagePageRequest(
      limit: try query.number("limit") ?? Limits.defaultPageItems, try part(query),
      // The head of an answer says how long the whole is.
      bytes: request.method == .head ? nil : Self.pieceBytes)
    let page = try await store.messages(path, wanted, as: principal)
    guard let rest = page.rest else {
      return .json(reserving: 1024 * (page.messages.count + 1)) { $0.page(page) }
    }
    return inPieces(page, rest, as: principal)
  }

  /// Bytes of messages after which a page is sent in pieces. A connection holds two: one that waits for
  /// the client, and the next.
  private static let pieceBytes = 131_072

  /// Sends a page of long messages while it reads them, so that a client that takes it slowly, or never,
  /// costs two pieces of memory and not fifty megabytes. A piece ends behind the message that fills it.
  ///
  /// A piece may show a message in a later version than the page's own `version`: whoever follows the
  /// changes from there meets it again. If the conversation is erased under way, the answer breaks off.
  private func inPieces(_ first: MessagePage, _ rest: ClosedRange<Position>, as principal: Principal) -> Response {
    let path = Path(.id(first.conversation), branch: first.branch)
    var writer = JSONWriter(reserving: 2 * Self.pieceBytes)
    writer.beginPage()
    for message in first.messages { writer.message(message) }
    var end = first
    end.messages = []
    let body = ResponseBody { [store, writer, end] output in
      var writer = writer
      var rest: ClosedRange<Position>? = rest
      while let positions = rest {
        try await output.write(ByteBuffer(bytes: writer.takeBytes()))
        let wanted = MessagePageRequest(
          limit: positions.count, .after(.position(positions.lowerBound - 1)), bytes: Self.pieceBytes)
        let page = try await store.messages(path, wanted, as: principal)
        for message in page.messages { writer.message(message) }
        rest = page.rest
      }
      writer.endPage(end)
      try await output.write(ByteBuffer(bytes: writer.takeBytes()))
      try await output.finish(nil)
    }
    return Response(status: .ok, headers: [.contentType: "application/json"], body: body)
  }

  @Sendable private func append(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request)
    let query = try Query(request, allowing: ["user_id"])
    let body = try AppendBody(
      try await request.json(), to: try conversationID(context), idempotencyKey: try request.idempotencyKey())
    let receipt = try await store.apply(.append(body.append), as: try principal.acting(for: body.userID, query))
    return .receipt(receipt, created: !receipt.isReplay, asList: body.isList)
  }

  @Sendable private func message(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request).acting(for: nil, Query(request, allowing: ["user_id"]))
    let detail = try await store.message(try messageID(context), as: principal)
    return .json(headers: [.eTag: "\"\(detail.message.revision)\""]) {
      $0.message(detail.message, siblings: detail.siblings)
    }
  }

  @Sendable private func revise(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request).acting(for: nil, Query(request, allowing: ["user_id"]))
    let body = try ReviseBody(
      try await request.json(), of: try messageID(context), ifRevision: try request.ifMatch())
    return .receipt(try await store.apply(.revise(body.revise), as: principal), created: false)
  }

  @Sendable private func deleteMessage(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request).acting(for: nil, Query(request, allowing: ["user_id"]))
    let delete = DeleteMessage(try messageID(context), ifRevision: try request.ifMatch())
    return .receipt(try await store.apply(.deleteMessage(delete), as: principal), created: false)
  }

  @Sendable private func revisions(_ request: Request, _ context: ServerContext) async throws -> Response {
    let caller = try await principal(of: request)
    let query = try Query(request, allowing: ["limit", "cursor", "user_id"])
    let revisions = try await store.revisions(
      of: try messageID(context), try query.page(), as: try caller.acting(for: nil, query))
    return .json { writer in writer.page(revisions) { $0.revision($1) } }
  }

  @Sendable private func search(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request)
    let query = try Query(
      request, allowing: ["q", "conversation_id", "scope", "limit", "cursor", "user_id"])
    guard let text = query["q"] else {
      throw ConversationError(.invalid, "The query parameter q must say what is searched for.", field: "q")
    }
    let search = SearchQuery(
      text, user: try query.id("user_id"), conversation: try query.id("conversation_id"),
      scope: try query.choice("scope") ?? .active)
    let hits = try await store.search(search, try query.page(), as: principal)
    return .json(reserving: 1024 * (hits.items.count + 1)) { writer in writer.page(hits) { $0.searchHit($1) } }
  }

  // MARK: Branches and changes

  @Sendable private func branches(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request).acting(for: nil, Query(request, allowing: ["user_id"]))
    let branches = try await store.branches(of: try conversationID(context), as: principal)
    return .json { writer in writer.page(Page(items: branches, next: nil)) { $0.branch($1) } }
  }

  @Sendable private func makeBranch(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request).acting(for: nil, Query(request, allowing: ["user_id"]))
    let body = try MakeBranchBody(
      try await request.json(), in: try conversationID(context), idempotencyKey: try request.idempotencyKey())
    let receipt = try await store.apply(.makeBranch(body.make), as: principal)
    return .receipt(receipt, created: !receipt.isReplay)
  }

  @Sendable private func updateBranch(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request).acting(for: nil, Query(request, allowing: ["user_id"]))
    let body = try UpdateBranchBody(try await request.json(), of: try branchKey(context))
    return .receipt(try await store.apply(.updateBranch(body.update), as: principal), created: false)
  }

  @Sendable private func deleteBranch(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request).acting(for: nil, Query(request, allowing: ["user_id"]))
    return .receipt(
      try await store.apply(.deleteBranch(try branchKey(context)), as: principal), created: false)
  }

  @Sendable private func changes(_ request: Request, _ context: ServerContext) async throws -> Response {
    let caller = try await principal(of: request)
    let query = try Query(request, allowing: ["since", "limit", "user_id"])
    let principal = try caller.acting(for: nil, query)
    let changes = try await store.changes(
      in: try conversationID(context), since: try query.number("since") ?? 0,
      limit: try query.number("limit") ?? Limits.defaultPageItems, as: principal)
    return .json(reserving: 1024 * (changes.changes.count + 1)) { $0.changes(changes) }
  }

  // MARK: Reading a request

  private func principal(of request: Request) async throws -> Principal {
    try await request.principal(authenticator, limiter)
  }

  /// An id that is no UUID names nothing, like any other unknown one.
  private func conversationID(_ context: ServerContext) throws(ConversationError) -> ConversationID {
    guard let id = context.parameters.get("id").flatMap({ ConversationID($0) }) else { throw .noConversation }
    return id
  }

  private func messageID(_ context: ServerContext) throws(ConversationError) -> MessageID {
    guard let id = context.parameters.get("id").flatMap({ MessageID($0) }) else { throw .noMessage }
    return id
  }

  private func branchKey(_ context: ServerContext) throws(ConversationError) -> BranchKey {
    let conversation = try conversationID(context)
    guard let number = context.parameters.get("number").flatMap({ wholeNumber($0) }) else { throw .noBranch }
    return BranchKey(conversation, number)
  }

  private func part(_ query: Query) throws(ConversationError) -> MessagePageRequest.Part {
    let named = ["before", "after", "around"].filter { query[$0] != nil }
    guard let name = named.first, let text = query[name] else { return .latest }
    guard named.count == 1 else {
      throw ConversationError(.invalid, "Only one of before, after and around may be named.", field: named[1])
    }
    let anchor: MessagePageRequest.Anchor =
      if let position = wholeNumber(text) {
        .position(position)
      } else if let id = MessageID(text) {
        .message(id)
      } else {
        .cursor(text)
      }
    return switch name {
    case "before": .before(anchor)
    case "after": .after(anchor)
    default: .around(anchor)
    }
  }
}

extension Authenticator {
  /// The role of what stands behind `Bearer`: an opaque key or a token.
  func role(ofBearer bearer: String) async throws(ConversationError) -> Role {
    try await identity(ofBearer: bearer).role
  }

  /// The role of what stands behind `Bearer`, and for how many more seconds a token is accepted; nil for an
  /// opaque key.
  func identity(ofBearer bearer: String) async throws(ConversationError) -> (role: Role, secondsLeft: Int64?) {
    if let role = role(ofKey: bearer) { return (role, nil) }
    do {
      return try await identity(ofToken: bearer)
    } catch {
      throw ConversationError(
        .unauthenticated,
        error == .expired ? "The token has expired." : "The token is not valid here.")
    }
  }
}

/// What stands behind `Bearer` in an `Authorization` header; the scheme's case does not matter.
func bearerToken(_ header: String) -> String? {
  let parts = header.trimmingSpaces.split(separator: " ", maxSplits: 1)
  guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
  let token = parts[1].trimmingSpaces
  return token.isEmpty ? nil : String(token)
}

extension Principal {
  /// Whom a request acts as: the service role for any user it names, a user for itself only.
  func acting(for named: UserID?, _ query: Query) throws(ConversationError) -> Principal {
    let queried: UserID? = try query.id("user_id")
    if let named, let queried, named != queried {
      throw ConversationError(.invalid, "The body and the query name different users.", field: "user_id")
    }
    guard let user = named ?? queried else { return self }
    guard owns(user) else {
      throw ConversationError(.forbidden, "A user may act for itself only.", field: "user_id")
    }
    return .user(user)
  }
}

extension Response {
  fileprivate static func receipt(_ receipt: Receipt, created: Bool, asList: Bool = false) -> Response {
    var headers = HTTPFields()
    if receipt.conversation != nil, let version = receipt.version {
      headers[.eTag] = "\"\(version)\""
    } else if receipt.messages.count == 1, let message = receipt.messages.first {
      headers[.eTag] = "\"\(message.revision)\""
    }
    let status: HTTPResponse.Status = receipt.durability == .spooled ? .accepted : created ? .created : .ok
    return .json(status, headers: headers, reserving: 1024 * (receipt.messages.count + 1)) {
      $0.receipt(receipt, asList: asList)
    }
  }
}
