import ConversationModel
import Dashboard
import Glibc
import StoreRemote
import TerminalCanvas
import TerminalNcurses

/// The screens of another program's server, on this terminal.
enum RemoteScreens {
  /// Owns the terminal on the main thread until somebody quits.
  ///
  /// - Parameter otherwise: What somebody without a terminal may do.
  /// - Throws: `.usage` where there is no terminal to draw on.
  @MainActor
  static func show(
    _ remote: RemoteStore, as principal: Principal, _ settings: DashboardSettings, colors: ColorPreference,
    otherwise: String
  ) async throws {
    let terminal: NcursesTerminal
    do {
      terminal = try NcursesTerminal(.init(colors: colors, environment: processEnvironment()))
    } catch {
      throw CommandFailure(.usage, "\(error) \(otherwise)")
    }
    _ = await DashboardRuntime(
      store: remote, live: remote, exporter: remote.exporter(for: principal), principal: principal, settings: settings,
      terminal: terminal
    ).run()
  }
}

extension ServerAddress {
  /// Where a server that listens there is found from its own machine.
  static func url(of listen: (host: String, port: Int)) -> String {
    // An address that stands for all of the machine's is none to connect to.
    let host = ["0.0.0.0", "::"].contains(listen.host) ? "127.0.0.1" : listen.host
    return "http://\(host.contains(":") ? "[\(host)]" : host):\(listen.port)"
  }

  /// For the screen: without the scheme.
  static func shown(_ address: String) -> String {
    String(address.split(separator: "/", maxSplits: 2).last ?? "")
  }

  /// Whether a key that is sent there stays on this machine; not for what is no address.
  static func isLoopback(_ address: String) -> Bool {
    guard let host = (try? ServerAddress(address))?.host else { return false }
    if host == "localhost" || host == "::1" { return true }
    var parsed = in_addr()
    return inet_pton(AF_INET, host, &parsed) == 1 && UInt32(bigEndian: parsed.s_addr) >> 24 == 127
  }
}

/// The variables that the terminal's looks depend on.
func processEnvironment() -> [String: String] {
  ["TERM", "NO_COLOR", "TMUX"].reduce(into: [:]) { variables, name in
    variables[name] = getenv(name).map { String(cString: $0) }
  }
}
