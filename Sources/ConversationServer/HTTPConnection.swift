import ConversationModel
import Glibc
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// How one HTTP/1 connection is set up: parser, watch, and a task for its requests.
///
/// The task runs on the event loop that reads its socket. Left alone, it would run on the shared pool,
/// and every part of a request and of its answer would change threads there and back. Bound to its loop
/// it changes threads for the store only. So nothing in a request may block; the store has threads of
/// its own for that.
struct HTTPConnection: HTTPChannelHandler {
  typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

  let responder: Responder
  let limits: ConnectionLimits
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
      let pipeline = channel.pipeline.syncOperations
      try pipeline.configureHTTPServerPipeline(
        withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false,
        withEncoderConfiguration: .init(), withDecoderLimitConfiguration: Self.headers)
      try pipeline.addHandler(ConnectionWatch(limits: limits, count: count))
      try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
      return try NIOAsyncChannel(
        wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
    }
  }

  func handle(value: Value, logger: Logger) async {
    await withTaskExecutorPreference(EventLoopExecutor(value.channel.eventLoop)) {
      await handleHTTP(asyncChannel: value, logger: logger)
    }
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
