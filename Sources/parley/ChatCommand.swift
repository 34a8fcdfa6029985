import ArgumentParser
import ConversationModel
import ConversationServer
import Dashboard
import StoreRemote
import StoreSQL
import TerminalNcurses

/// The user's screen: one's own threads, on the whole terminal, live with one's other devices.
struct ChatCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chat", abstract: "Talks with the assistant: your threads, their branches, live on every device.")

  @OptionGroup var flags: SettingFlags

  @Option(help: ArgumentHelp("The server. Default: the address to listen on.", valueName: "url"))
  var server: String?

  @Option(
    help: ArgumentHelp(
      "A file with a token of the user. Default: tokens made with the data directory's secret, for a server on this "
        + "machine.", valueName: "file"))
  var tokenFile: String?

  @Option(
    help: ArgumentHelp(
      "Who talks. Default: the token's user, or the one in the data directory's file chat.user, made on the first use.",
      valueName: "uuid"))
  var user: String?

  @Option(help: ArgumentHelp("The session to begin with, made when missing. Default: the latest.", valueName: "id"))
  var session: String?

  @Option(help: "auto, never, 16 or 256.")
  var color = "auto"

  func validate() throws {
    if let user, UserID(user) == nil { throw ValidationError("--user must be a UUID.") }
    if let session {
      do throws(ConversationError) {
        try ConversationFilter(sessionID: session).validate()
      } catch {
        throw ValidationError("--session: \(error.message)")
      }
    }
    guard ColorPreference(rawValue: color) != nil else {
      throw ValidationError("--color must be auto, never, 16 or 256.")
    }
  }

  func run() async throws {
    let settings = try await Settings(flags)
    let address = try server ?? ServerAddress.url(of: settings.listenAddress())
    let (user, token) = try await identity(for: address, settings)
    let remote = try RemoteStore(
      server: address, configuration: .init(answerSeconds: 10, connections: 8, client: "parley chat")
    ) { principal in
      // A user's screen has no token for anything else, and asks no server for what it would refuse.
      guard principal == .user(user) else { throw ConversationError(.forbidden, "Only the user's own token is here.") }
      return try await token()
    }
    let device = String(UInt64.random(in: .min ... .max), radix: 16)
    try await RemoteScreens.show(
      remote, as: .user(user),
      DashboardSettings(
        version: Parley.version, server: ServerAddress.shown(address),
        audience: .user(user, session: session, device: device)),
      colors: ColorPreference(rawValue: color) ?? .auto, otherwise: "parley chat needs one.")
  }

  /// Who talks, and what proves it.
  private func identity(
    for address: String, _ settings: Settings
  ) async throws -> (user: UserID, token: @Sendable () async throws -> String) {
    let named = user.flatMap { UserID($0) }
    if let tokenFile {
      let token = try DataDirectory.existingKey(file: tokenFile)
      guard let user = await TokenIssuer.user(ofToken: token) else {
        throw CommandFailure(
          .configuration, "The file \(tokenFile) holds no user's token; parley token --user makes one.")
      }
      guard named == nil || named == user else {
        throw CommandFailure(.configuration, "The token in \(tokenFile) is another user's than --user.")
      }
      return (user, { token })
    }
    guard ServerAddress.isLoopback(address) else {
      throw CommandFailure(
        .configuration, "The server is not on this machine: name a user's token for it with --token-file.")
    }
    let secret = try DataDirectory.existingSecret(file: settings.secretFile ?? settings.dataDirectory + "/secret")
    let user = try named ?? DataDirectory(settings.dataDirectory).chatUser()
    let issuer = TokenIssuer(secret: secret)
    // Short, because a new one is made for every request.
    return (
      user,
      { try await issuer.token(for: .user(user), lifetimeSeconds: 3_600, now: StoreEnvironment.system.now()) }
    )
  }
}
