import ConversationModel
import TerminalCanvas
import Testing

@testable import Dashboard

/// Keys pressed one by one in the warehouse thread, each with what it must do.
@Suite struct ThreadPlayTests {
  @Test func `a thread opens on its active branch, and is followed from the version of its page`() {
    let play = Play.inThread()
    #expect(play.model.thread?.branch == 1)
    #expect(play.model.thread?.live == .attached)
    #expect(play.model.thread?.selected == 48)
    #expect(play.shows("following") && play.shows("cheaper"))
  }

  @Test func `branches are walked, and a message that both paths share stays`() {
    var play = Play.inThread()
    play.press(.character("]"))
    #expect(play.asked(.page)?.query == .page(play.world.conversation.id, branch: 2, .latest, limit: 50))
    play.settle()
    #expect(play.model.thread?.branch == 2 && play.shows("Question 44 on branch 2"))
    for _ in 0..<6 { play.play(.character("k")) }
    #expect(play.model.thread?.selected == 38)
    play.press(.character("["))
    #expect(
      play.asked(.page)?.query
        == .page(play.world.conversation.id, branch: 1, .around(.position(38)), limit: 50))
    play.settle()
    #expect(play.model.thread?.selected == 38 && play.model.thread?.isFollowing == false)
    play.play(.tab, .up, .enter)
    #expect(play.model.thread?.branch == 0, "the trunk stands above it")
  }

  @Test func `siblings, forks and edits are marked`() {
    var play = Play.inThread()
    for _ in 0..<12 { play.play(.character("k")) }
    let text = play.canvas.text
    #expect(text.contains(/#37 assistant .* fork point/))
    #expect(text.contains(/#38 user .* edited \(2 revisions\)  sibling 2\/2/))
    #expect(text.contains(/more lines \(Enter expands\)/))
  }

  @Test func `a message expands, shows its earlier texts, and is read as JSON`() {
    var play = Play.inThread()
    for _ in 0..<10 { play.play(.character("k")) }
    play.press(.enter)
    let id: MessageID = Warehouse.id(1_000_038)
    #expect(play.asked(.detail)?.query == .detail(id))
    play.settle()
    #expect(play.shows("revision 2, until") && play.shows("Earlier text 1"))
    play.play(.enter, .character("o"))
    #expect(play.shows("\"position\": 38,"))
    play.play(.character("o"))
    #expect(!play.shows("\"position\""))
    play.press(.character("y"))
    #expect(play.effects == [.copy(id.description)])
  }

  @Test func `what is found is selected and marked, upwards first`() {
    var play = Play.inThread()
    play.play(.character("/"))
    play.type("RACKING")
    #expect(play.model.thread?.needle == "RACKING")
    play.play(.enter)
    #expect(play.model.thread?.selected == 36)
    #expect(play.canvas.styles.contains("ttttttt"))
    play.press(.character("n"))
    #expect(play.shows("Not found above"))
    play.press(.character("N"))
    #expect(play.shows("Not found below"))
    play.press(.escape)
    #expect(play.model.thread?.needle == "" && play.model.view == .thread)
  }

  @Test func `who reads further up is not moved by new messages, and told of them`() {
    var play = Play.inThread()
    play.play(.pageUp)
    // Right of the branches, whose heads do change.
    func path(_ play: Play) -> [Substring] { play.lines[3..<23].map { $0.dropFirst(33) } }
    let before = path(play)
    let message = Warehouse.message(1, 49, "A new one.")
    play.tell(.event(.changes(121, [Changes.Change(version: 121, row: .message(message))])))
    #expect(path(play) == before)
    #expect(play.shows("1 newer"))
    play.play(.character("G"))
    #expect(play.shows("A new one.") && play.model.thread?.selected == 49)
    #expect(play.model.thread?.version == 121)
  }

  @Test func `an edit elsewhere changes the message in place, and one on another branch changes nothing`() {
    var play = Play.inThread()
    var edited = Warehouse.message(1, 47, "Edited elsewhere.")
    edited.revision = 2
    let other = Warehouse.message(0, 60, "On the trunk.")
    let changes = [edited, other].map { Changes.Change(version: 121, row: .message($0)) }
    play.tell(.event(.changes(121, changes)))
    #expect(play.shows("Edited elsewhere.") && !play.shows("On the trunk."))
  }

  @Test func `a connection that breaks comes back by version, at once and then more slowly`() {
    var play = Play.inThread()
    play.tell(.event(.changes(125, [])))
    let broken = Failure(code: "unavailable", "The connection broke.")
    play.tell(.ended(broken))
    guard case .attach(_, since: 125, let serial)? = play.effects.last else {
      Issue.record("nothing is attached again: \(play.effects)")
      return
    }
    #expect(serial == play.model.thread?.serial)
    play.tell(.ended(broken))
    #expect(play.effects.isEmpty && play.shows("not live"))
    play.pass(1.1)
    #expect(play.effects.contains { if case .attach(_, since: 125, _) = $0 { true } else { false } })
    play.settle()
    #expect(play.model.thread?.live == .attached)
  }

  @Test func `what goes into the spool is looked for, and takes its place when the store has it`() {
    var play = Play.inThread()
    play.world.fail(waiting: 1)
    let waiting = Warehouse.spooled(1, .user, "Is anybody there?")
    play.world.spooled = [waiting]
    for _ in 0..<2 {
      play.pass(1)
      play.settle()
    }
    #expect(play.shows("Is anybody there?") && play.shows("#- user") && play.shows("1 spooled"))
    #expect(play.shows("DEGRADED"))
    play.press(.character("k"))
    #expect(play.model.thread?.selected == 48)
    play.press(.character("j"))
    #expect(play.model.thread?.selected == 49 && play.model.thread?.isFollowing == true)

    // The store has it now, and had the message under another id before.
    var stored = Warehouse.message(1, 49, "Is anybody there?")
    stored.id = Warehouse.id(77)
    play.tell(
      .event(
        .stored(
          Delivery(clientID: "c", message: stored.id, spooledID: waiting.id, position: 49, version: 121))))
    play.tell(.event(.changes(121, [Changes.Change(version: 121, row: .message(stored))])))
    #expect(play.model.thread?.window.end == 49 && play.shows("#49 assistant") && !play.shows("#- "))
    play.world.status = Warehouse.status()
    play.world.spooled = []
    play.world.texts[1]?.append(stored)
    for _ in 0..<2 {
      play.pass(1)
      play.settle()
    }
    #expect(!play.shows("DEGRADED") && !play.shows("spooled:") && play.model.thread?.isDegraded == false)
    play.pass(1)
    #expect(play.asked(.end) == nil, "nothing is looked for any more")
  }

  @Test func `a conversation that is only in the spool can be read`() {
    var world = Warehouse()
    world.fail(waiting: 2)
    world.texts = [:]
    world.branches = [world.branches[0]]
    world.branches[0].headPosition = 0
    world.conversation.activeBranch = 0
    world.spooled = [
      Warehouse.spooled(1, .user, "First of all."), Warehouse.spooled(2, .assistant, "Second to none."),
    ]
    .map { message in
      var message = message
      message.branch = 0
      return message
    }
    var play = Play.inThread(world: world)
    #expect(play.shows("First of all.") && play.shows("Second to none.") && play.shows("2 spooled"))
    play.play(.character("k"), .enter, .character("g"), .character("G"))
    #expect(play.model.thread?.isFollowing == true)
    var first = Warehouse.message(0, 1, "First of all.")
    first.id = world.spooled[0].id
    play.tell(.event(.changes(121, [Changes.Change(version: 121, row: .message(first))])))
    #expect(play.shows("#1 ") && play.shows("1 spooled"))
  }

  @Test func `another view ends the attachment, and coming back renews it`() {
    var play = Play.inThread()
    play.press(.character("2"))
    #expect(play.effects.contains(.detach))
    play.settle()
    play.press(.backspace)
    #expect(play.effects.contains { if case .attach(_, since: 120, _) = $0 { true } else { false } })
  }

  @Test func `a question that is never answered is given up and asked again`() {
    var play = Play.begun()
    play.press(.character("3"))
    for _ in 0..<14 {
      play.pass(1)
      play.settle()
    }
    #expect(play.shows("loading threads"))
    for _ in 0..<2 {
      play.pass(1)
      play.settle()
    }
    let isThere = play.shows("Refund policy") && !play.shows("loading threads")
    #expect(isThere, "the list is asked for once more")
  }

  @Test func `an erased conversation is said, and nothing is tried again`() {
    var play = Play.inThread()
    play.tell(.ended(Failure(.noConversation)))
    #expect(play.shows("There is no such conversation."))
    play.pass(5)
    #expect(!play.effects.contains { if case .attach = $0 { true } else { false } })
  }

  @Test func `what happened while a page was read is not lost`() {
    var play = Play.inThread()
    play.press(.character("["))
    let late = Warehouse.message(0, 62, "Stored in between.")
    let question = play.effects
    play.tell(.event(.changes(121, [Changes.Change(version: 121, row: .message(late))])))
    play.effects = question
    play.settle()
    #expect(play.model.thread?.branch == 0 && play.shows("Stored in between."))
  }

  @Test func `an answer to a question that was asked again is dropped`() {
    var play = Play.inThread()
    play.press(.character("]"))
    let old = play.asked(.page)
    play.press(.character("["))
    play.settle()
    #expect(play.model.thread?.branch == 0)
    let page = play.world.page(play.world.conversation.id, 2, .latest, 50)
    _ = play.model.apply(.answer(.page(page), to: old!.request), at: play.moment)
    #expect(play.model.thread?.branch == 0)
  }

  @Test func `the window stays bounded over a hundred thousand messages, without holes`() {
    var world = Warehouse()
    world.branches = [world.branches[0]]
    world.branches[0].headPosition = 100_000
    world.conversation.activeBranch = 0
    world.texts = [0: (1...100_000).map { Warehouse.message(0, $0, "Message \($0)") }]
    var play = Play.inThread(80, 24, world: world)
    for _ in 0..<200 {
      play.play(.pageUp, .character("L"))
      let window = play.model.thread!.window
      #expect(window.messages.count <= Bounds.messages)
    }
    let window = play.model.thread!.window
    #expect(
      window.last < 100_000
        && zip(window.messages, window.messages.dropFirst()).allSatisfy { $0.position + 1 == $1.position })
    play.play(.character("G"))
    #expect(play.shows("Message 100000"))
    play.play(.character("g"))
    #expect(play.shows("#1 "))
    for _ in 0..<30 { play.play(.pageDown) }
    #expect(play.model.thread!.window.last > 200)
  }

  @Test func `a key costs no more where a message is a quarter of a megabyte`() {
    var world = Warehouse()
    let long = String(repeating: "All work and no play makes a long message. ", count: 6_000)
    world.texts[1]![9] = Warehouse.message(1, 47, long)
    var play = Play.inThread(world: world)
    play.play(.character("k"), .enter)
    #expect(play.model.thread?.expanded.count == 1)
    let clock = ContinuousClock()
    let took = clock.measure {
      for _ in 0..<20 {
        play.play(.pageDown)
        _ = play.canvas
      }
    }
    // Unoptimised, and beside other tests: breaking the text anew would take seconds.
    #expect(took / 20 < .milliseconds(150))
  }

  @Test func `a storm of changes costs little more than one, and its end is what is shown`() {
    var play = Play.inThread()
    let serial = play.model.thread?.serial ?? 0
    let storm = (0..<1_000).map { number -> DashboardEvent in
      var message = Warehouse.message(1, 48, "An answer that grows: \(number)")
      message.revision = number + 2
      let version = 121 + number
      return .live(
        .event(.changes(version, [Changes.Change(version: version, row: .message(message))])), serial: serial)
    }
    let took = ContinuousClock().measure { _ = play.model.apply(storm, at: play.moment) }
    #expect(play.shows("An answer that grows: 999") && play.model.thread?.version == 1_120)
    // Unoptimised, and beside other tests: a screen laid out for each would take many seconds.
    #expect(took < .seconds(1))
  }

  @Test func `the difference to the parent shows both, side by side`() {
    var play = Play.inThread()
    play.press(.character("d"))
    #expect(play.shows("loading both branches"))
    play.settle()
    #expect(play.shows("Go with the cheaper one.") && play.shows("Question 38 on branch 0") && play.shows("trunk"))
    play.press(.escape)
    #expect(play.model.overlay == nil)
    play.play(.character("["), .character("["))
    play.press(.character("d"))
    #expect(play.model.thread?.branch == 0 || play.model.overlay != nil)
  }
}
