/// A history as services take it: see ``ModelMessage`` for what is set right.
struct SoundHistory {
  private(set) var messages: [ModelMessage] = []
  private var usedIDs: Set<[UInt8]> = []

  init(_ history: [ModelMessage]) {
    var index = history.startIndex
    while index < history.endIndex {
      let message = history[index]
      index += 1
      switch message {
      case .user(let text):
        if !text.isBlank { messages.append(message) }
      case .assistant(let text, let calls):
        guard !calls.isEmpty || !text.isBlank else { break }
        let results = history[index...].prefix { if case .tool = $0 { true } else { false } }
        index += results.count
        answer(text, calls, results.compactMap { if case .tool(let result) = $0 { result } else { nil } })
      case .tool:
        // Its call is not there: the window began behind it.
        break
      }
    }
  }

  /// Appends one answer with the results of its calls, each under an id of its own.
  private mutating func answer(_ text: String, _ calls: [ToolCall], _ results: [ToolResult]) {
    var left = results
    var newCalls: [ToolCall] = []
    var newResults: [ModelMessage] = []
    for call in calls {
      let found = left.firstIndex { $0.id.utf8.elementsEqual(call.id.utf8) }
      var result =
        found.map { left.remove(at: $0) }
        ?? ToolResult(id: call.id, text: "There is no result: the tool was interrupted.", isError: true)
      var newCall = call
      newCall.id = unusedID(call.id)
      result.id = newCall.id
      newCalls.append(newCall)
      newResults.append(.tool(result))
    }
    messages.append(.assistant(text, calls: newCalls))
    messages += newResults
  }

  private mutating func unusedID(_ id: String) -> String {
    var unused = id
    var number = usedIDs.count
    while !unused.isPlainIdentifier || !usedIDs.insert(Array(unused.utf8)).inserted {
      number += 1
      unused = "call_\(number)"
    }
    return unused
  }
}

extension String {
  /// Whether there is nothing to see. Services refuse such a text.
  var isBlank: Bool { unicodeScalars.allSatisfy { $0.properties.isWhitespace } }
}
