import Assistant
import ConversationModel
import StrictJSON
import Synchronization
import Wire

/// Tells attached clients of every change, whoever made it and through whichever door.
///
/// The hub is a hint, the store is the truth: a change only says which version a conversation has
/// reached, and the hub reads the rows from the store, in order and without holes. Publishing never waits.
final class LiveHub: Sendable {
  /// One conversation with clients.
  private struct Feed {
    /// Another one each time that a conversation gets its first client: who reads for a feed that is gone must not publish
    /// into the next one, between what its own reader publishes.
    let number: Int
    /// As last heard of.
    var conversation: Conversation
    var clients: [String: LiveClient] = [:]
    var typing: Set<String> = []
    /// Clients were told everything up to here; nil until the first has its snapshot.
    var published: Version?
    /// The version that the conversation is known to have reached.
    var wanted: Version = 0
    /// Whether somebody reads, or is about to.
    var isReading = false
    /// When the changes arrived that wait for the store, by ticket.
    var pending: [Int: ContinuousClock.Instant] = [:]
    /// What the last change took.
    var lastChange: Duration?
    var lastActivity: Timestamp
  }

  private enum Work: Sendable {
    case read(ConversationID, feed: Int)
    case hint(ConversationID)
  }

  private struct State {
    var feeds: [ConversationID: Feed] = [:]
    var watchers: [String: LiveClient] = [:]
    /// Conversations whose watchers have a hint coming.
    var hints: Set<ConversationID> = []
    /// Answers that are being written, with or without somebody who looks.
    var turns: [ConversationID: [MessageID: LiveTurn]] = [:]
    var tickets = 0
    var lastFeed = 0
    var isStopped = false
  }

  private let store: any Store
  private let state = Mutex(State())
  /// Feeds and watchers: while there are none, a change costs one look here.
  private let listeners = Atomic(0)
  private let works: AsyncStream<Work>
  private let work: AsyncStream<Work>.Continuation

  init(store: any Store) {
    self.store = store
    // Bounded by what it holds: each conversation has one of each kind waiting at most.
    (works, work) = AsyncStream.makeStream()
  }

  /// Reads what changed and tells it, until the task is cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      for await work in works {
        group.addTask {
          switch work {
          case .read(let id, let feed): await self.read(id, for: feed)
          case .hint(let id): await self.hint(id)
          }
        }
      }
      group.cancelAll()
    }
    stop()
  }

  /// Those inside the program are told; sockets close by themselves.
  private func stop() {
    let clients = state.withLock { state in
      state.isStopped = true
      return state.feeds.values.flatMap(\.clients.values)
    }
    for client in clients { client.push(Self.stopping) }
  }

  private static let stopping = {
    let error = ConversationError(.unavailable, "The server is stopping.")
    return Announcement(frame { $0.error(error, ref: nil) }, .end(error))
  }()

  // MARK: Changes

  /// A change that a live session waits for.
  struct Ticket: Sendable {
    fileprivate let conversation: ConversationID
    fileprivate let number: Int
  }

  /// A change is on its way to the store; nil if nobody looks at its conversation.
  func began(_ id: ConversationID) -> Ticket? {
    guard listeners.load(ordering: .relaxed) > 0 else { return nil }
    return state.withLock { state in
      guard state.feeds[id] != nil else { return nil }
      state.tickets += 1
      state.feeds[id]!.pending[state.tickets] = .now
      return Ticket(conversation: id, number: state.tickets)
    }
  }

  /// The store has answered, well or not.
  func ended(_ ticket: Ticket) {
    let now = LiveDoor.now()
    state.withLock { state in
      guard let began = state.feeds[ticket.conversation]?.pending.removeValue(forKey: ticket.number) else { return }
      state.feeds[ticket.conversation]!.lastChange = .now - began
      state.feeds[ticket.conversation]!.lastActivity = now
    }
  }

  /// A conversation has reached a version.
  func changed(_ id: ConversationID, to version: Version) {
    guard listeners.load(ordering: .relaxed) > 0 else { return }
    state.withLock { state in
      if state.feeds[id] != nil {
        state.feeds[id]!.wanted = max(state.feeds[id]!.wanted, version)
        startReading(id, &state)
      }
      if !state.watchers.isEmpty, state.hints.insert(id).inserted { work.yield(.hint(id)) }
    }
  }

  /// A message that was acknowledged as spooled is in the store now.
  func stored(_ stored: StoredMessage) {
    guard listeners.load(ordering: .relaxed) > 0 else { return }
    let delivery = Delivery(
      clientID: stored.message.clientID, message: stored.message.id, spooledID: stored.spooledID,
      position: stored.message.position, version: stored.version)
    let announcement = Announcement(Self.frame { $0.stored(delivery) }, .event(.stored(delivery)))
    state.withLock { state in
      if stored.spooledConversation != stored.conversation {
        move(stored.spooledConversation, to: stored.conversation, at: stored.version, &state)
      }
      guard let feed = state.feeds[stored.conversation] else { return }
      for client in feed.clients.values { client.push(announcement) }
    }
    changed(stored.conversation, to: stored.version)
  }

  /// The store had the session already: those who follow it under the id that the spool gave go on under
  /// the store's, where they read everything again.
  private func move(
    _ spooled: ConversationID, to id: ConversationID, at version: Version, _ state: inout State
  ) {
    guard let moved = state.feeds.removeValue(forKey: spooled) else { return }
    listeners.subtract(1, ordering: .relaxed)
    if state.feeds[id] == nil {
      var conversation = moved.conversation
      conversation.id = id
      addFeed(of: conversation, at: moved.lastActivity, &state)
      state.feeds[id]!.published = version
    }
    let version = state.feeds[id]!.published ?? version
    let resync = Announcement(Self.frame { $0.resync(version) }, .event(.resync(version)))
    for client in moved.clients.values {
      client.move(to: id, at: version, resync)
      state.feeds[id]!.clients[client.id] = client
    }
  }

  /// A conversation is gone, with everything in it.
  func erased(_ id: ConversationID) {
    let clients = state.withLock { state in
      let feed = state.feeds.removeValue(forKey: id)
      if feed != nil { listeners.subtract(1, ordering: .relaxed) }
      return feed.map { Array($0.clients.values) } ?? []
    }
    let erased = Announcement(Self.frame { $0.error(.noConversation, ref: nil) }, .end(.noConversation))
    for client in clients {
      client.push(erased)
      client.detach()
    }
  }

  /// All conversations of a user are gone.
  func erased(allOf user: UserID) {
    let ids = state.withLock { state in state.feeds.filter { $0.value.conversation.userID == user }.map(\.key) }
    for id in ids { erased(id) }
  }

  private func startReading(_ id: ConversationID, _ state: inout State) {
    guard let feed = state.feeds[id], let published = feed.published, feed.wanted > published, !feed.isReading else {
      return
    }
    state.feeds[id]?.isReading = true
    work.yield(.read(id, feed: feed.number))
  }

  /// Milliseconds between two tries to read from a store that is down.
  private static let retryMilliseconds = 250

  private func read(_ id: ConversationID, for feed: Int) async {
    while let (user, since) = nextReading(id, for: feed) {
      do {
        let changes = try await store.changes(
          in: id, since: since, limit: Limits.pageItems.upperBound, as: .user(user))
        publish(changes, of: id, to: feed, since: since)
      } catch {
        if error.code == .notFound { return erased(id) }
        guard (try? await Task.sleep(for: .milliseconds(Self.retryMilliseconds))) != nil else { return }
      }
    }
  }

  /// What has to be read next; nil when there is nothing, and then nobody reads any more.
  private func nextReading(_ id: ConversationID, for number: Int) -> (user: UserID, since: Version)? {
    state.withLock { state in
      guard state.feeds[id]?.number == number else { return nil }
      guard let feed = state.feeds[id], let published = feed.published, feed.wanted > published else {
        state.feeds[id]?.isReading = false
        return nil
      }
      return (feed.conversation.userID, published)
    }
  }

  private func publish(_ changes: Changes, of id: ConversationID, to feed: Int, since: Version) {
    let clients = state.withLock { state -> [LiveClient] in
      guard state.feeds[id]?.number == feed else { return [] }
      state.feeds[id]!.published = changes.version
      for case .conversation(let conversation) in changes.changes.lazy.map(\.row) {
        state.feeds[id]!.conversation = conversation
      }
      return Array(state.feeds[id]!.clients.values)
    }
    guard changes.version - since <= Limits.missedChanges else {
      let resync = Announcement(
        Self.frame { $0.resync(changes.version) }, .event(.resync(changes.version)))
      for client in clients {
        client.push(resync)
        client.knows(changes.version)
      }
      return
    }
    var rows = changes.changes[...]
    // A version whose rows all changed again later is told all the same: versions have no holes.
    defer { tellHeldBack(id) }
    for version in since..<changes.version {
      let version = version + 1
      let these = rows.prefix { $0.version == version }
      rows = rows.dropFirst(these.count)
      let event = Announcement(
        Self.frame { $0.event(version, Array(these)) }, .event(.changes(version, Array(these))))
      for client in clients { client.push(version, of: id, event) }
    }
  }

  // MARK: Attaching

  /// Adds a client before it reads its snapshot: what changes in between is then seen twice, never missed.
  func join(_ client: LiveClient, _ conversation: Conversation) -> Presence {
    leave(client)
    client.attach(
      LiveClient.Attachment(
        conversation: conversation.id, user: conversation.userID, branch: conversation.activeBranch, version: .max))
    return state.withLock { state in
      if state.feeds[conversation.id] == nil { addFeed(of: conversation, at: client.since, &state) }
      state.feeds[conversation.id]!.lastActivity = max(
        state.feeds[conversation.id]!.lastActivity, LiveDoor.now())
      state.feeds[conversation.id]!.clients[client.id] = client
      return tellPresence(of: conversation.id, except: client, state)
    }
  }

  private func addFeed(of conversation: Conversation, at time: Timestamp, _ state: inout State) {
    state.lastFeed += 1
    state.feeds[conversation.id] = Feed(number: state.lastFeed, conversation: conversation, lastActivity: time)
    listeners.add(1, ordering: .relaxed)
  }

  /// A client has its snapshot; what changed behind it is told from now on.
  func settle(_ client: LiveClient, _ id: ConversationID, at version: Version) {
    state.withLock { state in
      client.knows(version)
      if state.isStopped { client.push(Self.stopping) }
      guard state.feeds[id] != nil else { return }
      if state.feeds[id]!.published == nil { state.feeds[id]!.published = version }
      // Answers whose place the feed does not know yet are told from their start when it does.
      let published = state.feeds[id]!.published ?? version
      for (key, turn) in state.turns[id] ?? [:] where turn.turn.version <= published {
        let held = state.turns[id]![key]!.takeHeld()
        let untold = state.turns[id]![key]!.takeUntold()
        for (other, one) in state.feeds[id]!.clients where other != client.id && one.isSettled {
          held.forEach { one.push($0) }
          if let untold { one.push(untold) }
        }
        held.forEach { client.push($0) }
        if let draft = state.turns[id]![key]!.draft { client.push(draft) }
      }
      startReading(id, &state)
    }
  }

  /// Takes a client away from where it is attached.
  func leave(_ client: LiveClient) {
    guard let id = client.attachment?.conversation else { return }
    client.detach()
    state.withLock { state in
      guard state.feeds[id]?.clients.removeValue(forKey: client.id) != nil else { return }
      state.feeds[id]?.typing.remove(client.id)
      if state.feeds[id]?.clients.isEmpty ?? false {
        state.feeds[id] = nil
        listeners.subtract(1, ordering: .relaxed)
      } else {
        _ = tellPresence(of: id, except: client, state)
      }
    }
  }

  // MARK: Presence

  func typing(_ client: LiveClient, _ isTyping: Bool) {
    guard let id = client.attachment?.conversation else { return }
    state.withLock { state in
      guard state.feeds[id]?.clients[client.id] != nil else { return }
      let wasTyping = state.feeds[id]!.typing.contains(client.id)
      guard wasTyping != isTyping else { return }
      if isTyping { state.feeds[id]!.typing.insert(client.id) } else { state.feeds[id]!.typing.remove(client.id) }
      _ = tellPresence(of: id, except: client, state)
    }
  }

  private func tellPresence(of id: ConversationID, except client: LiveClient, _ state: borrowing State) -> Presence {
    guard let feed = state.feeds[id] else { return Presence(connections: [], typing: []) }
    let connections = feed.clients.values.sorted { ($0.since, $0.id) < ($1.since, $1.id) }
    let presence = Presence(
      connections: connections.map { Presence.Connection(id: $0.id, client: $0.name, since: $0.since) },
      typing: feed.typing.sorted())
    let frame = Self.frame { writer in
      writer.beginFrame("presence")
      writer.presence(presence)
      writer.endObject()
    }
    let announcement = Announcement(frame, .event(.presence(presence)))
    for other in connections where other !== client { other.push(announcement) }
    return presence
  }

  // MARK: Answers

  /// Something happened to an answer that is being written. Whoever looks is told, once it knows that there is one.
  func announce(_ turn: Turn, _ event: Turn.Event) {
    state.withLock { state in
      let id = turn.conversation
      var live = state.turns[id]?[turn.id] ?? LiveTurn(turn)
      let isKnown = (state.feeds[id]?.published ?? 0) >= turn.version
      switch event {
      case .delta:
        live.takePiece()
        if isKnown, let delta = live.takeUntold() { tell(id, delta, state) }
      case .tool(let use):
        if isKnown { tell(id, live.tool(use), state) } else { live.held.append(use) }
      case .failed(let error): live.failure = error
      case .done(let message):
        for tool in live.takeHeld() { tell(id, tool, state) }
        state.turns[id]?[turn.id] = nil
        if state.turns[id]?.isEmpty ?? false { state.turns[id] = nil }
        return tell(id, live.done(message), state)
      }
      state.turns[id, default: [:]][turn.id] = live
    }
  }

  /// The place of an answer is known by now: what it says already may be told.
  private func tellHeldBack(_ id: ConversationID) {
    state.withLock { state in
      guard let published = state.feeds[id]?.published else { return }
      for (key, turn) in state.turns[id] ?? [:] where turn.turn.version <= published {
        for tool in state.turns[id]![key]!.takeHeld() { tell(id, tool, state) }
        if let delta = state.turns[id]![key]!.takeUntold() { tell(id, delta, state) }
      }
    }
  }

  private func tell(_ id: ConversationID, _ announcement: Announcement, _ state: borrowing State) {
    guard let feed = state.feeds[id] else { return }
    // Who has not got its start yet gets a draft with it.
    for client in feed.clients.values where client.isSettled { client.push(announcement) }
  }

  // MARK: Hints

  func watch(_ client: LiveClient) {
    state.withLock { state in
      if state.watchers.updateValue(client, forKey: client.id) == nil { listeners.add(1, ordering: .relaxed) }
    }
  }

  func unwatch(_ client: LiveClient) {
    state.withLock { state in
      if state.watchers.removeValue(forKey: client.id) != nil { listeners.subtract(1, ordering: .relaxed) }
    }
  }

  private func hint(_ id: ConversationID) async {
    state.withLock { _ = $0.hints.remove(id) }
    // A store that is down gives no hint; the next change does.
    guard let conversation = try? await store.conversation(.id(id), as: .service) else { return }
    let watchers = state.withLock { Array($0.watchers.values) }
    let frame = Self.frame { writer in
      writer.beginFrame("hint")
      writer.field("conversation_id", conversation.id.description)
      writer.field("version", conversation.version)
      writer.field("title", conversation.title)
      writer.endObject()
    }
    let hint = Announcement(frame)
    for watcher in watchers where watcher.principal.owns(conversation.userID) { watcher.push(hint) }
  }

  // MARK: Who is there

  /// The sessions that have connections, by conversation id, behind an id.
  func sessions(after id: ConversationID?, limit: Int) -> Page<LiveSession> {
    let (sessions, hasMore) = state.withLock { state in
      let all = state.feeds.keys.filter { key in id.map { $0 < key } ?? true }.sorted()
      let sessions = all.prefix(limit).compactMap { id in
        state.feeds[id].map { Self.session($0, state.turns[id]?.values.min { $0.turn.since < $1.turn.since }) }
      }
      return (sessions, all.count > limit)
    }
    return Page(items: sessions, next: hasMore ? sessions.last.map { "\(Self.cursorMark)\($0.conversation)" } : nil)
  }

  /// In front of a page's last id, so that no other list's cursor is taken for one of this.
  static let cursorMark = "sessions-"

  /// Sessions, those of them that are stalled, and connections.
  func census() -> (sessions: Int, stalled: Int, connections: Int) {
    state.withLock { state in
      let now = ContinuousClock.now
      let stalled = state.feeds.values.count { feed in
        feed.pending.values.contains { now - $0 > .milliseconds(Limits.stalledMilliseconds) }
      }
      return (state.feeds.count, stalled, state.feeds.values.reduce(0) { $0 + $1.clients.count })
    }
  }

  private static func session(_ feed: Feed, _ turn: LiveTurn?) -> LiveSession {
    let clients = feed.clients.values.sorted { ($0.since, $0.id) < ($1.since, $1.id) }
    let waiting = feed.pending.values.min().map { .now - $0 }
    return LiveSession(
      user: feed.conversation.userID, sessionID: feed.conversation.sessionID,
      isDefault: feed.conversation.isDefault, conversation: feed.conversation.id, title: feed.conversation.title,
      messageCount: feed.conversation.messageCount,
      connections: clients.map { client in
        LiveSession.Connection(
          client: client.name, address: client.address, since: client.since,
          backlogMilliseconds: client.backlogMilliseconds)
      },
      turn: turn?.session, pending: feed.pending.count,
      lagMilliseconds: (waiting ?? feed.lastChange).map { Int($0 / .milliseconds(1)) },
      lastActivity: feed.lastActivity)
  }

  /// One text frame, which any number of clients may be sent.
  static func frame(_ write: (inout JSONWriter) -> Void) -> WebSocketFrame {
    var writer = JSONWriter(reserving: 512)
    write(&writer)
    return .text(writer.bytes)
  }
}
