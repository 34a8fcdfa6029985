import ConversationModel
import Glibc
import StoreSQL
import Synchronization

/// The one connection that writes and checkpoints, on a thread of its own.
///
/// Bodies that wait together commit together: one transaction and one sync, with a savepoint for each
/// body, so that one that fails undoes only itself. What bodies leave for the end is written once for all of them.
/// Nobody is answered before the commit is synced,
/// the refused ones neither: what they were refused for must be true afterwards.
///
/// After a commit or an I/O operation failed, the kernel may have dropped pages that it reported as
/// written. The file is then closed, opened and checkpointed before anything else is acknowledged.
final class SQLiteWriter: Sendable {
  /// A body that waits. `run` keeps its outcome; `answer` gives it to the waiting task, or the error.
  struct Job: Sendable {
    /// When it was handed in.
    let since = SQLiteWriter.monotonicMicroseconds()
    let run: @Sendable (SQLiteConnection) -> Outcome
    let refuse: @Sendable (SQLFailure) -> Void
  }

  /// What a body did, before anyone is told.
  struct Outcome {
    /// Nil if the body succeeded.
    let error: (any Error)?
    let answer: @Sendable () -> Void
  }

  private struct Counters {
    var refusal: String?
    var commits = 0
    var lastCommitMicroseconds = 0
    /// Microseconds and jobs of the latest commits, in a ring.
    var latest: [(microseconds: Int, jobs: Int)] = []
    var logPages = 0
    /// The jobs that are being committed.
    var committing: [Job] = []
    /// When the log was last taken over into the database.
    var checkpointAt: Int?
  }

  /// Commits whose times are kept: the last second of a busy server, minutes of a quiet one.
  private static let keptCommits = 512

  private let queue: WorkQueue<Job>
  private let counters = Mutex(Counters())
  /// When readers may be waited for again.
  private let nextTruncation = Mutex(0)
  private let wantsEmptyLog = Atomic(false)
  /// How often the log was emptied.
  private let emptied = Atomic(0)

  private let upkeep: SQLStatement

  /// - Parameter upkeep: Runs behind late rows, see `SQLDialect`.
  init(capacity: Int, upkeep: SQLStatement) {
    queue = WorkQueue(capacity: capacity)
    self.upkeep = upkeep
  }

  // MARK: Called from any task

  /// Hands a body in; `refuse` is called at once when the queue is full or closed.
  func submit(_ job: Job) {
    switch queue.push(job) {
    case nil: return
    case .full:
      job.refuse(.tooMuchWaits(reason: "Too many changes wait for the store; try again."))
    case .closed:
      job.refuse(.unavailable(reason: "The store is closing.", detail: "queue is closed"))
    }
  }

  /// Takes no more; `run` returns when what is queued is done.
  func close() { queue.close() }

  /// Refuses jobs that have waited for longer. They run all the same, and nobody hears of it.
  func giveUp(olderThanMicroseconds age: Int) {
    let end = Self.monotonicMicroseconds() - age
    let committing = counters.withLock { $0.committing }
    guard committing.first?.since ?? .max < end || queue.first?.since ?? .max < end else { return }
    let failure = SQLFailure.unavailable(
      reason: "The store is too slow; the outcome is unknown.", detail: "given up after \(age) microseconds")
    for job in committing + queue.all where job.since < end { job.refuse(failure) }
  }

  /// Takes the log over into the database and empties it behind the next batch.
  func emptyLog() { wantsEmptyLog.store(true, ordering: .relaxed) }

  var timesEmptied: Int { emptied.load(ordering: .acquiring) }

  func health() -> StoreHealth {
    let counters = counters.withLock { $0 }
    let now = Self.monotonicMicroseconds()
    let oldest = [counters.committing.first?.since, queue.first?.since].compactMap { $0 }.min()
    let jobs = counters.latest.reduce(0) { $0 + $1.jobs }
    return StoreHealth(
      refusal: counters.refusal, queuedCommands: queue.count,
      oldestQueuedMilliseconds: oldest.map { max(0, now - $0) / 1_000 } ?? 0, commits: counters.commits,
      commit: Latency(counters.latest.map(\.microseconds)),
      batchCommands: counters.latest.isEmpty ? 0 : Double(jobs) / Double(counters.latest.count),
      walBytes: counters.logPages * Self.pageBytes,
      checkpointMilliseconds: counters.checkpointAt.map { (now - $0) / 1_000 })
  }

  // MARK: The thread

  /// How the file is opened again after a failure; the first connection comes from outside, so that
  /// opening a store fails in the one who asked for it.
  struct Reopening: Sendable {
    let open: @Sendable () throws -> SQLiteConnection
    /// Closes every reader: the log is recovered only when nobody has the file open any more.
    let closeReaders: @Sendable () -> Void
    let openReaders: @Sendable () -> Void
  }

  /// A page and its header in the log.
  private static let pageBytes = 4096 + 24
  /// A commit that took longer was held up by its sync.
  private static let slowCommitMicroseconds = 3_000
  /// The longest that a commit is held back for company.
  private static let lingerMicroseconds = 5_000
  /// How often a broken file is tried again while nobody asks.
  private static let retryMicroseconds = 500_000
  /// Pages in the log after which a checkpoint is tried: 16 MiB, a few syncs for thousands of saves.
  private static let checkpointPages = 4_000
  /// Pages after which readers are waited for, so that the log cannot grow without end.
  private static let truncatePages = 16_000
  /// Microseconds between two attempts to cut the log behind a reader that does not end.
  private static let truncationPause = 5_000_000

  /// Works until the queue is closed and empty. Owns the connection from here on.
  func run(_ connection: consuming sending SQLiteConnection, limit: Int, reopening: Reopening) {
    var current: SQLiteConnection? = connection
    var broken: (error: any Error, retryAt: Int)?
    var lastBatches = (1, 1)
    while let jobs = nextBatch(
      limit: limit, expecting: min(lastBatches.0 + lastBatches.1, limit), isHealthy: current != nil)
    {
      // A broken file is not tried for every batch: reads would have to wait each time.
      if current == nil, let broken, Self.monotonicMicroseconds() < broken.retryAt {
        refuse(jobs, broken.error)
        continue
      }
      do {
        let ready = try current ?? reopen(reopening)
        current = ready
        broken = nil
        if !jobs.isEmpty {
          lastBatches = (lastBatches.1, jobs.count)
          try commit(jobs, on: ready)
        }
        try checkpoint(ready)
      } catch {
        note(error)
        // `commit` answers its jobs whether it throws or not; those of a failed reopening are left.
        if current == nil { refuse(jobs, error) }
        current = nil
        broken = (error, Self.monotonicMicroseconds() + (broken == nil ? 0 : Self.retryMicroseconds))
      }
    }
    if let ready = current { _ = try? ready.checkpoint(truncating: true) }
    current = nil
  }

  /// The jobs that wait; empty when a broken file is to be tried again; nil at the end.
  private func nextBatch(limit: Int, expecting: Int, isHealthy: Bool) -> [Job]? {
    guard isHealthy else { return queue.batch(limit: limit, timeoutMicroseconds: Self.retryMicroseconds) }
    // The clients answered by one commit come back while the next one runs, so that two groups take
    // turns. While syncs are quick that keeps both the disk and the processors busy. When they are slow
    // the sync is what is scarce, and a short wait for both groups makes one sync of two.
    let commit = counters.withLock { $0.lastCommitMicroseconds }
    let linger = expecting > 2 && commit > Self.slowCommitMicroseconds ? min(commit / 2, Self.lingerMicroseconds) : 0
    return queue.batch(limit: limit, expecting: expecting, lingerMicroseconds: linger)
  }

  /// One transaction for all. Every job is answered before this returns or throws.
  private func commit(_ jobs: [Job], on connection: SQLiteConnection) throws {
    counters.withLock { $0.committing = jobs }
    defer { counters.withLock { $0.committing = [] } }
    var outcomes: [Outcome] = []
    outcomes.reserveCapacity(jobs.count)
    do {
      try connection.beginWriting()
      for job in jobs {
        try connection.openSavepoint()
        let outcome = job.run(connection)
        outcomes.append(outcome)
        // On I/O errors SQLite rolls everything back by itself, earlier bodies included.
        guard connection.isInTransaction else { throw outcome.error ?? Self.rolledBack }
        if outcome.error == nil { try connection.releaseSavepoint() } else { try connection.undoSavepoint() }
        if connection.lateBytes > Limits.lateBytes { try connection.writeLate(upkeep) }
      }
      try connection.writeLate(upkeep)
      let start = Self.monotonicMicroseconds()
      try connection.commit()
      let duration = Self.monotonicMicroseconds() - start
      // What goes into a file that nobody will find again is not stored.
      try connection.requireInPlace()
      counters.withLock { counters in
        if counters.latest.count < Self.keptCommits {
          counters.latest.append((duration, jobs.count))
        } else {
          counters.latest[counters.commits % Self.keptCommits] = (duration, jobs.count)
        }
        counters.commits += 1
        counters.lastCommitMicroseconds = duration
        counters.logPages = connection.logPages
      }
    } catch {
      connection.rollback()
      // Noted before anyone is told: who asks for the health next must find the reason there.
      note(error)
      refuse(jobs, error)
      throw error
    }
    for outcome in outcomes { outcome.answer() }
  }

  private func refuse(_ jobs: [Job], _ error: any Error) {
    let failure = error as? SQLFailure ?? Self.rolledBack
    for job in jobs { job.refuse(failure) }
  }

  private static let rolledBack = SQLFailure.unavailable(
    reason: "The store could not write; the outcome is unknown.", detail: "the transaction was rolled back")

  private func reopen(_ reopening: Reopening) throws -> SQLiteConnection {
    reopening.closeReaders()
    defer { reopening.openReaders() }
    let connection = try reopening.open()
    guard try connection.checkpoint(truncating: true) == 0 else { throw Self.rolledBack }
    try connection.probe()
    counters.withLock { $0.refusal = nil }
    return connection
  }

  /// A checkpoint syncs too, and a failure there counts like one in a commit.
  private func checkpoint(_ connection: SQLiteConnection) throws {
    let pages = connection.logPages
    let now = Self.monotonicMicroseconds()
    let isWanted = wantsEmptyLog.exchange(false, ordering: .relaxed)
    if isWanted || pages >= Self.truncatePages && now >= nextTruncation.withLock({ $0 }) {
      // Waits for readers, shortly. Behind a long one that is in vain, so it is not tried at once again.
      let left = try connection.checkpoint(truncating: true)
      if left == 0 {
        emptied.add(1, ordering: .releasing)
        counters.withLock { counters in
          counters.logPages = 0
          counters.checkpointAt = now
        }
      }
      nextTruncation.withLock { $0 = left == 0 ? 0 : now + Self.truncationPause }
    } else if pages >= Self.checkpointPages {
      if try connection.checkpoint(truncating: false) == 0 { counters.withLock { $0.checkpointAt = now } }
    }
  }

  private func note(_ error: any Error) {
    counters.withLock { counters in
      counters.refusal =
        switch error {
        case SQLFailure.unavailable(let reason, _): reason
        case SQLFailure.malformed: "The file of the store is damaged."
        default: "The store could not write."
        }
    }
  }

  static func monotonicMicroseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000 + time.tv_nsec / 1000
  }
}
