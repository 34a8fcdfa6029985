import ConversationModel
import Foundation
import StoreSQLite
import Testing

@testable import StoreSQL

/// Imports that come in each other's way, or in that of an erasure.
@Suite struct RestorationTests {
  private let user = UserID(high: 0x0190_0000_0000_7000, low: 1 << 63)

  /// A conversation as it is taken out, which the store has no more.
  private func erased(
    _ store: TestStore
  ) async throws -> (archive: ArchivedConversation, messages: [ArchivedMessage], file: [UInt8]) {
    let id = try await opened(store, user, .named("phone"))
    for number in 1...3 { try await append(store, id, "message \(number)", user) }
    let archive = try await store.archivedConversation(id, as: .user(user))
    let key = BranchKey(id, Branch.trunk)
    let messages = try await store.archivedMessages(of: key, after: 0, as: .user(user))
    let file = try await document(of: id, in: store)
    _ = try await store.apply(.erase(id), as: .user(user))
    return (archive, messages, file)
  }

  @Test func `an import that has ended does nothing to the next one of its conversation`() async throws {
    try await withStore { store in
      let (archive, messages, _) = try await erased(store)
      var first = try #require(try await store.beginRestoring(archive, as: .user(user)))
      try await store.restore(messages, of: &first)
      _ = try await store.apply(.eraseUser(user), as: .user(user))
      var second = try #require(try await store.beginRestoring(archive, as: .user(user)))
      #expect(second.id == first.id)
      try await store.restore([messages[0]], of: &second)

      let late = first
      await #expect(throws: ConversationError.self) { try await store.finishRestoring(late) }
      await store.abandonRestoring(first)
      #expect(try await store.conversations(ConversationFilter(), PageRequest(), as: .user(user)).items == [])
      try await store.restore(Array(messages.dropFirst()), of: &second)
      #expect(try await store.finishRestoring(second).messageCount == 3)
      try await expectSound(store)
    }
  }

  @Test func `what is being erased keeps its id from nobody for long`() async throws {
    try await withStore { store in
      let (archive, _, file) = try await erased(store)
      let begun = try #require(try await store.beginRestoring(archive, as: .user(user)))
      // As a killed process leaves it: hidden, and nobody's import.
      store.restorations.endAll(of: user)
      await #expect {
        _ = try await store.beginRestoring(archive, as: .user(user))
      } throws: { error in
        (error as? ConversationError)?.rule == .beingErased
      }
      try await withThrowingTaskGroup { group in
        group.addTask { await store.run() }
        let report = try await take(file, into: store, as: .user(user))
        #expect(report.conversations == 1 && report.messages == 3)
        group.cancelAll()
      }
      let shown = try await store.conversations(ConversationFilter(), PageRequest(), as: .user(user)).items
      #expect(shown.map(\.id) == [begun.id])
      let again = try await take(file, into: store, as: .user(user))
      #expect(again.conversations == 0 && again.presentCount == 1)
      try await expectSound(store)
    }
  }

  @Test func `what came under its second id does not come again under the first`() async throws {
    try await withStore { store in
      let (_, _, file) = try await erased(store)
      let other = UserID(high: 0x0190_0000_0000_7001, low: 1 << 63)
      // Another user's has the id for a while.
      #expect(try await take(file, into: store, as: .user(other)).conversations == 1)
      #expect(try await take(file, into: store, as: .user(user)).conversations == 1)
      _ = try await store.apply(.eraseUser(other), as: .user(other))
      #expect(try await take(file, into: store, as: .user(user)).presentCount == 1)
      #expect(try await store.conversations(ConversationFilter(), PageRequest(), as: .user(user)).items.count == 1)
    }
  }
}
