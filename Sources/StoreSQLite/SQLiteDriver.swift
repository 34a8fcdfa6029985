import CSQLite
public import ConversationModel
import Glibc
public import StoreSQL
import Synchronization

/// Runs the store's statements on an embedded SQLite file.
///
/// One connection writes (`SQLiteWriter`), four read (`SQLiteReaders`), each on a thread of its own;
/// the file is locked for as long as a connection may write.
public final class SQLiteDriver: SQLDriver {
  public let dialect = SQLDialect.sqlite

  /// What the driver may do with the file.
  public enum Access: Sendable {
    /// As the one process that writes it; made when missing.
    case owner
    /// Beside the owner, or while there is none: reads only, and locks nothing.
    case reader
  }

  private static let readerThreads = 4

  private let path: String
  private let writer: SQLiteWriter?
  private let readers: SQLiteReaders
  private let threads: Mutex<[NativeThread]>

  /// - Parameter path: The database file; its directory exists.
  /// - Throws: `FileLock.Failure` if another process owns the file, `SQLFailure` if it cannot be
  ///   opened or does not take the settings that durability needs.
  public convenience init(
    path: String, access: Access = .owner
  ) throws {
    try self.init(
      path: path, access: access, synchronous: .full)
  }

  init(
    path: String, access: Access, synchronous: SQLiteConnection.Synchronous
  ) throws {
    self.path = path
    let readers = SQLiteReaders(capacity: Limits.queuedReads) {
      try SQLiteConnection(path: path, access: .readOnly)
    }
    self.readers = readers
    var threads: [NativeThread] = []
    switch access {
    case .reader:
      writer = nil
      // Opened once here, so that a missing or foreign file fails in the one who asked for it.
      _ = try SQLiteConnection(path: path, access: .readOnly).pragma("schema_version")
    case .owner:
      let lock = try FileLock(file: path)
      let writer = SQLiteWriter(capacity: Limits.queuedCommands, upkeep: dialect.upkeep)
      let first = try SQLiteConnection(path: path, access: .owner, synchronous: synchronous)
      let again = first.file.map(SQLiteConnection.Access.ownerAgain) ?? .owner
      let open: @Sendable () throws -> SQLiteConnection = {
        try SQLiteConnection(path: path, access: again, synchronous: synchronous)
      }
      let ready = HandOver(first)
      self.writer = writer
      threads.append(
        NativeThread {
          writer.run(
            ready.take(), limit: Limits.batchCommands,
            reopening: .init(open: open, closeReaders: readers.shut, openReaders: readers.reopen))
          // The lock goes when the last write is done, whatever became of the driver.
          withExtendedLifetime(lock) {}
        })
    }
    for _ in 0..<Self.readerThreads { threads.append(NativeThread { readers.run() }) }
    self.threads = Mutex(threads)
  }

  deinit {
    // Threads that nobody waits for end by themselves once their queue is closed.
    writer?.close()
    readers.close()
  }

  /// Finishes what is queued, empties the log into the database and closes the file; what comes
  /// later is refused. Idempotent. Blocks: call it when nothing else is left to do.
  public func close() {
    let threads = threads.withLock { threads in
      defer { threads = [] }
      return threads
    }
    readers.close()
    // Readers first, so that the last checkpoint finds nobody in its way.
    for thread in threads.dropFirst(writer == nil ? 0 : 1) { thread.join() }
    readers.shut()
    writer?.close()
    if writer != nil { threads.first?.join() }
  }

  public func read<Value: Sendable>(
    _ body: @escaping @Sendable (SQLiteConnection) throws -> Value
  ) async throws -> Value {
    try Task.checkCancellation()
    return try await withCheckedThrowingContinuation { continuation in
      readers.submit(
        .init(
          run: { connection in continuation.resume(with: Result { try body(connection) }) },
          refuse: { continuation.resume(throwing: $0) }))
    }
  }

  public func write<Value: Sendable>(
    _ body: @escaping @Sendable (SQLiteConnection) throws -> Value
  ) async throws -> Value {
    guard let writer else {
      throw SQLFailure.unavailable(reason: "The store is open for reading only.", detail: "no writer")
    }
    return try await withCheckedThrowingContinuation { continuation in
      let waiter = Waiter(continuation)
      writer.submit(
        .init(
          run: { connection in
            let result = Result { try body(connection) }
            var error: (any Error)?
            if case .failure(let failure) = result { error = failure }
            return .init(error: error) { waiter.resume(with: result) }
          },
          refuse: { waiter.resume(with: .failure($0)) }))
    }
  }

  public func write<Value: Sendable>(
    inOrder bodies: [@Sendable (SQLiteConnection) throws -> Value]
  ) async -> [Result<Value, any Error>] {
    guard let writer, !bodies.isEmpty else {
      return bodies.map { _ in
        .failure(SQLFailure.unavailable(reason: "The store is open for reading only.", detail: "no writer"))
      }
    }
    return await withCheckedContinuation { continuation in
      let line = Line<Value>(bodies.count, continuation)
      for (place, body) in bodies.enumerated() {
        writer.submit(
          .init(
            run: { connection in
              if let failure = line.failure {
                return .init(error: failure) { line.answer(place, .failure(failure)) }
              }
              let result = Result { try body(connection) }
              var error: (any Error)?
              if case .failure(let failure) = result { error = failure }
              return .init(error: error) { line.answer(place, result) }
            },
            refuse: { line.fail(place, $0) }))
      }
    }
  }

  public func giveUp(olderThan age: Duration) {
    writer?.giveUp(olderThanMicroseconds: Int(age / .microseconds(1)))
  }

  /// Takes the log over into the database and empties it, so that nothing deleted is left in it; free pages were overwritten
  /// when they became free.
  ///
  /// - Returns: Whether it is empty: behind a reader that does not end it stays.
  /// - Throws: `SQLFailure` if the file takes no writes.
  public func emptyLog() async throws -> Bool {
    let before = writer?.timesEmptied ?? 0
    writer?.emptyLog()
    try await write { _ in }
    // The log is emptied behind that batch, and before the next.
    try await write { _ in }
    return writer.map { $0.timesEmptied > before } ?? false
  }

  public func health() -> StoreHealth {
    var health = writer?.health() ?? StoreHealth()
    health.engine = "SQLite \(String(cString: sqlite3_libversion()))"
    health.readers = Self.readerThreads
    // By name: opening the file by other means would drop SQLite's locks on it.
    var file = stat()
    if stat(path, &file) == 0 { health.bytes = Int(file.st_size) }
    var disk = statvfs()
    if statvfs(path, &disk) == 0 { health.freeBytes = Int(disk.f_bavail * disk.f_frsize) }
    return health
  }

  /// Lets SQLite check its file: pages, indexes against tables, constraints. Empty when all is well.
  public func integrityFaults() async throws -> [String] {
    do {
      return try await read { try $0.integrityFaults() }
    } catch SQLFailure.malformed(let detail) {
      return [detail]
    }
  }

  /// Makes all indexes anew, if the file is sound then.
  ///
  /// - Returns: What is damaged besides; nil if nothing is. The file is as it was then, and the driver of no more use.
  public func reindex() async throws -> String? {
    let found = Mutex<String?>(nil)
    do {
      try await write { connection in
        do {
          try connection.script("REINDEX")
          let fault = try connection.integrityFaults().first
          found.withLock { $0 = fault }
        } catch SQLFailure.malformed(let detail), SQLFailure.statement(let detail) {
          found.withLock { $0 = detail }
        }
        guard let fault = found.withLock({ $0 }) else { return }
        // All of it: what a savepoint gives back is committed, as pages that say what they said before.
        connection.rollback()
        throw SQLFailure.malformed(detail: fault)
      }
      return nil
    } catch {
      guard let fault = found.withLock({ $0 }) else { throw error }
      return fault
    }
  }
}

/// A task that waits for a write, and is answered once: by the writer, or because it waited too long.
private final class Waiter<Value: Sendable>: Sendable {
  private let continuation: CheckedContinuation<Value, any Error>
  private let isAnswered = Atomic(false)

  init(_ continuation: CheckedContinuation<Value, any Error>) {
    self.continuation = continuation
  }

  func resume(with result: Result<Value, any Error>) {
    guard !isAnswered.exchange(true, ordering: .relaxed) else { return }
    continuation.resume(with: result)
  }
}

/// A task that waits for writes which follow each other. The writer runs them in order, but may commit them
/// apart: when a commit fails, those behind it are not run any more.
private final class Line<Value: Sendable>: Sendable {
  private struct State {
    var results: [Result<Value, any Error>?]
    var left: Int
    var failure: SQLFailure?
  }

  private let continuation: CheckedContinuation<[Result<Value, any Error>], Never>
  private let state: Mutex<State>

  init(_ count: Int, _ continuation: CheckedContinuation<[Result<Value, any Error>], Never>) {
    self.continuation = continuation
    state = Mutex(State(results: Array(repeating: nil, count: count), left: count))
  }

  /// Why nothing of it is written any more.
  var failure: SQLFailure? { state.withLock { $0.failure } }

  func fail(_ place: Int, _ failure: SQLFailure) {
    state.withLock { if $0.failure == nil { $0.failure = failure } }
    answer(place, .failure(failure))
  }

  /// The first answer counts.
  func answer(_ place: Int, _ result: Result<Value, any Error>) {
    let results = state.withLock { state -> [Result<Value, any Error>]? in
      guard state.results[place] == nil else { return nil }
      state.results[place] = result
      state.left -= 1
      return state.left == 0 ? state.results.compactMap(\.self) : nil
    }
    if let results { continuation.resume(returning: results) }
  }
}

/// Carries a connection to the one thread that will use it.
// Sendable because the value is taken exactly once, by that thread.
private final class HandOver: @unchecked Sendable {
  private var connection: SQLiteConnection?

  init(_ connection: SQLiteConnection) {
    self.connection = connection
  }

  func take() -> sending SQLiteConnection {
    defer { connection = nil }
    return connection!
  }
}
