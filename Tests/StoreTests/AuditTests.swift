import ConversationModel
import Foundation
import StoreSQL
import StoreSQLite
import Testing

@Suite struct AuditTests {
  /// A change by other hands, and what the finding must name.
  private static let damages: [(sql: String, fault: String)] = [
    ("DELETE FROM pam_messages WHERE position = 4", "branch 0: position 4 is missing"),
    ("DELETE FROM pam_messages WHERE position IN (4, 5)", "branch 0: positions 4 to 5 are missing"),
    ("DELETE FROM pam_messages WHERE position = 9", "branch 0: position 9 is missing"),
    (
      "UPDATE pam_messages SET content = content || 'x' WHERE position = 3",
      "branch 0, position 3: what it says does not match its checksum"
    ),
    (
      "UPDATE pam_messages SET role = 'assistant' WHERE position = 3",
      "branch 0, position 3: what it says does not match its checksum"
    ),
    (
      "UPDATE pam_messages SET metadata = '{\"a\":1}' WHERE position = 3",
      "branch 0, position 3: what it says does not match its checksum"
    ),
    (
      "UPDATE pam_messages SET content = CAST(x'ff' AS TEXT) WHERE position = 3",
      "branch 0, position 3: its column content cannot be read"
    ),
    (
      "UPDATE pam_messages SET confidence = 77.5 WHERE position = 3",
      "branch 0, position 3: its column confidence cannot be read"
    ),
    (
      "UPDATE pam_messages SET version = 99 WHERE position = 3",
      "branch 0, position 3: is stamped with a version that is still to come"
    ),
    ("UPDATE pam_messages SET position = 20 WHERE position = 9", "branch 0: positions 9 to 19 are missing"),
    ("UPDATE pam_messages SET branch = 5 WHERE position = 9", "branch 5, position 9: there is no such branch"),
    ("UPDATE pam_branches SET head_position = 12", "branch 0: positions 10 to 12 are missing"),
    ("UPDATE pam_branches SET head_position = 8", "branch 0: has messages behind its head_position 8"),
    ("UPDATE pam_branches SET parent = 3", "branch 0: its parent 3 does not exist"),
    ("UPDATE pam_branches SET fork_position = 2", "branch 0: has no parent"),
    ("UPDATE pam_branches SET version = 50", "branch 0: is stamped with a version that is still to come"),
    ("DELETE FROM pam_branches", "has no trunk"),
    ("UPDATE pam_conversations SET active_branch = 1", "its active branch 1 does not exist"),
    ("UPDATE pam_conversations SET message_count = 7", "its message_count is 7, but there are 9"),
    ("UPDATE pam_conversations SET branch_count = 2", "its branch_count is 2, but there are 1"),
    ("UPDATE pam_conversations SET next_branch = 0", "would give the number of a branch again"),
    ("DELETE FROM pam_conversations", "does not exist, but pam_messages has rows of it"),
  ]

  @Test(arguments: damages.indices)
  func `damage by other hands is found and named`(index: Int) async throws {
    let damage = Self.damages[index]
    try await withDirectory { directory in
      let driver = try SQLiteDriver(path: directory + "/parley.sqlite")
      defer { driver.close() }
      let store = SQLStore(driver)
      try await store.migrate()
      let conversation = try await store.opened(newUser())
      try await store.appended((1...9).map { "\($0)" }, to: conversation)
      try await expectSound(store, driver)
      try await driver.write { try $0.script("PRAGMA ignore_check_constraints = 1; \(damage.sql)") }
      var findings: [String] = []
      _ = try await store.audit { findings.append($0.description) }
      let separator = damage.fault.hasPrefix("branch") ? ", " : ": "
      #expect(findings.contains("conversation \(conversation.id)\(separator)\(damage.fault)"), "\(findings)")
    }
  }

  @Test func `a damaged page is found`() async throws {
    try await withDirectory { directory in
      let path = directory + "/parley.sqlite"
      let driver = try SQLiteDriver(path: path)
      let store = SQLStore(driver)
      try await store.migrate()
      let conversation = try await store.opened(newUser())
      try await store.appended(
        (1...300).map { "message \($0) " + String(repeating: "x", count: 200) }, to: conversation)
      driver.close()
      // Eight bytes in the middle of every page of the file but the first few.
      let file = try FileHandle(forUpdating: URL(filePath: path))
      let size = try file.seekToEnd()
      for offset in stride(from: UInt64(4_096 * 20 + 2_000), to: size, by: 4_096) {
        try file.seek(toOffset: offset)
        file.write(Data([0, 255, 0, 255, 1, 2, 3, 4]))
      }
      try file.close()
      let reader = try SQLiteDriver(path: path, access: .reader)
      defer { reader.close() }
      var findings = try await reader.integrityFaults()
      _ = try? await SQLStore(reader).audit { findings.append($0.description) }
      #expect(!findings.isEmpty)
    }
  }
}
