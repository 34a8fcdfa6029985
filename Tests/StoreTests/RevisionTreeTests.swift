import ConversationModel
import Testing

@Suite struct RevisionTreeTests {
  @Test(arguments: Backend.allCases)
  func `an edit in place keeps the old text as a revision, and what follows stays`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["one", "two", "three"])
      let original = try await tree.messages()[1]
      #expect(original.revision == 1 && original.editedAt == nil)
      #expect(try await tree.revisions(original.id).isEmpty)

      let receipt = try await tree.apply(
        .revise(Revise(original.id, content: "zwei", metadata: JSONText(canonical: #"{"a":1}"#))))
      let edited = try #require(receipt.messages.first)
      #expect(edited.content == "zwei" && edited.metadata.text == #"{"a":1}"# && edited.revision == 2)
      #expect(try #require(edited.editedAt) >= edited.createdAt)
      #expect(receipt.version == 3 && !receipt.isReplay && receipt.branch == nil)
      // Everything else is as it was.
      var expected = original
      (expected.content, expected.metadata, expected.revision, expected.editedAt) = (
        edited.content, edited.metadata, 2, edited.editedAt
      )
      #expect(edited == expected)
      #expect(try await tree.message(original.id) == edited)
      #expect(try await tree.texts() == ["one", "zwei", "three"])
      let now = try await tree.now()
      #expect(now.messageCount == 3 && now.branchCount == 1 && now.headPosition == 3)

      let revision = try #require(try await tree.revisions(original.id).first)
      #expect(revision.number == 1 && revision.content == "two" && revision.metadata == .emptyObject)
      #expect(revision.replacedAt == edited.editedAt)
    }
  }

  @Test(arguments: Backend.allCases)
  func `an edit in place changes the content, the metadata or both, and nothing is no edit`(
    backend: Backend
  ) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["one"])
      let id = try await tree.messages()[0].id
      let object = JSONText(canonical: #"{"a":[1,2]}"#)
      var message = try #require(try await tree.apply(.revise(Revise(id, metadata: object))).messages.first)
      #expect(message.content == "one" && message.metadata == object && message.revision == 2)
      message = try await tree.revise(id, "two")
      #expect(message.content == "two" && message.metadata == object && message.revision == 3)
      // The same text again is an edit like any other, and so is an empty one.
      #expect(try await tree.revise(id, "two").revision == 4)
      #expect(try await tree.revise(id, "").content == "")
      #expect(
        try await tree.revisions(id).map { [$0.content, $0.metadata.text] } == [
          ["two", object.text], ["two", object.text], ["one", object.text], ["one", "{}"],
        ])
      #expect(await tree.refusal(of: .revise(Revise(id))) == .invalid)
      let long = String(repeating: "x", count: Limits.contentBytes + 1)
      #expect(await tree.refusal(of: .revise(Revise(id, content: long))) == .tooLarge)
      #expect(await tree.refusal(of: .revise(Revise(id, content: "a\u{0}"))) == .invalid)
      let large = JSONText(canonical: #"{"a":"\#(String(repeating: "x", count: Limits.objectBytes))"}"#)
      #expect(await tree.refusal(of: .revise(Revise(id, metadata: large))) == .tooLarge)
      #expect(try await tree.now().version == 6)
    }
  }

  @Test(arguments: Backend.allCases, [1, 2, 7, 200])
  func `revisions come newest first, a page at a time`(backend: Backend, size: Int) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["text 1", "other"])
      let messages = try await tree.messages()
      for number in 2...15 { try await tree.revise(messages[0].id, "text \(number)") }
      try await tree.revise(messages[1].id, "another")
      var found: [Revision] = []
      var cursor: String?
      repeat {
        let page = try await store.revisions(
          of: messages[0].id, PageRequest(limit: size, cursor: cursor), as: tree.owner)
        #expect(page.items.count == min(size, 14 - found.count))
        found += page.items
        cursor = page.next
        // A later edit does not disturb the rest.
        if cursor != nil { try await tree.revise(messages[0].id, "later") }
      } while cursor != nil
      #expect(found.map(\.number) == Array((1...14).reversed()))
      #expect(found.map(\.content) == (1...14).reversed().map { "text \($0)" })
      #expect(found.map(\.replacedAt) == found.map(\.replacedAt).sorted(by: >))
    }
  }

  @Test(arguments: Backend.allCases)
  func `a cursor of revisions belongs to its message, and a page has limits`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["one", "two"])
      let ids = try await tree.messages().map(\.id)
      for id in ids { for number in 1...3 { try await tree.revise(id, "\(number)") } }
      func read(_ id: MessageID, _ page: PageRequest) async -> ConversationError.Code? {
        await code { _ = try await store.revisions(of: id, page, as: tree.owner) }
      }
      let cursor = try #require(try await store.revisions(of: ids[0], PageRequest(limit: 1), as: tree.owner).next)
      #expect(await read(ids[0], PageRequest(limit: 1, cursor: cursor)) == nil)
      #expect(await read(ids[1], PageRequest(limit: 1, cursor: cursor)) == .invalid)
      let list = try #require(try await tree.page(limit: 1).before)
      for damaged in ["", "r", list, String(cursor.dropLast()), cursor + "0", "c" + cursor.dropFirst()] {
        #expect(await read(ids[0], PageRequest(limit: 1, cursor: damaged)) == .invalid, "\(damaged)")
      }
      for limit in [Int.min, -1, 0, 201, .max] { #expect(await read(ids[0], PageRequest(limit: limit)) == .invalid) }
      #expect(await read(MessageID(high: 1, low: 1), PageRequest()) == .notFound)
    }
  }

  @Test(arguments: Backend.allCases)
  func `an edit or a deletion of another revision than the one named is refused`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["one", "two"])
      let id = try await tree.messages()[0].id
      try await tree.revise(id, "uno")
      try await tree.unchanged {
        for revision in [0, 1, 3, 99] {
          #expect(
            await tree.refusal(of: .revise(Revise(id, content: "x", ifRevision: revision))) == .preconditionFailed)
          #expect(
            await tree.refusal(of: .deleteMessage(DeleteMessage(id, ifRevision: revision))) == .preconditionFailed)
        }
      }
      #expect(await tree.refusal(of: .revise(Revise(id, content: "eins", ifRevision: 2))) == nil)
      #expect(await tree.refusal(of: .deleteMessage(DeleteMessage(id, ifRevision: 3))) == nil)
      #expect(try await tree.texts() == ["", "two"])
    }
  }

  @Test(arguments: Backend.allCases)
  func `of racing edits of one revision one is accepted, and without one all are`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["one"])
      let id = try await tree.messages()[0].id
      func race(_ ifRevision: Int?) async -> [ConversationError.Code?] {
        await withTaskGroup(of: ConversationError.Code?.self) { group in
          for number in 0..<16 {
            group.addTask {
              await tree.refusal(of: .revise(Revise(id, content: "\(number)", ifRevision: ifRevision)))
            }
          }
          return await group.reduce(into: []) { $0.append($1) }
        }
      }
      let outcomes = await race(1)
      #expect(outcomes.count { $0 == nil } == 1 && outcomes.count { $0 == .preconditionFailed } == 15)
      #expect(await race(nil) == Array(repeating: nil, count: 16))
      #expect(try await tree.message(id).revision == 18)
      #expect(try await tree.revisions(id).map(\.number) == Array((1...17).reversed()))
      #expect(try await tree.now().version == 19)
    }
  }

  @Test(arguments: Backend.allCases)
  func `an edited message is still the answer to the append that made it`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store)
      let append = Command.append(Append(to: tree.id, [NewMessage(role: .user, content: "one", clientID: "k")]))
      let id = try #require(try await tree.apply(append).messages.first?.id)
      for text in ["two", "three"] { try await tree.revise(id, text) }
      let again = try await tree.apply(append)
      #expect(again.isReplay && again.messages.map(\.id) == [id] && again.messages.map(\.content) == ["three"])
      #expect(again.messages.map(\.revision) == [3] && again.version == 4)
      // What it says now is not what was appended then.
      let other = Command.append(Append(to: tree.id, [NewMessage(role: .user, content: "three", clientID: "k")]))
      #expect(await tree.refusal(of: other) == .conflict)
    }
  }
}
