public import StrictJSON

/// A model without a service: it says what it was told, a word at a time, and does what a test or a
/// demonstration wants of it.
///
/// To a text it answers `You said: TEXT`, to the results of tools `The tool said: RESULT` (several with line
/// feeds between them). The pieces of an answer are its words, each with the white space behind it: together
/// they are the answer, byte for byte. A text may also be a command:
///
/// | The user says | The model |
/// |---|---|
/// | `/tool NAME {JSON}` | calls a tool, without arguments if there is no JSON |
/// | `/fail` | is overloaded |
/// | `/fail N TEXT` | answers, and breaks off behind the first N words of the answer |
/// | `/slow TEXT` | answers ten times slower |
/// | `/slow N TEXT` | answers with N milliseconds between words, at most ``longestDelay`` |
public struct EchoModel: LanguageModel {
  public struct Options: Sendable, Equatable {
    /// Milliseconds from one word to the next; the first comes at once.
    public var delay: Int
    /// Whether texts can be commands.
    public var takesCommands: Bool
    /// What to do with every text that is no command.
    public var habit: Habit

    public init(delay: Int = 20, takesCommands: Bool = true, habit: Habit = .answer) {
      self.delay = delay
      self.takesCommands = takesCommands
      self.habit = habit
    }
  }

  /// What the model does with a user's text.
  public enum Habit: Sendable, Equatable {
    case answer
    /// Calls a tool; what came of it is answered then.
    case call(name: String, arguments: JSONObject?)
    /// Fails behind so many words of the answer; with 0 before anything came.
    case fail(afterWords: Int)
    /// Answers with so many milliseconds between words.
    case slow(delay: Int)
  }

  /// Milliseconds: a minute for a word.
  public static let longestDelay = 60_000

  private let options: Options
  private let limits: AnswerLimits

  public init(_ options: Options = Options(), limits: AnswerLimits = AnswerLimits()) {
    self.options = options
    self.limits = limits
  }

  public var name: String { "echo" }

  public func withAnswer<Value>(
    to request: ModelRequest, _ body: (ModelAnswer) async throws -> Value
  ) async throws -> Value {
    let (habit, answer) = plan(request.history)
    return try await ModelAnswer.read(
      from: { [self] slot throws(ModelError) in
        var writer = AnswerWriter(slot, limits)
        try await perform(habit, answer, &writer)
      }, body)
  }

  private func perform(_ habit: Habit, _ answer: String, _ writer: inout AnswerWriter) async throws(ModelError) {
    switch habit {
    case .answer:
      try await say(answer, delay: options.delay, &writer)
    case .slow(let delay):
      try await say(answer, delay: delay, &writer)
    case .call(let name, let arguments):
      try await writer.write(.call(ToolCall(id: "echo_1", name: name, arguments: arguments)))
      try await writer.write(.finish(ModelFinish(.calls, inputTokens: 0, outputTokens: 0)))
    case .fail(let words):
      guard words > 0 else { throw ModelError(.overloaded, detail: "the echo was told to fail") }
      try await say(answer, delay: options.delay, until: words, &writer)
      throw ModelError(.cutOff, detail: "the echo was told to fail")
    }
  }

  /// - Parameter last: How many words to say; nil for all of them, and the finish.
  private func say(
    _ answer: String, delay: Int, until last: Int? = nil, _ writer: inout AnswerWriter
  ) async throws(ModelError) {
    let delay = Duration.milliseconds(min(max(0, delay), Self.longestDelay))
    var rest = answer[...]
    var (words, bytes) = (0, 0)
    // By the clock, not from word to word, or every answer would be late by what the words took.
    let start = ContinuousClock.now
    while words < last ?? .max, !rest.isEmpty {
      if words > 0, delay > .zero {
        do {
          try await Task.sleep(until: start + delay * words, clock: .continuous)
        } catch {
          throw ModelError(.cancelled)
        }
      }
      let word = Self.firstWord(of: rest)
      bytes += word.utf8.count
      guard bytes <= limits.textBytes else { break }
      rest = rest[word.endIndex...]
      words += 1
      try await writer.write(.text(String(word)))
    }
    guard last == nil else { return }
    let reason: ModelFinish.Reason = rest.isEmpty ? .complete : .length
    try await writer.write(.finish(ModelFinish(reason, inputTokens: words, outputTokens: words)))
  }

  /// Up to where white space ends, or after 200 scalars: nobody's word, and no piece to wait for.
  private static func firstWord(of text: Substring) -> Substring {
    let scalars = text.unicodeScalars
    var end = scalars.startIndex
    var hasEnded = false
    for _ in 0..<200 {
      guard end < scalars.endIndex else { break }
      let isSpace = scalars[end].properties.isWhitespace
      if hasEnded, !isSpace { break }
      hasEnded = isSpace
      end = scalars.index(after: end)
    }
    return text[..<end]
  }

  // MARK: What was said

  /// What to do, and the text that belongs to it.
  private func plan(_ history: [ModelMessage]) -> (Habit, answer: String) {
    let results = history.reversed().prefix { if case .tool = $0 { true } else { false } }.reversed()
    guard results.isEmpty else {
      let texts = results.compactMap { if case .tool(let result) = $0 { result.text } else { nil } }
      return (.answer, "The tool said: \(texts.joined(separator: "\n"))")
    }
    let said = history.reversed().lazy.compactMap { if case .user(let text) = $0 { text } else { nil } }.first ?? ""
    let (habit, text) = options.takesCommands ? command(said) : (nil, said)
    return (habit ?? options.habit, "You said: \(text)")
  }

  /// - Returns: No habit if the text is no command.
  private func command(_ said: String) -> (Habit?, text: String) {
    let (verb, rest) = Self.split(said[...])
    switch verb {
    case "/tool":
      let (name, arguments) = Self.split(rest)
      guard !name.isEmpty else { return (nil, said) }
      let object = arguments.isEmpty ? JSONObject() : (try? JSONReader.read(String(arguments)))?.object
      return (.call(name: String(name), arguments: object), said)
    case "/fail":
      let (number, text) = Self.split(rest)
      guard let words = Int(number), words >= 0 else { return (.fail(afterWords: 0), String(rest)) }
      return (.fail(afterWords: words), String(text))
    case "/slow":
      let (number, text) = Self.split(rest)
      guard let delay = Int(number), delay >= 0 else {
        return (.slow(delay: min(options.delay, Self.longestDelay) * 10), String(rest))
      }
      return (.slow(delay: delay), String(text))
    default:
      return (nil, said)
    }
  }

  /// What stands before the first space, and what behind it.
  private static func split(_ text: Substring) -> (Substring, Substring) {
    let word = text.prefix { $0 != " " }
    return (word, text[word.endIndex...].drop { $0 == " " })
  }
}
