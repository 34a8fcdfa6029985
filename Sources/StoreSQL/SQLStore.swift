public import ConversationModel
import Glibc
import Synchronization

/// The one implementation of `Store`: statements and rules over a small driver.
///
/// A command runs in one closure inside the driver's write transaction, a read in one snapshot.
/// `Append.swift`, `Answers.swift`, `Tree.swift`, `Conversations.swift`, `Pages.swift`, `Changes.swift`,
/// `Search.swift`, `Erase.swift`, `Archive.swift` and `Restore.swift` hold what they do there. `run` does what nobody asks for.
public struct SQLStore<Driver: SQLDriver>: Store {
  let driver: Driver
  let environment: StoreEnvironment
  let pendingErasures: ErasureQueue
  let restorations = Restorations()
  let purging = Turnstile()
  let commands = Counter()
  let canary = LastCanary()

  public init(_ driver: Driver, environment: StoreEnvironment = .system) {
    self.driver = driver
    self.environment = environment
    self.pendingErasures = ErasureQueue()
  }

  public func apply(_ command: Command, as principal: Principal) async throws(ConversationError) -> Receipt {
    try command.validate()
    let receipt: Receipt
    switch command {
    case .open(let open): receipt = try await apply(open, as: principal)
    case .erase(let id): receipt = try await erase(id, as: principal)
    case .eraseUser(let user): receipt = try await erase(user, as: principal)
    case .update(let update):
      receipt = try await write { connection in try self.update(update, as: principal, on: connection) }
    case .append(let append):
      receipt = try await write { connection in try self.append(append, as: principal, on: connection) }
    case .revise(let revise):
      receipt = try await write { connection in try self.revise(revise, as: principal, on: connection) }
    case .finish(let finish):
      receipt = try await write { connection in try self.finish(finish, as: principal, on: connection) }
    case .deleteMessage(let delete):
      receipt = try await write { connection in try self.delete(delete, as: principal, on: connection) }
    case .makeBranch(let make):
      receipt = try await write { connection in try self.makeBranch(make, as: principal, on: connection) }
    case .updateBranch(let update):
      receipt = try await write { connection in try self.update(update, as: principal, on: connection) }
    case .deleteBranch(let key): receipt = try await deleteBranch(key, as: principal)
    }
    commands.add()
    return receipt
  }

  public func statistics() async throws(ConversationError) -> StoreStatistics {
    let now = environment.now()
    return try await read { connection in
      let counted = try connection.first(Statements.statistics, []) { row in
        StoreStatistics(
          countedAt: now, conversations: try row.integer(0), messages: try row.integer(1),
          largestMessages: try row.integer(2), oldestConversation: try row.optional(3, row.time))
      }
      return counted
        ?? StoreStatistics(
          countedAt: now, conversations: 0, messages: 0, largestMessages: 0, oldestConversation: nil)
    }
  }

  /// Does what a store does by itself, until the task is cancelled. Run it beside everything else.
  public func run() async {
    await withDiscardingTaskGroup { group in
      group.addTask { await finishErasures() }
      group.addTask { await keepCanary() }
      group.addTask { await keepSearchTidy() }
    }
  }

  public func health() async -> StoreHealth {
    var health = driver.health()
    health.commands = commands.value
    health.canary = canary.value
    // A store that is down says so itself.
    if health.refusal == nil, let failure = health.canary?.failure { health.warnings.append(failure) }
    return health
  }

  // MARK: Where errors of all kinds become the one

  func read<Value: Sendable>(
    _ body: @escaping @Sendable (Driver.Connection) throws -> Value
  ) async throws(ConversationError) -> Value {
    do { return try await driver.read(body) } catch { throw Self.conversationError(error) }
  }

  func write<Value: Sendable>(
    _ body: @escaping @Sendable (Driver.Connection) throws -> Value
  ) async throws(ConversationError) -> Value {
    do { return try await driver.write(body) } catch { throw Self.conversationError(error) }
  }

  static func conversationError(_ error: any Error) -> ConversationError {
    switch error {
    case let error as ConversationError:
      error
    case is CancellationError:
      ConversationError(.unavailable, "The request was cancelled before it was made.", underlying: error)
    case SQLFailure.tooMuchWaits(let reason):
      ConversationError(.unavailable, reason, rule: .tooMuchWaits, underlying: error)
    case SQLFailure.unavailable(let reason, _):
      ConversationError(.unavailable, reason, underlying: error)
    case SQLFailure.malformed:
      ConversationError(.unavailable, "The file of the store is damaged.", underlying: error)
    default:
      ConversationError(.internal, "The store failed on this request; its log says how.", underlying: error)
    }
  }
}

/// What the store takes from outside: the time and randomness.
public struct StoreEnvironment: Sendable {
  public var now: @Sendable () -> Timestamp
  public var random: @Sendable () -> (UInt64, UInt64)

  public init(
    now: @escaping @Sendable () -> Timestamp, random: @escaping @Sendable () -> (UInt64, UInt64)
  ) {
    self.now = now
    self.random = random
  }

  public static let system = StoreEnvironment(
    now: {
      var time = timespec()
      clock_gettime(CLOCK_REALTIME, &time)
      return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    },
    random: {
      var generator = SystemRandomNumberGenerator()
      return (generator.next(), generator.next())
    })

  public func newID<Entity>(at time: Timestamp) -> Identifier<Entity> {
    Identifier(at: time, random: random())
  }

  /// Ids for the messages of an append.
  public func preset(for messages: Int, at time: Timestamp) -> Preset {
    Preset(messages: (0..<messages).map { _ in newID(at: time) }, time: time)
  }
}

/// A count that many tasks raise.
final class Counter: Sendable {
  private let count = Atomic(0)

  func add() { count.wrappingAdd(1, ordering: .relaxed) }
  var value: Int { count.load(ordering: .relaxed) }
}
