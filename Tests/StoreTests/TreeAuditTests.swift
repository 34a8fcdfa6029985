import ConversationModel
import StoreSQL
import StoreSQLite
import Testing

/// What `parley check` must see in a tree with edits, forks and deletions.
@Suite struct TreeAuditTests {
  private static func message(_ branch: Int, _ position: Int) -> String {
    "(SELECT id FROM pam_messages WHERE branch = \(branch) AND position = \(position))"
  }

  /// A change by other hands, and what the finding must name.
  private static let damages: [(sql: String, fault: String)] = [
    // Earlier texts
    (
      "DELETE FROM pam_revisions WHERE revision = 1 AND message_id = \(message(0, 2))",
      "branch 0, position 2: its earlier text 1 is missing"
    ),
    (
      "DELETE FROM pam_revisions WHERE revision = 2 AND message_id = \(message(0, 2))",
      "branch 0, position 2: was edited 2 times, but has 1 earlier texts"
    ),
    (
      "DELETE FROM pam_revisions WHERE message_id = \(message(1, 4))",
      "branch 1, position 4: was edited 1 times, but has 0 earlier texts"
    ),
    (
      "UPDATE pam_revisions SET content = 'other' WHERE message_id = \(message(1, 4))",
      "branch 1, position 4: what its earlier text 1 says does not match its checksum"
    ),
    (
      "UPDATE pam_revisions SET metadata = '{\"a\":1}' WHERE revision = 2",
      "branch 0, position 2: what its earlier text 2 says does not match its checksum"
    ),
    (
      "UPDATE pam_revisions SET fingerprint = zeroblob(16) WHERE revision = 2",
      "branch 0, position 2: what its earlier text 2 says does not match its checksum"
    ),
    (
      "UPDATE pam_revisions SET revision = 7 WHERE revision = 2",
      "branch 0, position 2: its earlier text 2 is missing"
    ),
    (
      "UPDATE pam_revisions SET message_id = zeroblob(16) WHERE message_id = \(message(1, 4))",
      "has an earlier text of a message that does not exist"
    ),
    (
      "UPDATE pam_revisions SET message_id = \(message(0, 1)) WHERE message_id = \(message(1, 4))",
      "branch 0, position 1: has earlier texts, but was not edited"
    ),
    (
      "UPDATE pam_revisions SET message_id = \(message(0, 3)) WHERE message_id = \(message(1, 4))",
      "branch 0, position 3: has earlier texts, but was not edited"
    ),
    (
      "UPDATE pam_revisions SET content = CAST(x'ff' AS TEXT) WHERE revision = 2",
      "has an earlier text whose column 5 cannot be read"
    ),
    (
      "UPDATE pam_revisions SET conversation_id = zeroblob(16)",
      "does not exist, but pam_revisions has rows of it"
    ),
    ("UPDATE pam_messages SET edited_at = 1 WHERE position = 1", "branch 0, position 1: has no valid revision"),
    (
      "UPDATE pam_messages SET edited_at = NULL WHERE branch = 1 AND position = 4",
      "branch 1, position 4: has no valid revision"
    ),
    ("UPDATE pam_messages SET revision = 0 WHERE position = 1", "branch 0, position 1: has no valid revision"),
    (
      "UPDATE pam_messages SET revision = 5, edited_at = 1 WHERE position = 1",
      "branch 0, position 1: was edited 4 times, but has 0 earlier texts"
    ),
    (
      "UPDATE pam_messages SET revision = 1, edited_at = NULL WHERE branch = 1 AND position = 4",
      "branch 1, position 4: has earlier texts, but was not edited"
    ),
    // Deleted messages
    (
      "UPDATE pam_messages SET content = 'x' WHERE branch = 0 AND position = 3",
      "branch 0, position 3: was deleted, but still says something"
    ),
    (
      "UPDATE pam_messages SET metadata = '{\"a\":1}' WHERE branch = 0 AND position = 3",
      "branch 0, position 3: was deleted, but still says something"
    ),
    (
      "UPDATE pam_messages SET intent = 'x' WHERE branch = 0 AND position = 3",
      "branch 0, position 3: was deleted, but still says something"
    ),
    (
      "UPDATE pam_messages SET fingerprint = x'00000000000000000000000000000001' WHERE branch = 0 AND position = 3",
      "branch 0, position 3: was deleted, but still says something"
    ),
    (
      "UPDATE pam_messages SET version = 99 WHERE branch = 0 AND position = 3",
      "branch 0, position 3: is stamped with a version that is still to come"
    ),
    (
      "UPDATE pam_messages SET status = 'complete' WHERE branch = 0 AND position = 3",
      "its message_count is 7, but there are 8"
    ),
    ("DELETE FROM pam_messages WHERE branch = 0 AND position = 3", "branch 0: position 3 is missing"),
    // Deleted branches
    (
      "UPDATE pam_messages SET content = 'x' WHERE branch = 3 AND position = 5",
      "branch 3, position 5: was deleted, but still says something"
    ),
    (
      "UPDATE pam_messages SET status = 'complete' WHERE branch = 3 AND position = 6",
      "branch 3, position 6: is not blank, but its branch was deleted"
    ),
    ("DELETE FROM pam_messages WHERE branch = 3 AND position = 6", "branch 3: position 6 is missing"),
    ("DELETE FROM pam_branches WHERE number = 3", "branch 3, position 5: there is no such branch"),
    ("UPDATE pam_branches SET deleted = 0 WHERE number = 3", "its branch_count is 4, but there are 5"),
    ("UPDATE pam_branches SET title = 'x' WHERE number = 3", "branch 3: was deleted, but still says something"),
    ("UPDATE pam_branches SET deleted = 1 WHERE number = 1", "branch 2: continues branch 1, which was deleted"),
    (
      "UPDATE pam_branches SET deleted = 1 WHERE number = 2",
      "branch 2, position 5: is not blank, but its branch was deleted"
    ),
    ("UPDATE pam_branches SET deleted = 1 WHERE number = 0", "has no trunk"),
    (
      "UPDATE pam_branches SET erasing = 1 WHERE number = 1",
      "branch 1: is marked to be blanked, but was not deleted"
    ),
    ("UPDATE pam_conversations SET active_branch = 3", "its active branch 3 does not exist"),
    // Forks and counters
    (
      "UPDATE pam_branches SET fork_position = 2 WHERE number = 2",
      "branch 2: forks at position 2, which its parent 1 does not own"
    ),
    (
      "UPDATE pam_branches SET fork_position = 6 WHERE number = 2",
      "branch 2: forks at position 6, which its parent 1 does not own"
    ),
    ("UPDATE pam_branches SET fork_position = 6 WHERE number = 2", "branch 2: ends before it starts"),
    ("UPDATE pam_branches SET parent = 4 WHERE number = 2", "branch 2: its parent 4 does not exist"),
    ("UPDATE pam_branches SET parent = 2 WHERE number = 2", "branch 2: its parent 2 does not exist"),
    ("UPDATE pam_branches SET parent = NULL WHERE number = 2", "branch 2: has no parent"),
    (
      "UPDATE pam_branches SET version = 99 WHERE number = 3",
      "branch 3: is stamped with a version that is still to come"
    ),
    ("UPDATE pam_conversations SET message_count = 8", "its message_count is 8, but there are 7"),
    ("UPDATE pam_conversations SET branch_count = 5", "its branch_count is 5, but there are 4"),
    ("UPDATE pam_conversations SET next_branch = 4", "would give the number of a branch again"),
  ]

  /// A trunk of four of which one was edited and one deleted, 1 on it, 2 on that, 3 deleted, 4 empty.
  private static func grown(_ store: SQLStore<SQLiteDriver>) async throws -> OwnedTree {
    let tree = try await OwnedTree(store, ["1", "2", "3", "4"])
    let trunk = try await tree.messages()
    for text in ["a", "b"] { try await tree.revise(trunk[1].id, text) }
    try await tree.delete(trunk[2].id)
    try await tree.fork(after: trunk[1].id)
    let own = try await tree.append(["1.3", "1.4", "1.5"], on: 1).messages
    try await tree.revise(own[1].id, "a")
    try await tree.fork(after: own[1].id, title: "two")
    try await tree.append(["2.5"], on: 2)
    try await tree.fork(after: trunk[3].id, title: "three", activate: true)
    let lost = try await tree.append(["3.5", "3.6"], on: 3).messages
    try await tree.revise(lost[0].id, "a")
    try await tree.deleteBranch(3)
    try await tree.fork(after: nil)
    return tree
  }

  private func withGrown(
    _ body: (OwnedTree, SQLStore<SQLiteDriver>, SQLiteDriver) async throws -> Void
  ) async throws {
    try await withDirectory { directory in
      let driver = try SQLiteDriver(path: directory + "/parley.sqlite")
      defer { driver.close() }
      let store = SQLStore(driver)
      try await store.migrate()
      let tree = try await Self.grown(store)
      try await expectSound(store, driver)
      try await body(tree, store, driver)
    }
  }

  @Test(arguments: damages.indices)
  func `damage to a tree is found and named`(index: Int) async throws {
    let damage = Self.damages[index]
    try await withGrown { tree, store, driver in
      try await driver.write { try $0.script("PRAGMA ignore_check_constraints = 1; \(damage.sql)") }
      var findings: [String] = []
      _ = try await store.audit { findings.append($0.description) }
      let subject = damage.fault.hasPrefix("does not exist") ? ConversationID(high: 0, low: 0) : tree.id
      let separator = damage.fault.hasPrefix("branch") ? ", " : ": "
      #expect(findings.contains("conversation \(subject)\(separator)\(damage.fault)"), "\(damage.sql): \(findings)")
    }
  }

  @Test func `a deleted branch whose text waits is sound, shows none of it, and is blanked`() async throws {
    try await withGrown { tree, store, driver in
      let own = try await tree.messages(1)[2...].map(\.id)
      // As it is between the deletion and the blanking: branch 2 goes first, then 1 with its edited message.
      try await driver.write {
        try $0.script(
          """
          UPDATE pam_branches SET deleted = 1, erasing = 1, title = NULL, version = 16 WHERE number IN (1, 2);
          UPDATE pam_conversations SET branch_count = 2, message_count = 3, version = 16;
          """)
      }
      try await expectSound(store, driver)
      for id in own {
        #expect(await code { _ = try await tree.message(id) } == .gone)
        #expect(await code { _ = try await tree.revisions(id) } == .gone)
        #expect(await tree.refusal(of: .revise(Revise(id, content: "x"))) == .gone)
      }
      for change in try await tree.changes(since: 0).changes {
        guard case .message(let message) = change.row, message.branch > 0 else { continue }
        #expect(message.status == .deleted && message.content == "")
      }
      let texts = "SELECT count(*) FROM pam_messages WHERE branch > 0 AND content <> ''"
      #expect(try await driver.read { try $0.count(texts) } == 4)
      let finishing = Task { await store.run() }
      defer { finishing.cancel() }
      while try await driver.read({ try $0.count("SELECT count(*) FROM pam_branches WHERE erasing = 1") }) != 0 {
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(try await driver.read { try $0.count(texts) } == 0)
      // What is left are the two earlier texts of the trunk.
      #expect(try await driver.read { try $0.count("SELECT count(*) FROM pam_revisions") } == 2)
      #expect(try await tree.now().version == 16)
      try await expectSound(store, driver)
    }
  }

  @Test func `a title is never taken from a deleted branch`() async throws {
    try await withDirectory { directory in
      let driver = try SQLiteDriver(path: directory + "/parley.sqlite")
      defer { driver.close() }
      let store = SQLStore(driver)
      try await store.migrate()
      let tree = try await OwnedTree(store)
      try await tree.fork(after: nil)
      try await tree.append(["secret"], on: 1)
      // As it is between the deletion and the blanking.
      try await driver.write {
        try $0.script(
          """
          UPDATE pam_branches SET deleted = 1, erasing = 1, version = 4 WHERE number = 1;
          UPDATE pam_conversations SET branch_count = 1, message_count = 0, version = 4;
          """)
      }
      try await expectSound(store, driver)
      _ = try await tree.apply(.update(UpdateConversation(tree.id, title: .automatic)))
      #expect(try await tree.now().title == nil)
    }
  }

  @Test func `an erased tree leaves no row`() async throws {
    try await withGrown { tree, store, driver in
      let erasure = try #require(try await tree.apply(.erase(tree.id)).erasure)
      #expect(erasure == Erasure(isComplete: true, conversations: 1, branches: 5, messages: 10, revisions: 3))
      for table in ["conversations", "branches", "messages", "revisions", "drafts"] {
        #expect(try await driver.read { try $0.count("SELECT count(*) FROM pam_\(table)") } == 0, "\(table)")
      }
      try await expectSound(store, driver)
    }
  }
}
