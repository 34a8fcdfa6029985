import Assistant
import ConversationModel
import Synchronization

/// A client inside the program.
final class LocalConnection: LiveConnection {
  private struct State {
    var start: LiveStart?
    var waiting: [LiveEvent] = []
    var reader: CheckedContinuation<Void, Never>?
    var end: Result<Void, ConversationError>?
  }

  /// Keeps what comes until it is read.
  private final class Queue: LiveSink {
    let principal: Principal
    let state = Mutex(State())

    init(_ principal: Principal) {
      self.principal = principal
    }

    var backlogMilliseconds: Int { 0 }

    func tell(_ announcement: Announcement) {
      switch announcement.content {
      case .event(let event):
        change { state in
          if let joined = state.waiting.last?.joined(with: event) {
            state.waiting[state.waiting.count - 1] = joined
          } else if state.waiting.count < Limits.liveEvents {
            state.waiting.append(event)
          } else {
            Self.fail(&state)
          }
        }
      case .end(let error): end(.failure(error))
      case .frameOnly: break
      }
    }

    func endTooSlow() { change { Self.fail(&$0) } }

    func end(_ result: Result<Void, ConversationError>) { change { $0.end = $0.end ?? result } }

    private static func fail(_ state: inout State) {
      state.waiting = []
      state.end =
        state.end
        ?? .failure(ConversationError(.unavailable, "Too far behind; attach again with the last version seen."))
    }

    private func change(_ body: (inout State) -> Void) {
      let reader = state.withLock { state in
        if state.end == nil { body(&state) }
        defer { state.reader = nil }
        return state.reader
      }
      reader?.resume()
    }

    /// Waits until something has come, or the task is cancelled.
    func wait() async {
      await withTaskCancellationHandler {
        await withCheckedContinuation { reader in
          let isReady = state.withLock { state in
            if !state.waiting.isEmpty || state.end != nil || Task.isCancelled { return true }
            state.reader = reader
            return false
          }
          if isReady { reader.resume() }
        }
      } onCancel: {
        change { _ in }
      }
    }
  }

  let start: LiveStart
  private let queue: Queue
  private let client: LiveClient
  private let attaching: Attaching

  /// - Throws: As `LiveSource.attach`.
  init(_ attach: Attach, as principal: Principal, through attaching: Attaching) async throws(ConversationError) {
    let queue = Queue(principal)
    let client = LiveClient(queue, id: newRequestID(), name: "parley", address: "", since: LiveDoor.now())
    // What is published meanwhile waits, and is told behind the start.
    client.hold()
    defer { client.release() }
    try await attaching.attach(attach, client) { start in queue.state.withLock { $0.start = start } }
    guard let start = queue.state.withLock({ $0.start }) else { throw .noConversation }
    (self.start, self.queue, self.client, self.attaching) = (start, queue, client, attaching)
  }

  deinit { attaching.hub.leave(client) }

  func next() async throws(ConversationError) -> LiveEvent? {
    while !Task.isCancelled {
      let (event, end) = queue.state.withLock { state -> (LiveEvent?, Result<Void, ConversationError>?) in
        state.waiting.isEmpty ? (nil, state.end) : (state.waiting.removeFirst(), nil)
      }
      if let event { return event }
      if let end {
        try end.get()
        return nil
      }
      await queue.wait()
    }
    return nil
  }

  func send(_ message: NewMessage, parent: MessageID?) async throws(ConversationError) -> Receipt {
    guard let attachment = client.attachment else {
      throw ConversationError(.unavailable, "The connection is closed.")
    }
    guard message.clientID != nil else {
      throw ConversationError(.invalid, "A message that is sent live needs a client id.", field: "client_id")
    }
    typing(false)
    return try await attaching.store.apply(
      .append(
        Append(
          to: attachment.conversation, [message], parent: parent, branch: parent == nil ? attachment.branch : nil)),
      as: client.principal)
  }

  func turn(_ request: TurnRequest) async throws(ConversationError) -> BegunTurn {
    guard client.attachment != nil else { throw ConversationError(.unavailable, "The connection is closed.") }
    typing(false)
    let begun = try await attaching.begin(request, client)
    var receipt = begun.receipt
    receipt.messages = Array(receipt.messages.prefix(1))
    return BegunTurn(turn: begun.turn.id, receipt: receipt)
  }

  func cancel(_ turn: MessageID) async throws(ConversationError) {
    try await attaching.turns.cancel(turn, as: client.principal)
  }

  func typing(_ isTyping: Bool) { attaching.hub.typing(client, isTyping) }

  func close() {
    attaching.hub.leave(client)
    queue.end(.success(()))
  }
}
