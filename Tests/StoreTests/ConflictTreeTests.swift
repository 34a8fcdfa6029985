import ConversationModel
import Testing

/// Appends that do not simply go on, and commands that come again.
@Suite struct ConflictTreeTests {
  private static func new(_ text: String, _ client: String? = nil) -> NewMessage {
    NewMessage(role: .user, content: text, clientID: client)
  }

  @Test(arguments: Backend.allCases)
  func `the second append after one message becomes a branch that is not activated`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2"])
      let parent = try await tree.messages()[1].id
      let phone = Append(to: tree.id, [Self.new("phone", "p")], parent: parent)
      let desk = Append(to: tree.id, [Self.new("desk", "d"), Self.new("desk too")], parent: parent)
      #expect(try await tree.apply(.append(phone)).branch == nil)
      let receipt = try await tree.apply(.append(desk))
      let branch = try #require(receipt.branch)
      #expect(branch.number == 1 && branch.parent == 0 && branch.forkPosition == 2 && branch.headPosition == 4)
      #expect(branch.origin == .conflict && !branch.isActive && branch.title == nil && !branch.isDeleted)
      #expect(receipt.messages.map(\.position) == [3, 4] && receipt.messages.map(\.branch) == [1, 1])
      #expect(receipt.version == 4)
      #expect(try await tree.texts() == ["1", "2", "phone"])
      #expect(try await tree.texts(1) == ["1", "2", "desk", "desk too"])
      #expect(try await tree.forks() == [3: [1]])
      let now = try await tree.now()
      #expect(now.activeBranch == 0 && now.headPosition == 3 && now.messageCount == 5 && now.branchCount == 2)
      // Whoever repeats it hears of the branch again, also when it went on since, and when it became active.
      try await tree.append(["more"], on: 1)
      try await tree.activate(1)
      let again = try await tree.apply(.append(desk))
      #expect(again.isReplay && again.messages == receipt.messages)
      #expect(try await tree.branch(1) == again.branch)
      #expect(again.branch?.headPosition == 5 && again.branch?.isActive == true)
      // What went on there is no conflict, and neither is the first.
      let more = Append(to: tree.id, [Self.new("and more", "m")], branch: 1)
      for isReplay in [false, true] {
        let receipt = try await tree.apply(.append(more))
        #expect(receipt.branch == nil && receipt.isReplay == isReplay)
      }
      let first = try await tree.apply(.append(phone))
      #expect(first.isReplay && first.branch == nil)
    }
  }

  @Test(arguments: Backend.allCases)
  func `an append that would be a conflict can be rejected, and leaves nothing`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2", "3"])
      let ids = try await tree.messages().map(\.id)
      try await tree.unchanged {
        for id in ids[0...1] {
          let append = Append(to: tree.id, [Self.new("x", "k")], parent: id, onConflict: .reject)
          #expect(await tree.refusal(of: .append(append)) == .conflict)
        }
      }
      #expect(try await tree.branches().count == 1)
      // The client id is still free.
      let append = Append(to: tree.id, [Self.new("4", "k")], parent: ids[2], onConflict: .reject)
      #expect(try await tree.apply(.append(append)).isReplay == false)
      // A replay is answered before anybody asks where it would go now.
      #expect(try await tree.apply(.append(append)).isReplay)
    }
  }

  @Test(arguments: Backend.allCases)
  func `of racing appends after one message each is kept, one of them on the branch`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1"])
      let parent = try await tree.messages()[0].id
      let receipts = try await withThrowingTaskGroup(of: Receipt.self) { group in
        for number in 0..<16 {
          group.addTask {
            try await tree.apply(.append(Append(to: tree.id, [Self.new("\(number)", "k\(number)")], parent: parent)))
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(receipts.count { $0.branch == nil } == 1)
      #expect(Set(receipts.compactMap(\.branch?.number)) == Set(1...15))
      let heads = try await tree.branches().map(\.headPosition)
      #expect(heads == Array(repeating: 2, count: 16))
      #expect(Set(receipts.compactMap(\.version)) == Set(3...18))
      #expect(try await tree.forks() == [2: Array(1...15)])
    }
  }

  @Test(arguments: Backend.allCases)
  func `the branch decides between heads at one place`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2"])
      let head = try await tree.messages()[1].id
      for _ in 1...3 { try await tree.fork(after: head) }
      // Four heads: the trunk's and three empty branches'.
      let onTwo = try await tree.append(["on 2"], after: head, on: 2, onConflict: .reject)
      #expect(onTwo.messages.first?.branch == 2 && onTwo.branch == nil)
      // The active branch is the one that is meant when nobody says.
      try await tree.activate(3)
      #expect(try await tree.append(["on 3"], after: head, onConflict: .reject).messages.first?.branch == 3)
      // Neither 3 nor 2 is there any more; of the trunk and 1 either will do, and then the other.
      let last = try await [
        tree.append(["x"], after: head, onConflict: .reject), tree.append(["y"], after: head, onConflict: .reject),
      ]
      #expect(Set(last.compactMap { $0.messages.first?.branch }) == [0, 1])
      // Now nobody's head is there.
      let conflict = Append(to: tree.id, [Self.new("z")], parent: head, onConflict: .reject)
      #expect(await tree.refusal(of: .append(conflict)) == .conflict)
      #expect(try await tree.append(["z"], after: head).branch?.number == 4)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a branch that does not end at the parent is a conflict, even if another does`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2", "3"])
      let ids = try await tree.messages().map(\.id)
      try await tree.fork(after: ids[1])
      for (parent, branch) in [(ids[2], 1), (ids[1], 0), (ids[0], 0), (ids[0], 1)] {
        let append = Append(to: tree.id, [Self.new("x")], parent: parent, branch: branch, onConflict: .reject)
        #expect(await tree.refusal(of: .append(append)) == .conflict)
      }
      let receipt = try await tree.append(["x"], after: ids[2], on: 1)
      #expect(receipt.branch?.number == 2 && receipt.branch?.parent == 0 && receipt.branch?.forkPosition == 3)
      // An empty branch is a head at its place, though another branch owns the message.
      #expect(try await tree.append(["1.3"], after: ids[1], onConflict: .reject).messages.first?.branch == 1)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a branch alone is where an append goes, whichever is active`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2"])
      try await tree.fork(after: try await tree.messages()[0].id, activate: true)
      #expect(try await tree.append(["3"], on: 0).messages.first?.position == 3)
      #expect(try await tree.append(["1.2"], on: 1).messages.first?.position == 2)
      #expect(try await tree.append(["1.3"]).messages.first?.branch == 1)
      #expect(try await tree.now().headPosition == 3)
      try await tree.unchanged {
        for number in [2, 99] {
          #expect(await tree.refusal(of: .append(Append(to: tree.id, [Self.new("x")], branch: number))) == .notFound)
        }
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a parent in another conversation and one that never was are not found`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1"])
      let foreign = try await OwnedTree(store, ["1"]).messages()[0].id
      let own = try await store.opened(tree.conversation.userID)
      let other = try await store.appended(["x"], to: own)[0].id
      try await tree.unchanged {
        for parent in [foreign, other, MessageID(high: 1, low: 1)] {
          for onConflict in Append.OnConflict.allCases {
            let append = Append(to: tree.id, [Self.new("x")], parent: parent, onConflict: onConflict)
            #expect(await tree.refusal(of: .append(append)) == .notFound)
          }
        }
      }
    }
  }

  // MARK: Edits that come again

  @Test(arguments: Backend.allCases)
  func `an edit that comes again answers with the same branch and message`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2"])
      let ids = try await tree.messages().map(\.id)
      let edit = tree.editing(ids[1], "zwei", client: "k", title: "German", activate: true)
      let first = try await tree.apply(edit)
      let receipt = try await tree.apply(edit)
      #expect(receipt.isReplay && receipt.branch == first.branch && receipt.messages == first.messages)
      // As they are now: the branch went on and is not shown any more, the message was edited.
      try await tree.append(["drei"])
      try await tree.revise(first.messages[0].id, "dos")
      try await tree.activate(0)
      let later = try await tree.apply(edit)
      #expect(later.isReplay)
      #expect(try await tree.branch(1) == later.branch)
      #expect(try await [tree.message(first.messages[0].id)] == later.messages)
      #expect(try await tree.now().activeBranch == 0)
      // Also when what it replaced was deleted since.
      try await tree.delete(ids[1])
      let last = try await tree.apply(edit)
      #expect(last.isReplay && last.messages == later.messages)
      #expect(try await tree.branches().count == 2)
    }
  }

  @Test(arguments: Backend.allCases)
  func `an edit comes again though the branch it edited was deleted since`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2"])
      let first = try await tree.edit(try await tree.messages()[1].id, "zwei").message
      // In place of that one, but beside its branch, so that it can go.
      let edit = tree.editing(first.id, "dos", client: "k")
      let made = try await tree.apply(edit)
      try await tree.deleteBranch(1)
      let again = try await tree.apply(edit)
      #expect(again.isReplay && again.branch?.number == 2 && again.messages == made.messages)
    }
  }

  @Test(arguments: Backend.allCases)
  func `the client id of an edit stands for its text and its place`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2", "3"])
      let ids = try await tree.messages().map(\.id)
      _ = try await tree.apply(.append(Append(to: tree.id, [Self.new("4", "a")])))
      try await tree.edit(ids[2], "drei", client: "k")
      try await tree.append(["on 1"], on: 1)
      _ = try await tree.apply(.append(Append(to: tree.id, [Self.new("more", "m")], branch: 1)))
      try await tree.unchanged {
        for other in [
          tree.editing(ids[2], "tres", client: "k"), tree.editing(ids[0], "drei", client: "k"),
          // This one's role is another too.
          tree.editing(ids[1], "drei", client: "k"),
          // Used for appends, on the trunk and on the branch.
          tree.editing(ids[2], "4", client: "a"), tree.editing(ids[2], "more", client: "m"),
        ] {
          #expect(await tree.refusal(of: other) == .conflict)
        }
        let append = Append(to: tree.id, [Self.new("other", "k")])
        #expect(await tree.refusal(of: .append(append)) == .conflict)
      }
      // Without a client id each is another edit.
      for number in 2...3 { #expect(try await tree.edit(ids[2], "drei").branch.number == number) }
    }
  }

  @Test(arguments: Backend.allCases, [true, false])
  func `an edit whose message or branch was deleted since is gone`(backend: Backend, isBranch: Bool) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2"])
      let ids = try await tree.messages().map(\.id)
      let edit = tree.editing(ids[1], "zwei", client: "k")
      let made = try await tree.apply(edit)
      if isBranch { try await tree.deleteBranch(1) } else { try await tree.delete(made.messages[0].id) }
      try await tree.unchanged {
        #expect(await tree.refusal(of: edit) == .gone)
        #expect(await tree.refusal(of: .append(Append(to: tree.id, [made.messages[0].asNew]))) == .gone)
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `64 racing edits with one client id make one branch`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1"])
      let edit = tree.editing(try await tree.messages()[0].id, "x", client: "k", activate: true)
      let receipts = try await withThrowingTaskGroup(of: Receipt.self) { group in
        for _ in 0..<64 { group.addTask { try await tree.apply(edit) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(receipts.count { !$0.isReplay } == 1)
      #expect(Set(receipts.flatMap(\.messages).map(\.id)).count == 1)
      #expect(Set(receipts.compactMap(\.branch)).count == 1)
      #expect(try await tree.now().branchCount == 2)
    }
  }

  // MARK: Walls

  /// Every command and read about a tree that names a conversation and a message.
  private static func questions(
    _ conversation: ConversationID, _ message: MessageID
  ) -> [(name: String, ask: (any Store, Principal) async throws -> Void)] {
    let commands: [(String, Command)] = [
      ("append after", .append(Append(to: conversation, [new("x", "known")], parent: message))),
      (
        "append after or not",
        .append(Append(to: conversation, [new("x")], parent: message, branch: 1, onConflict: .reject))
      ),
      ("append on", .append(Append(to: conversation, [new("x")], branch: 1))),
      ("revise", .revise(Revise(message, content: "x"))),
      ("revise a revision", .revise(Revise(message, content: "x", ifRevision: 7))),
      ("delete", .deleteMessage(DeleteMessage(message))),
      ("delete a revision", .deleteMessage(DeleteMessage(message, ifRevision: 7))),
      ("fork", .makeBranch(.fork(conversation, after: message))),
      ("fork before", .makeBranch(.fork(conversation, after: nil))),
      ("edit", .makeBranch(.edit(conversation, message, by: new("x", "known")))),
      ("rename", .updateBranch(UpdateBranch(BranchKey(conversation, 1), title: "x"))),
      ("rename what is not there", .updateBranch(UpdateBranch(BranchKey(conversation, 9), title: "x"))),
      ("activate", .update(UpdateConversation(conversation, activeBranch: 1))),
      ("delete a branch", .deleteBranch(BranchKey(conversation, 1))),
      ("delete the trunk", .deleteBranch(BranchKey(conversation, 0))),
    ]
    return commands.map { name, command in (name, { _ = try await $0.apply(command, as: $1) }) } + [
      ("message", { _ = try await $0.message(message, as: $1) }),
      ("revisions", { _ = try await $0.revisions(of: message, PageRequest(), as: $1) }),
      ("branches", { _ = try await $0.branches(of: conversation, as: $1) }),
      ("path", { _ = try await $0.messages(Path(.id(conversation), branch: 1), MessagePageRequest(), as: $1) }),
      ("changes", { _ = try await $0.changes(in: conversation, since: 0, limit: 20, as: $1) }),
      ("changes to come", { _ = try await $0.changes(in: conversation, since: 1 << 40, limit: 20, as: $1) }),
    ]
  }

  @Test(arguments: Backend.allCases)
  func `another user's tree answers like one that never was`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2", "3"])
      let ids = try await tree.messages().map(\.id)
      let own = try await tree.edit(ids[1], "known", client: "known").message
      try await tree.revise(ids[2], "edited")
      try await tree.delete(ids[0])
      let deleted = try await tree.edit(ids[1], "in a deleted branch").message
      try await tree.deleteBranch(2)
      let before = try await tree.now()
      let stranger = newUser()
      let mine = try await store.opened(stranger)
      try await store.appended(["mine"], to: mine)
      func errors(
        _ conversation: ConversationID, _ message: MessageID, _ names: [String]? = nil
      ) async -> [(String, ConversationError?)] {
        let questions = Self.questions(conversation, message).filter { names?.contains($0.name) ?? true }
        return await questions.asyncMap { name, ask in
          do {
            try await ask(store, .user(stranger))
            return (name, nil)
          } catch {
            return (name, error as? ConversationError)
          }
        }
      }
      let unknown = await errors(ConversationID(high: 1, low: 2), MessageID(high: 3, low: 4))
      for id in ids + [own.id, deleted.id] {
        for ((name, foreign), (_, unknown)) in zip(await errors(tree.id, id), unknown) {
          let (foreign, unknown) = (try #require(foreign, "\(name)"), try #require(unknown, "\(name)"))
          #expect(foreign.code == .notFound && foreign.isSame(as: unknown), "\(name): \(foreign) \(unknown)")
        }
      }
      // Another user's message in one's own conversation.
      let named = ["append after", "append after or not", "fork", "edit"]
      let unknownHere = await errors(mine.id, MessageID(high: 3, low: 4), named)
      for id in ids + [own.id, deleted.id] {
        for ((name, foreign), (_, unknown)) in zip(await errors(mine.id, id, named), unknownHere) {
          let (foreign, unknown) = (try #require(foreign, "\(name)"), try #require(unknown, "\(name)"))
          #expect(foreign.code == .notFound && foreign.isSame(as: unknown), "\(name): \(foreign) \(unknown)")
        }
      }
      #expect(try await tree.now() == before)
    }
  }
}

extension ConversationError {
  /// Whether nobody could tell the two apart.
  fileprivate func isSame(as other: ConversationError) -> Bool {
    code == other.code && message == other.message && field == other.field && rule == other.rule
  }
}

extension Message {
  /// What would append it.
  fileprivate var asNew: NewMessage {
    NewMessage(
      role: role, content: content, clientID: clientID, intent: intent, confidence: confidence, entities: entities,
      metadata: metadata)
  }
}
