import CSQLite
import ConversationModel
import Foundation
import StoreSQL
import Testing

@testable import StoreSQL
@testable import StoreSQLite

@Suite struct SQLiteDriverTests {
  private func withDriver(_ body: (SQLiteDriver) async throws -> Void) async throws {
    try await withDirectory { directory in
      let driver = try SQLiteDriver(path: directory + "/parley.sqlite")
      defer { driver.close() }
      try await SQLStore(driver).migrate()
      try await body(driver)
    }
  }

  @Test func `the writer syncs its commits, overwrites what it deletes and checkpoints by itself`() async throws {
    try await withDriver { driver in
      let settings = try await driver.write { connection in
        try ["synchronous", "journal_mode", "secure_delete", "wal_autocheckpoint"].map { try connection.pragma($0) }
      }
      #expect(settings == ["2", "wal", "1", "0"])
    }
  }

  @Test func `readers cannot write`() async throws {
    try await withDriver { driver in
      await #expect(throws: SQLFailure.self) {
        try await driver.read { try $0.script("DELETE FROM pam_messages") }
      }
      await #expect(throws: SQLFailure.self) {
        try await driver.read { try $0.script("PRAGMA query_only = 0; CREATE TABLE x (y)") }
      }
    }
  }

  @Test func `a second owner of a file is refused, by whatever link it comes`() async throws {
    try await withDirectory { directory in
      let path = directory + "/parley.sqlite"
      let (soft, hard) = (directory + "/soft.sqlite", directory + "/hard.sqlite")
      // A link to a file that is still to be made counts as well.
      try FileManager.default.createSymbolicLink(atPath: soft, withDestinationPath: path)
      let first = try SQLiteDriver(path: soft)
      try FileManager.default.linkItem(atPath: path, toPath: hard)
      for other in [path, soft, hard] {
        #expect(throws: FileLock.Failure.self) { try SQLiteDriver(path: other) }
      }
      // A reader asks for no lock.
      try SQLiteDriver(path: path, access: .reader).close()
      first.close()
      try SQLiteDriver(path: path).close()
    }
  }

  @Test func `the lock of a directory names its owner`() async throws {
    try await withDirectory { directory in
      let lock = try FileLock(directory: directory)
      do {
        _ = try FileLock(directory: directory)
        Issue.record("the second owner was let in")
      } catch FileLock.Failure.taken(let process) {
        #expect(process == Int(ProcessInfo.processInfo.processIdentifier))
      }
      withExtendedLifetime(lock) {}
    }
  }

  @Test func `a body that fails undoes itself, not its neighbours`() async throws {
    struct Refusal: Error {}
    try await withDriver { driver in
      try await driver.write { try $0.script("CREATE TABLE t (n INTEGER NOT NULL UNIQUE)") }
      let outcomes = await withTaskGroup(of: (Int, Bool).self) { group in
        for number in 0..<200 {
          group.addTask {
            do {
              try await driver.write { connection in
                try connection.script("INSERT INTO t VALUES (\(number))")
                if number % 3 == 0 { throw Refusal() }
                if number % 5 == 0 { try connection.script("INSERT INTO t VALUES (\(number))") }
              }
              return (number, true)
            } catch {
              return (number, false)
            }
          }
        }
        return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
      }
      for (number, stored) in outcomes { #expect(stored == (number % 3 != 0 && number % 5 != 0)) }
      let count = try await driver.read { try $0.count("SELECT count(*) FROM t") }
      #expect(count == outcomes.values.count { $0 })
    }
  }

  @Test func `a full queue refuses at once, and what it took is done`() async throws {
    try await withDriver { driver in
      try await driver.write { try $0.script("CREATE TABLE t (n)") }
      let gate = DispatchSemaphore(value: 0)
      let isBlocked = DispatchSemaphore(value: 0)
      async let blocked: Void = driver.write { _ in
        isBlocked.signal()
        gate.wait()
      }
      await withCheckedContinuation { continuation in
        DispatchQueue.global().async {
          isBlocked.wait()
          continuation.resume()
        }
      }
      let (stored, refused) = await withTaskGroup(of: Bool.self) { group in
        for number in 0..<Limits.queuedCommands + 50 {
          group.addTask {
            do {
              try await driver.write { try $0.script("INSERT INTO t VALUES (\(number))") }
              return true
            } catch {
              return false
            }
          }
        }
        // The refused ones are answered while the writer stands still.
        var counts = (0, 0)
        while counts.1 < 50, let isStored = await group.next() {
          if isStored { counts.0 += 1 } else { counts.1 += 1 }
          if counts.1 == 50 { gate.signal() }
        }
        for await isStored in group { if isStored { counts.0 += 1 } else { counts.1 += 1 } }
        return counts
      }
      try await blocked
      #expect(stored == Limits.queuedCommands && refused == 50)
      #expect(try await driver.read { try $0.count("SELECT count(*) FROM t") } == stored)
    }
  }

  @Test func `a read that was cancelled before it started is not made, a write is`() async throws {
    try await withDriver { driver in
      try await driver.write { try $0.script("CREATE TABLE t (n)") }
      let cancelled = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        let reading = await Result { try await driver.read { _ in } }
        let writing = await Result { try await driver.write { try $0.script("INSERT INTO t VALUES (1)") } }
        return (reading, writing)
      }
      let (reading, writing) = await cancelled.value
      #expect(throws: CancellationError.self) { try reading.get() }
      try writing.get()
      #expect(try await driver.read { try $0.count("SELECT count(*) FROM t") } == 1)
    }
  }

  @Test func `a read sees one moment, whatever is written meanwhile`() async throws {
    try await withDriver { driver in
      try await driver.write { try $0.script("CREATE TABLE t (n); INSERT INTO t VALUES (1)") }
      let (hasRead, hasWritten) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
      async let counts = driver.read { connection in
        let first = try connection.count("SELECT count(*) FROM t")
        hasRead.signal()
        hasWritten.wait()
        return (first, try connection.count("SELECT count(*) FROM t"))
      }
      await withCheckedContinuation { continuation in
        DispatchQueue.global().async {
          hasRead.wait()
          continuation.resume()
        }
      }
      try await driver.write { try $0.script("INSERT INTO t VALUES (2)") }
      hasWritten.signal()
      #expect(try await counts == (1, 1))
      #expect(try await driver.read { try $0.count("SELECT count(*) FROM t") } == 2)
    }
  }

  @Test func `the log is emptied between batches and at the end`() async throws {
    try await withDirectory { directory in
      let path = directory + "/parley.sqlite"
      let driver = try SQLiteDriver(path: path)
      let store = SQLStore(driver)
      try await store.migrate()
      let conversation = try await store.opened(newUser())
      let text = String(repeating: "x", count: 100_000)
      for _ in 0..<40 { try await store.appended(Array(repeating: text, count: 10), to: conversation) }
      // 40 MB went through a log that is checkpointed every 16 MiB.
      let size = try FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? Int ?? 0
      #expect(size < 32_000_000)
      driver.close()
      #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
    }
  }

  @Test func `what comes after closing is refused`() async throws {
    try await withDirectory { directory in
      let driver = try SQLiteDriver(path: directory + "/parley.sqlite")
      driver.close()
      driver.close()
      await #expect(throws: SQLFailure.self) { try await driver.read { _ in } }
      await #expect(throws: SQLFailure.self) { try await driver.write { _ in } }
    }
  }

  @Test(arguments: ["", "this is no database, but it is longer than a page header needs to be\n"])
  func `a file that is no database is refused`(content: String) async throws {
    try await withDirectory { directory in
      let path = directory + "/parley.sqlite"
      try Data((content + String(repeating: "-", count: content.isEmpty ? 0 : 4_096)).utf8).write(
        to: URL(filePath: path))
      if content.isEmpty {
        // An empty file is an empty database.
        try SQLiteDriver(path: path).close()
      } else {
        #expect(throws: SQLFailure.self) { try SQLiteDriver(path: path) }
        #expect(throws: SQLFailure.self) { try SQLiteDriver(path: path, access: .reader) }
      }
    }
  }

  @Test func `a migration is made once, and a later schema is refused`() async throws {
    try await withDirectory { directory in
      let path = directory + "/parley.sqlite"
      let driver = try SQLiteDriver(path: path)
      defer { driver.close() }
      let store = SQLStore(driver)
      #expect(try await store.migrate().pending == driver.dialect.migrations.count)
      #expect(try await store.migrate().pending == 0)
      for version in [99, -5] {
        try await driver.write { try $0.script("PRAGMA user_version = \(version)") }
        #expect(await code { try await store.migrate() } == .conflict)
      }
    }
  }

  @Test func `no hot statement scans a table or sorts`() async throws {
    try await withDriver { driver in
      for statement in Statements.hot + SearchStatements.hot {
        let plan = try await driver.read { connection in
          var plan: [String] = []
          // Values do not matter to the plan; null stands for each.
          try connection.forEachRow(
            SQLStatement("EXPLAIN QUERY PLAN " + statement.sql), Array(repeating: .null, count: 20)
          ) {
            plan.append(try $0.text(3))
          }
          return plan
        }
        #expect(!plan.isEmpty)
        for step in plan {
          #expect(!step.hasPrefix("SCAN") && !step.contains("TEMP B-TREE"), "\(step) in \(statement.sql)")
        }
      }
    }
  }

  /// The control for the plans: statements that scan a table or an index, or sort, must be seen as such.
  @Test(arguments: [
    ("SELECT id FROM pam_messages WHERE content = 'x'", "SCAN"),
    ("SELECT id FROM pam_conversations WHERE archived = 1 ORDER BY updated_at", "SCAN"),
    ("SELECT id FROM pam_messages WHERE conversation_id = $1 ORDER BY content", "USE TEMP B-TREE"),
  ])
  func `a statement that scans or sorts is recognised`(sql: String, step: String) async throws {
    try await withDriver { driver in
      let plan = try await driver.read { connection in
        var plan: [String] = []
        try connection.forEachRow(SQLStatement("EXPLAIN QUERY PLAN " + sql), [.null]) { plan.append(try $0.text(3)) }
        return plan
      }
      #expect(plan.contains { $0.hasPrefix(step) }, "\(plan)")
    }
  }
}

extension Result where Failure == any Error {
  fileprivate init(_ body: () async throws -> Success) async {
    do { self = .success(try await body()) } catch { self = .failure(error) }
  }
}
