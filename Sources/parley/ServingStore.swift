import ConversationModel
import Glibc
import Logging
import ServiceLifecycle
import StoreSQL
import StoreSQLite
import StoreSpool
import Synchronization

/// What a server stands on: the store that the settings name, behind the spool.
struct ServingStore: Service {
  let spool: SpoolStore

  /// Opens the spool, and the store if it can be opened.
  ///
  /// A store that has been there before may be down: the server then begins with the spool alone, and takes the
  /// store when it is back. One that was never there must open, or a mistyped path would look like an outage.
  /// - Throws: `.tryAgain` if another Parley has one of them, `.badData` if one is damaged or of another build,
  ///   `.inputOutput` or `.unavailable` if one cannot be opened.
  init(storePath: String, spoolPath: String, logger: Logger) async throws {
    let opener = StoreOpener(path: storePath, logger: logger)
    do {
      spool = try await SpoolStore(path: spoolPath) { mayCreate in try await opener.open(mayCreate: mayCreate) }
    } catch let failure as FileLock.Failure {
      throw DataDirectory.failure(failure, spoolPath)
    } catch SQLFailure.malformed(let detail) {
      throw CommandFailure(
        .badData,
        "The spool \(spoolPath) is damaged, or no database: \(detail) What it still holds is acknowledged: keep the "
          + "file. Moved aside, a new one is made.")
    } catch SQLFailure.unavailable(let reason, let detail) {
      throw CommandFailure(.inputOutput, "Cannot open the spool \(spoolPath): \(reason) (\(detail))")
    }
    let hasSeenStore = spool.hasSeenStore
    do { try await spool.openStore() } catch let error as ConversationError where hasSeenStore {
      // The opener has said why.
      logger.warning("begins without its store, with the spool alone", metadata: ["reason": "\(error.message)"])
    } catch {
      spool.close()
      throw error
    }
    if Self.shareDevice(storePath, spoolPath) {
      logger.info("store and spool lie on one disk: what breaks the one may break the other")
    }
  }

  func run() async {
    await cancelWhenGracefulShutdown { await spool.run() }
  }

  /// What is in the spool stays for the next start. Blocks.
  func close() { spool.close() }

  private static func shareDevice(_ first: String, _ second: String) -> Bool {
    var (one, other) = (stat(), stat())
    return stat(first, &one) == 0 && stat(second, &other) == 0 && one.st_dev == other.st_dev
  }
}

/// Opens the inner store, now or when it is back, and logs why it cannot: once for each reason.
private final class StoreOpener: Sendable {
  private let path: String
  private let logger: Logger
  private let lastFailure = Mutex<String?>(nil)

  init(path: String, logger: Logger) {
    self.path = path
    self.logger = logger
  }

  /// - Throws: `ConversationError` with `.unavailable` for what may pass; else a `CommandFailure`.
  func open(mayCreate: Bool) async throws -> SpoolStore.Opened {
    do {
      let open = try OpenStore(path: path, access: .owner, mayCreate: mayCreate)
      do {
        let plan = try await open.store.migrate()
        if plan.pending > 0 {
          logger.notice("schema brought up to date", metadata: ["from": "\(plan.current)", "to": "\(plan.latest)"])
        }
        let cutOff = try await open.store.endUnfinished()
        if cutOff > 0 {
          logger.notice("answers that were cut off are kept as far as they came", metadata: ["answers": "\(cutOff)"])
        }
      } catch {
        open.driver.close()
        throw error
      }
      lastFailure.withLock { $0 = nil }
      return SpoolStore.Opened(
        store: open.store, run: { await open.store.run() }, close: { open.driver.close() })
    } catch {
      guard let failure = CommandFailure(error) else { throw error }
      if lastFailure.withLock({ last in
        defer { last = failure.message }
        return last != failure.message
      }) {
        logger.error("the store cannot be opened", metadata: ["reason": "\(failure.message)"])
      }
      guard failure.code == .inputOutput || failure.code == .unavailable else { throw failure }
      // Shown to clients, so without the path.
      throw ConversationError(.unavailable, "Its file is missing or cannot be opened.", underlying: failure)
    }
  }
}
