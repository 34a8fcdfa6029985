import ConversationModel
import StoreRemote

/// What one traveller does at one time: a session, and the next one when that trip is planned.
struct DemoLane: Sendable {
  private let first: DemoHistory.Session
  private let remotes: [RemoteStore]
  private let ledger: DemoLedger
  private let random: DemoRandom

  /// - Parameter remotes: One for each of the traveller's devices.
  init(_ first: DemoHistory.Session, _ remotes: [RemoteStore], ledger: DemoLedger, random: DemoRandom) {
    (self.first, self.remotes, self.ledger, self.random) = (first, remotes, ledger, random)
  }

  /// Goes on until the task is cancelled.
  func run() async {
    var (session, random) = (first, random)
    while !Task.isCancelled {
      await follow(session, &random)
      var next: DemoHistory.Session?
      while next == nil, !Task.isCancelled {
        try? await Task.sleep(for: random.seconds(4...15))
        next = await successor(of: session)
      }
      session = next ?? session
    }
  }

  /// Talks, with the devices of the traveller's that are at hand.
  private func follow(_ session: DemoHistory.Session, _ random: inout DemoRandom) async {
    var devices: [DemoDevice] = []
    for (index, remote) in remotes.enumerated() where index == 0 || random.chance(0.6) {
      devices.append(DemoDevice(remote, of: session.traveller.user, in: session.conversation, ledger: ledger))
    }
    let talk = DemoSession(session, devices: devices, ledger: ledger, random: DemoRandom(seed: random.next()))
    let starts = devices.map { ($0, wait: random.seconds(0...0.6), DemoRandom(seed: random.next())) }
    await withTaskGroup { group in
      for (device, wait, own) in starts {
        group.addTask {
          try? await Task.sleep(for: wait)
          await device.follow(own)
        }
      }
      var talk = talk
      // What the server refuses ends a session no worse than its last answer does.
      try? await talk.run()
      group.cancelAll()
    }
  }

  /// Opens the session of the traveller's next trip; nil if that is not to be had now.
  private func successor(of session: DemoHistory.Session) async -> DemoHistory.Session? {
    let traveller = session.traveller
    let trip = session.trip + traveller.sessions
    let plan = traveller.plan(trip)
    let opened = try? await remotes.first?.apply(.open(traveller.opening(of: plan)), as: .user(traveller.user))
    guard let conversation = opened?.conversation else { return nil }
    return DemoHistory.Session(traveller: traveller, trip: trip, plan: plan, conversation: conversation.id)
  }
}
