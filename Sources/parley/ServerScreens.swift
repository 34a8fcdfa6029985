import ConversationModel
import ConversationServer
import Dashboard
import Glibc
import ServiceLifecycle
import TerminalCanvas
import TerminalNcurses

/// The dashboard on top of a server that runs in this very program, and reads from it without a wire.
///
/// The screens own the terminal, the main thread and the signals; the server runs beside them. Whichever ends
/// first ends the other.
struct ServerScreens {
  var colors = ColorPreference.auto
  /// What to do where there is no terminal: a sentence.
  let otherwise: String

  /// - Throws: `.usage` where there is no terminal to draw on. Nothing was done then.
  func requireTerminal() throws {
    do { try NcursesTerminal.check(options) } catch { throw refusal(error) }
  }

  /// Whether the log has a place of its own, beside the screens: they show the latest of it anyway.
  static var logHasPlace: Bool { isatty(STDERR_FILENO) == 0 }

  /// Shows the screens and runs the services until somebody quits, a signal comes, or the services end.
  ///
  /// - Parameter services: The host's, without signals of their own. They are stopped gracefully, after the terminal
  ///   was given back.
  /// - Throws: What the services threw; the terminal is as it was before then.
  @MainActor
  func run(_ services: ServiceGroup, of host: ServerHost) async throws {
    let terminal: NcursesTerminal
    do { terminal = try NcursesTerminal(options) } catch { throw refusal(error) }
    defer { terminal.close() }
    let (end, isOver) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        defer {
          host.place.isOver()
          isOver.finish()
        }
        try await services.run()
      }
      if let address = await host.place.address() {
        let runtime = DashboardRuntime(
          store: host.server.store, live: host.server.live,
          exporter: host.server.store.exporter(for: .service),
          settings: DashboardSettings(version: Parley.version, server: address, isServing: true), terminal: terminal)
        group.addTask {
          for await _ in end {}
          runtime.finish()
        }
        _ = await runtime.run()
        await services.triggerGracefulShutdown()
      }
      try await group.waitForAll()
    }
  }

  private func refusal(_ error: TerminalError) -> CommandFailure { CommandFailure(.usage, "\(error) \(otherwise)") }

  private var options: NcursesTerminal.Options { .init(colors: colors, environment: processEnvironment()) }
}
