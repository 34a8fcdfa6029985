import Synchronization

/// Lets one task through at a time; whoever finds it taken comes back later.
package final class Turnstile: Sendable {
  private let isTaken = Atomic(false)

  package init() {}

  package func begin() -> Bool {
    isTaken.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
  }

  package func end() { isTaken.store(false, ordering: .releasing) }
}
