import Assistant
import Logging
import StrictJSON
import Synchronization
import Testing

/// A service, how its model is made, and answers as it sends them.
struct Sample: Sendable, CustomTestStringConvertible {
  let testDescription: String
  /// - Parameter port: Of a server on this machine.
  let model: @Sendable (_ port: Int, ModelPatience, AnswerLimits, Logger) throws -> any LanguageModel
  /// An answer of all kinds of events: text in several pieces, two calls, and what one ignores.
  let full: String
  let fullAnswer: WholeAnswer
  /// An answer of one piece of text.
  let short: String
  let shortAnswer: WholeAnswer
  /// What comes before the first piece of text.
  let opening: String
  /// One piece of text.
  let piece: @Sendable (String) -> String
  /// The end of an answer, with the service's word for why.
  let ending: @Sendable (String) -> String
  /// A call whose arguments come in these pieces.
  let call: @Sendable (_ index: Int, _ name: String, [String]) -> String
  /// Its words for: it called, it ran out of tokens, it refused, and one that nobody knows.
  let reasons: [(String, ModelFinish.Reason)]
  /// An error inside the stream: it is overloaded.
  let overloaded: String

  static let key = "sk-test-3141592653"
}

/// A JSON object from what is known to be one.
func object(_ text: String) -> JSONObject { try! JSONReader.read(text).object! }

/// One event of a stream.
private func event(_ name: String?, _ data: String) -> String {
  "\(name.map { "event: \($0)\n" } ?? "")data: \(data)\n\n"
}

/// A text as JSON.
func quoted(_ text: String) -> String {
  var writer = JSONWriter()
  writer.string(text)
  return writer.text
}

// MARK: Anthropic

private let anthropicOpening =
  event(
    "message_start",
    #"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"#
      + #""stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":1}}}"#)
  + event("content_block_start", #"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#)
  + event("ping", #"{"type": "ping"}"#)

private func anthropicPiece(_ text: String) -> String {
  event(
    "content_block_delta",
    #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":\#(quoted(text))}}"#)
}

private func anthropicEnding(_ reason: String) -> String {
  event(
    "message_delta",
    #"{"type":"message_delta","delta":{"stop_reason":"\#(reason)","stop_sequence":null},"usage":{"output_tokens":15}}"#)
    + event("message_stop", #"{"type":"message_stop"}"#)
}

private func anthropicCall(_ index: Int, _ name: String, _ pieces: [String]) -> String {
  event(
    "content_block_start",
    #"{"type":"content_block_start","index":\#(index + 1),"content_block":{"type":"tool_use","id":"toolu_\#(index)","#
      + #""name":"\#(name)","input":{}}}"#)
    + pieces.map {
      event(
        "content_block_delta",
        #"{"type":"content_block_delta","index":\#(index + 1),"delta":{"type":"input_json_delta","#
          + #""partial_json":\#(quoted($0))}}"#)
    }.joined()
    + event("content_block_stop", #"{"type":"content_block_stop","index":\#(index + 1)}"#)
}

let anthropic = Sample(
  testDescription: "Anthropic",
  model: { port, patience, limits, logger in
    try AnthropicModel(
      model: "claude-test", key: Sample.key, url: "http://127.0.0.1:\(port)", patience: patience, limits: limits,
      logger: logger)
  },
  full: ": a comment\r\n\r\n" + anthropicOpening
    + event("content_block_start", #"{"type":"content_block_start","index":9,"content_block":{"type":"thinking"}}"#)
    + event(
      "content_block_delta",
      #"{"type":"content_block_delta","index":9,"delta":{"type":"thinking_delta","thinking":"Hm."}}"#)
    + event("content_block_stop", #"{"type":"content_block_stop","index":9}"#)
    + anthropicPiece("Grüß Gott, ") + anthropicPiece("“Oslo” \\ 日本 👩‍👧\n")
    + event("content_block_stop", #"{"type":"content_block_stop","index":0}"#)
    + event("something_new", #"{"type":"something_new","x":[1,{}]}"#)
    + anthropicCall(0, "current_time", [""])
    + anthropicCall(1, "search", ["{\"words\":", " \"früh", " \\\"morgens\\\"\"", "}"])
    + anthropicEnding("tool_use"),
  fullAnswer: WholeAnswer(
    text: "Grüß Gott, “Oslo” \\ 日本 👩‍👧\n",
    calls: [
      ToolCall(id: "toolu_0", name: "current_time", arguments: JSONObject()),
      ToolCall(id: "toolu_1", name: "search", arguments: object(#"{"words":"früh \"morgens\""}"#)),
    ], finish: ModelFinish(.calls, inputTokens: 25, outputTokens: 15)),
  short: anthropicOpening + anthropicPiece("Hi") + anthropicEnding("end_turn"),
  shortAnswer: WholeAnswer(text: "Hi", finish: ModelFinish(.complete, inputTokens: 25, outputTokens: 15)),
  opening: anthropicOpening, piece: anthropicPiece, ending: anthropicEnding, call: anthropicCall,
  reasons: [
    ("end_turn", .complete), ("stop_sequence", .complete), ("max_tokens", .length), ("refusal", .refusal),
    ("pause_turn", .other), ("model_context_window_exceeded", .length),
  ],
  overloaded: event("error", #"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#))

// MARK: OpenAI

private func openAIChunk(_ delta: String, _ reason: String? = nil) -> String {
  event(
    nil,
    #"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":"#
      + #"\#(delta),"logprobs":null,"finish_reason":\#(reason.map { quoted($0) } ?? "null")}],"usage":null}"#)
}

private func openAIEnding(_ reason: String) -> String {
  openAIChunk("{}", reason)
    + event(
      nil,
      #"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":"#
        + #"{"prompt_tokens":25,"completion_tokens":15,"total_tokens":40}}"#)
    + event(nil, "[DONE]")
}

private func openAICall(_ index: Int, _ name: String, _ pieces: [String]) -> String {
  openAIChunk(
    #"{"tool_calls":[{"index":\#(index),"id":"call_\#(index)x","type":"function","function":{"name":"\#(name)","#
      + #""arguments":""}}]}"#)
    + pieces.map {
      openAIChunk(#"{"tool_calls":[{"index":\#(index),"function":{"arguments":\#(quoted($0))}}]}"#)
    }.joined()
}

private func openAIPiece(_ text: String) -> String { openAIChunk(#"{"content":\#(quoted(text))}"#) }

private let openAIOpening = openAIChunk(#"{"role":"assistant","content":"","refusal":null}"#)

let openAI = Sample(
  testDescription: "OpenAI",
  model: { port, patience, limits, logger in
    try OpenAIModel(
      model: "gpt-test", key: Sample.key, url: "http://127.0.0.1:\(port)/v1", patience: patience, limits: limits,
      logger: logger)
  },
  full: ": OPENROUTER PROCESSING\n\n" + openAIOpening
    + openAIChunk(#"{"reasoning_content":"Hm.","content":null}"#)
    + openAIPiece("Grüß Gott, ") + openAIPiece("“Oslo” \\ 日本 👩‍👧\n") + openAICall(0, "current_time", [])
    + openAICall(1, "search", ["{\"words\":", " \"früh", " \\\"morgens\\\"\"", "}"]) + openAIEnding("tool_calls"),
  fullAnswer: WholeAnswer(
    text: "Grüß Gott, “Oslo” \\ 日本 👩‍👧\n",
    calls: [
      ToolCall(id: "call_0x", name: "current_time", arguments: JSONObject()),
      ToolCall(id: "call_1x", name: "search", arguments: object(#"{"words":"früh \"morgens\""}"#)),
    ], finish: ModelFinish(.calls, inputTokens: 25, outputTokens: 15)),
  short: openAIOpening + openAIPiece("Hi") + openAIEnding("stop"),
  shortAnswer: WholeAnswer(text: "Hi", finish: ModelFinish(.complete, inputTokens: 25, outputTokens: 15)),
  opening: openAIOpening, piece: openAIPiece, ending: openAIEnding, call: openAICall,
  reasons: [("stop", .complete), ("length", .length), ("content_filter", .refusal), ("boredom", .other)],
  overloaded: event(nil, #"{"error":{"message":"The server had an error","type":"server_error","code":null}}"#))

let samples = [anthropic, openAI]

// MARK: Asking

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Short waits between tries, and long ones for what does not happen unless a test wants it: other tests may
/// keep the machine busy for seconds.
let hasty = ModelPatience(
  connect: .seconds(30), silence: .seconds(100), total: .seconds(150), retries: 2, firstWait: .milliseconds(5),
  longestWait: .seconds(2), jitter: 1...1)

let hello = ModelRequest(history: [.user("Hello")])

extension Sample {
  func model(
    _ server: ScriptedServer, _ patience: ModelPatience = hasty, _ limits: AnswerLimits = AnswerLimits(),
    _ logger: Logger = quiet
  ) throws -> any LanguageModel {
    try model(server.port, patience, limits, logger)
  }
}

/// What came, and how it ended.
struct Outcome {
  var events: [ModelEvent] = []
  var error: ModelError?

  var text: String { events.map { if case .text(let text) = $0 { text } else { "" } }.joined() }

  /// Why it ended, if its last event says so.
  var reason: ModelFinish.Reason? { if case .finish(let finish) = events.last { finish.reason } else { nil } }
}

/// Asks, and keeps what arrived before an error.
///
/// - Parameter onEvent: Called for each event.
func outcome(
  of model: any LanguageModel, _ request: ModelRequest = hello, onEvent: @Sendable () -> Void = {}
) async throws -> Outcome {
  var outcome = Outcome()
  do {
    try await model.withAnswer(to: request) { events in
      for try await event in events {
        outcome.events.append(event)
        onEvent()
      }
    }
  } catch let error as ModelError {
    outcome.error = error
  }
  return outcome
}

/// Far less than what a test would wait for if it failed, and more than a busy machine needs.
let soon = Duration.seconds(40)

/// Whether something comes true soon.
func eventually(_ isTrue: () -> Bool) async throws -> Bool {
  let start = ContinuousClock.now
  while ContinuousClock.now - start < soon {
    if isTrue() { return true }
    try await Task.sleep(for: .milliseconds(5))
  }
  return isTrue()
}

/// Asks in a task that is cancelled when the first event has come, or after some time for none to come.
func outcomeOfCancelling(_ model: any LanguageModel, afterEvent: Bool = true) async throws -> Outcome? {
  let hasEvent = Flag()
  return try await withThrowingTaskGroup(of: Outcome.self) { group in
    group.addTask { try await outcome(of: model) { hasEvent.set() } }
    if afterEvent {
      #expect(try await eventually { hasEvent.isSet })
    } else {
      try await Task.sleep(for: .milliseconds(100))
    }
    group.cancelAll()
    return try await group.next()
  }
}

/// Something that happens once.
final class Flag: Sendable {
  private let state = Mutex(false)

  var isSet: Bool { state.withLock { $0 } }

  func set() { state.withLock { $0 = true } }
}
