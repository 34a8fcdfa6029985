import ArgumentParser
import StoreRemote

/// Which server an operator's command speaks to, and with what.
struct ServerFlags: ParsableArguments {
  @OptionGroup var settings: SettingFlags

  @Option(help: ArgumentHelp("The server. Default: the address to listen on.", valueName: "url"))
  var server: String?

  @Option(
    help: ArgumentHelp(
      "A file with a token, or the service role's key. Default: the data directory's service.key, for a server on "
        + "this machine.", valueName: "file"))
  var tokenFile: String?

  /// - Parameter seconds: For the next part of an answer to come.
  /// - Returns: The store over the server, and the server's address.
  /// - Throws: `.configuration` if the data directory's key would leave this machine.
  func remote(
    named client: String, answerSeconds seconds: Int
  ) async throws -> (store: RemoteStore, address: String) {
    let settings = try await Settings(settings)
    let address = try server ?? ServerAddress.url(of: settings.listenAddress())
    guard tokenFile != nil || ServerAddress.isLoopback(address) else {
      throw CommandFailure(
        .configuration, "The server is not on this machine: name a token for it with --token-file.")
    }
    let token = try DataDirectory.existingKey(file: tokenFile ?? settings.dataDirectory + "/service.key")
    let configuration = RemoteStore.Configuration(answerSeconds: seconds, client: client)
    return (try RemoteStore(server: address, configuration: configuration) { _ in token }, address)
  }
}
