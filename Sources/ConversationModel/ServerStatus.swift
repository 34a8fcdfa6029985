/// What a server knows about itself and its store, at one moment.
public struct ServerStatus: Hashable, Sendable {
  public var version: String
  public var time: Timestamp
  public var startedAt: Timestamp
  /// Whether appends are accepted, and everything that keeps the state from being `ok`.
  public var state: State
  public var store: StoreHealth
  /// As last counted; nil before the first time.
  public var statistics: StoreStatistics?
  public var latencies: Latencies
  /// Over the last ten seconds.
  public var rates: Rates
  public var counts: Counts
  /// Of the last sixty seconds, oldest first.
  public var history: [Second]

  public init(
    version: String, time: Timestamp, startedAt: Timestamp, state: State, store: StoreHealth,
    statistics: StoreStatistics?, latencies: Latencies, rates: Rates, counts: Counts, history: [Second]
  ) {
    self.version = version
    self.time = time
    self.startedAt = startedAt
    self.state = state
    self.store = store
    self.statistics = statistics
    self.latencies = latencies
    self.rates = rates
    self.counts = counts
    self.history = history
  }

  /// Whether a server takes messages.
  public struct State: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
      case ok
      /// Messages are taken, and are safe; something needs a person.
      case degraded
      case unavailable
    }

    public var kind: Kind
    /// Whole sentences, safe to show.
    public var reasons: [String]

    public init(_ kind: Kind, reasons: [String] = []) {
      self.kind = kind
      self.reasons = reasons
    }
  }

  /// Over the last minute.
  public struct Latencies: Hashable, Sendable {
    /// From a command's arrival at the store to its acknowledgement.
    public var save: Latency
    /// One page of messages.
    public var load: Latency
    /// Every other read of the store.
    public var query: Latency
    /// A call of one of the former system's functions, from the request to its answer.
    public var rpc: Latency

    public init(save: Latency, load: Latency, query: Latency, rpc: Latency) {
      self.save = save
      self.load = load
      self.query = query
      self.rpc = rpc
    }
  }

  /// A second.
  public struct Rates: Hashable, Sendable {
    public var saves: Double
    public var reads: Double
    public var requests: Double

    public init(saves: Double, reads: Double, requests: Double) {
      self.saves = saves
      self.reads = reads
      self.requests = requests
    }
  }

  /// Those of now, and since the start.
  public struct Counts: Hashable, Sendable {
    public var liveSessions: Int
    public var stalledSessions: Int
    /// WebSockets that are attached to a conversation.
    public var connections: Int
    /// Commands acknowledged as stored, since the start.
    public var saved: Int
    /// Commands acknowledged by the spool, since the start.
    public var spooled: Int
    /// Commands that the store could not take, since the start. A refused one, which was wrong, is no failure.
    public var failed: Int
    public var requests: Int
    /// Answered with 5xx, since the start.
    public var errors: Int
    /// Attachments since the start, and those of them that named the version they knew.
    public var attaches: Int
    public var resumes: Int
    /// Pages of messages since the start.
    public var historyLoads: Int
    /// Connections closed because they did not take what was sent to them.
    public var slowConsumers: Int

    public init(
      liveSessions: Int = 0, stalledSessions: Int = 0, connections: Int = 0, saved: Int = 0, spooled: Int = 0,
      failed: Int = 0, requests: Int = 0, errors: Int = 0, attaches: Int = 0, resumes: Int = 0, historyLoads: Int = 0,
      slowConsumers: Int = 0
    ) {
      self.liveSessions = liveSessions
      self.stalledSessions = stalledSessions
      self.connections = connections
      self.saved = saved
      self.spooled = spooled
      self.failed = failed
      self.requests = requests
      self.errors = errors
      self.attaches = attaches
      self.resumes = resumes
      self.historyLoads = historyLoads
      self.slowConsumers = slowConsumers
    }

    /// Of all commands that were right; nil before the first.
    public var savedShare: Double? { share(saved + spooled) }
    /// Of all commands that were right, those that went to the spool; nil before the first.
    public var spooledShare: Double? { share(spooled) }

    private func share(_ part: Int) -> Double? {
      let all = saved + spooled + failed
      return all == 0 ? nil : Double(part) / Double(all)
    }
  }

  /// One second of work.
  public struct Second: Hashable, Sendable {
    public var saves: Int
    public var reads: Int
    /// The slowest save, in microseconds.
    public var slowestSave: Int

    public init(saves: Int = 0, reads: Int = 0, slowestSave: Int = 0) {
      self.saves = saves
      self.reads = reads
      self.slowestSave = slowestSave
    }
  }

  /// What the former system was meant to keep to, and what is measured here.
  public struct Target: Hashable, Sendable {
    public enum Unit: String, Hashable, Sendable {
      case milliseconds, percent, messages
    }

    public var name: String
    public var unit: Unit
    /// Nil for what was only watched.
    public var bound: Double?
    /// Whether the measured value is to be below the bound, or above it.
    public var isUpperBound: Bool
    /// Nil before anything was measured.
    public var measured: Double?

    public init(_ name: String, _ unit: Unit, bound: Double?, isUpperBound: Bool = true, measured: Double?) {
      self.name = name
      self.unit = unit
      self.bound = bound
      self.isUpperBound = isUpperBound
      self.measured = measured
    }

    /// Nil where there is nothing to keep to, or nothing measured.
    public var isMet: Bool? {
      guard let bound, let measured else { return nil }
      return isUpperBound ? measured < bound : measured > bound
    }
  }

  /// The former system's, in its order; the latencies are the 95th percentiles of the last minute.
  public var targets: [Target] {
    func milliseconds(_ latency: Latency) -> Double? {
      latency.count == 0 ? nil : Double(latency.p95) / 1_000
    }
    func percent(_ share: Double?) -> Double? { share.map { $0 * 100 } }
    return [
      Target("load", .milliseconds, bound: 100, measured: milliseconds(latencies.load)),
      Target("save", .milliseconds, bound: 50, measured: milliseconds(latencies.save)),
      Target("save success", .percent, bound: 99, isUpperBound: false, measured: percent(counts.savedShare)),
      Target("fallback", .percent, bound: 1, measured: percent(counts.spooledShare)),
      Target("messages per conversation", .messages, bound: nil, measured: statistics?.averageMessages),
      Target(
        "reconnections", .percent, bound: nil,
        measured: counts.attaches == 0 ? nil : Double(counts.resumes) / Double(counts.attaches) * 100),
    ]
  }
}
