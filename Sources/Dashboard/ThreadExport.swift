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

/// A file that is being written.
struct RunningExport: Equatable {
  let export: ThreadExport
  /// Whether somebody who quits was told.
  var isWarned = false
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
    input = LineInput("conversation-\(conversation).\(ThreadExport.Format.markdown.rawValue)", longest: Bounds.path)
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
    input = LineInput("\(name).\(next.rawValue)", longest: Bounds.path)
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
    if let running = exporting?.export {
      if running != prompt.export {
        prompt.failure = Failure(code: "conflict", "\(running.file) is still being written.")
      }
      return []
    }
    guard let export = prompt.export else {
      prompt.failure = Failure(
        code: "invalid", "The name must end in .md, .pdf or .json; Tab goes from one to the next.")
      return []
    }
    prompt.failure = nil
    exporting = RunningExport(export: export)
    return [ask(.export(export), .export)]
  }

  mutating func takeExported(_ export: ThreadExport, bytes: Int) {
    exporting = nil
    // It may be the line of another file by now.
    if case .export(let prompt) = overlay, prompt.export == export { overlay = nil }
    say("\(Figures.bytes(bytes)) are in \(export.file)")
  }

  mutating func failExport(_ failure: Failure) {
    guard let export = exporting?.export else { return }
    exporting = nil
    guard case .export(var prompt) = overlay, prompt.export == export else {
      say("\(export.file) was not written: \(failure.message)")
      return
    }
    prompt.failure = failure
    overlay = .export(prompt)
  }

  /// Nobody loses a file that is being written without having been told.
  mutating func quitWarnedOfExport() -> [DashboardEffect]? {
    guard let running = exporting, !running.isWarned else { return nil }
    exporting?.isWarned = true
    say("\(running.export.file) is still being written: once more quits, and nothing is left of it.")
    return []
  }
}
