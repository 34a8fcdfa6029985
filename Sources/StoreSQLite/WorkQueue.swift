/// A bounded queue between tasks that hand work in and threads that block for it.
final class WorkQueue<Work: Sendable>: Sendable {
  private struct State {
    // `head` moves instead of the elements; the array is cut when everything before it was taken.
    var items: [Work] = []
    var head = 0
    var isClosed = false

    var count: Int { items.count - head }

    mutating func take(_ limit: Int) -> [Work] {
      let taken = Array(items[head..<min(items.count, head + limit)])
      head += taken.count
      if head == items.count {
        items.removeAll(keepingCapacity: true)
        head = 0
      } else if head >= 1_024 {
        items.removeFirst(head)
        head = 0
      }
      return taken
    }
  }

  private let capacity: Int
  private let monitor = Monitor(State())

  init(capacity: Int) {
    self.capacity = capacity
  }

  enum Refusal { case full, closed }

  /// Hands work in, or says why not; never waits.
  func push(_ work: Work) -> Refusal? {
    monitor.withLock(waking: .one) { state in
      if state.isClosed { return .closed }
      if state.count >= capacity { return .full }
      state.items.append(work)
      return nil
    }
  }

  /// Waits for work and takes the oldest; nil when the queue is closed and empty.
  func pop() -> Work? { batch(limit: 1)?.first }

  /// Waits for work and takes what there is, oldest first; nil when the queue is closed and empty.
  ///
  /// - Parameters:
  ///   - limit: The most that is taken.
  ///   - expecting: With less than this it waits on for more, but not beyond the linger time.
  ///   - lingerMicroseconds: How long the first item may be held back for company.
  ///   - timeoutMicroseconds: Nil to wait for ever; after that time the batch is empty.
  func batch(
    limit: Int, expecting: Int = 1, lingerMicroseconds: Int = 0, timeoutMicroseconds: Int? = nil
  ) -> [Work]? {
    while true {
      if let timeoutMicroseconds {
        monitor.wait(atMostMicroseconds: timeoutMicroseconds) { $0.count > 0 || $0.isClosed }
      } else {
        monitor.wait { state in state.count > 0 || state.isClosed ? () : nil }
      }
      if lingerMicroseconds > 0 {
        monitor.wait(atMostMicroseconds: lingerMicroseconds) { $0.count >= expecting || $0.isClosed }
      }
      let (taken, isClosed) = monitor.withLock { state in (state.take(limit), state.isClosed) }
      if taken.isEmpty, isClosed { return nil }
      // Empty although somebody was waited for: another thread was faster.
      if !taken.isEmpty || timeoutMicroseconds != nil { return taken }
    }
  }

  var count: Int { monitor.withLock { $0.count } }

  /// What was handed in first of what waits.
  var first: Work? { monitor.withLock { state in state.count == 0 ? nil : state.items[state.head] } }

  /// All that waits, oldest first.
  var all: [Work] { monitor.withLock { state in Array(state.items[state.head...]) } }

  /// Takes no more work; what is in the queue is still handed out.
  func close() {
    monitor.withLock(waking: .all) { $0.isClosed = true }
  }
}
