import Glibc
import Logging

/// Takes the file of a store away from under its server now and then, and puts it back: a real outage, in which messages
/// go into the spool.
struct DemoOutages: Sendable {
  let storePath: String
  /// Seconds from one outage to the next, more or less.
  let seconds: Double
  let ledger: DemoLedger
  let logger: Logger
  let random: DemoRandom

  /// Seconds before the first one, if they are not further apart anyway: time to look around, not to go away.
  private static let firstSeconds = 40.0
  private static let outageSeconds = 8.0

  /// Goes on until the task is cancelled; the file is in its place then.
  func run() async {
    var random = random
    var wait = Duration.seconds(min(seconds, Self.firstSeconds))
    while (try? await Task.sleep(for: wait)) != nil {
      await takeAway()
      wait = random.seconds(seconds * 0.8...seconds * 1.2)
    }
  }

  private func takeAway() async {
    let aside = storePath + ".aside"
    guard rename(storePath, aside) == 0 else { return note("cannot be taken away") }
    ledger.noteOutage()
    logger.notice("the demo has taken the store's file away", metadata: ["seconds": "\(Int(Self.outageSeconds))"])
    try? await Task.sleep(for: .seconds(Self.outageSeconds))
    guard rename(aside, storePath) == 0 else { return note("cannot be put back") }
    logger.notice("the demo has put the store's file back")
  }

  private func note(_ what: String) {
    logger.error("the store's file \(what)", metadata: ["reason": "\(String(cString: strerror(errno)))"])
  }
}
