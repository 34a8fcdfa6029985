import ConversationModel
import Testing

@Suite struct OrderTests {
  @Test(arguments: Backend.allCases)
  func `16 concurrent writers get dense positions, each in its own order`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let conversation = try await store.opened(user)
      let (writers, each) = (16, 25)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for writer in 0..<writers {
          group.addTask {
            for number in 0..<each { try await store.appended(["\(writer) \(number)"], to: conversation) }
          }
        }
        try await group.waitForAll()
      }
      var texts: [String] = []
      var positions: [Int] = []
      var part = MessagePageRequest.Part.after(.position(1))
      let first = try await store.page(conversation, .around(.position(1)), limit: 1)
      texts += first.messages.map(\.content)
      positions += first.messages.map(\.position)
      while true {
        let page = try await store.page(conversation, part, limit: 200)
        texts += page.messages.map(\.content)
        positions += page.messages.map(\.position)
        guard let after = page.after else { break }
        part = .after(.cursor(after))
      }
      #expect(positions == Array(1...writers * each))
      for writer in 0..<writers {
        let mine = texts.filter { $0.hasPrefix("\(writer) ") }
        #expect(mine == (0..<each).map { "\(writer) \($0)" })
      }
      let after = try await store.conversation(.id(conversation.id), as: .user(user))
      #expect(after.version == 1 + writers * each)
      #expect(after.messageCount == writers * each && after.headPosition == writers * each)
    }
  }

  @Test(arguments: Backend.allCases)
  func `an append after the head goes on, after anything else it can be rejected`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let (one, two) = (try await store.opened(user), try await store.opened(user))
      let messages = try await store.appended(["a", "b"], to: one)
      let foreign = try await store.appended(["x"], to: two)[0]
      func append(after parent: MessageID, branch: Int? = nil) async throws -> Receipt {
        try await store.apply(
          .append(
            Append(
              to: one.id, [NewMessage(role: .assistant, content: "c")], parent: parent, branch: branch,
              onConflict: .reject)),
          as: .user(user))
      }
      #expect(await code { _ = try await append(after: messages[0].id) } == .conflict)
      #expect(await code { _ = try await append(after: foreign.id) } == .notFound)
      #expect(await code { _ = try await append(after: MessageID(high: 1, low: 1)) } == .notFound)
      #expect(await code { _ = try await append(after: messages[1].id, branch: 7) } == .notFound)
      let receipt = try await append(after: messages[1].id, branch: 0)
      #expect(receipt.messages.map(\.position) == [3])
      // A repeat is answered as such although its parent is no head any more.
      let named = Append(
        to: one.id, [NewMessage(role: .user, content: "d", clientID: "d")], parent: receipt.messages[0].id)
      _ = try await store.apply(.append(named), as: .user(user))
      try await store.appended(["e"], to: one)
      #expect(try await store.apply(.append(named), as: .user(user)).isReplay)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a refused append changes nothing, and its neighbours are stored`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let conversation = try await store.opened(user)
      let taken = NewMessage(role: .user, content: "taken", clientID: "taken")
      _ = try await store.apply(.append(Append(to: conversation.id, [taken])), as: .user(user))
      let outcomes = await withTaskGroup(of: Bool.self) { group in
        for number in 0..<40 {
          group.addTask {
            let isGood = number % 2 == 0
            let message = NewMessage(role: .user, content: "\(number)", clientID: isGood ? "\(number)" : "taken")
            let receipt = try? await store.apply(.append(Append(to: conversation.id, [message])), as: .user(user))
            return (receipt != nil) == isGood
          }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.allSatisfy { $0 })
      let page = try await store.page(conversation, limit: 100)
      #expect(page.messages.map(\.position) == Array(1...21))
      #expect(Set(page.messages.map(\.content)) == Set(["taken"] + stride(from: 0, to: 40, by: 2).map { "\($0)" }))
    }
  }
}
