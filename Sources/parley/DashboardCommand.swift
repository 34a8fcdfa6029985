import ArgumentParser
import ConversationModel
import Glibc
import StoreRemote
import StrictJSON
import Wire

/// Shows operators what a running server does. So far for scripts only: the status, once.
struct DashboardCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dashboard", abstract: "Prints what a running server has measured.")

  @OptionGroup var flags: SettingFlags

  @Option(help: ArgumentHelp("The server. Default: the address to listen on.", valueName: "url"))
  var server: String?

  @Option(
    help: ArgumentHelp(
      "A file with a token of the service role, or its key. Default: the data directory's service.key, for a "
        + "server on this machine.", valueName: "file"))
  var tokenFile: String?

  @Flag(help: "Print it once and end.")
  var once = false

  @Flag(help: "As JSON, the answer of GET /v1/status.")
  var json = false

  func validate() throws {
    guard once, json else { throw ValidationError("This build prints the status only: use --once --json.") }
  }

  func run() async throws {
    let settings = try await Settings(flags)
    let address = try server ?? Self.url(of: settings.listenAddress())
    let token = try token(for: address, settings)
    let remote = try RemoteStore(
      server: address, configuration: .init(answerSeconds: 5, client: "parley dashboard")
    ) { _ in token }
    var writer = JSONWriter(reserving: 8_192)
    writer.status(try await remote.status(as: .service))
    print(writer.text)
  }

  private static func url(of listen: (host: String, port: Int)) -> String {
    // An address that stands for all of the machine's is none to connect to.
    let host = ["0.0.0.0", "::"].contains(listen.host) ? "127.0.0.1" : listen.host
    return "http://\(host.contains(":") ? "[\(host)]" : host):\(listen.port)"
  }

  /// - Throws: `.configuration` if the data directory's key would leave this machine.
  private func token(for address: String, _ settings: Settings) throws -> String {
    if let tokenFile { return try DataDirectory.existingKey(file: tokenFile) }
    guard Self.isLoopback(address) else {
      throw CommandFailure(
        .configuration, "The server is not on this machine: name a token for it with --token-file.")
    }
    return try DataDirectory.existingKey(file: settings.dataDirectory + "/service.key")
  }

  private static func isLoopback(_ address: String) -> Bool {
    let parts = address.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count >= 3, parts[0].hasSuffix(":"), parts[1].isEmpty else { return false }
    let authority = parts[2].prefix { $0 != "?" && $0 != "#" }
    guard !authority.contains("@") else { return false }
    let host = authority.hasPrefix("[") ? authority.dropFirst().prefix { $0 != "]" } : authority.prefix { $0 != ":" }
    if host == "localhost" || host == "::1" { return true }
    var parsed = in_addr()
    return inet_pton(AF_INET, String(host), &parsed) == 1 && UInt32(bigEndian: parsed.s_addr) >> 24 == 127
  }
}
