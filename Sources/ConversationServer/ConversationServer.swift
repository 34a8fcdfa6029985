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
  /// Where it listens and what its clients may cost.
  public struct Configuration: Sendable {
    public var host: String
    /// 0 lets the system choose; `onListening` is told which.
    public var port: Int
    public var connections: ConnectionLimits
    public var rates: RateLimits

    public init(
      host: String, port: Int, connections: ConnectionLimits = ConnectionLimits(), rates: RateLimits = RateLimits()
    ) {
      self.host = host
      self.port = port
      self.connections = connections
      self.rates = rates
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
      server: HTTPServerBuilder { [limits = configuration.connections] responder in
        HTTPConnection(responder: responder, limits: limits, count: ConnectionCount())
      },
      configuration: ApplicationConfiguration(
        address: .hostname(configuration.host, port: configuration.port), serverName: nil, backlog: 1_024,
        // Those beyond the limit are told so; not even they may be without a bound.
        availableConnectionsDelegate: MaximumAvailableConnections(
          configuration.connections.connections + Self.refusedConnections)),
      onServerRunning: { [onListening] channel in
        await onListening(channel.localAddress?.port ?? 0)
      },
      logger: logger)
    try await application.run()
  }

  /// Connections that may wait for the end of their refusal; the next ones stay in the system's queue.
  private static let refusedConnections = 64

  private func router() async -> Router<ServerContext> {
    let router = Router(context: ServerContext.self, options: .autoGenerateHeadEndpoints)
    let limiter = RateLimiter(configuration.rates)
    router.add(middleware: AnswerMiddleware(limiter: limiter))
    let authenticator = await Authenticator(credentials)
    OperationsDoor(store: store).addRoutes(to: router)
    NativeDoor(store: store, authenticator: authenticator, limiter: limiter).addRoutes(to: router)
    SupabaseDoor(store: store, authenticator: authenticator, limiter: limiter).addRoutes(to: router)
    return router
  }
}
