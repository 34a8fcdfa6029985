import ConversationServer
import Foundation
import Logging
import NIOCore
import ServiceLifecycle
import StoreSQL
import StoreSQLite
import UnixSignals

/// A server whose WebSockets answer every message with itself: for the suites that judge how a server
/// speaks the protocol. It prints its port and ends with SIGTERM.
///
/// `WebSocketEcho DIRECTORY [MESSAGE_BYTES]`: where its files may be, and how long a message may be.
@main struct Echo: SocketDoor {
  /// Everybody knows it: this is no server for data.
  private static let key = "the-service-key"

  static func main() async throws {
    let arguments = CommandLine.arguments
    let driver = try SQLiteDriver(path: arguments[1] + "/echo.sqlite")
    defer { driver.close() }
    let store = SQLStore(driver)
    try await store.migrate()
    guard
      let credentials = Credentials(
        secret: Array(UUID().uuidString.utf8), anonKey: "the-anon-key", serviceKey: key)
    else { fatalError("these are long enough") }
    var configuration = ConversationServer.Configuration(host: "127.0.0.1", port: 0)
    configuration.sockets.takesBinary = true
    if arguments.count > 2, let bytes = Int(arguments[2]) { configuration.sockets.messageBytes = bytes }
    let logger = Logger(label: "echo") { _ in SwiftLogNoOpLogHandler() }
    let server = ConversationServer(
      store: store, credentials: credentials, configuration: configuration, logger: logger, door: Echo()
    ) { port in
      print(port)
      fflush(nil)
    }
    try await ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [server], gracefulShutdownSignals: [.sigterm], logger: logger)
    ).run()
  }

  func serve(_ socket: WebSocket) async {
    await socket.forEachMessage { message in
      socket.send(message.isText ? .text(message.bytes.readableBytesView) : .binary(message.bytes.readableBytesView))
    }
  }
}
