import ArgumentParser
import ConversationModel
import Glibc
import StoreSQL

/// The executable: reads settings and wires the rooms together. It alone knows every room, the
/// environment and the configuration file.
@main
struct Parley: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parley",
    abstract: "A self-hosted conversation server for AI assistants.",
    version: "parley \(version)",
    subcommands: [
      Demo.self, Serve.self, DashboardCommand.self, ChatCommand.self, Token.self, Export.self, Import.self,
      Migrate.self, Check.self, Config.self,
    ])

  static let version = "0.1.0"

  static func main() async {
    // Whatever the caller's mask: nothing that Parley writes is for others to read.
    umask(0o077)
    do {
      var command = try parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
      // A token that nobody could read was not given out.
      guard fflush(nil) == 0 else {
        throw CommandFailure(.inputOutput, "Cannot write to standard output: \(String(cString: strerror(errno))).")
      }
    } catch {
      guard let failure = CommandFailure(error) else { exit(withError: error) }
      printToStandardError("parley: \(failure.message)")
      Glibc.exit(failure.code.rawValue)
    }
  }
}

/// Why a command ended, in a sentence for the person at the terminal, and with what exit code.
struct CommandFailure: Error {
  /// After sysexits(3), which scripts know.
  enum Code: Int32 {
    case finding = 1
    case usage = 64
    case badData = 65
    case unavailable = 69
    case cannotCreate = 73
    case inputOutput = 74
    /// The owner of the data directory is running.
    case tryAgain = 75
    case configuration = 78
  }

  let code: Code
  let message: String

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// What the store or its driver threw, with the cause, because here the operator is the one who reads
  /// it; nil for errors of other kinds.
  init?(_ error: any Error) {
    switch error {
    case let failure as CommandFailure:
      self = failure
    case let error as ConversationError:
      let cause = error.underlying.flatMap { CommandFailure($0)?.message }
      let code: Code =
        switch error.code {
        case .conflict, .invalid, .tooLarge, .notFound, .gone: .badData
        case .unauthenticated, .forbidden: .configuration
        case .unavailable: error.underlying.flatMap { CommandFailure($0)?.code } ?? .unavailable
        default: .inputOutput
        }
      self.init(code, error.message + (cause.map { " (\($0))" } ?? ""))
    case SQLFailure.unavailable(let reason, let detail): self.init(.inputOutput, "\(reason) \(detail)")
    case SQLFailure.malformed(let detail): self.init(.badData, "The database is damaged: \(detail)")
    case SQLFailure.damaged(let column): self.init(.badData, "A row is damaged in column \(column).")
    case SQLFailure.statement(let detail): self.init(.inputOutput, detail)
    default: return nil
    }
  }
}

func printToStandardError(_ line: String) {
  writeAll(line + "\n", to: STDERR_FILENO)
}

/// Writes a text, a line of it with one `write`, so that lines of several threads do not mix.
///
/// - Returns: Whether all of it was taken; `errno` says why not.
@discardableResult
func writeAll(_ text: String, to descriptor: Int32) -> Bool {
  var text = text
  return text.withUTF8 { bytes in
    var offset = 0
    while offset < bytes.count, let start = bytes.baseAddress {
      let written = write(descriptor, start + offset, bytes.count - offset)
      guard written > 0 else { return false }
      offset += written
    }
    return true
  }
}
