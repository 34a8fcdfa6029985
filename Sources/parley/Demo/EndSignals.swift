import Glibc
import Synchronization

/// Outside of the type, so that a handler need not capture it.
private let hasCome = Atomic(false)

/// The signals that ask a program to end, minded from before there is something to clear away until it is gone.
///
/// An open terminal takes them instead, and gives them back when it is closed.
enum EndSignals {
  /// From here on they end nothing by themselves.
  static func take() {
    // Touched here, because a handler must not be the first to.
    hasCome.store(false, ordering: .relaxed)
    for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
      signal(number) { _ in hasCome.store(true, ordering: .relaxed) }
    }
  }

  /// Returns when one has come, or the task is cancelled.
  static func wait() async {
    while !hasCome.load(ordering: .relaxed), (try? await Task.sleep(for: .milliseconds(100))) != nil {}
  }
}
