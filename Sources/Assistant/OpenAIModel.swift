public import Logging
import NIOHTTP1
import StrictJSON

/// Chat completions with streaming as OpenAI has them (platform.openai.com, "Chat Completions" and
/// "Streaming"), and as many other servers do.
public struct OpenAIModel: LanguageModel {
  /// With `/v1`, as the official clients have it.
  public static let defaultURL = "https://api.openai.com/v1"

  private let model: String
  private let url: String
  private let key: ModelKey?
  private let service: ModelService

  /// - Parameters:
  ///   - model: The service's own name of the model.
  ///   - key: For the header `authorization`; nil for a server of one's own that wants none.
  ///   - url: With `/v1`, or whatever stands before `/chat/completions`.
  /// - Throws: `.missingKey` for a blank key, and none for OpenAI itself; `.badKey` for one that no header can
  ///   hold; `.badSetting` for a blank model and for an address that is none.
  public init(
    model: String, key: String?, url: String = defaultURL, patience: ModelPatience = ModelPatience(),
    limits: AnswerLimits = AnswerLimits(), logger: Logger
  ) throws(ModelError) {
    let choice = try ModelChoice(.openAI, model: model, url: url, key: key)
    self = OpenAIModel(choice, ModelService(patience, limits, logger))
  }

  init(_ choice: ModelChoice, _ service: ModelService) {
    model = choice.model
    url = choice.url
    key = choice.key
    self.service = service
  }

  public var name: String { "openai:\(model)" }

  public func withAnswer<Value>(
    to request: ModelRequest, _ body: (ModelAnswer) async throws -> Value
  ) async throws -> Value {
    let messages = SoundHistory(request.history).messages
    guard !messages.isEmpty else { throw ModelError(.refused, "There is nothing to answer.") }
    var headers = HTTPHeaders()
    if let key { headers.add(name: "authorization", value: "Bearer \(key.secret)") }
    let question = ServiceRequest(
      url: url + "/chat/completions", headers: headers, body: self.body(request, messages))
    return try await service.withAnswer(OpenAIAnswer.self, to: question, body)
  }

  // MARK: Writing

  private func body(_ request: ModelRequest, _ messages: [ModelMessage]) -> [UInt8] {
    var writer = JSONWriter(reserving: 4_096)
    writer.beginObject()
    writer.key("model")
    writer.string(model)
    // OpenAI's newer models refuse the older name; few other servers know the newer one.
    writer.key(url == Self.defaultURL ? "max_completion_tokens" : "max_tokens")
    writer.int(request.maxTokens)
    writer.key("stream")
    writer.bool(true)
    writer.key("stream_options")
    writer.raw(#"{"include_usage":true}"#)
    if !request.tools.isEmpty {
      writer.key("tools")
      writer.beginArray()
      for tool in request.tools { Self.write(tool, to: &writer) }
      writer.endArray()
    }
    writer.key("messages")
    writer.beginArray()
    if let system = request.system, !system.isBlank { Self.write("system", system, to: &writer) }
    for message in messages { Self.write(message, to: &writer) }
    writer.endArray()
    writer.endObject()
    return writer.bytes
  }

  private static func write(_ tool: Tool, to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("type")
    writer.string("function")
    writer.key("function")
    writer.beginObject()
    writer.key("name")
    writer.string(tool.name)
    writer.key("description")
    writer.string(tool.description)
    writer.key("parameters")
    writer.raw(tool.schema)
    writer.endObject()
    writer.endObject()
  }

  private static func write(_ message: ModelMessage, to writer: inout JSONWriter) {
    switch message {
    case .user(let text): write("user", text, to: &writer)
    case .assistant(let text, let calls) where calls.isEmpty: write("assistant", text, to: &writer)
    case .assistant(let text, let calls):
      writer.beginObject()
      writer.key("role")
      writer.string("assistant")
      writer.key("content")
      writer.string(text.isBlank ? nil : text)
      writer.key("tool_calls")
      writer.beginArray()
      for call in calls { write(call, to: &writer) }
      writer.endArray()
      writer.endObject()
    case .tool(let result):
      writer.beginObject()
      writer.key("role")
      writer.string("tool")
      writer.key("tool_call_id")
      writer.string(result.id)
      writer.key("content")
      // The only place where the service could learn that it is one.
      writer.string(result.isError ? "Error: \(result.text)" : result.text)
      writer.endObject()
    }
  }

  private static func write(_ role: String, _ text: String, to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("role")
    writer.string(role)
    writer.key("content")
    writer.string(text)
    writer.endObject()
  }

  private static func write(_ call: ToolCall, to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("id")
    writer.string(call.id)
    writer.key("type")
    writer.string("function")
    writer.key("function")
    writer.beginObject()
    writer.key("name")
    writer.string(call.name)
    writer.key("arguments")
    writer.string(JSONValue.object(call.arguments ?? JSONObject()).canonicalText())
    writer.endObject()
    writer.endObject()
  }
}

/// Reads an answer made of chunks: text and pieces of calls in `choices[0].delta`, the reason in its
/// `finish_reason`, the tokens in a chunk without choices, and `[DONE]` at the end. Servers that leave out the
/// end, the index or the id of a call, or the tokens are understood.
struct OpenAIAnswer: AnswerReader {
  private let limits: AnswerLimits
  private var calls: CallCollector
  private var reason: ModelFinish.Reason?
  private var inputTokens: Int?
  private var outputTokens: Int?
  private var isOver = false

  init(_ limits: AnswerLimits) {
    self.limits = limits
    calls = CallCollector(limits)
  }

  mutating func take(_ event: ServerSentEvent) throws(ModelError) -> [ModelEvent] {
    if event.data.elementsEqual("[DONE]".utf8) { return try end() }
    let chunk = try JSONObject(of: event, limits)
    if let error = chunk["error"], !error.isNull { throw Self.error(chunk, status: nil) }
    if let usage = chunk["usage"]?.object {
      inputTokens = usage.count("prompt_tokens") ?? inputTokens
      outputTokens = usage.count("completion_tokens") ?? outputTokens
    }
    guard let choices = chunk["choices"]?.array else {
      throw ModelError(.unreadable, detail: "a chunk has no choices")
    }
    var events: [ModelEvent] = []
    for choice in choices {
      guard let choice = choice.object else { throw ModelError(.unreadable, detail: "a choice is no object") }
      guard choice["index"]?.number?.int ?? 0 == 0 else { continue }
      if let delta = choice["delta"]?.object { events += try take(delta) }
      if let text = choice["finish_reason"]?.string, !text.isEmpty { reason = Self.reason(text) }
    }
    return events
  }

  mutating func end() throws(ModelError) -> [ModelEvent] {
    guard !isOver, let reason else { throw ModelError(.cutOff) }
    isOver = true
    return try calls.events(reason, inputTokens: inputTokens, outputTokens: outputTokens)
  }

  private mutating func take(_ delta: JSONObject) throws(ModelError) -> [ModelEvent] {
    var events: [ModelEvent] = []
    // A refusal is what the model says, in a place of its own.
    for key in ["content", "refusal"] {
      guard let value = delta[key], !value.isNull else { continue }
      guard let text = value.string else { throw ModelError(.unreadable, detail: "its text is no string") }
      if !text.isEmpty { events.append(.text(text)) }
    }
    guard let pieces = delta["tool_calls"], !pieces.isNull else { return events }
    guard let pieces = pieces.array else { throw ModelError(.unreadable, detail: "its calls are no array") }
    for piece in pieces {
      guard let piece = piece.object else { throw ModelError(.unreadable, detail: "a call is no object") }
      try take(call: piece)
    }
    return events
  }

  private mutating func take(call piece: JSONObject) throws(ModelError) {
    let id = piece["id"]?.string ?? ""
    let function = piece["function"]?.object
    let name = function?["name"]?.string ?? ""
    let index: Int
    if let number = piece["index"]?.number {
      guard let int = number.int else { throw ModelError(.unreadable, detail: "a call's index is no integer") }
      index = int
    } else {
      // Without an index a new call is one that brings an id or a name.
      index = id.isEmpty && name.isEmpty ? calls.count - 1 : calls.count
    }
    if !calls.contains(index) {
      guard !name.isEmpty else { throw ModelError(.unreadable, detail: "a call has no name") }
      try calls.begin(key: index, id: id, name: name)
    }
    if let arguments = function?["arguments"]?.string { _ = try calls.append(arguments, to: index) }
  }

  private static func reason(_ text: String) -> ModelFinish.Reason {
    switch text {
    case "stop": .complete
    case "tool_calls": .calls
    case "length": .length
    case "content_filter": .refusal
    default: .other
    }
  }

  static func error(_ object: JSONObject?, status: Int?) -> ModelError {
    let error = object?["error"]?.object
    let type = error?["type"]?.string
    let code = error?["code"]?.string
    let detail = ModelError.detail(status, code ?? type)
    switch (code, type) {
    case ("insufficient_quota", _), (_, "insufficient_quota"):
      return ModelError(
        .rateLimited, "The quota of this server at the language model's service is used up.", detail: detail,
        retryAfter: nil, isTemporary: false)
    case ("invalid_api_key", _): return ModelError(.badKey, detail: detail)
    case ("model_not_found", _): return ModelError(.unknownModel, detail: detail)
    case ("rate_limit_exceeded", _): return ModelError(.rateLimited, detail: detail)
    case (_, "server_error"), (_, "service_unavailable"): return ModelError(.overloaded, detail: detail)
    case (_, "not_found_error"),
      (_, "invalid_request_error") where status == 404:
      return ModelError(.unknownModel, detail: detail)
    default: return ModelError(status: status, detail: detail)
    }
  }
}
