import ConversationModel
import Testing

/// Branches: how they are made and named.
@Suite struct TreeTests {
  @Test(arguments: Backend.allCases)
  func `an edit as a branch takes a message's place and its role`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["one", "two", "three"])
      let old = try await tree.messages()
      // The second one is the assistant's; the replacement says user, but the place decides.
      let replacement = NewMessage(
        role: .user, content: "zwei", clientID: "k", intent: "greet", confidence: Confidence(hundredths: 50),
        entities: JSONText(canonical: #"{"a":1}"#), metadata: JSONText(canonical: #"{"b":2}"#))
      let receipt = try await tree.apply(.makeBranch(.edit(tree.id, old[1].id, by: replacement, title: "German")))
      let branch = try #require(receipt.branch)
      #expect(branch.number == 1 && branch.parent == 0 && branch.forkPosition == 1 && branch.headPosition == 2)
      #expect(branch.origin == .edit && branch.title == "German" && branch.isActive && !branch.isDeleted)
      let new = try #require(receipt.messages.first)
      #expect(receipt.messages.count == 1 && receipt.version == 3 && !receipt.isReplay)
      #expect(new.role == .assistant && new.content == "zwei" && new.clientID == "k" && new.intent == "greet")
      #expect(new.confidence?.hundredths == 50 && new.entities.text == #"{"a":1}"#)
      #expect(new.metadata.text == #"{"b":2}"# && new.status == .complete)
      #expect(new.branch == 1 && new.position == 2 && new.revision == 1 && new.editedAt == nil)
      #expect(try await tree.branches()[1] == branch)
      #expect(try await tree.messages() == [old[0], new])
      #expect(try await tree.messages(0) == old)
      let now = try await tree.now()
      #expect(now.activeBranch == 1 && now.headPosition == 2 && now.messageCount == 4 && now.branchCount == 2)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a branch that is not activated leaves the shown one alone`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["one", "two"])
      let ids = try await tree.messages().map(\.id)
      let edit = try await tree.edit(ids[1], "zwei")
      let fork = try await tree.fork(after: ids[0])
      #expect(!edit.branch.isActive && !fork.isActive && fork.number == 2)
      #expect(try await tree.branches().map(\.isActive) == [true, false, false])
      let now = try await tree.now()
      #expect(now.activeBranch == 0 && now.headPosition == 2)
      #expect(try await tree.texts() == ["one", "two"])
      // An append that names nothing goes to the shown one.
      try await tree.append(["three"])
      #expect(try await tree.texts(0) == ["one", "two", "three"])
    }
  }

  @Test(arguments: Backend.allCases)
  func `an edit of the first message starts before it`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["one", "two"])
      let first = try await tree.messages()[0]
      let (branch, message) = try await tree.edit(first.id, "eins", activate: true)
      #expect(branch.parent == 0 && branch.forkPosition == 0 && branch.headPosition == 1)
      #expect(message.position == 1 && message.role == .user)
      #expect(try await tree.texts() == ["eins"])
      // And of that one again.
      let again = try await tree.edit(message.id, "uno").branch
      #expect(again.parent == 0 && again.forkPosition == 0 && again.number == 2)
      #expect(try await tree.texts(2) == ["uno"])
      for id in [first.id, message.id] { #expect(try await tree.siblings(id) == [0, 1, 2]) }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a fork goes on behind a message, or before the first one`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["one", "two", "three"])
      let ids = try await tree.messages().map(\.id)
      let behind = try await tree.fork(after: ids[1], title: "behind", activate: true)
      #expect(behind.parent == 0 && behind.forkPosition == 2 && behind.headPosition == 2)
      #expect(behind.origin == .fork && behind.title == "behind" && behind.isActive)
      #expect(try await tree.now().headPosition == 2)
      #expect(try await tree.texts() == ["one", "two"])
      let atHead = try await tree.fork(after: ids[2])
      #expect(atHead.parent == 0 && atHead.forkPosition == 3 && atHead.headPosition == 3)
      let before = try await tree.fork(after: nil)
      #expect(before.parent == 0 && before.forkPosition == 0 && before.headPosition == 0)
      let page = try await tree.page(before.number)
      #expect(page.messages.isEmpty && page.before == nil && page.after == nil && page.headPosition == 0)
      for number in 1...3 { try await tree.append(["on \(number)"], on: number) }
      #expect(try await tree.texts(1) == ["one", "two", "on 1"])
      #expect(try await tree.texts(2) == ["one", "two", "three", "on 2"])
      #expect(try await tree.texts(3) == ["on 3"])
      #expect(try await tree.texts(0) == ["one", "two", "three"])
      #expect(try await tree.now().branchCount == 4)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a fork names the owner of the message as its parent, however it is reached`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2", "3", "4"])
      let trunk = try await tree.messages()
      let one = try await tree.fork(after: trunk[1].id)
      let onOne = try await tree.append(["1.3", "1.4", "1.5"], on: one.number).messages
      let two = try await tree.fork(after: onOne[1].id)
      #expect(two.parent == 1 && two.forkPosition == 4)
      let onTwo = try await tree.append(["2.5", "2.6"], on: two.number).messages
      #expect(try await tree.texts(2) == ["1", "2", "1.3", "1.4", "2.5", "2.6"])
      // Behind messages that the path of branch 2 shares with others.
      let three = try await tree.fork(after: onOne[0].id)
      #expect(three.parent == 1 && three.forkPosition == 3)
      let four = try await tree.fork(after: trunk[0].id)
      #expect(four.parent == 0 && four.forkPosition == 1)
      // In place of an own message that is not the first.
      let five = try await tree.edit(onTwo[1].id, "5.6").branch
      #expect(five.parent == 2 && five.forkPosition == 5)
      // In place of a branch's first own message: the one before belongs to the ancestor.
      let six = try await tree.edit(onTwo[0].id, "6.5").branch
      #expect(six.parent == 1 && six.forkPosition == 4)
      let seven = try await tree.edit(onOne[0].id, "7.3").branch
      #expect(seven.parent == 0 && seven.forkPosition == 2)
      #expect(try await tree.texts(5) == ["1", "2", "1.3", "1.4", "2.5", "5.6"])
      #expect(try await tree.texts(6) == ["1", "2", "1.3", "1.4", "6.5"])
      #expect(try await tree.texts(7) == ["1", "2", "7.3"])
      #expect(try await tree.texts(1) == ["1", "2", "1.3", "1.4", "1.5"])
    }
  }

  @Test(arguments: Backend.allCases)
  func `a branch has a title that can be changed and taken away`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1"])
      try await tree.fork(after: nil, title: "first")
      func rename(_ number: BranchNumber, _ title: String?) -> Command {
        .updateBranch(UpdateBranch(BranchKey(tree.id, number), title: title))
      }
      for (version, title) in [(4, "second"), (5, nil), (6, "x\u{301}"), (7, "x\u{301}")] as [(Int, String?)] {
        let receipt = try await tree.apply(rename(1, title))
        #expect(receipt.branch?.title == title && receipt.branch?.number == 1 && receipt.version == version)
        #expect(try await tree.branch(1) == receipt.branch)
      }
      #expect(try await tree.apply(rename(0, "trunk")).branch?.title == "trunk")
      #expect(try await tree.now().title == "1")
      try await tree.unchanged {
        for title in ["", "a\nb", "a\u{0}", String(repeating: "x", count: Limits.titleScalars + 1)] {
          #expect(await tree.refusal(of: rename(1, title)) == .invalid)
          #expect(await tree.refusal(of: .makeBranch(.fork(tree.id, after: nil, title: title))) == .invalid)
        }
        for number in [2, 99] { #expect(await tree.refusal(of: rename(number, "x")) == .notFound) }
      }
      let longest = String(repeating: "\u{1F600}", count: Limits.titleScalars)
      #expect(try await tree.fork(after: nil, title: longest).title == longest)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a conversation without a title takes it from the first user message, wherever that stands`(
    backend: Backend
  ) async throws {
    try await backend.withStore { store in
      func opened() async throws -> (OwnedTree, [Message]) {
        let tree = try await OwnedTree(store)
        let greetings = ["Welcome", "How are you?"].map { NewMessage(role: .assistant, content: $0) }
        return (tree, try await tree.apply(.append(Append(to: tree.id, greetings))).messages)
      }
      let (forked, greetings) = try await opened()
      let fork = try await forked.fork(after: greetings[0].id)
      try await forked.append(["On a fork"], on: fork.number)
      #expect(try await forked.now().title == "On a fork")
      _ = try await forked.apply(.update(UpdateConversation(forked.id, title: .named("x"))))
      _ = try await forked.apply(.update(UpdateConversation(forked.id, title: .automatic)))
      #expect(try await forked.now().title == "On a fork")

      // The first one, also when it was edited in place after the others.
      try await forked.append(["Another"], on: fork.number)
      try await forked.revise(try await forked.messages(fork.number)[1].id, "On the fork")
      _ = try await forked.apply(.update(UpdateConversation(forked.id, title: .automatic)))
      #expect(try await forked.now().title == "On the fork")

      let (conflicting, others) = try await opened()
      try await conflicting.append(["In a conflict"], after: others[0].id)
      #expect(try await conflicting.now().title == "In a conflict")

      let edited = try await OwnedTree(store, [" "])
      #expect(try await edited.now().title == nil)
      try await edited.edit(try await edited.messages()[0].id, "In an edit")
      #expect(try await edited.now().title == "In an edit")
    }
  }

  @Test(arguments: Backend.allCases)
  func `a branch starts at a message that is there and is the conversation's`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1"])
      let other = try await OwnedTree(store, ["1"])
      let foreign = try await other.messages()[0].id
      try await tree.unchanged {
        for id in [foreign, MessageID(high: 1, low: 1)] {
          #expect(await tree.refusal(of: .makeBranch(.fork(tree.id, after: id))) == .notFound)
          #expect(await tree.refusal(of: tree.editing(id, "x")) == .notFound)
        }
        let id = try await tree.messages()[0].id
        #expect(
          await tree.refusal(of: tree.editing(id, String(repeating: "x", count: Limits.contentBytes + 1))) == .tooLarge)
        #expect(await tree.refusal(of: tree.editing(id, "x", client: "")) == .invalid)
        #expect(await tree.refusal(of: tree.editing(id, "x", title: "")) == .invalid)
      }
    }
  }

  @Test func `only forks, edits and regenerated answers are made by hand`() async throws {
    try await Backend.sqlite.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2"])
      let id = try await tree.messages()[1].id
      for origin in Branch.Origin.allCases {
        let make = MakeBranch(
          conversation: tree.id, start: .inPlaceOf(id), origin: origin,
          message: NewMessage(role: .user, content: "x"), title: nil, isActivated: false)
        let expected: ConversationError.Code? = [.trunk, .conflict].contains(origin) ? .invalid : nil
        #expect(await tree.refusal(of: .makeBranch(make)) == expected, "\(origin)")
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `every command raises the version by one, and a replay by none`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2", "3"])
      let ids = try await tree.messages().map(\.id)
      let append = Append(
        to: tree.id, [NewMessage(role: .user, content: "x", clientID: "a"), NewMessage(role: .user, content: "y")])
      let conflict = Append(
        to: tree.id, [NewMessage(role: .user, content: "x", clientID: "b")], parent: ids[0])
      let commands: [(command: Command, isRepeatable: Bool)] = [
        (.append(append), true), (.append(conflict), true), (.revise(Revise(ids[0], content: "x")), false),
        (tree.editing(ids[1], "x", client: "c", activate: true), true),
        (.makeBranch(.fork(tree.id, after: ids[2])), false), (.makeBranch(.fork(tree.id, after: nil)), false),
        (.updateBranch(UpdateBranch(BranchKey(tree.id, 2), title: "x")), false),
        (.update(UpdateConversation(tree.id, isArchived: true)), false),
        (.update(UpdateConversation(tree.id, isPinned: true, activeBranch: 1)), false),
        (.deleteMessage(DeleteMessage(ids[2])), true), (.deleteBranch(BranchKey(tree.id, 1)), false),
      ]
      var version = 2
      for (command, isRepeatable) in commands {
        let receipt = try await tree.apply(command)
        version += 1
        #expect(receipt.version == version && !receipt.isReplay, "\(command)")
        #expect(try await tree.now().version == version, "\(command)")
        guard isRepeatable else { continue }
        let before = try await tree.now()
        let replay = try await tree.apply(command)
        #expect(replay.version == version && replay.isReplay, "\(command)")
        #expect(replay.messages.map(\.id) == receipt.messages.map(\.id))
        #expect(replay.branch?.number == receipt.branch?.number)
        #expect(try await tree.now() == before)
      }
      let now = try await tree.now()
      #expect(now.isArchived && now.isPinned && now.activeBranch == 0)
      for (archived, pinned) in [(false, true), (false, false)] {
        _ = try await tree.apply(.update(UpdateConversation(tree.id, isArchived: archived, isPinned: pinned)))
        let now = try await tree.now()
        #expect(now.isArchived == archived && now.isPinned == pinned)
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `branches are so many forks deep and no more`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["0", "end"])
      // Each branch leaves the one before behind its first message, which has a second one.
      var deepest = try await tree.messages()[0]
      for depth in 1...Limits.forkDepth {
        let receipt = try await tree.append(["\(depth)", "end"], after: deepest.id)
        #expect(receipt.branch?.number == depth && receipt.branch?.parent == depth - 1)
        deepest = try #require(receipt.messages.first)
      }
      try await tree.unchanged {
        let id = deepest.id
        #expect(await tree.refusal(of: .makeBranch(.fork(tree.id, after: id))) == .invalid)
        let message = NewMessage(role: .user, content: "x")
        #expect(await tree.refusal(of: .append(Append(to: tree.id, [message], parent: id))) == .invalid)
      }
      // Beside the deepest there is room, and it is read like any other.
      let beside = try await tree.edit(deepest.id, "beside", activate: true).branch
      #expect(beside.parent == Limits.forkDepth - 1 && beside.number == Limits.forkDepth + 1)
      #expect(try await tree.siblings(deepest.id) == [Limits.forkDepth - 1, Limits.forkDepth, Limits.forkDepth + 1])
      let first = try await tree.page(nil, .around(.position(1)), limit: 200)
      #expect(first.messages.map(\.content) == (0..<200).map { "\($0)" })
      #expect(try await tree.texts().suffix(2) == ["\(Limits.forkDepth - 1)", "beside"])
      #expect(try await tree.branches().count == Limits.forkDepth + 2)
    }
  }
}
