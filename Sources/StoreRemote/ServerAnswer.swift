import ConversationModel
import NIOCore
import NIOHTTP1
import Wire

/// What a server answered to one request.
struct ServerAnswer: Sendable {
  let status: HTTPResponseStatus
  let body: ByteBuffer

  func reply() throws(ConversationError) -> Reply {
    try body.withUnsafeReadableBytes { (bytes) throws(ConversationError) in try Reply(bytes) }
  }

  /// What went wrong, as the server says it; by its status if something else answered in its place.
  var error: ConversationError {
    if let problem = try? reply().problem() { return problem }
    switch status {
    case .badGateway, .serviceUnavailable, .gatewayTimeout:
      return ConversationError(.unavailable, "The server is not available now.")
    default:
      return ConversationError(
        .internal,
        "The server's answer cannot be read: its status is \(status.code), its body no problem of Parley's.")
    }
  }
}
