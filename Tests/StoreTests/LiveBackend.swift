import ConversationModel
import ConversationServer
import StoreSQL
import StoreSQLite
import Testing

/// A live source that the contract is tried on.
enum LiveBackend: String, CaseIterable, CustomTestStringConvertible {
  /// A server's own, inside the program.
  case inside
  /// Over the live door of a server.
  case remote

  var testDescription: String { rawValue }

  /// A server, what happens on it, and the store through which things happen.
  struct World: Sendable {
    let live: any LiveSource
    let store: any Store
    let server: LiveServer
    /// What is below the server: a change made there is heard by nobody.
    let below: SQLStore<SQLiteDriver>
  }

  /// Runs a test on a server of its own with an empty store, and proves afterwards that its trees are sound.
  func withWorld(_ test: (World) async throws -> Void) async throws {
    try await withSQLite { below in
      try await withServer(of: below) { server in try await test(try world(of: server, below)) }
    }
  }

  func world(of server: LiveServer, _ below: SQLStore<SQLiteDriver>) throws -> World {
    switch self {
    case .inside:
      let inside = try #require(server.inside)
      return World(live: inside.live, store: inside.store, server: server, below: below)
    case .remote:
      let store = try server.store()
      return World(live: store, store: store, server: server, below: below)
    }
  }
}

extension LiveBackend.World {
  /// Adds a message with the next version.
  @discardableResult
  func append(_ text: String, to conversation: Conversation) async throws -> Message {
    let append = Append(to: conversation.id, [NewMessage(role: .user, content: text)])
    return try #require(try await store.apply(.append(append), as: .user(conversation.userID)).messages.first)
  }

  func attach(_ conversation: Conversation, since: Version? = nil) async throws -> any LiveConnection {
    try await live.attach(
      Attach(.conversation(conversation.id), since: since), as: .user(conversation.userID))
  }
}

/// The first message among rows.
func firstMessage(of changes: [Changes.Change]) -> Message? {
  changes.lazy.compactMap { if case .message(let message) = $0.row { message } else { nil } }.first
}

func withSQLite(_ test: (SQLStore<SQLiteDriver>) async throws -> Void) async throws {
  try await withDirectory { directory in
    let driver = try SQLiteDriver(path: directory + "/parley.sqlite")
    defer { driver.close() }
    let store = SQLStore(driver)
    try await store.migrate()
    try await test(store)
    try await expectSound(store, driver)
  }
}

extension LiveConnection {
  /// The next changes; presences before them are passed over.
  ///
  /// - Throws: If something else comes, or nothing for ten seconds.
  func changes() async throws -> (version: Version, changes: [Changes.Change]) {
    while true {
      switch try await soon({ try await next() }) {
      case .changes(let version, let changes): return (version, changes)
      case .presence, .stored, .draft, .delta, .tool, .done: continue
      case .resync, nil: throw UnexpectedEvent()
      }
    }
  }

  /// The next presence that `holds` finds good.
  func presence(where holds: (Presence) -> Bool) async throws -> Presence {
    while true {
      if case .presence(let presence) = try await soon({ try await next() }), holds(presence) { return presence }
    }
  }

  /// Reads to the end: the versions that came, and why it ended; nil for a connection that this side closed.
  func rest() async -> (versions: [Version], error: ConversationError?) {
    var versions: [Version] = []
    do throws(ConversationError) {
      while let event = try await next() {
        if case .changes(let version, _) = event { versions.append(version) }
      }
      return (versions, nil)
    } catch {
      return (versions, error)
    }
  }
}

struct UnexpectedEvent: Error {}
struct NothingCame: Error {}

/// What `body` returns, unless it takes longer than ten seconds.
func soon<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
  try await withThrowingTaskGroup(of: Value.self) { group in
    defer { group.cancelAll() }
    group.addTask(operation: body)
    group.addTask {
      try await Task.sleep(for: .seconds(10))
      throw NothingCame()
    }
    return try #require(try await group.next())
  }
}
