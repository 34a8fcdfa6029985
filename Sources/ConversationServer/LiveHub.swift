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
    let user: UserID
    var clients: [String: LiveClient] = [:]
    var typing: Set<String> = []
    /// Clients were told everything up to here; nil until the first has its snapshot.
    var published: Version?
    /// The version that the conversation is known to have reached.
    var wanted: Version = 0
    /// Whether somebody reads, or is about to.
    var isReading = false
  }

  private enum Work: Sendable {
    case read(ConversationID)
    case hint(ConversationID)
  }

  private struct State {
    var feeds: [ConversationID: Feed] = [:]
    var watchers: [String: LiveClient] = [:]
    /// Conversations whose watchers have a hint coming.
    var hints: Set<ConversationID> = []
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
          case .read(let id): await self.read(id)
          case .hint(let id): await self.hint(id)
          }
        }
      }
      group.cancelAll()
    }
  }

  // MARK: Changes

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

  /// A conversation is gone, with everything in it.
  func erased(_ id: ConversationID) {
    let clients = state.withLock { state in
      let feed = state.feeds.removeValue(forKey: id)
      if feed != nil { listeners.subtract(1, ordering: .relaxed) }
      return feed.map { Array($0.clients.values) } ?? []
    }
    let frame = Self.frame { $0.error(.noConversation, ref: nil) }
    for client in clients {
      client.push(frame)
      client.detach()
    }
  }

  private func startReading(_ id: ConversationID, _ state: inout State) {
    guard let feed = state.feeds[id], let published = feed.published, feed.wanted > published, !feed.isReading else {
      return
    }
    state.feeds[id]?.isReading = true
    work.yield(.read(id))
  }

  /// Milliseconds between two tries to read from a store that is down.
  private static let retryMilliseconds = 250

  private func read(_ id: ConversationID) async {
    while let (user, since) = nextReading(id) {
      do {
        let changes = try await store.changes(
          in: id, since: since, limit: Limits.pageItems.upperBound, as: .user(user))
        publish(changes, of: id, since: since)
      } catch {
        if error.code == .notFound { return erased(id) }
        guard (try? await Task.sleep(for: .milliseconds(Self.retryMilliseconds))) != nil else { return }
      }
    }
  }

  /// What has to be read next; nil when there is nothing, and then nobody reads any more.
  private func nextReading(_ id: ConversationID) -> (user: UserID, since: Version)? {
    state.withLock { state in
      guard let feed = state.feeds[id], let published = feed.published, feed.wanted > published else {
        state.feeds[id]?.isReading = false
        return nil
      }
      return (feed.user, published)
    }
  }

  private func publish(_ changes: Changes, of id: ConversationID, since: Version) {
    let clients = state.withLock { state -> [LiveClient] in
      state.feeds[id]?.published = changes.version
      return state.feeds[id].map { Array($0.clients.values) } ?? []
    }
    guard changes.version - since <= Limits.missedChanges else {
      let frame = Self.frame { writer in
        writer.beginFrame("resync")
        writer.endObject()
      }
      for client in clients {
        client.push(frame)
        client.knows(changes.version)
      }
      return
    }
    var rows = changes.changes[...]
    // A version whose rows all changed again later is told all the same: versions have no holes.
    for version in since..<changes.version {
      let version = version + 1
      let these = rows.prefix { $0.version == version }
      rows = rows.dropFirst(these.count)
      let frame = Self.frame { $0.event(version, Array(these)) }
      for client in clients { client.push(version, of: id, frame) }
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
      if state.feeds[conversation.id] == nil {
        state.feeds[conversation.id] = Feed(user: conversation.userID)
        listeners.add(1, ordering: .relaxed)
      }
      state.feeds[conversation.id]!.clients[client.id] = client
      return tellPresence(of: conversation.id, except: client, state)
    }
  }

  /// A client has its snapshot; what changed behind it is told from now on.
  func settle(_ client: LiveClient, _ id: ConversationID, at version: Version) {
    client.knows(version)
    state.withLock { state in
      guard state.feeds[id] != nil else { return }
      if state.feeds[id]!.published == nil { state.feeds[id]!.published = version }
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
    for other in connections where other !== client { other.push(frame) }
    return presence
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
    for watcher in watchers where watcher.principal.owns(conversation.userID) { watcher.push(frame) }
  }

  /// One text frame, which any number of clients may be sent.
  static func frame(_ write: (inout JSONWriter) -> Void) -> WebSocketFrame {
    var writer = JSONWriter(reserving: 512)
    write(&writer)
    return .text(writer.bytes)
  }
}

/// A store whose changes the hub hears of.
struct PublishingStore: Store {
  let inner: any Store
  let hub: LiveHub

  func apply(_ command: Command, as principal: Principal) async throws(ConversationError) -> Receipt {
    let receipt = try await inner.apply(command, as: principal)
    if case .erase(let id) = command {
      hub.erased(id)
    } else if let version = receipt.version, !receipt.isReplay, let id = command.conversation ?? receipt.changed {
      hub.changed(id, to: version)
    }
    return receipt
  }

  func conversations(
    _ filter: ConversationFilter, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<Conversation> {
    try await inner.conversations(filter, page, as: principal)
  }

  func conversation(_ key: ConversationKey, as principal: Principal) async throws(ConversationError) -> Conversation {
    try await inner.conversation(key, as: principal)
  }

  func messages(
    _ path: Path, _ page: MessagePageRequest, as principal: Principal
  ) async throws(ConversationError) -> MessagePage {
    try await inner.messages(path, page, as: principal)
  }

  func message(_ id: MessageID, as principal: Principal) async throws(ConversationError) -> MessageDetail {
    try await inner.message(id, as: principal)
  }

  func revisions(
    of id: MessageID, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<Revision> {
    try await inner.revisions(of: id, page, as: principal)
  }

  func branches(of id: ConversationID, as principal: Principal) async throws(ConversationError) -> [Branch] {
    try await inner.branches(of: id, as: principal)
  }

  func changes(
    in id: ConversationID, since version: Version, limit: Int, as principal: Principal
  ) async throws(ConversationError) -> Changes {
    try await inner.changes(in: id, since: version, limit: limit, as: principal)
  }

  func health() async -> StoreHealth { await inner.health() }
}

extension Command {
  /// The conversation that the command names itself.
  fileprivate var conversation: ConversationID? {
    switch self {
    case .update(let update): update.conversation
    case .append(let append): append.conversation
    case .makeBranch(let make): make.conversation
    case .updateBranch(let update): update.branch.conversation
    case .deleteBranch(let key): key.conversation
    case .erase(let id): id
    case .open, .revise, .deleteMessage: nil
    }
  }
}

extension Receipt {
  /// The conversation that a receipt speaks of.
  fileprivate var changed: ConversationID? { conversation?.id ?? messages.first?.conversationID }
}
