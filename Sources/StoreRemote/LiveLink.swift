import ConversationModel
import NIOCore
import Synchronization
import Wire

/// What goes on over one socket of the live door: questions with their answers, and the events for one
/// reader.
///
/// Events wait up to `Limits.liveEvents` and `Limits.liveBacklogBytes`; then nothing is read from the
/// socket, answers neither, until half of them are taken. The server gives up a client that stays behind.
final class LiveLink: Sendable {
  private typealias Answer = Result<LiveReply.Kind, ConversationError>
  private typealias Next = Result<LiveEvent?, ConversationError>

  private struct Question {
    let continuation: CheckedContinuation<Answer, Never>
    let timeout: Scheduled<Void>
  }

  private struct Waiting {
    let event: LiveEvent
    let bytes: Int
  }

  private enum End {
    /// By this side.
    case closed
    case failed(ConversationError)

    var next: Next {
      switch self {
      case .closed: .success(nil)
      case .failed(let error): .failure(error)
      }
    }

    var error: ConversationError {
      switch self {
      case .closed: ConversationError(.unavailable, "The connection was closed.")
      case .failed(let error): error
      }
    }
  }

  private struct State {
    /// The connection that is to become a socket.
    var opening: (any Channel)?
    var channel: (any Channel)?
    var asked: [Int: Question] = [:]
    var lastRef = 0
    var events: [Waiting] = []
    var bytes = 0
    var isHeldBack = false
    var reader: CheckedContinuation<Next, Never>?
    /// The version up to which the reader is told of everything; nil before it is attached.
    var known: Version?
    var isTyping = false
    var end: End?

    /// For as many events and bytes as `share` of the bounds.
    func hasRoom(for share: Int = 1) -> Bool {
      events.count < Limits.liveEvents / share && bytes < Limits.liveBacklogBytes / share
    }
  }

  /// For one answer.
  private let patience: TimeAmount
  private let state = Mutex(State())

  init(patience: TimeAmount) {
    self.patience = patience
  }

  // MARK: Asking

  /// A connection that is to become the socket; a link that was closed meanwhile closes it.
  func willOpen(_ channel: any Channel) {
    use { $0.opening = channel }
  }

  /// It has become the socket.
  func open(_ channel: any Channel) {
    use { ($0.opening, $0.channel) = (nil, channel) }
  }

  private func use(_ change: (inout State) -> Void) {
    let isEnded = state.withLock { state in
      change(&state)
      return state.end != nil
    }
    if isEnded { closeSocket() }
  }

  /// Sends a frame and waits for its answer.
  ///
  /// - Throws: What the server answers; `.tooLarge` for a frame that it does not read; `.unavailable` if
  ///   nothing came in time, for one frame too many at a time, or when the socket ends.
  func ask(_ kind: LiveRequest.Kind) async throws(ConversationError) -> LiveReply.Kind {
    let (channel, ref) = state.withLock { state in
      state.lastRef += 1
      return (state.channel, state.lastRef)
    }
    guard let channel else { throw ConversationError(.unavailable, "The connection is not open.") }
    let bytes = try LiveRequest.bytes(kind, ref: ref)
    guard bytes.count <= Limits.frameBytes else {
      throw ConversationError(.tooLarge, "A frame holds at most \(Limits.frameBytes) bytes.")
    }
    let answer = await withCheckedContinuation { (continuation: CheckedContinuation<Answer, Never>) in
      let timeout = channel.eventLoop.scheduleTask(in: patience) { [weak self] () -> Void in
        self?.answer(ref, .failure(ConversationError(.unavailable, "The server did not answer in time.")))
      }
      let refusal = state.withLock { state -> ConversationError? in
        if let end = state.end { return end.error }
        guard state.asked.count < Limits.liveSends else {
          return ConversationError(.unavailable, "Too many messages wait for their answers on this connection.")
        }
        state.asked[ref] = Question(continuation: continuation, timeout: timeout)
        // The server takes a message for the end of typing.
        switch kind {
        case .send, .turn: state.isTyping = false
        default: break
        }
        return nil
      }
      if let refusal {
        timeout.cancel()
        continuation.resume(returning: .failure(refusal))
      } else {
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
      }
    }
    return try answer.get()
  }

  /// Sends the latest of what is not worth an answer.
  func typing(_ isTyping: Bool) {
    let (channel, ref) = state.withLock { state -> ((any Channel)?, Int) in
      guard state.end == nil, state.isTyping != isTyping else { return (nil, 0) }
      state.isTyping = isTyping
      state.lastRef += 1
      return (state.channel, state.lastRef)
    }
    // With a number, so that a refusal of this is not taken for the end.
    guard let channel, let bytes = try? LiveRequest.bytes(.typing(isTyping), ref: ref) else { return }
    channel.triggerUserOutboundEvent(SocketWish.say(ByteBuffer(bytes: bytes)), promise: nil)
  }

  private func answer(_ ref: Int, _ answer: Answer) {
    guard let question = state.withLock({ $0.asked.removeValue(forKey: ref) }) else { return }
    question.timeout.cancel()
    question.continuation.resume(returning: answer)
  }

  // MARK: Hearing

  /// Takes in a frame of the server's.
  ///
  /// - Returns: Whether there is room for another one.
  /// - Throws: `.internal` for one that cannot be read; nothing behind it can be trusted.
  func take(_ bytes: ByteBuffer) throws(ConversationError) -> Bool {
    let reply = try bytes.withUnsafeReadableBytes { (bytes) throws(ConversationError) in try LiveReply(bytes) }
    switch reply.kind {
    case .event(let version, let changes): push(version, .changes(version, changes), bytes.readableBytes)
    case .resync(let version?): push(nil, .resync(version), bytes.readableBytes)
    // Whoever attaches again is given what it needs.
    case .resync(nil): fail(.brokenConnection("Too much changed at once."))
    case .presence(let presence): push(nil, .presence(presence), bytes.readableBytes)
    case .stored(let delivery): push(nil, .stored(delivery), bytes.readableBytes)
    case .draft(let turn, let text): push(nil, .draft(turn: turn, text: text), bytes.readableBytes)
    case .delta(let turn, let offset, let text):
      push(nil, .delta(turn: turn, offset: offset, text: text), bytes.readableBytes)
    case .tool(let turn, let use): push(nil, .tool(turn: turn, use), bytes.readableBytes)
    case .done(let turn, let message, let failure):
      push(nil, .done(turn: turn, message, failure: failure), bytes.readableBytes)
    case .error(let error):
      if let ref = reply.ref { answer(ref, .failure(error)) } else { fail(error) }
    case .attached(let start):
      state.withLock { $0.known = start.version }
      if let ref = reply.ref { answer(ref, .success(reply.kind)) }
    case .ack, .began, .cancelled, .switched, .history, .watching, .detached, .pong:
      if let ref = reply.ref { answer(ref, .success(reply.kind)) }
    case .hint, .unknown: break
    }
    return state.withLock { state in
      state.isHeldBack = !state.hasRoom() && state.end == nil
      return !state.isHeldBack
    }
  }

  /// - Parameter version: Of an event that must be the next one.
  private func push(_ version: Version?, _ event: LiveEvent, _ bytes: Int) {
    let hole = state.withLock { state -> Bool in
      guard state.end == nil, let known = state.known else { return false }
      if let version {
        guard version > known else { return false }
        guard version == known + 1 else { return true }
        state.known = version
      } else if case .resync(let version) = event {
        state.known = version
      }
      if let reader = state.reader {
        state.reader = nil
        reader.resume(returning: .success(event))
        return false
      }
      // Of those who are there only the latest counts.
      if case .presence = event, let last = state.events.last, case .presence = last.event {
        state.bytes -= state.events.removeLast().bytes
      }
      state.bytes += bytes
      if let last = state.events.last, let joined = last.event.joined(with: event) {
        state.events[state.events.count - 1] = Waiting(event: joined, bytes: last.bytes + bytes)
      } else {
        state.events.append(Waiting(event: event, bytes: bytes))
      }
      return false
    }
    if hole { fail(.brokenConnection("A change was lost on the way.")) }
  }

  /// The next event; nil once this side has closed, and for a task that is cancelled.
  func next() async throws(ConversationError) -> LiveEvent? {
    let next = await withTaskCancellationHandler {
      await withCheckedContinuation { (reader: CheckedContinuation<Next, Never>) in
        if let next = take(for: reader) { reader.resume(returning: next) }
      }
    } onCancel: {
      let reader = state.withLock { state in
        defer { state.reader = nil }
        return state.reader
      }
      reader?.resume(returning: .success(nil))
    }
    return try next.get()
  }

  /// What there is already; nil if the reader has to wait, and then it is kept.
  private func take(for reader: CheckedContinuation<Next, Never>) -> Next? {
    let (next, resumed) = state.withLock { state -> (Next?, (any Channel)?) in
      // Asked under the lock: a later cancellation finds the reader.
      if Task.isCancelled { return (.success(nil), nil) }
      if let first = state.events.first {
        state.events.removeFirst()
        state.bytes -= first.bytes
        guard state.isHeldBack, state.hasRoom(for: 2) else { return (.success(first.event), nil) }
        state.isHeldBack = false
        return (.success(first.event), state.channel)
      }
      if let end = state.end { return (end.next, nil) }
      guard state.reader == nil else {
        return (.failure(ConversationError(.internal, "A live connection is for one reader at a time.")), nil)
      }
      state.reader = reader
      return (nil, nil)
    }
    resumed?.triggerUserOutboundEvent(SocketWish.readOn, promise: nil)
    return next
  }

  // MARK: Ending

  /// The socket has ended, or must not be used any more. What waits is still told; the first reason counts.
  func end(_ error: ConversationError) { end(.failed(error)) }

  /// Ends what was begun here, and closes the socket. Idempotent.
  func close() {
    end(.closed)
    closeSocket()
  }

  private func fail(_ error: ConversationError) {
    end(error)
    closeSocket()
  }

  private func closeSocket() {
    let (channel, opening) = state.withLock { ($0.channel, $0.opening) }
    channel?.triggerUserOutboundEvent(SocketWish.close, promise: nil)
    opening?.close(promise: nil)
  }

  private func end(_ end: End) {
    let (asked, reader, first) = state.withLock { state in
      defer { (state.asked, state.reader) = ([:], nil) }
      if case .closed = end {
        // Who has closed wants to hear nothing more.
        (state.events, state.bytes) = ([], 0)
        state.end = .closed
      } else if state.end == nil {
        state.end = end
      }
      return (state.asked, state.reader, state.end ?? end)
    }
    for question in asked.values {
      question.timeout.cancel()
      question.continuation.resume(returning: .failure(first.error))
    }
    reader?.resume(returning: first.next)
  }
}
