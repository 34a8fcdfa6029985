import ConversationModel
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
      let writer = SQLiteWriter(capacity: Limits.queuedCommands)
      let open: @Sendable () throws -> SQLiteConnection = {
        try SQLiteConnection(path: path, access: .readWrite, synchronous: synchronous)
      }
      let ready = HandOver(try open())
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
      writer.submit(
        .init(
          run: { connection in
            let result = Result { try body(connection) }
            var error: (any Error)?
            if case .failure(let failure) = result { error = failure }
            return .init(error: error) { continuation.resume(with: result) }
          },
          refuse: { continuation.resume(throwing: $0) }))
    }
  }

  public func health() -> SQLDriverHealth { writer?.health() ?? SQLDriverHealth() }

  /// Lets SQLite check its file: pages, indexes against tables, constraints. Empty when all is well.
  public func integrityFaults() async throws -> [String] {
    do {
      return try await read { connection in
        try connection.pragmaRows("integrity_check(100)").filter { $0 != "ok" }
      }
    } catch SQLFailure.malformed(let detail) {
      return [detail]
    }
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
