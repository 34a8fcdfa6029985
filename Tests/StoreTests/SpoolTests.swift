import ConversationModel
import StoreSQL
import StoreSQLite
import Synchronization
import Testing

@testable import StoreSpool

/// What is acknowledged while the store is down, and what becomes of it.
@Suite(.timeLimit(.minutes(2))) struct SpoolTests {
  @Test(arguments: [FaultyDriver.Fault.before, .after, .all])
  func `what is said while the store is down is in it afterwards, under its id and its time`(
    fault: FaultyDriver.Fault
  ) async throws {
    try await withSpool { bench in
      let told = Mutex<[StoredMessage]>([])
      bench.spool.onStored { stored in told.withLock { $0.append(stored) } }
      let conversation = try await bench.spool.opened(newUser(), "s")
      _ = try await bench.say("before", in: conversation)
      bench.faults.fail(fault)
      var receipts: [Receipt] = []
      for text in ["one", "two", "three"] {
        receipts.append(try await bench.say(text, in: conversation, client: text))
      }
      for receipt in receipts {
        #expect(receipt.durability == .spooled && receipt.version == nil && !receipt.isReplay)
        #expect(receipt.messages.allSatisfy { $0.durability == .spooled && $0.position == 0 })
      }
      #expect(await bench.spool.health().refusal == nil)
      #expect(await bench.spool.health().warnings.contains { $0.contains("down") })
      #expect(await bench.spool.health().spool?.waiting == 3)
      bench.faults.fail(.none)
      try await bench.settled()
      let page = try await bench.store.page(conversation)
      #expect(page.messages.map(\.content) == ["before", "one", "two", "three"])
      #expect(page.messages.dropFirst().map(\.id) == receipts.flatMap { $0.messages.map(\.id) })
      #expect(
        page.messages.dropFirst().map(\.createdAt)
          == receipts.flatMap { $0.messages.map(\.createdAt) })
      let heard = told.withLock { $0 }
      #expect(heard.map(\.spooledID) == receipts.flatMap { $0.messages.map(\.id) })
      #expect(
        heard.map(\.message.position) == [2, 3, 4]
          && heard.map(\.message.clientID) == ["one", "two", "three"])
      // An append whose outcome was unknown may have been stored before it was handed over again.
      #expect(
        heard.allSatisfy { (3...5).contains($0.version) && $0.conversation == conversation.id })
      #expect(await bench.spool.health().warnings == [])
      // And the store is written directly again.
      #expect(try await bench.say("after", in: conversation).durability == .stored)
      try await bench.expectSound()
    }
  }

  @Test func `a foreign conversation and one that nobody knows here are refused alike`()
    async throws
  {
    try await withSpool { bench in
      let conversation = try await bench.spool.opened(newUser())
      let unseen = try await bench.store.opened(newUser())
      bench.faults.fail(.all)
      _ = try await bench.say("known", in: conversation)
      var refusals: [String] = []
      for (id, user) in [
        (conversation.id, newUser()), (unseen.id, unseen.userID),
        (ConversationID(high: 1, low: 2), newUser()),
      ] {
        do throws(ConversationError) {
          _ = try await bench.spool.apply(
            .append(Append(to: id, [NewMessage(role: .user, content: "x")])), as: .user(user))
        } catch {
          #expect(error.code == .unavailable)
          refusals.append(error.message)
        }
      }
      #expect(refusals.count == 3 && Set(refusals).count == 1)
      let update = Command.update(UpdateConversation(conversation.id, title: .named("x")))
      #expect(
        await code { _ = try await bench.spool.apply(update, as: .user(conversation.userID)) }
          == .unavailable)
      #expect(
        await code {
          _ = try await bench.spool.conversations(.init(), .init(), as: .user(conversation.userID))
        }
          == .unavailable)
    }
  }

  @Test func `what is wrong is wrong, whether the store is up or down`() async throws {
    try await withSpool { bench in
      let conversation = try await bench.spool.opened(newUser())
      func bad() async -> [ConversationError.Code?] {
        var codes: [ConversationError.Code?] = []
        for messages in [
          [], [NewMessage(role: .user, content: "a\u{0}")],
          [
            NewMessage(role: .user, content: String(repeating: "x", count: Limits.contentBytes + 1))
          ],
          [
            NewMessage(role: .user, content: "a", clientID: "same"),
            NewMessage(role: .user, content: "b", clientID: "same"),
          ],
        ] {
          codes.append(
            await code {
              _ = try await bench.spool.apply(
                .append(Append(to: conversation.id, messages)), as: .user(conversation.userID))
            })
        }
        codes.append(
          await code {
            _ = try await bench.spool.apply(
              .open(OpenConversation(user: conversation.userID, session: .named("x"))),
              as: .user(newUser()))
          })
        return codes
      }
      let up = await bad()
      bench.faults.fail(.all)
      _ = try? await bench.spool.conversation(.id(conversation.id), as: .service)
      #expect(await bad() == up)
      #expect(up == [.invalid, .invalid, .tooLarge, .invalid, .forbidden])
      #expect(await bench.spool.health().spool?.waiting == 0)
    }
  }

  @Test
  func `the same client id is the same message in the spool too, with other content a conflict`()
    async throws
  {
    try await withSpool { bench in
      let conversation = try await bench.spool.opened(newUser())
      let kept = try await bench.say("kept", in: conversation, client: "stored")
      bench.faults.fail(.before)
      let first = try await bench.say("one", in: conversation, client: "a")
      let again = try await bench.say("one", in: conversation, client: "a")
      #expect(
        !first.isReplay && again.isReplay && again.durability == .spooled
          && again.messages == first.messages)
      #expect(
        await code { _ = try await bench.say("other", in: conversation, client: "a") } == .conflict)
      // What the store had before is remembered.
      let remembered = try await bench.say("kept", in: conversation, client: "stored")
      #expect(
        remembered.isReplay && remembered.durability == .stored
          && remembered.messages == kept.messages)
      #expect(
        await code { _ = try await bench.say("other", in: conversation, client: "stored") }
          == .conflict)
      bench.faults.fail(.none)
      try await bench.settled()
      let last = try await bench.say("one", in: conversation, client: "a")
      #expect(
        last.isReplay && last.durability == .stored
          && last.messages.map(\.id) == first.messages.map(\.id))
      #expect(try await bench.stored(conversation) == ["kept", "one"])
      try await bench.expectSound()
    }
  }

  @Test func `a message is found under its new id if the store had its client id already`()
    async throws
  {
    try await withSpool { bench in
      let conversation = try await bench.spool.opened(newUser())
      bench.faults.fail(.all)
      let spooled = try await bench.say("one", in: conversation, client: "a").messages[0]
      // Another server stores it meanwhile.
      let real = try await bench.store.apply(
        .append(
          Append(to: conversation.id, [NewMessage(role: .user, content: "one", clientID: "a")])),
        as: .service
      ).messages[0]
      #expect(real.id != spooled.id)
      bench.faults.fail(.none)
      try await bench.settled()
      #expect(try await bench.spool.message(spooled.id, as: .service).message.id == real.id)
      let next = try await bench.say("two", in: conversation, parent: spooled.id)
      #expect(next.branch == nil && next.messages[0].position == 2)
      #expect(try await bench.stored(conversation) == ["one", "two"])
      try await bench.expectSound()
    }
  }

  @Test func `sessions are found and made while the store is down`() async throws {
    try await withSpool { bench in
      let user = newUser()
      let known = try await bench.spool.opened(user, "known")
      bench.faults.fail(.all)
      func open(_ key: SessionKey) async throws -> Receipt {
        try await bench.spool.apply(
          .open(OpenConversation(user: user, session: key)), as: .user(user))
      }
      let found = try await open(.named("known"))
      #expect(found.conversation?.id == known.id && found.isReplay && found.durability == .stored)
      var fresh: [Conversation] = []
      for key in [SessionKey.named("new"), .default, .new] {
        let made = try await open(key)
        #expect(made.durability == .spooled && made.version == nil && !made.isReplay)
        let conversation = try #require(made.conversation)
        fresh.append(conversation)
        if key != .new {
          let again = try await open(key)
          #expect(
            again.isReplay && again.conversation?.id == conversation.id
              && again.durability == .spooled)
        }
        _ = try await bench.say("in it", in: conversation)
        #expect(try await bench.spool.page(conversation).messages.map(\.content) == ["in it"])
      }
      bench.faults.fail(.none)
      try await bench.settled()
      for conversation in fresh {
        let stored = try await bench.store.conversation(.id(conversation.id), as: .user(user))
        #expect(
          stored.sessionID == conversation.sessionID && stored.isDefault == conversation.isDefault)
        #expect(stored.createdAt == conversation.createdAt && stored.messageCount == 1)
      }
      #expect(try await open(.named("new")).conversation?.id == fresh[0].id)
      try await bench.expectSound()
    }
  }

  @Test
  func `a session that the store had under another id is one conversation, also after a restart`()
    async throws
  {
    try await withDirectory { directory in
      let user = newUser()
      var (fresh, real): (Conversation?, Conversation?)
      try await withSpool(in: directory) { bench in
        bench.faults.fail(.all)
        fresh = try await bench.spool.opened(user, "s")
        _ = try await bench.say("one", in: fresh!)
        real = try await bench.store.opened(user, "s")
        #expect(fresh!.id != real!.id)
        bench.faults.fail(.none)
        try await bench.settled()
        #expect(try await bench.stored(real!) == ["one"])
      }
      try await withSpool(in: directory) { bench in
        let (fresh, real) = (try #require(fresh), try #require(real))
        #expect(bench.spool.resolved(fresh.id) == real.id)
        #expect(try await bench.say("two", in: fresh).messages[0].conversationID == real.id)
        bench.faults.fail(.before)
        #expect(try await bench.say("three", in: fresh).durability == .spooled)
        #expect(
          try await bench.spool.page(fresh).messages.map(\.content) == ["one", "two", "three"])
        bench.faults.fail(.none)
        try await bench.settled()
        #expect(try await bench.spool.conversation(.id(fresh.id), as: .user(user)).id == real.id)
        #expect(try await bench.spool.branches(of: fresh.id, as: .user(user)).count == 1)
        #expect(
          try await bench.spool.changes(in: fresh.id, since: 0, limit: 20, as: .user(user)).version
            == 4)
        let renamed = try await bench.spool.apply(
          .update(UpdateConversation(fresh.id, title: .named("t"))), as: .user(user))
        #expect(renamed.conversation?.id == real.id)
        #expect(try await bench.stored(real) == ["one", "two", "three"])
        try await bench.expectSound()
        _ = try await bench.spool.apply(.erase(fresh.id), as: .user(user))
        #expect(bench.spool.state.withLock { $0.aliases.isEmpty })
      }
    }
  }

  @Test func `a spooled message can be a parent, and a parent that others passed makes a branch`()
    async throws
  {
    try await withSpool { bench in
      let conversation = try await bench.spool.opened(newUser())
      let root = try await bench.say("root", in: conversation).messages[0]
      bench.faults.fail(.all)
      let one = try await bench.say("one", in: conversation, parent: root.id).messages[0]
      _ = try await bench.say("two", in: conversation, parent: one.id)
      // A parent that cannot be told, and one that must be the last, are not taken.
      #expect(
        await code {
          _ = try await bench.say("x", in: conversation, parent: MessageID(high: 1, low: 1))
        }
          == .unavailable)
      let reject = Append(
        to: conversation.id, [NewMessage(role: .user, content: "x")], parent: root.id,
        onConflict: .reject)
      #expect(
        await code {
          _ = try await bench.spool.apply(.append(reject), as: .user(conversation.userID))
        } == .unavailable)
      try await bench.store.appended(["other"], to: conversation)
      bench.faults.fail(.none)
      try await bench.settled()
      #expect(try await bench.stored(conversation) == ["root", "other"])
      let branch = try await bench.store.messages(
        Path(.id(conversation.id), branch: 1), MessagePageRequest(), as: .service)
      #expect(branch.messages.map(\.content) == ["root", "one", "two"])
      try await bench.expectSound()
    }
  }

  @Test(arguments: [true, false])
  func `nothing overtakes what waits in the spool, unless the rule is off`(keepsOrder: Bool)
    async throws
  {
    var rules = SpoolStore.Rules.quick
    rules.keepsOrder = keepsOrder
    try await withSpool(rules: rules, isTended: false) { bench in
      let conversation = try await bench.spool.opened(newUser())
      bench.faults.fail(.before)
      _ = try await bench.say("first", in: conversation)
      bench.faults.fail(.none)
      bench.spool.recovered()
      let second = try await bench.say("second", in: conversation)
      #expect(second.durability == (keepsOrder ? .spooled : .stored))
      // Another conversation does not wait.
      let other = try await bench.spool.opened(newUser())
      #expect(try await bench.say("x", in: other).durability == .stored)
      let tending = Task { await bench.spool.run() }
      try await bench.settled()
      // The control: without the rule the second message comes first.
      #expect(
        try await bench.stored(conversation)
          == (keepsOrder ? ["first", "second"] : ["second", "first"]))
      tending.cancel()
      await tending.value
    }
  }

  @Test func `a record that the store can never take is put aside and blocks nobody`() async throws {
    try await withDirectory { directory in
      try await withSpool(in: directory) { bench in
        let user = newUser()
        let (gone, kept) = (
          try await bench.spool.opened(user, "gone"), try await bench.spool.opened(user, "kept")
        )
        bench.faults.fail(.all)
        _ = try await bench.say("lost its place", in: gone)
        _ = try await bench.say("finds its place", in: kept)
        _ = try await bench.store.apply(.erase(gone.id), as: .service)
        try await bench.store.appended(["x"], to: kept)
        bench.faults.fail(.none)
        try await bench.settled()
        #expect(try await bench.stored(kept) == ["x", "finds its place"])
        let health = await bench.spool.health()
        #expect(health.spool?.deadLetters == 1 && health.refusal == nil)
        #expect(health.warnings.contains { $0.contains("never") })
        let findings = try await bench.findings()
        #expect(findings.count == 1 && findings[0].contains("not_found"))
      }
      try await withSpool(in: directory) { bench in
        #expect(await bench.spool.health().spool?.deadLetters == 1)
        #expect(await bench.spool.health().spool?.waiting == 0)
      }
    }
  }

  @Test func `the spool takes no more than it may, and says so`() async throws {
    var rules = SpoolStore.Rules.quick
    rules.records = 3
    try await withSpool(rules: rules) { bench in
      let conversation = try await bench.spool.opened(newUser())
      bench.faults.fail(.before)
      for text in ["1", "2", "3"] { _ = try await bench.say(text, in: conversation) }
      #expect(await code { _ = try await bench.say("4", in: conversation) } == .unavailable)
      #expect(await bench.spool.health().refusal != nil)
      bench.faults.fail(.none)
      try await bench.settled()
      #expect(await bench.spool.health().refusal == nil)
      #expect(try await bench.stored(conversation) == ["1", "2", "3"])
    }
  }

  @Test func `a healthy save does not touch the spool`() async throws {
    try await withSpool(isTended: false) { bench in
      let conversation = try await bench.spool.opened(newUser())
      let commits = bench.spool.file.driver.health().commits
      for number in 0..<50 { _ = try await bench.say("\(number)", in: conversation) }
      _ = try await bench.spool.page(conversation)
      #expect(bench.spool.file.driver.health().commits == commits)
      // What is known is written behind, all of it at once.
      await bench.spool.writeDown()
      #expect(bench.spool.file.driver.health().commits == commits + 1)
    }
  }

  @Test func `a steady stream of messages finds its way back to the store`() async throws {
    try await withSpool { bench in
      let conversation = try await bench.spool.opened(newUser())
      bench.faults.fail(.before)
      for number in 0..<40 { _ = try await bench.say("\(number)", in: conversation) }
      bench.faults.fail(.none)
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for writer in 0..<4 {
          group.addTask {
            var isBack = false
            for number in 0..<200 {
              isBack =
                try await bench.say("\(writer) \(number)", in: conversation).durability == .stored
            }
            return isBack
          }
        }
        for try await isBack in group { #expect(isBack) }
      }
      try await bench.expectSound()
      #expect(
        try await bench.store.conversation(.id(conversation.id), as: .service).messageCount == 840)
    }
  }
}
