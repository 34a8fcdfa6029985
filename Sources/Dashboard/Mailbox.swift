import Synchronization

/// What comes from elsewhere for the terminal's thread, in order and bounded.
final class Mailbox: Sendable {
  private struct State {
    var events: [DashboardEvent] = []
    var isClosed = false
    var isQuiet = false
  }

  private let state = Mutex(State())
  private let wake: @Sendable () -> Void

  /// Events of a live connection that wait; beyond that the connection is ended, and comes back by version.
  private static let capacity = 1_024

  /// - Parameter wake: Called when there is something in an empty box.
  init(wake: @escaping @Sendable () -> Void) {
    self.wake = wake
  }

  /// Puts an answer in. There is one for each question, and those are few: there is always room.
  func post(_ event: DashboardEvent) {
    _ = put(event, atMost: .max)
  }

  /// - Returns: False if too much is waiting.
  func offer(_ event: DashboardEvent) -> Bool {
    put(event, atMost: Self.capacity)
  }

  /// While it is, nothing wakes: the reader comes soon by itself. Whatever came before is told when that ends.
  var isQuiet: Bool {
    get { state.withLock { $0.isQuiet } }
    set {
      let hasMail = state.withLock { state -> Bool in
        defer { state.isQuiet = newValue }
        return state.isQuiet && !newValue && !state.events.isEmpty
      }
      if hasMail { wake() }
    }
  }

  func takeAll() -> [DashboardEvent] {
    state.withLock { state in
      defer { state.events = [] }
      return state.events
    }
  }

  /// Nothing is taken any more: nobody is there to read it.
  func close() {
    state.withLock { $0 = State(isClosed: true) }
  }

  private func put(_ event: DashboardEvent, atMost capacity: Int) -> Bool {
    let wasEmpty = state.withLock { state -> Bool? in
      guard !state.isClosed, state.events.count < capacity else { return nil }
      state.events.append(event)
      return state.events.count == 1 && !state.isQuiet
    }
    if wasEmpty == true { wake() }
    return wasEmpty != nil
  }
}
