import ConversationModel

/// Finds messages by their words, in everything that whoever looks may see.
struct Finder: Equatable {
  var input = LineInput()
  var scope = SearchQuery.Scope.active
  var selected = 0
  /// Whether something was typed while the store was being asked.
  var isDirty = false
  /// Whether the hits are those of what was typed.
  private(set) var isAnswered = false
  private(set) var hits: [SearchHit] = []
  /// Where the next hits start; nil behind the last.
  private(set) var next: String?
  var failure: Failure?
  /// Whether the hits under way go behind those that are there.
  var isGoingOn = false

  /// Nil while there is nothing to look for.
  var query: SearchQuery? {
    let text = String(String.UnicodeScalarView(input.text.unicodeScalars.prefix(Limits.searchScalars)))
    return text.contains { !$0.isWhitespace } ? SearchQuery(text, scope: scope) : nil
  }

  /// The word that is marked in what was found: the longest.
  var needle: String {
    let words = input.text.split(separator: " ").map { $0.filter { $0.isLetter || $0.isNumber } }
    return words.max { $0.count < $1.count } ?? ""
  }

  mutating func take(_ page: Page<SearchHit>) {
    // The texts are shown where they stand; here only what was found of them.
    let found = page.items.map { hit in
      var slim = hit
      slim.message.content = ""
      (slim.message.metadata, slim.message.entities) = (.emptyObject, .emptyObject)
      return slim
    }
    hits = isGoingOn ? hits + found : found
    next = hits.count < Bounds.messages ? page.next : nil
    isAnswered = true
    failure = nil
    if !isGoingOn { selected = 0 }
    isGoingOn = false
  }

  /// Something else is looked for.
  mutating func startOver() {
    isAnswered = false
    isGoingOn = false
    failure = nil
    if query == nil { (hits, next, selected) = ([], nil, 0) }
  }
}

extension DashboardModel {
  /// Takes over what was typed, and asks the store for it, one question at a time.
  mutating func search(_ changed: Finder) -> [DashboardEffect] {
    var finder = changed
    finder.startOver()
    defer { overlay = .search(finder) }
    guard isConnected, let query = finder.query else { return [] }
    guard !isPending(.search) else {
      finder.isDirty = true
      return []
    }
    finder.isDirty = false
    return [ask(.search(query, cursor: nil), .search)]
  }

  mutating func changeScope(_ finder: Finder) -> [DashboardEffect] {
    var other = finder
    other.scope = finder.scope == .active ? .all : .active
    return search(other)
  }

  /// Reads on near the end of the hits.
  mutating func searchOn(_ finder: inout Finder) -> [DashboardEffect] {
    guard isConnected, let query = finder.query, let cursor = finder.next, finder.isAnswered, !isPending(.search),
      finder.selected + 10 >= finder.hits.count
    else { return [] }
    finder.isGoingOn = true
    return [ask(.search(query, cursor: cursor), .search)]
  }

  mutating func takeHits(_ page: Page<SearchHit>) -> [DashboardEffect] {
    guard case .search(var finder) = overlay else { return [] }
    if finder.isDirty { return search(finder) }
    finder.take(page)
    // A page may come out short of hits, and yet have a next one.
    let effects = finder.hits.count < 10 ? searchOn(&finder) : []
    overlay = .search(finder)
    return effects
  }

  mutating func failSearch(_ failure: Failure) {
    guard case .search(var finder) = overlay else { return }
    finder.failure = failure
    finder.isGoingOn = false
    overlay = .search(finder)
  }

  /// Opens the selected hit in its place: on the path that is shown, or on its own branch.
  mutating func open(_ finder: Finder) -> [DashboardEffect] {
    guard finder.hits.indices.contains(finder.selected) else { return [] }
    let hit = finder.hits[finder.selected]
    let effects = openThread(
      hit.message.conversationID, title: hit.title, user: nil, sessionID: nil,
      at: .around(.position(hit.message.position)), branch: finder.scope == .all ? hit.message.branch : nil)
    chat?.focus = .path
    thread?.needle = finder.needle
    selectOpenThread()
    return effects
  }
}
