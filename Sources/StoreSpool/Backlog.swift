import ConversationModel

/// Which conversations have records in the spool, and who must wait for them.
///
/// An append that comes while its conversation has records joins them, so that one server's messages keep
/// their order. When the last of a conversation's records are on their way to the store, appends wait for
/// those instead: under a steady stream the spool would never be empty else.
struct Backlog {
  private struct Line {
    /// Records in the file. Below 0 for the moment in which one was drained before it was counted.
    var count = 0
    /// Records that are being written.
    var inFlight = 0
    /// Raised by every new record.
    var generation = 0
    var isFinishing = false
    var waiters: [CheckedContinuation<Void, Never>] = []

    var isEmpty: Bool { count <= 0 && inFlight == 0 }
  }

  /// A record that was let in.
  struct Reservation {
    fileprivate let conversation: ConversationID
    fileprivate let bytes: Int
  }

  private var lines: [ConversationID: Line] = [:]
  private(set) var records = 0
  private(set) var bytes = 0
  /// When the oldest record was taken.
  private(set) var oldest: Timestamp?
  private let limits: (records: Int, bytes: Int)

  init(records: Int = Limits.spoolRecords, bytes: Int = Limits.spoolBytes) {
    limits = (records, bytes)
  }

  var isEmpty: Bool { lines.isEmpty }
  var isFull: Bool { records >= limits.records || bytes >= limits.bytes }

  func holds(_ id: ConversationID) -> Bool { lines[id] != nil }
  func isFinishing(_ id: ConversationID) -> Bool { lines[id]?.isFinishing ?? false }

  // MARK: Records that come

  /// Nil if the spool is full.
  mutating func reserve(_ id: ConversationID, bytes: Int, at time: Timestamp) -> Reservation? {
    guard records < limits.records, self.bytes + bytes <= limits.bytes else { return nil }
    records += 1
    self.bytes += bytes
    if oldest == nil { oldest = time }
    lines[id, default: Line()].inFlight += 1
    lines[id]!.generation += 1
    return Reservation(conversation: id, bytes: bytes)
  }

  /// The record is in the file, or it is not.
  ///
  /// - Parameter id: The conversation's name by now.
  mutating func settle(
    _ reservation: Reservation, as id: ConversationID, isKept: Bool
  ) -> [CheckedContinuation<Void, Never>] {
    lines[id, default: Line()].inFlight -= 1
    if isKept {
      lines[id]!.count += 1
    } else {
      take(records: 1, bytes: reservation.bytes)
    }
    return dropIfEmpty(id)
  }

  // MARK: Records that go

  /// Records that may be left, or still being written, when a conversation's appends are held back: what a few
  /// commits take.
  private static let lastRecords = 64

  /// Holds appends to a conversation back if these are nearly all its records: the others follow at once, and
  /// then there are none.
  mutating func finish(_ id: ConversationID, records: Int) {
    if let line = lines[id], line.count <= records + Self.lastRecords { lines[id]!.isFinishing = true }
  }

  /// Records have left the file.
  mutating func remove(
    _ records: Int, bytes: Int, of id: ConversationID
  ) -> [CheckedContinuation<Void, Never>] {
    take(records: records, bytes: bytes)
    lines[id]?.count -= records
    return dropIfEmpty(id)
  }

  /// Nobody is held back any longer, whatever came of it.
  mutating func endFinishing() -> [CheckedContinuation<Void, Never>] {
    lines.keys.flatMap { id in
      lines[id]!.isFinishing = false
      defer { lines[id]!.waiters = [] }
      return lines[id]!.waiters
    }
  }

  mutating func wait(_ waiter: CheckedContinuation<Void, Never>, for id: ConversationID) {
    lines[id]!.waiters.append(waiter)
  }

  /// One conversation goes on under another's name.
  mutating func rename(_ fresh: ConversationID, to real: ConversationID) {
    guard fresh != real, let line = lines.removeValue(forKey: fresh) else { return }
    lines[real, default: Line()].count += line.count
    lines[real]!.inFlight += line.inFlight
    lines[real]!.generation += line.generation
    lines[real]!.isFinishing = line.isFinishing || lines[real]!.isFinishing
    lines[real]!.waiters += line.waiters
  }

  // MARK: Taking stock

  /// How far each conversation is, to compare with later.
  var generations: [ConversationID: Int] { lines.compactMapValues { $0.inFlight == 0 ? $0.generation : nil } }

  /// The file was empty after `generations` was asked: what has not changed since has no records.
  mutating func wasEmpty(_ generations: [ConversationID: Int]) -> [CheckedContinuation<Void, Never>] {
    var waiters: [CheckedContinuation<Void, Never>] = []
    for (id, generation) in generations where lines[id]?.generation == generation {
      waiters += lines.removeValue(forKey: id)?.waiters ?? []
    }
    if lines.isEmpty { (records, bytes, oldest) = (0, 0, nil) }
    return waiters
  }

  mutating func found(_ counts: [(id: ConversationID, records: Int, bytes: Int)], oldest: Timestamp?) {
    for (id, records, bytes) in counts {
      lines[id, default: Line()].count += records
      self.records += records
      self.bytes += bytes
    }
    self.oldest = oldest
  }

  mutating func isOldest(_ time: Timestamp) { oldest = time }

  private mutating func take(records: Int, bytes: Int) {
    self.records = max(0, self.records - records)
    self.bytes = max(0, self.bytes - bytes)
    if self.records == 0 { oldest = nil }
  }

  private mutating func dropIfEmpty(_ id: ConversationID) -> [CheckedContinuation<Void, Never>] {
    guard let line = lines[id], line.isEmpty else { return [] }
    lines[id] = nil
    return line.waiters
  }
}
