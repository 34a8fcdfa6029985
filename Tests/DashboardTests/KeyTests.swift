import ConversationModel
import TerminalCanvas
import Testing

@testable import Dashboard

@Suite struct KeyTests {
  /// Where a scope's keys can be pressed, with something to press them at.
  private static func play(_ scope: Scope) -> [Play] {
    switch scope {
    case .lists, .sorted, .everywhere, .operators, .always, .sessions:
      var second = Play.begun()
      second.play(.character("j"), .character("j"), .character("/"))
      second.type("a")
      second.play(.enter, .character("2"), .character("1"))
      return [Play.begun(80, 24), second, Play.inThread()]
    case .threads: return [Play.begun()]
    case .thread, .reading:
      var higher = Play.inThread()
      higher.play(.character("/"))
      higher.type("branch")
      higher.play(.enter, .pageUp)
      var trunk = Play.inThread()
      trunk.play(.character("["))
      return [Play.inThread(), higher, trunk]
    case .chat:
      var path = Play.chat()
      path.play(.escape)
      var answer = path
      answer.play(.character("k"), .character("k"))
      var searched = path
      searched.play(.character("/"))
      searched.type("branch")
      searched.play(.enter)
      var fork = path
      for _ in 0..<6 { fork.play(.character("k")) }
      var second = path
      second.play(.character("J"))
      return [path, answer, searched, fork, second]
    case .composer:
      var play = Play.chat()
      play.write("some words")
      var higher = play
      higher.play(.pageUp)
      return [play, higher]
    case .events:
      var play = Play.begun()
      play.play(.character("5"))
      return [play]
    case .health:
      var play = Play.begun(80, 16)
      play.play(.character("2"))
      var lower = play
      lower.play(.pageDown)
      return [play, lower]
    case .text:
      var play = Play.begun(80, 16)
      play.play(.character("?"))
      var lower = play
      lower.play(.pageDown)
      return [play, lower]
    case .prompt:
      var play = Play.begun()
      play.play(.character(":"))
      var lower = play
      lower.play(.down, .down)
      return [play, lower]
    }
  }

  @Test(arguments: Scope.allCases) func `every key of the table does something in its scope`(scope: Scope) {
    for binding in KeyTable.bindings where binding.scope == scope {
      for key in binding.keys {
        let didSomething = Self.play(scope).contains { before in
          guard before.model.scopes.contains(scope) else { return false }
          var play = before
          play.press(key)
          return play.model != before.model || !play.effects.isEmpty
        }
        #expect(didSomething, "\(key) does nothing in \(scope)")
      }
    }
  }

  @Test func `every action has a key, and every key a word`() {
    let bound = Set(KeyTable.bindings.map(\.action))
    #expect(Set(Action.allCases).subtracting(bound).isEmpty)
    #expect(KeyTable.bindings.allSatisfy { !$0.help.isEmpty && !$0.keys.isEmpty })
  }

  @Test func `no key is bound twice while something stands on top`() {
    for scopes in [[Scope.text, .always], [.prompt, .always]] {
      let keys = KeyTable.bindings.filter { scopes.contains($0.scope) }.flatMap(\.keys)
      #expect(Set(keys).count == keys.count)
    }
  }

  @Test func `what is typed completes to a command, and Enter does it`() {
    var play = Play.begun()
    play.play(.character(":"))
    play.type("hea")
    play.play(.tab)
    guard case .palette(let palette) = play.model.overlay else {
      Issue.record("the palette is gone")
      return
    }
    #expect(palette.input.text == "health")
    play.play(.enter)
    #expect(play.model.view == .health && play.model.overlay == nil)
  }

  @Test func `Enter in an empty palette does not quit`() {
    var play = Play.begun()
    play.play(.character(":"), .enter)
    #expect(!play.model.isOver)
  }

  @Test func `a thread is found by the letters of its title, in their order`() {
    var play = Play.begun()
    play.play(.control("k"))
    play.type("wrhs")
    #expect(play.shows("Warehouse move"))
    play.play(.enter)
    #expect(play.model.view == .thread && play.model.thread?.title == "Warehouse move")
  }

  @Test func `Esc goes up: what was found, the filter, the view before`() {
    var play = Play.begun()
    play.play(.character("3"), .character("/"))
    play.type("refund")
    play.play(.enter)
    #expect(play.model.threads.filter.text == "refund")
    play.play(.escape)
    #expect(play.model.threads.filter.text == "" && play.model.view == .threads)
    play.play(.escape)
    #expect(play.model.view == .sessions)
    play.play(.escape)
    #expect(play.model.view == .sessions && !play.model.isOver)
  }

  @Test func `a pasted line is text, not commands`() {
    var play = Play.begun()
    play.press(.paste("q\u{3}:quit\n"))
    #expect(!play.model.isOver && play.model.overlay == nil)
    play.play(.character("/"))
    play.press(.paste("a\nb\u{1B}[31m"))
    #expect(play.model.sessions.filter.text == "a b [31m")
  }

  @Test func `sorting keeps the selected session selected`() {
    var play = Play.begun()
    play.play(.character("j"), .character("j"))
    let selected = play.model.sessions.selected?.conversation
    for _ in SessionsState.Sort.allCases {
      play.play(.character("s"))
      #expect(play.model.sessions.selected?.conversation == selected)
      play.play(.character("S"))
      #expect(play.model.sessions.selected?.conversation == selected)
    }
    #expect(play.model.sessions.sort == .lag)
  }

  @Test func `a click selects the row below it, and a tab`() {
    var play = Play.begun()
    play.play(.mousePress(Point(row: 7, column: 20)))
    #expect(play.model.sessions.cursor.selected == 3)
    let text = play.lines[1]
    let column = text.distance(from: text.startIndex, to: text.firstRange(of: "Events")!.lowerBound)
    play.play(.mousePress(Point(row: 1, column: column)))
    #expect(play.model.view == .events)
  }

  @Test func `a list of threads is read on by its cursor, and the filter drops late pages`() {
    var world = Warehouse()
    world.threads = Warehouse.threads(5_000)
    var play = Play.begun(world: world)
    play.play(.character("3"))
    for _ in 0..<200 { play.play(.pageDown) }
    #expect(play.model.threads.rows.count == 5_000)
    #expect(play.model.threads.pages.reduce(0) { $0 + ($1.items?.count ?? 0) } <= Bounds.conversations)
    play.play(.home)
    #expect(play.model.threads.selected?.id == Warehouse.id(1))
    // A page of the old list is under way while the filter is typed.
    for _ in 0..<4 { play.play(.pageDown) }
    play.model.threads.cursor = ListCursor()
    play.press(.character("/"))
    play.type("oslo")
    #expect(play.model.threads.rows.allSatisfy { $0?.title?.contains("Oslo") == true })
  }
}
