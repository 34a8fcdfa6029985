import ConversationModel
public import StoreSQL
import StoreSQLite

/// Proves the file of a spool, also beside a running server: for `parley check`.
public struct SpoolAudit: Sendable {
  /// What there is, beside what is wrong.
  public struct Result: Sendable {
    public var findings: [Finding] = []
    public var waiting = 0
    public var deadLetters = 0
    public var messages = 0
    public var aliases = 0
    public var known = 0
  }

  private let driver: SQLiteDriver

  /// - Throws: `SQLFailure` if the file cannot be opened for reading.
  public init(path: String) throws {
    driver = try SQLiteDriver(path: path, access: .reader)
  }

  public func close() { driver.close() }

  /// Reads every row. Dead letters are findings, too: they need a person.
  ///
  /// - Throws: `SQLFailure.unavailable` if the file cannot be read.
  public func run() async throws -> Result {
    var result = Result()
    result.findings = try await driver.integrityFaults().map { Finding(subject: "spool", fault: $0) }
    do {
      let found = try await driver.read { connection in
        var reader = AuditReader()
        try reader.read(on: connection)
        return reader.result
      }
      result.findings += found.findings
      (result.waiting, result.deadLetters) = (found.waiting, found.deadLetters)
      (result.messages, result.aliases, result.known) = (found.messages, found.aliases, found.known)
    } catch SQLFailure.malformed(let detail) {
      result.findings.append(Finding(subject: "spool", fault: "cannot be read, the file is damaged (\(detail))"))
    } catch SQLFailure.statement(let detail) {
      result.findings.append(Finding(subject: "spool", fault: "is no spool, or one of another build (\(detail))"))
    }
    return result
  }
}

private enum AuditStatements {
  static let records = SQLStatement(
    "SELECT \(SpoolStatements.recordColumns), bytes, died_at, reason_code FROM records ORDER BY sequence")
  static let lastSequence = SQLStatement("SELECT seq FROM sqlite_sequence WHERE name = 'records'")
  static let numbers = SQLStatement("SELECT sequence, number, conversation_id FROM messages ORDER BY sequence, number")
  static let aliases = SQLStatement("SELECT fresh, real FROM aliases ORDER BY number")
  static let known = SQLStatement("SELECT \(SpoolStatements.knownColumns) FROM known ORDER BY id")
}

private struct AuditReader {
  var result = SpoolAudit.Result()
  /// How many messages each record has, and whose it is; nil for one that cannot be read.
  private var records: [Int: (messages: Int, conversation: ConversationID)?] = [:]

  mutating func read(on connection: SQLiteConnection) throws {
    let application = try connection.first(SpoolSchema.readApplicationID, []) { try $0.integer(0) }
    let version = try connection.first(SpoolSchema.readVersion, []) { try $0.integer(0) }
    guard application == SpoolSchema.applicationID, version == SpoolSchema.version else {
      found("spool", "is no spool, or one of another build")
      return
    }
    try readRecords(on: connection)
    try readMessages(on: connection)
    try readAliases(on: connection)
    try connection.forEachRow(AuditStatements.known, []) { row in
      result.known += 1
      do { _ = try KnownRow(row) } catch SQLFailure.damaged(let column) {
        found("known session \(result.known)", "its column \(column) cannot be read")
      }
    }
  }

  private mutating func readRecords(on connection: SQLiteConnection) throws {
    let last = try connection.first(AuditStatements.lastSequence, []) { try $0.integer(0) } ?? 0
    try connection.forEachRow(AuditStatements.records, []) { row in
      let sequence = try row.integer(0)
      let subject = "record \(sequence)"
      if !(1...max(last, 1)).contains(sequence) || last == 0 { found(subject, "has a sequence that was never given") }
      let isDead = !row.isNull(15)
      if isDead { result.deadLetters += 1 } else { result.waiting += 1 }
      if isDead { found(subject, "can never be stored (\((try? row.text(16)) ?? "unknown")): a dead letter") }
      records[sequence] = .some(nil)
      do {
        let record = try SpoolRecord.read(row, on: connection)
        var count = 0
        if case .append(let append, _) = record.content {
          count = append.messages.count
          if append.messages.isEmpty { found(subject, "has no messages") }
        }
        records[sequence] = (count, record.conversation)
        if try row.integer(14) != record.bytes { found(subject, "counts its bytes wrong") }
        do throws(ConversationError) { try record.command.validate() } catch {
          found(subject, "holds what no store takes (\(error.code.rawValue))")
        }
      } catch SQLFailure.damaged(let column) {
        found(subject, "cannot be read, or does not match its checksum (column \(column))")
      }
    }
  }

  /// Numbers are dense, and every message has its record.
  private mutating func readMessages(on connection: SQLiteConnection) throws {
    var (current, next) = (0, 0)
    var counts: [Int: Int] = [:]
    try connection.forEachRow(AuditStatements.numbers, []) { row in
      result.messages += 1
      let (sequence, number) = (try row.integer(0), try row.integer(1))
      if sequence != current { (current, next) = (sequence, 0) }
      if number != next { found("record \(sequence)", "its message \(next) is missing") }
      next = number + 1
      counts[sequence, default: 0] += 1
      guard let record = records[sequence] else {
        found("record \(sequence)", "does not exist, but has messages")
        return
      }
      let conversation: ConversationID = try row.id(2)
      if let record, record.conversation != conversation {
        found("record \(sequence)", "its message \(number) is of another conversation")
      }
    }
    for (sequence, record) in records.sorted(by: { $0.key < $1.key }) {
      if let record, record.messages != counts[sequence, default: 0] {
        found("record \(sequence)", "has \(counts[sequence, default: 0]) messages instead of \(record.messages)")
      }
    }
  }

  /// An id stands for one that stands for nothing else.
  private mutating func readAliases(on connection: SQLiteConnection) throws {
    var aliases: [Aliases.ID: Aliases.ID] = [:]
    try connection.forEachRow(AuditStatements.aliases, []) { row in
      result.aliases += 1
      let (fresh, real) = (try row.idHalves(0), try row.idHalves(1))
      aliases[Aliases.ID(high: fresh.high, low: fresh.low)] = Aliases.ID(high: real.high, low: real.low)
    }
    for (fresh, real) in aliases where fresh == real || aliases[real] != nil {
      let id = ConversationID(high: fresh.high, low: fresh.low)
      found("alias \(id)", "does not lead to an id of the store's")
    }
  }

  private mutating func found(_ subject: String, _ fault: String) {
    result.findings.append(Finding(subject: subject, fault: fault))
  }
}
