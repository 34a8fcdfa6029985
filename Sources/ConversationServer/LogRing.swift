public import ConversationModel
import Synchronization

/// The latest records of the log, for those who watch the server. Older ones make room.
public final class LogRing: Sendable {
  private struct State {
    /// In the order of their numbers once `first` is minded: a ring.
    var records: [LogPage.Record] = []
    var last = 0
  }

  private let capacity: Int
  private let state = Mutex(State())

  public init(capacity: Int = Limits.logRecords) {
    self.capacity = capacity
  }

  /// Never waits for longer than another record takes.
  public func append(time: Timestamp, level: String, message: String, fields: [LogPage.Record.Field]) {
    state.withLock { state in
      state.last += 1
      let record = LogPage.Record(
        number: state.last, time: time, level: level, message: message, fields: fields)
      if state.records.count < capacity {
        state.records.append(record)
      } else {
        state.records[(state.last - 1) % capacity] = record
      }
    }
  }

  /// The records behind a number, oldest first.
  ///
  /// - Parameter number: One that is still to come is of an earlier run of the server: then all are given.
  public func page(since number: Int, limit: Int) -> LogPage {
    state.withLock { state in
      let known = number > state.last ? 0 : number
      let oldest = state.last - state.records.count + 1
      let first = max(known + 1, oldest)
      let end = min(first + limit - 1, state.last)
      return LogPage(
        records: first > end ? [] : (first...end).map { state.records[($0 - 1) % capacity] },
        last: state.last, hasGap: known > 0 && known + 1 < oldest)
    }
  }
}
