import Assistant
import ConversationModel
import StrictJSON
import Testing

@Suite(.timeLimit(.minutes(1))) struct ToolTests {
  private struct Secret: Error {}

  private static let tools = [
    Tool.currentTime { Timestamp("2026-11-28T19:54:37.123456Z")! },
    Tool(name: "repeat", description: "", schema: "{}") { arguments in
      guard let count = arguments["count"]?.number?.int, (0...100_000).contains(count) else {
        throw ToolError("count is a whole number.")
      }
      return String(repeating: "x", count: count)
    },
    Tool(name: "fail", description: "", schema: "{}") { _ in throw Secret() },
    Tool(name: "sleep", description: "", schema: "{}") { _ in
      try await Task.sleep(for: .seconds(60))
      return "late"
    },
  ]

  private func result(_ name: String, _ arguments: String?) async -> ToolResult {
    await Self.tools.result(
      of: ToolCall(id: "c", name: name, arguments: arguments.map { object($0) }), seconds: 1)
  }

  @Test func `a tool answers, and whatever goes wrong is a sentence for the model`() async {
    #expect(await result("repeat", #"{"count":3}"#) == ToolResult(id: "c", text: "xxx"))
    #expect(await result("repeat", #"{"count":65536}"#).isError == false)
    for (name, arguments, text) in [
      ("repeat", #"{"count":"3"}"#, "count is a whole number."),
      ("repeat", #"{"count":65537}"#, "The result has more than 65536 bytes; ask for less."),
      ("repeat", nil, "The arguments are no JSON object, or one that is too large or nested too deep."),
      ("fail", "{}", "The tool failed."), ("sleep", "{}", "The tool did not end within 1 s."),
      ("nothing", "{}", "There is no such tool; there are: current_time, repeat, fail, sleep."),
    ] as [(String, String?, String)] {
      #expect(await result(name, arguments) == ToolResult(id: "c", text: text, isError: true))
    }
    let none: [Tool] = []
    #expect(await none.result(of: ToolCall(id: "c", name: "x", arguments: nil)).text == "There are no tools.")
  }

  @Test func `a tool ends when its caller is cancelled`() async throws {
    let start = ContinuousClock.now
    await withTaskGroup(of: ToolResult.self) { group in
      group.addTask { await Self.tools.result(of: ToolCall(id: "c", name: "sleep", arguments: JSONObject())) }
      try? await Task.sleep(for: .milliseconds(50))
      group.cancelAll()
      #expect(await group.next()?.isError == true)
    }
    #expect(ContinuousClock.now - start < .seconds(25))
  }

  @Test func `the time is told in UTC and as far from it as asked`() async {
    for (arguments, text) in [
      ("{}", "2026-11-28T19:54:37Z, Saturday"), (#"{"utc_offset_minutes":null}"#, "2026-11-28T19:54:37Z, Saturday"),
      (#"{"utc_offset_minutes":60}"#, "2026-11-28T20:54:37+01:00, Saturday"),
      (#"{"utc_offset_minutes":330}"#, "2026-11-29T01:24:37+05:30, Sunday"),
      (#"{"utc_offset_minutes":-210}"#, "2026-11-28T16:24:37-03:30, Saturday"),
    ] {
      #expect(await result("current_time", arguments) == ToolResult(id: "c", text: text))
    }
    for arguments in ["841", "-721", "1.5", "\"60\"", "1e300"] {
      #expect(await result("current_time", "{\"utc_offset_minutes\":\(arguments)}").isError)
    }
  }

  @Test(arguments: [
    ("1970-01-01T00:00:00.000000Z", "Thursday"), ("1969-12-31T23:59:59.999999Z", "Wednesday"),
    ("2000-02-29T12:00:00.000000Z", "Tuesday"), ("1900-01-01T00:00:00.000000Z", "Monday"),
  ])
  func `days of the week are right on both sides of 1970`(time: String, day: String) async throws {
    let now = try #require(Timestamp(time))
    let result = await Tool.currentTime { now }.result(of: ToolCall(id: "c", name: "", arguments: JSONObject()))
    #expect(result.text.hasSuffix(", \(day)"), "\(result.text)")
  }
}
