import Assistant
import ConversationModel
import HTTPTypes
import Hummingbird
import NIOCore
import StrictJSON
import Wire

/// The native door's turns: a question goes in, and its answer comes out, piece by piece for whoever takes
/// `text/event-stream`, else when it is whole.
///
/// The answer is written whoever listens: a client that leaves finds it stored, or sends its question again and is
/// given the same one.
struct TurnDoor: Sendable {
  let turns: Turns
  let authenticator: Authenticator
  let limiter: RateLimiter

  func addRoutes(to router: Router<ServerContext>) {
    router.route("/v1/conversations/{id}/turns", [.post: turn])
  }

  @Sendable private func turn(_ request: Request, _ context: ServerContext) async throws -> Response {
    let caller = try await request.principal(authenticator, limiter)
    let query = try Query(request, allowing: ["user_id"])
    guard let conversation = context.parameters.get("id").flatMap({ ConversationID($0) }) else {
      throw ConversationError.noConversation
    }
    let body = try TurnBody(try await request.json(), idempotencyKey: try request.idempotencyKey())
    let principal = try caller.acting(for: body.userID, query)
    if let model = body.model, model != turns.modelName {
      throw ConversationError(
        .notFound, "This server has no such model; it answers with \(turns.modelName).", field: "model")
    }
    let begun = try await turns.begin(body.request, in: conversation, as: principal)
    guard request.takesEvents else { return try await whole(begun) }
    return events(of: begun, requestID: context.requestID)
  }

  /// The answer once it is there.
  private func whole(_ begun: Turns.Begun) async throws -> Response {
    for await event in begun.turn.events {
      guard case .done(let reply) = event else { continue }
      return .json(begun.receipt.isReplay ? .ok : .created, reserving: 1_024 + reply.content.utf8.count) {
        $0.turn(begun.receipt, question: begun.question, reply: reply)
      }
    }
    throw ConversationError(.unavailable, "The answer was not waited for.")
  }

  /// Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
  private func events(of begun: Turns.Begun, requestID: String) -> Response {
    let body = ResponseBody { output in
      try await output.write(
        Self.event("message") {
          $0.turnBegins(begun.receipt, question: begun.question, turn: begun.turn.id)
        })
      var events = begun.turn.events.makeAsyncIterator()
      while let step = await events.step(within: .seconds(Self.silenceSeconds)) {
        switch step {
        case .event(let event): try await output.write(Self.frame(event, requestID))
        case .silence: try await output.write(Self.comment)
        }
      }
      try await output.finish(nil)
    }
    return Response(
      status: .ok,
      headers: [
        .contentType: "text/event-stream", .cacheControl: "no-store",
        // A proxy that gathers an answer before it passes it on would undo all this.
        HTTPField.Name("x-accel-buffering")!: "no",
      ], body: body)
  }

  /// Seconds of a model's thinking after which a proxy, or whoever waits behind it, may take the connection for dead.
  private static let silenceSeconds = 15
  private static let comment = ByteBuffer(string: ": still there\n\n")

  private static func frame(_ event: Turn.Event, _ requestID: String) -> ByteBuffer {
    switch event {
    case .delta(let offset, let text):
      Self.event("delta") { writer in
        writer.beginObject()
        writer.delta(offset: offset, text)
        writer.endObject()
      }
    case .tool(let use):
      Self.event("tool") { writer in
        writer.beginObject()
        writer.toolUse(use)
        writer.endObject()
      }
    case .failed(let error):
      Self.event("error") { writer in
        writer.problem(
          error, status: error.code.status.code, title: error.code.status.reasonPhrase, requestID: requestID)
      }
    case .done(let message): Self.event("done") { $0.turnEnds(message) }
    }
  }

  /// JSON has no line feed of its own, so one line holds it.
  private static func event(_ name: String, _ write: (inout JSONWriter) -> Void) -> ByteBuffer {
    var writer = JSONWriter(reserving: 512)
    write(&writer)
    var buffer = ByteBuffer(string: "event: \(name)\ndata: ")
    buffer.writeBytes(writer.bytes)
    buffer.writeString("\n\n")
    return buffer
  }
}

extension Request {
  /// Whether the caller asks for events rather than for JSON.
  fileprivate var takesEvents: Bool {
    headers[values: .accept].contains { value in
      value.split(separator: ",").contains { type in
        type.prefix { $0 != ";" }.trimmingSpaces.lowercased() == "text/event-stream"
      }
    }
  }
}
