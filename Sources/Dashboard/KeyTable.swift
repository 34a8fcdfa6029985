import TerminalCanvas

/// Everything a user can do by name: with a key, or from the palette.
enum Action: String, CaseIterable, Hashable {
  case sessions, health, threads, thread, events
  case help, palette, switchThread = "switch thread", search, back, leave = "up", quit, suspend, redraw
  case pause, faster, slower, mouse, nextPane = "next pane", retry
  case previous, next, first, last, pageUp = "page up", pageDown = "page down"
  case open, filter, invert, sort, reverse = "reverse sort", nextAlert = "next alert", copy = "copy id", level
  case older = "load older", follow, find, findNext = "find next", findPrevious = "find previous"
  case previousBranch = "previous branch", nextBranch = "next branch", pickBranch = "pick branch", difference
  case expand, raw, wrap, bare, export, write = "write"
  case compose, send, newLine = "new line", revise = "edit", ask = "edit and ask again", regenerate
  case previousSibling = "previous sibling", nextSibling = "next sibling"
  case newSession = "new session", previousThread = "previous thread", nextThread = "next thread"
  case choose, complete, cancel
}

/// Where a key means something. Several scopes hold at once; the table has no key twice in those.
enum Scope: String, CaseIterable, Hashable {
  /// Also while something is being typed.
  case always
  case everywhere
  /// In every view of the operators' screens.
  case operators
  /// Every list of rows.
  case lists
  /// The lists that can be ordered.
  case sorted
  case sessions, threads, thread, events, health
  /// What operators do with a thread, who only read.
  case reading
  /// What users do with theirs.
  case chat
  /// While a message is being written.
  case composer
  /// The help, and other texts that stand on top.
  case text
  /// While a line is being typed, with what it finds below.
  case prompt
}

/// One row of the key table.
struct Binding {
  var keys: [Key]
  var action: Action
  var scope: Scope
  /// For the help: what it does.
  var help: String
  /// For the footer, with its rank there: 1 falls away last. Nil stays in the help.
  var footer: (text: String, rank: Int)?

  init(_ keys: [Key], _ action: Action, _ scope: Scope, _ help: String, _ footer: (String, Int)? = nil) {
    self.keys = keys
    self.action = action
    self.scope = scope
    self.help = help
    self.footer = footer.map { (text: $0.0, rank: $0.1) }
  }

  /// The keys for people: `Up/k`.
  var keyText: String { keys.map(\.description).joined(separator: "/") }
}

/// The one table of keys: it is dispatched from, the footer and the help are made from it, and a test looks
/// for keys that are bound twice.
enum KeyTable {
  static let bindings: [Binding] = always + everywhere + operators + lists + views + thread + chat + composer + overlays

  /// What a key does where these scopes hold.
  static func action(of key: Key, in scopes: [Scope]) -> Action? {
    for scope in scopes {
      if let action = dispatch[scope]?[key] { return action }
    }
    return nil
  }

  private static let dispatch: [Scope: [Key: Action]] = bindings.reduce(into: [:]) { table, binding in
    for key in binding.keys { table[binding.scope, default: [:]][key] = binding.action }
  }

  private static let always = [
    Binding([.control("c")], .quit, .always, "quit, from anywhere", ("quit", 5)),
    Binding([.control("z")], .suspend, .always, "back to the shell; fg returns"),
    Binding([.control("l")], .redraw, .always, "draw everything again"),
  ]

  private static let everywhere = [
    Binding([.character("?")], .help, .everywhere, "this help", ("help", 2)),
    Binding([.character(":")], .palette, .everywhere, "palette: views and actions by name", ("command", 4)),
    Binding([.tab], .nextPane, .everywhere, "next pane"),
    Binding([.control("k")], .switchThread, .everywhere, "switch thread by title"),
    Binding([.control("f")], .search, .everywhere, "search all messages"),
    Binding([.escape], .leave, .everywhere, "up one level"),
    Binding([.character("q")], .quit, .everywhere, "quit", ("quit", 1)),
    Binding([.character("m")], .mouse, .everywhere, "mouse on or off (off: the terminal selects text)"),
  ]

  private static let operators = [
    Binding([.character("1")], .sessions, .operators, "live sessions"),
    Binding([.character("2")], .health, .operators, "persistence, targets, counts"),
    Binding([.character("3")], .threads, .operators, "every conversation"),
    Binding([.character("4")], .thread, .operators, "the open thread"),
    Binding([.character("5")], .events, .operators, "the server's log"),
    Binding([.backspace], .back, .operators, "the view before"),
    Binding([.character(" ")], .pause, .operators, "pause: nothing changes, nothing is read", ("pause", 8)),
    Binding([.character("+")], .faster, .operators, "read more often"),
    Binding([.character("-")], .slower, .operators, "read less often"),
    Binding([.character("r")], .retry, .operators, "read again, now"),
  ]

  private static let lists = [
    Binding([.up, .character("k")], .previous, .lists, "row above", ("select", 6)),
    Binding([.down, .character("j")], .next, .lists, "row below"),
    Binding([.home, .character("g")], .first, .lists, "first row"),
    Binding([.end, .character("G")], .last, .lists, "last row"),
    Binding([.pageUp], .pageUp, .lists, "page up"),
    Binding([.pageDown], .pageDown, .lists, "page down"),
    Binding([.enter], .open, .lists, "open", ("open", 3)),
    Binding([.character("/")], .filter, .lists, "filter as you type; Enter keeps it, Esc drops it", ("filter", 5)),
    Binding([.character("!")], .invert, .lists, "show what the filter leaves out"),
    Binding([.character("y")], .copy, .lists, "copy the id", ("copy id", 9)),
    Binding([.character("s")], .sort, .sorted, "sort by the next column", ("sort", 7)),
    Binding([.character("S")], .reverse, .sorted, "turn the order around"),
  ]

  private static let views = [
    Binding([.character("a")], .nextAlert, .sessions, "next session that is stalled", ("next alert", 10)),
    Binding([.character("a")], .nextAlert, .events, "next warning or error", ("next alert", 10)),
    Binding([.character("s")], .level, .events, "least level that is shown", ("level", 7)),
    Binding([.up, .character("k")], .previous, .health, "line up", ("scroll", 3)),
    Binding([.down, .character("j")], .next, .health, "line down"),
    Binding([.pageUp], .pageUp, .health, "page up"),
    Binding([.pageDown], .pageDown, .health, "page down"),
    Binding([.home, .character("g")], .first, .health, "top"),
    Binding([.end, .character("G")], .last, .health, "bottom"),
  ]

  private static let thread = [
    Binding([.up, .character("k")], .previous, .thread, "message above", ("message", 3)),
    Binding([.down, .character("j")], .next, .thread, "message below"),
    Binding([.pageUp], .pageUp, .thread, "page up; loads older ones on the way"),
    Binding([.pageDown], .pageDown, .thread, "page down"),
    Binding([.character("L")], .older, .thread, "load older messages", ("older", 9)),
    Binding([.home, .character("g")], .first, .thread, "jump to the oldest message"),
    Binding([.end, .character("G")], .follow, .thread, "jump to the newest and follow", ("follow", 4)),
    Binding([.enter], .expand, .reading, "whole message, or its start", ("expand", 5)),
    Binding([.character("/")], .find, .reading, "find in the loaded messages", ("find", 7)),
    Binding([.character("n")], .findNext, .reading, "next one found, upwards"),
    Binding([.character("N")], .findPrevious, .reading, "the one found before, downwards"),
    Binding([.character("[")], .previousBranch, .thread, "branch above in the tree"),
    Binding([.character("]")], .nextBranch, .thread, "branch below in the tree"),
    Binding([.character("B")], .pickBranch, .thread, "pick a branch", ("branch", 6)),
    Binding([.character("d")], .difference, .thread, "difference to the parent branch", ("diff", 10)),
    Binding([.character("o")], .raw, .thread, "the message as JSON"),
    Binding([.character("w")], .wrap, .thread, "wrap long lines, or cut them"),
    Binding([.character("v")], .bare, .thread, "bare: no frames, for copying with the mouse"),
    Binding([.character("e")], .export, .reading, "export to a file: Markdown, PDF, JSON"),
    Binding([.character("i")], .write, .reading, "why nothing can be written here"),
    Binding([.character("y")], .copy, .thread, "copy the message's id", ("copy id", 11)),
  ]

  private static let chat = [
    Binding([.character("i"), .enter], .compose, .chat, "write a message", ("write", 3)),
    Binding([.character("e")], .revise, .chat, "edit the message in place; its past is kept", ("edit", 5)),
    Binding([.character("E")], .ask, .chat, "edit the question as a branch, and ask again", ("edit and ask", 6)),
    Binding([.character("r")], .regenerate, .chat, "another answer, as a sibling", ("another answer", 7)),
    Binding(
      [.character("<")], .previousSibling, .chat, "the sibling before: another text at this place", ("sibling", 8)),
    Binding([.character(">")], .nextSibling, .chat, "the next sibling"),
    Binding([.character("n")], .newSession, .chat, "a new session, made with its first message", ("new session", 6)),
    Binding([.character("x")], .export, .chat, "export to a file: Markdown, PDF, JSON"),
    Binding([.character("K")], .previousThread, .chat, "the thread above in the list"),
    Binding([.character("J")], .nextThread, .chat, "the thread below in the list", ("thread", 9)),
    Binding([.character("/")], .search, .chat, "search all your messages", ("search", 4)),
    Binding([.character("N")], .findNext, .chat, "what was found, again upwards"),
  ]

  private static let composer = [
    Binding([.enter], .send, .composer, "send", ("send", 1)),
    Binding([.alt("\n"), .control("j")], .newLine, .composer, "a new line", ("new line", 4)),
    Binding([.escape], .leave, .composer, "stop the answer; else to the messages", ("messages", 2)),
    Binding([.tab], .nextPane, .composer, "to the messages"),
    Binding([.control("k")], .switchThread, .composer, "switch thread by title", ("switch thread", 3)),
    Binding([.control("f")], .search, .composer, "search all your messages", ("search", 7)),
    Binding([.pageUp], .pageUp, .composer, "page up; loads older messages on the way", ("older", 6)),
    Binding([.pageDown], .pageDown, .composer, "page down"),
  ]

  private static let overlays = [
    Binding([.up, .character("k")], .previous, .text, "line up", ("scroll", 2)),
    Binding([.down, .character("j")], .next, .text, "line down"),
    Binding([.pageUp], .pageUp, .text, "page up"),
    Binding([.pageDown, .character(" ")], .pageDown, .text, "page down"),
    Binding([.home, .character("g")], .first, .text, "top"),
    Binding([.end, .character("G")], .last, .text, "bottom"),
    Binding([.escape, .character("q"), .character("?"), .enter, .backspace], .cancel, .text, "close", ("close", 1)),
    Binding([.enter], .choose, .prompt, "take it", ("take", 1)),
    Binding([.escape], .cancel, .prompt, "never mind", ("cancel", 2)),
    Binding(
      [.tab], .complete, .prompt, "complete; every branch, or only what is shown; the next format", ("complete", 4)),
    Binding([.up, .control("p")], .previous, .prompt, "one up", ("choose", 3)),
    Binding([.down, .control("n")], .next, .prompt, "one down"),
    Binding([.pageUp], .pageUp, .prompt, "page up"),
    Binding([.pageDown], .pageDown, .prompt, "page down"),
  ]
}

extension Binding {
  /// The footer's words for the keys: a pair of arrows is one thing.
  var footerKeys: String {
    switch action {
    case .previous: "Up/Dn"
    case .cancel: "Esc"
    default: keys.last.map { keys[0].description.count == 1 ? keys[0].description : $0.description } ?? ""
    }
  }
}
