import ConversationModel
import HTTPTypes
import Hummingbird
import NIOCore
import StrictJSON
import Wire

/// The open routes for those who run the server or write a client: is it alive, does it take messages,
/// what are its limits, what can it be asked.
struct OperationsDoor: Sendable {
  let store: any Store

  /// What a supervisor asks: never rate limited, because a refusal would make it end a healthy server.
  static let probes: Set<String> = ["/healthz", "/readyz"]

  func addRoutes(to router: Router<ServerContext>) {
    router.route("/healthz", [.get: alive])
    router.route("/readyz", [.get: ready])
    router.route("/v1/limits", [.get: limits])
    router.route("/openapi.json", [.get: description])
  }

  @Sendable private func alive(_ request: Request, _ context: ServerContext) async throws -> Response {
    .json { writer in
      writer.beginObject()
      writer.field("status", "ok")
      writer.endObject()
    }
  }

  /// 200 while appends are accepted, 503 with the reason while they are not.
  @Sendable private func ready(_ request: Request, _ context: ServerContext) async throws -> Response {
    let refusal = await store.health().refusal
    return .json(
      refusal == nil ? .ok : .serviceUnavailable, headers: refusal == nil ? [:] : [.retryAfter: Response.retryAfter]
    ) { writer in
      writer.beginObject()
      writer.field("status", refusal == nil ? "ok" : "unavailable")
      writer.key("reasons")
      writer.list(refusal.map { [$0] } ?? []) { $0.string($1) }
      writer.endObject()
    }
  }

  @Sendable private func limits(_ request: Request, _ context: ServerContext) async throws -> Response {
    .json { $0.limits() }
  }

  @Sendable private func description(_ request: Request, _ context: ServerContext) async throws -> Response {
    Response(
      status: .ok, headers: [.contentType: "application/json"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: OpenAPI.document)))
  }
}
