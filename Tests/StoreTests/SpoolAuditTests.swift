import ConversationModel
import Foundation
import StoreSQL
import Testing

@testable import StoreSQLite
@testable import StoreSpool

@Suite(.timeLimit(.minutes(1))) struct SpoolAuditTests {
  /// What is done to a sound spool, and a word of the finding that it must make.
  private static let damages: [(sql: String, word: String)] = [
    ("UPDATE messages SET content = 'another' WHERE sequence = 2", "checksum"),
    ("UPDATE messages SET client_id = 'another' WHERE sequence = 2", "checksum"),
    ("UPDATE messages SET id = randomblob(16) WHERE sequence = 2", "checksum"),
    ("UPDATE records SET parent = randomblob(16) WHERE sequence = 2", "checksum"),
    ("UPDATE records SET created_at = created_at + 1 WHERE sequence = 3", "checksum"),
    ("UPDATE records SET user_id = randomblob(16) WHERE sequence = 2", "checksum"),
    ("UPDATE records SET session_id = 'another' WHERE sequence = 3", "checksum"),
    ("UPDATE records SET conversation_id = 'text56789012345x' WHERE sequence = 2", "column"),
    ("UPDATE records SET bytes = 1 WHERE sequence = 2", "bytes"),
    ("DELETE FROM messages WHERE sequence = 2 AND number = 0", "missing"),
    ("DELETE FROM messages WHERE sequence = 1", "checksum"),
    ("DELETE FROM records WHERE sequence = 2", "does not exist"),
    (
      "UPDATE messages SET conversation_id = randomblob(16) WHERE sequence = 2 AND number = 1",
      "another conversation"
    ),
    ("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'records'", "never given"),
    (
      "UPDATE records SET died_at = 1, reason_code = 'gone', reason = 'x' WHERE sequence = 1",
      "dead letter"
    ),
    (
      "INSERT INTO aliases (fresh, real, conversation_id) VALUES (zeroblob(16), x'00000000000000000000000000000001', zeroblob(16)), (x'00000000000000000000000000000001', zeroblob(16), zeroblob(16))",
      "alias"
    ),
    ("UPDATE known SET user_id = 'text56789012345x'", "known"),
  ]

  @Test(arguments: damages)
  func `damage to the spool is found`(damage: (sql: String, word: String)) async throws {
    try await withDirectory { directory in
      try await withSpool(in: directory) { bench in
        let user = newUser()
        let conversation = try await bench.spool.opened(user, "s")
        bench.faults.fail(.all)
        _ = try await bench.say("one", in: conversation, client: "1")
        let two = ["two", "three"].map { NewMessage(role: .user, content: $0) }
        _ = try await bench.spool.apply(.append(Append(to: conversation.id, two)), as: .user(user))
        _ = try await bench.spool.opened(user, "fresh")
        #expect(try await bench.findings() == [])
      }
      let driver = try SQLiteDriver(path: directory + "/spool.sqlite")
      try await driver.write { try $0.script(damage.sql) }
      driver.close()
      let audit = try SpoolAudit(path: directory + "/spool.sqlite")
      defer { audit.close() }
      let findings = try await audit.run().findings.map(\.description)
      #expect(findings.contains { $0.contains(damage.word) }, "\(findings)")
    }
  }

  @Test func `a damaged record goes to the dead letters, the others to the store`() async throws {
    try await withDirectory { directory in
      var conversation: Conversation?
      try await withSpool(in: directory) { bench in
        conversation = try await bench.spool.opened(newUser(), "s")
        bench.faults.fail(.all)
        for text in ["one", "two", "three"] { _ = try await bench.say(text, in: conversation!) }
      }
      let driver = try SQLiteDriver(path: directory + "/spool.sqlite")
      try await driver.write {
        try $0.script("UPDATE messages SET content = 'TWO' WHERE sequence = 2")
      }
      driver.close()
      try await withSpool(in: directory) { bench in
        try await bench.settled()
        #expect(try await bench.stored(try #require(conversation)) == ["one", "three"])
        #expect(await bench.spool.health().spool?.deadLetters == 1)
      }
    }
  }

  @Test func `a file that is no spool is reported as that`() async throws {
    try await withDirectory { directory in
      try SQLiteDriver(path: directory + "/spool.sqlite").close()
      let audit = try SpoolAudit(path: directory + "/spool.sqlite")
      defer { audit.close() }
      #expect(
        try await audit.run().findings.map(\.description).contains { $0.contains("no spool") })
    }
  }

  @Test func `an index that lost its entries is made anew at the start, and the spool empties`() async throws {
    try await withDirectory { directory in
      var conversation: Conversation?
      try await withSpool(isTended: false, in: directory) { bench in
        conversation = try await bench.spool.opened(newUser())
        bench.faults.fail(.before)
        for number in 1...5 {
          _ = try await bench.say("\(number)", in: conversation!, client: "c\(number)")
        }
      }
      try await flipIndex(of: directory + "/spool.sqlite", at: "c3")
      let audit = try SpoolAudit(path: directory + "/spool.sqlite")
      #expect(try await audit.run().findings.map(\.description).contains { $0.contains("messages_client") })
      audit.close()
      try await withSpool(in: directory) { bench in
        try await bench.settled()
        #expect(try await bench.stored(conversation!) == ["1", "2", "3", "4", "5"])
        try await bench.expectSound()
      }
    }
  }

  /// Indexes are made anew only if that makes the file sound.
  @Test func `a spool that is refused is left as it was`() async throws {
    try await withDirectory { directory in
      try await withSpool(isTended: false, in: directory) { bench in
        let conversation = try await bench.spool.opened(newUser())
        bench.faults.fail(.before)
        for number in 1...120 {
          _ = try await bench.say(
            "\(number) \(String(repeating: "word ", count: 60))", in: conversation, client: "c\(number)")
        }
      }
      let path = directory + "/spool.sqlite"
      let good = try Data(contentsOf: URL(filePath: path))
      // What an index has of a client id, which the record itself has somewhere else.
      let names = good.indices.filter { good[$0...].starts(with: Data("c117".utf8)) }
      var dice = SeededGenerator(seed: 9)
      var (refused, mended) = (0, 0)
      for round in 0..<80 {
        var damaged = good
        damaged[names[round % names.count]] ^= 1
        if !round.isMultiple(of: 4) {
          let place = Int.random(in: 100..<good.count, using: &dice)
          damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &dice)
        }
        for side in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + side) }
        try damaged.write(to: URL(filePath: path))
        do {
          try await SpoolFile(path: path).driver.close()
          mended += 1
        } catch {
          refused += 1
          #expect(try Data(contentsOf: URL(filePath: path)) == damaged, "round \(round): \(error)")
        }
      }
      #expect(refused > 0 && mended > 0, "\(refused) refused, \(mended) mended")
    }
  }

  /// Changes one letter of a client id where its index has it, and nowhere else.
  private func flipIndex(of path: String, at clientID: String) async throws {
    let driver = try SQLiteDriver(path: path)
    let (page, size) = try await driver.read { connection in
      (
        try connection.first(rootPage, []) { try $0.integer(0) },
        try connection.first(pageSize, []) { try $0.integer(0) }
      )
    }
    // What is still in the log comes into the file.
    driver.close()
    var bytes = try Data(contentsOf: URL(filePath: path))
    let (root, bytesOfPage) = (try #require(page), try #require(size))
    let start = (root - 1) * bytesOfPage
    let found = try #require(bytes.range(of: Data(clientID.utf8), in: start..<start + bytesOfPage))
    bytes[found.lowerBound] ^= 1
    try bytes.write(to: URL(filePath: path))
  }
}

private let rootPage = SQLStatement("SELECT rootpage FROM sqlite_schema WHERE name = 'messages_client'")
private let pageSize = SQLStatement("PRAGMA page_size")
