import ConversationModel
import StoreSQL
import StoreSQLite
import Testing

@Suite struct EraseTests {
  @Test(arguments: Backend.allCases)
  func `an erased conversation is gone with everything in it, and its session is free`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let conversation = try await store.opened(user, "phone")
      let other = try await store.opened(user, "web")
      let message = try await store.appended((1...7).map { "\($0)" }, to: conversation)[0]
      let erasure = try #require(try await store.apply(.erase(conversation.id), as: .user(user)).erasure)
      #expect(erasure == Erasure(isComplete: true, conversations: 1, branches: 1, messages: 7, revisions: 0))
      #expect(await code { _ = try await store.conversation(.id(conversation.id), as: .user(user)) } == .notFound)
      #expect(await code { _ = try await store.message(message.id, as: .user(user)) } == .notFound)
      #expect(await code { _ = try await store.apply(.erase(conversation.id), as: .user(user)) } == .notFound)
      #expect(try await store.conversations(ConversationFilter(), PageRequest(), as: .user(user)).items == [other])
      let again = try await store.opened(user, "phone")
      #expect(again.id != conversation.id)
      #expect(try await store.page(again).messages.isEmpty)
    }
  }

  @Test(arguments: Backend.allCases)
  func `an erased default conversation makes place for another`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let open = Command.open(OpenConversation(user: user, session: .default))
      let first = try #require(try await store.apply(open, as: .user(user)).conversation)
      _ = try await store.apply(.erase(first.id), as: .user(user))
      let second = try #require(try await store.apply(open, as: .user(user)).conversation)
      #expect(second.isDefault && second.id != first.id)
    }
  }

  @Test func `a large erasure is finished in the background, also by the next start`() async throws {
    try await withDirectory { directory in
      let count = Limits.eraseRows * (Limits.eraseStepsAwaited + 3)
      let user = newUser()
      let path = directory + "/parley.sqlite"
      do {
        let driver = try SQLiteDriver(path: path)
        defer { driver.close() }
        let store = SQLStore(driver)
        try await store.migrate()
        let conversation = try await store.opened(user, "phone")
        let keep = try await store.opened(user, "web")
        try await store.appended(["kept"], to: keep)
        try await store.appended((1...count).map { "\($0)" }, to: conversation)
        let erasure = try #require(try await store.apply(.erase(conversation.id), as: .user(user)).erasure)
        // Nobody finishes erasures here, so what was not awaited is left, but hidden at once.
        #expect(!erasure.isComplete)
        #expect(erasure.messages == count)
        #expect(
          try await driver.read { try $0.count("SELECT count(*) FROM pam_messages") }
            == 1 + count - Limits.eraseRows * (Limits.eraseStepsAwaited + 1))
        #expect(await code { _ = try await store.page(conversation) } == .notFound)
        #expect(try await store.opened(user, "phone").id != conversation.id)
        try await expectSound(store, driver)
      }
      let driver = try SQLiteDriver(path: path)
      defer { driver.close() }
      let store = SQLStore(driver)
      let finishing = Task { await store.run() }
      defer { finishing.cancel() }
      while try await driver.read({ try $0.count("SELECT count(*) FROM pam_messages") }) != 1 {
        try await Task.sleep(for: .milliseconds(20))
      }
      while try await driver.read({ try $0.count("SELECT count(*) FROM pam_conversations WHERE erasing = 1") }) != 0 {
        try await Task.sleep(for: .milliseconds(20))
      }
      try await expectSound(store, driver)
    }
  }
}

extension SQLiteConnection {
  /// The number in the first column of the first row.
  func count(_ sql: String) throws -> Int {
    var count = 0
    try forEachRow(SQLStatement(sql), []) { count = try $0.integer(0) }
    return count
  }
}
