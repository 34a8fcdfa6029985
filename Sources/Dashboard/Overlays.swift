import ConversationModel

/// The palette: views and actions by name.
struct Palette: Equatable {
  var input = LineInput()
  var selected = 0

  struct Entry: Equatable {
    var action: Action
    var help: String
    var keys: String
  }

  /// What fits the line, for what is on the screen: names that begin so first.
  func entries(_ scopes: [Scope]) -> [Entry] {
    var seen: Set<Action> = [.palette, .write, .previous, .next, .first, .last, .pageUp, .pageDown]
    // What the view itself offers comes first: nobody wants to quit by pressing Enter once too often.
    let entries = scopes.flatMap { scope in KeyTable.bindings.filter { $0.scope == scope } }
      .filter { seen.insert($0.action).inserted }
      .map { Entry(action: $0.action, help: $0.help, keys: $0.keyText) }
    let wanted = input.text.lowercased()
    guard !wanted.isEmpty else { return entries }
    let scored = entries.enumerated().compactMap { index, entry -> (Int, Int, Entry)? in
      let name = Fuzzy.score(wanted, in: entry.action.rawValue)
      let help = Needle(wanted).isIn(entry.help) ? 1 : nil
      guard let score = [name.map { $0 + 100 }, help].compactMap({ $0 }).max() else { return nil }
      return (-score, index, entry)
    }
    return scored.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
  }
}

/// Finds a thread by a part of its title, in any spelling that keeps the order of the letters.
struct Switcher: Equatable {
  struct Entry: Equatable {
    var id: ConversationID
    var title: String?
    var user: UserID
    var sessionID: String?
  }

  var input = LineInput()
  var selected = 0
  /// Whether something was typed while the store was being asked.
  var isDirty = false
  private var known: [Entry] = []
  private var ids: Set<ConversationID> = []
  private(set) var hits: [Entry] = []

  /// Threads that are kept to look through; what is typed asks the store for more.
  private static let most = 1_000

  mutating func add(_ conversations: [Conversation]) {
    add(conversations.map { Entry(id: $0.id, title: $0.title, user: $0.userID, sessionID: $0.sessionID) })
  }

  mutating func add(_ entries: [Entry]) {
    for entry in entries where known.count < Self.most && ids.insert(entry.id).inserted { known.append(entry) }
    find()
  }

  mutating func find() {
    let wanted = input.text.lowercased()
    let scored = known.enumerated().compactMap { index, entry -> (Int, Int, Entry)? in
      if wanted.isEmpty { return (0, index, entry) }
      let text = entry.title ?? "(untitled)"
      guard let score = Fuzzy.score(wanted, in: text + " " + (entry.sessionID ?? "")) else { return nil }
      return (-score, index, entry)
    }
    hits = scored.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
    selected = max(0, min(selected, hits.count - 1))
  }
}

/// How well a text holds what is looked for, letter by letter.
enum Fuzzy {
  /// - Parameter wanted: In lower case.
  /// - Returns: Nil if the letters are not there in their order; higher is better.
  static func score(_ wanted: String, in text: String) -> Int? {
    var score = 0
    var run = 0
    var wordStart = true
    var rest = Substring(wanted).unicodeScalars
    for scalar in text.lowercased().unicodeScalars {
      guard let next = rest.first else { break }
      if scalar == next {
        rest.removeFirst()
        run += 1
        score += run * 2 + (wordStart ? 5 : 0)
      } else {
        run = 0
        score -= 1
      }
      wordStart = scalar == " " || scalar == "-" || scalar == "_"
    }
    return rest.isEmpty ? score : nil
  }
}

/// What a branch says where its parent says something else.
struct Difference: Equatable {
  var branch: BranchNumber
  var parent: BranchNumber
  var fork: Position
  var scroll = 0
  private(set) var rows: [(position: Position, parent: Message?, own: Message?)] = []
  private(set) var isLoaded = false
  var failure: Failure?

  init(branch: BranchNumber, parent: BranchNumber, fork: Position) {
    self.branch = branch
    self.parent = parent
    self.fork = fork
  }

  mutating func take(parent: [Message], own: [Message]) {
    let parents = Dictionary(parent.map { ($0.position, $0) }, uniquingKeysWith: { $1 })
    let owns = Dictionary(own.map { ($0.position, $0) }, uniquingKeysWith: { $1 })
    rows = Set(parents.keys).union(owns.keys).sorted().map { ($0, parents[$0], owns[$0]) }
    isLoaded = true
  }

  static func == (left: Self, right: Self) -> Bool {
    left.branch == right.branch && left.parent == right.parent && left.fork == right.fork
      && left.scroll == right.scroll && left.isLoaded == right.isLoaded && left.failure == right.failure
      && left.rows.count == right.rows.count
  }
}
