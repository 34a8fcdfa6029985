import StoreSQL

/// A few read-only connections and as many threads, which take reads from one queue.
final class SQLiteReaders: Sendable {
  /// A read that waits. `run` gets a connection inside a snapshot and answers the waiting task;
  /// `refuse` answers it without one.
  struct Job: Sendable {
    let run: @Sendable (SQLiteConnection) -> Void
    let refuse: @Sendable (SQLFailure) -> Void
  }

  private struct Pool {
    var idle: [SQLiteConnection] = []
    var inUse = 0
    var isShut = false
  }

  private let queue: WorkQueue<Job>
  private let pool = Monitor(Pool())
  private let open: @Sendable () throws -> SQLiteConnection

  init(capacity: Int, open: @escaping @Sendable () throws -> SQLiteConnection) {
    queue = WorkQueue(capacity: capacity)
    self.open = open
  }

  // MARK: Called from any task

  /// Hands a read in; `refuse` is called at once when the queue is full or closed.
  func submit(_ job: Job) {
    switch queue.push(job) {
    case nil: return
    case .full:
      job.refuse(.tooMuchWaits(reason: "Too many reads wait for the store; try again."))
    case .closed:
      job.refuse(.unavailable(reason: "The store is closing.", detail: "queue is closed"))
    }
  }

  /// Takes no more; the threads return when what is queued is done.
  func close() { queue.close() }

  // MARK: The threads

  /// Works until the queue is closed and empty.
  func run() {
    while let job = queue.pop() {
      do {
        let connection = try take()
        do {
          try connection.beginReading()
          job.run(connection)
          connection.rollback()
          giveBack(consume connection)
        } catch {
          // A connection that cannot begin is not given back: the next read opens another.
          giveBack(nil)
          throw error
        }
      } catch {
        job.refuse(
          error as? SQLFailure
            ?? .unavailable(reason: "The store cannot read its file.", detail: "\(error)"))
      }
    }
  }

  private func take() throws -> SQLiteConnection {
    let idle = pool.wait { pool -> SQLiteConnection?? in
      guard !pool.isShut else { return nil }
      pool.inUse += 1
      return .some(pool.idle.popLast())
    }
    if let idle { return idle }
    do {
      return try open()
    } catch {
      giveBack(nil)
      throw error
    }
  }

  /// Takes the connection over before it counts down, so that nobody holds it when `shut` goes on.
  private func giveBack(_ connection: consuming SQLiteConnection?) {
    pool.withLock(waking: .all) { pool in
      pool.inUse -= 1
      if let connection { pool.idle.append(connection) }
    }
  }

  // MARK: Called by the writer

  /// Waits for the reads that run, closes all connections, and holds further reads back.
  func shut() {
    pool.withLock { $0.isShut = true }
    pool.wait { pool -> Void? in
      guard pool.inUse == 0 else { return nil }
      pool.idle = []
      return ()
    }
  }

  func reopen() {
    pool.withLock(waking: .all) { $0.isShut = false }
  }
}
