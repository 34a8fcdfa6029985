import ConversationModel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import Synchronization

/// Opens sockets to one server's live door (RFC 6455 §4.1).
final class WebSocketClient: Sendable {
  private enum Outcome: Sendable {
    case open
    case refused(EventLoopFuture<ServerAnswer>)
  }

  /// The server agreed to something else than a socket of this protocol.
  private struct Misunderstanding: Error {}
  private struct TimeIsUp: Error {}

  private static let subprotocol = "parley.v1"

  private let address: ServerAddress
  private let configuration: RemoteStore.Configuration
  /// Made for the first socket: reading the system's authorities takes a while.
  private let secrets = Mutex<NIOSSLContext?>(nil)

  init(_ address: ServerAddress, _ configuration: RemoteStore.Configuration) {
    self.address = address
    self.configuration = configuration
  }

  /// Opens a socket for a link; closing the link also ends one that is not open yet.
  ///
  /// Takes `connectSeconds` to reach the server and `answerSeconds` for its answer at most.
  /// - Throws: What the server answers instead, or `.unavailable`, `.internal`.
  func open(_ path: String, token: String, for link: LiveLink) async throws(ConversationError) {
    var headers = HTTPHeaders()
    headers.add(name: "host", value: address.authority)
    headers.add(name: "authorization", value: "Bearer \(token)")
    headers.add(name: "user-agent", value: configuration.client)
    headers.add(name: "sec-websocket-protocol", value: Self.subprotocol)
    let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: address.path + path, headers: headers)
    let refusal: ServerAnswer?
    do {
      let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connectTimeout(.seconds(Int64(configuration.connectSeconds)))
        .channelOption(.socketOption(.tcp_nodelay), value: 1)
      let opening = bootstrap.connect(host: address.host, port: address.port)
        .flatMap { self.upgrade($0, head, for: link) }
      refusal = try await opening.valueUnlessCancelled()
    } catch {
      throw Self.conversationError(error)
    }
    if let refusal { throw refusal.error }
  }

  // MARK: On the event loop

  /// Makes a socket of a connection. One that becomes none is closed.
  ///
  /// - Returns: The answer of a server that refuses; nil if it does not.
  private func upgrade(
    _ channel: any Channel, _ head: HTTPRequestHead, for link: LiveLink
  ) -> EventLoopFuture<ServerAnswer?> {
    link.willOpen(channel)
    let promise = channel.eventLoop.makePromise(of: ServerAnswer?.self)
    let timeout = channel.eventLoop.scheduleTask(in: .seconds(Int64(configuration.answerSeconds))) {
      promise.fail(TimeIsUp())
    }
    promise.futureResult.whenComplete { result in
      timeout.cancel()
      if case .success(nil) = result { return }
      channel.close(promise: nil)
    }
    do {
      try outcome(on: channel, head, for: link)
        .flatMap { outcome in
          switch outcome {
          case .open: channel.eventLoop.makeSucceededFuture(nil)
          case .refused(let answer): answer.map { $0 }
          }
        }
        .cascade(to: promise)
    } catch {
      promise.fail(error)
    }
    return promise.futureResult
  }

  private func outcome(
    on channel: any Channel, _ head: HTTPRequestHead, for link: LiveLink
  ) throws -> EventLoopFuture<Outcome> {
    let pipeline = channel.pipeline.syncOperations
    if address.isSecure { try pipeline.addHandler(try secureHandler()) }
    // In front of everything that joins bytes: a long message that comes slowly is no silence.
    let patience = TimeAmount.milliseconds(
      Int64(configuration.silenceSeconds) * 1_000 / Int64(WebSocketHandler.silencesAllowed))
    try pipeline.addHandler(IdleStateHandler(readTimeout: patience))
    let upgrader = NIOTypedWebSocketClientUpgrader<Outcome>(
      maxFrameSize: Limits.serverFrameBytes, enableAutomaticErrorHandling: false
    ) { channel, answer in
      channel.eventLoop.makeCompletedFuture {
        guard Self.isAgreed(answer.headers) else { throw Misunderstanding() }
        try channel.pipeline.syncOperations.addHandler(WebSocketHandler(link: link))
        link.open(channel)
        return .open
      }
    }
    let upgrade = NIOTypedHTTPClientUpgradeConfiguration(upgradeRequestHead: head, upgraders: [upgrader]) { channel in
      channel.eventLoop.makeCompletedFuture {
        let answer = channel.eventLoop.makePromise(of: ServerAnswer.self)
        try channel.pipeline.syncOperations.addHandler(RefusalReader(answer))
        return .refused(answer.futureResult)
      }
    }
    var setup = NIOUpgradableHTTPClientPipelineConfiguration(upgradeConfiguration: upgrade)
    // The first frames may come with the answer.
    setup.leftOverBytesStrategy = .forwardBytes
    return try pipeline.configureUpgradableHTTPClientPipeline(configuration: setup)
  }

  private static func isAgreed(_ headers: HTTPHeaders) -> Bool {
    headers[canonicalForm: "connection"].contains { $0.lowercased() == "upgrade" }
      && headers["sec-websocket-protocol"] == [subprotocol] && headers["sec-websocket-extensions"].isEmpty
  }

  private func secureHandler() throws -> NIOSSLClientHandler {
    let context = try secrets.withLock { made in
      if let made { return made }
      var settings = TLSConfiguration.makeClientConfiguration()
      settings.applicationProtocols = ["http/1.1"]
      let context = try NIOSSLContext(configuration: settings)
      made = context
      return context
    }
    // An address is no name that a server could be asked for (RFC 6066 §3).
    let isAddress = (try? SocketAddress(ipAddress: address.host, port: 0)) != nil
    return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : address.host)
  }

  // MARK: Errors

  private static func conversationError(_ error: any Error) -> ConversationError {
    switch error {
    case is TimeIsUp, ChannelError.connectTimeout:
      ConversationError(.unavailable, "The server did not answer in time.", underlying: error)
    case HTTPParserError.invalidEOFState, HTTPParserError.closedConnection:
      ConversationError(.unavailable, "The server cannot be reached.", underlying: error)
    case is Misunderstanding, is NIOHTTPClientUpgradeError:
      ConversationError(.internal, "The server's answer cannot be read: it opens no WebSocket.", underlying: error)
    default:
      ServerConnection.conversationError(error, .GET)
    }
  }
}

/// Collects what a server answers instead of opening a socket.
private final class RefusalReader: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart

  /// Of the body: many times what a problem has.
  private static let bodyBytes = 65_536

  private let promise: EventLoopPromise<ServerAnswer>
  private var status: HTTPResponseStatus?
  private var body = ByteBuffer()

  init(_ promise: EventLoopPromise<ServerAnswer>) {
    self.promise = promise
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): status = head.status
    case .body(var bytes):
      body.writeBuffer(&bytes)
      if body.readableBytes > Self.bodyBytes { end() }
    case .end: end()
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    promise.fail(error)
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    end()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { end() }

  /// Once more changes nothing.
  private func end() {
    guard let status else { return promise.fail(ChannelError.eof) }
    promise.succeed(ServerAnswer(status: status, body: body))
  }
}

extension EventLoopFuture where Value: Sendable {
  /// Waits, but not for longer than the waiting task wants to.
  fileprivate func valueUnlessCancelled() async throws -> Value {
    let promise = eventLoop.makePromise(of: Value.self)
    cascade(to: promise)
    return try await withTaskCancellationHandler {
      try await promise.futureResult.get()
    } onCancel: {
      promise.fail(CancellationError())
    }
  }
}
