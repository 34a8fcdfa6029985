import ConversationModel
import Foundation
import StoreSQL
import StoreSQLite
import Testing

@testable import Interchange

/// Conversations out of one store and into another.
@Suite struct RoundTripTests {
  @Test(arguments: 1...6)
  func `what was exported, imported and exported again is the same file`(seed: UInt64) async throws {
    try await withStore { store in
      let user = UserID(high: 0x0190_0000_0000_7000 + seed, low: 1 << 63 | seed)
      var random = SeededNumbers(state: seed)
      var ids: Set<ConversationID> = []
      for _ in 1...3 { ids.insert(try await grow(store, user, &random)) }
      let count = ids.count
      let first = try await lines(of: user, in: store)
      try await withStore { other in
        let report = try await take(first, into: other, as: .user(user))
        #expect(report.skipped == [] && report.conversations == count)
        #expect(try await lines(of: user, in: other) == first)
        // Once more changes nothing.
        let again = try await take(first, into: other, as: .user(user))
        #expect(again.conversations == 0 && again.skippedCount == count)
        #expect(try await lines(of: user, in: other) == first)
        try await expectSound(other)
      }
    }
  }

  @Test(arguments: 1...3)
  func `one conversation as a document comes back as it was, also after it was erased`(seed: UInt64) async throws {
    try await withStore { store in
      let user = UserID(high: 0x0190_0000_0000_7000, low: 1 << 63 | seed)
      var random = SeededNumbers(state: seed * 77)
      let id = try await grow(store, user, &random)
      let first = try await document(of: id, in: store)
      _ = try await store.apply(.erase(id), as: .user(user))
      let report = try await take(first, into: store, as: .service)
      #expect(report.conversations == 1 && report.skipped == [])
      #expect(try await document(of: id, in: store) == first)
      try await expectSound(store)
    }
  }

  @Test func `another user's import of the same file gets ids of its own, the same ones each time`() async throws {
    try await withStore { store in
      let (user, other) = (
        UserID(high: 0x0190_0000_0000_7000, low: 1 << 63), UserID(high: 0x0190_0000_0000_7001, low: 1 << 63)
      )
      var random = SeededNumbers(state: 5)
      let id = try await grow(store, user, &random)
      let before = try await lines(of: user, in: store)
      let first = try await take(before, into: store, as: .user(other))
      let second = try await take(before, into: store, as: .user(other))
      #expect(first.conversations == 1 && first.messages > 0)
      #expect(second.conversations == 0 && second.skippedCount == 1)
      let theirs = try await store.conversations(ConversationFilter(), PageRequest(), as: .user(other)).items
      #expect(theirs.count == 1 && theirs[0].id != id)
      #expect(try await lines(of: user, in: store) == before)
      try await expectSound(store)
    }
  }

  @Test func `a session that is taken, and a second default conversation, get a name of their own`() async throws {
    try await withStore { store in
      let user = UserID(high: 0x0190_0000_0000_7000, low: 1 << 63)
      let phone = try await opened(store, user, .named("phone"))
      let standard = try await opened(store, user, .default)
      let file = try await lines(of: user, in: store)
      for id in [phone, standard] { _ = try await store.apply(.erase(id), as: .user(user)) }
      _ = try await opened(store, user, .named("phone"))
      _ = try await opened(store, user, .default)
      #expect(try await take(file, into: store, as: .user(user)).conversations == 2)
      for id in [phone, standard] {
        let conversation = try await store.conversation(.id(id), as: .user(user))
        #expect(conversation.sessionID == id.description && !conversation.isDefault)
      }
      try await expectSound(store)
    }
  }

  @Test func `half a conversation is not taken, and nobody has seen it`() async throws {
    try await withStore { store in
      let user = UserID(high: 0x0190_0000_0000_7000, low: 1 << 63)
      let id = try await opened(store, user, .named("phone"))
      for number in 1...5 { try await append(store, id, "message \(number)", user) }
      let file = String(decoding: try await lines(of: user, in: store), as: UTF8.self)
      _ = try await store.apply(.erase(id), as: .user(user))
      // The last message is gone, then one in the middle, then the conversation's own line is damaged.
      let rows = file.split(separator: "\n")
      let damaged = [
        rows.dropLast(), rows[..<4] + rows[5...],
        rows[..<1] + [rows[1].replacing("\"version\":6", with: "\"version\":0")] + rows[2...],
      ]
      for lines in damaged {
        let report = try await take(Array(lines.joined(separator: "\n").utf8), into: store, as: .user(user))
        #expect(report.conversations == 0 && report.skippedCount >= 1)
        #expect(try await store.conversations(ConversationFilter(), PageRequest(), as: .user(user)).items == [])
      }
      // As it was, it is taken.
      #expect(try await take(Array(file.utf8), into: store, as: .user(user)).messages == 5)
      try await expectSound(store)
    }
  }

  @Test func `one branch as a document is a tree of its own`() async throws {
    try await withStore { store in
      let user = UserID(high: 0x0190_0000_0000_7000, low: 1 << 63)
      var random = SeededNumbers(state: 11)
      let id = try await grow(store, user, &random)
      for branch in try await store.branches(of: id, as: .user(user)) {
        var page = try await store.messages(
          Path(.id(id), branch: branch.number), MessagePageRequest(limit: 200, .latest), as: .user(user))
        let file = try await document(of: id, branches: .path(branch.number), in: store)
        try await withStore { other in
          let report = try await take(file, into: other, as: .user(user))
          #expect(report.conversations == 1 && report.skipped == [], "branch \(branch.number)")
          let taken = try await other.messages(Path(.id(id)), MessagePageRequest(limit: 200, .latest), as: .user(user))
          page.forks = []
          #expect(taken.messages == page.messages && taken.branch == branch.number)
          try await expectSound(other)
        }
      }
    }
  }

  @Test func `what is being imported is removed by the next start if it did not end`() async throws {
    try await withDirectory { directory in
      let user = UserID(high: 0x0190_0000_0000_7000, low: 1 << 63)
      let path = directory + "/parley.sqlite"
      try await withStore(path) { store in
        let id = try await opened(store, user, .named("phone"))
        try await append(store, id, "kept elsewhere", user)
        let archive = try await store.archivedConversation(id, as: .user(user))
        _ = try await store.apply(.erase(id), as: .user(user))
        // Begun, and never ended.
        _ = try #require(try await store.beginRestoring(archive, as: .user(user)))
        #expect(try await store.conversations(ConversationFilter(), PageRequest(), as: .user(user)).items == [])
      }
      try await withStore(path) { store in
        try await withThrowingTaskGroup { group in
          group.addTask { await store.run() }
          while try await store.isHidingAnything() { try await Task.sleep(for: .milliseconds(20)) }
          group.cancelAll()
        }
        try await expectSound(store)
      }
    }
  }
}

// MARK: What the tests stand on

typealias TestStore = SQLStore<SQLiteDriver>

extension SeededNumbers {
  /// One of the numbers below `sides`.
  mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &self) }
}

/// A conversation with everything that can be in one: edits, branches, deleted messages and branches.
@discardableResult
func grow(_ store: TestStore, _ user: UserID, _ random: inout SeededNumbers) async throws -> ConversationID {
  let id = try await opened(store, user, random.roll(4) == 0 ? .default : .new)
  for step in 1...40 {
    let branches = try await store.branches(of: id, as: .user(user))
    let branch = branches[random.roll(branches.count)]
    let page = try await store.messages(
      Path(.id(id), branch: branch.number), MessagePageRequest(limit: 200, .latest), as: .user(user))
    let message = page.messages.isEmpty ? nil : page.messages[random.roll(page.messages.count)]
    var new = NewMessage(
      role: Message.Role.allCases[random.roll(4)], content: "Text \(step) 北京 مرحبا \u{1F600} \"quoted\" \\ \n line two",
      clientID: random.roll(2) == 0 ? "client \(step)" : nil, intent: random.roll(3) == 0 ? "plan_trip" : nil,
      confidence: Confidence(hundredths: random.roll(100)), entities: JSONText(canonical: "{\"city\":\"Oslo\"}"))
    do {
      switch (random.roll(10), message) {
      case (0, let message?):
        _ = try await store.apply(.revise(Revise(message.id, content: "Edited \(step)")), as: .user(user))
      case (1, let message?):
        _ = try await store.apply(.deleteMessage(DeleteMessage(message.id)), as: .user(user))
      case (2, let message?):
        new.role = message.role
        _ = try await store.apply(.makeBranch(.edit(id, message.id, by: new)), as: .user(user))
      case (3, _):
        _ = try await store.apply(
          .makeBranch(.fork(id, after: message?.id, title: "Fork \(step)", isActivated: random.roll(2) == 0)),
          as: .user(user))
      case (4, _) where branch.number != Branch.trunk:
        _ = try await store.apply(.deleteBranch(BranchKey(id, branch.number)), as: .user(user))
      case (5, _):
        _ = try await store.apply(.update(UpdateConversation(id, isPinned: random.roll(2) == 0)), as: .user(user))
      default:
        _ = try await store.apply(.append(Append(to: id, [new], branch: branch.number)), as: .user(user))
      }
    } catch {
      // What the dice asked for is not always allowed.
      guard [.conflict, .gone].contains(error.code) else { throw error }
    }
  }
  return id
}

func opened(_ store: TestStore, _ user: UserID, _ session: SessionKey) async throws -> ConversationID {
  let receipt = try await store.apply(.open(OpenConversation(user: user, session: session)), as: .user(user))
  return try #require(receipt.conversation).id
}

func append(_ store: TestStore, _ id: ConversationID, _ text: String, _ user: UserID) async throws {
  _ = try await store.apply(.append(Append(to: id, [NewMessage(role: .user, content: text)])), as: .user(user))
}

func lines(of user: UserID?, in store: TestStore) async throws -> [UInt8] {
  var bytes: [UInt8] = []
  try await UserExport(of: user, from: store, for: .service).write { bytes += $0 }
  return bytes
}

func document(
  of id: ConversationID, as format: ExportFormat = .json, branches: ExportedBranches? = nil, in store: TestStore
) async throws -> [UInt8] {
  var bytes: [UInt8] = []
  try await ConversationExport(of: id, as: format, branches: branches, from: store, for: .service).write { bytes += $0 }
  return bytes
}

func take(
  _ bytes: [UInt8], into store: TestStore, as principal: Principal, _ format: ImportFormat? = nil
) async throws -> ImportReport {
  try await withDirectory { directory in
    let path = directory + "/file"
    try Data(bytes).write(to: URL(filePath: path))
    let file = try ImportFile(descriptor: open(path, O_RDONLY))
    return try await Importer(into: store, of: nil, as: principal).take(file, as: format)
  }
}

func withStore(_ path: String? = nil, _ body: (TestStore) async throws -> Void) async throws {
  guard let path else {
    return try await withDirectory { directory in try await withStore(directory + "/parley.sqlite", body) }
  }
  let driver = try SQLiteDriver(path: path)
  defer { driver.close() }
  let store = SQLStore(driver)
  try await store.migrate()
  try await body(store)
}

func withDirectory<Result>(_ body: (String) async throws -> Result) async throws -> Result {
  let directory = NSTemporaryDirectory() + "parley-test-" + UUID().uuidString
  try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: directory) }
  return try await body(directory)
}

func expectSound(_ store: TestStore) async throws {
  var findings: [String] = []
  _ = try await store.audit { findings.append($0.description) }
  #expect(findings == [])
}

extension SQLStore {
  /// Whether rows are left of something that nobody sees.
  func isHidingAnything() async throws -> Bool {
    var findings = 0
    let counted = try await audit { _ in findings += 1 }
    return counted.conversations > 0 || findings > 0
  }
}
