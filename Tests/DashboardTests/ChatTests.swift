import ConversationModel
import TerminalCanvas
import Testing

@testable import Dashboard

/// The user's screen: what is written, sent, kept and edited.
@Suite struct ChatTests {
  private static let outage = Failure(code: "unavailable", "The store is down: its file is gone.")

  private func tell(_ play: inout Play, _ version: Version, _ messages: Message...) {
    let changes = messages.map { Changes.Change(version: version, row: .message($0)) }
    play.tell(.event(.changes(version, changes)))
    play.settle()
  }

  /// The question and the place of its answer, as every client hears of them.
  private func begin(_ play: inout Play, _ text: String) -> Message {
    let begun = play.world.begun(.ask(NewMessage(role: .user, content: text), parent: nil, branch: nil))
    tell(&play, play.world.conversation.version + 1, begun.receipt.messages[0], begun.receipt.messages[1])
    return begun.receipt.messages[1]
  }

  // MARK: Beginning

  @Test func `it opens on the latest thread, and what is typed is written`() {
    var play = Play.chat()
    #expect(play.model.thread?.id == play.world.conversation.id && play.model.thread?.live == .attached)
    play.write("q?/:e")
    #expect(play.model.chat?.composer.text == "q?/:e" && !play.model.isOver && play.shows("q?/:e"))
    #expect(Screen.draw(play.model).cursor != nil)
  }

  @Test func `it begins in the session that was named`() throws {
    var play = Play(world: .ofUser(), audience: .user(Warehouse.user(1), session: "plan", device: "d1"))
    play.begin()
    play.settle()
    #expect(play.model.thread?.sessionID == "plan")
  }

  @Test func `nothing is asked that only operators may`() {
    var play = Play(world: .ofUser(), audience: .user(Warehouse.user(1), session: nil, device: "d1"))
    play.begin()
    var asked: [Query] = []
    for _ in 0..<5 {
      for case .load(let query, _) in play.effects { asked.append(query) }
      play.settle()
      play.pass(1)
    }
    #expect(!asked.isEmpty)
    #expect(asked.allSatisfy { query in ![.status, .sessions].contains(query) && !"\(query)".hasPrefix("log") })
  }

  // MARK: Sending

  @Test func `Enter sends, the answer grows as it comes, and Esc stops it`() throws {
    var play = Play.chat()
    play.write("Is it far?")
    play.press(.enter)
    guard case .turn(.ask(let question, nil, 1), play.world.conversation.id)? = play.asked(.turn)?.query else {
      Issue.record("asked \(play.effects)")
      return
    }
    #expect(question.content == "Is it far?" && question.clientID?.hasPrefix("d1-") == true)
    #expect(play.model.chat?.composer.isEmpty == true)
    play.settle()
    #expect(play.model.chat?.outbox.isEmpty == true)
    let answer = begin(&play, "Is it far?")
    play.tell(.event(.delta(turn: answer.id, offset: 0, text: "Not ")))
    play.tell(.event(.delta(turn: answer.id, offset: 4, text: "at all")))
    #expect(play.shows("Is it far?") && play.shows("Not at all") && play.shows("streaming"))
    play.write("And")
    play.press(.enter)
    #expect(play.asked(.turn) == nil && play.model.chat?.composer.text == "And", "one turn at a time")
    play.press(.escape)
    #expect(play.asked(.cancel)?.query == .cancel(turn: answer.id, in: play.world.conversation.id))
    var end = answer
    (end.content, end.status) = ("Not at all", .incomplete)
    tell(&play, play.world.conversation.version + 2, end)
    #expect(play.shows("incomplete"))
    play.press(.escape)
    #expect(play.model.chat?.focus == .path)
  }

  @Test func `a text of several lines is written, pasted, and sent as it is`() {
    var play = Play.chat(80, 24)
    let before = play.model.layout.pathFrame.rows
    play.write("one\ntwo")
    play.play(.paste("three\tfour\nfive\u{1B}[31m\0"), .up, .home, .character("-"))
    #expect(play.model.layout.pathFrame.rows == before - 2)
    play.press(.enter)
    guard case .turn(.ask(let question, _, _), _)? = play.asked(.turn)?.query else {
      Issue.record("asked \(play.effects)")
      return
    }
    #expect(question.content == "one\n-twothree\tfour\nfive[31m")
    #expect(play.model.layout.pathFrame.rows == before)
  }

  @Test func `blanks are not sent`() {
    var play = Play.chat()
    play.write("  \n ")
    play.press(.enter)
    #expect(play.asked(.turn) == nil && play.shows("nothing to send"))
  }

  @Test func `what a server refuses goes back to whoever wrote it`() {
    var play = Play.chat()
    play.write("hello")
    play.press(.enter)
    play.answer(.turn, .failure(Failure(code: "conflict", "An answer is being written on this branch.")))
    #expect(play.model.chat?.composer.text == "hello" && play.shows("Not sent: An answer is being written"))
    #expect(play.model.chat?.outbox.isEmpty == true)
  }

  // MARK: Outages

  @Test func `without a store a question is kept in the spool, and answered when it is back`() throws {
    var play = Play.chat()
    play.write("hello")
    play.press(.enter)
    let name = play.model.chat?.outbox.first?.clientID
    play.answer(.turn, .failure(Self.outage))
    guard case .append(let kept, _, 1)? = play.asked(.turn)?.query else {
      Issue.record("asked \(play.effects)")
      return
    }
    #expect(kept.clientID == name && kept.content == "hello")
    play.settle()
    #expect(play.shows("messages are safe in the spool") && play.shows("spooled"))
    #expect(play.shows("the answer comes when the store is back"))
    play.pass(2.5)
    guard case .turn(.ask(let again, _, _), _)? = play.asked(.turn)?.query else {
      Issue.record("asked \(play.effects)")
      return
    }
    #expect(again.clientID == name)
    play.settle()
    #expect(play.model.chat?.outbox.isEmpty == true)
  }

  @Test func `a second question is kept behind the first, and the last one is answered`() {
    var play = Play.chat()
    for text in ["one", "two"] {
      play.write(text)
      play.press(.enter)
      play.answer(.turn, .failure(Self.outage))
      play.settle()
    }
    #expect(play.model.chat?.outbox.map(\.text) == ["two"])
    #expect(play.model.chat?.outbox.first?.isSaved == true)
  }

  @Test func `what was not sent is said, sent again under its name, or taken back`() {
    var play = Play.chat()
    play.write("hello")
    play.press(.enter)
    let name = play.model.chat?.outbox.first?.clientID
    play.answer(.turn, .failure(Self.outage))
    play.answer(.turn, .failure(Self.outage))
    #expect(play.shows("not sent yet") && play.shows("hello"))
    play.pass(2.5)
    guard case .turn(.ask(let again, _, _), _)? = play.asked(.turn)?.query else {
      Issue.record("asked \(play.effects)")
      return
    }
    #expect(again.clientID == name)
    play.answer(.turn, .failure(Self.outage))
    play.answer(.turn, .failure(Self.outage))
    play.press(.escape)
    #expect(play.model.chat?.composer.text == "hello" && play.model.chat?.outbox.isEmpty == true)
  }

  @Test func `a server that goes away in the middle is asked again when it is back`() {
    var play = Play.chat()
    play.write("hello")
    play.press(.enter)
    let name = play.model.chat?.outbox.first?.clientID
    let late = play.asked(.turn)
    play.pass(2.5)
    play.world.failures[.status] = Failure(code: "unavailable", "Connection refused")
    play.settle()
    #expect(play.shows("DISCONNECTED"))
    if let late { play.effects = play.model.apply(.answer(.cancelled, to: late.request), at: play.moment) }
    play.world.failures = [:]
    play.pass(6)
    var asked: String?
    for _ in 0..<10 where asked == nil {
      if case .turn(.ask(let again, _, _), _)? = play.asked(.turn)?.query { asked = again.clientID }
      let open = play.effects
      play.effects = []
      for effect in open {
        guard case .load(let query, let request) = effect else { continue }
        play.effects += play.model.apply(.answer(play.world.answer(query, request.slot), to: request), at: play.moment)
        if case .turn(.ask(let again, _, _), _) = query { asked = again.clientID }
      }
    }
    #expect(asked == name && name != nil)
  }

  // MARK: Editing

  @Test func `e edits in place, E asks again as a branch, and what was being written comes back`() {
    var play = Play.chat()
    play.write("unfinished")
    play.play(.escape)
    while play.model.thread?.selectedMessage?.role != .user { play.play(.character("k")) }
    let message = play.model.thread!.selectedMessage!
    play.play(.character("e"))
    #expect(play.model.chat?.composer.text == message.content && play.shows("Edit #\(message.position) in place"))
    play.play(.control("u"))
    play.write("better")
    play.press(.enter)
    #expect(play.asked(.turn)?.query == .revise(message.id, "better", ifRevision: message.revision))
    #expect(play.model.chat?.composer.text == "unfinished")
    play.settle()
    play.play(.escape)
    while play.model.thread?.selectedMessage?.role != .user { play.play(.character("k")) }
    let other = play.model.thread!.selectedMessage!
    play.play(.character("E"))
    play.write("!")
    play.press(.enter)
    guard case .turn(.edit(other.id, let text), _)? = play.asked(.turn)?.query else {
      Issue.record("asked \(play.effects)")
      return
    }
    #expect(text.content == other.content + "!" && play.model.chat?.composer.text == "unfinished")
    play.settle()
    #expect(play.model.thread?.branch == 3, "the branch that it made is shown")
  }

  @Test func `an answer is written anew, and siblings are walked`() {
    var play = Play.chat()
    play.play(.escape)
    while play.model.thread?.selectedMessage?.role != .assistant { play.play(.character("k")) }
    let answer = play.model.thread!.selectedMessage!
    play.press(.character("r"))
    guard case .turn(.regenerate(answer.id, let name?), _)? = play.asked(.turn)?.query else {
      Issue.record("asked \(play.effects)")
      return
    }
    #expect(name.hasPrefix("d1-"))
    play.settle()
    #expect(play.model.thread?.branch == 3)
    play.play(.character("g"))
    while play.model.thread!.selected < 30 { play.play(.character("j")) }
    #expect(play.model.thread?.tree.siblings(at: 30, on: 3) == [0, 3])
    play.play(.character(">"))
    #expect(play.model.thread?.branch == 0 && play.model.thread?.selected == 30)
    play.play(.character("<"))
    #expect(play.model.thread?.branch == 3 && play.model.thread?.selected == 30)
  }

  @Test func `only what can be is edited or asked again`() {
    var play = Play.chat()
    play.play(.escape)
    while play.model.thread?.selectedMessage?.role != .assistant { play.play(.character("k")) }
    play.play(.character("E"))
    #expect(play.model.chat?.purpose == .say && play.shows("Only your own messages"))
  }

  @Test func `an edit that is refused comes back, and one without an answer is asked for again`() {
    var play = Play.chat()
    play.play(.escape, .character("k"), .character("e"))
    let text = play.model.chat!.composer.text
    play.write("!")
    play.press(.enter)
    let asked = play.asked(.turn)?.query
    play.answer(.turn, .failure(Self.outage))
    #expect(play.shows("not sent yet"))
    play.pass(2.5)
    #expect(play.asked(.turn)?.query == asked)
    play.answer(.turn, .failure(Failure(code: "precondition_failed", "The message has another revision.")))
    #expect(play.model.chat?.composer.text == text + "!" && play.shows("Not sent: The message has another revision."))
  }

  @Test func `every thread has its own text, and an edit stays with its message`() {
    var play = Play.chat()
    play.play(.escape, .character("k"), .character("e"))
    play.write("?")
    let text = play.model.chat!.composer.text
    play.play(.control("k"))
    play.type("refund")
    play.play(.enter)
    #expect(play.model.chat?.purpose == .say && play.model.chat?.composer.isEmpty == true)
    play.write("for the other one")
    play.play(.control("k"))
    play.type("warehouse move")
    play.play(.enter)
    #expect(play.model.thread?.id == play.world.conversation.id)
    #expect(play.model.chat?.purpose != .say && play.model.chat?.composer.text == text)
    play.play(.escape)
    #expect(play.model.chat?.purpose == .say && play.model.chat?.composer.isEmpty == true)
  }

  @Test func `what comes back while another message is edited waits behind the edit`() {
    var play = Play.chat()
    play.write("hello")
    play.press(.enter)
    let request = play.asked(.turn)?.request
    play.press(.escape, .character("k"), .character("e"))
    let edit = play.model.chat!.composer.text
    if let request {
      let refusal = Failure(code: "too_large", "Too long.")
      play.effects = play.model.apply(.answer(.failure(refusal), to: request), at: play.moment)
    }
    #expect(play.model.chat?.composer.text == edit)
    play.press(.escape)
    #expect(play.model.chat?.composer.text == "hello")
  }

  // MARK: What waits

  /// With the server gone, and what was asked for lost.
  private func lose(_ play: inout Play) {
    play.world.failures[.status] = Failure(code: "unavailable", "Connection refused")
    play.pass(2.5)
    play.settle()
  }

  @Test func `what is said before the first thread is known goes there, all of it`() {
    var play = Play(world: .ofUser(), audience: .user(Warehouse.user(1), session: "plan", device: "d1"))
    play.world.failures[.status] = Failure(code: "unavailable", "Connection refused")
    play.begin()
    play.settle()
    play.write("one")
    play.press(.enter)
    play.write("two")
    play.press(.enter)
    #expect(play.shows("not sent yet"))
    #expect(play.model.chat?.outbox.map(\.place) == [.session("plan"), .session("plan")])
    var latest = Play(world: .ofUser(), audience: .user(Warehouse.user(1), session: nil, device: "d1"))
    latest.begin()
    latest.write("three")
    latest.press(.enter)
    #expect(latest.model.chat?.outbox.isEmpty == true && latest.model.chat?.composer.text == "three")
  }

  @Test func `a new session is one, however much is said before it is made`() {
    var play = Play.chat()
    lose(&play)
    play.play(.escape, .character("n"))
    for text in ["one", "two"] {
      play.write(text)
      play.press(.enter)
    }
    #expect(Set(play.model.chat?.outbox.map(\.place) ?? []).count == 1)
    play.world.failures = [:]
    play.pass(6)
    play.settle()
    #expect(play.model.thread?.id == play.world.conversation.id && play.model.chat?.outbox.isEmpty == true)
  }

  @Test func `a question that meets another's answer waits for its end`() {
    var play = Play.chat()
    play.write("hello")
    play.press(.enter)
    let name = play.model.chat?.outbox.first?.clientID
    var busy = Failure(code: "conflict", "An answer is being written on this branch.")
    busy.isBusy = true
    play.answer(.turn, .failure(busy))
    #expect(play.model.chat?.composer.isEmpty == true && play.shows("not sent yet"))
    play.pass(1)
    guard case .turn(.ask(let again, _, _), _)? = play.asked(.turn)?.query else {
      Issue.record("asked \(play.effects)")
      return
    }
    #expect(again.clientID == name)
  }

  @Test func `what waits is shown, quitting warns of it, and said again it keeps its name`() {
    var play = Play.chat()
    lose(&play)
    play.write("hello")
    play.press(.enter)
    #expect(play.shows("not sent yet") && play.shows("hello"))
    let name = play.model.chat?.outbox.first?.clientID
    play.press(.control("c"))
    #expect(!play.model.isOver && play.shows("once more quits"))
    play.press(.escape)
    #expect(play.model.chat?.composer.text == "hello" && play.model.chat?.outbox.isEmpty == true)
    play.press(.enter)
    #expect(play.model.chat?.outbox.first?.clientID == name)
    play.press(.control("c"))
    #expect(!play.model.isOver)
    play.press(.control("c"))
    #expect(play.model.isOver)
  }

  @Test func `nothing wakes the screen for what waits behind another`() {
    var play = Play.chat()
    for text in ["one", "two"] {
      play.write(text)
      play.press(.enter)
      play.answer(.turn, .failure(Self.outage))
      play.answer(.turn, .failure(Self.outage))
    }
    #expect(play.model.chat?.outbox.count == 2)
    #expect((play.model.wakeup ?? 0) - play.moment.steady > 100_000)
  }

  @Test func `a token that has ended is asked for again, once`() {
    var play = Play.chat()
    play.tell(.ended(Failure(code: "unauthenticated", "The token has expired.")))
    #expect(play.effects.contains { if case .attach = $0 { true } else { false } })
    play.tell(.ended(Failure(code: "unauthenticated", "The token has expired.")))
    #expect(play.model.thread?.failure != nil)
    play.press(.escape, .character("r"))
    #expect(play.asked(.page) != nil)
  }

  // MARK: Threads

  @Test func `a new session is made with its first message`() {
    var play = Play.chat()
    play.play(.escape, .character("n"))
    #expect(play.model.thread == nil && play.shows("made with its first message"))
    play.write("hello")
    play.press(.enter)
    guard case .open(_, let session)? = play.asked(.open)?.query else {
      Issue.record("asked \(play.effects)")
      return
    }
    #expect(session.hasPrefix("d1-"))
    play.settle()
    #expect(play.model.thread?.id == play.world.conversation.id && play.model.chat?.outbox.isEmpty == true)
  }

  @Test func `threads are switched by title from the composer, and stepped through in the list`() {
    var play = Play.chat()
    play.play(.control("k"))
    play.type("refund")
    play.play(.enter)
    let hit = play.world.threads.first { $0.id == play.model.thread?.id }
    #expect(hit?.title?.lowercased().contains("refund") == true)
    play.play(.escape, .character("g"), .character("J"))
    let row = play.model.threads.cursor.selected
    #expect(play.model.thread?.id == play.model.threads.rows[row]?.id)
  }

  @Test func `what is searched for is found while it is typed, and opens in its place`() throws {
    var play = Play.chat()
    play.play(.escape, .character("/"))
    play.type("cheaper monthly")
    #expect(play.shows("Go with the cheaper one. Show monthly cost.") && play.shows("the branches that are shown"))
    play.play(.enter)
    #expect(play.model.overlay == nil && play.model.thread?.selectedMessage?.position == 38)
    #expect(play.model.thread?.needle == "cheaper" && play.model.chat?.focus == .path)
    // On the trunk, which is not the active branch: only where every branch counts, and there it is shown.
    play.play(.control("f"))
    play.type("question 50")
    #expect(play.shows("no message has these words"))
    play.play(.tab)
    #expect(play.shows("Question 50 on branch 0?") && play.shows("every branch"))
    play.play(.enter)
    #expect(play.model.thread?.branch == 0 && play.model.thread?.selectedMessage?.content == "Question 50 on branch 0?")
  }

  @Test func `a search is read on, and says why it finds nothing`() throws {
    var play = Play.chat()
    play.play(.control("f"))
    play.type("answer")
    for _ in 0..<20 { play.play(.down) }
    guard case .search(let finder)? = play.model.overlay else {
      Issue.record("the search is gone")
      return
    }
    #expect(finder.selected > 12 && finder.hits.count > 12 && finder.hits.allSatisfy { $0.message.content.isEmpty })
    play.world.failures[.search] = Failure(code: "unavailable", "Nothing is searched while the store is down.")
    play.play(.control("u"))
    play.type("x")
    #expect(play.shows("Nothing is searched while the store is down."))
    play.press(.escape)
    #expect(play.model.overlay == nil)
  }

  @Test func `operators search everything`() {
    var play = Play.begun()
    play.play(.control("f"))
    play.type("monthly")
    play.play(.enter)
    #expect(play.model.view == .thread && play.model.thread?.selectedMessage?.position == 38)
  }

  @Test func `others who write are said, and this one tells them`() {
    var play = Play.chat()
    let here = [("a", "phone"), ("b", "parley chat")].map {
      Presence.Connection(id: $0.0, client: $0.1, since: Warehouse.now)
    }
    play.tell(.event(.presence(Presence(connections: here, typing: ["a"]))))
    #expect(play.shows("phone is writing") && play.shows("2 devices here"))
    play.press(.character("x"))
    #expect(play.effects == [.typing(true)])
    play.press(.character("y"))
    #expect(play.effects.isEmpty)
    play.press(.enter)
    #expect(play.effects.contains(.typing(false)))
  }

  // MARK: Looks

  @Test(arguments: StateSnapshotTests.sizes)
  func `it looks as it did when a person looked at it`(columns: Int, rows: Int) throws {
    let size = "\(columns)x\(rows)"
    var play = Play.chat(columns, rows)
    try StateSnapshotTests.check("chat-\(size)", play)
    play.write("What would it cost to move\nin two weekends instead of one?")
    try StateSnapshotTests.check("chat-writing-\(size)", play)
    play.play(.enter)
    let answer = begin(&play, "What would it cost to move\nin two weekends instead of one?")
    play.tell(.event(.delta(turn: answer.id, offset: 0, text: "Two weekends need one more")))
    try StateSnapshotTests.check("chat-streaming-\(size)", play)
    play = Play.chat(columns, rows)
    play.play(.escape, .character("k"), .character("e"))
    try StateSnapshotTests.check("chat-editing-\(size)", play)
    play = Play.chat(columns, rows)
    play.play(.escape, .character("n"))
    try StateSnapshotTests.check("chat-new-\(size)", play)
    play = Play.chat(columns, rows)
    play.write("Is anybody there?")
    play.press(.enter)
    play.answer(.turn, .failure(Self.outage))
    play.settle()
    try StateSnapshotTests.check("chat-spooled-\(size)", play)
    play = Play.chat(columns, rows)
    play.play(.control("f"))
    play.type("cost")
    try StateSnapshotTests.check("chat-search-\(size)", play)
    play = Play.chat(columns, rows)
    play.play(.escape, .character("?"))
    try StateSnapshotTests.check("chat-help-\(size)", play)
  }

  @Test(arguments: 0..<6)
  func `no keys bring it down, and every frame has the terminal's size`(seed: Int) {
    var random = Random(seed: UInt64(seed))
    let keys = KeyTable.bindings.flatMap(\.keys).filter { $0 != .control("c") && $0 != .character("q") }
    var play = Play.chat(80, 24)
    for step in 0..<500 {
      switch Int.random(in: 0..<14, using: &random) {
      case 0: play.pass(1)
      case 1:
        play.press(
          .resize(Size(rows: .random(in: 1...50, using: &random), columns: .random(in: 1...150, using: &random))))
      case 2: play.press(.paste("字 \u{301}🇫🇷\n\u{1B}x"))
      case 3: play.world.failures[.turn] = step % 3 == 0 ? Self.outage : nil
      case 4: play.press([.left, .up, .delete, .home, .control("w")].randomElement(using: &random)!)
      case 5: play.press(.mousePress(Point(row: .random(in: 0..<24, using: &random), column: 40)))
      default: play.press(keys.randomElement(using: &random)!)
      }
      play.settle()
      #expect(play.canvas.size == play.model.size)
    }
  }
}
