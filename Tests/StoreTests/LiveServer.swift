import ConversationModel
import ConversationServer
import Logging
import ServiceLifecycle
import StoreRemote
import StoreSQL
import Synchronization
import Testing

/// A server that runs, on a port of 127.0.0.1.
struct LiveServer {
  let port: Int
  /// The server itself; nil for something else that listens there.
  var inside: ConversationServer?

  fileprivate static let secret = Array("0123456789abcdef0123456789abcdef".utf8)
  private static let issuer = TokenIssuer(secret: secret)
  /// Signing costs more than a request.
  private static let tokens = Mutex<[Principal: String]>([:])

  /// A store over this server, with good tokens for everybody.
  func store(_ configuration: RemoteStore.Configuration = .init()) throws -> RemoteStore {
    try RemoteStore(server: "http://127.0.0.1:\(port)", configuration: configuration, token: Self.token(for:))
  }

  @Sendable static func token(for principal: Principal) async throws -> String {
    if let token = tokens.withLock({ $0[principal] }) { return token }
    let subject: TokenIssuer.Subject =
      switch principal {
      case .user(let id): .user(id)
      case .service: .service
      }
    let token = try await issuer.token(for: subject, lifetimeSeconds: 3_600, now: StoreEnvironment.system.now())
    tokens.withLock { $0[principal] = token }
    return token
  }
}

/// Runs a server over a store for the time of `body`; 0 lets the system choose the port.
func withServer<Result: Sendable>(
  of store: any ArchivingStore, port: Int = 0, _ body: (LiveServer) async throws -> Result
) async throws -> Result {
  let credentials = try #require(
    Credentials(secret: LiveServer.secret, anonKey: "the-anon-key", serviceKey: "the-service-key"))
  let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  let (ports, listening) = AsyncStream<Int>.makeStream()
  let server = ConversationServer(
    store: store, credentials: credentials, configuration: .init(host: "127.0.0.1", port: port), logger: logger
  ) { listening.yield($0) }
  let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: [server], logger: logger))
  return try await withThrowingTaskGroup(of: Void.self) { tasks in
    tasks.addTask {
      defer { listening.finish() }
      try await group.run()
    }
    var iterator = ports.makeAsyncIterator()
    guard let chosen = await iterator.next() else {
      try await tasks.waitForAll()
      throw ConversationError(.unavailable, "The server ended before it listened.")
    }
    let result = try await body(LiveServer(port: chosen, inside: server))
    await group.triggerGracefulShutdown()
    try await tasks.waitForAll()
    return result
  }
}
