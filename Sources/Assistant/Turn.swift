public import ConversationModel
import Synchronization

/// One answer that is being written, or was: what it says so far, for any number of readers, each from where it likes.
///
/// Its id is that of the message that it writes. It goes on whoever reads along.
public final class Turn: Sendable {
  /// What happens to an answer.
  public enum Event: Sendable {
    /// Text that goes on behind `offset` Unicode scalars.
    case delta(offset: Int, text: String)
    case tool(ToolUse)
    /// Why it ends early; `done` follows.
    case failed(ConversationError)
    /// The last one: the message as it is stored.
    case done(Message)
  }

  public let id: MessageID
  public let conversation: ConversationID
  public let branch: BranchNumber
  /// The version of the conversation that has the answer's place.
  public let version: Version
  public let since: Timestamp

  private struct State {
    var text = ""
    var scalars = 0
    /// With the place in the text, in bytes, behind which each was run.
    var tools: [(use: ToolUse, offset: Int)] = []
    var failure: ConversationError?
    var end: Message?
    var readers: [Int: CheckedContinuation<Void, Never>] = [:]
    var lastReader = 0
  }

  private let state = Mutex(State())
  /// Gives one when somebody wants no more of it.
  let cancels: AsyncStream<Void>
  private let cancelSignal: AsyncStream<Void>.Continuation

  init(_ answer: Message, version: Version) {
    (id, conversation, branch) = (answer.id, answer.conversationID, answer.branch)
    (self.version, since) = (version, answer.createdAt)
    (cancels, cancelSignal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    guard answer.status != .streaming else { return }
    // Whoever asks again reads it as if it had come just now.
    if answer.status != .deleted { _ = append(answer.content) }
    end(answer)
  }

  /// The stored message; nil while it is being written.
  public var answer: Message? { state.withLock { $0.end } }

  /// What it says so far.
  public var text: String { state.withLock { $0.text } }

  /// Whoever reads hears it from the start, then as it comes, up to `done`; a reader that is cancelled hears no more.
  public var events: Events { Events(turn: self) }

  public struct Events: AsyncSequence, Sendable {
    fileprivate let turn: Turn

    public struct AsyncIterator: AsyncIteratorProtocol {
      fileprivate let turn: Turn
      fileprivate var place = Place()

      public mutating func next() async -> Event? {
        while !Task.isCancelled {
          if let event = turn.event(at: &place) { return event }
          guard !place.isDone else { return nil }
          await turn.wait(behind: place)
        }
        return nil
      }

      /// The next event, or `silence` if it takes longer; nil behind the last.
      public mutating func step(within patience: Duration) async -> Step? {
        if let event = turn.event(at: &place) { return .event(event) }
        guard !place.isDone, !Task.isCancelled else { return nil }
        let (turn, place) = (turn, place)
        await withTaskGroup { group in
          group.addTask { await turn.wait(behind: place) }
          group.addTask { try? await Task.sleep(for: patience) }
          await group.next()
          group.cancelAll()
        }
        if let event = turn.event(at: &self.place) { return .event(event) }
        return Task.isCancelled ? nil : .silence
      }
    }

    /// What a reader that may not be left alone for long gets next.
    public enum Step: Sendable {
      case event(Event)
      /// Nothing came for so long.
      case silence
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(turn: turn) }
  }

  /// How far a reader has come.
  fileprivate struct Place {
    var bytes = 0
    var scalars = 0
    var tools = 0
    var hasFailed = false
    var isDone = false
  }

  private static func event(_ state: borrowing State, at place: inout Place) -> Event? {
    if place.isDone { return nil }
    let tool = place.tools < state.tools.count ? state.tools[place.tools] : nil
    if let tool, tool.offset <= place.bytes {
      place.tools += 1
      return .tool(tool.use)
    }
    let utf8 = state.text.utf8
    let until = tool?.offset ?? utf8.count
    if until > place.bytes {
      let start = utf8.index(utf8.startIndex, offsetBy: place.bytes)
      let text = String(state.text[start..<utf8.index(utf8.startIndex, offsetBy: until)])
      defer {
        place.bytes = until
        place.scalars += text.unicodeScalars.count
      }
      return .delta(offset: place.scalars, text: text)
    }
    if let failure = state.failure, !place.hasFailed {
      place.hasFailed = true
      return .failed(failure)
    }
    guard let end = state.end else { return nil }
    place.isDone = true
    return .done(end)
  }

  /// Whether there is an event: without the text of it, which whoever waits has no use for yet.
  private static func hasMore(_ state: borrowing State, behind place: Place) -> Bool {
    !place.isDone
      && (state.text.utf8.count > place.bytes || state.tools.count > place.tools
        || state.failure != nil && !place.hasFailed || state.end != nil)
  }

  private func event(at place: inout Place) -> Event? { state.withLock { Self.event($0, at: &place) } }

  /// Waits until there is more than a reader knows, or its task is cancelled.
  private func wait(behind place: Place) async {
    let reader = state.withLock { state in
      state.lastReader += 1
      return state.lastReader
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state in
          if Self.hasMore(state, behind: place) || Task.isCancelled { return true }
          state.readers[reader] = continuation
          return false
        }
        if isReady { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.readers.removeValue(forKey: reader) }?.resume()
    }
  }

  // MARK: Writing it, by one task

  /// - Returns: The offset of the text, in scalars.
  func append(_ text: String) -> Int {
    change { state in
      defer {
        state.text += text
        state.scalars += text.unicodeScalars.count
      }
      return state.scalars
    }
  }

  func used(_ tool: ToolUse) { change { $0.tools.append((tool, $0.text.utf8.count)) } }

  func fail(_ error: ConversationError) { change { $0.failure = error } }

  func end(_ message: Message) {
    change { $0.end = message }
    cancelSignal.finish()
  }

  var tools: [ToolUse] { state.withLock { $0.tools.map(\.use) } }

  /// Nothing more is wanted. Never waits.
  func cancel() { cancelSignal.yield() }

  private func change<Value>(_ body: (inout State) -> Value) -> Value {
    let (value, readers) = state.withLock { state in
      let value = body(&state)
      defer { state.readers = [:] }
      return (value, Array(state.readers.values))
    }
    readers.forEach { $0.resume() }
    return value
  }
}
