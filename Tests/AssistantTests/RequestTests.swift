import Assistant
import ConversationModel
import Foundation
import StrictJSON
import Testing

/// What services are asked, as they receive it.
@Suite(.timeLimit(.minutes(1))) struct RequestTests {
  private static let tool = Tool(
    name: "search", description: "Finds “words”.", schema: #"{"type":"object","properties":{}}"#
  ) { _ in "" }

  /// Two rounds of tools, and everything that a broken history can have.
  private static let request = ModelRequest(
    system: "Be \"brief\".",
    history: [
      .tool(ToolResult(id: "gone", text: "its call is before the window")),
      .assistant("before the window", calls: []),
      .user("one"), .user(" \n"), .user("two"),
      .assistant(
        "let me see",
        calls: [
          ToolCall(id: "a", name: "search", arguments: object(#"{"words":"x"}"#)),
          ToolCall(id: "b", name: "search", arguments: nil),
        ]),
      .tool(ToolResult(id: "b", text: "broken", isError: true)),
      .tool(ToolResult(id: "a", text: "found")),
      .tool(ToolResult(id: "stranger", text: "nobody asked")),
      .assistant("", calls: [ToolCall(id: "a", name: "search", arguments: JSONObject())]),
      .assistant("", calls: [ToolCall(id: "schräg", name: "search", arguments: JSONObject())]),
      .tool(ToolResult(id: "schräg", text: "oblique")),
      .assistant("  ", calls: []), .assistant("done", calls: []), .user("three\n"),
    ], tools: [tool], maxTokens: 77)

  private func body(_ sample: Sample, _ request: ModelRequest) async throws -> (head: String, JSONValue) {
    let server = try ScriptedServer(answers: [stream(sample.short)])
    defer { server.close() }
    _ = try await sample.model(server).wholeAnswer(to: request)
    let received = try #require(server.requests.first)
    return (received.head, try JSONReader.read(received.body))
  }

  @Test func `Anthropic gets blocks, results as the user's, and every call with its result`() async throws {
    let (head, body) = try await body(anthropic, Self.request)
    #expect(head.hasPrefix("POST /v1/messages HTTP/1.1\r\n"))
    for line in ["content-type: application/json", "anthropic-version: 2023-06-01", "x-api-key: \(Sample.key)"] {
      #expect(head.lowercased().split(separator: "\r\n").contains(Substring(line)), "\(line)")
    }
    let expected = try JSONReader.read(
      #"""
      {"model":"claude-test","max_tokens":77,"stream":true,"system":"Be \"brief\".",
       "tools":[{"name":"search","description":"Finds “words”.","input_schema":{"type":"object","properties":{}}}],
       "messages":[
        {"role":"user","content":[{"type":"text","text":"one"},{"type":"text","text":"two"}]},
        {"role":"assistant","content":[{"type":"text","text":"let me see"},
          {"type":"tool_use","id":"a","name":"search","input":{"words":"x"}},
          {"type":"tool_use","id":"b","name":"search","input":{}}]},
        {"role":"user","content":[
          {"type":"tool_result","tool_use_id":"a","content":"found"},
          {"type":"tool_result","tool_use_id":"b","content":"broken","is_error":true}]},
        {"role":"assistant","content":[{"type":"tool_use","id":"call_3","name":"search","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"call_3",
          "content":"There is no result: the tool was interrupted.","is_error":true}]},
        {"role":"assistant","content":[{"type":"tool_use","id":"call_4","name":"search","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"call_4","content":"oblique"}]},
        {"role":"assistant","content":[{"type":"text","text":"done"}]},
        {"role":"user","content":[{"type":"text","text":"three\n"}]}]}
      """#)
    #expect(body == expected, "\(body.canonicalText())")
  }

  @Test func `OpenAI gets messages, and arguments as a text`() async throws {
    let (head, body) = try await body(openAI, Self.request)
    #expect(head.hasPrefix("POST /v1/chat/completions HTTP/1.1\r\n"))
    let expected = try JSONReader.read(
      #"""
      {"model":"gpt-test","max_tokens":77,"stream":true,"stream_options":{"include_usage":true},
       "tools":[{"type":"function","function":{"name":"search","description":"Finds “words”.",
         "parameters":{"type":"object","properties":{}}}}],
       "messages":[
        {"role":"system","content":"Be \"brief\"."},
        {"role":"assistant","content":"before the window"},
        {"role":"user","content":"one"},{"role":"user","content":"two"},
        {"role":"assistant","content":"let me see","tool_calls":[
          {"id":"a","type":"function","function":{"name":"search","arguments":"{\"words\":\"x\"}"}},
          {"id":"b","type":"function","function":{"name":"search","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"a","content":"found"},
        {"role":"tool","tool_call_id":"b","content":"Error: broken"},
        {"role":"assistant","content":null,"tool_calls":[
          {"id":"call_3","type":"function","function":{"name":"search","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"call_3","content":"Error: There is no result: the tool was interrupted."},
        {"role":"assistant","content":null,"tool_calls":[
          {"id":"call_4","type":"function","function":{"name":"search","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"call_4","content":"oblique"},
        {"role":"assistant","content":"done"},{"role":"user","content":"three\n"}]}
      """#)
    #expect(body == expected, "\(body.canonicalText())")
  }

  @Test(arguments: samples)
  func `without system and tools there is no word of them`(sample: Sample) async throws {
    let (_, body) = try await body(sample, ModelRequest(system: " ", history: [.user("x")]))
    #expect(body.object?["system"] == nil && body.object?["tools"] == nil)
    #expect(body.object?["messages"]?.array?.count == 1)
  }

  @Test(arguments: samples)
  func `a history with nothing to answer is refused before anybody is asked`(sample: Sample) async throws {
    let server = try ScriptedServer(answers: [stream(sample.short)])
    defer { server.close() }
    let blank = ModelRequest(history: [.tool(ToolResult(id: "a", text: "x")), .user(" "), .assistant("\n")])
    #expect(try await outcome(of: try sample.model(server), blank).error?.code == .refused)
    #expect(server.requests.isEmpty)
  }

  @Test func `an id that stands in for another is not one that comes later`() async throws {
    let call = { ToolCall(id: $0, name: "search", arguments: JSONObject()) }
    let history: [ModelMessage] = [
      .user("x"), .assistant("", calls: [call("call_1"), call("call_1"), call(""), call("call_3"), call("call_2")]),
    ]
    let (_, body) = try await body(anthropic, ModelRequest(history: history))
    let blocks = try #require(body.object?["messages"]?.array?[1].object?["content"]?.array)
    let ids = blocks.compactMap { $0.object?["id"]?.string }
    #expect(ids.count == 5 && Set(ids).count == 5, "\(ids)")
  }

  @Test func `a server of one's own may want no key`() async throws {
    let server = try ScriptedServer(answers: [stream(openAI.short)])
    defer { server.close() }
    let model = try OpenAIModel(
      model: "llama3.2:3b", key: nil, url: "http://127.0.0.1:\(server.port)/api/", patience: hasty, logger: quiet)
    #expect(try await model.wholeAnswer(to: hello) == openAI.shortAnswer)
    let head = try #require(server.requests.first?.head).lowercased()
    #expect(head.hasPrefix("post /api/chat/completions ") && !head.contains("authorization"))
  }
}

/// What other servers make of OpenAI's format.
@Suite(.timeLimit(.minutes(1))) struct CompatibilityTests {
  private func answer(_ text: String) async throws -> WholeAnswer {
    let server = try ScriptedServer(answers: [stream(text)])
    defer { server.close() }
    return try await openAI.model(server).wholeAnswer(to: hello)
  }

  @Test func `calls without index and id, whole in one piece`() async throws {
    let answer = try await answer(
      #"""
      data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"a","arguments":"{\"x\":1}"}},{"function":{"name":"b"}}]}}]}

      data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{}"}}]},"finish_reason":"stop"}]}

      data: [DONE]


      """#)
    #expect(
      answer.calls == [
        ToolCall(id: "call_1", name: "a", arguments: object(#"{"x":1}"#)),
        ToolCall(id: "call_2", name: "b", arguments: JSONObject()),
      ])
    #expect(answer.finish == ModelFinish(.calls))
  }

  @Test func `pieces of two calls that alternate, and a second choice that nobody asked for`() async throws {
    let answer = try await answer(
      #"""
      data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"b","arguments":"{\"y\""}},{"index":0,"id":"a","function":{"name":"a","arguments":"{\"x\""}}]}},{"index":1,"delta":{"content":"other"},"finish_reason":"length"}]}

      data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}},{"index":1,"id":"b","function":{"arguments":":2}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":-1,"completion_tokens":1e400}}


      """#.replacing(",\"completion_tokens\":1e400", with: ""))
    #expect(answer.text.isEmpty)
    #expect(
      answer.calls == [
        ToolCall(id: "b", name: "b", arguments: object(#"{"y":2}"#)),
        ToolCall(id: "a", name: "a", arguments: object(#"{"x":1}"#)),
      ])
    #expect(answer.finish == ModelFinish(.calls))
  }

  @Test func `a refusal is a text`() async throws {
    let answer = try await answer(
      #"""
      data: {"choices":[{"index":0,"delta":{"content":null,"refusal":"I would "},"finish_reason":null}]}

      data: {"choices":[{"index":0,"delta":{"refusal":"rather not."},"finish_reason":"content_filter"}]}

      data: [DONE]


      """#)
    #expect(answer == WholeAnswer(text: "I would rather not.", finish: ModelFinish(.refusal)))
  }

  @Test func `Anthropic's arguments may come with the beginning of the call`() async throws {
    let server = try ScriptedServer(answers: [
      stream(
        #"""
        data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"So: "}}

        data: {"type":"content_block_stop","index":0}

        data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"a","input":{"x":1}}}

        data: {"type":"content_block_stop","index":1}

        data: {"type":"message_delta","delta":{"stop_reason":"tool_use"}}

        data: {"type":"message_stop"}


        """#)
    ])
    defer { server.close() }
    let answer = try await anthropic.model(server).wholeAnswer(to: hello)
    #expect(answer.text == "So: ")
    #expect(answer.calls == [ToolCall(id: "t", name: "a", arguments: object(#"{"x":1}"#))])
    #expect(answer.finish == ModelFinish(.calls))
  }

  @Test func `Anthropic's blocks that begin twice or never are unreadable`() async throws {
    let start =
      #"data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"a"}}"#
      + "\n\n"
    let stop = #"data: {"type":"content_block_stop","index":0}"# + "\n\n"
    for text in [start + start, start + stop + start, start + stop + stop] {
      let server = try ScriptedServer(answers: [stream(text + anthropic.short)])
      defer { server.close() }
      #expect(try await outcome(of: try anthropic.model(server)).error?.code == .unreadable)
    }
  }
}
