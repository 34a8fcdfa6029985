import ConversationModel

/// One simulated user.
struct DemoTraveller: Sendable {
  let user: UserID
  /// What the devices call themselves; one to three.
  let devices: [String]
  /// Sessions that go on at the same time.
  let sessions: Int
  /// Trips in the order in which this one asks about them, without end.
  private let order: [Int]
  private let number: Int

  init(_ number: Int, seed: UInt64) {
    var random = DemoRandom(seed: seed, number)
    self.number = number
    // A random UUID, RFC 9562 §5.4.
    user = UserID(
      high: random.next() & ~0xF000 | 0x4000, low: random.next() & ~(3 << 62) | 1 << 63)
    let others = ["phone", "web", "tablet", "laptop"].shuffled(using: &random)
    // Most have their phone at hand.
    let names = random.chance(0.7) ? ["phone"] + others.filter { $0 != "phone" } : others
    devices = Array(names.prefix(Int.random(in: 1...3, using: &random)))
    sessions = [1, 2, 2, 3].randomElement(using: &random) ?? 1
    // The first one differs from traveller to traveller, so that a short list shows them all.
    let first = number % DemoScript.trips.count
    order = [first] + DemoScript.trips.indices.filter { $0 != first }.shuffled(using: &random)
  }

  /// The trip that this one asks about as the nth.
  func plan(_ index: Int) -> Plan {
    let trip = DemoScript.trips[order[index % order.count]]
    let round = index / order.count
    return Plan(
      trip: trip, session: SessionKey.named(round == 0 ? trip.session : "\(trip.session)-\(round + 1)"),
      title: trip.titles[(number + round) % trip.titles.count])
  }

  struct Plan: Sendable {
    let trip: DemoTrip
    let session: SessionKey
    let title: String
  }

  func opening(of plan: Plan) -> OpenConversation {
    OpenConversation(user: user, session: plan.session, title: plan.title)
  }
}
