import ConversationModel
import Testing

/// What a reader sees of a tree: paths, and where they split.
@Suite struct PathTreeTests {
  @Test(arguments: Backend.allCases)
  func `siblings are the same from the view of each`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2", "3"])
      let trunk = try await tree.messages()
      let one = try await tree.edit(trunk[1].id, "1.2").message
      let two = try await tree.edit(one.id, "2.2").message
      let three = try await tree.fork(after: trunk[0].id)
      let empty = try await tree.fork(after: trunk[0].id)
      let four = try #require(try await tree.append(["3.2", "3.3"], on: three.number).messages.first)
      let all = [trunk[1], one, two, four]
      func expect(_ expected: [Message]) async throws {
        for message in expected {
          let siblings = try await store.message(message.id, as: tree.owner).siblings
          #expect(siblings == expected.map { .init(id: $0.id, branch: $0.branch) })
        }
      }
      try await expect(all)
      #expect(all.map(\.branch) == [0, 1, 2, 3] && empty.number == 4)
      // Alone at its place.
      #expect(try await tree.siblings(trunk[0].id) == [0])
      #expect(try await tree.siblings(trunk[2].id) == [0])
      // A deleted message stays one, a deleted branch's does not.
      try await tree.delete(one.id)
      try await tree.delete(trunk[1].id)
      try await expect(all)
      try await tree.deleteBranch(2)
      try await expect([trunk[1], one, four])
    }
  }

  @Test(arguments: Backend.allCases)
  func `messages at the same position behind others are no siblings`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2", "3"])
      let trunk = try await tree.messages()
      let one = try await tree.edit(trunk[1].id, "1.2").message
      let onOne = try #require(try await tree.append(["1.3"], on: 1).messages.first)
      let two = try await tree.edit(onOne.id, "2.3").message
      #expect(try await tree.siblings(trunk[2].id) == [0])
      #expect(try await tree.siblings(onOne.id) == [1, 2])
      #expect(try await tree.siblings(two.id) == [1, 2])
      #expect(try await tree.siblings(one.id) == [0, 1])
    }
  }

  @Test(arguments: Backend.allCases)
  func `a page names the branches that start in it, on the trunk`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, (1...9).map { "\($0)" })
      let trunk = try await tree.messages()
      // Branch p + 1 starts at position p + 1, 0 ... 9; two more at 1 and at 5.
      for position in 0...9 { try await tree.fork(after: position == 0 ? nil : trunk[position - 1].id) }
      for number in 1...10 { try await tree.append(["\(number)"], on: number) }
      try await tree.edit(trunk[0].id, "11")
      try await tree.edit(trunk[4].id, "12")
      let starts = Dictionary(
        uniqueKeysWithValues: (1...9).map { ($0, $0 == 1 ? [1, 11] : $0 == 5 ? [5, 12] : [$0]) })
      for size in 1...9 {
        for first in 1...10 - size {
          let part = MessagePageRequest.Part.around(.position(first + size / 2))
          let page = try await tree.page(0, part, limit: size)
          #expect(page.messages.map(\.position) == Array(first..<first + size))
          #expect(page.forks == (first..<first + size).map { Fork(position: $0, branches: starts[$0]!) })
        }
      }
      // Behind the head there is no message that they could stand beside.
      #expect(try await tree.forks(0)[10] == nil)
      #expect(try await tree.forks(0, .after(.position(9))).isEmpty)
    }
  }

  @Test(arguments: Backend.allCases, [1, 2, 3, 200])
  func `a page of a branch names the others that start beside it, below it and on it`(
    backend: Backend, size: Int
  ) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2", "3", "4", "5"])
      let trunk = try await tree.messages()
      let one = try await tree.edit(trunk[2].id, "1.3").message
      let onOne = try await tree.append(["1.4", "1.5", "1.6"], on: 1).messages
      try await tree.edit(one.id, "2.3")  // 2 beside 1
      try await tree.edit(trunk[1].id, "3.2")  // 3 below
      try await tree.edit(trunk[3].id, "4.4")  // 4 on the trunk, above the fork
      try await tree.edit(onOne[0].id, "5.4")  // 5 on 1
      try await tree.append(["5.5"], on: 5)
      try await tree.edit(onOne[2].id, "6.6")  // 6 on 1, at its head
      try await tree.fork(after: onOne[1].id)  // 7 on 1, empty
      try await tree.edit(onOne[1].id, "8.5")  // 8 on 1, deleted
      try await tree.deleteBranch(8)
      /// The forks of a path, gathered from its pages in both directions.
      func gathered(_ branch: BranchNumber) async throws -> [Position: [BranchNumber]] {
        var (up, down): ([Position: [BranchNumber]], [Position: [BranchNumber]]) = ([:], [:])
        var part = MessagePageRequest.Part.around(.position(1))
        while true {
          let page = try await tree.page(branch, part, limit: size)
          for fork in page.forks { #expect(up.updateValue(fork.branches, forKey: fork.position) == nil) }
          guard let after = page.after else { break }
          part = .after(.cursor(after))
        }
        part = .latest
        while true {
          let page = try await tree.page(branch, part, limit: size)
          for fork in page.forks { #expect(down.updateValue(fork.branches, forKey: fork.position) == nil) }
          guard let before = page.before else { break }
          part = .before(.cursor(before))
        }
        #expect(up == down)
        return up
      }
      #expect(try await gathered(0) == [2: [3], 3: [1, 2], 4: [4]])
      #expect(try await gathered(1) == [2: [3], 3: [2], 4: [5], 6: [6]])
      #expect(try await gathered(2) == [2: [3], 3: [1]])
      #expect(try await gathered(3) == [:])
      #expect(try await gathered(4) == [2: [3], 3: [1, 2]])
      #expect(try await gathered(5) == [2: [3], 3: [2]])
      #expect(try await gathered(6) == [2: [3], 3: [2], 4: [5]])
      #expect(try await gathered(7) == [2: [3], 3: [2], 4: [5]])
    }
  }

  @Test(arguments: Backend.allCases)
  func `branches before the first message see each other, and the trunk`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2"])
      let first = try await tree.messages()[0]
      for text in ["1.1", "2.1"] { try await tree.edit(first.id, text) }
      #expect(try await tree.forks(0) == [1: [1, 2]])
      // The trunk is another branch too, whose first message stands there.
      #expect(try await tree.forks(1) == [1: [0, 2]])
      #expect(try await tree.forks(2) == [1: [0, 1]])
    }
  }

  @Test(arguments: Backend.allCases)
  func `switching the active branch moves the head and what is shown`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2", "3"])
      let trunk = try await tree.messages()
      try await tree.edit(trunk[0].id, "1.1")
      for (number, head, texts) in [(1, 1, ["1.1"]), (0, 3, ["1", "2", "3"]), (1, 1, ["1.1"])] {
        let receipt = try await tree.activate(number)
        let shown = try #require(receipt.conversation)
        #expect(shown.activeBranch == number && shown.headPosition == head && shown.version == receipt.version)
        #expect(try await tree.now() == shown)
        #expect(try await tree.texts() == texts)
        #expect(try await tree.page().branch == number)
        #expect(try await tree.branches().filter(\.isActive).map(\.number) == [number])
      }
      // The active one again is a change like any other.
      #expect(try await tree.activate(1).version == 7)
      try await tree.append(["1.2"])
      #expect(try await tree.texts(1) == ["1.1", "1.2"])
      try await tree.unchanged {
        for number in [2, 99] {
          #expect(await tree.refusal(of: .update(UpdateConversation(tree.id, activeBranch: number))) == .notFound)
        }
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `paging goes on where it was when another branch becomes active`(backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["1", "2", "3", "4"])
      let trunk = try await tree.messages()
      let cursor = try #require(try await tree.page(limit: 2).before)
      try await tree.edit(trunk[1].id, "1.2", activate: true)
      #expect(try await tree.page(nil, .before(.cursor(cursor))).messages == Array(trunk[0...1]))
      #expect(try await tree.page(0, .before(.cursor(cursor))).messages == Array(trunk[0...1]))
      #expect(await code { _ = try await tree.page(1, .before(.cursor(cursor))) } == .invalid)
      // A message of another path is no anchor, one that is shared is.
      #expect(await code { _ = try await tree.page(1, .around(.message(trunk[1].id))) } == .invalid)
      #expect(await code { _ = try await tree.page(1, .around(.message(trunk[3].id))) } == .invalid)
      #expect(try await tree.page(1, .after(.message(trunk[0].id))).messages.map(\.content) == ["1.2"])
      // The cursor of a branch that is deleted leads nowhere.
      let lost = try #require(try await tree.page(1, limit: 1).before)
      try await tree.deleteBranch(1)
      #expect(await code { _ = try await tree.page(nil, .before(.cursor(lost))) } == .notFound)
    }
  }
}
