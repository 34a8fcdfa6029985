import ConversationModel
import Synchronization

extension SQLStore {
  /// Writes a mark and reads it back every half minute, until the task is cancelled.
  func keepCanary() async {
    repeat {
      await tryCanary()
    } while (try? await Task.sleep(for: .seconds(canary.value?.failure == nil ? Limits.canarySeconds : 1))) != nil
  }

  /// Writes a mark as every command is written, and reads it as every page is read.
  func tryCanary() async {
    let mark = Int(truncatingIfNeeded: environment.random().0)
    let (time, began) = (environment.now(), ContinuousClock.now)
    var failure: String?
    do throws(ConversationError) {
      _ = try await write { connection in
        try connection.execute(CanaryStatements.write, [.integer(mark), .time(time)])
      }
      let isKept = try await read { connection in
        // Another server on the same store may have written since.
        try connection.first(CanaryStatements.read, []) { try $0.integer(0) == mark || $0.time(1) > time } ?? false
      }
      if !isKept { failure = "What the store was given to keep as a test could not be read back." }
    } catch {
      failure = "The store did not take what it was given as a test: \(error.message)"
    }
    if Task.isCancelled { return }
    let took = failure == nil ? Int((ContinuousClock.now - began) / .microseconds(1)) : nil
    canary.note(time, took, failure)
  }
}

/// What became of the last canary.
final class LastCanary: Sendable {
  private let canary = Mutex<Canary?>(nil)

  var value: Canary? { canary.withLock { $0 } }

  func note(_ time: Timestamp, _ microseconds: Int?, _ failure: String?) {
    canary.withLock { canary in
      let failures = (canary?.failures ?? 0) + (failure == nil ? 0 : 1)
      canary = Canary(time: time, microseconds: microseconds, failure: failure, failures: failures)
    }
  }
}

enum CanaryStatements {
  static let write = SQLStatement(
    """
    INSERT INTO pam_canary (id, mark, written_at) VALUES (1, $1, $2)
    ON CONFLICT (id) DO UPDATE SET mark = excluded.mark, written_at = excluded.written_at
    """)
  static let read = SQLStatement("SELECT mark, written_at FROM pam_canary WHERE id = 1")
}
