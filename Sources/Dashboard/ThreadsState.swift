import ConversationModel

/// Every conversation, newest activity first, read page by page on the way. Far pages are dropped, and read
/// again by the cursor that they started with.
struct ThreadsState: Equatable {
  struct Page: Equatable {
    var cursor: String?
    /// Nil once it was dropped; `count` stays.
    var items: [Conversation]?
    var count: Int
  }

  enum Sort: Int, CaseIterable, Equatable {
    case activity, messages, branches, title
    var name: String {
      switch self {
      case .activity: "ACTIVITY"
      case .messages: "MSGS"
      case .branches: "BRANCHES"
      case .title: "CONVERSATION"
      }
    }
  }

  private(set) var pages: [Page] = []
  /// Where the next page starts; nil behind the last.
  private(set) var next: String?
  var isLoaded = false
  var failure: Failure?
  var cursor = ListCursor()
  var filter = LineInput()
  var isInverted = false
  var sort = Sort.activity
  var isReversed = false
  /// The page that is being read.
  var loading: String??
  /// Whether the filter was changed while a page was being read: that page is one of another list.
  var isDirty = false
  /// Whether the next page is the first of another list.
  var isStartingOver = false
  /// When the first page was read.
  var readAt: Int64 = 0

  /// One row; nil while its page is not there.
  private(set) var rows: [Conversation?] = []

  var selected: Conversation? { rows.indices.contains(cursor.selected) ? rows[cursor.selected] : nil }
  var hasMore: Bool { next != nil }

  /// The store knows titles that hold a text, not those that do not: those are left out here.
  var storeFilter: ConversationFilter {
    let text = String(String.UnicodeScalarView(filter.text.unicodeScalars.prefix(Limits.filterScalars)))
    return ConversationFilter(titlePart: text.isEmpty || isInverted ? nil : text)
  }

  mutating func take(_ page: ConversationModel.Page<Conversation>, at cursor: String?, time: Int64, height: Int) {
    var items = page.items.map { item in
      var item = item
      item.context = .emptyObject
      return item
    }
    if isInverted, !filter.text.isEmpty {
      let needle = Needle(filter.text)
      items.removeAll { needle.isIn($0.title ?? "") }
    }
    let kept = isStartingOver ? nil : selected?.id
    if isStartingOver {
      pages = []
      next = nil
      self.cursor = ListCursor()
      isStartingOver = false
    }
    if cursor == nil { readAt = time }
    if let index = pages.firstIndex(where: { $0.cursor == cursor }) {
      // While only one page is held it may simply be newer; behind others it must not move them.
      if index == pages.count - 1 { next = page.next }
      pages[index] = Page(cursor: cursor, items: items, count: items.count)
    } else if cursor == next || pages.isEmpty {
      pages.append(Page(cursor: cursor, items: items, count: items.count))
      next = page.next
    }
    isLoaded = true
    failure = nil
    drop(around: pages.firstIndex { $0.cursor == cursor } ?? 0)
    arrange(keeping: kept, height: height)
  }

  /// Drops what is farthest from a page while too much is held.
  private mutating func drop(around index: Int) {
    while pages.reduce(0, { $0 + ($1.items?.count ?? 0) }) > Bounds.conversations {
      let held = pages.indices.filter { pages[$0].items != nil && $0 != index }
      guard let farthest = held.max(by: { abs($0 - index) < abs($1 - index) }) else { return }
      pages[farthest].items = nil
    }
  }

  mutating func arrange(keeping kept: ConversationID? = nil, height: Int) {
    let kept = kept ?? selected?.id
    var seen = Set<ConversationID>()
    rows = pages.flatMap { page -> [Conversation?] in
      guard let items = page.items else { return Array(repeating: nil, count: page.count) }
      // A conversation that became active in between stands on two pages.
      return items.filter { seen.insert($0.id).inserted }
    }
    if sort != .activity || isReversed { order() }
    let row = kept.flatMap { id in rows.firstIndex { $0?.id == id } } ?? cursor.selected
    cursor.select(row, count: rows.count, height: height)
  }

  private mutating func order() {
    let (sort, isReversed) = (sort, isReversed)
    var held = rows.compactMap { $0 }
    held.sort { left, right in
      let (first, second) = isReversed ? (right, left) : (left, right)
      switch sort {
      case .activity: return first.updatedAt > second.updatedAt
      case .messages: return first.messageCount > second.messageCount
      case .branches: return first.branchCount > second.branchCount
      case .title: return (first.title ?? "").lowercased() < (second.title ?? "").lowercased()
      }
    }
    rows = held + Array(repeating: nil, count: rows.count - held.count)
  }

  /// The page to read next, if one is needed for the rows on the screen; `.some(nil)` is the first.
  func missing(height: Int) -> String?? {
    let visible = cursor.visible(count: rows.count, height: height)
    if sort == .activity, !isReversed {
      var start = 0
      for page in pages {
        if page.items == nil, start < visible.upperBound, start + page.count > visible.lowerBound {
          return .some(page.cursor)
        }
        start += page.count
      }
    }
    if let next, visible.upperBound + height >= rows.count { return .some(next) }
    return nil
  }
}
