import ConversationModel
import Glibc
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// How one HTTP/1 connection is set up: parser, watch, and a task for its requests, or for its WebSocket if
/// the first request asks for one.
///
/// The task runs on the event loop that reads its socket. Left alone, it would run on the shared pool,
/// and every part of a request and of its answer would change threads there and back. Bound to its loop
/// it changes threads for the store only. So nothing in a request may block; the store has threads of
/// its own for that.
struct HTTPConnection: HTTPChannelHandler {
  /// A connection, and what it will turn out to be; fails if it ends before its first request.
  struct Value: ServerChildChannelValue {
    let channel: any Channel
    let kind: EventLoopFuture<FirstRequest.Kind>
  }

  /// Answers requests.
  let responder: Responder
  /// Answers requests that ask for a WebSocket.
  let handshake: RouterResponder<ServerContext>
  let door: any SocketDoor
  let limits: ConnectionLimits
  let sockets: WebSocketLimits
  let count: ConnectionCount

  /// Bytes and number of header fields: tokens and a browser's own fit many times over.
  private static let headers = {
    var configuration = NIOHTTPDecoderLimitConfiguration()
    configuration.maxHeaderFieldSize = Limits.headerFieldBytes
    configuration.maxHeaderListSize = Limits.headerBytes
    configuration.maxHeaderFieldCount = Limits.headerFields
    return configuration
  }()

  /// Bytes that the system takes before they are on their way. Left alone it takes four megabytes of an
  /// answer that nobody reads.
  private static let unsentBytes = 131_072

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    channel.eventLoop.makeCompletedFuture {
      try channel.syncOptions?.setOption(
        .tcpOption(NIOBSDSocket.Option(rawValue: TCP_NOTSENT_LOWAT)), value: Self.unsentBytes)
      try channel.syncOptions?.setOption(
        .recvAllocator,
        value: AdaptiveRecvByteBufferAllocator(minimum: SmallReads.bytes, initial: SmallReads.bytes, maximum: 65_536))
      let pipeline = channel.pipeline.syncOperations
      try pipeline.addHandler(HTTPResponseEncoder())
      // What follows a request that becomes a WebSocket is not for the parser.
      try pipeline.addHandler(
        ByteToMessageHandler(
          HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: Self.headers)))
      try pipeline.addHandler(ConnectionWatch(limits: limits, count: count))
      try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
      let kind = channel.eventLoop.makePromise(of: FirstRequest.Kind.self)
      try pipeline.addHandler(FirstRequest(kind))
      return Value(channel: channel, kind: kind.futureResult)
    }
  }

  func handle(value: Value, logger: Logger) async {
    await withTaskExecutorPreference(EventLoopExecutor(value.channel.eventLoop)) {
      switch try? await value.kind.get() {
      case .http(let channel): await handleHTTP(asyncChannel: channel, logger: logger)
      case .upgrade(let asking): await serve(asking, on: value.channel, logger)
      case nil: break
      }
    }
  }

  // MARK: WebSockets

  /// Answers a request that asks for a WebSocket, and serves the socket if the answer is yes.
  private func serve(_ asking: FirstRequest.Asking, on channel: any Channel, _ logger: Logger) async {
    do {
      // In a task of its own, because a task keeps the memory for its deepest call as long as it lives, and
      // thousands of sockets wait here.
      let socket = try await withThrowingTaskGroup(of: WebSocket?.self) { group in
        group.addTask { try await answer(asking.take(), on: channel, logger) }
        return try await group.next() ?? nil
      }
      if let socket {
        await withTaskCancellationHandler {
          await door.serve(socket)
        } onCancel: {
          socket.goAway()
        }
        socket.close(.normal)
      }
      try await channel.closeFuture.get()
    } catch {
      channel.close(promise: nil)
    }
  }

  /// Answers a request that asks for a WebSocket; nil if it does not get one.
  private func answer(_ head: HTTPRequest?, on channel: any Channel, _ logger: Logger) async throws -> WebSocket? {
    guard let head else { return nil }
    var context = ServerContext(source: ApplicationRequestContextSource(channel: channel, logger: logger))
    let offer = UpgradeOffer()
    context.upgrade = offer
    let request = Request(head: head, body: RequestBody(buffer: ByteBuffer()))
    let response = try await handshake.respond(to: request, context: context)
    if response.status == .switchingProtocols, let admission = offer.admission {
      return try await channel.eventLoop.submit { try becomeSocket(channel, response.head, admission) }.get()
    }
    channel.write(HTTPResponsePart.head(response.head), promise: nil)
    try await response.body.write(AnswerWriter(channel))
    return nil
  }

  /// Answers 101 and puts the socket's handler in the place of those of HTTP.
  private func becomeSocket(
    _ channel: any Channel, _ head: HTTPResponse, _ admission: UpgradeOffer.Admission
  ) throws -> WebSocket {
    let pipeline = channel.pipeline.syncOperations
    let watch = try pipeline.handler(type: ConnectionWatch.self)
    let first = try pipeline.handler(type: FirstRequest.self)
    channel.writeAndFlush(HTTPResponsePart.head(head), promise: nil)
    guard channel.isActive, !first.isInputClosed else { throw ChannelError.eof }
    let handler = WebSocketHandler(limits: sockets, count: count)
    let socket = WebSocket(
      handler: handler, on: channel.eventLoop, limits: sockets, principal: admission.principal,
      peer: channel.remoteAddress, clientName: admission.clientName, expiry: admission.expiry)
    try channel.syncOptions?.setOption(.recvAllocator, value: SmallReads())
    try pipeline.addHandler(handler)
    let isQuiescing = watch.handOver()
    handler.start(socket)
    pipeline.removeHandler(first, promise: nil)
    pipeline.removeHandler(try pipeline.handler(type: HTTP1ToHTTPServerCodec.self), promise: nil)
    pipeline.removeHandler(watch, promise: nil)
    pipeline.removeHandler(try pipeline.handler(type: HTTPResponseEncoder.self), promise: nil)
    // Takes a turn of the loop. It passes on what came behind the request, and nothing is read till then.
    pipeline.removeHandler(try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self))
      .whenComplete { _ in channel.read() }
    if isQuiescing { socket.goAway() }
    return socket
  }
}

/// Reads a socket in small pieces. Left alone a channel keeps a buffer as large as the largest read, up to
/// 64 KiB, and thousands of sockets are idle after one long message.
private struct SmallReads: RecvByteBufferAllocator {
  /// Those of most requests, and with them every channel begins: what it has once it keeps.
  static let bytes = 1_024

  func buffer(allocator: ByteBufferAllocator) -> ByteBuffer { allocator.buffer(capacity: Self.bytes) }
  func nextBufferSize() -> Int? { Self.bytes }
  func record(actualReadBytes: Int) -> Bool { false }
}

/// Writes the body of an answer, piece by piece as the client takes it.
private struct AnswerWriter: ResponseBodyWriter {
  private let channel: any Channel

  init(_ channel: any Channel) {
    self.channel = channel
  }

  mutating func write(_ buffer: ByteBuffer) async throws {
    try await channel.writeAndFlush(HTTPResponsePart.body(buffer))
  }

  consuming func finish(_ trailingHeaders: HTTPFields?) async throws {
    try await channel.writeAndFlush(HTTPResponsePart.end(trailingHeaders))
  }
}

/// Runs the jobs of tasks on an event loop.
private final class EventLoopExecutor: TaskExecutor {
  private let loop: any EventLoop

  init(_ loop: any EventLoop) {
    self.loop = loop
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
