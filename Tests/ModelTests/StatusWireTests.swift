import ConversationModel
import StrictJSON
import Testing
import Wire

/// Both directions of what a server tells about itself, against each other.
@Suite struct StatusWireTests {
  private static let time = Timestamp(microseconds: 1_795_354_464_877_756)
  private static let later = Timestamp(microseconds: 1_795_354_564_877_756)

  /// Different numbers everywhere, so that no two fields can be mistaken for each other.
  private static let full = ServerStatus(
    version: "0.1.0", time: later, startedAt: time,
    state: ServerStatus.State(.degraded, reasons: ["The disk is nearly full.", "Two."]),
    store: StoreHealth(
      refusal: "The disk is full.", warnings: ["w"], engine: "SQLite 3.40.1", queuedCommands: 1,
      oldestQueuedMilliseconds: 2, commands: 3, commits: 4, commit: Latency(count: 5, p50: 6, p95: 7, p99: 8, max: 9),
      batchCommands: 1.125, bytes: 10, walBytes: 11, checkpointMilliseconds: 12, freeBytes: 13, readers: 14,
      canary: Canary(time: later, microseconds: 57, failure: "f", failures: 58),
      spool: SpoolHealth(refusal: "r", waiting: 15, oldest: time, deadLetters: 16, drained: 17, bytes: 18)),
    statistics: StoreStatistics(
      countedAt: later, conversations: 19, messages: 20, largestMessages: 21, oldestConversation: time),
    latencies: ServerStatus.Latencies(
      save: Latency(count: 22, p50: 23, p95: 24, p99: 25, max: 26),
      load: Latency(count: 27, p50: 28, p95: 29, p99: 30, max: 31),
      query: Latency(count: 32, p50: 33, p95: 34, p99: 35, max: 36),
      rpc: Latency(count: 37, p50: 38, p95: 39, p99: 40, max: 41)),
    rates: ServerStatus.Rates(saves: 0.5, reads: 1_000_000.25, requests: 3),
    counts: ServerStatus.Counts(
      liveSessions: 42, stalledSessions: 43, connections: 44, saved: 45, spooled: 46, failed: 47, requests: 48,
      errors: 49, attaches: 50, resumes: 51, historyLoads: 52, slowConsumers: 53),
    history: [.init(saves: 54, reads: 55, slowestSave: 56), .init(saves: 0, reads: 0, slowestSave: 0)])

  private static let bare = ServerStatus(
    version: "", time: time, startedAt: time, state: ServerStatus.State(.ok), store: StoreHealth(), statistics: nil,
    latencies: ServerStatus.Latencies(save: Latency(), load: Latency(), query: Latency(), rpc: Latency()),
    rates: ServerStatus.Rates(saves: 0, reads: 0, requests: 0), counts: ServerStatus.Counts(), history: [])

  private func bytes(_ write: (inout JSONWriter) -> Void) -> [UInt8] {
    var writer = JSONWriter()
    write(&writer)
    return writer.bytes
  }

  private func read(_ bytes: [UInt8]) throws -> Reply {
    try bytes.withUnsafeBytes { bytes in try Reply(bytes) }
  }

  @Test func `a status is read as it was written`() throws {
    var empty = Self.full
    empty.statistics = StoreStatistics(
      countedAt: Self.time, conversations: 0, messages: 0, largestMessages: 0, oldestConversation: nil)
    empty.store.spool = SpoolHealth()
    for status in [Self.full, Self.bare, empty] {
      #expect(try read(bytes { $0.status(status) }).status() == status)
    }
  }

  @Test func `live sessions are read as they were written`() throws {
    let busy = LiveSession(
      user: UserID(high: 1, low: 2), sessionID: "phone", isDefault: false,
      conversation: ConversationID(high: 3, low: 4),
      title: "T", messageCount: 5,
      connections: [
        .init(client: "a \"b\"", address: "::1", since: Self.time, backlogMilliseconds: 6),
        .init(client: "", address: "", since: Self.later, backlogMilliseconds: 0),
      ], turn: .init(id: "t", branch: 7, since: Self.time, tokens: 8, tokensPerSecond: 9.5), pending: 10,
      lagMilliseconds: 11, lastActivity: Self.later)
    let idle = LiveSession(
      user: UserID(high: 5, low: 6), sessionID: nil, isDefault: true, conversation: ConversationID(high: 7, low: 8),
      title: nil, messageCount: 0, connections: [], turn: nil, pending: 0, lagMilliseconds: nil,
      lastActivity: Self.time)
    for next in ["cursor", nil] {
      let page = try read(bytes { $0.page(Page(items: [busy, idle], next: next)) { $0.liveSession($1) } })
        .liveSessions()
      #expect(page.items == [busy, idle] && page.next == next)
    }
  }

  @Test func `a log is read as it was written`() throws {
    let page = LogPage(
      records: [
        .init(
          number: 7, time: Self.time, level: "notice", message: "listening",
          fields: [.init("address", "127.0.0.1:7275"), .init("b\"", "")]),
        .init(number: 8, time: Self.later, level: "error", message: "", fields: []),
      ], last: 9, hasGap: true)
    let again = try read(bytes { $0.log(page) }).log()
    #expect(again == page && again.hasMore)
    let empty = LogPage(records: [], last: 0, hasGap: false)
    #expect(try read(bytes { $0.log(empty) }).log() == empty)
  }

  @Test func `what a newer server adds is passed over, what is missing is named`() throws {
    let status = try JSONReader.read(bytes { $0.status(Self.full) })
    let members = try #require(status.object).members
    // Reckoned from others, or what a person reads.
    let unread: Set<String> = ["uptime_seconds", "targets"]
    for (index, member) in members.enumerated() {
      var fewer = members
      fewer.remove(at: index)
      let text = JSONValue.object(try #require(JSONObject(members: fewer))).canonicalText()
      if unread.contains(member.key) {
        #expect(try read(Array(text.utf8)).status() == Self.full)
      } else {
        let error = #expect(throws: ConversationError.self) { _ = try read(Array(text.utf8)).status() }
        #expect(error?.code == .internal && error?.message.contains("status.\(member.key) ") == true, "\(member.key)")
      }
    }
    let more = JSONValue.object(
      try #require(JSONObject(members: members + [JSONObject.Member(key: "new", value: status)])))
    #expect(try read(Array(more.canonicalText().utf8)).status() == Self.full)
  }
}
