/// What an assistant is asked for: one turn, a question and its answer.
public enum TurnRequest: Hashable, Sendable {
  /// A question behind `parent`, or at the end of a branch; the active one if none is named. Its client id makes the
  /// turn repeatable: the answer is found, and not written twice.
  case ask(NewMessage, parent: MessageID?, branch: BranchNumber?)
  /// Another text for a question: a branch, which becomes the active one.
  case edit(MessageID, NewMessage)
  /// Another answer: a branch, which becomes the active one.
  case regenerate(MessageID, clientID: String?)
}

/// A tool that was run for an answer.
public struct ToolUse: Hashable, Sendable {
  public var name: String
  /// An object; nil if what the model wrote is none.
  public var arguments: JSONText?
  public var result: String
  public var isError: Bool

  public init(name: String, arguments: JSONText?, result: String, isError: Bool) {
    self.name = name
    self.arguments = arguments
    self.result = result
    self.isError = isError
  }
}
