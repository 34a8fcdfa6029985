import ArgumentParser
import ServiceLifecycle
import UnixSignals

struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Runs the server until SIGTERM or SIGINT.")

  @OptionGroup var flags: SettingFlags

  @Option(help: ArgumentHelp("Address to listen on; PARLEY_LISTEN. Default: 127.0.0.1:7275.", valueName: "host:port"))
  var listen: String?

  @Flag(help: "Show the dashboard on this terminal; the server ends with it.")
  var dashboard = false

  func run() async throws {
    let screens = ServerScreens(otherwise: "Without --dashboard the server needs none.")
    if dashboard { try screens.requireTerminal() }
    let settings = try await Settings(flags, listen: listen)
    let log = try ServerLog(settings, writes: !dashboard || ServerScreens.logHasPlace)
    let host = try await ServerHost(settings, answering: try settings.answering(log.logger), log: log)
    defer { host.close() }
    try await host.run {
      if dashboard {
        try await screens.run(host.services(signals: []), of: host)
      } else {
        try await host.services(signals: [.sigterm, .sigint]).run()
      }
    }
  }
}
