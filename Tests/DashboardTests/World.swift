import ConversationModel
import TerminalCanvas

@testable import Dashboard

/// A server's answers, made up: forty sessions, a thread of a thousand messages with three branches.
struct World {
  static let now = Moment(steady: 1_000_000_000, wall: Timestamp("2026-11-25T14:07:32.000000Z")!, offset: 0)
  static let messageCount = 1_000

  var titles = ["Refund policy for EU orders", "Fix flaky CI on arm64 #3", "週末の旅行プラン", "خطة السفر"]
  var sessionCount = 40
  var content = "Customer says the parcel arrived open. Are they inside the 14 day window?"
  var state = ServerStatus.State(.ok)
  var failure: Failure?

  static func id<Entity>(_ number: Int) -> Identifier<Entity> {
    Identifier(high: 0x1111_0000_0000_7000 + UInt64(number), low: 0x8000_0000_0000_0000 + UInt64(number))
  }

  private func title(_ number: Int) -> String { titles[number % titles.count] }

  private static func ago(_ seconds: Int) -> Timestamp {
    Timestamp(microseconds: now.wall.microseconds - Int64(seconds) * 1_000_000)
  }

  func conversation(_ number: Int) -> Conversation {
    Conversation(
      id: Self.id(number), userID: Self.id(number + 500), sessionID: number % 3 == 0 ? nil : "phone",
      isDefault: number % 3 == 0, title: title(number), context: .emptyObject, isArchived: number % 7 == 6,
      isPinned: number % 5 == 4, activeBranch: 0, headPosition: Self.messageCount, messageCount: Self.messageCount + 30,
      branchCount: 3, version: Self.messageCount + 2, createdAt: Self.ago(90_000), updatedAt: Self.ago(number * 40))
  }

  var sessions: [LiveSession] {
    (0..<sessionCount).map { number in
      LiveSession(
        user: Self.id(number + 500), sessionID: number % 3 == 0 ? nil : "phone", isDefault: number % 3 == 0,
        conversation: Self.id(number), title: title(number), messageCount: 10 * number,
        connections: [
          .init(client: "phone", address: "10.0.0.\(number)", since: Self.ago(600), backlogMilliseconds: 0)
        ],
        turn: number % 4 == 1
          ? .init(id: "t\(number)", branch: 0, since: Self.ago(3), tokens: 120, tokensPerSecond: 61.2) : nil,
        pending: number == 7 ? 14 : 0, lagMilliseconds: number == 7 ? 2_400 : number % 2 == 0 ? 4 : nil,
        lastActivity: Self.ago(number))
    }
  }

  var status: ServerStatus {
    var store = StoreHealth(
      engine: "SQLite 3.40.1", commands: 12_345, commits: 2_345,
      commit: Latency(count: 512, p50: 700, p95: 2_100, p99: 3_000, max: 9_000), batchCommands: 5.3,
      bytes: 734_003_200, walBytes: 3_250_585, checkpointMilliseconds: 12_000, freeBytes: 76_900_000_000, readers: 4)
    if state.kind == .unavailable { store.refusal = state.reasons.first }
    store.warnings = state.kind == .degraded ? state.reasons : []
    let latency = Latency(count: 900, p50: 800, p95: 2_000, p99: 3_000, max: 12_000)
    return ServerStatus(
      version: "0.1.0", time: Self.now.wall, startedAt: Self.ago(273_600), state: state, store: store,
      statistics: StoreStatistics(
        countedAt: Self.ago(20), conversations: 10_000, messages: 420_000, largestMessages: 100_000,
        oldestConversation: Self.ago(9_000_000)),
      latencies: .init(save: latency, load: latency, query: latency, rpc: Latency()),
      rates: .init(saves: 412, reads: 1_900, requests: 2_400),
      counts: .init(
        liveSessions: sessionCount, stalledSessions: 1, connections: 44, saved: 99_998, failed: 2, requests: 240_000,
        attaches: 50, resumes: 10, historyLoads: 3_000),
      history: (0..<60).map { .init(saves: 300 + 7 * ($0 % 13), reads: 1_900, slowestSave: 3_000 + 200 * ($0 % 7)) })
  }

  func message(_ position: Position, branch: BranchNumber = 0) -> Message {
    Message(
      id: Self.id(10_000 * branch + position), clientID: nil, conversationID: Self.id(0), branch: branch,
      position: position, role: position % 2 == 1 ? .user : .assistant, content: "\(position): \(content)", intent: nil,
      confidence: nil, entities: .emptyObject, metadata: .emptyObject, status: .complete,
      revision: position % 10 == 0 ? 3 : 1, createdAt: Self.ago(Self.messageCount - position), editedAt: nil)
  }

  var branches: [Branch] {
    [(0, nil, 0, Self.messageCount, nil), (1, 0, 940, 948, "cheaper"), (2, 1, 944, 946, "no-robots")].map {
      Branch(
        number: $0.0, parent: $0.1, forkPosition: $0.2, headPosition: $0.3, title: $0.4,
        origin: $0.0 == 0 ? .trunk : .edit, isActive: $0.0 == 0, isDeleted: false, createdAt: Self.ago(100))
    }
  }

  private func page(_ branch: BranchNumber, _ part: MessagePageRequest.Part, _ limit: Int) -> MessagePage {
    let head = branches[branch].headPosition
    func position(_ anchor: MessagePageRequest.Anchor) -> Position {
      switch anchor {
      case .position(let position): position
      case .cursor(let text): Int(text) ?? 0
      case .message(let id): (1...head).first { message($0).id == id } ?? 1
      }
    }
    let placement: PageWindow.Placement =
      switch part {
      case .latest: .latest
      case .before(let anchor): .before(position(anchor))
      case .after(let anchor): .after(position(anchor))
      case .around(let anchor): .around(position(anchor))
      }
    let window = PageWindow(placement, limit: limit, head: head)
    return MessagePage(
      conversation: Self.id(0), messages: (window.first..<max(window.first, window.end)).map { message($0) },
      forks: [Fork(position: 941, branches: [1])].filter { window.first <= $0.position && $0.position < window.end },
      branch: branch, before: window.hasBefore ? "\(window.first)" : nil,
      after: window.hasAfter ? "\(window.end - 1)" : nil,
      headPosition: head, version: Self.messageCount + 2)
  }

  func answer(_ query: Query) -> Answer {
    if let failure { return .failure(failure) }
    switch query {
    case .status: return .status(status)
    case .sessions: return .sessions(sessions, isPart: false)
    case .log(let number):
      let records = (number + 1..<max(number + 1, 31)).map { number in
        LogPage.Record(
          number: number, time: Self.ago(60 - number), level: number % 9 == 0 ? "warning" : "info",
          message: title(number), fields: [.init("request", "r\(number)")])
      }
      return .log(LogPage(records: records, last: 30, hasGap: false))
    case .conversations(let filter, let cursor, let limit):
      let start = cursor.flatMap { Int($0) } ?? 0
      let all = (0..<1_000).map(conversation).filter { one in
        filter.titlePart.map { one.title?.contains($0) ?? false } ?? true
      }
      let items = Array(all.dropFirst(start).prefix(limit))
      return .conversations(Page(items: items, next: start + limit < all.count ? "\(start + limit)" : nil))
    case .page(_, let branch, let part, let limit): return .page(page(branch ?? 0, part, limit))
    case .branches: return .branches(conversation(0), branches)
    case .detail(let id):
      let found = (1...Self.messageCount).lazy.map { message($0) }.first { $0.id == id } ?? message(1)
      let siblings = [(found.id, 0), (Self.id(5), 1)].map { MessageDetail.Sibling(id: $0.0, branch: $0.1) }
      return .detail(MessageDetail(message: found, siblings: siblings), [])
    case .search: return .hits(Page(items: [], next: nil))
    case .export(let export): return .exported(export, bytes: 1)
    case .health: return .health(StoreHealth())
    case .open: return .opened(conversation(0))
    case .turn, .append, .revise, .cancel, .activate:
      return .failure(Failure(code: "forbidden", "Operators only read."))
    case .difference(_, let branch, let parent, let fork):
      return .difference(
        page(parent, .after(.position(fork)), 50), page(branch, .after(.position(fork)), 50))
    }
  }
}

/// The screens before a world: what they ask is answered at once.
struct Bench {
  var world: World
  var model: DashboardModel
  var moment = World.now
  /// What was asked for besides questions.
  var effects: [DashboardEffect] = []

  init(rows: Int = 36, columns: Int = 120, world: World = World(), glyphs: Glyphs = .unicode, isConnected: Bool = true)
  {
    self.world = world
    model = DashboardModel(
      settings: DashboardSettings(version: "0.1.0", server: "127.0.0.1:7275"), size: Size(rows: rows, columns: columns),
      glyphs: glyphs, now: moment)
    if isConnected { perform(model.begin()) }
  }

  mutating func perform(_ asked: [DashboardEffect]) {
    for effect in asked {
      switch effect {
      case .load(let query, let request):
        perform(model.apply(.answer(world.answer(query), to: request), at: moment))
      case .attach(_, _, let serial):
        effects.append(effect)
        guard case .page(let page) = world.answer(.page(World.id(0), branch: nil, .latest, limit: 20)) else { break }
        let start = LiveStart(
          conversation: world.conversation(0), branch: 0, version: page.version, content: .page(page, isResync: false),
          presence: Presence(connections: [], typing: []))
        perform(model.apply(.live(.attached(start), serial: serial), at: moment))
      default: effects.append(effect)
      }
    }
  }

  mutating func press(_ keys: Key...) { press(keys) }

  mutating func press(_ keys: [Key]) {
    for key in keys { perform(model.apply(.key(key), at: moment)) }
  }

  mutating func type(_ text: String) { press(text.map { Key.character($0) }) }

  /// Time goes on, a tick at a time.
  mutating func wait(seconds: Int) {
    for _ in 0..<seconds {
      moment.steady += 1_000_000
      moment.wall = Timestamp(microseconds: moment.wall.microseconds + 1_000_000)
      perform(model.apply(.tick, at: moment))
    }
  }

  var canvas: Canvas { Screen.draw(model).canvas }
  var text: String { canvas.text }
  func shows(_ part: String) -> Bool { text.contains(part) }
}
