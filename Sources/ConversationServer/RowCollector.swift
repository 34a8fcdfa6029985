import ConversationModel
import HTTPTypes

/// When a row came to its table. Conversations come by their time; the messages of one conversation in
/// the order of its path, whatever the clock did meanwhile.
struct Arrival: Comparable, Sendable {
  let time: Timestamp
  let conversation: ConversationID
  /// 0 for a conversation.
  let position: Position

  static func < (left: Self, right: Self) -> Bool {
    (left.time, left.conversation, left.position) < (right.time, right.conversation, right.position)
  }
}

/// Takes the rows of a table one by one and keeps what the answer needs of those that match.
struct RowCollector {
  private struct Row {
    let values: [ColumnValue]
    let keys: [ColumnValue]
    let arrival: Arrival
    let bytes: Int
  }

  private let query: TableQuery
  /// Whether rows come in the order of the answer, so that the window can be cut from them at once.
  private let comesInOrder: Bool
  /// Rows that come before the window's end, at most.
  private let capacity: Int
  /// The terms of the order that mean arrival, which no two rows share: messages of one append have one
  /// time, and the place decides between them before any later term does.
  private let byArrival: [Bool]
  private var rows: [Row] = []
  private var bytes = 0
  private var pruneBytes = TableLimits.heldBytes
  private(set) var matches = 0
  /// The last row that can still be in the answer; set for the newest rows first only.
  private var cutoff: Arrival?

  init(_ query: TableQuery, comesInOrder: Bool) {
    self.query = query
    self.comesInOrder = comesInOrder
    capacity = query.offset.saturatingSum(query.limit)
    byArrival = query.order.map { query.shape.columns[$0.column].name == "created_at" }
  }

  /// Whether nothing that may come changes the answer.
  var isComplete: Bool {
    guard !query.isCounted else { return false }
    return query.limit == 0 || comesInOrder && rows.count == query.limit
  }

  /// Whether there are as many rows as were asked for.
  var isFull: Bool { matches >= capacity }

  /// Whether a row that arrived then, or earlier, cannot be in the answer any more.
  func excludes(_ arrival: Arrival) -> Bool { cutoff.map { arrival < $0 } ?? false }

  /// Whether rows that arrived then, or earlier, cannot be in the answer any more.
  func excludes(everythingUntil time: Timestamp) -> Bool { cutoff.map { time < $0.time } ?? false }

  /// - Throws: 54000 when the rows that match hold too much text.
  mutating func take<Item>(_ item: Item, of table: Table<Item>, at arrival: Arrival) throws(PostgRESTError) {
    guard query.filters.allSatisfy({ $0.holds(for: table.value($0.column, of: item)) }) else { return }
    matches += 1
    guard query.limit > 0 else { return }
    if comesInOrder {
      guard matches > query.offset, rows.count < query.limit else { return }
    }
    let values = query.outputs.map { table.value($0.column, of: item) }
    let keys = query.order.map { table.value($0.column, of: item) }
    // The fixed part of a row is small, but there may be many.
    let bytes = values.reduce(keys.reduce(64) { $0 + $1.textBytes }) { $0 + $1.textBytes }
    rows.append(Row(values: values, keys: keys, arrival: arrival, bytes: bytes))
    self.bytes += bytes
    if !comesInOrder {
      let isHeavy = self.bytes > pruneBytes
      // At twice what is wanted, and at 64 at least: sorting then costs no more than adding.
      if isHeavy || rows.count / 2 >= max(capacity, 32) { prune() }
      guard self.bytes <= TableLimits.heldBytes || !isHeavy else { throw Self.tooLarge }
      // A quarter more before the next time, or every row that follows would sort.
      if isHeavy { pruneBytes = max(TableLimits.heldBytes, self.bytes + self.bytes / 4) }
    } else if self.bytes > TableLimits.heldBytes {
      throw Self.tooLarge
    }
  }

  /// Drops the rows that cannot be in the answer.
  mutating func prune() {
    guard !comesInOrder, rows.count >= capacity else { return }
    rows.sort(by: precedes)
    rows.removeLast(rows.count - capacity)
    bytes = rows.reduce(0) { $0 + $1.bytes }
    if canCut { cutoff = rows.last?.arrival }
  }

  /// Drops rows where that may tell how far reading has to go on.
  mutating func pruneForCutoff() {
    if canCut, rows.count > capacity || cutoff == nil { prune() }
  }

  /// Whether the newest rows come first, and nobody counts the others.
  private var canCut: Bool { !query.isCounted && byArrival.first == true && query.order.first?.isDescending == true }

  /// The rows of the answer, each with the values of `query.outputs`.
  consuming func answer() -> [[ColumnValue]] {
    guard !comesInOrder else { return rows.map(\.values) }
    rows.sort(by: precedes)
    return rows.dropFirst(query.offset).prefix(query.limit).map(\.values)
  }

  private func precedes(_ left: Row, _ right: Row) -> Bool {
    for (index, term) in query.order.enumerated() {
      if byArrival[index] {
        if left.arrival != right.arrival { return (left.arrival < right.arrival) != term.isDescending }
        continue
      }
      let (a, b) = (left.keys[index], right.keys[index])
      if a.isNull != b.isNull { return a.isNull == term.nullsFirst }
      if let order = ColumnValue.order(a, b), order != 0 { return (order < 0) != term.isDescending }
    }
    return left.arrival < right.arrival
  }

  private static let tooLarge = PostgRESTError(
    .badRequest, "54000", "The rows of this answer hold more than \(TableLimits.heldBytes) bytes of text.",
    hint: "Ask for fewer rows with limit, or for fewer columns with select.")
}
