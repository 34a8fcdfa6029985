import ConversationModel
import TerminalCanvas

@testable import Dashboard

/// Plays a user at the screens: keys go in, questions are answered from a `Warehouse`, time passes when told to.
struct Play {
  var model: DashboardModel
  var world: Warehouse
  var moment = Moment(steady: 1_000_000_000, wall: Warehouse.now, offset: 0)
  /// What was wanted since the last key, tick or answer of the test.
  var effects: [DashboardEffect] = []

  init(
    _ columns: Int = 120, _ rows: Int = 36, glyphs: Glyphs = .unicode, world: Warehouse = Warehouse(),
    audience: DashboardSettings.Audience = .operators
  ) {
    let settings = DashboardSettings(version: "0.1.0", server: "127.0.0.1:7275", audience: audience)
    model = DashboardModel(settings: settings, size: Size(rows: rows, columns: columns), glyphs: glyphs, now: moment)
    self.world = world
  }

  /// With everything read that the first view shows.
  static func begun(_ columns: Int = 120, _ rows: Int = 36, glyphs: Glyphs = .unicode, world: Warehouse = Warehouse())
    -> Play
  {
    var play = Play(columns, rows, glyphs: glyphs, world: world)
    play.begin()
    play.settle()
    return play
  }

  /// The user's screen, with the latest thread open.
  static func chat(
    _ columns: Int = 120, _ rows: Int = 36, glyphs: Glyphs = .unicode, world: Warehouse = .ofUser(),
    session: String? = nil
  ) -> Play {
    var play = Play(
      columns, rows, glyphs: glyphs, world: world,
      audience: .user(world.conversation.userID, session: session, device: "d1"))
    play.begin()
    play.settle()
    return play
  }

  /// Types into whatever has the keys.
  mutating func write(_ text: String) {
    for character in text { play(character == "\n" ? .alt("\n") : .character(character)) }
  }

  mutating func begin() { effects = model.begin() }

  /// Presses keys; what they ask for stays open.
  mutating func press(_ keys: Key...) {
    effects = []
    for key in keys { effects += model.apply(.key(key), at: moment) }
  }

  /// Presses keys, and has everything answered after each.
  mutating func play(_ keys: Key...) {
    for key in keys {
      press(key)
      settle()
    }
  }

  mutating func type(_ text: String) { for character in text { play(.character(character)) } }

  mutating func pass(_ seconds: Double) {
    moment.steady += Int64(seconds * 1_000_000)
    moment.wall = Timestamp(microseconds: moment.wall.microseconds + Int64(seconds * 1_000_000))
    effects = model.apply(.tick, at: moment)
  }

  /// Answers what is open, and what the answers ask for.
  mutating func settle() {
    var open = effects
    var rounds = 0
    while !open.isEmpty, rounds < 1_000 {
      rounds += 1
      switch open.removeFirst() {
      case .load(let query, let request):
        open += model.apply(.answer(world.answer(query, request.slot), to: request), at: moment)
      case .attach(_, let since, let serial):
        let start = LiveStart(
          conversation: world.conversation, branch: world.conversation.activeBranch,
          version: since ?? world.conversation.version, content: .missed([]),
          presence: Presence(connections: [], typing: []))
        open += model.apply(.live(.attached(start), serial: serial), at: moment)
      default: break
      }
    }
  }

  mutating func tell(_ news: LiveNews) {
    effects = model.apply(.live(news, serial: model.thread?.serial ?? 0), at: moment)
  }

  /// What was asked last, of a slot.
  func asked(_ slot: Request.Slot) -> (query: Query, request: Request)? {
    for case .load(let query, let request) in effects.reversed() where request.slot == slot { return (query, request) }
    return nil
  }

  mutating func answer(_ slot: Request.Slot, _ answer: Answer) {
    guard let request = asked(slot)?.request else { return }
    effects = model.apply(.answer(answer, to: request), at: moment)
  }

  var canvas: Canvas { Screen.draw(model).canvas }
  var lines: [String] { canvas.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }
  func shows(_ text: String) -> Bool { canvas.text.contains(text) }

  /// The warehouse thread, open.
  static func inThread(
    _ columns: Int = 120, _ rows: Int = 36, glyphs: Glyphs = .unicode, world: Warehouse = Warehouse()
  ) -> Play {
    var play = Play.begun(columns, rows, glyphs: glyphs, world: world)
    play.effects = play.model.openThread(
      world.conversation.id, title: world.conversation.title, user: world.conversation.userID,
      sessionID: world.conversation.sessionID)
    play.settle()
    return play
  }
}
