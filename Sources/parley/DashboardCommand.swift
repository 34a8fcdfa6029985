import ArgumentParser
import ConversationModel
import Dashboard
import Glibc
import StoreRemote
import StrictJSON
import TerminalCanvas
import TerminalNcurses
import Wire

/// Shows operators what a running server does: on the whole screen, or once for scripts.
struct DashboardCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dashboard",
    abstract: "Shows live sessions, the health of the store and every thread of a running server.")

  @OptionGroup var flags: ServerFlags

  @Flag(help: "Print the sessions once and end.")
  var once = false

  @Flag(help: "With --once: print the status as JSON, the answer of GET /v1/status.")
  var json = false

  @Option(help: ArgumentHelp("Seconds between two readings, 0.5 to 30.", valueName: "seconds"))
  var interval = 1.0

  @Option(help: "auto, never, 16 or 256.")
  var color = "auto"

  func validate() throws {
    guard once || !json else { throw ValidationError("--json goes with --once.") }
    guard (0.5...30).contains(interval) else { throw ValidationError("--interval must be from 0.5 to 30 seconds.") }
    guard ColorPreference(rawValue: color) != nil else {
      throw ValidationError("--color must be auto, never, 16 or 256.")
    }
  }

  func run() async throws {
    let (remote, address) = try await flags.remote(named: "parley dashboard", answerSeconds: 10)
    let shown = DashboardSettings(
      version: Parley.version, server: ServerAddress.shown(address), interval: .milliseconds(Int(interval * 1_000)))
    if json { return try await printStatus(of: remote) }
    if once { return try await printSessions(of: remote, shown) }
    try await RemoteScreens.show(
      remote, as: .service, shown, colors: ColorPreference(rawValue: color) ?? .auto,
      otherwise: "parley dashboard --once prints lines instead.")
  }

  private func printStatus(of remote: RemoteStore) async throws {
    var writer = JSONWriter(reserving: 8_192)
    writer.status(try await remote.status(as: .service))
    print(writer.text)
  }

  private func printSessions(of remote: RemoteStore, _ settings: DashboardSettings) async throws {
    var size = winsize()
    let isTerminal = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    setlocale(LC_CTYPE, "")
    let isUnicode = String(cString: nl_langinfo(Int32(CODESET))) == "UTF-8"
    let text = try await SessionsPrinter.text(
      live: remote, settings: settings, columns: isTerminal ? Int(size.ws_col) : 120,
      glyphs: isUnicode ? .unicode : .ascii, moment: .now())
    print(text, terminator: "")
  }
}
