import Synchronization

/// The events of one answer, in order, for one reader: text, then calls, then the finish. An answer that does
/// not come to its end throws a ``ModelError`` behind what had arrived; one whose reader is cancelled throws
/// `.cancelled`.
///
/// It holds one event, or ``backlogBytes`` of text in one piece: whoever is slow gets longer texts, and who
/// is slower still keeps the service waiting.
public struct ModelAnswer: AsyncSequence, Sendable {
  public typealias Element = ModelEvent
  public typealias Failure = ModelError

  /// Bytes of text that wait for the reader: a second of the fastest model.
  public static let backlogBytes = 16_384

  let slot: AnswerSlot

  public struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let slot: AnswerSlot

    public mutating func next() async throws -> ModelEvent? { try await slot.take() }

    public mutating func next(
      isolation actor: isolated (any Actor)? = #isolation
    ) async throws(ModelError) -> ModelEvent? {
      try await slot.take()
    }
  }

  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(slot: slot) }

  /// Runs `produce` beside `body`, which reads what it writes, and ends it when `body` ends.
  static func read<Value>(
    from produce: @escaping @Sendable (AnswerSlot) async throws(ModelError) -> Void,
    _ body: (ModelAnswer) async throws -> Value
  ) async throws -> Value {
    let slot = AnswerSlot()
    return try await withThrowingTaskGroup(of: Void.self) { group in
      defer { group.cancelAll() }
      group.addTask {
        do throws(ModelError) {
          try await produce(slot)
          slot.end(nil)
        } catch {
          slot.end(error)
        }
      }
      let value = try await body(ModelAnswer(slot: slot))
      if slot.isFinished {
        group.addTask { try await Task.sleep(for: parting) }
        _ = try? await group.next()
      }
      return value
    }
  }

  /// How long a complete answer is given to end by itself before it is ended: its connection lives on then.
  private static let parting = Duration.milliseconds(250)
}

/// A whole answer at once.
public struct WholeAnswer: Sendable, Equatable {
  public var text: String
  public var calls: [ToolCall]
  public var finish: ModelFinish

  public init(text: String = "", calls: [ToolCall] = [], finish: ModelFinish) {
    self.text = text
    self.calls = calls
    self.finish = finish
  }
}

extension LanguageModel {
  /// Asks once, and waits for the end: for a title, not for a user who reads along.
  ///
  /// - Throws: ``ModelError``.
  public func wholeAnswer(to request: ModelRequest) async throws -> WholeAnswer {
    try await withAnswer(to: request) { events in
      var answer = WholeAnswer(finish: ModelFinish(.other))
      for try await event in events {
        switch event {
        case .text(let text): answer.text += text
        case .call(let call): answer.calls.append(call)
        case .finish(let finish): answer.finish = finish
        }
      }
      return answer
    }
  }
}

/// The place where one event waits: one task puts, one takes, and each waits for the other.
final class AnswerSlot: Sendable {
  private struct State {
    var event: ModelEvent?
    var isOver = false
    /// Whether the answer came to its end: what happens behind that is nobody's business.
    var isFinished = false
    var error: ModelError?
    /// Those who wait: the taker for an event or the end, the putter for room.
    var waiting: [Side: CheckedContinuation<Void, Never>] = [:]

    func isReady(for side: Side) -> Bool {
      switch side {
      case .taker: event != nil || isOver
      case .putter: event == nil
      }
    }

    /// - Returns: False if there is no room.
    mutating func put(_ next: ModelEvent) -> Bool {
      switch (event, next) {
      case (nil, _):
        event = next
      case (.text(let text), .text(let more)) where text.utf8.count + more.utf8.count <= ModelAnswer.backlogBytes:
        event = .text(text + more)
      default:
        return false
      }
      if case .finish = next { (isOver, isFinished) = (true, true) }
      return true
    }

    mutating func wake(_ side: Side) -> CheckedContinuation<Void, Never>? { waiting.removeValue(forKey: side) }
  }

  private enum Side {
    case taker, putter
  }

  private let state = Mutex(State())

  /// Whether the finish has been put.
  var isFinished: Bool { state.withLock { $0.isFinished } }

  /// Waits until there is room. Behind the finish nothing may come.
  ///
  /// - Throws: `.cancelled`.
  func put(_ event: ModelEvent) async throws(ModelError) {
    while true {
      guard !Task.isCancelled else { throw ModelError(.cancelled) }
      let (isPut, taker) = state.withLock { state in
        let isPut = state.put(event)
        return (isPut, isPut ? state.wake(.taker) : nil)
      }
      taker?.resume()
      if isPut { return }
      await wait(.putter)
    }
  }

  /// Nothing comes any more, because of an error or because all is there.
  func end(_ error: ModelError?) {
    let taker = state.withLock { state in
      guard !state.isOver else { return CheckedContinuation<Void, Never>?.none }
      state.isOver = true
      state.error = error
      return state.wake(.taker)
    }
    taker?.resume()
  }

  /// - Returns: Nil at the end.
  func take() async throws(ModelError) -> ModelEvent? {
    while true {
      let (event, isOver, error, putter) = state.withLock { state in
        (state.event.take(), state.isOver, state.error, state.wake(.putter))
      }
      putter?.resume()
      if let event { return event }
      if Task.isCancelled { throw ModelError(.cancelled) }
      if let error { throw error }
      if isOver { return nil }
      await wait(.taker)
    }
  }

  /// Waits until the other side has changed something, or the task is cancelled.
  private func wait(_ side: Side) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          // A cancellation before this line is seen here, one behind it finds the continuation.
          if state.isReady(for: side) || Task.isCancelled { return true }
          state.waiting[side] = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.wake(side) }?.resume()
    }
  }
}

/// Puts events into a slot, and counts them.
struct AnswerWriter: ~Copyable {
  private let slot: AnswerSlot
  private let limits: AnswerLimits
  private var textBytes = 0
  /// Whether anything has been handed on: then the request must not be made again.
  private(set) var hasWritten = false

  init(_ slot: AnswerSlot, _ limits: AnswerLimits) {
    self.slot = slot
    self.limits = limits
  }

  /// - Throws: `.cancelled`, `.tooLarge`.
  mutating func write(_ event: ModelEvent) async throws(ModelError) {
    if case .text(let text) = event {
      guard !text.isEmpty else { return }
      textBytes += text.utf8.count
      guard textBytes <= limits.textBytes else {
        throw ModelError(.tooLarge, "The language model's answer has more than \(limits.textBytes) bytes.")
      }
    }
    hasWritten = true
    try await slot.put(event)
  }
}
