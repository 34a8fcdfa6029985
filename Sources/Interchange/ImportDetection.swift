public import ConversationModel

/// The reader of a file, found by what the file begins with if no format is named.
///
/// - Parameter owner: Whose the conversations become that name no user.
/// - Throws: `.invalid` for a file of no format that is taken; `.internal` if it cannot be read.
public func archiveReader(
  of file: ImportFile, format: ImportFormat?, owner: UserID?
) throws(ConversationError) -> any ArchiveReader {
  let head = try file.read(at: 0, count: 4)
  if head.starts(with: [0x50, 0x4B]) || head.starts(with: [0x1F, 0x8B]) {
    throw ConversationError(.invalid, "The file is packed: unpack it first and import conversations.json.")
  }
  var known = format
  if known == nil { known = try detected(file) }
  guard let known else {
    throw ConversationError(
      .invalid,
      "The file is of no known format: taken are Parley's lines (JSONL), ChatGPT's conversations.json and the former tables as JSON, in UTF-8 without a byte order mark."
    )
  }
  switch known {
  case .parley:
    let isDocument = (try? ParleyDocumentReader.parts(of: file))?.isEmpty == false
    return isDocument ? ParleyDocumentReader(file) as any ArchiveReader : ParleyLinesReader(file)
  case .chatgpt: return ChatGPTReader(file, owner: owner)
  case .former: return FormerReader(file, owner: owner)
  }
}

private func detected(_ file: ImportFile) throws(ConversationError) -> ImportFormat? {
  var walk = JSONWalk(file)
  if try walk.peek() == UInt8(ascii: "[") { return .chatgpt }
  guard try walk.peek() == UInt8(ascii: "{") else { return nil }
  walk.cursor.advance()
  switch try walk.nextKey(isFirst: true) {
  case "format", "conversation", "branch", "message", "branches", "messages", "format_version": return .parley
  case "pam_conversations", "pam_messages": return .former
  case nil: return nil
  default: return .chatgpt
  }
}
