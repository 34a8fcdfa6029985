import ConversationModel
import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization

/// How a request for a WebSocket is let through: what the connection offers to the router's handler, and
/// what the handler puts into it.
///
/// A request for an upgrade takes the ordinary way, so that whatever is wrong with it is answered like
/// everywhere. Only if its answer is 101 and it was admitted, the connection becomes a socket.
final class UpgradeOffer: Sendable {
  struct Admission: Sendable {
    let principal: Principal
    /// What the client calls itself, as it may be shown.
    let clientName: String
    /// When the token ends.
    let expiry: NIODeadline?
  }

  private let accepted = Mutex<Admission?>(nil)

  var admission: Admission? { accepted.withLock { $0 } }

  func accept(_ admission: Admission) { accepted.withLock { $0 = admission } }
}

/// The live door's opening handshake, `GET /v1/live` (RFC 6455 §4.2).
struct Handshake: Sendable {
  let authenticator: Authenticator
  let limiter: RateLimiter
  /// The web pages that may open sockets, as browsers write `Origin`, in lower case.
  let origins: Set<String>

  /// What is spoken over the socket.
  static let subprotocol = "parley.v1"
  /// In front of a browser's token: it cannot send headers of its own.
  private static let bearer = "bearer."

  func addRoutes(to router: Router<ServerContext>) {
    router.route("/v1/live", [.get: upgrade])
  }

  @Sendable private func upgrade(_ request: Request, _ context: ServerContext) async throws -> Response {
    let key = try Self.key(of: request)
    _ = try Query(request, allowing: [])
    let protocols = request.list(.webSocketProtocol)
    guard protocols.isEmpty || protocols.contains(Self.subprotocol) else {
      throw ConversationError(.invalid, "The WebSocket's subprotocol is \(Self.subprotocol).")
    }
    try checkOrigin(of: request)
    let admission = try await admission(of: request, protocols)
    guard let offer = context.upgrade else {
      throw ConversationError(
        .invalid, "Only the first request of a connection of HTTP/1.1 can open a WebSocket, and has no body.")
    }
    offer.accept(admission)
    var headers: HTTPFields = [
      .upgrade: "websocket", .connection: "upgrade", .webSocketAccept: Self.accept(key),
    ]
    if !protocols.isEmpty { headers[.webSocketProtocol] = Self.subprotocol }
    var response = Response(status: .switchingProtocols, headers: headers)
    // RFC 9110 §8.6: it has no length.
    response.headers[.contentLength] = nil
    return response
  }

  /// - Throws: 426 for what is no upgrade to a WebSocket of version 13, 400 without a key.
  private static func key(of request: Request) throws -> String {
    guard request.asksForWebSocket else {
      throw StatusError(
        status: .upgradeRequired, ConversationError(.invalid, "This route is a WebSocket; ask for the upgrade."),
        headers: [.upgrade: "websocket", .connection: "upgrade"])
    }
    guard request.headers[values: .webSocketVersion] == ["13"] else {
      throw StatusError(
        status: .upgradeRequired, ConversationError(.invalid, "The WebSocket's version is 13."),
        headers: [.upgrade: "websocket", .connection: "upgrade", .webSocketVersion: "13"])
    }
    let keys = request.headers[values: .webSocketKey]
    guard keys.count == 1, Data(base64Encoded: keys[0])?.count == 16 else {
      throw ConversationError(
        .invalid, "A WebSocket's key is sixteen bytes in base64, sent once.", field: "Sec-WebSocket-Key")
    }
    return keys[0]
  }

  /// A browser sends cookies and reaches private addresses for any page that it shows; so pages must be
  /// named. Programs send no origin.
  private func checkOrigin(of request: Request) throws(ConversationError) {
    let sent = request.headers[values: .origin]
    guard sent.allSatisfy({ origins.contains($0.lowercased()) }), sent.count <= 1 else {
      throw ConversationError(
        .forbidden,
        "Pages of this origin may not open WebSockets here; the setting allowed_origins names those that may.")
    }
  }

  private func admission(of request: Request, _ protocols: [String]) async throws -> UpgradeOffer.Admission {
    let header = request.headers[.authorization].map { bearerToken($0) ?? "" }
    let offered = protocols.first { $0.hasPrefix(Self.bearer) }.map { String($0.dropFirst(Self.bearer.count)) }
    guard let token = header ?? offered, !token.isEmpty else {
      throw ConversationError(
        .unauthenticated,
        "A token is needed: send the header Authorization: Bearer with one, or the subprotocol bearer.TOKEN.")
    }
    let identity = try await authenticator.identity(ofBearer: token)
    guard case .principal(let principal) = identity.role else {
      throw ConversationError(.forbidden, "The anonymous key opens nothing here; a user's token is needed.")
    }
    try limiter.admit(principal)
    return UpgradeOffer.Admission(
      principal: principal, clientName: Self.shownName(request.headers[.userAgent] ?? ""),
      expiry: identity.secondsLeft.map { .now() + .seconds($0) })
  }

  /// What a client calls itself, cut to a length, without what could move or hide text.
  static func shownName(_ name: String) -> String {
    var shown = String.UnicodeScalarView()
    for scalar in name.unicodeScalars.prefix(Limits.clientNameScalars) {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned:
        shown.append(" ")
      default: shown.append(scalar)
      }
    }
    return String(shown)
  }

  /// Proves that the key was read by somebody who knows the protocol (RFC 6455 §4.2.2).
  static func accept(_ key: String) -> String {
    let digest = Insecure.SHA1.hash(data: Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))
    return Data(digest).base64EncodedString()
  }
}

extension Request {
  /// Whether it asks to go on as a WebSocket.
  fileprivate var asksForWebSocket: Bool { head.asksForWebSocket }

  fileprivate func list(_ name: HTTPField.Name) -> [String] { headers.list(name) }
}

extension HTTPRequest {
  /// Whether it asks to go on as a WebSocket.
  var asksForWebSocket: Bool {
    method == .get && headerFields.list(.upgrade).contains { $0.lowercased() == "websocket" }
      && headerFields.list(.connection).contains { $0.lowercased() == "upgrade" }
  }
}

extension HTTPFields {
  /// The parts of a field that is a list, however many lines it was sent in.
  fileprivate func list(_ name: HTTPField.Name) -> [String] {
    self[values: name].flatMap { $0.split(separator: ",") }.map { String($0.trimmingSpaces) }.filter { !$0.isEmpty }
  }
}

extension HTTPField.Name {
  fileprivate static let webSocketKey = HTTPField.Name("sec-websocket-key")!
  fileprivate static let webSocketVersion = HTTPField.Name("sec-websocket-version")!
  fileprivate static let webSocketProtocol = HTTPField.Name("sec-websocket-protocol")!
  fileprivate static let webSocketAccept = HTTPField.Name("sec-websocket-accept")!
}
