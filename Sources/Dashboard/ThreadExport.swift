public import ConversationModel
import TerminalCanvas

/// A conversation that somebody at the screens wants as a file.
public struct ThreadExport: Hashable, Sendable {
  /// What the file is; the raw value is how its name ends.
  public enum Format: String, CaseIterable, Sendable {
    case markdown = "md"
    case pdf
    case json

    /// What it holds, for the one who chooses.
    var help: String {
      switch self {
      case .markdown: "Markdown: the branch on the screen, to be read and pasted"
      case .pdf: "PDF: the branch on the screen, to be printed and kept"
      case .json: "JSON: the whole tree, which parley import takes in again"
      }
    }
  }

  public let conversation: ConversationID
  /// The branch on the screen.
  public let branch: BranchNumber
  public let format: Format
  /// As it was typed.
  public let file: String
}

/// Writes the file, whole or not at all, and never in another's place; ends early when its task is cancelled.
///
/// - Returns: Its bytes.
public typealias ThreadExporter = @Sendable (ThreadExport) async throws(ConversationError) -> Int

/// The line where the name of the file is typed; its end chooses the format.
struct ExportPrompt: Equatable {
  let conversation: ConversationID
  let branch: BranchNumber
  var input: LineInput
  var failure: Failure?

  init(of conversation: ConversationID, branch: BranchNumber) {
    self.conversation = conversation
    self.branch = branch
    input = LineInput("conversation-\(conversation).\(ThreadExport.Format.markdown.rawValue)")
  }

  /// Nil for a name that ends in none.
  var format: ThreadExport.Format? {
    ThreadExport.Format.allCases.first { input.text.lowercased().hasSuffix(".\($0.rawValue)") }
  }

  /// Nil for a name that cannot be one.
  var export: ThreadExport? {
    format.map { ThreadExport(conversation: conversation, branch: branch, format: $0, file: input.text) }
  }

  /// The same name with the end of the next format.
  mutating func changeFormat() {
    let formats = ThreadExport.Format.allCases
    var name = input.text
    var next = formats[0]
    if let format, let index = formats.firstIndex(of: format) {
      name.removeLast(format.rawValue.count + 1)
      next = formats[(index + 1) % formats.count]
    }
    input = LineInput("\(name).\(next.rawValue)")
    failure = nil
  }
}

extension DashboardModel {
  mutating func openExport() {
    guard let thread, let conversation = thread.conversation else {
      say("No thread is there yet.")
      return
    }
    overlay = .export(ExportPrompt(of: thread.id, branch: thread.branch ?? conversation.activeBranch))
  }

  /// Has the file written. The line stays until it is there, with what went wrong.
  mutating func export(_ prompt: ExportPrompt) -> [DashboardEffect] {
    var prompt = prompt
    defer { overlay = .export(prompt) }
    guard !isPending(.export) else { return [] }
    guard let export = prompt.export else {
      prompt.failure = Failure(
        code: ConversationError.Code.invalid.rawValue,
        "The name must end in .md, .pdf or .json; Tab goes from one to the next.")
      return []
    }
    prompt.failure = nil
    return [ask(.export(export), .export)]
  }

  mutating func takeExported(_ export: ThreadExport, bytes: Int) {
    if case .export = overlay { overlay = nil }
    say("\(Figures.bytes(bytes)) are in \(export.file)")
  }

  mutating func failExport(_ failure: Failure) {
    guard case .export(var prompt) = overlay else {
      say(failure.message)
      return
    }
    prompt.failure = failure
    overlay = .export(prompt)
  }
}
