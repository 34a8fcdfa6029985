public import ConversationModel
public import StoreSQL
import StoreSQLite
import Synchronization

/// A store around another that keeps what is said while the other is down, so that nothing acknowledged is
/// ever lost.
///
/// While the inner store answers, calls go straight to it, and what passes is remembered in memory. When it
/// does not, appends to a conversation that is known here and openings of sessions are written to the
/// spool, a small SQLite file, and acknowledged as `spooled` once they are synced there. `run` looks after
/// the inner store and, when it is back, hands it the records in their order, each under the id that was
/// acknowledged: handed over twice, it is stored once.
///
/// `Spooling.swift` holds what is taken while the store is down, `DegradedReads.swift` what is shown then,
/// `Draining.swift` how the spool is emptied.
public final class SpoolStore: Store {
  /// The inner store once it is open.
  public struct Opened: Sendable {
    public let store: any ReplayableStore
    /// What has to run beside it; ends when its task is cancelled.
    public let run: @Sendable () async -> Void
    public let close: @Sendable () -> Void

    public init(
      store: any ReplayableStore, run: @escaping @Sendable () async -> Void = {},
      close: @escaping @Sendable () -> Void = {}
    ) {
      self.store = store
      self.run = run
      self.close = close
    }
  }

  /// Bounds and rules, so that tests can reach the ones and break the others.
  struct Rules: Sendable {
    var records = Limits.spoolRecords
    var bytes = Limits.spoolBytes
    var command = Duration.milliseconds(Limits.commandMilliseconds)
    var probe = Duration.milliseconds(Limits.probeMilliseconds)
    /// Off, messages overtake those that wait in the spool: the control of the tests of order.
    var keepsOrder = true
  }

  struct State {
    var opened: Opened?
    /// Why commands are not handed to the inner store; nil while they are.
    var outage: String?
    /// Whether it does not even read.
    var isUnreadable = false
    var backlog: Backlog
    var aliases = Aliases()
    var deadLetters = 0
    var drained = 0
    /// Whether the file may hold records that nobody counts, because their commit seemed to fail.
    var isUnsure = false
    /// Whether the file did not let records be read or taken out, the last time.
    var isStuck = false
    var hasSeenStore = false
    /// Conversations that were erased: nothing more of them gets into the spool.
    var erased: Set<ConversationID> = []
    /// Erased conversations whose records could not be removed yet.
    var unpurged: Set<ConversationID> = []
    /// How often the store failed at a record although it was up, by sequence.
    var tries: [Int: Int] = [:]
    var listeners: [@Sendable (StoredMessage) -> Void] = []
    var isClosed = false
  }

  let file: SpoolFile
  let environment: StoreEnvironment
  let rules: Rules
  let state: Mutex<State>
  let known: Mutex<Known>
  /// Whoever writes down what is known, or takes it out of the file.
  let writingDown = Turnstile()
  private let open: @Sendable (_ mayCreate: Bool) async throws -> Opened
  /// Wakes whoever drains; one signal stands for any number of records.
  let drainSignals: AsyncStream<Void>
  private let drainSignal: AsyncStream<Void>.Continuation
  let openedStores: AsyncStream<Opened>
  private let openedStore: AsyncStream<Opened>.Continuation

  /// Opens the spool, made when missing; the inner store is left alone.
  ///
  /// - Parameters:
  ///   - path: The file of the spool; its directory exists. Better on another disk than the store.
  ///   - open: Opens the inner store, ready for commands. Called by `openStore` and, until it succeeds once, by
  ///     `run` every half second. It may make a missing store only if this spool has never seen one: else the
  ///     store is somewhere, and an empty one in its place would hide it.
  /// - Throws: `FileLock.Failure` if another process owns the spool, `SQLFailure` if it cannot be opened or is
  ///   damaged, `ConversationError` if it is no spool of this build.
  public convenience init(
    path: String, environment: StoreEnvironment = .system,
    open: @escaping @Sendable (_ mayCreate: Bool) async throws -> Opened
  ) async throws {
    try await self.init(path: path, environment: environment, rules: Rules(), open: open)
  }

  init(
    path: String, environment: StoreEnvironment = .system, rules: Rules,
    open: @escaping @Sendable (_ mayCreate: Bool) async throws -> Opened
  ) async throws {
    file = try await SpoolFile(path: path)
    self.environment = environment
    self.rules = rules
    self.open = open
    (drainSignals, drainSignal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    (openedStores, openedStore) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    let left: SpoolFile.Inheritance
    do { left = try await file.inheritance() } catch {
      file.driver.close()
      throw error
    }
    var state = State(backlog: Backlog(records: rules.records, bytes: rules.bytes))
    state.outage = "It was not opened yet."
    state.isUnreadable = true
    for alias in left.aliases { state.aliases.add(alias.fresh, for: alias.real) }
    // Records of one conversation may be kept under several names.
    state.backlog.found(left.counts.map { (state.aliases.resolve($0.id), $0.records, $0.bytes) }, oldest: left.oldest)
    state.deadLetters = left.deadLetters
    state.hasSeenStore = left.hasSeenStore
    var known = Known()
    for row in left.known { known.restore(row) }
    for record in left.opens where known[record.conversation]?.conversation == nil {
      if let conversation = record.freshConversation { known.note(conversation, isFresh: true) }
    }
    self.state = Mutex(state)
    self.known = Mutex(known)
  }

  /// Opens the inner store now, so that a healthy start is not a degraded one.
  ///
  /// - Throws: What the closure threw; the spool then takes what it can, and `run` tries again.
  public func openStore() async throws {
    let hasSeenStore = state.withLock { $0.hasSeenStore }
    let opened = try await open(!hasSeenStore)
    let isWanted = state.withLock { state in
      guard state.opened == nil, !state.isClosed else { return false }
      state.opened = opened
      (state.outage, state.isUnreadable, state.hasSeenStore) = (nil, false, true)
      return true
    }
    guard isWanted else { return opened.close() }
    // A spool that cannot note it takes nothing else, either.
    if !hasSeenStore { try? await file.noteStore() }
    openedStore.yield(opened)
    drain()
  }

  /// Whether the inner store was ever open behind this spool: then it must not be made again.
  public var hasSeenStore: Bool { state.withLock { $0.hasSeenStore } }

  /// Calls `listener` for every spooled message that has reached the store, in the order of its conversation.
  /// It must not wait.
  public func onStored(_ listener: @escaping @Sendable (StoredMessage) -> Void) {
    state.withLock { $0.listeners.append(listener) }
  }

  /// What an id stands for by now: itself, unless the store had the session already when the spool drained.
  public func resolved(_ id: ConversationID) -> ConversationID { state.withLock { $0.aliases.resolve(id) } }

  /// Closes the inner store and the spool. What is in the spool stays for the next start. Idempotent. Blocks.
  public func close() {
    let opened = state.withLock { state in
      state.isClosed = true
      state.outage = "The store is closing."
      state.isUnreadable = true
      defer { state.opened = nil }
      return state.opened
    }
    opened?.close()
    file.driver.close()
  }

  func drain() { drainSignal.yield() }

  // MARK: How the inner store is

  /// What became of a call that the inner store did not serve.
  func failed(_ error: ConversationError, writing: Bool) {
    state.withLock { state in
      if writing { state.outage = error.message } else { state.isUnreadable = true }
    }
  }

  /// It serves again.
  func recovered() {
    state.withLock { state in
      guard state.opened != nil else { return }
      (state.outage, state.isUnreadable) = (nil, false)
    }
    drain()
  }

  func down(_ reason: String) -> ConversationError {
    ConversationError(.unavailable, "The store is down: \(reason)")
  }

  public func statistics() async throws(ConversationError) -> StoreStatistics {
    try await reading { store throws(ConversationError) in try await store.statistics() }
  }

  public func health() async -> StoreHealth {
    let (opened, outage, isFull, isUnreadable, isStuck) = state.withLock { state in
      (state.opened, state.outage, state.backlog.isFull, state.isUnreadable, state.isStuck)
    }
    var health = await opened?.store.health() ?? StoreHealth()
    let spooled = file.driver.health()
    var spool = state.withLock { state in
      SpoolHealth(
        waiting: state.backlog.records, oldest: state.backlog.oldest, deadLetters: state.deadLetters,
        drained: state.drained, bytes: spooled.bytes + spooled.walBytes)
    }
    spool.refusal = spooled.refusal.map { "The spool: \($0)" } ?? (isFull ? "The spool is full." : nil)
    if let reason = outage ?? health.refusal {
      health.refusal = spool.refusal.map { "The store is down: \(reason) \($0)" }
      health.warnings.append("The store is down: \(reason) Messages go into the spool.")
    }
    if outage == nil, isUnreadable { health.warnings.append("The store does not read at the moment.") }
    if isStuck {
      health.warnings.append(
        "The spool does not let its records be read or taken out; parley check says what is damaged.")
    }
    if let refusal = spool.refusal { health.warnings.append(refusal) }
    if spool.deadLetters > 0 {
      health.warnings.append("Acknowledged records that the store can never take: \(spool.deadLetters).")
    }
    health.spool = spool
    return health
  }
}

extension ConversationError {
  /// Whether it speaks of the store and not of the call: not of a queue that is full for a moment, nor of a caller
  /// that went away.
  var isOutage: Bool {
    code == .unavailable && rule != .tooMuchWaits && !(underlying is CancellationError)
  }
}
