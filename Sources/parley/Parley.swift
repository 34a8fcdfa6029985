import ArgumentParser
import Glibc

/// The executable: reads settings and wires the rooms together. It alone knows every room, the
/// environment and the configuration file.
@main
struct Parley: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parley",
    abstract: "A self-hosted conversation server for AI assistants.",
    version: "parley \(version)",
    subcommands: [Serve.self, Token.self, Migrate.self, Check.self, Config.self])

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
    } catch let failure as CommandFailure {
      printToStandardError("parley: \(failure.message)")
      Glibc.exit(failure.code.rawValue)
    } catch {
      exit(withError: error)
    }
  }
}

/// Why a command ended, in a sentence for the person at the terminal, and with what exit code.
struct CommandFailure: Error {
  /// After sysexits(3), which scripts know.
  enum Code: Int32 {
    case finding = 1
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
}

func printToStandardError(_ line: String) {
  writeAll(line + "\n", to: STDERR_FILENO)
}

/// One `write` a line, so that lines of several threads do not mix.
func writeAll(_ text: String, to descriptor: Int32) {
  var text = text
  text.withUTF8 { bytes in
    var offset = 0
    while offset < bytes.count, let start = bytes.baseAddress {
      let written = write(descriptor, start + offset, bytes.count - offset)
      guard written > 0 else { return }
      offset += written
    }
  }
}
