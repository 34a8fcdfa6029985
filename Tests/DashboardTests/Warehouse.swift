import ConversationModel

@testable import Dashboard

/// What there is to see for a `Play`: a server's figures, its sessions, threads and a tree, as plain values.
struct Warehouse {
  /// 2026-11-24 14:07:32 UTC.
  static let now = Timestamp(microseconds: 1_795_529_252_000_000)

  static func ago(_ seconds: Int64) -> Timestamp { Timestamp(microseconds: now.microseconds - seconds * 1_000_000) }
  static func id<Entity>(_ number: UInt64) -> Identifier<Entity> {
    Identifier(high: 0x01a2_0fe1_0000_7000 | number, low: 0x8000_0000_0000_0000 | number)
  }
  static func user(_ number: UInt64) -> UserID { UserID(high: number << 32 | 0x4000, low: 0x8000_0000_0000_0001) }

  var status = Warehouse.status()
  var sessions = Warehouse.sessions()
  var threads = Warehouse.threads(40)
  var conversation = Warehouse.thread(
    1, "Warehouse move", user: 0x3c77_10aa, session: "plan", messages: 89, branches: 4)
  var branches = Warehouse.branches()
  /// Messages of each branch of the open conversation.
  var texts: [BranchNumber: [Message]] = Warehouse.tree()
  var log = Warehouse.log()
  /// What waits in the spool for the open conversation's active branch.
  var spooled: [Message] = []
  /// Whether pages come from the server's memory.
  var isRemembered = false
  /// What a server says of itself while messages are taken.
  var warnings: [String] = []
  /// Instead of an answer.
  var failures: [Request.Slot: Failure] = [:]

  // MARK: Answers

  func answer(_ query: Query, _ slot: Request.Slot) -> Answer {
    if let failure = failures[slot] { return .failure(failure) }
    switch query {
    case .status: return .status(status)
    case .sessions: return .sessions(sessions, isPart: false)
    case .log(let since):
      let records = log.filter { $0.number > since }.prefix(200)
      return .log(LogPage(records: Array(records), last: log.last?.number ?? 0, hasGap: false))
    case .conversations(let filter, let cursor, let limit):
      let needle = Needle(filter.titlePart ?? "")
      let hits = threads.filter { needle.isIn($0.title ?? "") }
      let start = cursor.flatMap { Int($0) } ?? 0
      let end = min(hits.count, start + limit)
      return .conversations(Page(items: Array(hits[min(start, end)..<end]), next: end < hits.count ? "\(end)" : nil))
    case .page(let id, let branch, let part, let limit): return .page(page(id, branch, part, limit))
    case .branches: return .branches(conversation, branches)
    case .detail(let id):
      guard let message = texts.values.joined().first(where: { $0.id == id }) else {
        return .failure(Failure(.noMessage))
      }
      let revisions = (1..<max(1, message.revision)).reversed().map {
        Revision(number: $0, content: "Earlier text \($0)", metadata: .emptyObject, replacedAt: Warehouse.ago(4_000))
      }
      return .detail(MessageDetail(message: message, siblings: []), revisions)
    case .search(let query, let cursor): return .hits(hits(query, cursor))
    case .health: return .health(StoreHealth(warnings: warnings))
    case .open: return .opened(conversation)
    case .turn(let request, _): return .begun(begun(request))
    case .append(let message, _, _): return .written(Self.kept(message))
    case .revise, .activate: return .written(Receipt(version: conversation.version + 1))
    case .cancel: return .cancelled
    case .export(let export): return .exported(export, bytes: 48_200)
    case .difference(let id, let branch, let parent, let fork):
      return .difference(
        page(id, parent, .after(.position(fork)), 50), page(id, branch, .after(.position(fork)), 50))
    }
  }

  func path(_ branch: BranchNumber) -> [Message] {
    guard let row = branches.first(where: { $0.number == branch }) else { return [] }
    let below = row.parent.map { path($0).filter { $0.position <= row.forkPosition } } ?? []
    return below + (texts[branch] ?? [])
  }

  func page(
    _ id: ConversationID, _ branch: BranchNumber?, _ part: MessagePageRequest.Part, _ limit: Int
  ) -> MessagePage {
    let branch = branch ?? conversation.activeBranch
    let path = path(branch)
    let placement: PageWindow.Placement =
      switch part {
      case .latest: .latest
      case .before(.position(let position)): .before(position)
      case .after(.position(let position)): .after(position)
      case .around(.position(let position)): .around(position)
      default: .latest
      }
    let window = PageWindow(placement, limit: limit, head: path.count)
    let waiting = window.hasAfter || branch != conversation.activeBranch ? [] : spooled
    return MessagePage(
      conversation: id,
      messages: (window.isEmpty ? [] : Array(path[(window.first - 1)..<(window.end - 1)])) + waiting, forks: [],
      branch: branch, before: window.hasBefore ? "b" : nil, after: window.hasAfter ? "a" : nil,
      headPosition: path.count, version: conversation.version, isDegraded: isRemembered || !waiting.isEmpty)
  }
}

extension Warehouse {
  /// The threads of one user, the open one first.
  static func ofUser() -> Warehouse {
    var world = Warehouse()
    world.threads = world.threads.map { thread in
      var own = thread
      own.userID = world.conversation.userID
      return own
    }
    world.threads.insert(world.conversation, at: 0)
    return world
  }

  /// Messages with all words, as far as a test needs that; a hundred in two pages for the word `answer`.
  func hits(_ query: SearchQuery, _ cursor: String?) -> Page<SearchHit> {
    let paths = query.scope == .active ? path(conversation.activeBranch) : texts.values.flatMap(\.self)
    let found = paths.sorted { $0.position > $1.position }.filter { message in
      query.text.split(separator: " ").allSatisfy { message.content.lowercased().contains($0.lowercased()) }
    }
    let start = cursor.flatMap { Int($0) } ?? 0
    let page = found.dropFirst(start).prefix(12)
    return Page(
      items: page.map { SearchHit(message: $0, snippet: String($0.content.prefix(80)), title: conversation.title) },
      next: start + 12 < found.count ? "\(start + 12)" : nil)
  }

  /// A question and the place of its answer, on the branch that the request makes or goes on with.
  func begun(_ request: TurnRequest) -> BegunTurn {
    let head = path(1).count
    let (branch, first): (BranchNumber, Position) =
      switch request {
      case .ask: (1, head + 1)
      case .edit, .regenerate: (3, 30)
      }
    var messages = [Self.message(branch, first)]
    if case .ask(let question, _, _) = request { messages[0].content = question.content }
    if case .regenerate = request {} else { messages.append(Self.message(branch, first + 1)) }
    messages[0].role = .user
    messages[messages.count - 1].role = .assistant
    messages[messages.count - 1].status = .streaming
    messages[messages.count - 1].content = ""
    let made = branches.first { $0.number == branch }
    return BegunTurn(
      turn: messages[messages.count - 1].id,
      receipt: Receipt(messages: messages, branch: branch == 1 ? nil : made, version: conversation.version + 1))
  }

  private static func kept(_ message: NewMessage) -> Receipt {
    Receipt(messages: [spooled(77, message.role, message.content)], version: nil, durability: .spooled)
  }

  /// The store goes down, as a server tells it.
  mutating func fail(waiting: Int) {
    status = Self.status(
      .degraded, ["The store is down: Its file is missing or cannot be opened. Messages go into the spool."])
    status.store.canary = Canary(
      time: Self.ago(1), microseconds: nil, failure: "The store is down: Its file is missing or cannot be opened.",
      failures: 3)
    status.store.spool = SpoolHealth(waiting: waiting, oldest: Self.ago(95), drained: 88, bytes: 1_200_000)
    status.counts.spooled = waiting
  }

  static func spooled(_ number: UInt64, _ role: Message.Role, _ content: String) -> Message {
    Message(
      id: id(9_000_000 + number), clientID: nil, conversationID: id(1), branch: 1, position: 0, role: role,
      content: content, intent: nil, confidence: nil, entities: .emptyObject, metadata: .emptyObject,
      status: .complete, revision: 1, createdAt: ago(30), editedAt: nil, durability: .spooled)
  }

  static func status(_ kind: ServerStatus.State.Kind = .ok, _ reasons: [String] = []) -> ServerStatus {
    var store = StoreHealth(
      engine: "SQLite 3.40.1", queuedCommands: 3, oldestQueuedMilliseconds: 2, commands: 1_204_113, commits: 88_120,
      commit: Latency(count: 256, p50: 610, p95: 1_900, p99: 2_700, max: 9_100), batchCommands: 13.7,
      bytes: 412_000_000, walBytes: 3_100_000, checkpointMilliseconds: 41_000, freeBytes: 88_000_000_000, readers: 4,
      canary: Canary(time: ago(12), microseconds: 1_900))
    if kind != .ok { store.warnings = reasons }
    return ServerStatus(
      version: "0.1.0", time: now, startedAt: ago(3 * 86_400 + 4 * 3_600), state: .init(kind, reasons: reasons),
      store: store,
      statistics: StoreStatistics(
        countedAt: ago(60), conversations: 10_412, messages: 1_204_001, largestMessages: 100_000,
        oldestConversation: ago(90 * 86_400)),
      latencies: .init(
        save: Latency(count: 24_000, p50: 800, p95: 1_900, p99: 3_000, max: 12_000),
        load: Latency(count: 90_000, p50: 600, p95: 1_100, p99: 2_000, max: 7_000),
        query: Latency(count: 800, p50: 300, p95: 900, p99: 1_400, max: 3_000), rpc: Latency()),
      rates: .init(saves: 412, reads: 1_900, requests: 2_350),
      counts: .init(
        liveSessions: 42, stalledSessions: 1, connections: 51, saved: 1_204_090, spooled: 0, failed: 23,
        requests: 9_120_447, errors: 12, attaches: 512, resumes: 201, historyLoads: 88_000, slowConsumers: 2),
      history: (0..<60).map { second in
        .init(saves: 300 + (second * 37) % 240, reads: 1_800, slowestSave: 1_000 + (second * 701) % 9_000)
      })
  }

  static func sessions() -> [LiveSession] {
    let rows: [(UInt64, String?, String?, Int, Int, Double?, Int, Int?, Int64)] = [
      (0x7f3a_91c2, "phone", "Refund policy for EU orders", 2, 214, 0, 14, 2_400, 4),
      (0x1b20_cc01, "default", "Fix flaky CI on arm64 #3", 1, 88, 61.2, 0, 4, 1),
      (0x90ee_1203, "web-2", "Draft Q3 board update", 3, 412, 48.9, 1, 6, 2),
      (0x3c77_10aa, "plan", "Warehouse move", 1, 89, 112.4, 2, 8, 1),
      (0x5501_aa77, "sql", "SQL for churn cohort", 1, 12, nil, 0, nil, 95),
      (0x20c3_b9f1, nil, nil, 1, 3, nil, 0, 1, 4_000),
    ]
    let more = (0..<36).map { index in
      (
        UInt64(0xa000_0000 + index * 7_919), "tab-\(index)" as String?, "Conversation number \(index)" as String?, 1,
        index * 13, nil as Double?, 0, (index % 9) as Int?, Int64(20 + index * 40)
      )
    }
    return (rows + more).enumerated().map { index, row in
      LiveSession(
        user: user(row.0), sessionID: row.1, isDefault: row.1 == nil, conversation: id(UInt64(index + 1)), title: row.2,
        messageCount: row.4,
        connections: (0..<row.3).map { number in
          .init(
            client: number == 0 ? "phone" : "tablet", address: "10.0.0.\(number)", since: ago(500),
            backlogMilliseconds: 0)
        },
        turn: row.5.map { .init(id: "t", branch: 0, since: ago(3), tokens: 1_204, tokensPerSecond: $0) },
        pending: row.6, lagMilliseconds: row.7, lastActivity: ago(row.8))
    }
  }

  static func thread(
    _ number: UInt64, _ title: String?, user: UInt64, session: String?, messages: Int, branches: Int = 1
  ) -> Conversation {
    Conversation(
      id: id(number), userID: Warehouse.user(user), sessionID: session, isDefault: session == nil, title: title,
      context: .emptyObject, isArchived: number % 11 == 0, isPinned: number % 13 == 0,
      activeBranch: branches > 1 ? 1 : 0, headPosition: messages, messageCount: messages, branchCount: branches,
      version: 120, createdAt: ago(Int64(number) * 7_000 + 86_400), updatedAt: ago(Int64(number * number) * 30))
  }

  static func threads(_ count: Int) -> [Conversation] {
    let titles = [
      "Refund policy for EU orders", "Fix flaky CI on arm64", "Draft Q3 board update", "Warehouse move",
      "SQL for churn cohort", "Trip to Oslo", "Quarterly refund numbers", nil,
    ]
    return (1...max(1, count)).prefix(count).map { number in
      thread(
        UInt64(number), titles[number % titles.count].map { number > 8 ? "\($0) (\(number))" : $0 },
        user: UInt64(0x1000_0000 + number * 104_729), session: number % 6 == 0 ? nil : "tab-\(number)",
        messages: number * 17 % 400, branches: 1 + number % 4)
    }
  }

  static func branches() -> [Branch] {
    func branch(
      _ number: Int, _ parent: Int?, _ fork: Int, _ head: Int, _ title: String?, _ origin: Branch.Origin
    ) -> Branch {
      Branch(
        number: number, parent: parent, forkPosition: fork, headPosition: head, title: title, origin: origin,
        isActive: number == 1, isDeleted: false, createdAt: ago(5_000))
    }
    return [
      branch(0, nil, 0, 61, nil, .trunk), branch(1, 0, 37, 48, "cheaper", .fork),
      branch(2, 1, 40, 44, "no-robots", .fork), branch(3, 0, 29, 33, "retry #30", .regenerate),
    ]
  }

  static func tree() -> [BranchNumber: [Message]] {
    var texts: [BranchNumber: [Message]] = [:]
    for branch in branches() {
      guard branch.headPosition > branch.forkPosition else { continue }
      texts[branch.number] = (branch.forkPosition + 1...branch.headPosition).map { message(branch.number, $0) }
    }
    return texts
  }

  static func message(_ branch: BranchNumber, _ position: Position, _ text: String? = nil) -> Message {
    let isUser = position % 2 == 0
    let content =
      switch (branch, position) {
      case _ where text != nil: text ?? ""
      case (0, 36): "What if we keep the old racking?"
      case (0, 37):
        "Keeping it saves about 40k but caps aisle width at 2.1 m, so the reach trucks would have to stay. "
          + (1...12).map { "Point \($0): the plan for row \($0) changes, and the cost with it." }.joined(
            separator: "\n")
      case (1, 38): "Go with the cheaper one. Show monthly cost."
      default:
        isUser ? "Question \(position) on branch \(branch)?" : "Answer \(position) on branch \(branch), in one line."
      }
    return Message(
      id: id(UInt64(branch * 1_000_000 + position)), clientID: nil, conversationID: id(1), branch: branch,
      position: position, role: isUser ? .user : .assistant, content: content, intent: nil, confidence: nil,
      entities: .emptyObject, metadata: .emptyObject, status: .complete, revision: position == 38 ? 3 : 1,
      createdAt: ago(Int64(6_000 - position * 90)), editedAt: nil)
  }

  static func log() -> [LogPage.Record] {
    let lines: [(String, String, [(String, String)])] = [
      ("notice", "listening", [("address", "127.0.0.1:7275"), ("version", "0.1.0")]),
      ("info", "attached", [("client", "phone"), ("conversation", "01a20fe1-0000-7001-8000-000000000001")]),
      ("debug", "page read", [("ms", "1")]),
      ("info", "detached", [("client", "phone"), ("reason", "closed")]),
      ("error", "commit failed", [("code", "disk I/O error"), ("will", "reopen")]),
      ("info", "store reopened", [("ms", "41")]),
      ("warning", "writer stalled", [("for", "2.4s"), ("session", "7f3a91../phone")]),
    ]
    return (0..<42).map { index in
      let line = lines[index % lines.count]
      return .init(
        number: index + 1, time: ago(Int64(600 - index * 14)), level: line.0, message: line.1,
        fields: line.2.map { .init($0.0, $0.1) })
    }
  }
}
