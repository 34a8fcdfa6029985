import StoreRemote
import Synchronization

/// Where a server listens: wanted at first, known with its port once it does.
final class ListeningPlace: Sendable {
  private struct State {
    var port: Int?
    var isOver = false
    /// Each ends when the port is known, or will never be.
    var waiting: [AsyncStream<Never>.Continuation] = []
  }

  private let host: String
  private let wantedPort: Int
  private let state = Mutex(State())

  /// - Parameter port: 0 lets the system choose.
  init(host: String, port: Int) {
    (self.host, wantedPort) = (host, port)
  }

  /// `HOST:PORT`, an IPv6 address in brackets.
  func named(_ port: Int) -> String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

  /// As it was asked for.
  var wanted: String { named(wantedPort) }

  func listens(on port: Int) { change { $0.port = port } }

  /// Whoever still waits has waited in vain. Idempotent.
  func isOver() { change { $0.isOver = true } }

  /// Waits until the server listens; nil if it ended before, or this task was cancelled.
  ///
  /// - Returns: `HOST:PORT`.
  func address() async -> String? { await knownPort().map(named) }

  /// The same for clients on this machine.
  ///
  /// - Returns: `http://HOST:PORT`.
  func url() async -> String? { await knownPort().map { ServerAddress.url(of: (host, $0)) } }

  private func knownPort() async -> Int? {
    let (end, isReady) = AsyncStream.makeStream(of: Never.self)
    let waits = state.withLock { state in
      guard state.port == nil, !state.isOver else { return false }
      state.waiting.append(isReady)
      return true
    }
    if waits { for await _ in end {} }
    return state.withLock { $0.port }
  }

  private func change(_ body: (inout State) -> Void) {
    let waiting = state.withLock { state in
      body(&state)
      defer { state.waiting = [] }
      return state.waiting
    }
    waiting.forEach { $0.finish() }
  }
}
