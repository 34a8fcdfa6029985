import ConversationModel
import StoreSQL
import StoreSQLite
import Synchronization
import Testing

@testable import StoreSpool

/// A store in a directory with a spool around it, and the means to take the store away.
struct SpoolBench: Sendable {
  let directory: String
  let spool: SpoolStore
  /// What the spool writes through.
  let faults: FaultyDriver
  /// The same store, as another server would reach it: it never fails.
  let store: SQLStore<SQLiteDriver>

  var storePath: String { directory + "/parley.sqlite" }
  var spoolPath: String { directory + "/spool.sqlite" }

  /// The whole store, sound, and nothing left in the spool.
  func expectSound() async throws {
    try await settled()
    try await StoreTests.expectSound(store, faults.driver)
    #expect(try await findings() == [])
  }

  func findings() async throws -> [String] {
    let audit = try SpoolAudit(path: spoolPath)
    defer { audit.close() }
    return try await audit.run().findings.map(\.description)
  }

  /// Waits until the store is up and the spool is empty.
  func settled() async throws {
    try await eventually {
      await spool.health().spool?.waiting == 0 && spool.state.withLock { $0.backlog.isEmpty }
    }
  }

  func isDown() -> Bool { spool.state.withLock { $0.outage != nil } }

  /// Appends one message as its user.
  func say(
    _ text: String, in conversation: Conversation, client: String? = nil, parent: MessageID? = nil
  ) async throws -> Receipt {
    try await spool.apply(
      .append(
        Append(
          to: conversation.id, [NewMessage(role: .user, content: text, clientID: client)],
          parent: parent)),
      as: .user(conversation.userID))
  }

  /// What the store holds on the active path.
  func stored(_ conversation: Conversation) async throws -> [String] {
    try await store.page(conversation, limit: 200).messages.map(\.content)
  }
}

/// Runs with a spool around a new store; the spool looks after it if `isTended`.
func withSpool(
  rules: SpoolStore.Rules = .quick, isTended: Bool = true, in place: String? = nil,
  isOpened: Bool = true,
  _ body: (SpoolBench) async throws -> Void
) async throws {
  guard let directory = place else {
    return try await withDirectory {
      try await withSpool(rules: rules, isTended: isTended, in: $0, isOpened: isOpened, body)
    }
  }
  let driver = try SQLiteDriver(path: directory + "/parley.sqlite")
  defer { driver.close() }
  let store = SQLStore(driver)
  try await store.migrate()
  let faults = FaultyDriver(driver)
  let spool = try await SpoolStore(path: directory + "/spool.sqlite", rules: rules) { _ in
    try faults.check()
    return SpoolStore.Opened(store: SQLStore(faults))
  }
  defer { spool.close() }
  if isOpened { try await spool.openStore() }
  let bench = SpoolBench(directory: directory, spool: spool, faults: faults, store: store)
  try await withThrowingTaskGroup(of: Void.self) { group in
    if isTended { group.addTask { await spool.run() } }
    try await body(bench)
    group.cancelAll()
  }
}

extension SpoolStore.Rules {
  /// Looks at the store so often that a test need not wait.
  static let quick = SpoolStore.Rules(probe: .milliseconds(10))
  /// For a store that is to count as up.
  static let patient = SpoolStore.Rules(command: .seconds(120), probe: .milliseconds(10))
}

/// A SQLite driver that fails when it is told to: before a write, or after it was committed, so that its
/// outcome is unknown.
final class FaultyDriver: SQLDriver {
  enum Fault {
    case none, before, after
    /// One or the other, by chance.
    case either
    /// Neither writes nor reads.
    case all
  }

  let driver: SQLiteDriver
  private let fault = Mutex(Fault.none)

  init(_ driver: SQLiteDriver) {
    self.driver = driver
  }

  var dialect: SQLDialect { driver.dialect }

  func fail(_ fault: Fault) { self.fault.withLock { $0 = fault } }

  private static let failure = SQLFailure.unavailable(
    reason: "Taken away by a test.", detail: "injected")

  func check() throws {
    if case .all = fault.withLock({ $0 }) { throw Self.failure }
  }

  func read<Value: Sendable>(_ body: @escaping @Sendable (SQLiteConnection) throws -> Value)
    async throws -> Value
  {
    try check()
    return try await driver.read(body)
  }

  func write<Value: Sendable>(_ body: @escaping @Sendable (SQLiteConnection) throws -> Value)
    async throws -> Value
  {
    switch fault.withLock({ $0 }) {
    case .none: return try await driver.write(body)
    case .after: break
    case .either where Bool.random(): break
    case .before, .either, .all: throw Self.failure
    }
    _ = try await driver.write(body)
    throw Self.failure
  }

  func emptyLog() async throws -> Bool {
    guard case .none = fault.withLock({ $0 }) else { throw Self.failure }
    return try await driver.emptyLog()
  }

  func write<Value: Sendable>(
    inOrder bodies: [@Sendable (SQLiteConnection) throws -> Value]
  ) async -> [Result<Value, any Error>] {
    switch fault.withLock({ $0 }) {
    case .none: return await driver.write(inOrder: bodies)
    case .before, .all: return bodies.map { _ in .failure(Self.failure) }
    case .after:
      _ = await driver.write(inOrder: bodies)
      return bodies.map { _ in .failure(Self.failure) }
    case .either:
      // A part of them is done, and a part of those is known to be.
      let done = Int.random(in: 0...bodies.count)
      let results = await driver.write(inOrder: Array(bodies.prefix(done)))
      let told = Int.random(in: 0...done)
      return results.prefix(told) + bodies.dropFirst(told).map { _ in .failure(Self.failure) }
    }
  }

  func health() -> StoreHealth { driver.health() }

  func giveUp(olderThan age: Duration) { driver.giveUp(olderThan: age) }
}

/// Waits until something is true, for ten seconds at most.
func eventually(_ condition: () async throws -> Bool) async throws {
  for _ in 0..<2_000 {
    if try await condition() { return }
    try await Task.sleep(for: .milliseconds(5))
  }
  Issue.record("what was waited for did not happen")
}
