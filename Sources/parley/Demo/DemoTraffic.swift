import ConversationModel
import ConversationServer
import Logging
import ServiceLifecycle
import StoreRemote
import StoreSQL
import StoreSpool

/// The life on a demo's server: its travellers, an outage now and then, and the end.
struct DemoTraffic: Service {
  let host: ServerHost
  /// How the sessions stand that go on.
  let sessions: [DemoHistory.Session]
  let ledger: DemoLedger
  /// Nil for none.
  let outages: DemoOutages?
  /// Seconds after which it ends by itself; nil for never.
  let seconds: Double?
  let seed: UInt64
  /// Told once where the server is.
  let onListening: @Sendable (_ url: String) -> Void

  /// Seconds that a token of a device is good for.
  private static let tokenSeconds = 30 * 86_400
  /// How long the store may take to be whole again, in the end.
  private static let settlingSeconds = 10

  func run() async throws {
    guard let url = await host.place.url() else { return }
    onListening(url)
    let remotes = try await remotes(at: url)
    await cancelWhenGracefulShutdown {
      await withTaskGroup { group in
        group.addTask { await live(remotes) }
        if let outages { group.addTask { await outages.run() } }
        if let seconds { group.addTask { try? await Task.sleep(for: .seconds(seconds)) } }
        group.addTask { await EndSignals.wait() }
        // The first that ends ends all.
        await group.next()
        group.cancelAll()
      }
    }
    await settle()
  }

  /// Waits until everything that was acknowledged is in the store.
  private func settle() async {
    let end = ContinuousClock.now + .seconds(Self.settlingSeconds)
    while ContinuousClock.now < end {
      let health = await host.store.spool.health()
      if health.spool?.waiting == 0, health.warnings.isEmpty { break }
      guard (try? await Task.sleep(for: .milliseconds(100))) != nil else { return }
    }
    // Answers that were held up try again twice a second.
    if outages != nil { try? await Task.sleep(for: .milliseconds(600)) }
  }

  // MARK: Travellers

  private typealias Remotes = [UserID: [RemoteStore]]

  /// One for each device: it has a name and a token of its own.
  private func remotes(at url: String) async throws -> Remotes {
    let issuer = TokenIssuer(secret: host.credentials.secret)
    var remotes: Remotes = [:]
    for traveller in sessions.map(\.traveller) where remotes[traveller.user] == nil {
      let token = try await issuer.token(
        for: .user(traveller.user), lifetimeSeconds: Self.tokenSeconds, now: StoreEnvironment.system.now())
      remotes[traveller.user] = try traveller.devices.map { name in
        try RemoteStore(server: url, configuration: .init(connections: 4, client: name)) { _ in token }
      }
    }
    return remotes
  }

  private func live(_ remotes: Remotes) async {
    await withTaskGroup { group in
      for (number, session) in sessions.enumerated() {
        let lane = DemoLane(
          session, remotes[session.traveller.user] ?? [], ledger: ledger, random: DemoRandom(seed: seed, number))
        group.addTask { await lane.run() }
      }
    }
  }
}
