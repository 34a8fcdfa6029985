import ArgumentParser
import ConversationModel
import Glibc
import StoreRemote

/// Writes conversations of a running server into a file.
struct Export: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a conversation, or all of a user's or of everybody's, as a file.",
    discussion: """
      One conversation is written as JSON (the whole tree, which `parley import` takes in again), Markdown or PDF; all of a
      user's as a record a line. With the token of a user only that user's can be had.
      """)

  @OptionGroup var flags: ServerFlags

  @Argument(help: "The id of a conversation.")
  var conversation: String?

  @Option(help: ArgumentHelp("All conversations of a user instead.", valueName: "uuid"))
  var user: String?

  @Flag(help: "All conversations that the token may read instead.")
  var all = false

  @Option(help: "json, markdown or pdf.")
  var format: String?

  @Option(help: ArgumentHelp("The number of a branch, or all.", valueName: "n|all"))
  var branch: String?

  @Option(name: .shortAndLong, help: ArgumentHelp("The file. Default: standard output.", valueName: "file"))
  var output: String?

  func validate() throws {
    guard [conversation != nil, user != nil, all].count(where: \.self) == 1 else {
      throw ValidationError("Name the id of a conversation, or --user, or --all.")
    }
    if let conversation, ConversationID(conversation) == nil {
      throw ValidationError("The id of a conversation is a UUID.")
    }
    if let user, UserID(user) == nil { throw ValidationError("--user must be a UUID.") }
    guard conversation != nil || format == nil && branch == nil else {
      throw ValidationError("--format and --branch go with one conversation.")
    }
    if format == "pdf", output == nil, isatty(STDOUT_FILENO) == 1 {
      throw ValidationError("A PDF is nothing for a terminal: name a file with --output.")
    }
  }

  func run() async throws {
    let remote = try await flags.remote(named: "parley export", answerSeconds: 60).store
    let exported: RemoteStore.Exported =
      if let id = conversation.flatMap({ ConversationID($0) }) {
        .conversation(id, format: format, branch: branch)
      } else {
        .user(user.flatMap { UserID($0) })
      }
    let file = try OutputFile(output)
    do {
      try await remote.export(exported, as: .service) { try file.write($0) }
      try file.close()
    } catch {
      file.remove()
      throw error
    }
  }
}

/// Takes a file into a running server.
struct Import: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Takes a file of conversations into a running server.",
    discussion: """
      A file of `parley export`, a ChatGPT export's conversations.json, or the former system's tables, as JSON or as `pg_dump \
      --inserts` writes them. What is there already is left as it is, so an import can be repeated. Ends with 1 if something \
      was not taken.
      """)

  @OptionGroup var flags: ServerFlags

  @Argument(help: "The file; - for standard input.")
  var file: String

  @Option(
    help: ArgumentHelp(
      "Whose everything becomes. Default: whoever the file says, or the user of the token.", valueName: "uuid"))
  var user: String?

  @Option(help: "parley, chatgpt or former. Default: found out.")
  var format: String?

  func validate() throws {
    if let user, UserID(user) == nil { throw ValidationError("--user must be a UUID.") }
  }

  func run() async throws {
    let descriptor = try opened()
    defer { close(descriptor) }
    // The whole file is taken in before the answer comes.
    let remote = try await flags.remote(named: "parley import", answerSeconds: 3_600).store
    let report = try await remote.importFile(
      descriptor, format: format, of: user.flatMap { UserID($0) }, as: .service)
    print("imported \(report.conversations) conversations, \(report.messages) messages")
    if report.presentCount > 0 { print("\(report.presentCount) conversations were here already") }
    for piece in report.skipped where !piece.isPresent {
      // Places may hold ids of the file's own making.
      printToStandardError("not taken: \(shownLine(piece.place)): \(shownLine(piece.why))")
    }
    let missing = report.skippedCount - report.presentCount
    let unnamed = missing - report.skipped.count { !$0.isPresent }
    if unnamed > 0 { printToStandardError("not taken: \(unnamed) more") }
    guard missing == 0 else { throw CommandFailure(.finding, "\(missing) things were not taken.") }
  }

  /// The file to read. What is none – standard input, a pipe – is kept in one without a name: how long it is must be known.
  private func opened() throws -> Int32 {
    let source = file == "-" ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC)
    guard source >= 0 else { throw cannotRead() }
    var facts = stat()
    guard fstat(source, &facts) == 0 else { throw cannotRead() }
    if file != "-", facts.st_mode & S_IFMT == S_IFREG { return source }
    defer { close(source) }
    let directory = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var path = Array("\(directory)/.parley-XXXXXX".utf8CString)
    let kept = mkstemp(&path)
    guard kept >= 0, unlink(path) == 0 else {
      throw CommandFailure(.cannotCreate, "Cannot keep the input in \(directory): \(String(cString: strerror(errno))).")
    }
    do {
      try copy(source, to: kept)
    } catch {
      close(kept)
      throw error
    }
    return kept
  }

  /// As much as an import takes, and a byte more, which tells that it is too much.
  private func copy(_ source: Int32, to kept: Int32) throws {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    var size = 0
    while size <= Limits.importBytes {
      let count = read(source, &bytes, bytes.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw cannotRead() }
      guard count > 0 else { return }
      size += count
      var rest = bytes[..<count]
      while !rest.isEmpty {
        let written = rest.withUnsafeBytes { write(kept, $0.baseAddress, $0.count) }
        if written < 0, errno == EINTR { continue }
        guard written > 0 else {
          throw CommandFailure(.inputOutput, "Cannot keep the input: \(String(cString: strerror(errno))).")
        }
        rest = rest.dropFirst(written)
      }
    }
  }

  private func cannotRead() -> CommandFailure {
    CommandFailure(.inputOutput, "Cannot read \(file): \(String(cString: strerror(errno))).")
  }

  private func shownLine(_ text: String) -> String {
    String(text.unicodeScalars.map { (0x20...0x7E).contains($0.value) ? Character($0) : "?" })
  }
}
