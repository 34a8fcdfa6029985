public import ConversationModel
import Synchronization

extension SQLStore: ReplayableStore {
  public func apply(
    _ command: Command, preset: Preset, as principal: Principal
  ) async throws(ConversationError) -> Receipt {
    let receipt: Receipt
    switch command {
    case .append(let append):
      try command.validate()
      guard preset.messages.count == append.messages.count else {
        throw ConversationError(.internal, "An append came with ids for other messages.")
      }
      receipt = try await write { connection in
        try self.append(append, preset: preset, as: principal, on: connection)
      }
    case .open(let open):
      try command.validate()
      receipt = try await apply(open, preset: preset, as: principal)
    default:
      // Nothing else names its ids.
      return try await apply(command, as: principal)
    }
    commands.add()
    return receipt
  }

  public func append(
    inOrder appends: [(append: Append, preset: Preset)], as principal: Principal
  ) async -> [Result<Receipt, ConversationError>] {
    let course = Course()
    let bodies = appends.map { append, preset in
      { @Sendable (connection: Driver.Connection) throws -> Receipt in
        try course.go(on: append) { append in
          try Command.append(append).validate()
          return try self.append(append, preset: preset, as: principal, on: connection)
        } made: { receipt in
          zip(preset.messages, receipt.messages.map(\.id))
        }
      }
    }
    return await driver.write(inOrder: bodies).map { result in
      result.map { receipt in
        commands.add()
        return receipt
      }.mapError(Self.conversationError)
    }
  }

  public func probe() async throws(ConversationError) {
    try await write { _ in }
    // An empty transaction writes nothing, so the driver is asked for what it noticed by itself.
    if let refusal = driver.health().refusal { throw ConversationError(.unavailable, refusal) }
    _ = try await read { connection in
      try connection.first(Statements.conversationByID, [.id(high: 0, low: 0)]) { $0.isNull(0) }
    }
  }

  public func giveUp(olderThan age: Duration) { driver.giveUp(olderThan: age) }
}

/// What appends that follow each other know of those before.
private final class Course: Sendable {
  private struct State {
    /// What the store calls messages that were to be called otherwise.
    var ids: [MessageID: MessageID] = [:]
    /// A fault of the store's: it may be this append's alone, but the next must not overtake it.
    var fault: (any Error)?
  }

  private let state = Mutex(State())

  func go<IDs: Sequence<(MessageID, MessageID)>>(
    on append: Append, _ apply: (Append) throws -> Receipt, made: (Receipt) -> IDs
  ) throws -> Receipt {
    var append = append
    let (parent, fault) = state.withLock { state in (append.parent.map { state.ids[$0] ?? $0 }, state.fault) }
    if let fault { throw fault }
    append.parent = parent
    do {
      let receipt = try apply(append)
      let renamed = made(receipt).filter { $0 != $1 }
      if !renamed.isEmpty { state.withLock { for (id, real) in renamed { $0.ids[id] = real } } }
      return receipt
    } catch {
      if !(error is ConversationError) { state.withLock { $0.fault = error } }
      throw error
    }
  }
}
