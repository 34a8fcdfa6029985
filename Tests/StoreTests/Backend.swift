import ConversationModel
import Foundation
import StoreSQL
import StoreSQLite
import Testing

/// A store that the contract is tried on.
enum Backend: String, CaseIterable, CustomTestStringConvertible {
  case sqlite
  /// A SQLite store behind a server, through its native door.
  case remote
  /// A SQLite store inside a spool.
  case spool

  var testDescription: String { rawValue }

  /// Runs a test on a new, empty store, and proves afterwards that its trees are sound.
  func withStore(_ test: (any Store) async throws -> Void) async throws {
    switch self {
    case .sqlite:
      try await withDirectory { directory in
        let driver = try SQLiteDriver(path: directory + "/parley.sqlite")
        defer { driver.close() }
        let store = SQLStore(driver)
        try await store.migrate()
        try await test(store)
        try await expectSound(store, driver)
      }
    case .remote:
      try await withDirectory { directory in
        let driver = try SQLiteDriver(path: directory + "/parley.sqlite")
        defer { driver.close() }
        let store = SQLStore(driver)
        try await store.migrate()
        try await withServer(of: store) { server in try await test(try server.store()) }
        try await expectSound(store, driver)
      }
    case .spool:
      // However busy the machine is, this store is up.
      try await withSpool(rules: .patient) { bench in
        try await test(bench.spool)
        try await bench.expectSound()
      }
    }
  }
}

func expectSound(_ store: SQLStore<SQLiteDriver>, _ driver: SQLiteDriver) async throws {
  var findings: [String] = []
  _ = try await store.audit { findings.append($0.description) }
  #expect(findings == [])
  #expect(try await driver.integrityFaults() == [])
}

/// Runs with a directory of its own, which is removed afterwards.
func withDirectory<Result>(_ body: (String) async throws -> Result) async throws -> Result {
  let directory = NSTemporaryDirectory() + "parley-test-" + UUID().uuidString
  try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: directory) }
  return try await body(directory)
}

func newUser() -> UserID {
  var random = SystemRandomNumberGenerator()
  return UserID(high: random.next(), low: random.next())
}

extension Store {
  /// Opens a conversation of a user's: the named session, or a new one.
  func opened(_ user: UserID, _ session: String? = nil) async throws -> Conversation {
    let key = session.map(SessionKey.named) ?? .new
    let receipt = try await apply(.open(OpenConversation(user: user, session: key)), as: .user(user))
    return try #require(receipt.conversation)
  }

  @discardableResult
  func appended(_ texts: [String], to conversation: Conversation) async throws -> [Message] {
    var messages: [Message] = []
    for start in stride(from: 0, to: texts.count, by: 100) {
      let chunk = texts[start..<min(start + 100, texts.count)].map { NewMessage(role: .user, content: $0) }
      messages += try await apply(
        .append(Append(to: conversation.id, chunk)), as: .user(conversation.userID)
      ).messages
    }
    return messages
  }

  func page(
    _ conversation: Conversation, _ part: MessagePageRequest.Part = .latest, limit: Int = 20
  ) async throws -> MessagePage {
    try await messages(
      Path(.id(conversation.id)), MessagePageRequest(limit: limit, part), as: .user(conversation.userID))
  }
}

/// The code of the error that `body` throws; nil if it throws none.
func code(_ body: () async throws -> Void) async -> ConversationError.Code? {
  do {
    try await body()
    return nil
  } catch {
    return (error as? ConversationError)?.code
  }
}
