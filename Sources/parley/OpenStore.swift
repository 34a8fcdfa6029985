import ConversationModel
import Glibc
import StoreSQL
import StoreSQLite

/// The store that the settings name, with the driver that must be closed at the end.
struct OpenStore {
  let driver: SQLiteDriver
  let store: SQLStore<SQLiteDriver>

  /// - Parameter mayCreate: Whether an owner makes a store that is missing.
  init(path: String, access: SQLiteDriver.Access, mayCreate: Bool = true) throws {
    if access == .reader || !mayCreate, Glibc.access(path, R_OK) != 0 {
      guard errno == ENOENT else {
        throw CommandFailure(.inputOutput, "Cannot read the store \(path): \(String(cString: strerror(errno))).")
      }
      throw CommandFailure(
        .unavailable,
        access == .reader
          ? "There is no store at \(path); parley serve makes one."
          : "The store \(path) is gone. Put it back; or, to begin with an empty one, remove spool.sqlite too.")
    }
    do {
      driver = try SQLiteDriver(path: path, access: access)
    } catch let failure as FileLock.Failure {
      throw DataDirectory.failure(failure, path)
    } catch SQLFailure.malformed(let detail) {
      throw CommandFailure(.badData, "The store \(path) is damaged, or no database: \(detail)")
    } catch SQLFailure.unavailable(let reason, let detail) {
      throw CommandFailure(.inputOutput, "Cannot open the store \(path): \(reason) (\(detail))")
    } catch {
      throw CommandFailure(.inputOutput, "Cannot open the store \(path): \(error)")
    }
    store = SQLStore(driver)
  }

  static func tooNew(_ plan: MigrationPlan) -> CommandFailure {
    CommandFailure(
      .badData, "The store has schema \(plan.current), this build knows \(plan.latest) at most: use a newer build.")
  }

  /// - Throws: `.badData` if the schema is not the one that this build works with.
  func requireCurrentSchema() async throws {
    let plan = try await store.migrationPlan()
    guard plan.pending >= 0 else { throw Self.tooNew(plan) }
    guard plan.pending == 0 else {
      throw CommandFailure(
        .badData, "The store has schema \(plan.current), this build needs \(plan.latest): run parley migrate.")
    }
  }
}
