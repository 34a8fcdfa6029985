import ConversationModel
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import StrictJSON
import Wire

/// An error whose status is not the one of its code: 405 and 415.
struct StatusError: Error {
  let status: HTTPResponse.Status
  let error: ConversationError
  var headers: HTTPFields = [:]

  init(status: HTTPResponse.Status, _ error: ConversationError, headers: HTTPFields = [:]) {
    self.status = status
    self.error = error
    self.headers = headers
  }
}

/// Stands around every route: gives the request its id and turns whatever is thrown into an answer.
struct AnswerMiddleware: RouterMiddleware {
  typealias Context = ServerContext

  let limiter: RateLimiter
  let meters: Meters

  func handle(
    _ request: Request, context: ServerContext, next: (Request, ServerContext) async throws -> Response
  ) async throws -> Response {
    let began = ContinuousClock.now
    var context = context
    context.requestID = Self.requestID(request)
    var response: Response
    do {
      if !OperationsDoor.probes.contains(request.uri.path) { try limiter.admit(request, from: context.peer) }
      response = try await next(request, context)
    } catch {
      response = answer(to: error, request, context)
    }
    response.headers[.requestID] = context.requestID
    meters.answered(
      status: response.status.code, isRPC: request.uri.path.hasPrefix(SupabaseDoor.functions), since: began)
    context.logger.debug(
      "answered",
      metadata: [
        "request": "\(context.requestID)", "method": "\(request.method)", "route": "\(context.endpointPath ?? "-")",
        "status": "\(response.status.code)",
      ])
    return response
  }

  private func answer(to error: any Error, _ request: Request, _ context: ServerContext) -> Response {
    if let error = error as? PostgRESTError {
      if let cause = error.underlying { log(cause, error.status, context) }
      return error.response
    }
    let (status, shown, headers) = Self.shown(error)
    if let cause = shown.underlying ?? (shown.code == .internal ? error : nil) { log(cause, status, context) }
    if request.uri.path.hasPrefix("/rest/") {
      var answer = PostgRESTError(shown, status: status).response
      for field in headers { answer.headers[field.name] = field.value }
      return answer
    }
    return .problem(shown, status: status, headers: headers, requestID: context.requestID)
  }

  private static func shown(_ error: any Error) -> (HTTPResponse.Status, ConversationError, HTTPFields) {
    switch error {
    case let error as ConversationError:
      return (error.code.status, error, [:])
    case let error as StatusError:
      return (error.status, error.error, error.headers)
    case let error as HTTPError where error.status == .notFound:
      return (.notFound, ConversationError(.notFound, "There is no such route."), [:])
    case let error as HTTPError where error.status == .contentTooLarge:
      return (
        .contentTooLarge,
        ConversationError(.tooLarge, "A request body holds at most \(Limits.bodyBytes) bytes."), [:]
      )
    default:
      return (
        .internalServerError,
        ConversationError(.internal, "The server failed on this request; its log says how.", underlying: error), [:]
      )
    }
  }

  /// The cause goes to the log once, here, and nowhere else; the caller gets the sentence.
  private func log(_ cause: any Error, _ status: HTTPResponse.Status, _ context: ServerContext) {
    context.logger.error(
      "request failed",
      metadata: [
        "request": "\(context.requestID)", "route": "\(context.endpointPath ?? "-")", "status": "\(status.code)",
        "error": "\(cause)",
      ])
  }

  /// Characters of a caller's request id: it goes into logs and headers.
  private static let requestIDCharacters = 64

  private static func requestID(_ request: Request) -> String {
    if let sent = request.headers[.requestID], (1...requestIDCharacters).contains(sent.utf8.count),
      sent.utf8.allSatisfy(isPlain)
    {
      return sent
    }
    return newRequestID()
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
      true
    default: false
    }
  }
}

/// Of one length, so that answers that must not differ do not differ by this.
func newRequestID() -> String {
  var random = SystemRandomNumberGenerator()
  return MessageID(high: random.next(), low: random.next()).description
}

extension HTTPField.Name {
  static let requestID = HTTPField.Name("x-request-id")!
  static let idempotencyKey = HTTPField.Name("idempotency-key")!
  static let apiKey = HTTPField.Name("apikey")!
}

extension ConversationError.Code {
  var status: HTTPResponse.Status {
    switch self {
    case .invalid: .badRequest
    case .unauthenticated: .unauthorized
    case .forbidden: .forbidden
    case .notFound: .notFound
    case .conflict: .conflict
    case .gone: .gone
    case .preconditionFailed: .preconditionFailed
    case .tooLarge: .contentTooLarge
    case .rateLimited: .tooManyRequests
    case .internal: .internalServerError
    case .unavailable: .serviceUnavailable
    }
  }
}

extension Response {
  /// Seconds after which an `unavailable` request may be sent again.
  static let retryAfter = "1"

  static func json(
    _ status: HTTPResponse.Status = .ok, headers: HTTPFields = [:], type: String = "application/json",
    reserving bytes: Int = 512, _ write: (inout JSONWriter) -> Void
  ) -> Response {
    var writer = JSONWriter(reserving: bytes)
    write(&writer)
    var headers = headers
    headers[.contentType] = type
    return Response(
      status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: writer.bytes)))
  }

  static func problem(
    _ error: ConversationError, status: HTTPResponse.Status, headers: HTTPFields = [:], requestID: String
  ) -> Response {
    var headers = headers
    if error.code == .unavailable { headers[.retryAfter] = retryAfter }
    if error.code == .unauthenticated { headers[.wwwAuthenticate] = "Bearer" }
    return .json(status, headers: headers, type: "application/problem+json") { writer in
      writer.problem(error, status: status.code, title: status.reasonPhrase, requestID: requestID)
    }
  }
}

extension Router<ServerContext> {
  typealias Handler = @Sendable (Request, ServerContext) async throws -> Response

  /// Every method that the parser lets through, except HEAD, which the router derives from GET.
  private static var methods: [HTTPRequest.Method] {
    """
    GET POST PUT PATCH DELETE OPTIONS TRACE CONNECT ACL BIND CHECKOUT COPY LINK LOCK M-SEARCH MERGE MKACTIVITY \
    MKCALENDAR MKCOL MOVE NOTIFY PROPFIND PROPPATCH PURGE QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND UNLINK \
    UNLOCK UNSUBSCRIBE
    """.split(separator: " ").compactMap { HTTPRequest.Method(String($0)) }
  }

  /// Adds all methods of one path. The methods that it does not have answer 405 and name those it has.
  func route(_ path: RouterPath, _ handlers: [HTTPRequest.Method: Handler]) {
    var allowed = handlers.keys.map(\.rawValue)
    if handlers[.get] != nil { allowed.append("HEAD") }
    let allow = allowed.sorted().joined(separator: ", ")
    for method in Self.methods {
      if let handler = handlers[method] {
        on(path, method: method, use: handler)
      } else {
        on(path, method: method) { _, _ -> Response in
          throw StatusError(
            status: .methodNotAllowed, ConversationError(.invalid, "This route takes \(allow)."),
            headers: [.allow: allow])
        }
      }
    }
  }
}
