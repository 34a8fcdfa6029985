public import StrictJSON

/// A model without a service that says what somebody wrote down for it before: the one of `parley demo`.
///
/// It speaks in pieces of about a token, by the clock. The pieces are the text, byte for byte.
public struct ScriptModel: LanguageModel {
  /// What it says to a question.
  public struct Reply: Sendable {
    public var text: String
    /// A tool that it calls first; it says `text` once the result is there.
    public var call: Call?
    /// Milliseconds from one piece to the next; the first comes at once.
    public var delay: Int

    public init(_ text: String, call: Call? = nil, delay: Int = 20) {
      self.text = text
      self.call = call
      self.delay = delay
    }
  }

  public struct Call: Sendable {
    public var name: String
    public var arguments: JSONObject
    /// What it says before: `Let me look that up.`
    public var announcement: String

    public init(_ name: String, _ arguments: JSONObject, announcement: String) {
      self.name = name
      self.arguments = arguments
      self.announcement = announcement
    }
  }

  public let name = "script"
  private let limits: AnswerLimits
  private let script: @Sendable (_ question: String) -> Reply

  /// - Parameter script: What it says to what the user said last; asked again for the same behind a tool's result.
  public init(limits: AnswerLimits = AnswerLimits(), script: @escaping @Sendable (_ question: String) -> Reply) {
    self.limits = limits
    self.script = script
  }

  public func withAnswer<Value>(
    to request: ModelRequest, _ body: (ModelAnswer) async throws -> Value
  ) async throws -> Value {
    let said = request.history.reversed().lazy.compactMap { if case .user(let text) = $0 { text } else { nil } }.first
    let reply = script(said ?? "")
    var call = reply.call
    if case .tool = request.history.last { call = nil }
    // Whoever allows no tools wants an answer.
    if request.tools.isEmpty { call = nil }
    return try await ModelAnswer.read(
      from: { [call, limits] slot throws(ModelError) in
        var writer = AnswerWriter(slot, limits)
        let pieces = Self.pieces(of: call?.announcement ?? reply.text)
        try await Self.say(pieces, delay: .milliseconds(max(0, reply.delay)), &writer)
        if let call {
          try await writer.write(.call(ToolCall(id: "script_1", name: call.name, arguments: call.arguments)))
        }
        try await writer.write(
          .finish(ModelFinish(call == nil ? .complete : .calls, inputTokens: 0, outputTokens: pieces.count)))
      }, body)
  }

  private static func say(
    _ pieces: [Substring], delay: Duration, _ writer: inout AnswerWriter
  ) async throws(ModelError) {
    // By the clock, not from piece to piece, or every answer would be late by what the pieces took.
    let start = ContinuousClock.now
    for (index, piece) in pieces.enumerated() {
      if index > 0, delay > .zero {
        do {
          try await Task.sleep(until: start + delay * index, clock: .continuous)
        } catch {
          throw ModelError(.cancelled)
        }
      }
      try await writer.write(.text(String(piece)))
    }
  }

  /// Columns of a piece: services make a token of about four letters, or of one or two ideographs.
  private static let pieceColumns = 6

  /// Up to where white space ends, or after some letters.
  static func pieces(of text: String) -> [Substring] {
    var pieces: [Substring] = []
    var (start, columns, hasSpace) = (text.startIndex, 0, false)
    for index in text.indices {
      let character = text[index]
      if hasSpace && !character.isWhitespace || columns >= pieceColumns && !character.isWhitespace {
        pieces.append(text[start..<index])
        (start, columns, hasSpace) = (index, 0, false)
      }
      hasSpace = character.isWhitespace
      columns += character.unicodeScalars.first.map { $0.value >= 0x2E80 ? 3 : 1 } ?? 0
    }
    if start < text.endIndex { pieces.append(text[start...]) }
    return pieces
  }
}
