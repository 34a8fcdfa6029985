import Synchronization
import TerminalCanvas

/// Remembers the lines that the latest messages begin with. They depend on nothing but the key; without this every
/// frame would break every text on the screen twice, and those of a growing answer are drawn 20 times a second.
final class StartLines: Sendable {
  struct Key: Hashable {
    var text: String
    var width: Int
    var isWrapped: Bool
    var isASCII: Bool
  }

  private let known = Mutex<[Key: [[Span]]]>([:])

  /// Texts that are remembered: some screens full.
  private static let capacity = 128
  /// Bytes from which remembering is worth it.
  private static let shortest = 64

  static let shared = StartLines()

  func lines(_ key: Key, _ make: () -> [[Span]]) -> [[Span]] {
    guard key.text.utf8.count >= Self.shortest else { return make() }
    if let lines = known.withLock({ $0[key] }) { return lines }
    let lines = make()
    known.withLock { known in
      if known.count >= Self.capacity { known.removeAll(keepingCapacity: true) }
      known[key] = lines
    }
    return lines
  }
}
