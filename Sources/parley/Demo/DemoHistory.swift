import ConversationModel
import StoreSQL
import StoreSQLite
import Synchronization

/// What was said before a demo begins, so that its first screens have something to show: trips of the last weeks from
/// end to end, and the beginnings of those that go on.
///
/// It goes through the store like everything else; only its clock is another one.
struct DemoHistory {
  private let travellers: [DemoTraveller]
  private let clock: HistoryClock
  private let seed: UInt64

  /// - Parameter now: When the history ends.
  init(of travellers: [DemoTraveller], seed: UInt64, now: Timestamp) {
    (self.travellers, self.seed) = (travellers, seed)
    clock = HistoryClock(now: now, random: DemoRandom(seed: seed))
  }

  /// How a session stands.
  struct Session: Sendable {
    let traveller: DemoTraveller
    /// Which of the traveller's trips it is.
    let trip: Int
    let plan: DemoTraveller.Plan
    let conversation: ConversationID
    /// The exchanges that are over.
    var exchanges = 0
    /// The last message of the branch that goes on.
    var head: MessageID?
  }

  /// Trips of each traveller that are over.
  private static let pastTrips = 2
  /// When the groups of them took place, oldest first.
  private static let hoursAgo = [463, 295, 152, 77, 26]

  /// Writes it into a store that is empty.
  ///
  /// - Returns: The sessions that go on.
  func write(to path: String) async throws -> [Session] {
    let random = Mutex(SystemRandomNumberGenerator())
    let driver = try OpenStore(path: path, access: .owner).driver
    defer { driver.close() }
    let store = SQLStore(
      driver,
      environment: StoreEnvironment(
        now: clock.now, random: { random.withLock { ($0.next(), $0.next()) } }))
    _ = try await store.migrate()

    let past = travellers.flatMap { traveller in (0..<Self.pastTrips).map { (traveller, $0) } }
    let groupSize = (past.count + Self.hoursAgo.count - 1) / Self.hoursAgo.count
    for (group, hours) in Self.hoursAgo.enumerated() {
      clock.set(secondsAgo: hours * 3_600)
      let members = past.dropFirst(group * groupSize).prefix(groupSize)
      _ = try await all(members) { try await tell(to: store, $0, trip: $1, exchanges: .max) }
    }
    let present = travellers.flatMap { traveller in
      (0..<traveller.sessions).map { (traveller, Self.pastTrips + $0) }
    }
    clock.set(secondsAgo: present.count * 120)
    return try await all(present) { try await tell(to: store, $0, trip: $1, exchanges: 1 + $1 % 2) }
  }

  /// Told at the same time, because what arrives together is stored together.
  private func all(
    _ sessions: some Collection<(DemoTraveller, Int)>,
    _ tell: @escaping @Sendable (DemoTraveller, Int) async throws -> Session
  ) async throws -> [Session] {
    try await withThrowingTaskGroup(of: Session.self) { group in
      for (traveller, trip) in sessions { group.addTask { try await tell(traveller, trip) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
  }

  private func tell(
    to store: some Store, _ traveller: DemoTraveller, trip: Int, exchanges: Int
  ) async throws -> Session {
    var random = DemoRandom(seed: seed ^ traveller.user.low, trip)
    let principal = Principal.user(traveller.user)
    let plan = traveller.plan(trip)
    guard let opened = try await store.apply(.open(traveller.opening(of: plan)), as: principal).conversation else {
      throw ConversationError(.internal, "The store opened no session.")
    }
    var session = Session(traveller: traveller, trip: trip, plan: plan, conversation: opened.id)
    /// Adds messages at the end of the branch that goes on.
    func say(_ messages: [NewMessage]) async throws -> [MessageID] {
      let receipt = try await store.apply(
        .append(Append(to: opened.id, messages, parent: session.head)), as: principal)
      session.head = receipt.messages.last?.id
      return receipt.messages.map(\.id)
    }
    for exchange in plan.trip.exchanges.prefix(exchanges) {
      // Together, because an answer comes at once, and this clock stands still for nobody.
      let said = try await say([Self.message(.user, exchange.question), Self.message(.assistant, exchange.answer)])
      if let corrected = exchange.corrected {
        _ = try await store.apply(.revise(Revise(said[0], content: corrected)), as: principal)
      }
      if let (question, answer) = exchange.instead, random.chance(0.7) {
        let edit = MakeBranch.edit(opened.id, said[0], by: Self.message(.user, question))
        session.head = try await store.apply(.makeBranch(edit), as: principal).messages.last?.id
        _ = try await say([Self.message(.assistant, answer)])
      } else if let again = exchange.again, random.chance(0.5) {
        let regenerate = MakeBranch(
          conversation: opened.id, start: .inPlaceOf(said[1]), origin: .regenerate,
          message: Self.message(.assistant, again), title: nil, isActivated: true)
        session.head = try await store.apply(.makeBranch(regenerate), as: principal).messages.last?.id
      }
      if random.chance(0.15), let note = plan.trip.notes.randomElement(using: &random) {
        _ = try await say([Self.message(.user, note)])
      }
      session.exchanges += 1
    }
    return session
  }

  private static func message(_ role: Message.Role, _ text: String) -> NewMessage {
    NewMessage(
      role: role, content: text,
      metadata: role == .assistant ? JSONText(canonical: #"{"model":"script"}"#) : .emptyObject)
  }
}

/// A clock that goes on by some seconds whenever somebody looks, and never beyond the present.
private final class HistoryClock: Sendable {
  private struct State {
    var time: Timestamp
    var random: DemoRandom
  }

  private let end: Timestamp
  private let state: Mutex<State>
  /// Seconds between two messages of all conversations together.
  private static let seconds = 3.0...38.0

  init(now: Timestamp, random: DemoRandom) {
    end = now
    state = Mutex(State(time: now, random: random))
  }

  func set(secondsAgo seconds: Int) {
    state.withLock { $0.time = Timestamp(microseconds: end.microseconds - Int64(seconds) * 1_000_000) }
  }

  @Sendable func now() -> Timestamp {
    state.withLock { state in
      let step = Int64(Double.random(in: Self.seconds, using: &state.random) * 1_000_000)
      state.time = min(end, Timestamp(microseconds: state.time.microseconds + step))
      return state.time
    }
  }
}
