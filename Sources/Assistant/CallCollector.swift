import StrictJSON

/// Puts together the calls of one answer from the pieces of their arguments, and says how the answer ended.
struct CallCollector {
  private struct Entry {
    /// Which block or index of the answer it is.
    let key: Int
    var id: String
    var name: String
    var arguments: [UInt8]
  }

  private let limits: AnswerLimits
  private var entries: [Entry] = []

  init(_ limits: AnswerLimits) {
    self.limits = limits
  }

  /// The number that one more call would have.
  var count: Int { entries.count }

  /// - Throws: `.tooLarge`.
  mutating func begin(key: Int, id: String, name: String) throws(ModelError) {
    guard entries.count < limits.calls else {
      throw ModelError(.tooLarge, detail: "more than \(limits.calls) calls in one answer")
    }
    guard max(id.utf8.count, name.utf8.count) <= limits.nameBytes else {
      throw ModelError(.tooLarge, detail: "a name of more than \(limits.nameBytes) bytes")
    }
    entries.append(Entry(key: key, id: id, name: name, arguments: []))
  }

  /// - Returns: False if no call has this key.
  /// - Throws: `.tooLarge`.
  mutating func append(_ arguments: String, to key: Int) throws(ModelError) -> Bool {
    guard let index = entries.lastIndex(where: { $0.key == key }) else { return false }
    guard entries[index].arguments.count + arguments.utf8.count <= limits.argumentBytes else {
      throw ModelError(.tooLarge, detail: "arguments of more than \(limits.argumentBytes) bytes")
    }
    entries[index].arguments += arguments.utf8
    return true
  }

  func contains(_ key: Int) -> Bool { entries.contains { $0.key == key } }

  /// The last events of an answer that ended for `reason`.
  ///
  /// - Throws: `.unreadable` if it ended for calls of which there are none.
  func events(
    _ reason: ModelFinish.Reason, inputTokens: Int?, outputTokens: Int?
  ) throws(ModelError) -> [ModelEvent] {
    // Some servers say that the answer is complete when they want their calls to be run.
    let isForCalls = reason == .calls || reason == .complete && !entries.isEmpty
    guard isForCalls else {
      return [.finish(ModelFinish(reason, inputTokens: inputTokens, outputTokens: outputTokens))]
    }
    guard !entries.isEmpty else { throw ModelError(.unreadable, detail: "it ends for calls and has none") }
    var events: [ModelEvent] = []
    for (number, entry) in entries.enumerated() {
      guard !entry.name.isEmpty else { throw ModelError(.unreadable, detail: "a call has no name") }
      // Some servers give no ids.
      let id = entry.id.isEmpty ? "call_\(number + 1)" : entry.id
      events.append(.call(ToolCall(id: id, name: entry.name, arguments: Self.object(entry.arguments))))
    }
    return events + [.finish(ModelFinish(.calls, inputTokens: inputTokens, outputTokens: outputTokens))]
  }

  /// Nothing at all means no arguments.
  private static func object(_ bytes: [UInt8]) -> JSONObject? {
    bytes.isEmpty ? JSONObject() : (try? JSONReader.read(bytes))?.object
  }
}
