import ConversationModel
import StoreSQL
import StoreSQLite
import Synchronization

/// What was said before a demo begins, so that its first screens have something to show: trips of the last weeks from
/// end to end, and the beginnings of those that go on.
///
/// It goes through the store like everything else; only that each session has a clock of its own. So all can be told at
/// the same time, which takes as many syncs as the longest of them has changes.
struct DemoHistory {
  let travellers: [DemoTraveller]
  let seed: UInt64
  /// When it ends.
  let now: Timestamp

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
  private static let pastSeconds = 80_000.0...1_700_000
  /// Some minutes more than the beginning of a session takes.
  private static let presentSeconds = 800.0...3_000

  /// Writes it into a store that is empty.
  ///
  /// - Returns: The sessions that go on.
  func write(to path: String) async throws -> [Session] {
    let open = try OpenStore(path: path, access: .owner)
    defer { open.driver.close() }
    _ = try await open.store.migrate()
    return try await withThrowingTaskGroup(of: Session?.self) { group in
      for traveller in travellers {
        for trip in 0..<Self.pastTrips + traveller.sessions {
          let isOver = trip < Self.pastTrips
          var random = DemoRandom(seed: seed ^ traveller.user.low, trip)
          let ago = Double.random(in: isOver ? Self.pastSeconds : Self.presentSeconds, using: &random)
          let clock = HistoryClock(secondsAgo: ago, end: now, random: random)
          let store = SQLStore(open.driver, environment: clock.environment)
          group.addTask {
            let session = try await tell(
              to: store, traveller, trip: trip, exchanges: isOver ? .max : 1 + trip % 2, random)
            return isOver ? nil : session
          }
        }
      }
      return try await group.reduce(into: []) { sessions, session in
        if let session { sessions.append(session) }
      }
    }
  }

  private func tell(
    to store: some Store, _ traveller: DemoTraveller, trip: Int, exchanges: Int, _ random: DemoRandom
  ) async throws -> Session {
    var random = random
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
      // Together, because an answer comes at once, and this clock waits for nobody.
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
  /// Seconds from one message to the next: somebody reads and thinks.
  private static let seconds = 15.0...110

  init(secondsAgo seconds: Double, end: Timestamp, random: DemoRandom) {
    self.end = end
    let start = Timestamp(microseconds: end.microseconds - Int64(seconds * 1_000_000))
    state = Mutex(State(time: start, random: random))
  }

  var environment: StoreEnvironment { StoreEnvironment(now: { self.now() }, random: StoreEnvironment.system.random) }

  private func now() -> Timestamp {
    state.withLock { state in
      let step = Int64(Double.random(in: Self.seconds, using: &state.random) * 1_000_000)
      state.time = min(end, Timestamp(microseconds: state.time.microseconds + step))
      return state.time
    }
  }
}
