import ConversationModel
import ConversationServer
import Glibc
import Logging
import NIOCore
import ServiceLifecycle
import StoreSQLite
import StoreSpool
import UnixSignals

/// A server with everything that it stands on, as every command that serves has it: directory and lock, keys, store and
/// spool.
struct ServerHost {
  let server: ConversationServer
  let store: ServingStore
  let directory: DataDirectory
  let credentials: Credentials
  /// Where clients find it, once it listens.
  let place: ListeningPlace

  private let lock: FileLock
  private let memory: MemoryService
  private let logger: Logger

  /// Opens all of it. Nothing is served yet; `close` has to follow.
  ///
  /// - Throws: `CommandFailure`, for settings before anything is made.
  init(_ settings: Settings, answering: ConversationServer.Answering, log: ServerLog) async throws {
    memory = MemoryService()
    logger = log.logger
    // All settings are read before anything is made.
    let address = try settings.listenAddress()
    let storePath = try settings.storePath()
    let (spoolDirectory, spoolPath) = (settings.spoolDirectory, settings.spoolPath)
    var (connections, rates) = (try settings.connectionLimits(), try settings.rateLimits())
    let origins = try settings.allowedOrigins()

    let possible = Self.raiseFileLimit() - Self.otherFiles
    if connections.connections > possible {
      logger.warning(
        "fewer connections than set, because the system allows fewer open files",
        metadata: ["max_connections": "\(connections.connections)", "possible": "\(possible)"])
      connections.connections = max(1, possible)
    }

    directory = try DataDirectory(settings.dataDirectory)
    lock = try directory.lock()
    credentials = try directory.credentials(secretFile: settings.secretFile)
    if spoolDirectory != directory.path { _ = try DataDirectory(spoolDirectory) }
    store = try await ServingStore(storePath: storePath, spoolPath: spoolPath, logger: logger)
    let place = ListeningPlace(host: address.host, port: address.port)
    var configuration = ConversationServer.Configuration(
      host: address.host, port: address.port, connections: connections, rates: rates, origins: origins,
      version: Parley.version)
    configuration.uploads = directory.path
    server = ConversationServer(
      store: store.spool, credentials: credentials, configuration: configuration,
      answering: answering, logger: logger, log: log.ring
    ) { [directory, logger] port in
      logger.notice(
        "listening",
        metadata: ["address": "\(place.named(port))", "data": "\(directory.path)", "version": "\(Parley.version)"])
      place.listens(on: port)
    }
    self.place = place
    store.spool.onStored { [server] in server.stored($0) }
  }

  /// The services of a running server, which end gracefully at one of the signals.
  ///
  /// - Parameters:
  ///   - companion: Runs as long as the server listens; when it ends, so does the server.
  ///   - graceSeconds: For requests to end after a signal; then their tasks are cancelled.
  func services(
    signals: [UnixSignal], with companion: (any Service)? = nil, graceSeconds: Int = Self.graceSeconds
  ) -> ServiceGroup {
    var configuration = ServiceGroupConfiguration(
      services: [
        // Stopped in reverse order: the server first, while the store still finishes what it began.
        .init(service: memory),
        .init(service: store),
        .init(service: server),
      ],
      gracefulShutdownSignals: signals, logger: logger)
    if let companion {
      configuration.services.append(
        .init(service: companion, successTerminationBehavior: .gracefullyShutdownGroup))
    }
    configuration.maximumGracefulShutdownDuration = .seconds(graceSeconds)
    return ServiceGroup(configuration: configuration)
  }

  /// Runs the services until they end, in whatever `body` puts around them, and tells a person why they could not.
  func run(_ body: () async throws -> Void) async throws {
    do {
      try await body()
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      guard let cause = error as? IOError else {
        throw CommandFailure(.unavailable, "The server on \(place.wanted) ended: \(error)")
      }
      throw CommandFailure(
        .unavailable,
        "Cannot listen on \(place.wanted): \(String(cString: strerror(cause.errnoCode))); "
          + "choose another address with --listen.")
    }
    logger.notice("stopped")
  }

  /// Closes the store; what is in the spool stays. Blocks.
  func close() {
    store.close()
    // Given back last: whoever waits for the directory finds a closed database in it.
    withExtendedLifetime(lock) {}
  }
}

extension ServerHost {
  /// Seconds for requests to end after a signal; then their tasks are cancelled.
  static let graceSeconds = 6
  /// Files that a server has open besides its connections: the store, its readers, event loops, refused
  /// connections.
  private static let otherFiles = 192

  /// Raises the limit of open files to what the system allows, and returns it.
  ///
  /// Out of files, the server could not even refuse a connection.
  private static func raiseFileLimit() -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1_024 }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return Int(clamping: limit.rlim_cur)
  }
}
