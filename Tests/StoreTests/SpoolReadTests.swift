import ConversationModel
import StoreSQL
import Testing

@testable import StoreSpool

/// What is shown while the store is down.
@Suite(.timeLimit(.minutes(2))) struct SpoolReadTests {
  @Test func `the newest messages of a known conversation are shown, the spooled ones behind them`()
    async throws
  {
    try await withSpool { bench in
      let conversation = try await bench.spool.opened(newUser())
      try await bench.spool.appended((1...50).map { "\($0)" }, to: conversation)
      bench.faults.fail(.all)
      let spooled = [
        try await bench.say("51", in: conversation).messages[0],
        try await bench.say("52", in: conversation).messages[0],
      ]
      let page = try await bench.spool.page(conversation, limit: 10)
      #expect(page.isDegraded && page.messages.map(\.content) == (43...52).map { "\($0)" })
      #expect(
        page.messages.map(\.durability) == Array(repeating: .stored, count: 8) + [
          .spooled, .spooled,
        ])
      #expect(page.messages.suffix(2).map(\.id) == spooled.map(\.id) && page.after == nil)
      #expect(page.headPosition == 50)
      // Back as far as it is remembered, and not an empty page beyond.
      let before = try await bench.spool.page(
        conversation, .before(.cursor(try #require(page.before))), limit: 10)
      #expect(before.messages.map(\.content) == (33...42).map { "\($0)" })
      let first = try await bench.spool.page(
        conversation, .before(.cursor(try #require(before.before))), limit: 10)
      #expect(first.messages.map(\.content) == ["31", "32"])
      let end = try #require(first.before)
      #expect(
        await code { _ = try await bench.spool.page(conversation, .before(.cursor(end))) }
          == .unavailable)
      // One that names a spooled message.
      let page51 = try await bench.spool.page(conversation, limit: 2)
      #expect(page51.messages.map(\.content) == ["51", "52"])
      let behind = try await bench.spool.page(
        conversation, .after(.cursor(try #require(before.after))), limit: 10)
      #expect(behind.messages.map(\.content) == (43...52).map { "\($0)" })
      let around = try await bench.spool.page(
        conversation, .around(.message(spooled[0].id)), limit: 3)
      #expect(around.messages.map(\.content) == ["50", "51", "52"])
      #expect(
        try await bench.spool.message(spooled[1].id, as: .user(conversation.userID)).message.content
          == "52")
      #expect(
        await code { _ = try await bench.spool.message(spooled[1].id, as: .user(newUser())) } != nil
      )
      #expect(
        await code { _ = try await bench.spool.branches(of: conversation.id, as: .service) }
          == .unavailable)
      #expect(
        try await bench.spool.conversation(.id(conversation.id), as: .service).headPosition == 50)
      #expect(
        await code {
          _ = try await bench.spool.conversation(.id(conversation.id), as: .user(newUser()))
        } != nil)
      let latest = try await bench.spool.messages(
        Path(.defaultOrLatest(conversation.userID)), MessagePageRequest(limit: 1),
        as: .user(conversation.userID))
      #expect(latest.messages.map(\.content) == ["52"])
      // Those of another conversation are none of this one's, up or down.
      let other = DegradedCursor(
        Message(
          id: MessageID(high: 1, low: 1), clientID: nil, conversationID: ConversationID(high: 1, low: 1), branch: 0,
          position: 45, role: .user, content: "", intent: nil, confidence: nil, entities: .emptyObject,
          metadata: .emptyObject, status: .complete, revision: 1, createdAt: Timestamp(microseconds: 0), editedAt: nil)
      ).text
      #expect(await code { _ = try await bench.spool.page(conversation, .before(.cursor(other))) } == .invalid)
      // The cursors are good when the store is back.
      bench.faults.fail(.none)
      try await bench.settled()
      for cursor in [end, try #require(page.before), try #require(page51.before)] {
        #expect(
          try await bench.spool.page(conversation, .before(.cursor(cursor))).messages.count > 0)
      }
      #expect(try await bench.spool.page(conversation).isDegraded == false)
      try await bench.expectSound()
    }
  }

  @Test func `a store that reads still shows its own pages, the spooled messages behind them`()
    async throws
  {
    try await withSpool { bench in
      let conversation = try await bench.spool.opened(newUser())
      try await bench.spool.appended((1...50).map { "\($0)" }, to: conversation)
      bench.faults.fail(.before)
      let spooled = try await bench.say("51", in: conversation).messages[0]
      let page = try await bench.spool.page(conversation, limit: 3)
      #expect(
        page.messages.map(\.content) == ["49", "50", "51"] && page.isDegraded && page.after == nil)
      let older = try await bench.spool.page(
        conversation, .before(.cursor(try #require(page.before))), limit: 40)
      #expect(older.messages.map(\.content) == (9...48).map { "\($0)" } && !older.isDegraded)
      let newer = try await bench.spool.page(conversation, .after(.position(48)), limit: 200)
      #expect(newer.messages.map(\.content) == ["49", "50", "51"])
      let before = try await bench.spool.page(conversation, .before(.message(spooled.id)), limit: 2)
      #expect(before.messages.map(\.content) == ["49", "50"])
      #expect(
        try await bench.spool.conversations(.init(), .init(), as: .user(conversation.userID)).items
          .count == 1)
      // What nobody asked for yet is known all the same, because it can be looked up.
      let unseen = try await bench.store.opened(newUser(), "unseen")
      let opened = try await bench.spool.opened(unseen.userID, "unseen")
      #expect(opened.id == unseen.id)
      #expect(try await bench.say("x", in: unseen).durability == .spooled)
      // A spooled message has to wait for whatever else is to be done with it.
      bench.faults.fail(.none)
    }
  }

  @Test func `what is not in the store yet is on its way, not unknown`() async throws {
    try await withSpool(isTended: false) { bench in
      let user = newUser()
      bench.faults.fail(.before)
      let fresh = try await bench.spool.opened(user, "fresh")
      let message = try await bench.say("x", in: fresh).messages[0]
      bench.faults.fail(.none)
      bench.spool.recovered()
      for command in [
        Command.revise(Revise(message.id, content: "y")), .deleteMessage(DeleteMessage(message.id)),
        .erase(fresh.id),
        .update(UpdateConversation(fresh.id, isPinned: true)),
        .makeBranch(.fork(fresh.id, after: message.id)),
      ] {
        #expect(
          await code { _ = try await bench.spool.apply(command, as: .user(user)) } == .unavailable)
      }
      #expect(
        await code { _ = try await bench.spool.branches(of: fresh.id, as: .user(user)) }
          == .unavailable)
      #expect(
        await code {
          _ = try await bench.spool.changes(in: fresh.id, since: 0, limit: 1, as: .user(user))
        }
          == .unavailable)
      // To others it does not exist.
      #expect(
        await code { _ = try await bench.spool.conversation(.id(fresh.id), as: .user(newUser())) }
          == .notFound)
      #expect(
        await code { _ = try await bench.spool.message(message.id, as: .user(newUser())) }
          == .notFound)
    }
  }

  @Test func `another branch is shown as soon as it is the active one`() async throws {
    try await withSpool { bench in
      let conversation = try await bench.spool.opened(newUser())
      let messages = try await bench.spool.appended(["a", "b", "c"], to: conversation)
      let edit = MakeBranch.edit(
        conversation.id, messages[1].id, by: NewMessage(role: .user, content: "B"))
      _ = try await bench.spool.apply(.makeBranch(edit), as: .service)
      _ = try await bench.say("C", in: conversation)
      bench.faults.fail(.all)
      #expect(
        try await bench.spool.page(conversation, limit: 2).messages.map(\.content) == ["B", "C"])
      bench.faults.fail(.none)
      try await eventually { !bench.isDown() && bench.spool.readable != nil }
      _ = try await bench.spool.apply(.deleteBranch(BranchKey(conversation.id, 1)), as: .service)
      bench.faults.fail(.all)
      // Which messages are shown now is not known here; that they can be added to is.
      #expect(await code { _ = try await bench.spool.page(conversation) } == .unavailable)
      #expect(try await bench.say("d", in: conversation).durability == .spooled)
      bench.faults.fail(.none)
      try await bench.settled()
      #expect(try await bench.stored(conversation) == ["a", "b", "c", "d"])
      try await bench.expectSound()
    }
  }

  @Test func `edits and deletions are remembered too`() async throws {
    try await withSpool { bench in
      let conversation = try await bench.spool.opened(newUser())
      let messages = try await bench.spool.appended(["a", "b"], to: conversation)
      _ = try await bench.spool.apply(.revise(Revise(messages[0].id, content: "A")), as: .service)
      _ = try await bench.spool.apply(.deleteMessage(DeleteMessage(messages[1].id)), as: .service)
      bench.faults.fail(.all)
      #expect(try await bench.spool.page(conversation).messages.map(\.content) == ["A", ""])
    }
  }
}

/// What a server remembers is bounded.
@Suite struct KnownTests {
  private static func conversation(_ number: UInt64, of user: UserID, _ name: String)
    -> Conversation
  {
    Conversation(
      id: ConversationID(high: number, low: 1), userID: user, sessionID: name, isDefault: false,
      title: nil,
      context: .emptyObject, isArchived: false, isPinned: false, activeBranch: 0, headPosition: 0,
      messageCount: 0,
      branchCount: 1, version: 1, createdAt: Timestamp(microseconds: 0),
      updatedAt: Timestamp(microseconds: 0))
  }

  private static func message(_ position: Int, in conversation: Conversation, bytes: Int) -> Message {
    Message(
      id: MessageID(high: conversation.id.high, low: UInt64(position)), clientID: nil,
      conversationID: conversation.id, branch: 0, position: position, role: .user,
      content: String(repeating: "x", count: bytes), intent: nil, confidence: nil,
      entities: .emptyObject,
      metadata: .emptyObject, status: .complete, revision: 1, createdAt: Timestamp(microseconds: 0),
      editedAt: nil)
  }

  @Test func `the sessions not used for longest are forgotten, and written off`() {
    var known = Known(sessions: 3)
    let user = newUser()
    let all = (1...5).map { Self.conversation($0, of: user, "s\($0)") }
    for conversation in all[..<3] { known.note(conversation) }
    _ = known.takeChanges(limit: 10)
    known.note(all[0])
    for conversation in all[3...] { known.note(conversation) }
    #expect(known.count == 3)
    #expect(all.map { known[$0.id] != nil } == [true, false, false, true, true])
    #expect(known.entry(of: .session(user, .named("s2"))) == nil)
    #expect(known.entry(of: .session(user, .named("s4")))?.id == all[3].id)
    let (rows, dropped) = known.takeChanges(limit: 10)
    #expect(
      Set(rows.map(\.id)) == [all[3].id, all[4].id] && Set(dropped) == [all[1].id, all[2].id])
    #expect(!known.hasChanges)
  }

  @Test func `messages are bounded by number and by bytes, the newest kept`() {
    var known = Known(bytes: 100_000)
    let user = newUser()
    let all = (1...5).map { Self.conversation($0, of: user, "s\($0)") }
    for conversation in all {
      known.note(conversation)
      for position in 1...30 {
        known.note(
          [Self.message(position, in: conversation, bytes: 1_000)], of: user, version: position + 1)
      }
    }
    #expect(known[all[4].id]?.tail.map(\.position) == Array(11...30))
    #expect(all.map { known[$0.id]!.messages.count } == [0, 0, 20, 20, 20])
    #expect(all.allSatisfy { known[$0.id]?.conversation?.headPosition == 30 })
  }

  @Test func `answers that come out of order are put in order, and a hole ends what is shown`() {
    var known = Known()
    let user = newUser()
    let conversation = Self.conversation(1, of: user, "s")
    known.note(conversation)
    for position in [1, 3, 2, 6, 5] {
      known.note(
        [Self.message(position, in: conversation, bytes: 1)], of: user, version: position + 1)
    }
    #expect(known[conversation.id]?.tail.map(\.position) == [5, 6])
    known.note([Self.message(4, in: conversation, bytes: 1)], of: user, version: 5)
    #expect(known[conversation.id]?.tail.map(\.position) == Array(1...6))
    #expect(known[conversation.id]?.head == MessageID(high: 1, low: 6))
  }
}
