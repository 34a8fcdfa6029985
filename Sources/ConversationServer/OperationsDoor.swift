import ConversationModel
import HTTPTypes
import Hummingbird
import NIOCore
import StrictJSON
import Wire

/// The routes for those who run the server or write a client: is it alive, does it take messages, what are
/// its limits, what can it be asked, what has it measured; and, for the service role, what it does and who is there.
struct OperationsDoor: Sendable {
  let store: any Store
  let live: any LiveSource
  let meters: Meters
  let authenticator: Authenticator
  let limiter: RateLimiter

  /// What a supervisor asks: never rate limited, because a refusal would make it end a healthy server.
  static let probes: Set<String> = ["/healthz", "/readyz"]

  func addRoutes(to router: Router<ServerContext>) {
    router.route("/healthz", [.get: alive])
    router.route("/readyz", [.get: ready])
    router.route("/metrics", [.get: metrics])
    router.route("/v1/limits", [.get: limits])
    router.route("/openapi.json", [.get: description])
    router.route("/v1/status", [.get: status])
    router.route("/v1/sessions", [.get: sessions])
    router.route("/v1/log", [.get: log])
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
    let state = ServerStatus.State(await store.health())
    let accepts = state.kind != .unavailable
    return .json(
      accepts ? .ok : .serviceUnavailable, headers: accepts ? [:] : [.retryAfter: Response.retryAfter]
    ) { writer in
      writer.beginObject()
      writer.state(state)
      writer.endObject()
    }
  }

  @Sendable private func metrics(_ request: Request, _ context: ServerContext) async throws -> Response {
    let text = PrometheusText.metrics(try await live.status(as: .service), meters)
    return Response(
      status: .ok, headers: [.contentType: PrometheusText.contentType],
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }

  // MARK: For the service role

  @Sendable private func status(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request)
    _ = try Query(request, allowing: [])
    let status = try await live.status(as: principal)
    return .json(reserving: 8_192) { $0.status(status) }
  }

  @Sendable private func sessions(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request)
    let page = try await live.sessions(
      try Query(request, allowing: ["limit", "cursor"]).page(), as: principal)
    return .json(reserving: 512 * (page.items.count + 1)) { writer in
      writer.page(page) { $0.liveSession($1) }
    }
  }

  @Sendable private func log(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await principal(of: request)
    let query = try Query(request, allowing: ["since", "limit"])
    let page = try await live.log(
      since: try query.number("since") ?? 0, limit: try query.number("limit") ?? Limits.defaultPageItems,
      as: principal)
    return .json(reserving: 256 * (page.records.count + 1)) { $0.log(page) }
  }

  private func principal(of request: Request) async throws -> Principal {
    try await request.principal(authenticator, limiter)
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
