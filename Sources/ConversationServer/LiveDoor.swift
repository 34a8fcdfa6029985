import Assistant
import ConversationModel
import Foundation
import NIOCore
import StrictJSON
import Wire

/// The live door: what clients say over `GET /v1/live`, one frame after the other.
struct LiveDoor: SocketDoor {
  let store: any Store
  let hub: LiveHub
  let turns: Turns
  let meters: Meters
  let limiter: RateLimiter

  func serve(_ socket: WebSocket) async {
    let client = LiveClient(
      socket, id: newRequestID(), name: socket.clientName, address: socket.peer?.ipAddress ?? "", since: Self.now())
    await socket.forEachMessage { message in
      guard message.isText else { return socket.close(.unsupportedData, "Frames are JSON text.") }
      await answer(message.array, of: client)
    }
    if socket.isTooSlow { meters.closedSlowConsumer() }
    end(client)
  }

  static func now() -> Timestamp {
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

  private var attaching: Attaching { Attaching(store: store, hub: hub, turns: turns, meters: meters) }

  private func answer(_ request: LiveRequest, _ client: LiveClient) async throws {
    let ref = request.ref
    switch request.kind {
    case .attach(let attach):
      try await attaching.attach(attach, client) { start in
        client.answer(LiveHub.frame { $0.attached(start, ref: ref) })
      }
    case .send(let send): try await self.send(send, client, ref)
    case .history(let wanted):
      let attachment = try attachment(of: client)
      let page = try await attaching.page(
        Path(.id(attachment.conversation), branch: attachment.branch), wanted, client.principal)
      client.answer(LiveHub.frame { $0.history(page, ref: ref) })
    case .edit(let revise):
      _ = try attachment(of: client)
      let receipt = try await store.apply(.revise(revise), as: client.principal)
      client.answer(LiveHub.frame { $0.ack(receipt, ref: ref) })
    case .branch(let body): try await makeBranch(body, client, ref)
    case .switchBranch(let number): try await show(number, client, ref)
    case .turn(let turn): try await begin(turn, client, ref)
    case .cancel(let turn):
      _ = try attachment(of: client)
      try await turns.cancel(turn, as: client.principal)
      client.answer(
        LiveHub.frame { writer in
          writer.beginFrame("ack", ref: ref)
          writer.field("turn_id", turn)
          writer.endObject()
        })
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

  /// Begins a turn on the connection's branch; the answer comes as pushes.
  private func begin(_ request: TurnRequest, _ client: LiveClient, _ ref: JSONText?) async throws {
    _ = try attachment(of: client)
    hub.typing(client, false)
    let begun = try await attaching.begin(request, client)
    client.answer(
      LiveHub.frame {
        $0.ack(begun.receipt, clientID: begun.receipt.messages.first?.clientID, turn: begun.turn.id, ref: ref)
      })
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

extension WebSocket: LiveSink {
  var backlogMilliseconds: Int { backlog.milliseconds }

  func tell(_ announcement: Announcement) { send(announcement.frame) }

  func endTooSlow() { close(.tooSlow) }
}
