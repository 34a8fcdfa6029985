import ConversationModel
import Foundation
import StoreSQLite
import Testing

@testable import StoreSQL

/// What stands in the index, and how it is kept.
@Suite struct SearchIndexTests {
  /// The words that the index holds of a text, without owner and conversation.
  private func words(_ text: String) -> [String] {
    var words: [String] = []
    SearchTerms(owner: UserID(high: 1, low: 2)).forEach(in: text, of: ConversationID(high: 3, low: 4)) { term in
      words.append(String(decoding: term.dropFirst(SearchTerms.ownerBytes), as: UTF8.self))
    }
    return Array(words.dropLast())
  }

  @Test(arguments: [
    ("Hello, World! 42 x_y don't", "hello world 42 x y don t"),
    ("Ångström ANGSTROM a\u{30A}ngstro\u{308}m", "angstrom angstrom angstrom"),
    ("Straße STRASSE ẞ", "strasse strasse ss"),
    ("Ærø ŒUVRE Łódź ĐÀ NẴNG", "aero oeuvre lodz da nang"),
    ("İstanbul ISTANBUL ıstanbul", "istanbul istanbul istanbul"),
    ("ΌΔΟΣ οδός", "οδοσ οδοσ"),
    ("Ёж ЙОД", "еж иод"),
    ("שָׁלוֹם מُحَمَّد", "שלום מحمد"),
    ("co\u{AD}operate zero\u{200D}width", "cooperate zerowidth"),
    ("Ｆｕｌｌ　ｗｉｄｔｈ ﬁne", "full width fine"),
    ("東京都", "東京 京都 都"),
    ("猫", "猫"),
    ("iPhone15で写真", "iphone15 で写 写真 真"),
    ("か\u{3099}き ハ\u{309A}ン", "がき き パン ン"),
    ("한국 \u{1112}\u{1161}\u{11AB}\u{1100}\u{116E}\u{11A8}", "한국 국 한국 국"),
    ("नमस्ते दुनिया", "नमस्ते दुनिया"),
    ("🎉🎉 👩\u{200D}👩\u{200D}👧 👍🏽 ❤\u{FE0F}", "🎉 🎉 👩 👩 👧 👍 ❤"),
    ("🇳🇴 a🎉b", "🇳🇴 🇴 a 🎉 b"),
    ("\" NEAR( * - OR col: ' ^ {} + \\ \u{E000} \u{1}", "near or col"),
    ("½ ² Ⅻ", "½ ² ⅻ"),
    ("... !!! \u{300}", ""),
  ])
  func `a text is taken apart`(text: String, expected: String) {
    // Compared by scalars: a composed and a decomposed letter are the same to `String`.
    let found = words(text).joined(separator: " ")
    #expect(Array(found.unicodeScalars) == Array(expected.unicodeScalars), "\(found)")
  }

  @Test func `a word has a bound, and a text without words has none`() {
    let long = String(repeating: "x", count: 10_000)
    #expect(words(long).map(\.utf8.count) == [SearchScanner.wordBytes])
    #expect(words(String(repeating: "д", count: 10_000)).map(\.utf8.count) == [SearchScanner.wordBytes])
    let terms = SearchTerms(owner: newUser())
    #expect(terms.document("", of: ConversationID(high: 1, low: 1)) == nil)
    #expect(terms.document("?! …", of: ConversationID(high: 1, low: 1)) == nil)
  }

  /// FTS5 must find in a document the words that it was given, no others.
  @Test func `no scalar becomes more than one word of the index, or syntax`() async throws {
    try await withStore { store, driver in
      try await driver.write { connection in
        let blocks = [UInt32(0)..<0x34, 0xA0..<0xB0, 0xF9..<0x112, 0x1F0..<0x1FB].flatMap { Array($0) }
        for block in blocks {
          let scalars = (block << 8..<(block + 1) << 8).compactMap { $0 == 0 ? nil : Unicode.Scalar($0) }
          let text = String(String.UnicodeScalarView(scalars.flatMap { [$0, " "] }))
          let terms = SearchTerms(owner: UserID(high: 7, low: 7))
          guard let document = terms.document(text, of: ConversationID(high: 1, low: 1)) else { continue }
          let start = Int(block)
          try connection.execute(SearchStatements.add, [.integer(start), .text(document)])
          // By bytes: some characters would swallow the space behind them.
          let expected = Set(document.utf8.split(separator: UInt8(ascii: " ")).map(Array.init))
          var stored: Set<[UInt8]> = []
          let statement = SQLStatement("SELECT term FROM pam_search_words WHERE doc = \(start)")
          try connection.forEachRow(statement, []) { stored.insert(Array(try $0.text(0).utf8)) }
          #expect(stored == expected, "block \(block)")
          try connection.execute(SearchStatements.remove, [.integer(start), .text(document)])
        }
      }
    }
  }

  // MARK: Upkeep

  private func withStore(_ body: (SQLStore<SQLiteDriver>, SQLiteDriver) async throws -> Void) async throws {
    try await withDirectory { directory in
      let driver = try SQLiteDriver(path: directory + "/parley.sqlite")
      defer { driver.close() }
      let store = SQLStore(driver)
      try await store.migrate()
      try await body(store, driver)
    }
  }

  private func found(_ text: String, _ store: some Store, _ user: UserID) async throws -> Int {
    try await store.search(SearchQuery(text), PageRequest(limit: 200), as: .user(user)).items.count
  }

  @Test func `a search reads the index and sorts nothing`() async throws {
    try await withStore { _, driver in
      for (statement, step) in [
        (SearchStatements.matches, "SCAN pam_search VIRTUAL TABLE INDEX 192:M1<"),
        (SearchStatements.texts, "SEARCH pam_messages USING INTEGER PRIMARY KEY (rowid<?)"),
      ] {
        let plan = try await driver.read { connection in
          try connection.all(
            SQLStatement("EXPLAIN QUERY PLAN " + statement.sql), Array(repeating: .null, count: 3)
          ) { try $0.text(3) }
        }
        #expect(plan == [step])
      }
    }
  }

  @Test func `what a refused command left for the end of the batch is dropped`() async throws {
    try await withStore { store, driver in
      let tree = try await OwnedTree(store, ["first"])
      let first = try await tree.messages()[0]
      try await tree.append(["second"])
      await withTaskGroup(of: Void.self) { group in
        for number in 0..<200 {
          group.addTask {
            _ = try? await tree.append(["kept \(number)"])
            // The words of one are left for the end before its second client id is refused.
            let twice = ["a", "first-\(number % 7)"].map { NewMessage(role: .user, content: "refused", clientID: $0) }
            _ = try? await tree.apply(.append(Append(to: tree.id, twice)))
            _ = try? await tree.append(["refused"], after: first.id, onConflict: .reject)
          }
        }
      }
      #expect(try await found("kept", store, tree.conversation.userID) == 200)
      try await expectSound(store, driver)
    }
  }

  @Test func `long texts are written in the middle of a batch`() async throws {
    try await withStore { store, driver in
      let conversation = try await store.opened(newUser())
      let text = (0..<28_000).map { "w\($0)" }.joined(separator: " ")
      await withTaskGroup(of: Void.self) { group in
        for number in 0..<8 {
          group.addTask { _ = try? await store.appended(["n\(number) " + text], to: conversation) }
        }
      }
      #expect(try await found("n3 w27999", store, conversation.userID) == 1)
      _ = try await store.apply(.erase(conversation.id), as: .user(conversation.userID))
      #expect(try await driver.read { try $0.count("SELECT count(*) FROM pam_search_words") } == 0)
      try await expectSound(store, driver)
    }
  }

  @Test func `a database of an earlier schema is indexed, also after an interruption`() async throws {
    try await withStore { store, driver in
      let conversation = try await store.opened(newUser())
      let count = 2 * Limits.indexRows + 300
      let messages = try await store.appended((1...count).map { "number \($0)" }, to: conversation)
      _ = try await store.apply(.deleteMessage(DeleteMessage(messages[4].id)), as: .user(conversation.userID))
      // As the schema before had it.
      try await driver.write {
        try $0.script(
          """
          DROP TABLE pam_search_words; DROP TABLE pam_search; DROP TABLE pam_search_state; PRAGMA user_version = 4;
          """)
      }
      #expect(try await store.migrationPlan().pending == 1)
      // The first chunk only: the process ends behind it.
      try await driver.write { connection in
        try connection.script(driver.dialect.migrations[4])
        try connection.script(driver.dialect.writeVersion(5))
      }
      #expect(try await driver.write { try store.indexStep(on: $0) })
      #expect(try await driver.read { try $0.count("SELECT indexed FROM pam_search_state") } == Limits.indexRows)
      #expect(try await found("number \(Limits.indexRows)", store, conversation.userID) == 1)
      #expect(try await found("number \(count)", store, conversation.userID) == 0)
      try await expectSound(store, driver)

      #expect(try await store.migrate().pending == 0)
      for number in [1, Limits.indexRows + 1, count] {
        #expect(try await found("number \(number)", store, conversation.userID) == 1)
      }
      #expect(try await driver.read { try $0.count("SELECT last FROM pam_search_state") } == 0)
      try await expectSound(store, driver)
    }
  }

  /// The control: without a purge they stay in the index.
  @Test(arguments: [true, false])
  func `deleted words leave every file when the index is purged`(isPurged: Bool) async throws {
    try await withDirectory { directory in
      let driver = try SQLiteDriver(path: directory + "/parley.sqlite")
      defer { driver.close() }
      let store = SQLStore(driver)
      try await store.migrate()
      let tree = try await OwnedTree(store, ["title"])
      let lost = try await store.opened(tree.conversation.userID)
      var doomed = try await store.appended(["title"], to: lost)
      var secrets: [String] = []
      for number in 0..<60 {
        doomed += try await store.appended(["doomed\(number)zz"], to: lost)
        let secret = "qzxsecret\(number)kw"
        secrets.append(secret)
        let message = try await tree.append(["keep\(number) \(secret)"]).messages[0]
        if number.isMultiple(of: 2) {
          try await tree.delete(message.id)
        } else {
          try await tree.revise(message.id, "x")
        }
      }
      for message in doomed { try await tree.delete(message.id) }
      func left() throws -> [String] {
        let files = try FileManager.default.contentsOfDirectory(atPath: directory)
          .map { try Data(contentsOf: URL(filePath: directory + "/" + $0), options: .mappedIfSafe) }
        let words = stride(from: 0, to: 60, by: 2).flatMap { [secrets[$0], "doomed\($0)zz"] }
        return words.filter { word in files.contains { $0.range(of: Data(word.utf8)) != nil } }
      }
      #expect(try await driver.emptyLog())
      #expect(try await driver.read { try $0.count("SELECT purge FROM pam_search_state") } == 1)
      if isPurged {
        #expect(try await store.purgeSearch())
        #expect(try await driver.read { try $0.count("SELECT purge FROM pam_search_state") } == 0)
      }
      #expect(try await driver.emptyLog())
      driver.close()
      #expect(try left().isEmpty == isPurged)
      let reader = try SQLiteDriver(path: directory + "/parley.sqlite", access: .reader)
      defer { reader.close() }
      try await expectSound(SQLStore(reader), reader)
    }
  }

  @Test func `an idle store purges and joins its index by itself`() async throws {
    try await withStore { store, driver in
      let tree = try await OwnedTree(store, (0..<40).map { "word\($0)" })
      for _ in 0..<40 { try await tree.append(["more words"]) }
      try await tree.delete(try await tree.messages()[3].id)
      let running = Task { await store.run() }
      defer { running.cancel() }
      try await eventually {
        try await driver.read { try $0.count("SELECT purge FROM pam_search_state") } == 0
      }
      try await expectSound(store, driver)
    }
  }

  // MARK: Audit

  private func searchFaults(_ store: SQLStore<SQLiteDriver>, _ driver: SQLiteDriver) async throws -> [String] {
    var faults = try await driver.integrityFaults().filter { $0.contains("pam_search") }
    _ = try await store.audit { if $0.part == .searchIndex { faults.append($0.description) } }
    return faults
  }

  /// Each but the first two leaves an index that FTS5 refuses to open.
  @Test(arguments: [
    "DELETE FROM pam_search_state", "DELETE FROM pam_search_idx", "DELETE FROM pam_search_data WHERE id = 10",
    "DELETE FROM pam_search_data WHERE id = 1",
    "UPDATE pam_search_data SET block = x'ffffffffffffffff' WHERE id = 10", "DELETE FROM pam_search_data",
    "DELETE FROM pam_search_config", "UPDATE pam_search_config SET v = 99 WHERE k = 'version'",
    "DROP TABLE pam_search_idx", "DROP TABLE pam_search_data", "DROP TABLE pam_search_config",
  ])
  func `an index that does not open is named, and written anew, also after an interruption`(damage: String) async throws
  {
    try await withDirectory { directory in
      let path = directory + "/parley.sqlite"
      let user = newUser()
      let count = Limits.indexRows + 20
      func withStore(_ body: (SQLStore<SQLiteDriver>, SQLiteDriver) async throws -> Void) async throws {
        let driver = try SQLiteDriver(path: path)
        defer { driver.close() }
        try await body(SQLStore(driver), driver)
      }
      try await withStore { store, driver in
        try await store.migrate()
        try await store.appended((1...count).map { "number \($0)" }, to: try await store.opened(user))
        try await driver.write { try $0.script(damage) }
      }
      try await withStore { store, driver in
        #expect(try await !searchFaults(store, driver).isEmpty)
        // The first chunk only: the process ends behind it.
        try await store.forgetSearch()
        #expect(try await driver.write { try store.indexStep(on: $0) })
      }
      try await withStore { store, driver in
        try await store.migrate()
        #expect(try await found("number \(count)", store, user) == 1)
        try await expectSound(store, driver)
        // Behind it the index is kept as before.
        try await store.appended(["afterwards"], to: try await store.opened(user))
        #expect(try await found("afterwards", store, user) == 1)
        try await driver.write { try $0.script(damage) }
      }
      try await withStore { store, driver in
        try await store.migrate(rebuildingSearch: true)
        try await expectSound(store, driver)
      }
    }
  }

  private static let damages: [(sql: String, fault: String)] = [
    ("DELETE FROM pam_search_data WHERE id > 1000", "is damaged"),
    ("INSERT INTO pam_search (pam_search) VALUES ('delete-all')", "position 2: is not in the search index"),
    (
      "INSERT INTO pam_search (rowid, words) VALUES (2, '$extra')", "position 2: the search index has other words of it"
    ),
    (
      "INSERT INTO pam_search (pam_search, rowid, words) VALUES ('delete', 2, '$beta')",
      "position 2: the search index has"
    ),
    ("INSERT INTO pam_search (rowid, words) VALUES (77, '$extra')", "has words of 1 messages that do not exist"),
    ("INSERT INTO pam_search (rowid, words) VALUES (2, 'aaaaaaaaaafoo')", "has words of a user without a conversation"),
    (
      "UPDATE pam_messages SET content = 'other' WHERE position = 2",
      "position 2: the search index has other words of it"
    ),
  ]

  @Test(arguments: damages.indices)
  func `damage to the search index is found and named`(index: Int) async throws {
    let damage = Self.damages[index]
    try await withStore { store, driver in
      let conversation = try await store.opened(newUser())
      try await store.appended(["alpha one", "beta two", "gamma three"], to: conversation)
      try await expectSound(store, driver)
      let owner = String(decoding: SearchTerms(owner: conversation.userID).owner, as: UTF8.self)
      let sql = damage.sql.replacing("$", with: owner)
      try await driver.write { try $0.script(sql) }
      var findings = try await driver.integrityFaults()
      _ = try await store.audit { findings.append($0.description) }
      #expect(findings.contains { $0.contains(damage.fault) }, "\(findings)")
      try await store.migrate(rebuildingSearch: true)
      #expect(try await searchFaults(store, driver) == [])
      #expect(try await found("gamma", store, conversation.userID) == 1)
    }
  }
}
