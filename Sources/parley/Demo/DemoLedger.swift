import ConversationModel
import StoreSQL
import StoreSQLite
import Synchronization

/// What the users of a demo were promised: every message that was acknowledged to them, and every answer that they saw
/// come to its end. In the end it is held against the store.
final class DemoLedger: Sendable {
  private struct Promise {
    let conversation: ConversationID
    let revision: Int
    let text: Int
  }

  private struct State {
    var promises: [MessageID: Promise] = [:]
    var spooled = 0
    var outages = 0
  }

  private let state = Mutex(State())

  /// A command was accepted.
  func note(_ receipt: Receipt) {
    receipt.messages.forEach(note)
    guard receipt.durability == .spooled, !receipt.isReplay else { return }
    state.withLock { $0.spooled += receipt.messages.count }
  }

  /// A message was shown as it is kept; one that is being written, or was cut off, promises nothing.
  func note(_ message: Message) {
    guard message.status == .complete else { return }
    let promise = Promise(
      conversation: message.conversationID, revision: message.revision, text: message.content.hashValue)
    state.withLock { state in
      if state.promises[message.id]?.revision ?? 0 < promise.revision { state.promises[message.id] = promise }
    }
  }

  func noteOutage() { state.withLock { $0.outages += 1 } }

  // MARK: The end

  /// What became of the promises.
  struct Count: Sendable {
    var acknowledged: Int
    var spooled: Int
    var outages: Int
    /// Under its id, with the text that was acknowledged or one that it was given later.
    var found: Int
    /// What an audit of every tree found wrong.
    var findings: Int

    var lost: Int { acknowledged - found }
  }

  /// Reads everything back from the file of a store that nobody works with any more.
  ///
  /// - Throws: What the store throws: then nothing is known.
  func count(inStoreAt path: String) async throws -> Count {
    let open = try OpenStore(path: path, access: .reader)
    defer { open.driver.close() }
    try await open.requireCurrentSchema()
    let (promises, spooled, outages) = state.withLock { ($0.promises, $0.spooled, $0.outages) }
    var count = Count(acknowledged: promises.count, spooled: spooled, outages: outages, found: 0, findings: 0)
    for (conversation, promised) in Dictionary(grouping: promises, by: \.value.conversation) {
      let stored = try await Self.messages(of: conversation, in: open.store)
      count.found += promised.count { id, promise in
        guard let message = stored[id] else { return false }
        return message.revision > promise.revision
          || message.revision == promise.revision && message.content.hashValue == promise.text
      }
    }
    _ = try await open.store.audit { _ in count.findings += 1 }
    return count
  }

  /// On all branches; none of a conversation that is not there.
  private static func messages(
    of conversation: ConversationID, in store: some Store
  ) async throws -> [MessageID: Message] {
    var messages: [MessageID: Message] = [:]
    var version: Version? = 0
    while let since = version {
      let changes: Changes
      do throws(ConversationError) {
        changes = try await store.changes(
          in: conversation, since: since, limit: Limits.pageItems.upperBound, as: .service)
      } catch {
        guard error.code == .notFound else { throw error }
        return [:]
      }
      for case .message(let message) in changes.changes.map(\.row) { messages[message.id] = message }
      version = changes.hasMore ? changes.version : nil
    }
    return messages
  }
}

extension DemoLedger.Count: CustomStringConvertible {
  /// What a demo says when it is over.
  var description: String {
    func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
    return "demo: \(counted(acknowledged, "message")) acknowledged, \(spooled) of them by the spool; "
      + "\(counted(outages, "outage")) of the store; \(found) found in the store in the end, lost \(lost); "
      + (findings == 0 ? "every tree is sound" : counted(findings, "finding"))
  }
}
