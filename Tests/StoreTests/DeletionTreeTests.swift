import ConversationModel
import Testing

@Suite struct DeletionTreeTests {
  private static let full = NewMessage(
    role: .user, content: "secret", clientID: "k", intent: "tell", confidence: Confidence(hundredths: 90),
    entities: JSONText(canonical: #"{"a":1}"#), metadata: JSONText(canonical: #"{"b":2}"#))

  // MARK: Messages

  @Test(arguments: Backend.allCases)
  func `a deleted message is blank and keeps its place`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1"])
      let append = Command.append(Append(to: tree.id, [Self.full]))
      let original = try #require(try await tree.apply(append).messages.first)
      try await tree.append(["3"])
      try await tree.revise(original.id, "secret too")
      let edited = try await tree.message(original.id)
      let receipt = try await tree.delete(original.id)
      let deleted = try #require(receipt.messages.first)
      #expect(receipt.version == 6 && !receipt.isReplay)
      #expect(deleted.status == .deleted && deleted.content == "" && deleted.intent == nil)
      #expect(deleted.confidence == nil && deleted.entities == .emptyObject && deleted.metadata == .emptyObject)
      #expect(deleted.id == original.id && deleted.position == 2 && deleted.branch == 0 && deleted.role == .user)
      #expect(deleted.createdAt == original.createdAt && deleted.revision == edited.revision)
      #expect(try await tree.message(original.id) == deleted)
      #expect(try await tree.messages()[1] == deleted)
      #expect(try await tree.texts() == ["1", "", "3"])
      #expect(try await tree.revisions(original.id).isEmpty)
      let now = try await tree.now()
      #expect(now.messageCount == 2 && now.headPosition == 3 && now.branchCount == 1)
      // Gone for good: not edited, not made again, and its deletion is a replay.
      try await tree.unchanged {
        #expect(await tree.refusal(of: .revise(Revise(original.id, content: "x"))) == .gone)
        #expect(await tree.refusal(of: tree.editing(original.id, "x")) == .gone)
        #expect(await tree.refusal(of: append) == .gone)
        let again = try await tree.delete(original.id)
        #expect(again.isReplay && again.version == 6 && again.messages == [deleted])
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a deleted message can be a parent, an anchor and where a branch starts`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2", "3"])
      let ids = try await tree.messages().map(\.id)
      for id in ids[1...2] { try await tree.delete(id) }
      // The head, and then one that is no head any more.
      #expect(try await tree.append(["4"], after: ids[2], onConflict: .reject).branch == nil)
      #expect(try await tree.append(["2.3"], after: ids[1]).branch?.forkPosition == 2)
      #expect(try await tree.fork(after: ids[1]).forkPosition == 2)
      #expect(try await tree.texts(1) == ["1", "", "2.3"])
      for part in [MessagePageRequest.Part.around(.message(ids[1])), .around(.position(2))] {
        #expect(try await tree.page(0, part, limit: 3).messages.map(\.id) == ids)
      }
      #expect(try await tree.page(0, .before(.message(ids[1]))).messages.map(\.id) == [ids[0]])
      #expect(try await tree.siblings(ids[2]) == [0, 1])
    }
  }

  @Test(arguments: Backend.allCases)
  func `every message can be deleted, and the conversation goes on`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2"])
      for id in try await tree.messages().map(\.id) { try await tree.delete(id) }
      #expect(try await tree.now().messageCount == 0)
      #expect(try await tree.now().headPosition == 2)
      try await tree.append(["3"])
      #expect(try await tree.texts() == ["", "", "3"])
      #expect(try await tree.now().messageCount == 1)
    }
  }

  @Test(arguments: Backend.allCases)
  func `an append of several is gone when one of them was deleted`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store)
      let append = Command.append(
        Append(to: tree.id, ["1", "2", "3"].map { NewMessage(role: .user, content: $0, clientID: "k\($0)") }))
      let ids = try await tree.apply(append).messages.map(\.id)
      try await tree.delete(ids[1])
      try await tree.unchanged { #expect(await tree.refusal(of: append) == .gone) }
      let first = Append(to: tree.id, [NewMessage(role: .user, content: "1", clientID: "k1")])
      #expect(try await tree.apply(.append(first)).isReplay)
    }
  }

  @Test(arguments: Backend.allCases)
  func `of racing deletions one deletes`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2"])
      let id = try await tree.messages()[0].id
      try await tree.fork(after: id)
      let messages = try await withThrowingTaskGroup(of: Receipt.self) { group in
        for _ in 0..<16 { group.addTask { try await tree.delete(id) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(messages.count { !$0.isReplay } == 1)
      #expect(try await tree.now().messageCount == 1)
      let branches = await withTaskGroup(of: ConversationError.Code?.self) { group in
        for _ in 0..<16 { group.addTask { await tree.refusal(of: .deleteBranch(BranchKey(tree.id, 1))) } }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(branches.count { $0 == nil } == 1 && branches.count { $0 == .notFound } == 15)
      #expect(try await tree.now().branchCount == 1)
    }
  }

  // MARK: Branches

  @Test(arguments: Backend.allCases)
  func `a deleted branch takes its messages with it`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2", "3"])
      let trunk = try await tree.messages()
      try await tree.fork(after: trunk[1].id, title: "secret")
      let append = Command.append(Append(to: tree.id, [Self.full], branch: 1))
      let own = try #require(try await tree.apply(append).messages.first)
      let tail = try await tree.append(["1.4", "1.5"], on: 1).messages
      try await tree.revise(tail[0].id, "other")
      try await tree.delete(tail[1].id)
      let receipt = try await tree.deleteBranch(1)
      let branch = try #require(receipt.branch)
      #expect(branch.number == 1 && branch.isDeleted && !branch.isActive && branch.title == nil)
      #expect(branch.parent == 0 && branch.forkPosition == 2 && branch.headPosition == 5)
      #expect(receipt.version == 8 && receipt.messages.isEmpty)
      let now = try await tree.now()
      #expect(now.messageCount == 3 && now.branchCount == 1 && now.activeBranch == 0)
      #expect(try await tree.branches().map(\.number) == [0])
      #expect(try await tree.messages() == trunk)
      #expect(try await tree.siblings(trunk[2].id) == [0])
      #expect(try await tree.forks().isEmpty)
      let new = [NewMessage(role: .user, content: "x")]
      try await tree.unchanged {
        #expect(await code { _ = try await tree.page(1) } == .notFound)
        for id in [own.id] + tail.map(\.id) {
          #expect(await code { _ = try await tree.message(id) } == .gone)
          #expect(await code { _ = try await tree.revisions(id) } == .gone)
          #expect(await tree.refusal(of: .revise(Revise(id, content: "x"))) == .gone)
          #expect(await tree.refusal(of: .deleteMessage(DeleteMessage(id))) == .gone)
          #expect(await tree.refusal(of: tree.editing(id, "x")) == .gone)
          #expect(await tree.refusal(of: .makeBranch(.fork(tree.id, after: id))) == .gone)
          for onConflict in Append.OnConflict.allCases {
            let append = Append(to: tree.id, new, parent: id, onConflict: onConflict)
            #expect(await tree.refusal(of: .append(append)) == .gone)
          }
          #expect(await code { _ = try await tree.page(0, .around(.message(id))) } == .invalid)
        }
        #expect(await tree.refusal(of: append) == .gone)
        #expect(await tree.refusal(of: .append(Append(to: tree.id, new, branch: 1))) == .notFound)
        let tied = Append(to: tree.id, new, parent: trunk[2].id, branch: 1)
        #expect(await tree.refusal(of: .append(tied)) == .notFound)
        #expect(await tree.refusal(of: .update(UpdateConversation(tree.id, activeBranch: 1))) == .notFound)
        #expect(await tree.refusal(of: .updateBranch(UpdateBranch(BranchKey(tree.id, 1), title: "x"))) == .notFound)
        #expect(await tree.refusal(of: .deleteBranch(BranchKey(tree.id, 1))) == .notFound)
      }
      // Its number is never given again.
      #expect(try await tree.fork(after: trunk[1].id).number == 2)
    }
  }

  @Test(arguments: Backend.allCases)
  func `the parent of a deleted active branch becomes active`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2", "3"])
      let trunk = try await tree.messages()
      try await tree.fork(after: trunk[0].id, activate: true)
      let own = try await tree.append(["1.2", "1.3"]).messages
      try await tree.edit(own[1].id, "2.3", activate: true)
      for (number, parent, texts) in [(2, 1, ["1", "1.2", "1.3"]), (1, 0, ["1", "2", "3"])] {
        #expect(try await tree.deleteBranch(number).branch?.isActive == false)
        let now = try await tree.now()
        #expect(now.activeBranch == parent && now.headPosition == 3)
        #expect(try await tree.branches().filter(\.isActive).map(\.number) == [parent])
        #expect(try await tree.texts() == texts)
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `the trunk, and a branch that others continue, cannot be deleted`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2"])
      let trunk = try await tree.messages()
      try await tree.fork(after: trunk[0].id)
      let own = try await tree.append(["1.2", "1.3"], on: 1).messages
      // An empty branch continues it as well as one with messages.
      try await tree.fork(after: own[1].id)
      try await tree.edit(own[1].id, "3.3")
      // This one starts beside it and continues the trunk.
      try await tree.edit(own[0].id, "4.2")
      func delete(_ number: BranchNumber) async -> ConversationError.Code? {
        await tree.refusal(of: .deleteBranch(BranchKey(tree.id, number)))
      }
      try await tree.unchanged {
        #expect(await delete(0) == .conflict)
        #expect(await delete(1) == .conflict)
        #expect(await delete(5) == .notFound)
      }
      #expect(await delete(2) == nil)
      #expect(await delete(1) == .conflict)
      #expect(await delete(3) == nil)
      #expect(await delete(1) == nil)
      #expect(try await tree.branches().map(\.number) == [0, 4])
      #expect(await delete(4) == nil)
      #expect(await delete(0) == .conflict)
      #expect(try await tree.now().branchCount == 1)
      #expect(try await tree.now().messageCount == 2)
      #expect(try await tree.fork(after: nil).number == 5)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a long branch is blanked to its last message`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1"])
      let count = Limits.eraseRows * 2 + 100
      try await tree.fork(after: nil)
      for number in 1...count / 100 {
        try await tree.append((1...100).map { "\(number) \($0)" }, on: 1)
      }
      #expect(try await tree.now().messageCount == count + 1)
      let before = try await tree.now().version
      try await tree.deleteBranch(1)
      let now = try await tree.now()
      #expect(now.messageCount == 1 && now.version == before + 1)
      // What was there shows as blank to whoever asks for old changes.
      var (since, seen) = (2, 0)
      while true {
        let changes = try await tree.changes(since: since)
        for case .message(let message) in changes.changes.map(\.row) {
          #expect(message.branch == 1 && message.status == .deleted && message.content == "")
          seen += 1
        }
        since = changes.version
        guard changes.hasMore else { break }
      }
      #expect(seen == count)
    }
  }
}
