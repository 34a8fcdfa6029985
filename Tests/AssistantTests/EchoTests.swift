import Assistant
import StrictJSON
import Testing

@Suite(.timeLimit(.minutes(1))) struct EchoTests {
  private static let fast = EchoModel(EchoModel.Options(delay: 0))

  private func ask(_ text: String, _ model: EchoModel = fast) async throws -> Outcome {
    try await outcome(of: model, ModelRequest(history: [.user("earlier"), .assistant("what"), .user(text)]))
  }

  @Test(arguments: [
    "Plan a weekend in Oslo", "", " ", "two  spaces\n\nand\r\nlines\t", "  before", "日本語 👩‍👧 e\u{301}\u{2003}x",
    "/unknown x", "/tool",
    String(repeating: "x", count: 5_000), "\u{301}combining first",
  ])
  func `the pieces are the answer, byte for byte`(text: String) async throws {
    let outcome = try await ask(text)
    #expect(outcome.error == nil)
    #expect(outcome.text.utf8.elementsEqual("You said: \(text)".utf8))
    #expect(outcome.reason == .complete)
  }

  @Test func `words come one by one, by the clock`() async throws {
    let start = ContinuousClock.now
    var times: [Duration] = []
    var words: [String] = []
    try await EchoModel(EchoModel.Options(delay: 50)).withAnswer(
      to: ModelRequest(history: [.user("one two\n three")])
    ) { events in
      for try await case .text(let word) in events {
        times.append(ContinuousClock.now - start)
        words.append(word)
      }
    }
    #expect(words == ["You ", "said: ", "one ", "two\n ", "three"])
    for (index, time) in times.enumerated() { #expect(time >= .milliseconds(50 * index)) }
  }

  @Test func `a slow reader gets the same text in larger pieces`() async throws {
    let text = (0..<20_000).map { "w\($0)" }.joined(separator: " ")
    var (answer, pieces) = ("", 0)
    try await Self.fast.withAnswer(to: ModelRequest(history: [.user(text)])) { events in
      for try await case .text(let piece) in events {
        answer += piece
        pieces += 1
        #expect(piece.utf8.count <= ModelAnswer.backlogBytes)
        try await Task.sleep(for: .milliseconds(20))
      }
    }
    #expect(answer == "You said: \(text)")
    #expect(pieces < 500)
  }

  @Test func `it calls the tool it is told to, and says what came of it`() async throws {
    let outcome = try await ask(#"/tool search {"words": "a b"}"#)
    let call = ToolCall(id: "echo_1", name: "search", arguments: object(#"{"words":"a b"}"#))
    #expect(outcome.events == [.call(call), .finish(ModelFinish(.calls, inputTokens: 0, outputTokens: 0))])
    #expect(try await ask("/tool x").events.first == .call(ToolCall(id: "echo_1", name: "x", arguments: JSONObject())))
    #expect(try await ask("/tool x {").events.first == .call(ToolCall(id: "echo_1", name: "x", arguments: nil)))

    let after = try await Self.fast.wholeAnswer(
      to: ModelRequest(history: [
        .user("/tool search"), .assistant("", calls: [call]), .tool(ToolResult(id: "echo_1", text: "two hits")),
        .tool(ToolResult(id: "echo_2", text: "none")),
      ]))
    #expect(after.text == "The tool said: two hits\nnone" && after.finish.reason == .complete)
  }

  @Test func `it fails where it is told to`() async throws {
    let first = try await ask("/fail")
    #expect(first.events.isEmpty && first.error?.code == .overloaded)
    let middle = try await ask("/fail 3 one two three")
    #expect(middle.text == "You said: one " && middle.error?.code == .cutOff)
    let late = try await ask("/fail 99 one two")
    #expect(late.text == "You said: one two" && late.error?.code == .cutOff)
    for text in ["/fail -1", "/fail x", "/fail 0 y"] {
      #expect(try await ask(text).error?.code == .overloaded)
    }
  }

  @Test func `it is slow when it is told to`() async throws {
    let start = ContinuousClock.now
    #expect(try await ask("/slow 40 one two").text == "You said: one two")
    #expect(ContinuousClock.now - start >= .milliseconds(120))
    let ten = ContinuousClock.now
    #expect(try await ask("/slow one two", EchoModel(EchoModel.Options(delay: 5))).text == "You said: one two")
    #expect(ContinuousClock.now - ten >= .milliseconds(150))
  }

  @Test func `a habit holds for every text, and commands can be off`() async throws {
    let caller = EchoModel(EchoModel.Options(delay: 0, habit: .call(name: "t", arguments: nil)))
    #expect(try await ask("x", caller).events.first == .call(ToolCall(id: "echo_1", name: "t", arguments: nil)))
    let failing = EchoModel(EchoModel.Options(delay: 0, habit: .fail(afterWords: 1)))
    #expect(try await ask("x", failing).text == "You ")
    let plain = EchoModel(EchoModel.Options(delay: 0, takesCommands: false))
    #expect(try await ask("/fail 3 x", plain).text == "You said: /fail 3 x")
  }

  @Test func `it stops at the size of a message, and says so`() async throws {
    let limits = AnswerLimits(textBytes: 1_000)
    let end = try await outcome(
      of: EchoModel(EchoModel.Options(delay: 0), limits: limits),
      ModelRequest(history: [.user(String(repeating: "ü", count: 1_000))]))
    #expect(end.error == nil && end.text.utf8.count <= 1_000)
    #expect(end.reason == .length)
  }

  @Test func `it ends at once when its reader does`() async throws {
    let slow = EchoModel(EchoModel.Options(delay: 10_000_000))
    let start = ContinuousClock.now
    let end = try await outcomeOfCancelling(slow)
    #expect(end?.error?.code == .cancelled && end?.text == "You ")
    try await slow.withAnswer(to: hello) { events in
      for try await _ in events { break }
    }
    #expect(ContinuousClock.now - start < soon)
  }

  @Test func `two hundred answers at once are each their own`() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<200 {
        group.addTask {
          let answer = try await EchoModel(EchoModel.Options(delay: 1)).wholeAnswer(
            to: ModelRequest(history: [.user("number \(number) of many")]))
          #expect(answer.text == "You said: number \(number) of many")
        }
      }
      try await group.waitForAll()
    }
  }
}
