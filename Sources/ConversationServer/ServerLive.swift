import Assistant
import ConversationModel

/// What is happening on this server, for those inside the program and for the routes of operators.
struct ServerLive: LiveSource {
  let store: any Store
  let hub: LiveHub
  let turns: Turns
  let meters: Meters
  let ring: LogRing
  let version: String
  let startedAt: Timestamp

  func status(as principal: Principal) async throws(ConversationError) -> ServerStatus {
    try principal.mustBeService()
    let health = await store.health()
    let reading = meters.reading()
    let census = hub.census()
    var counts = reading.counts
    (counts.liveSessions, counts.stalledSessions, counts.connections) = census
    return ServerStatus(
      version: version, time: LiveDoor.now(), startedAt: startedAt, state: ServerStatus.State(health), store: health,
      statistics: reading.statistics, latencies: reading.latencies, rates: reading.rates, counts: counts,
      history: reading.history)
  }

  func sessions(
    _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<LiveSession> {
    try principal.mustBeService()
    try validatePageLimit(page.limit)
    return hub.sessions(after: try page.cursor.map(LiveHub.conversation(behind:)), limit: page.limit)
  }

  func log(
    since number: Int, limit: Int, as principal: Principal
  ) async throws(ConversationError) -> LogPage {
    try principal.mustBeService()
    try validatePageLimit(limit)
    return ring.page(since: number, limit: limit)
  }

  func attach(
    _ attach: Attach, as principal: Principal
  ) async throws(ConversationError) -> any LiveConnection {
    try await LocalConnection(
      attach, as: principal, through: Attaching(store: store, hub: hub, turns: turns, meters: meters))
  }
}

extension ServerStatus.State {
  /// What a store's health means to those who send messages.
  init(_ health: StoreHealth) {
    if let refusal = health.refusal {
      self.init(.unavailable, reasons: [refusal] + health.warnings)
    } else {
      self.init(health.warnings.isEmpty ? .ok : .degraded, reasons: health.warnings)
    }
  }
}

extension Principal {
  /// - Throws: `.forbidden` for anybody else.
  fileprivate func mustBeService() throws(ConversationError) {
    guard case .service = self else {
      throw ConversationError(.forbidden, "Only the service role may ask for this.")
    }
  }
}

extension LiveHub {
  /// The conversation that a page of sessions ended with.
  ///
  /// - Throws: `.invalid` for anything but a cursor of such a page.
  fileprivate static func conversation(behind cursor: String) throws(ConversationError) -> ConversationID {
    guard cursor.hasPrefix(cursorMark), let id = ConversationID(String(cursor.dropFirst(cursorMark.count))) else {
      throw .damagedCursor()
    }
    return id
  }
}
