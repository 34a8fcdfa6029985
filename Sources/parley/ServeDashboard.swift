import ConversationServer
import Dashboard
import Glibc
import ServiceLifecycle
import TerminalCanvas
import TerminalNcurses

/// The dashboard on top of the server that runs in this very program, and reads from it without a wire.
///
/// The screens own the terminal, the main thread and the signals; the server runs beside them. Whichever ends
/// first ends the other.
enum ServeDashboard {
  /// - Throws: `.usage` where there is no terminal to draw on. Nothing was done then.
  static func requireTerminal() throws {
    do {
      try NcursesTerminal.check(options)
    } catch {
      throw CommandFailure(.usage, "\(error) Without --dashboard the server needs none.")
    }
  }

  /// Whether the log has a place of its own, beside the screens: they show the latest of it anyway.
  static var logHasPlace: Bool { isatty(STDERR_FILENO) == 0 }

  /// Shows the screens and runs the services until somebody quits, a signal comes, or the services end.
  ///
  /// - Parameters:
  ///   - services: Without signals of their own. They are stopped gracefully, after the terminal was given back.
  ///   - address: How the server is called on the screen.
  /// - Throws: What the services threw; the terminal is as it was before then.
  @MainActor
  static func run(_ services: ServiceGroup, of server: ConversationServer, at address: String) async throws {
    let terminal: NcursesTerminal
    do {
      terminal = try NcursesTerminal(options)
    } catch {
      throw CommandFailure(.usage, "\(error) Without --dashboard the server needs none.")
    }
    let runtime = DashboardRuntime(
      store: server.store, live: server.live,
      settings: DashboardSettings(version: Parley.version, server: address, isServing: true), terminal: terminal)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        defer { runtime.finish() }
        try await services.run()
      }
      _ = await runtime.run()
      await services.triggerGracefulShutdown()
      try await group.waitForAll()
    }
  }

  private static var options: NcursesTerminal.Options { .init(environment: processEnvironment()) }
}
