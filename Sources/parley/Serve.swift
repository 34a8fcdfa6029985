import ArgumentParser
import ConversationModel
import ConversationServer
import Glibc
import Logging
import NIOCore
import ServiceLifecycle
import StoreSQLite
import StoreSpool
import UnixSignals

struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Runs the server until SIGTERM or SIGINT.")

  @OptionGroup var flags: SettingFlags

  @Option(help: ArgumentHelp("Address to listen on; PARLEY_LISTEN. Default: 127.0.0.1:7275.", valueName: "host:port"))
  var listen: String?

  @Flag(help: "Show the dashboard on this terminal; the server ends with it.")
  var dashboard = false

  /// Seconds for requests to end after a signal; then their tasks are cancelled.
  private static let graceSeconds = 6

  func run() async throws {
    if dashboard { try ServeDashboard.requireTerminal() }
    let memory = MemoryService()
    let settings = try await Settings(flags, listen: listen)
    // All settings are read before anything is made.
    let address = try settings.listenAddress()
    let shownAddress = (address.host.contains(":") ? "[\(address.host)]" : address.host) + ":"
    let storePath = try settings.storePath()
    let (spoolDirectory, spoolPath) = (settings.spoolDirectory, settings.spoolPath)
    var (connections, rates) = (try settings.connectionLimits(), try settings.rateLimits())
    let origins = try settings.allowedOrigins()
    let (format, level) = (try settings.logFormat(), try settings.logLevel())
    let ring = LogRing()
    let writesLog = !dashboard || ServeDashboard.logHasPlace
    LoggingSystem.bootstrap {
      LineLogHandler(label: $0, format: format, level: level, ring: ring, writes: writesLog)
    }
    let logger = Logger(label: "parley")
    let answering = try settings.answering(logger)

    let possible = Self.raiseFileLimit() - Self.otherFiles
    if connections.connections > possible {
      logger.warning(
        "fewer connections than set, because the system allows fewer open files",
        metadata: ["max_connections": "\(connections.connections)", "possible": "\(possible)"])
      connections.connections = max(1, possible)
    }

    let directory = try DataDirectory(settings.dataDirectory)
    let lock = try directory.lock()
    let credentials = try directory.credentials(secretFile: settings.secretFile)
    if spoolDirectory != directory.path { _ = try DataDirectory(spoolDirectory) }
    let store = try await ServingStore(storePath: storePath, spoolPath: spoolPath, logger: logger)
    defer {
      store.close()
      // Given back last: whoever waits for the directory finds a closed database in it.
      withExtendedLifetime(lock) {}
    }
    let server = ConversationServer(
      store: store.spool, credentials: credentials,
      configuration: .init(
        host: address.host, port: address.port, connections: connections, rates: rates, origins: origins,
        version: Parley.version),
      answering: answering, logger: logger, log: ring
    ) { port in
      logger.notice(
        "listening",
        metadata: ["address": "\(shownAddress)\(port)", "data": "\(directory.path)", "version": "\(Parley.version)"])
    }
    store.spool.onStored { server.stored($0) }
    var configuration = ServiceGroupConfiguration(
      services: [
        // Stopped in reverse order: the server first, while the store still finishes what it began.
        .init(service: memory),
        .init(service: store),
        .init(service: server),
      ],
      gracefulShutdownSignals: dashboard ? [] : [.sigterm, .sigint], logger: logger)
    configuration.maximumGracefulShutdownDuration = .seconds(Self.graceSeconds)
    do {
      let group = ServiceGroup(configuration: configuration)
      if dashboard {
        try await ServeDashboard.run(group, of: server, at: "\(shownAddress)\(address.port)")
      } else {
        try await group.run()
      }
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      guard let cause = error as? IOError else {
        throw CommandFailure(.unavailable, "The server on \(shownAddress)\(address.port) ended: \(error)")
      }
      throw CommandFailure(
        .unavailable,
        "Cannot listen on \(shownAddress)\(address.port): \(String(cString: strerror(cause.errnoCode))); "
          + "choose another address with --listen.")
    }
    logger.notice("stopped")
  }
}

extension Serve {
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
