public import ConversationModel
import HTTPTypes
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
public import ServiceLifecycle

/// The HTTP server: all doors over one store.
///
/// It is a service: `run` serves until it is cancelled or shut down gracefully; then it takes no new
/// connections and finishes the requests that it has begun.
public struct ConversationServer: Service, CustomStringConvertible {
  /// Where it listens and how long it waits for silent connections.
  public struct Configuration: Sendable {
    public var host: String
    /// 0 lets the system choose; `onListening` is told which.
    public var port: Int
    /// Seconds without a byte after which a connection is closed.
    public var idleSeconds: Int

    public init(host: String, port: Int, idleSeconds: Int = 75) {
      self.host = host
      self.port = port
      self.idleSeconds = idleSeconds
    }
  }

  /// What logs call it.
  public var description: String { "ConversationServer(\(configuration.host):\(configuration.port))" }

  private let store: any Store
  private let credentials: Credentials
  private let configuration: Configuration
  private let logger: Logger
  private let onListening: @Sendable (_ port: Int) async -> Void

  /// - Parameter onListening: Called once the server accepts connections, with its port.
  public init(
    store: any Store, credentials: Credentials, configuration: Configuration, logger: Logger,
    onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
  ) {
    self.store = store
    self.credentials = credentials
    self.configuration = configuration
    self.logger = logger
    self.onListening = onListening
  }

  public func run() async throws {
    // At `info` Hummingbird says what `onListening` tells already.
    var logger = logger
    if logger.logLevel == .info { logger.logLevel = .notice }
    let application = Application(
      router: await router(),
      server: HTTPServerBuilder { [configuration] responder in
        LoopBoundChannel(
          HTTP1Channel(
            responder: responder,
            configuration: HTTP1Channel.Configuration(
              idleTimeout: .seconds(Int64(configuration.idleSeconds)), httpDecoderConfiguration: Self.headers)))
      },
      configuration: ApplicationConfiguration(
        address: .hostname(configuration.host, port: configuration.port), serverName: nil, backlog: 1_024),
      onServerRunning: { [onListening] channel in
        await onListening(channel.localAddress?.port ?? 0)
      },
      logger: logger)
    try await application.run()
  }

  /// Bytes and number of header fields: tokens and a browser's own fit many times over.
  private static let headers = HTTP1Channel.Configuration.DecoderConfiguration(
    maxHeaderFieldSize: 16_384, maxHeaderListSize: 32_768, maxHeaderFieldCount: 100)

  private func router() async -> Router<ServerContext> {
    let router = Router(context: ServerContext.self, options: .autoGenerateHeadEndpoints)
    router.add(middleware: AnswerMiddleware())
    let authenticator = await Authenticator(credentials)
    OperationsDoor(store: store).addRoutes(to: router)
    NativeDoor(store: store, authenticator: authenticator).addRoutes(to: router)
    SupabaseDoor(store: store, authenticator: authenticator).addRoutes(to: router)
    return router
  }
}
