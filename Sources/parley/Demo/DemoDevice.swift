import ConversationModel
import StoreRemote
import Synchronization

/// One device of a traveller's on one session: attached over a WebSocket, gone now and then, and back again where it
/// left off.
final class DemoDevice: Sendable {
  let remote: RemoteStore
  private let user: UserID
  private let conversation: ConversationID
  private let ledger: DemoLedger

  private struct State {
    var connection: (any LiveConnection)?
    /// The last one that it heard of; it comes back with it.
    var version: Version?
    /// Answers that it saw come to an end.
    var ended: Set<MessageID> = []
  }

  private let state = Mutex(State())
  private static let presentSeconds = 25.0...120.0
  private static let absentSeconds = 2.0...9.0

  init(_ remote: RemoteStore, of user: UserID, in conversation: ConversationID, ledger: DemoLedger) {
    (self.remote, self.user, self.conversation, self.ledger) = (remote, user, conversation, ledger)
  }

  /// Nil while it is away.
  var connection: (any LiveConnection)? { state.withLock { $0.connection } }

  /// Whether it saw an answer come to its end.
  func hasSeenEnd(of turn: MessageID) -> Bool { state.withLock { $0.ended.contains(turn) } }

  /// Comes and goes until the task is cancelled.
  func follow(_ random: DemoRandom) async {
    var random = random
    while !Task.isCancelled {
      do throws(ConversationError) {
        let since = state.withLock { $0.version }
        let connection = try await remote.attach(
          Attach(.conversation(conversation), since: since), as: .user(user))
        let stay = random.seconds(Self.presentSeconds)
        await withTaskGroup { group in
          group.addTask { await self.listen(to: connection) }
          group.addTask { try? await Task.sleep(for: stay) }
          await group.next()
          group.cancelAll()
        }
        state.withLock { $0.connection = nil }
        connection.close()
      } catch {
        // Not to be had at the moment; it comes again, as apps do.
      }
      try? await Task.sleep(for: random.seconds(Self.absentSeconds))
    }
  }

  private func listen(to connection: any LiveConnection) async {
    if case .missed(let changes) = connection.start.content { changes.forEach(take) }
    state.withLock { ($0.connection, $0.version) = (connection, connection.start.version) }
    do throws(ConversationError) {
      while let event = try await connection.next() {
        switch event {
        case .changes(let version, let changes):
          changes.forEach(take)
          state.withLock { $0.version = version }
        case .resync(let version): state.withLock { $0.version = version }
        // An answer that has ended is a change, too.
        case .presence, .stored, .draft, .delta, .tool, .done: break
        }
      }
    } catch {
      // It attaches again.
    }
  }

  private func take(_ change: Changes.Change) {
    guard case .message(let message) = change.row, message.role == .assistant, message.status != .streaming
    else { return }
    ledger.note(message)
    state.withLock { _ = $0.ended.insert(message.id) }
  }
}
