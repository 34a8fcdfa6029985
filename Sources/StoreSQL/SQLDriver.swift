public import ConversationModel

/// What runs `SQLStore`'s statements on one engine.
///
/// A driver owns its connections, its queue and its way of committing; the store sees a synchronous
/// connection inside a closure. Closures are untyped in their errors: the store maps them once.
public protocol SQLDriver: Sendable {
  associatedtype Connection: SQLConnection

  var dialect: SQLDialect { get }

  /// Runs `body` on a connection that cannot write, inside one snapshot.
  ///
  /// - Throws: `CancellationError` if the task was cancelled before `body` started, `SQLFailure` when
  ///   no connection can be had, and whatever `body` throws.
  func read<Value: Sendable>(_ body: @escaping @Sendable (Connection) throws -> Value) async throws -> Value

  /// Runs `body` inside a write transaction and returns when that is committed and synced.
  ///
  /// Bodies run one at a time, in the order of their arrival. Several may share a transaction; one
  /// that throws undoes only its own changes. Once accepted a body runs, whether or not the task is
  /// still there.
  /// - Throws: `SQLFailure` when the queue is full or the commit failed; whatever `body` throws.
  func write<Value: Sendable>(_ body: @escaping @Sendable (Connection) throws -> Value) async throws -> Value

  /// Runs bodies as `write` does, one after the other, and lets them share transactions.
  ///
  /// - Returns: What became of each. Behind one that failed with `.unavailable` or `.tooMuchWaits` none has run.
  func write<Value: Sendable>(
    inOrder bodies: [@Sendable (Connection) throws -> Value]
  ) async -> [Result<Value, any Error>]

  /// Overwrites what the engine keeps of deleted rows outside of its tables: a log, free pages. For what was deleted before the
  /// call. Others write meanwhile.
  ///
  /// - Returns: Whether nothing is left; readers may be in the way, for a while.
  func emptyLog() async throws -> Bool

  /// Whether writes are accepted, and what the driver has counted, all but the commands. Never waits.
  func health() -> StoreHealth

  /// Answers every write that has waited for longer with `SQLFailure.unavailable`; it runs all the same.
  /// Never waits.
  func giveUp(olderThan age: Duration)
}

extension SQLDriver {
  /// A transaction for each, for a driver that cannot do better.
  public func write<Value: Sendable>(
    inOrder bodies: [@Sendable (Connection) throws -> Value]
  ) async -> [Result<Value, any Error>] {
    var results: [Result<Value, any Error>] = []
    for body in bodies {
      do {
        results.append(.success(try await write(body)))
      } catch {
        results.append(.failure(error))
        guard (error as? SQLFailure)?.isOutage ?? false else { continue }
        return results + Array(repeating: .failure(error), count: bodies.count - results.count)
      }
    }
    return results
  }
}

extension SQLDialect {
  /// How many pages of the index a transaction tidies that has written so many bytes of late rows: four for each that it
  /// adds, because the index keeps its parts in four or five sizes, and a few so that small transactions keep up as well.
  public static func upkeepPages(for bytes: Int) -> Int { 16 + bytes / 1_024 }
}

/// A connection in the hands of one closure; never kept, never shared.
public protocol SQLConnection: AnyObject, SendableMetatype {
  associatedtype Row: SQLRow

  /// Runs a statement that returns no rows; returns how many rows it changed.
  @discardableResult
  func execute(_ statement: SQLStatement, _ values: [SQLValue]) throws -> Int

  /// Hands every row to `body`, in order. A row is valid only during its call.
  func forEachRow(_ statement: SQLStatement, _ values: [SQLValue], _ body: (Row) throws -> Void) throws

  /// Runs statements without values that are not worth keeping: migrations.
  func script(_ sql: String) throws

  /// Keeps a row for the end of the transaction, where it is written behind all bodies; if this body fails it is dropped.
  func atEnd(_ row: LateRow)

  /// How many rows were changed since the connection was opened, those inside virtual tables included.
  var changes: Int { get }
}

/// A row that is written once the bodies of a transaction are through, however many share it: into an index that is dear to
/// touch, and dearer in every savepoint.
public struct LateRow: Sendable {
  /// Rows are written in ascending order, those with the same order in that of their coming.
  public let order: Int
  public let statement: SQLStatement
  public let values: [SQLValue]

  public init(order: Int, _ statement: SQLStatement, _ values: [SQLValue]) {
    self.order = order
    self.statement = statement
    self.values = values
  }

  /// Bytes of its texts.
  public var bytes: Int {
    values.reduce(0) { sum, value in if case .text(let text) = value { sum + text.utf8.count } else { sum } }
  }
}

extension SQLConnection {
  /// The first row, mapped; nil when there is none.
  public func first<Value>(
    _ statement: SQLStatement, _ values: [SQLValue], _ map: (Row) throws -> Value
  ) throws -> Value? {
    var first: Value?
    try forEachRow(statement, values) { row in
      if first == nil { first = try map(row) }
    }
    return first
  }

  /// All rows, mapped, in order.
  public func all<Value>(_ statement: SQLStatement, _ values: [SQLValue], _ map: (Row) throws -> Value) throws
    -> [Value]
  {
    var all: [Value] = []
    try forEachRow(statement, values) { all.append(try map($0)) }
    return all
  }
}

/// One row of a result. Columns are numbered from 0.
///
/// Accessors throw `SQLFailure.damaged` when the column holds something of another kind: a row that
/// was changed by other hands must be noticed, not guessed at.
public protocol SQLRow: SendableMetatype {
  func isNull(_ column: Int) -> Bool
  func integer(_ column: Int) throws -> Int
  func real(_ column: Int) throws -> Double
  func text(_ column: Int) throws -> String
  /// The UTF-8 of a text, valid or not, for the time of the call.
  func withText<Result>(_ column: Int, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result) throws -> Result
  func bytes(_ column: Int) throws -> [UInt8]
  /// The two halves of a 16-byte id.
  func idHalves(_ column: Int) throws -> (high: UInt64, low: UInt64)
}

extension SQLRow {
  public func id<Entity>(_ column: Int) throws -> Identifier<Entity> {
    let (high, low) = try idHalves(column)
    return Identifier(high: high, low: low)
  }

  public func boolean(_ column: Int) throws -> Bool { try integer(column) != 0 }

  public func time(_ column: Int) throws -> Timestamp { Timestamp(microseconds: Int64(try integer(column))) }

  public func optional<Value>(_ column: Int, _ read: (Int) throws -> Value) rethrows -> Value? {
    isNull(column) ? nil : try read(column)
  }

  /// A column that holds one of a type's raw values; compared as bytes, because every row of a page
  /// has two of them.
  public func value<Value: RawRepresentable<String> & CaseIterable>(_ column: Int) throws -> Value {
    try withText(column) { text in
      for value in Value.allCases where value.rawValue.utf8.elementsEqual(text) { return value }
      throw SQLFailure.damaged(column: column)
    }
  }
}

/// A value bound to `$1`, `$2`, …
public enum SQLValue: Sendable {
  case null
  case integer(Int)
  case real(Double)
  case text(String)
  case bytes([UInt8])
  case id(high: UInt64, low: UInt64)

  public static func id<Entity>(_ id: Identifier<Entity>) -> SQLValue { .id(high: id.high, low: id.low) }
  public static func time(_ time: Timestamp) -> SQLValue { .integer(Int(time.microseconds)) }
  public static func boolean(_ value: Bool) -> SQLValue { .integer(value ? 1 : 0) }
  public static func optional<Value>(_ value: Value?, _ make: (Value) -> SQLValue) -> SQLValue {
    value.map(make) ?? .null
  }
}

/// One statement of the store, a constant: its identity is what drivers keep prepared statements by.
///
/// Values are written `$1`, `$2`, … as PostgreSQL does; the SQLite driver binds by those names.
public final class SQLStatement: Sendable {
  public let sql: String

  public init(_ sql: String) {
    self.sql = sql
  }
}

/// What can go wrong below the store.
public enum SQLFailure: Error, Sendable {
  /// Nothing was done, or the outcome is unknown. The reason is safe to show.
  case unavailable(reason: String, detail: String)
  /// Nothing was done, because the queue is full; nothing is wrong. The reason is safe to show.
  case tooMuchWaits(reason: String)
  /// A statement failed on its own: a broken constraint or a fault of ours.
  case statement(detail: String)
  /// The database itself is damaged.
  case malformed(detail: String)
  /// A column holds what its type does not allow.
  case damaged(column: Int)

  /// Whether it speaks of the engine, not of the statement.
  var isOutage: Bool {
    switch self {
    case .unavailable, .tooMuchWaits: true
    default: false
    }
  }
}
