import ConversationModel
import Histogram
import Synchronization

/// Counts and times what the server does: since its start, and over the last minute.
final class Meters: Sendable {
  /// What is timed.
  enum Kind: Int, CaseIterable {
    case save, load, query, rpc
  }

  /// Times of one kind in microseconds, to two digits, which is what a person reads: twenty kilobytes.
  private typealias Times = Histogram<UInt32>

  /// What happened in ten seconds.
  private struct Slot {
    var number = 0
    var times = Kind.allCases.map { _ in
      Times(highestTrackableValue: Meters.longestMicroseconds, numberOfSignificantValueDigits: .two)
    }

    mutating func reset(_ number: Int) {
      self.number = number
      for index in times.indices { times[index].reset() }
    }
  }

  /// All calls of one kind since the start, as Prometheus counts them.
  struct Total {
    /// Upper bounds of the buckets in microseconds; beyond the last there is one more.
    static let bounds = [
      500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
      10_000_000,
    ]

    /// Calls in each bucket that are in none before it.
    var buckets = [Int](repeating: 0, count: bounds.count + 1)
    var microseconds = 0

    mutating func note(_ microseconds: Int) {
      buckets[Self.bounds.firstIndex { microseconds <= $0 } ?? Self.bounds.count] += 1
      self.microseconds += microseconds
    }
  }

  private struct State {
    var slots = (0..<Meters.slots).map { _ in Slot() }
    var seconds = [(number: Int, second: ServerStatus.Second, requests: Int)](
      repeating: (0, ServerStatus.Second(), 0), count: Meters.seconds)
    var counts = ServerStatus.Counts()
    var totals = Kind.allCases.map { _ in Total() }
    var statistics: StoreStatistics?
  }

  /// A call that takes longer counts as this long.
  private static let longestMicroseconds: UInt64 = 60_000_000
  private static let slotSeconds = 10
  private static let slots = 6
  private static let seconds = slotSeconds * slots

  private let start = ContinuousClock.now
  private let state = Mutex(State())

  // MARK: Calls of the store

  /// Times a command. One that was wrong counts as neither saved nor failed.
  func save(_ body: () async throws(ConversationError) -> Receipt) async throws(ConversationError) -> Receipt {
    let began = ContinuousClock.now
    do {
      let receipt = try await body()
      note(.save, since: began) { counts in
        if receipt.durability == .spooled { counts.spooled += 1 } else { counts.saved += 1 }
      }
      return receipt
    } catch {
      if error.code == .unavailable || error.code == .internal { note(.save, since: began) { $0.failed += 1 } }
      throw error
    }
  }

  /// Times a page of messages.
  func load<Value>(_ body: () async throws(ConversationError) -> Value) async throws(ConversationError) -> Value {
    let began = ContinuousClock.now
    let value = try await body()
    note(.load, since: began) { $0.historyLoads += 1 }
    return value
  }

  /// Times another read.
  func query<Value>(_ body: () async throws(ConversationError) -> Value) async throws(ConversationError) -> Value {
    let began = ContinuousClock.now
    let value = try await body()
    note(.query, since: began) { _ in }
    return value
  }

  // MARK: The rest

  /// A request was answered.
  func answered(status: Int, isRPC: Bool, since began: ContinuousClock.Instant) {
    note(isRPC ? .rpc : nil, since: began) { counts in
      counts.requests += 1
      if status >= 500 { counts.errors += 1 }
    }
  }

  func attached(resuming: Bool) {
    state.withLock { state in
      state.counts.attaches += 1
      if resuming { state.counts.resumes += 1 }
    }
  }

  func closedSlowConsumer() { state.withLock { $0.counts.slowConsumers += 1 } }

  func counted(_ statistics: StoreStatistics) { state.withLock { $0.statistics = statistics } }

  /// - Parameter kind: Nil for what is counted and not timed: a request.
  private func note(
    _ kind: Kind?, since began: ContinuousClock.Instant, _ count: (inout ServerStatus.Counts) -> Void
  ) {
    let now = ContinuousClock.now
    let second = Self.second(now - start)
    let microseconds = Int((now - began) / .microseconds(1))
    state.withLock { state in
      count(&state.counts)
      let at = second % Self.seconds
      if state.seconds[at].number != second { state.seconds[at] = (second, ServerStatus.Second(), 0) }
      switch kind {
      case .save:
        state.seconds[at].second.saves += 1
        state.seconds[at].second.slowestSave = max(state.seconds[at].second.slowestSave, microseconds)
      case .load, .query: state.seconds[at].second.reads += 1
      case .rpc, nil: state.seconds[at].requests += 1
      }
      guard let kind else { return }
      state.totals[kind.rawValue].note(microseconds)
      let slot = second / Self.slotSeconds
      if state.slots[slot % Self.slots].number != slot { state.slots[slot % Self.slots].reset(slot) }
      state.slots[slot % Self.slots].times[kind.rawValue]
        .record(min(UInt64(max(0, microseconds)), Self.longestMicroseconds))
    }
  }

  /// From 1, so that no slot that was never used looks like the present one.
  private static func second(_ time: Duration) -> Int { Int(time.components.seconds) + slotSeconds }

  // MARK: Reading

  func total(_ kind: Kind) -> Total { state.withLock { $0.totals[kind.rawValue] } }

  /// Everything that is measured; `counts` without those of now, which the hub knows.
  struct Reading {
    var latencies: ServerStatus.Latencies
    var rates: ServerStatus.Rates
    var counts: ServerStatus.Counts
    var history: [ServerStatus.Second]
    var statistics: StoreStatistics?
  }

  func reading() -> Reading {
    let now = Self.second(.now - start)
    return state.withLock { state in
      func latency(_ kind: Kind) -> Latency {
        let oldest = now / Self.slotSeconds - Self.slots
        let slots = state.slots.filter { $0.number > oldest && $0.times[kind.rawValue].totalCount > 0 }
        guard var times = slots.first?.times[kind.rawValue] else { return Latency() }
        for slot in slots.dropFirst() { times.add(slot.times[kind.rawValue]) }
        return Latency(
          count: Int(times.totalCount), p50: Int(times.valueAtPercentile(50)), p95: Int(times.valueAtPercentile(95)),
          p99: Int(times.valueAtPercentile(99)), max: Int(times.max))
      }
      // The second that runs is not whole yet.
      let history = (now - Self.seconds..<now).map { number in
        number >= 0 && state.seconds[number % Self.seconds].number == number
          ? state.seconds[number % Self.seconds] : (number, ServerStatus.Second(), 0)
      }
      let latest = history.suffix(Self.slotSeconds)
      func rate(_ sum: Int) -> Double { Double(sum) / Double(Self.slotSeconds) }
      return Reading(
        latencies: ServerStatus.Latencies(
          save: latency(.save), load: latency(.load), query: latency(.query), rpc: latency(.rpc)),
        rates: ServerStatus.Rates(
          saves: rate(latest.reduce(0) { $0 + $1.second.saves }),
          reads: rate(latest.reduce(0) { $0 + $1.second.reads }),
          requests: rate(latest.reduce(0) { $0 + $1.requests })),
        counts: state.counts, history: history.map(\.second), statistics: state.statistics)
    }
  }
}
