import Assistant
import ConversationModel

/// How a client comes to follow a conversation, over a socket or inside the program.
struct Attaching: Sendable {
  let store: any Store
  let hub: LiveHub
  let turns: Turns
  let meters: Meters

  /// Joins the client to the hub and reads what it starts from. `answer` hands that to the client; events
  /// go on behind it.
  ///
  /// - Throws: As `LiveSource.attach`; the client is then attached nowhere.
  func attach(
    _ attach: Attach, _ client: LiveClient, answer: (LiveStart) -> Void
  ) async throws(ConversationError) {
    let conversation = try await conversation(of: attach, client)
    let presence = hub.join(client, conversation)
    do {
      let (content, branch, version) = try await content(conversation.id, since: attach.since, client)
      // Read last, so that it is no older than what it comes with.
      let latest = try await store.conversation(.id(conversation.id), as: client.principal)
      let shown = branch ?? latest.activeBranch
      client.show(branch: shown)
      answer(
        LiveStart(conversation: latest, branch: shown, version: version, content: content, presence: presence))
      hub.settle(client, conversation.id, at: version)
      meters.attached(resuming: attach.since != nil)
    } catch {
      hub.leave(client)
      throw error
    }
  }

  private func conversation(
    of attach: Attach, _ client: LiveClient
  ) async throws(ConversationError) -> Conversation {
    if let user = attach.user, !client.principal.owns(user) {
      throw ConversationError(.forbidden, "A user may act for itself only.", field: "user_id")
    }
    let principal = attach.user.map(Principal.user) ?? client.principal
    switch attach.target {
    case .conversation(let id):
      return try await store.conversation(.id(id), as: principal)
    case .session(let session):
      guard let user = principal.onlyUser else {
        throw ConversationError(
          .invalid, "The service role must name the user whose session this is.", field: "user_id")
      }
      let receipt = try await store.apply(.open(OpenConversation(user: user, session: session)), as: principal)
      guard let conversation = receipt.conversation else { throw .noConversation }
      return conversation
    }
  }

  /// What the client starts from, the branch that it shows, and the version that it then knows.
  private func content(
    _ id: ConversationID, since: Version?, _ client: LiveClient
  ) async throws(ConversationError) -> (LiveStart.Content, branch: BranchNumber?, Version) {
    if let since {
      do throws(ConversationError) {
        if let (missed, version) = try await missed(id, since: since, client) {
          return (.missed(missed), nil, version)
        }
      } catch {
        // A store that is down cannot tell, but what is remembered of the conversation may be shown.
        guard error.code == .unavailable else { throw error }
      }
    }
    let page = try await page(Path(.id(id)), MessagePageRequest(), client.principal)
    return (.page(page, isResync: since != nil), page.branch, page.version)
  }

  /// Everything behind a version; nil if that is too much, or if messages wait in the spool, which only a page shows.
  private func missed(
    _ id: ConversationID, since: Version, _ client: LiveClient
  ) async throws(ConversationError) -> ([Changes.Change], Version)? {
    var missed: [Changes.Change] = []
    var version = since
    var bytes = 0
    while true {
      let changes = try await store.changes(
        in: id, since: version, limit: Limits.pageItems.upperBound, as: client.principal)
      missed += changes.changes
      version = changes.version
      bytes += changes.changes.reduce(0) { $0 + $1.textBytes }
      guard !changes.isDegraded, missed.count <= Limits.missedChanges, bytes <= Limits.liveBacklogBytes / 2 else {
        return nil
      }
      if !changes.hasMore { return (missed, version) }
    }
  }

  /// Begins a turn on the branch that a client shows, and shows it the branch that the turn made.
  func begin(
    _ request: TurnRequest, _ client: LiveClient
  ) async throws(ConversationError) -> Turns.Begun {
    guard let attachment = client.attachment else {
      throw ConversationError(.invalid, "Attach to a conversation first.")
    }
    var request = request
    if case .ask(let question, nil, nil) = request {
      request = .ask(question, parent: nil, branch: attachment.branch)
    }
    let begun = try await turns.begin(request, in: attachment.conversation, as: client.principal)
    if let branch = begun.receipt.branch { client.show(branch: branch.number) }
    return begun
  }

  /// A page that fits into one frame: with long messages it holds fewer than asked for.
  func page(
    _ path: Path, _ request: MessagePageRequest, _ principal: Principal
  ) async throws(ConversationError) -> MessagePage {
    var request = request
    request.bytes = Limits.liveBacklogBytes / 2
    while true {
      let page = try await store.messages(path, request, as: principal)
      guard page.rest != nil, request.limit > 1 else { return page }
      request.limit = max(1, min(page.messages.count, request.limit - 1))
    }
  }
}

extension Changes.Change {
  fileprivate var textBytes: Int {
    switch row {
    case .message(let message):
      message.content.utf8.count + message.metadata.text.utf8.count + message.entities.text.utf8.count
    case .conversation(let conversation): conversation.context.text.utf8.count
    case .branch: 0
    }
  }
}
