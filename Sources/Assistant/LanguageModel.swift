public import ConversationModel
public import StrictJSON

/// Something that answers a conversation piece by piece: a service on the network, or the echo.
public protocol LanguageModel: Sendable {
  /// What an operator calls it, as the setting does: `echo`, `anthropic:MODEL`, `openai:MODEL`.
  var name: String { get }

  /// Asks once, and hands the answer to `body` while it arrives.
  ///
  /// The request lives as long as `body` does: when `body` returns or throws, or the task is cancelled, it
  /// ends at once and its connection is closed unless the answer was complete. An answer that nobody takes
  /// is not read on.
  ///
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws. What goes wrong with the model is thrown by the answer, inside `body`,
  ///   as a ``ModelError``, behind everything that had arrived before.
  func withAnswer<Value>(
    to request: ModelRequest, _ body: (ModelAnswer) async throws -> Value
  ) async throws -> Value
}

/// What a model is asked.
public struct ModelRequest: Sendable {
  /// How to behave, or nil.
  public var system: String?
  /// Oldest first. What services would refuse is set right on the way: see ``ModelMessage``.
  public var history: [ModelMessage]
  /// What the model may call.
  public var tools: [Tool]
  /// Tokens that the answer may have.
  public var maxTokens: Int

  /// - Parameter maxTokens: 4,096 unless told: some ten screens of text.
  public init(system: String? = nil, history: [ModelMessage], tools: [Tool] = [], maxTokens: Int = 4_096) {
    self.system = system
    self.history = history
    self.tools = tools
    self.maxTokens = maxTokens
  }
}

/// One message as a model sees it.
///
/// Services want every call to be followed by its result, and nothing blank. A history that was cut or broken
/// off need not look like that: a result without its call and a blank message are left out, a call without
/// its result gets one that says so, and an id that is no good or not the only one is replaced.
public enum ModelMessage: Sendable, Equatable {
  case user(String)
  /// What the model said, and then wanted to be done; the results follow.
  case assistant(String, calls: [ToolCall] = [])
  case tool(ToolResult)
}

/// A tool that the model wants to be run.
public struct ToolCall: Sendable, Equatable {
  /// The service's own name for this call.
  public var id: String
  public var name: String
  /// Nil if what the model wrote is no JSON object that ``JSONReader`` takes; the tool's result then says so.
  public var arguments: JSONObject?

  public init(id: String, name: String, arguments: JSONObject?) {
    self.id = id
    self.name = name
    self.arguments = arguments
  }
}

/// What came of a call.
public struct ToolResult: Sendable, Equatable {
  /// The call's id.
  public var id: String
  /// For the model to read; at most ``ToolLimits/resultBytes``.
  public var text: String
  public var isError: Bool

  public init(id: String, text: String, isError: Bool = false) {
    self.id = id
    self.text = text
    self.isError = isError
  }
}

/// One piece of an answer.
public enum ModelEvent: Sendable, Equatable {
  /// What comes next in the text; never empty.
  case text(String)
  /// A whole call. Calls come behind all text, and only if the answer finishes for them.
  case call(ToolCall)
  /// The last event of an answer that came to its end.
  case finish(ModelFinish)
}

/// How an answer ended.
public struct ModelFinish: Sendable, Equatable {
  public enum Reason: String, Sendable, CaseIterable {
    /// The model has said what it wanted to say.
    case complete
    /// It waits for the results of its calls, of which there is at least one.
    case calls
    /// It ran out of tokens: the text breaks off, and calls that it had begun are dropped.
    case length
    /// It would rather not go on, or its service would rather it did not.
    case refusal
    /// A reason that this program does not know.
    case other
  }

  public var reason: Reason
  /// As the service counts them; nil if it does not say.
  public var inputTokens: Int?
  public var outputTokens: Int?

  public init(_ reason: Reason, inputTokens: Int? = nil, outputTokens: Int? = nil) {
    self.reason = reason
    self.inputTokens = inputTokens
    self.outputTokens = outputTokens
  }
}

/// How much of an answer is taken. Beyond a limit the answer ends with `.tooLarge`; nothing is cut quietly.
public struct AnswerLimits: Sendable, Equatable {
  /// UTF-8 bytes of the text: what one message holds.
  public var textBytes: Int
  /// Calls of one answer: far more than a turn would run.
  public var calls: Int
  /// UTF-8 bytes of one call's arguments: what one message keeps as an object.
  public var argumentBytes: Int
  /// UTF-8 bytes of a call's id or name.
  public var nameBytes: Int
  /// Bytes of one event on the wire: a whole text in one piece, every character of it escaped.
  public var eventBytes: Int
  /// Events on the wire: one for each byte of a text, and some.
  public var events: Int
  /// Bytes on the wire: a text in events of some tokens each, and thoughts that nobody is shown.
  public var streamBytes: Int

  public init(
    textBytes: Int = Limits.contentBytes, calls: Int = 32, argumentBytes: Int = Limits.objectBytes,
    nameBytes: Int = 256, eventBytes: Int = 2_097_152, events: Int = 300_000, streamBytes: Int = 67_108_864
  ) {
    self.textBytes = textBytes
    self.calls = calls
    self.argumentBytes = argumentBytes
    self.nameBytes = nameBytes
    self.eventBytes = eventBytes
    self.events = events
    self.streamBytes = streamBytes
  }
}
