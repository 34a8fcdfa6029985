import CSQLite
import ConversationModel
import Glibc
public import StoreSQL

/// One SQLite connection with its prepared statements. Used by one thread at a time.
public final class SQLiteConnection: SQLConnection {
  private let handle: OpaquePointer
  /// Where SQLite's hook puts the length of the log.
  private let pages: UnsafeMutablePointer<Int>
  /// By the identity of the statement, which is kept alive so that no other can take its address.
  private var prepared: [ObjectIdentifier: Prepared] = [:]

  private struct Prepared {
    let statement: SQLStatement
    let handle: OpaquePointer
    /// Which value SQLite's first, second, … parameter takes: `$n` is a name to SQLite, and names are
    /// numbered by their first appearance.
    let order: [Int]
  }

  /// What is written at the end of the transaction, and how many bytes of text it holds.
  private var late: [LateRow] = []
  private(set) var lateBytes = 0
  /// How much of it was there when the open savepoint was.
  private var lateBefore = (rows: 0, bytes: 0)

  enum Access: Equatable {
    /// Made when missing.
    case owner
    /// Opened again: it must be the file that it was.
    case ownerAgain(FileIdentity)
    case readOnly
  }

  /// The file that was opened; nil for a connection that only reads.
  let file: FileIdentity?
  private let path: String

  /// Opens a file and sets the connection up; see the pragmas' comments for why.
  init(path: String, access: Access, synchronous: Synchronous = .full) throws {
    var handle: OpaquePointer?
    let flags =
      switch access {
      case .owner: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
      case .ownerAgain: SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX
      case .readOnly: SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX
      }
    if case .ownerAgain(let file) = access { try file.require(at: path) }
    let code = sqlite3_open_v2(path, &handle, flags, nil)
    guard code == SQLITE_OK, let handle else {
      let failure = SQLiteConnection.failure(code, handle)
      sqlite3_close_v2(handle)
      throw failure
    }
    self.handle = handle
    self.path = path
    file = access == .readOnly ? nil : FileIdentity(path: path)
    pages = .allocate(capacity: 1)
    pages.initialize(to: 0)
    sqlite3_extended_result_codes(handle, 1)
    switch access {
    case .owner, .ownerAgain: try setUpWriter(synchronous)
    case .readOnly: try setUpReader()
    }
  }

  /// How much a commit waits for. Anything but `full` loses acknowledged rows in a power cut; the
  /// other one exists so that a test can show that.
  enum Synchronous: Int { case normal = 1, full = 2 }

  private func setUpWriter(_ synchronous: Synchronous) throws {
    // Readers never hold the writer up in WAL mode; only a checkpoint that truncates waits for them.
    sqlite3_busy_timeout(handle, 250)
    // Without the right to write, SQLite opens for reading and says nothing.
    guard sqlite3_db_readonly(handle, "main") == 0 else {
      throw SQLFailure.unavailable(reason: "The file of the store is read-only.", detail: "sqlite3_db_readonly")
    }
    guard try pragma("journal_mode = WAL") == "wal" else {
      throw SQLFailure.unavailable(
        reason: "The database cannot use a write-ahead log.", detail: "journal_mode is not wal")
    }
    try script("PRAGMA synchronous = \(synchronous.rawValue)")
    guard try pragma("synchronous") == "\(synchronous.rawValue)" else {
      throw SQLFailure.unavailable(
        reason: "The database does not sync its commits.", detail: "synchronous was not taken")
    }
    // What is deleted is overwritten, not only unlinked.
    guard try pragma("secure_delete = ON") == "1" else {
      throw SQLFailure.unavailable(
        reason: "The database does not overwrite what it deletes.", detail: "secure_delete was not taken")
    }
    // The writer checkpoints itself, between batches. Setting this takes any hook away, so ours comes
    // after it.
    try script("PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16384")
    sqlite3_wal_hook(
      handle,
      { pages, _, _, count in
        pages!.assumingMemoryBound(to: Int.self).pointee = Int(count)
        return SQLITE_OK
      }, pages)
  }

  private func setUpReader() throws {
    sqlite3_busy_timeout(handle, 5000)
    try script("PRAGMA query_only = 1; PRAGMA cache_size = -4096")
  }

  deinit {
    for entry in prepared.values { sqlite3_finalize(entry.handle) }
    sqlite3_close_v2(handle)
    pages.deallocate()
  }

  // MARK: Statements

  @discardableResult
  public func execute(_ statement: SQLStatement, _ values: [SQLValue] = []) throws -> Int {
    try forEachRow(statement, values) { _ in }
    return Int(sqlite3_changes64(handle))
  }

  public func forEachRow(
    _ statement: SQLStatement, _ values: [SQLValue], _ body: (SQLiteRow) throws -> Void
  ) throws {
    let prepared = try keep(statement)
    try step(through: prepared.handle, prepared.order.map { values[$0] }, body)
  }

  private func step(
    through prepared: OpaquePointer, _ values: [SQLValue], _ body: (SQLiteRow) throws -> Void
  ) throws {
    defer {
      sqlite3_reset(prepared)
      sqlite3_clear_bindings(prepared)
    }
    for (index, value) in values.enumerated() { try bind(value, to: Int32(index + 1), of: prepared) }
    while true {
      switch sqlite3_step(prepared) {
      case SQLITE_ROW: try body(SQLiteRow(statement: prepared))
      case SQLITE_DONE: return
      case let code: throw Self.failure(code, handle)
      }
    }
  }

  public func script(_ sql: String) throws {
    let code = sqlite3_exec(handle, sql, nil, nil, nil)
    guard code == SQLITE_OK else { throw Self.failure(code, handle) }
  }

  /// The first column of a pragma's first row, as text.
  func pragma(_ sql: String) throws -> String? { try pragmaRows(sql).first }

  /// The first column of each row of a pragma, as text.
  func pragmaRows(_ sql: String) throws -> [String] {
    let prepared = try prepare("PRAGMA " + sql, flags: 0)
    defer { sqlite3_finalize(prepared) }
    var rows: [String] = []
    try step(through: prepared, []) { rows.append(try $0.text(0)) }
    return rows
  }

  /// What SQLite finds wrong with the file; empty when all is well.
  func integrityFaults() throws -> [String] { try pragmaRows("integrity_check(100)").filter { $0 != "ok" } }

  public func atEnd(_ row: LateRow) {
    late.append(row)
    lateBytes += row.bytes
  }

  public var changes: Int { Int(sqlite3_total_changes64(handle)) }

  private func keep(_ statement: SQLStatement) throws -> Prepared {
    let key = ObjectIdentifier(statement)
    if let known = prepared[key] { return known }
    let handle = try prepare(statement.sql, flags: UInt32(SQLITE_PREPARE_PERSISTENT))
    let order = (0..<sqlite3_bind_parameter_count(handle)).map { index in
      let name = sqlite3_bind_parameter_name(handle, index + 1).map { String(cString: $0) } ?? ""
      return (Int(name.dropFirst()) ?? Int(index) + 1) - 1
    }
    let made = Prepared(statement: statement, handle: handle, order: order)
    prepared[key] = made
    return made
  }

  private func prepare(_ sql: String, flags: UInt32) throws -> OpaquePointer {
    var made: OpaquePointer?
    let code = sqlite3_prepare_v3(handle, sql, -1, flags, &made, nil)
    guard code == SQLITE_OK, let made else { throw Self.failure(code, handle) }
    return made
  }

  private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

  private func bind(_ value: SQLValue, to index: Int32, of statement: OpaquePointer) throws {
    let code: Int32
    switch value {
    case .null: code = sqlite3_bind_null(statement, index)
    case .integer(let value): code = sqlite3_bind_int64(statement, index, Int64(value))
    case .real(let value): code = sqlite3_bind_double(statement, index, value)
    case .text(var text):
      code = text.withUTF8 { bytes in
        bytes.withMemoryRebound(to: CChar.self) { characters in
          // A null pointer would bind NULL, not the empty text.
          characters.baseAddress.map {
            sqlite3_bind_text(statement, index, $0, Int32(characters.count), Self.transient)
          } ?? sqlite3_bind_text(statement, index, "", 0, Self.transient)
        }
      }
    case .bytes(let bytes):
      code = sqlite3_bind_blob(statement, index, bytes, Int32(bytes.count), Self.transient)
    case .id(let high, let low):
      code = withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { bytes in
        sqlite3_bind_blob(statement, index, bytes.baseAddress, 16, Self.transient)
      }
    }
    guard code == SQLITE_OK else { throw Self.failure(code, handle) }
  }

  // MARK: What the writer needs

  private static let begin = SQLStatement("BEGIN IMMEDIATE")
  private static let beginRead = SQLStatement("BEGIN")
  private static let commit = SQLStatement("COMMIT")
  private static let rollback = SQLStatement("ROLLBACK")
  private static let savepoint = SQLStatement("SAVEPOINT command")
  private static let release = SQLStatement("RELEASE command")
  private static let rollbackTo = SQLStatement("ROLLBACK TO command")

  func beginWriting() throws {
    forgetLate()
    try execute(Self.begin)
  }
  func beginReading() throws { try execute(Self.beginRead) }
  func commit() throws { try execute(Self.commit) }
  func rollback() {
    forgetLate()
    _ = try? execute(Self.rollback)
  }

  func openSavepoint() throws {
    lateBefore = (late.count, lateBytes)
    try execute(Self.savepoint)
  }

  func releaseSavepoint() throws { try execute(Self.release) }

  func undoSavepoint() throws {
    late.removeLast(late.count - lateBefore.rows)
    lateBytes = lateBefore.bytes
    try execute(Self.rollbackTo)
    try execute(Self.release)
  }

  /// Writes what bodies left for the end, outside of their savepoints, and tidies the index that it went into.
  ///
  /// - Parameter upkeep: Takes the pages to tidy as `$1`.
  func writeLate(_ upkeep: SQLStatement) throws {
    guard !late.isEmpty else { return }
    let (rows, bytes) = (late, lateBytes)
    forgetLate()
    // Stable, and ascending: FTS5 starts a new part of its index for a row below the last one.
    let order = rows.indices.sorted { (rows[$0].order, $0) < (rows[$1].order, $1) }
    for index in order { try execute(rows[index].statement, rows[index].values) }
    try execute(upkeep, [.integer(SQLDialect.upkeepPages(for: bytes))])
  }

  private func forgetLate() {
    late.removeAll(keepingCapacity: late.count <= Limits.batchCommands)
    lateBytes = 0
  }

  /// False after SQLite itself rolled the transaction back, as it does on I/O errors.
  var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

  /// Pages in the write-ahead log after this connection's last commit.
  var logPages: Int { pages.pointee }

  /// - Throws: `SQLFailure.unavailable` if the file is no longer where it was opened.
  func requireInPlace() throws { try file?.require(at: path) }

  /// Writes a page and syncs it: shows that the file takes commits.
  func probe() throws {
    let version = try pragma("user_version") ?? "0"
    try script("BEGIN IMMEDIATE; PRAGMA user_version = \(version); COMMIT")
  }

  /// Copies what the log holds into the database.
  ///
  /// - Returns: Pages that are still in the log and not yet copied.
  @discardableResult
  func checkpoint(truncating: Bool) throws -> Int {
    var logPages: Int32 = 0
    var copiedPages: Int32 = 0
    let mode = truncating ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE
    let code = sqlite3_wal_checkpoint_v2(handle, nil, mode, &logPages, &copiedPages)
    // A reader that stands in the way is no fault; the next checkpoint goes on.
    guard code == SQLITE_OK || code & 0xFF == SQLITE_BUSY else { throw Self.failure(code, handle) }
    return max(0, Int(logPages) - Int(copiedPages))
  }

  // MARK: Errors

  /// I/O trouble, a full disk, a lock, damage: the store cannot serve. The rest is this statement's.
  private static func failure(_ code: Int32, _ handle: OpaquePointer?) -> SQLFailure {
    let detail = "SQLite \(code): \(String(cString: sqlite3_errmsg(handle)))"
    switch code & 0xFF {
    case SQLITE_FULL:
      return .unavailable(reason: "The disk of the store is full.", detail: detail)
    case SQLITE_IOERR, SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL, SQLITE_NOMEM:
      return .unavailable(reason: "The store cannot read or write its file.", detail: detail)
    case SQLITE_CORRUPT, SQLITE_NOTADB:
      return .malformed(detail: detail)
    default:
      return .statement(detail: detail)
    }
  }
}

/// The current row of a statement that is being stepped.
public struct SQLiteRow: SQLRow {
  fileprivate let statement: OpaquePointer

  public func isNull(_ column: Int) -> Bool {
    sqlite3_column_type(statement, Int32(column)) == SQLITE_NULL
  }

  public func integer(_ column: Int) throws -> Int {
    try expect(SQLITE_INTEGER, column)
    return Int(sqlite3_column_int64(statement, Int32(column)))
  }

  public func real(_ column: Int) throws -> Double {
    try expect(SQLITE_FLOAT, column)
    return sqlite3_column_double(statement, Int32(column))
  }

  public func text(_ column: Int) throws -> String {
    try withText(column) { bytes in
      guard let text = String(validating: bytes, as: UTF8.self) else { throw SQLFailure.damaged(column: column) }
      return text
    }
  }

  public func withText<Result>(
    _ column: Int, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
  ) throws -> Result {
    // A number reads as its text, as a pragma's answer may; a blob does too, and is then judged by its
    // bytes.
    guard let start = sqlite3_column_text(statement, Int32(column)) else { throw SQLFailure.damaged(column: column) }
    return try body(UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, Int32(column)))))
  }

  public func bytes(_ column: Int) throws -> [UInt8] {
    try expect(SQLITE_BLOB, column)
    return withBlob(column) { Array($0) }
  }

  public func idHalves(_ column: Int) throws -> (high: UInt64, low: UInt64) {
    try expect(SQLITE_BLOB, column)
    return try withBlob(column) { bytes in
      guard bytes.count == 16 else { throw SQLFailure.damaged(column: column) }
      return (
        UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      )
    }
  }

  private func expect(_ type: Int32, _ column: Int) throws {
    guard sqlite3_column_type(statement, Int32(column)) == type else { throw SQLFailure.damaged(column: column) }
  }

  private func withBlob<Result>(_ column: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    let start = sqlite3_column_blob(statement, Int32(column))
    return try body(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, Int32(column)))))
  }
}

/// Which file a path led to.
struct FileIdentity: Equatable {
  private let device: dev_t
  private let number: ino_t

  /// Nil if there is none.
  init?(path: String) {
    var file = stat()
    guard stat(path, &file) == 0 else { return nil }
    (device, number) = (file.st_dev, file.st_ino)
  }

  /// - Throws: `SQLFailure.unavailable` unless the path leads to this file.
  func require(at path: String) throws {
    guard FileIdentity(path: path) != self else { return }
    throw SQLFailure.unavailable(
      reason: "The file of the store is gone or was replaced.", detail: "the path leads to another file")
  }
}
