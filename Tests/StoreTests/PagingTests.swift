import ConversationModel
import Testing

@Suite struct PagingTests {
  @Test(arguments: Backend.allCases, [1, 2, 7, 100])
  func `paging back and forth yields each message once while others append`(backend: Backend, size: Int) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let conversation = try await store.opened(user)
      let count = 230
      try await store.appended((1...count).map { "\($0)" }, to: conversation)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          for number in 1...60 { try await store.appended(["later \(number)"], to: conversation) }
        }
        group.addTask {
          var backwards: [Message] = []
          var part = MessagePageRequest.Part.before(.position(count))
          while true {
            let page = try await store.page(conversation, part, limit: size)
            #expect(page.messages.count == min(size, count - 1 - backwards.count))
            backwards = page.messages + backwards
            guard let before = page.before else { break }
            part = .before(.cursor(before))
          }
          #expect(backwards.map(\.content) == (1..<count).map { "\($0)" })
          #expect(backwards.map(\.position) == Array(1..<count))
        }
        group.addTask {
          var forwards: [Message] = []
          var part = MessagePageRequest.Part.after(.position(1))
          while true {
            let page = try await store.page(conversation, part, limit: size)
            forwards += page.messages
            guard let after = page.after else { break }
            part = .after(.cursor(after))
          }
          #expect(forwards.prefix(count - 1).map(\.content) == (2...count).map { "\($0)" })
          #expect(forwards.map(\.position) == Array(2...forwards.count + 1))
        }
        try await group.waitForAll()
      }
    }
  }

  @Test(arguments: Backend.allCases, [1, 2, 7, 100])
  func `a page around a message is as full as the path allows`(backend: Backend, size: Int) async throws {
    try await backend.withStore { store in
      let conversation = try await store.opened(newUser())
      let messages = try await store.appended((1...30).map { "\($0)" }, to: conversation)
      for message in messages {
        for anchor in [MessagePageRequest.Anchor.position(message.position), .message(message.id)] {
          let page = try await store.page(conversation, .around(anchor), limit: size)
          let positions = page.messages.map(\.position)
          #expect(positions.count == min(size, 30))
          #expect(positions.contains(message.position))
          #expect(positions == Array(positions[0]..<positions[0] + positions.count))
          #expect((page.before == nil) == (positions.first == 1))
          #expect((page.after == nil) == (positions.last == 30))
        }
      }
    }
  }

  /// Bytes and the rest of a page are for the server that sends it; its clients get whole pages.
  @Test(arguments: [Backend.sqlite])
  func `a page breaks off behind the message that reaches its bytes, and names the rest`(backend: Backend) async throws
  {
    try await backend.withStore { store in
      let conversation = try await store.opened(newUser())
      try await store.appended(Array(repeating: String(repeating: "x", count: 1_000), count: 10), to: conversation)
      func page(_ part: MessagePageRequest.Part, bytes: Int?) async throws -> MessagePage {
        try await store.messages(
          Path(.id(conversation.id)), MessagePageRequest(limit: 5, part, bytes: bytes), as: .user(conversation.userID))
      }
      for (part, first) in [(MessagePageRequest.Part.latest, 6), (.around(.position(4)), 2), (.after(.position(2)), 3)]
      {
        for (bytes, count) in [(1, 1), (1_000, 1), (2_500, 3), (4_900, 5), (nil, 5)] as [(Int?, Int)] {
          let whole = try await page(part, bytes: nil)
          let page = try await page(part, bytes: bytes)
          #expect(page.messages.map(\.position) == Array(first..<first + count))
          #expect(page.rest == (count == 5 ? nil : first + count...first + 4))
          #expect((page.before, page.after) == (whole.before, whole.after))
        }
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a position, a message id and a cursor name the same place`(backend: Backend) async throws {
    try await backend.withStore { store in
      let conversation = try await store.opened(newUser())
      let messages = try await store.appended((1...9).map { "\($0)" }, to: conversation)
      let cursor = try #require(try await store.page(conversation, .after(.position(3)), limit: 2).before)
      for anchor in [MessagePageRequest.Anchor.position(4), .message(messages[3].id), .cursor(cursor)] {
        let before = try await store.page(conversation, .before(anchor), limit: 2)
        #expect(before.messages.map(\.position) == [2, 3])
        let after = try await store.page(conversation, .after(anchor), limit: 2)
        #expect(after.messages.map(\.position) == [5, 6])
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `the ends of a path have no cursor, and pages beyond them are empty`(backend: Backend) async throws {
    try await backend.withStore { store in
      let conversation = try await store.opened(newUser())
      let empty = try await store.page(conversation)
      #expect(empty.messages.isEmpty && empty.before == nil && empty.after == nil && empty.headPosition == 0)
      try await store.appended(["a", "b", "c"], to: conversation)
      let all = try await store.page(conversation)
      #expect(all.before == nil && all.after == nil && all.headPosition == 3 && all.version == 2)
      let newer = try await store.page(conversation, .after(.position(3)))
      #expect(newer.messages.isEmpty && newer.after == nil)
      let back = try await store.page(conversation, .before(.cursor(try #require(newer.before))))
      #expect(back.messages.map(\.content) == ["a", "b", "c"])
      let older = try await store.page(conversation, .before(.position(1)))
      #expect(older.messages.isEmpty && older.before == nil)
      let forth = try await store.page(conversation, .after(.cursor(try #require(older.after))))
      #expect(forth.messages.map(\.content) == ["a", "b", "c"])
      // What was the end goes on when somebody appends.
      try await store.appended(["d"], to: conversation)
      #expect(try await store.page(conversation, .after(.position(3))).messages.map(\.content) == ["d"])
    }
  }

  @Test(arguments: Backend.allCases)
  func `an anchor that is not on the path is refused`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let (one, two) = (try await store.opened(user), try await store.opened(user))
      try await store.appended(["a", "b"], to: one)
      let foreign = try await store.appended(["x"], to: two)[0]
      for anchor in [
        MessagePageRequest.Anchor.position(0), .position(3), .position(-1), .position(.max), .position(.min),
        .message(foreign.id), .message(MessageID(high: 1, low: 1)),
      ] {
        for part in [MessagePageRequest.Part.before(anchor), .after(anchor), .around(anchor)] {
          #expect(await code { _ = try await store.page(one, part) } == .invalid, "\(part)")
        }
      }
      #expect(
        await code { _ = try await store.messages(Path(.id(one.id), branch: 1), MessagePageRequest(), as: .user(user)) }
          == .notFound)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a damaged or foreign cursor is refused`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let (one, two) = (try await store.opened(user), try await store.opened(user))
      for conversation in [one, two] { try await store.appended((1...5).map { "\($0)" }, to: conversation) }
      let cursor = try #require(try await store.page(one, limit: 2).before)
      #expect(await code { _ = try await store.page(one, .before(.cursor(cursor))) } == nil)
      #expect(await code { _ = try await store.page(two, .before(.cursor(cursor))) } == .invalid)
      let first = try await store.conversations(ConversationFilter(), PageRequest(limit: 1), as: .user(user))
      let listCursor = try #require(first.next)
      // A position and an id are no cursors.
      let others = ["3", try await store.page(one).messages[0].id.description]
      for damaged in damages(of: cursor) + others + [
        "", "m", "m00", listCursor, String(repeating: "m", count: 5_000), "\u{0}",
      ] {
        #expect(await code { _ = try await store.page(one, .before(.cursor(damaged))) } == .invalid, "\(damaged)")
      }
      func list(_ filter: ConversationFilter, _ cursor: String) async -> ConversationError.Code? {
        await code { _ = try await store.conversations(filter, PageRequest(limit: 1, cursor: cursor), as: .user(user)) }
      }
      #expect(await list(ConversationFilter(), listCursor) == nil)
      for filter in [
        ConversationFilter(isArchived: false), ConversationFilter(isPinned: true), ConversationFilter(titlePart: "x"),
        ConversationFilter(sessionID: "x"),
      ] {
        #expect(await list(filter, listCursor) == .invalid)
      }
      for damaged in damages(of: listCursor) + ["", "c", cursor] {
        #expect(await list(ConversationFilter(), damaged) == .invalid, "\(damaged)")
      }
      // Another user's list is another list.
      let stranger = newUser()
      _ = try await store.opened(stranger)
      #expect(
        await code {
          _ = try await store.conversations(
            ConversationFilter(), PageRequest(limit: 1, cursor: listCursor), as: .user(stranger))
        } == .invalid)
    }
  }

  /// The text with each character changed, dropped or doubled.
  private func damages(of text: String) -> [String] {
    text.indices.flatMap { index -> [String] in
      let (head, character, tail) = (text[..<index], text[index], text[text.index(after: index)...])
      return [
        "\(head)\(character == "0" ? "1" : "0")\(tail)", "\(head)\(tail)", "\(head)\(character)\(character)\(tail)",
      ]
    }.filter { $0 != text }
  }

  @Test(arguments: Backend.allCases, [1, 2, 7, 100])
  func `a list of conversations is in order of activity and yields each once`(backend: Backend, size: Int) async throws
  {
    try await backend.withStore { store in
      let user = newUser()
      var made: [Conversation] = []
      for _ in 0..<30 { made.append(try await store.opened(user)) }
      // Activity, not age, decides.
      try await store.appended(["hello"], to: made[4])
      let expected = [made[4]] + made.enumerated().filter { $0.offset != 4 }.map(\.element).reversed()
      var listed: [ConversationID] = []
      var cursor: String?
      repeat {
        let page = try await store.conversations(
          ConversationFilter(), PageRequest(limit: size, cursor: cursor), as: .user(user))
        #expect(page.items.count == min(size, 30 - listed.count))
        listed += page.items.map(\.id)
        cursor = page.next
        // Newer activity on what was seen already does not disturb the rest.
        if cursor != nil { try await store.appended(["again"], to: made[4]) }
      } while cursor != nil
      #expect(listed == expected.map(\.id))
    }
  }
}
