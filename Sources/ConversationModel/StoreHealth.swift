/// What a store knows about itself.
public struct StoreHealth: Hashable, Sendable {
  /// Nil while commands are accepted; else the reason, safe to show.
  public var refusal: String?
  /// What needs a person although commands are accepted, in whole sentences, safe to show.
  public var warnings: [String]
  /// The engine and its version, such as `SQLite 3.40.1`.
  public var engine: String
  /// Commands that wait for the writer now.
  public var queuedCommands: Int
  /// Milliseconds for which the oldest of them has waited.
  public var oldestQueuedMilliseconds: Int
  /// Commands answered with a receipt since the start.
  public var commands: Int
  /// Commits, each one sync, since the start.
  public var commits: Int
  /// Microseconds of the latest commits, their syncs included; a few hundred of them.
  public var commit: Latency
  /// Commands in each of them, on the average.
  public var batchCommands: Double
  /// Bytes of the database.
  public var bytes: Int
  /// Bytes of the write-ahead log that are in use, 0 where there is none.
  public var walBytes: Int
  /// Milliseconds since the log was last taken over into the database; nil if that was not yet needed.
  public var checkpointMilliseconds: Int?
  /// Bytes left on its disk; nil where that is not known.
  public var freeBytes: Int?
  /// Connections that read.
  public var readers: Int
  /// The last time that the store wrote something and read it back; nil before the first.
  public var canary: Canary?
  /// Nil for a store without one.
  public var spool: SpoolHealth?

  public init(
    refusal: String? = nil, warnings: [String] = [], engine: String = "", queuedCommands: Int = 0,
    oldestQueuedMilliseconds: Int = 0, commands: Int = 0, commits: Int = 0, commit: Latency = Latency(),
    batchCommands: Double = 0, bytes: Int = 0, walBytes: Int = 0, checkpointMilliseconds: Int? = nil,
    freeBytes: Int? = nil, readers: Int = 0, canary: Canary? = nil,
    spool: SpoolHealth? = nil
  ) {
    self.refusal = refusal
    self.warnings = warnings
    self.engine = engine
    self.queuedCommands = queuedCommands
    self.oldestQueuedMilliseconds = oldestQueuedMilliseconds
    self.commands = commands
    self.commits = commits
    self.commit = commit
    self.batchCommands = batchCommands
    self.bytes = bytes
    self.walBytes = walBytes
    self.checkpointMilliseconds = checkpointMilliseconds
    self.freeBytes = freeBytes
    self.readers = readers
    self.canary = canary
    self.spool = spool
  }
}

/// Whether a store keeps what it is told, tried out: something is written, and read back as others would.
public struct Canary: Hashable, Sendable {
  /// When it was tried.
  public var time: Timestamp
  /// From the writing to the end of the reading; nil if it was not read back.
  public var microseconds: Int?
  /// Why not, in a whole sentence, safe to show.
  public var failure: String?
  /// Since the start.
  public var failures: Int

  public init(time: Timestamp, microseconds: Int?, failure: String? = nil, failures: Int = 0) {
    self.time = time
    self.microseconds = microseconds
    self.failure = failure
    self.failures = failures
  }
}

/// How long things of one kind took, in microseconds.
public struct Latency: Hashable, Sendable {
  public var count: Int
  public var p50: Int
  public var p95: Int
  public var p99: Int
  public var max: Int

  public init(count: Int = 0, p50: Int = 0, p95: Int = 0, p99: Int = 0, max: Int = 0) {
    self.count = count
    self.p50 = p50
    self.p95 = p95
    self.p99 = p99
    self.max = max
  }
}

/// What a store holds, counted.
public struct StoreStatistics: Hashable, Sendable {
  public var countedAt: Timestamp
  public var conversations: Int
  /// Not deleted, on all branches.
  public var messages: Int
  /// Of the longest conversation.
  public var largestMessages: Int
  /// When the oldest conversation was made; nil if there is none.
  public var oldestConversation: Timestamp?

  public init(
    countedAt: Timestamp, conversations: Int, messages: Int, largestMessages: Int, oldestConversation: Timestamp?
  ) {
    self.countedAt = countedAt
    self.conversations = conversations
    self.messages = messages
    self.largestMessages = largestMessages
    self.oldestConversation = oldestConversation
  }

  /// Messages per conversation; nil if there is none.
  public var averageMessages: Double? {
    conversations == 0 ? nil : Double(messages) / Double(conversations)
  }
}

/// What the queue for a store that is down knows about itself.
public struct SpoolHealth: Hashable, Sendable {
  /// Nil while it accepts messages; else the reason, safe to show.
  public var refusal: String?
  /// Records that wait for the store.
  public var waiting: Int
  /// When the oldest of them was taken.
  public var oldest: Timestamp?
  /// Records that can never be applied.
  public var deadLetters: Int
  /// Records handed to the store since the start.
  public var drained: Int
  public var bytes: Int

  public init(
    refusal: String? = nil, waiting: Int = 0, oldest: Timestamp? = nil, deadLetters: Int = 0, drained: Int = 0,
    bytes: Int = 0
  ) {
    self.refusal = refusal
    self.waiting = waiting
    self.oldest = oldest
    self.deadLetters = deadLetters
    self.drained = drained
    self.bytes = bytes
  }
}

extension Latency {
  /// Of measured times, in any order.
  public init(_ microseconds: some Collection<Int>) {
    let sorted = microseconds.sorted()
    func percentile(_ share: Double) -> Int {
      sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    }
    self.init(
      count: sorted.count, p50: percentile(0.5), p95: percentile(0.95), p99: percentile(0.99), max: sorted.last ?? 0)
  }
}
