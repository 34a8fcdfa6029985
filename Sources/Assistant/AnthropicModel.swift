public import Logging
import NIOHTTP1
import StrictJSON

/// Anthropic's Messages API with streaming (docs.anthropic.com, "Messages" and "Streaming Messages"), version
/// 2023-06-01 of it.
///
/// The history's answers before the first user's message are left out: the service wants the user to begin.
public struct AnthropicModel: LanguageModel {
  /// Without `/v1`, as the official clients have it.
  public static let defaultURL = "https://api.anthropic.com"

  private let model: String
  private let url: String
  private let key: ModelKey
  private let service: ModelService

  /// - Parameters:
  ///   - model: The service's own name of the model.
  ///   - key: For the header `x-api-key`.
  ///   - url: Without `/v1`.
  /// - Throws: `.missingKey` for a blank key, `.badKey` for one that no header can hold, `.badSetting` for a
  ///   blank model and for an address that is none.
  public init(
    model: String, key: String, url: String = defaultURL, patience: ModelPatience = ModelPatience(),
    limits: AnswerLimits = AnswerLimits(), logger: Logger
  ) throws(ModelError) {
    let choice = try ModelChoice(.anthropic, model: model, url: url, key: key)
    self = AnthropicModel(choice, ModelService(patience, limits, logger))
  }

  init(_ choice: ModelChoice, _ service: ModelService) {
    model = choice.model
    url = choice.url
    key = choice.key!
    self.service = service
  }

  public var name: String { "anthropic:\(model)" }

  public func withAnswer<Value>(
    to request: ModelRequest, _ body: (ModelAnswer) async throws -> Value
  ) async throws -> Value {
    let messages = Array(
      SoundHistory(request.history).messages.drop { if case .user = $0 { false } else { true } })
    guard !messages.isEmpty else { throw ModelError(.refused, "There is nothing to answer.") }
    let headers: HTTPHeaders = ["x-api-key": key.secret, "anthropic-version": "2023-06-01"]
    let question = ServiceRequest(
      url: url + "/v1/messages", headers: headers, body: self.body(request, messages))
    return try await service.withAnswer(AnthropicAnswer.self, to: question, body)
  }

  // MARK: Writing

  private func body(_ request: ModelRequest, _ messages: [ModelMessage]) -> [UInt8] {
    var writer = JSONWriter(reserving: 4_096)
    writer.beginObject()
    writer.key("model")
    writer.string(model)
    writer.key("max_tokens")
    writer.int(request.maxTokens)
    writer.key("stream")
    writer.bool(true)
    if let system = request.system, !system.isBlank {
      writer.key("system")
      writer.string(system)
    }
    if !request.tools.isEmpty {
      writer.key("tools")
      writer.beginArray()
      for tool in request.tools { Self.write(tool, to: &writer) }
      writer.endArray()
    }
    writer.key("messages")
    writer.beginArray()
    Self.write(messages, to: &writer)
    writer.endArray()
    writer.endObject()
    return writer.bytes
  }

  private static func write(_ tool: Tool, to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("name")
    writer.string(tool.name)
    writer.key("description")
    writer.string(tool.description)
    writer.key("input_schema")
    writer.raw(tool.schema)
    writer.endObject()
  }

  /// Results are the user's to the service, and one role speaks once: what belongs together becomes the blocks
  /// of one message.
  private static func write(_ messages: [ModelMessage], to writer: inout JSONWriter) {
    var isUsers: Bool?
    for message in messages {
      let isUser = if case .assistant = message { false } else { true }
      if isUsers != isUser {
        if isUsers != nil { endMessage(&writer) }
        writer.beginObject()
        writer.key("role")
        writer.string(isUser ? "user" : "assistant")
        writer.key("content")
        writer.beginArray()
      }
      isUsers = isUser
      writeBlocks(of: message, to: &writer)
    }
    if isUsers != nil { endMessage(&writer) }
  }

  private static func endMessage(_ writer: inout JSONWriter) {
    writer.endArray()
    writer.endObject()
  }

  private static func writeBlocks(of message: ModelMessage, to writer: inout JSONWriter) {
    switch message {
    case .user(let text):
      writeText(text, to: &writer)
    case .assistant(let text, let calls):
      if !text.isBlank { writeText(text, to: &writer) }
      for call in calls {
        writer.beginObject()
        writer.key("type")
        writer.string("tool_use")
        writer.key("id")
        writer.string(call.id)
        writer.key("name")
        writer.string(call.name)
        writer.key("input")
        writer.value(.object(call.arguments ?? JSONObject()))
        writer.endObject()
      }
    case .tool(let result):
      writer.beginObject()
      writer.key("type")
      writer.string("tool_result")
      writer.key("tool_use_id")
      writer.string(result.id)
      writer.key("content")
      writer.string(result.text)
      if result.isError {
        writer.key("is_error")
        writer.bool(true)
      }
      writer.endObject()
    }
  }

  private static func writeText(_ text: String, to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("type")
    writer.string("text")
    writer.key("text")
    writer.string(text)
    writer.endObject()
  }
}

/// Reads an answer of the Messages API: `message_start`; for each block `content_block_start`, `_delta`s and
/// `_stop`; `message_delta` with the reason; `message_stop`. `ping` says nothing, and the documentation asks
/// to ignore events and blocks that one does not know.
struct AnthropicAnswer: AnswerReader {
  private enum Block {
    case text
    case call
    case other
  }

  private let limits: AnswerLimits
  private var calls: CallCollector
  /// The blocks that have begun and not ended, by their index.
  private var blocks: [Int: Block] = [:]
  /// What a call began with: some servers give its arguments at once, and no pieces of them.
  private var inputs: [Int: JSONObject] = [:]
  private var reason: ModelFinish.Reason?
  private var inputTokens: Int?
  private var outputTokens: Int?
  private var isOver = false

  init(_ limits: AnswerLimits) {
    self.limits = limits
    calls = CallCollector(limits)
  }

  mutating func take(_ event: ServerSentEvent) throws(ModelError) -> [ModelEvent] {
    let event = try JSONObject(of: event, limits)
    switch event["type"]?.string {
    case "message_start":
      count(event["message"]?.object?["usage"]?.object)
    case "content_block_start":
      return try start(try event.index, try event.object("content_block"))
    case "content_block_delta":
      return try delta(try event.index, try event.object("delta"))
    case "content_block_stop":
      try stop(try event.index)
    case "message_delta":
      count(event["usage"]?.object)
      if let text = event["delta"]?.object?["stop_reason"]?.string { reason = Self.reason(text) }
    case "message_stop":
      return try end()
    case "error":
      throw Self.error(event["error"]?.object, status: nil)
    case nil:
      throw ModelError(.unreadable, detail: "an event has no type")
    default: break
    }
    return []
  }

  mutating func end() throws(ModelError) -> [ModelEvent] {
    guard !isOver, let reason else { throw ModelError(.cutOff) }
    isOver = true
    return try calls.events(reason, inputTokens: inputTokens, outputTokens: outputTokens)
  }

  private mutating func start(_ index: Int, _ block: JSONObject) throws(ModelError) -> [ModelEvent] {
    guard blocks[index] == nil, !calls.contains(index) else {
      throw ModelError(.unreadable, detail: "a block begins twice")
    }
    guard blocks.count < limits.calls else { throw ModelError(.tooLarge, detail: "too many blocks are open") }
    switch block["type"]?.string {
    case "text":
      blocks[index] = .text
      return Self.text(block["text"]?.string)
    case "tool_use":
      blocks[index] = .call
      try calls.begin(key: index, id: try block.string("id"), name: try block.string("name"))
      inputs[index] = block["input"]?.object
    default:
      blocks[index] = .other
    }
    return []
  }

  private mutating func delta(_ index: Int, _ delta: JSONObject) throws(ModelError) -> [ModelEvent] {
    guard let block = blocks[index] else { throw ModelError(.unreadable, detail: "a piece has no block") }
    switch (block, delta["type"]?.string) {
    case (.text, "text_delta"):
      return Self.text(try delta.string("text"))
    case (.call, "input_json_delta"):
      let piece = try delta.string("partial_json")
      if !piece.isEmpty { inputs[index] = nil }
      _ = try calls.append(piece, to: index)
    default: break
    }
    return []
  }

  private mutating func stop(_ index: Int) throws(ModelError) {
    guard blocks.removeValue(forKey: index) != nil else {
      throw ModelError(.unreadable, detail: "a block ends that had not begun")
    }
    if let input = inputs.removeValue(forKey: index), !input.isEmpty {
      _ = try calls.append(JSONValue.object(input).canonicalText(), to: index)
    }
  }

  private mutating func count(_ usage: JSONObject?) {
    inputTokens = usage?.count("input_tokens") ?? inputTokens
    outputTokens = usage?.count("output_tokens") ?? outputTokens
  }

  private static func text(_ text: String?) -> [ModelEvent] {
    text.map { $0.isEmpty ? [] : [.text($0)] } ?? []
  }

  private static func reason(_ text: String) -> ModelFinish.Reason {
    switch text {
    case "end_turn", "stop_sequence": .complete
    case "tool_use": .calls
    case "max_tokens", "model_context_window_exceeded": .length
    case "refusal": .refusal
    default: .other
    }
  }

  static func error(_ object: JSONObject?, status: Int?) -> ModelError {
    // The body of an answer has the error one level deeper than its status line says.
    let type = (object?["error"]?.object ?? object)?["type"]?.string
    let detail = ModelError.detail(status, type)
    switch type {
    case "authentication_error", "permission_error": return ModelError(.badKey, detail: detail)
    case "not_found_error": return ModelError(.unknownModel, detail: detail)
    case "rate_limit_error": return ModelError(.rateLimited, detail: detail)
    case "overloaded_error", "api_error", "timeout_error": return ModelError(.overloaded, detail: detail)
    case "invalid_request_error", "request_too_large", "billing_error": return ModelError(.refused, detail: detail)
    default: return ModelError(status: status, detail: detail)
    }
  }
}
