import AsyncHTTPClient
import ConversationModel
import ConversationServer
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import StoreSQL
import StoreSQLite
import StrictJSON
import Testing

/// A real server on a real store and a real socket, for the time of one test.
struct RunningServer {
  let port: Int
  let store: SQLStore<SQLiteDriver>
  let directory: String
  let credentials: Credentials

  /// Of its own, because the shared client opens eight connections to a host at most.
  private static let client = {
    var configuration = HTTPClient.Configuration()
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 128
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }()

  /// - Parameter door: Stands in the place of the live door.
  static func with(
    door: (any SocketDoor)? = nil, sockets: WebSocketLimits = WebSocketLimits(),
    connections: ConnectionLimits = ConnectionLimits(), rates: RateLimits = RateLimits(), origins: Set<String> = [],
    _ test: (RunningServer) async throws -> Void
  ) async throws {
    let directory = NSTemporaryDirectory() + "parley-server-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let driver = try SQLiteDriver(path: directory + "/parley.sqlite")
    defer { driver.close() }
    let store = SQLStore(driver)
    try await store.migrate()
    let credentials = try #require(
      Credentials(
        secret: Array("0123456789abcdef0123456789abcdef".utf8), anonKey: "the-anon-key", serviceKey: "the-service-key"))

    let (ports, port) = AsyncStream<Int>.makeStream()
    var configuration = ConversationServer.Configuration(
      host: "127.0.0.1", port: 0, connections: connections, rates: rates, origins: origins)
    configuration.sockets = sockets
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let server =
      if let door {
        ConversationServer(
          store: store, credentials: credentials, configuration: configuration, logger: logger, door: door
        ) { port.yield($0) }
      } else {
        ConversationServer(store: store, credentials: credentials, configuration: configuration, logger: logger) {
          port.yield($0)
        }
      }
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [server], logger: logger))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      var iterator = ports.makeAsyncIterator()
      let chosen = try #require(await iterator.next())
      try await test(
        RunningServer(
          port: chosen, store: store, directory: directory, credentials: credentials))
      await group.triggerGracefulShutdown()
      try await tasks.waitForAll()
    }
  }

  struct Answer {
    let status: Int
    let headers: [String: String]
    let body: [UInt8]

    var json: JSONValue { (try? JSONReader.read(body, limits: JSONLimits(bytes: 16 << 20, depth: 64))) ?? .null }
    var text: String { String(decoding: body, as: UTF8.self) }
    subscript(field: String) -> JSONValue? { json.object?[field] }
    var code: String? { self["code"]?.string }
  }

  /// Sends one request; `headers` replace the defaults of the same name, a nil one takes it away.
  func send(
    _ method: String, _ path: String, token: String? = nil, body: String? = nil, headers: [String: String] = [:]
  ) async throws -> Answer {
    var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)" + path)
    request.method = .init(rawValue: method)
    if let token { request.headers.add(name: "authorization", value: "Bearer \(token)") }
    if let body {
      request.headers.add(name: "content-type", value: "application/json")
      request.body = .bytes(ByteBuffer(string: body))
    }
    for (name, value) in headers { request.headers.replaceOrAdd(name: name, value: value) }
    let response = try await Self.client.execute(request, timeout: .seconds(120))
    let bytes = try await response.body.collect(upTo: 16 << 20)
    let names = response.headers.map { ($0.name.lowercased(), $0.value) }
    return Answer(
      status: Int(response.status.code), headers: Dictionary(names) { first, _ in first },
      body: Array(bytes.readableBytesView))
  }

  func token(_ subject: TokenIssuer.Subject, lifetimeSeconds: Int = 3_600, secret: [UInt8]? = nil) async throws
    -> String
  {
    try await TokenIssuer(secret: secret ?? credentials.secret).token(
      for: subject, lifetimeSeconds: lifetimeSeconds, now: StoreEnvironment.system.now())
  }

  /// A user with a token.
  func user() async throws -> (id: UserID, token: String) {
    var random = SystemRandomNumberGenerator()
    let id = UserID(high: random.next(), low: random.next())
    return (id, try await token(.user(id)))
  }

  /// Opens a session of a user and returns the conversation's id.
  func conversation(_ token: String, _ session: String = "s") async throws -> String {
    let answer = try await send("POST", "/v1/conversations", token: token, body: #"{"session_id":"\#(session)"}"#)
    return try #require(answer["conversation"]?.object?["id"]?.string)
  }
}
