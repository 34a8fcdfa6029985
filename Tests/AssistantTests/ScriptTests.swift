import StrictJSON
import Testing

@testable import Assistant

@Suite(.timeLimit(.minutes(1))) struct ScriptTests {
  private static let model = ScriptModel { question in
    guard question == "When does it leave?" else { return ScriptModel.Reply("You asked: \(question)", delay: 0) }
    return ScriptModel.Reply(
      "At nine.", call: .init("trains", object(#"{"to":"Bergen"}"#), announcement: "Let me look. "),
      delay: 0)
  }
  private static let tools = [Tool(name: "trains", description: "", schema: "{}") { _ in "09:00" }]

  @Test(arguments: [
    "Plan a weekend in Oslo", "", " ", "two  spaces\n\nand\r\nlines\t", "  before", "日本語の長い文です。👩‍👧 e\u{301}\u{2003}x",
    "مرحبا بكم في أوسلو", String(repeating: "x", count: 500),
  ])
  func `the pieces are the text, byte for byte`(text: String) {
    let pieces = ScriptModel.pieces(of: text)
    #expect(pieces.joined().utf8.elementsEqual(text.utf8))
    #expect(pieces.allSatisfy { !$0.isEmpty && $0.trimmingSpaces.count <= 7 })
  }

  @Test func `it answers what the user said last`() async throws {
    let answer = try await Self.model.wholeAnswer(
      to: ModelRequest(history: [.user("first"), .assistant("yes"), .user("second")], tools: Self.tools))
    #expect(answer.text == "You asked: second" && answer.finish.reason == .complete && answer.calls.isEmpty)
  }

  @Test func `it calls a tool first, and says the rest when the result is there`() async throws {
    var request = ModelRequest(history: [.user("When does it leave?")], tools: Self.tools)
    let first = try await Self.model.wholeAnswer(to: request)
    #expect(first.text == "Let me look. " && first.finish.reason == .calls)
    #expect(first.calls.map(\.name) == ["trains"])
    request.history += [.assistant(first.text, calls: first.calls), .tool(await Self.tools.result(of: first.calls[0]))]
    let second = try await Self.model.wholeAnswer(to: request)
    #expect(second.text == "At nine." && second.finish.reason == .complete && second.calls.isEmpty)
  }

  @Test func `without tools it answers at once`() async throws {
    let answer = try await Self.model.wholeAnswer(to: ModelRequest(history: [.user("When does it leave?")]))
    #expect(answer.text == "At nine." && answer.calls.isEmpty)
  }
}

extension Substring {
  fileprivate var trimmingSpaces: Substring {
    self[..<(lastIndex { !$0.isWhitespace }.map(index(after:)) ?? startIndex)]
  }
}
