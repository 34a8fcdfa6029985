import ConversationModel

/// The end of the server's log.
struct EventsState: Equatable {
  enum Level: Int, CaseIterable, Comparable {
    case trace, debug, info, notice, warning, error, critical

    init(_ name: String) { self = Self.allCases.first { "\($0)" == name } ?? .info }
    static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  }

  private(set) var records: [LogPage.Record] = []
  private(set) var rows: [LogPage.Record] = []
  /// Whether records are missing before the first.
  private(set) var hasGap = false
  var isLoaded = false
  var failure: Failure?
  var cursor = ListCursor()
  var isFollowing = true
  var filter = LineInput()
  var isInverted = false
  var least = Level.info
  var expanded: Int?
  /// Of the last record that is known.
  private(set) var last = 0

  var selected: LogPage.Record? { rows.indices.contains(cursor.selected) ? rows[cursor.selected] : nil }

  /// - Returns: Whether there is more to read right away.
  mutating func take(_ page: LogPage, height: Int) -> Bool {
    isLoaded = true
    failure = nil
    if page.last < last {
      // The server was started again and counts from 1.
      records = []
      last = 0
      arrange(height: height)
      return page.last > 0
    }
    hasGap = hasGap || (page.hasGap && !records.isEmpty)
    let new = page.records.filter { $0.number > last }
    guard let newest = new.last else { return false }
    records = (records + new).suffix(Bounds.records)
    last = newest.number
    arrange(height: height)
    return page.hasMore
  }

  mutating func arrange(height: Int) {
    let kept = selected?.number
    let needle = Needle(filter.text)
    rows = records.filter { record in
      guard Level(record.level) >= least else { return false }
      return needle.isEmpty
        || needle.isIn([record.message] + record.fields.flatMap { [$0.name, $0.value] }) != isInverted
    }
    if isFollowing {
      cursor.select(rows.count - 1, count: rows.count, height: height)
    } else {
      let row = kept.flatMap { number in rows.firstIndex { $0.number >= number } } ?? cursor.selected
      cursor.select(row, count: rows.count, height: height)
    }
  }

  /// The newest record that a person should see.
  var latestAlert: LogPage.Record? { records.last { Level($0.level) >= .warning } }
}
