public import Assistant
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
    /// The web pages whose scripts may open WebSockets, as browsers write `Origin`. Programs, which send
    /// none, always may.
    public var origins: Set<String>
    /// Of this build, for `/v1/status`.
    public var version: String
    /// Where files lie that are being imported, without a name; they go with the request.
    public var uploads = "/tmp"
    package var sockets = WebSocketLimits()

    public init(
      host: String, port: Int, connections: ConnectionLimits = ConnectionLimits(), rates: RateLimits = RateLimits(),
      origins: Set<String> = [], version: String = ""
    ) {
      self.host = host
      self.port = port
      self.connections = connections
      self.rates = rates
      self.origins = origins
      self.version = version
    }
  }

  /// What logs call it.
  public var description: String { "ConversationServer(\(configuration.host):\(configuration.port))" }

  /// The store as the doors use it: whoever changes something through it is heard by the live door.
  public var store: any ArchivingStore { published }
  private let published: PublishingStore
  /// What is happening on this server, while it runs.
  public let live: any LiveSource
  private let hub: LiveHub
  private let turns: Turns
  private let meters: Meters
  private let credentials: Credentials
  private let configuration: Configuration
  private let logger: Logger
  private let onListening: @Sendable (_ port: Int) async -> Void
  /// Stands in the place of the live door in tests.
  private let door: (any SocketDoor)?

  /// Who answers.
  public struct Answering: Sendable {
    public var model: any LanguageModel
    public var tools: [Tool]
    public var settings: Turns.Settings

    public init(
      model: any LanguageModel = EchoModel(), tools: [Tool] = [], settings: Turns.Settings = Turns.Settings()
    ) {
      self.model = model
      self.tools = tools
      self.settings = settings
    }
  }

  /// - Parameters:
  ///   - answering: Whoever answers; the echo if nobody is named.
  ///   - log: Where the records are that `/v1/log` shows; whoever handles the log fills it.
  ///   - onListening: Called once the server accepts connections, with its port.
  public init(
    store: any ArchivingStore, credentials: Credentials, configuration: Configuration,
    answering: Answering = Answering(),
    logger: Logger, log: LogRing = LogRing(), onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
  ) {
    self.init(
      store: store, credentials: credentials, configuration: configuration, answering: answering, logger: logger,
      log: log, door: nil,
      onListening: onListening)
  }

  /// - Parameter door: Stands in the place of the live door.
  package init(
    store: any ArchivingStore, credentials: Credentials, configuration: Configuration,
    answering: Answering = Answering(),
    logger: Logger, log: LogRing = LogRing(), door: (any SocketDoor)?,
    onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
  ) {
    let (hub, meters) = (LiveHub(store: store), Meters())
    let published = PublishingStore(inner: store, hub: hub, meters: meters)
    turns = Turns(
      store: published, model: answering.model, tools: answering.tools, settings: answering.settings, logger: logger
    ) { hub.announce($0, $1) }
    (self.hub, self.meters, self.published) = (hub, meters, published)
    live = ServerLive(
      store: published, hub: hub, turns: turns, meters: meters, ring: log, version: configuration.version,
      startedAt: LiveDoor.now())
    self.credentials = credentials
    self.configuration = configuration
    self.logger = logger
    self.door = door
    self.onListening = onListening
  }

  /// Tells those who are attached that a message which was acknowledged as spooled has reached the store.
  public func stored(_ message: StoredMessage) { hub.stored(message) }

  public func run() async throws {
    // At `info` Hummingbird says what `onListening` tells already.
    var logger = logger
    if logger.logLevel == .info { logger.logLevel = .notice }
    let limiter = RateLimiter(configuration.rates)
    let router = await router(limiter).buildResponder()
    let door = door ?? LiveDoor(store: store, hub: hub, turns: turns, meters: meters, limiter: limiter)
    let application = Application(
      responder: router,
      server: HTTPServerBuilder { [configuration] responder in
        HTTPConnection(
          responder: responder, handshake: router, door: door, limits: configuration.connections,
          sockets: configuration.sockets, count: ConnectionCount())
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
    try await withThrowingTaskGroup { group in
      group.addTask { await hub.run() }
      group.addTask { await turns.run() }
      group.addTask { await keepCounting() }
      group.addTask { await keepLoggingState() }
      // The hub goes last: it tells what the requests under way still change.
      try await withGracefulShutdownHandler {
        try await application.run()
      } onGracefulShutdown: {
        // Or every answer that somebody reads would hold the end up.
        turns.stop()
      }
      group.cancelAll()
    }
  }

  /// Counts what the store holds, at the start and every minute.
  private func keepCounting() async {
    repeat {
      if let statistics = try? await store.statistics() { meters.counted(statistics) }
    } while (try? await Task.sleep(for: .seconds(60))) != nil
  }

  /// Logs when the server begins to take messages otherwise, or not at all, and why.
  private func keepLoggingState() async {
    var last = ServerStatus.State(.ok)
    repeat {
      let state = ServerStatus.State(await store.health())
      guard state != last else { continue }
      last = state
      let reasons: Logger.Metadata =
        state.reasons.isEmpty ? [:] : ["reasons": "\(state.reasons.joined(separator: " "))"]
      switch state.kind {
      case .ok: logger.notice("messages go into the store again", metadata: reasons)
      case .degraded: logger.warning("something needs a person; messages are taken", metadata: reasons)
      case .unavailable: logger.error("no messages are taken", metadata: reasons)
      }
    } while (try? await Task.sleep(for: .seconds(1))) != nil
  }

  /// Connections that may wait for the end of their refusal; the next ones stay in the system's queue.
  private static let refusedConnections = 64

  /// The paths that have routes, for the test that the description has the same.
  func paths() async -> Set<String> {
    Set(await router(RateLimiter(RateLimits())).routes.map(\.path.description))
  }

  private func router(_ limiter: RateLimiter) async -> Router<ServerContext> {
    let router = Router(context: ServerContext.self, options: .autoGenerateHeadEndpoints)
    router.add(middleware: AnswerMiddleware(limiter: limiter, meters: meters))
    let authenticator = await Authenticator(credentials)
    OperationsDoor(store: store, live: live, meters: meters, authenticator: authenticator, limiter: limiter)
      .addRoutes(to: router)
    ExchangeDoor(store: published, directory: configuration.uploads, authenticator: authenticator, limiter: limiter)
      .addRoutes(to: router)
    NativeDoor(store: store, authenticator: authenticator, limiter: limiter).addRoutes(to: router)
    TurnDoor(turns: turns, authenticator: authenticator, limiter: limiter).addRoutes(to: router)
    SupabaseDoor(store: store, authenticator: authenticator, limiter: limiter).addRoutes(to: router)
    Handshake(
      authenticator: authenticator, limiter: limiter, origins: Set(configuration.origins.map { $0.lowercased() })
    ).addRoutes(to: router)
    return router
  }
}
