import ConversationServer
import Logging

/// The log of a program that serves: lines on standard error, and the latest records for those who watch.
struct ServerLog {
  let ring = LogRing()
  let logger: Logger

  /// Takes over what all libraries log; once in a process.
  ///
  /// - Parameter writes: Whether lines are written: not over screens.
  init(_ settings: Settings, writes: Bool) throws {
    let (format, level) = (try settings.logFormat(), try settings.logLevel())
    LoggingSystem.bootstrap { [ring] in
      LineLogHandler(label: $0, format: format, level: level, ring: ring, writes: writes)
    }
    logger = Logger(label: "parley")
  }
}
