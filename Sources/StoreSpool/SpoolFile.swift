import ConversationModel
import Glibc
import StoreSQL
import StoreSQLite

/// The spool on disk: `spool.sqlite`, with one writer that commits together what arrives together and syncs
/// every commit, like the store itself.
struct SpoolFile: Sendable {
  let driver: SQLiteDriver

  /// Opens the file, or makes it and syncs its directory.
  ///
  /// - Throws: `FileLock.Failure`, `SQLFailure`, or `ConversationError` if it is no spool of this build.
  init(path: String) async throws {
    driver = try SQLiteDriver(path: path)
    do {
      let (application, version, tables) = try await driver.read { connection in
        func number(_ statement: SQLStatement) throws -> Int {
          try connection.first(statement, []) { try $0.integer(0) } ?? 0
        }
        return (
          try number(SpoolSchema.readApplicationID), try number(SpoolSchema.readVersion),
          try number(SpoolSchema.tables)
        )
      }
      if tables == 0, version == 0 {
        try await driver.write { connection in try connection.script(SpoolSchema.script) }
        try Self.syncDirectory(of: path)
      } else if application != SpoolSchema.applicationID || version != SpoolSchema.version {
        throw ConversationError(.conflict, "The file is no spool, or one of another build of Parley.")
      } else {
        try await Self.mend(driver)
      }
    } catch {
      driver.close()
      throw error
    }
  }

  /// Makes damaged indexes anew: records could be handed to the store, but never be taken out. If more is damaged the file stays
  /// as it is, for a person.
  ///
  /// - Throws: `SQLFailure.malformed` if more is damaged than that. A record that does not match its checksum is none of
  ///   this: it becomes a dead letter.
  private static func mend(_ driver: SQLiteDriver) async throws {
    guard try await !driver.integrityFaults().isEmpty else { return }
    if let fault = try await driver.reindex() { throw SQLFailure.malformed(detail: fault) }
  }

  /// Without this the file itself may be missing after a power cut, however well it was synced.
  private static func syncDirectory(of path: String) throws {
    let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let descriptor = Glibc.open(directory.isEmpty ? "/" : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    defer { if descriptor >= 0 { close(descriptor) } }
    guard descriptor >= 0, fsync(descriptor) == 0 else {
      throw SQLFailure.unavailable(
        reason: "The directory of the spool cannot be synced.", detail: String(cString: strerror(errno)))
    }
  }

  // MARK: Taking records

  /// A record, or the one that had been taken for the same thing before.
  enum Kept: Sendable {
    case new
    case earlier(SpoolRecord)
  }

  /// Writes a record; when this returns it is synced.
  ///
  /// - Parameters:
  ///   - names: The ids that the conversation may be kept under.
  ///   - check: Runs in the same transaction; what it throws keeps the record out.
  /// - Throws: `.conflict` for a client id that waits with other content.
  func keep(
    _ record: SpoolRecord, names: [ConversationID], check: @escaping @Sendable () throws -> Void
  ) async throws -> Kept {
    try await driver.write { connection in
      try check()
      if let earlier = try Self.earlier(record, names, on: connection) { return .earlier(earlier) }
      _ = try record.insert(on: connection)
      return .new
    }
  }

  private static func earlier(
    _ record: SpoolRecord, _ names: [ConversationID], on connection: SQLiteConnection
  ) throws -> SpoolRecord? {
    switch record.content {
    case .open(let open):
      guard !open.changesContext, open.session != .new else { return nil }
      let session: (String, String?) =
        if case .named(let name) = open.session { ("named", name) } else { ("default", nil) }
      return try connection.first(
        SpoolStatements.waitingOpen, [.id(record.user), .text(session.0), .optional(session.1, SQLValue.text)]
      ) { try SpoolRecord.read($0, on: connection) }
    case .append(let append, _):
      for clientID in append.messages.compactMap(\.clientID) {
        for name in names {
          let place = try connection.first(
            SpoolStatements.sequenceOfClientID, [.id(name), .text(clientID)]
          ) { try $0.integer(0) }
          guard let place, let earlier = try Self.record(place, on: connection) else { continue }
          guard earlier.says(append.messages) else { throw ConversationError.reusedClientID }
          return earlier
        }
      }
      return nil
    }
  }

  private static func record(_ sequence: Int, on connection: SQLiteConnection) throws -> SpoolRecord? {
    try connection.first(SpoolStatements.record, [.integer(sequence)]) { try SpoolRecord.read($0, on: connection) }
  }

  // MARK: Reading

  /// A record that waits, or one that cannot be read any more.
  struct Waiting: Sendable {
    let sequence: Int
    let bytes: Int
    /// Nil if it is damaged.
    let record: SpoolRecord?
    /// Nil if not even that can be read.
    let conversation: ConversationID?
  }

  /// The oldest records behind a place: as many as fit, at least one if there is one.
  func waiting(after sequence: Int) async throws -> [Waiting] {
    try await driver.read { connection in
      var waiting: [Waiting] = []
      var bytes = 0
      do {
        try connection.forEachRow(
          SpoolStatements.waiting, [.integer(sequence), .integer(Limits.drainRecords)]
        ) { row in
          guard bytes < Limits.drainBytes else { throw Full() }
          let size = try row.integer(14)
          bytes += size
          let record = try? SpoolRecord.read(row, on: connection)
          waiting.append(
            Waiting(
              sequence: try row.integer(0), bytes: size, record: record,
              conversation: record?.conversation ?? (try? row.id(2))))
        }
      } catch is Full {}
      return waiting
    }
  }

  private struct Full: Error {}

  /// The records of one conversation that wait, oldest first: at most a page of them, the newest.
  func waiting(of names: [ConversationID]) async throws -> [SpoolRecord] {
    try await driver.read { connection in
      var records: [SpoolRecord] = []
      for name in names {
        records += try connection.all(
          SpoolStatements.waitingOfConversation, [.id(name), .integer(Limits.spoolRecords)]
        ) { try SpoolRecord.read($0, on: connection) }
      }
      return records.sorted { $0.sequence < $1.sequence }
    }
  }

  /// The record that holds a message and waits.
  func record(of message: MessageID) async throws -> SpoolRecord? {
    try await driver.read { connection in
      let place = try connection.first(SpoolStatements.sequenceOfMessage, [.id(message)]) { try $0.integer(0) }
      return try place.flatMap { try Self.record($0, on: connection) }
    }
  }

  /// Whose conversation records are of, dead letters included; nil if there are none.
  func owner(of names: [ConversationID]) async throws -> UserID? {
    try await driver.read { connection in
      for name in names {
        let owner = try connection.first(SpoolStatements.owner, [.id(name)]) { row -> UserID in try row.id(0) }
        if let owner { return owner }
      }
      return nil
    }
  }

  // MARK: Letting records go

  /// Why a record can never be applied.
  struct Death: Sendable {
    let sequence: Int
    let code: String
    let reason: String
  }

  /// An id that was acknowledged, what it stands for, and in which conversation of the store.
  struct Alias: Sendable {
    let fresh: Aliases.ID
    let real: Aliases.ID
    let conversation: ConversationID
  }

  /// Takes the records out that the store has, buries those that it will never have, and keeps the ids that
  /// stand for others: all of it or nothing.
  func settle(
    done: [Int], dead: [Death], aliases: [Alias], at time: Timestamp
  ) async throws {
    try await driver.write { connection in
      for alias in aliases {
        try connection.execute(
          SpoolStatements.insertAlias,
          [
            .id(high: alias.fresh.high, low: alias.fresh.low), .id(high: alias.real.high, low: alias.real.low),
            .id(alias.conversation),
          ])
      }
      if !aliases.isEmpty {
        try connection.execute(SpoolStatements.dropAliases, [.integer(Limits.spoolAliases)])
      }
      for sequence in done {
        try connection.execute(SpoolStatements.deleteMessages, [.integer(sequence)])
        try connection.execute(SpoolStatements.deleteRecord, [.integer(sequence)])
      }
      for death in dead {
        try connection.execute(
          SpoolStatements.bury, [.integer(death.sequence), .time(time), .text(death.code), .text(death.reason)])
      }
    }
  }

  /// What a purge removed.
  struct Purged: Sendable {
    var waiting = 0
    var bytes = 0
    var dead = 0
    var aliases: Set<Aliases.ID> = []
  }

  /// Removes everything of a conversation; what is left of it in the log goes with `emptyLog`.
  func purge(_ names: [ConversationID]) async throws -> Purged {
    let purged = try await driver.write { connection in
      var purged = Purged()
      for name in names {
        try connection.forEachRow(SpoolStatements.purgeCounts, [.id(name)]) { row in
          purged.waiting += try row.integer(0)
          purged.bytes += try row.integer(1)
          purged.dead += try row.integer(2)
        }
        try connection.execute(SpoolStatements.purgeMessages, [.id(name)])
        try connection.execute(SpoolStatements.purgeRecords, [.id(name)])
        try connection.execute(SpoolStatements.dropKnown, [.id(name)])
        try connection.forEachRow(SpoolStatements.purgeAliases, [.id(name)]) { row in
          let fresh = try row.idHalves(0)
          purged.aliases.insert(Aliases.ID(high: fresh.high, low: fresh.low))
        }
      }
      return purged
    }
    return purged
  }

  /// Whether nothing that was removed before is left in the log.
  func emptyLog() async throws -> Bool { try await driver.emptyLog() }

  /// Of which conversations of a user there is something.
  func conversations(of user: UserID) async throws -> [ConversationID] {
    try await driver.read { connection in
      try connection.all(SpoolStatements.conversationsOfUser, [.id(user), .integer(.max)]) { try $0.id(0) }
    }
  }

  func keep(known rows: [KnownRow], dropping dropped: [ConversationID]) async throws {
    try await driver.write { connection in
      for id in dropped { try connection.execute(SpoolStatements.dropKnown, [.id(id)]) }
      for row in rows { try connection.execute(SpoolStatements.keepKnown, row.values) }
    }
  }

  // MARK: What an earlier run left

  struct Inheritance: Sendable {
    var known: [KnownRow] = []
    var aliases: [(fresh: Aliases.ID, real: Aliases.ID)] = []
    var counts: [(id: ConversationID, records: Int, bytes: Int)] = []
    var oldest: Timestamp?
    var opens: [SpoolRecord] = []
    var deadLetters = 0
    /// Whether a store was ever open.
    var hasSeenStore = false
  }

  func inheritance() async throws -> Inheritance {
    try await driver.read { connection in
      var left = Inheritance()
      // What cannot be read is not known; the audit reports it.
      try connection.forEachRow(SpoolStatements.known, [.integer(Limits.knownSessions)]) { row in
        if let known = try? KnownRow(row) { left.known.append(known) }
      }
      left.aliases = try connection.all(SpoolStatements.aliases, [.integer(Limits.spoolAliases)]) { row in
        let (fresh, real) = (try row.idHalves(0), try row.idHalves(1))
        return (Aliases.ID(high: fresh.high, low: fresh.low), Aliases.ID(high: real.high, low: real.low))
      }
      try connection.forEachRow(SpoolStatements.counts, [.integer(.max)]) { row in
        left.counts.append((try row.id(0), try row.integer(1), try row.integer(2)))
        left.oldest = min(left.oldest ?? Timestamp(microseconds: .max), try row.time(3))
      }
      try connection.forEachRow(SpoolStatements.waitingOpens, [.integer(Limits.spoolRecords)]) { row in
        if let record = try? SpoolRecord.read(row, on: connection) { left.opens.append(record) }
      }
      left.deadLetters = try connection.first(SpoolStatements.deadCount, []) { try $0.integer(0) } ?? 0
      left.hasSeenStore =
        try connection.first(SpoolStatements.fact, [.text("store_seen")]) { try $0.boolean(0) } ?? false
      return left
    }
  }

  func noteStore() async throws {
    _ = try await driver.write { connection in
      try connection.execute(SpoolStatements.keepFact, [.text("store_seen"), .integer(1)])
    }
  }
}

extension OpenConversation {
  /// Whether a conversation that exists would take the context over: null and `{}` leave it alone.
  var changesContext: Bool { replacesContext && !(context?.isEmptyObject ?? true) }
}

extension SpoolRecord {
  /// Whether its messages are these to the letter.
  fileprivate func says(_ messages: [NewMessage]) -> Bool {
    guard case .append(let append, _) = content, append.messages.count == messages.count else { return false }
    return zip(append.messages, messages).allSatisfy { kept, new in
      sameBytes(kept.clientID, new.clientID) && kept.fingerprint == new.fingerprint
    }
  }
}
