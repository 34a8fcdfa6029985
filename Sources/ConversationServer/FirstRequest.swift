import HTTPTypes
import NIOCore
import NIOHTTPTypes
import Synchronization

/// Waits for the first request of a connection and decides what the connection is: only that request may
/// ask for a WebSocket.
///
/// All state belongs to the connection's event loop.
final class FirstRequest: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart

  /// What a connection turned out to be.
  enum Kind: Sendable {
    case http(NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>)
    /// A request that asks for a WebSocket. It has come to its end, and nothing behind it is read.
    case upgrade(Asking)
  }

  /// A request that is given away once: who knows the kind of a connection need not keep it.
  final class Asking: Sendable {
    private let request: Mutex<HTTPRequest?>

    init(_ request: HTTPRequest) {
      self.request = Mutex(request)
    }

    func take() -> HTTPRequest? {
      request.withLock { request in
        defer { request = nil }
        return request
      }
    }
  }

  private let kind: EventLoopPromise<Kind>
  private var asking: HTTPRequest?
  private(set) var isInputClosed = false

  init(_ kind: EventLoopPromise<Kind>) {
    self.kind = kind
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let part = unwrapInboundIn(data)
    switch part {
    case .head(let request) where request.asksForWebSocket && asking == nil:
      asking = request
    case .end where asking != nil:
      if let asking { kind.succeed(.upgrade(Asking(asking))) }
    default:
      var parts = [part]
      if let asking { parts.insert(.head(asking), at: 0) }
      asking = nil
      becomeHTTP(context, parts)
    }
  }

  private func becomeHTTP(_ context: ChannelHandlerContext, _ parts: [HTTPRequestPart]) {
    do {
      let http = try NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>(
        wrappingChannelSynchronously: context.channel, configuration: .init(isOutboundHalfClosureEnabled: true))
      for part in parts { context.fireChannelRead(wrapInboundOut(part)) }
      kind.succeed(.http(http))
      context.pipeline.syncOperations.removeHandler(self, promise: nil)
    } catch {
      context.close(promise: nil)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event as? ChannelEvent == .inputClosed {
      isInputClosed = true
      // Before a request there is nobody to be answered.
      if asking == nil { context.close(promise: nil) }
    } else {
      context.fireUserInboundEventTriggered(event)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    // Without effect where there was a request.
    kind.fail(ChannelError.eof)
  }
}
