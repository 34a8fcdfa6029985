public import ConversationModel

/// The reader of a file, found by what the file begins with if no format is named.
///
/// - Parameter owner: Whose the conversations become that name no user.
/// - Throws: `.invalid` for a file of no format that is taken; `.internal` if it cannot be read.
public func archiveReader(
  of file: ImportFile, format: ImportFormat?, owner: UserID?
) throws(ConversationError) -> any ArchiveReader {
  let head = try file.read(at: 0, count: 5)
  if let why = refusal(of: head) { throw ConversationError(.invalid, why) }
  var known = format
  if known == nil { known = try detected(file) }
  var walk = JSONWalk(file)
  guard let known, let first = try walk.peek() else {
    throw ConversationError(
      .invalid,
      "The file is of no known format: taken are Parley's own, as JSON or lines (JSONL), ChatGPT's conversations.json and the former tables, as JSON or as a plain dump of pg_dump, in UTF-8 without a byte order mark."
    )
  }
  switch known {
  case .parley:
    let parts = try ParleyDocumentReader.parts(of: file)
    return parts.map { ParleyDocumentReader(file, $0) } ?? ParleyLinesReader(file) as any ArchiveReader
  case .chatgpt:
    guard let owner else {
      throw ConversationError(
        .invalid, "A ChatGPT export does not say whose it is: name the user with user_id.", field: "user_id")
    }
    return ChatGPTReader(file, owner: owner)
  case .former:
    let isJSON = first == UInt8(ascii: "{")
    return FormerReader(isJSON ? FormerJSON(file) as any FormerRows : SQLDump(file), owner: owner)
  }
}

/// Why no reader can do anything with a file that begins like this.
private func refusal(of head: [UInt8]) -> String? {
  if head.starts(with: [0x50, 0x4B]) || head.starts(with: [0x1F, 0x8B]) {
    return "The file is packed: unpack it first and import conversations.json."
  }
  if head.starts(with: "PGDMP".utf8) {
    return "The dump is in pg_dump's own format: make a plain one, with --format=plain."
  }
  if head.starts(with: [0xEF, 0xBB, 0xBF]) || head.starts(with: [0xFE, 0xFF]) || head.starts(with: [0xFF, 0xFE])
    || head.prefix(2).contains(0)
  {
    return "The file is in UTF-16 or begins with a byte order mark: save it in UTF-8 without one."
  }
  return nil
}

private func detected(_ file: ImportFile) throws(ConversationError) -> ImportFormat? {
  var walk = JSONWalk(file)
  let first = try walk.peek()
  if first == UInt8(ascii: "[") { return .chatgpt }
  guard first == UInt8(ascii: "{") else { return try isSQL(file) ? .former : nil }
  walk.cursor.advance()
  switch try walk.nextKey(isFirst: true) {
  case "format", "conversation", "branch", "message", "branches", "messages", "format_version": return .parley
  case "pam_conversations", "pam_messages": return .former
  case nil: return nil
  default: return .chatgpt
  }
}

/// Whether a file begins with a statement of SQL, behind comments, or with a command of psql's.
private func isSQL(_ file: ImportFile) throws(ConversationError) -> Bool {
  var lexer = SQLLexer(ByteCursor(file))
  do throws(ConversationError) {
    switch try lexer.next() {
    case .mark("\\"): return true
    case .word(let word):
      return ["set", "select", "create", "insert", "copy", "begin", "alter", "drop", "comment"].contains(word)
    default: return false
    }
  } catch {
    guard error.code == .invalid else { throw error }
    return false
  }
}
