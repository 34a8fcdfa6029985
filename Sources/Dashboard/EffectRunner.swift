import ConversationModel
import Synchronization

/// Does what takes time, away from the terminal's thread: each question in a task of its own, and one live
/// connection. What comes of it goes into the mailbox.
final class EffectRunner: Sendable {
  private struct Following {
    var serial = 0
    var connection: (any LiveConnection)?
  }

  private let store: any Store
  private let live: any LiveSource
  private let exporter: ThreadExporter?
  private let principal: Principal
  private let mailbox: Mailbox
  private let following = Mutex(Following())
  private let effects: AsyncStream<DashboardEffect>
  private let effect: AsyncStream<DashboardEffect>.Continuation

  init(
    store: any Store, live: any LiveSource, exporter: ThreadExporter?, principal: Principal, mailbox: Mailbox
  ) {
    self.store = store
    self.exporter = exporter
    self.live = live
    self.principal = principal
    self.mailbox = mailbox
    // Bounded by the model: of each slot one question is under way, and a lost server is asked every few seconds.
    (effects, effect) = AsyncStream.makeStream()
  }

  /// Works until `stop`, and then ends what is under way.
  func run() async {
    await withDiscardingTaskGroup { group in
      for await effect in effects {
        switch effect {
        case .load(let query, let request):
          group.addTask { self.mailbox.post(.answer(await self.answer(query), to: request)) }
        case .attach(let id, let since, let serial):
          begin(serial)
          group.addTask { await self.follow(id, since, serial) }
        case .detach: begin(0)
        case .typing(let isTyping): following.withLock(\.connection)?.typing(isTyping)
        case .copy, .mouse, .suspend, .redraw, .quit: break
        }
      }
      begin(0)
      group.cancelAll()
    }
  }

  /// Never waits.
  func perform(_ effect: DashboardEffect) {
    self.effect.yield(effect)
  }

  func stop() {
    effect.finish()
  }

  // MARK: Questions

  private func answer(_ query: Query) async -> Answer {
    do throws(ConversationError) {
      return try await ask(query)
    } catch {
      return .failure(Failure(error))
    }
  }

  private func ask(_ query: Query) async throws(ConversationError) -> Answer {
    switch query {
    case .status: return .status(try await live.status(as: principal))
    case .sessions:
      let (sessions, isPart) = try await live.allSessions(as: principal)
      return .sessions(sessions, isPart: isPart)
    case .log(let number):
      return .log(try await live.log(since: number, limit: Limits.pageItems.upperBound, as: principal))
    case .conversations(let filter, let cursor, let limit):
      return .conversations(
        try await store.conversations(filter, PageRequest(limit: limit, cursor: cursor), as: principal))
    case .page(let id, let branch, let part, let limit):
      return .page(
        try await store.messages(Path(.id(id), branch: branch), MessagePageRequest(limit: limit, part), as: principal))
    case .branches(let id):
      let branches = try await store.branches(of: id, as: principal)
      return .branches(try await store.conversation(.id(id), as: principal), branches)
    case .detail(let id):
      let detail = try await store.message(id, as: principal)
      guard detail.message.revision > 1 else { return .detail(detail, []) }
      return .detail(detail, try await store.revisions(of: id, PageRequest(limit: 20), as: principal).items)
    case .difference(let id, let branch, let parent, let fork):
      let request = MessagePageRequest(limit: Bounds.messagePage, .after(.position(fork)))
      let before = try await store.messages(Path(.id(id), branch: parent), request, as: principal)
      return .difference(before, try await store.messages(Path(.id(id), branch: branch), request, as: principal))
    case .search(let query, let cursor):
      return .hits(try await store.search(query, PageRequest(limit: Bounds.hits, cursor: cursor), as: principal))
    case .export(let export):
      guard let exporter else { throw ConversationError(.invalid, "These screens write no files.") }
      return .exported(export, bytes: try await exporter(export))
    case .health, .open, .turn, .append, .revise, .cancel, .activate: return try await change(query)
    }
  }

  // MARK: What users want

  private func change(_ query: Query) async throws(ConversationError) -> Answer {
    switch query {
    case .open(let user, let session):
      let open = OpenConversation(user: user, session: .named(session))
      let receipt = try await store.apply(.open(open), as: principal)
      guard let conversation = receipt.conversation else { throw .noConversation }
      return .opened(conversation)
    case .turn(let request, let id):
      let connection = try await connection(to: id)
      defer { if !connection.isKept { connection.live.close() } }
      return .begun(try await connection.live.turn(request))
    case .cancel(let turn, let id):
      let connection = try await connection(to: id)
      defer { if !connection.isKept { connection.live.close() } }
      try await connection.live.cancel(turn)
      return .cancelled
    case .append(let message, let id, let branch):
      return .written(try await store.apply(.append(Append(to: id, [message], branch: branch)), as: principal))
    case .revise(let id, let text, let revision):
      return .written(
        try await store.apply(.revise(Revise(id, content: text, ifRevision: revision)), as: principal))
    case .activate(let branch, let id):
      return .written(try await store.apply(.update(UpdateConversation(id, activeBranch: branch)), as: principal))
    default: return .health(await store.health())
    }
  }

  /// The connection that is followed, or another one: what was said before a thread was left is still handed over.
  private func connection(
    to id: ConversationID
  ) async throws(ConversationError) -> (live: any LiveConnection, isKept: Bool) {
    if let followed = following.withLock(\.connection), followed.start.conversation.id == id { return (followed, true) }
    return (try await live.attach(Attach(.conversation(id)), as: principal), false)
  }

  // MARK: Following

  /// From now on only what this attachment says counts; 0 for none.
  private func begin(_ serial: Int) {
    let old = following.withLock { following in
      defer { following = Following(serial: serial) }
      return following.connection
    }
    old?.close()
  }

  private func follow(_ id: ConversationID, _ since: Version?, _ serial: Int) async {
    do throws(ConversationError) {
      let connection = try await live.attach(Attach(.conversation(id), since: since), as: principal)
      let isWanted = following.withLock { following in
        guard following.serial == serial else { return false }
        following.connection = connection
        return true
      }
      defer { connection.close() }
      guard isWanted else { return }
      mailbox.post(.live(.attached(connection.start), serial: serial))
      while let event = try await connection.next() {
        // Operators see who is there elsewhere, and not every coming and going is worth a frame.
        if case .presence = event, principal == .service { continue }
        guard mailbox.offer(.live(.event(event), serial: serial)) else {
          return mailbox.post(.live(.ended(.tooSlow), serial: serial))
        }
      }
      // Closed by this side: nobody waits for more.
    } catch {
      mailbox.post(.live(.ended(Failure(error)), serial: serial))
    }
  }
}

extension LiveSource {
  /// The live sessions, `Bounds.sessions` at most, and whether there are more.
  func allSessions(as principal: Principal) async throws(ConversationError) -> ([LiveSession], isPart: Bool) {
    var sessions: [LiveSession] = []
    var cursor: String?
    repeat {
      let page = try await self.sessions(
        PageRequest(limit: Limits.pageItems.upperBound, cursor: cursor), as: principal)
      sessions += page.items
      cursor = page.next
    } while cursor != nil && sessions.count < Bounds.sessions
    return (sessions, cursor != nil)
  }
}
