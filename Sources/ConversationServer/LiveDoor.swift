import ConversationModel
import Foundation
import NIOCore
import StrictJSON
import Wire

/// The live door: what clients say over `GET /v1/live`, one frame after the other.
struct LiveDoor: SocketDoor {
  let store: any Store
  let hub: LiveHub
  let limiter: RateLimiter

  func serve(_ socket: WebSocket) async {
    let client = LiveClient(
      socket, id: newRequestID(), name: "", address: socket.peer?.ipAddress ?? "", since: Self.now())
    await socket.forEachMessage { message in
      guard message.isText else { return socket.close(.unsupportedData, "Frames are JSON text.") }
      await answer(message.array, of: client)
    }
    end(client)
  }

  private static func now() -> Timestamp {
    Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1e6))
  }

  /// Answers one frame of a client. A bad one is answered too, and hurts nobody.
  func answer(_ text: [UInt8], of client: LiveClient) async {
    client.hold()
    defer { client.release() }
    var ref: JSONText?
    do {
      let json = try Self.json(text)
      ref = LiveRequest.ref(of: json)
      do {
        try limiter.admit(client.principal)
      } catch let error as StatusError {
        throw error.error
      }
      let request = try LiveRequest(json)
      try await answer(request, client)
    } catch {
      let shown = error as? ConversationError ?? ConversationError(.internal, "The server failed on this frame.")
      client.answer(LiveHub.frame { $0.error(shown, ref: ref) })
    }
  }

  /// A client has gone.
  func end(_ client: LiveClient) {
    hub.leave(client)
    hub.unwatch(client)
  }

  private static func json(_ text: [UInt8]) throws(ConversationError) -> JSONValue {
    do {
      return try JSONReader.read(text, limits: JSONLimits(bytes: Limits.frameBytes, depth: Limits.bodyDepth))
    } catch {
      throw ConversationError(.invalid, error.message)
    }
  }

  private func answer(_ request: LiveRequest, _ client: LiveClient) async throws {
    let ref = request.ref
    switch request.kind {
    case .attach(let attach): try await self.attach(attach, client, ref)
    case .send(let send): try await self.send(send, client, ref)
    case .history(let wanted):
      let attachment = try attachment(of: client)
      let page = try await page(Path(.id(attachment.conversation), branch: attachment.branch), wanted, client)
      client.answer(LiveHub.frame { $0.history(page, ref: ref) })
    case .edit(let revise):
      _ = try attachment(of: client)
      let receipt = try await store.apply(.revise(revise), as: client.principal)
      client.answer(LiveHub.frame { $0.ack(receipt, ref: ref) })
    case .branch(let body): try await makeBranch(body, client, ref)
    case .switchBranch(let number): try await show(number, client, ref)
    case .watch:
      hub.watch(client)
      answer("watching", client, ref)
    case .typing(let isTyping):
      _ = try attachment(of: client)
      hub.typing(client, isTyping)
    case .detach:
      hub.leave(client)
      answer("detached", client, ref)
    case .ping: answer("pong", client, ref)
    }
  }

  private func answer(_ type: String, _ client: LiveClient, _ ref: JSONText?) {
    client.answer(
      LiveHub.frame { writer in
        writer.beginFrame(type, ref: ref)
        writer.endObject()
      })
  }

  private func attachment(of client: LiveClient) throws(ConversationError) -> LiveClient.Attachment {
    guard let attachment = client.attachment else {
      throw ConversationError(.invalid, "Attach to a conversation first.")
    }
    return attachment
  }

  // MARK: Attaching

  private func attach(_ attach: LiveRequest.Attach, _ client: LiveClient, _ ref: JSONText?) async throws {
    let conversation = try await conversation(of: attach, client)
    let presence = hub.join(client, conversation)
    do {
      let (start, branch, version) = try await start(conversation.id, since: attach.since, client)
      // Read last, so that it is no older than what it comes with.
      let latest = try await store.conversation(.id(conversation.id), as: client.principal)
      client.show(branch: branch ?? latest.activeBranch)
      client.answer(
        LiveHub.frame { $0.attached(latest, branch: branch ?? latest.activeBranch, start, presence, ref: ref) })
      hub.settle(client, conversation.id, at: version)
    } catch {
      hub.leave(client)
      throw error
    }
  }

  private func conversation(
    of attach: LiveRequest.Attach, _ client: LiveClient
  ) async throws(ConversationError) -> Conversation {
    if let user = attach.user, !client.principal.owns(user) {
      throw ConversationError(.forbidden, "A user may act for itself only.", field: "user_id")
    }
    let principal = attach.user.map(Principal.user) ?? client.principal
    switch attach.target {
    case .conversation(let id):
      return try await store.conversation(.id(id), as: principal)
    case .session(let session):
      guard let user = principal.onlyUser else {
        throw ConversationError(
          .invalid, "The service role must name the user whose session this is.", field: "user_id")
      }
      let receipt = try await store.apply(.open(OpenConversation(user: user, session: session)), as: principal)
      guard let conversation = receipt.conversation else { throw .noConversation }
      return conversation
    }
  }

  /// What the client is given to start from, the branch that it shows, and the version that it then knows.
  private func start(
    _ id: ConversationID, since: Version?, _ client: LiveClient
  ) async throws(ConversationError) -> (LiveStart, branch: BranchNumber?, Version) {
    if let since, let (missed, version) = try await missed(id, since: since, client) {
      return (.missed(missed, version: version), nil, version)
    }
    let page = try await page(Path(.id(id)), MessagePageRequest(), client)
    return (.page(page, isResync: since != nil), page.branch, page.version)
  }

  /// Everything behind a version; nil if that is too much.
  private func missed(
    _ id: ConversationID, since: Version, _ client: LiveClient
  ) async throws(ConversationError) -> ([Changes.Change], Version)? {
    var missed: [Changes.Change] = []
    var version = since
    var bytes = 0
    while true {
      let changes = try await store.changes(
        in: id, since: version, limit: Limits.pageItems.upperBound, as: client.principal)
      missed += changes.changes
      version = changes.version
      bytes += changes.changes.reduce(0) { $0 + $1.textBytes }
      guard missed.count <= Limits.missedChanges, bytes <= Limits.liveBacklogBytes / 2 else { return nil }
      if !changes.hasMore { return (missed, version) }
    }
  }

  /// A page that fits into one frame: with long messages it holds fewer than asked for.
  private func page(
    _ path: Path, _ request: MessagePageRequest, _ client: LiveClient
  ) async throws(ConversationError) -> MessagePage {
    var request = request
    request.bytes = Limits.liveBacklogBytes / 2
    while true {
      let page = try await store.messages(path, request, as: client.principal)
      guard page.rest != nil, request.limit > 1 else { return page }
      request.limit = max(1, min(page.messages.count, request.limit - 1))
    }
  }

  // MARK: Changing

  private func send(_ send: LiveRequest.Send, _ client: LiveClient, _ ref: JSONText?) async throws {
    let attachment = try attachment(of: client)
    hub.typing(client, false)
    let append = Append(
      to: attachment.conversation, [send.message], parent: send.parent,
      branch: send.parent == nil ? attachment.branch : nil)
    let receipt = try await store.apply(.append(append), as: client.principal)
    client.answer(LiveHub.frame { $0.ack(receipt, clientID: send.message.clientID, ref: ref) })
  }

  private func makeBranch(_ body: JSONValue, _ client: LiveClient, _ ref: JSONText?) async throws {
    let attachment = try attachment(of: client)
    let make = try MakeBranchBody(body, in: attachment.conversation, idempotencyKey: nil).make
    let receipt = try await store.apply(.makeBranch(make), as: client.principal)
    if make.isActivated, let branch = receipt.branch { client.show(branch: branch.number) }
    client.answer(LiveHub.frame { $0.ack(receipt, ref: ref) })
  }

  /// Moves this connection to another branch, and nobody else.
  private func show(_ number: BranchNumber, _ client: LiveClient, _ ref: JSONText?) async throws {
    let attachment = try attachment(of: client)
    let branches = try await store.branches(of: attachment.conversation, as: client.principal)
    guard let branch = branches.first(where: { $0.number == number }) else { throw ConversationError.noBranch }
    client.show(branch: number)
    client.answer(
      LiveHub.frame { writer in
        writer.beginFrame("ack", ref: ref)
        writer.key("branch")
        writer.branch(branch)
        writer.endObject()
      })
  }
}

extension Changes.Change {
  fileprivate var textBytes: Int {
    if case .message(let message) = row { message.content.utf8.count + message.metadata.text.utf8.count } else { 0 }
  }
}
