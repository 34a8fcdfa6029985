import ConversationModel
import Wire

/// Reads Parley's document of one conversation, its members in any order.
struct ParleyDocumentReader: ArchiveReader {
  private let file: ImportFile
  private let parts: [String: Range<Int>]
  private var messages: JSONWalk?
  private var batch = MessageBatch()
  private var count = 0
  private var isBegun = false

  /// - Parameter parts: Where the document's members stand.
  init(_ file: ImportFile, _ parts: [String: Range<Int>]) { (self.file, self.parts) = (file, parts) }

  /// Where the document's parts stand; empty if the first object is a line's record.
  static func parts(of file: ImportFile) throws(ConversationError) -> [String: Range<Int>] {
    var walk = JSONWalk(file)
    try walk.take("{")
    var parts: [String: Range<Int>] = [:]
    while let key = try walk.nextKey(isFirst: parts.isEmpty) { parts[key] = try walk.skip() }
    return parts["format"] != nil && parts["conversation"] != nil ? parts : [:]
  }

  mutating func next() throws(ConversationError) -> ArchivePiece? {
    let isFirst = !isBegun
    isBegun = true
    do throws(ConversationError) {
      return try isFirst ? conversation() : nextBatch().map(ArchivePiece.messages)
    } catch {
      guard error.code == .invalid || error.code == .tooLarge else { throw error }
      messages = nil
      _ = batch.take()
      let why = error.message + " The rest of the conversation is left out."
      return .skipped(SkippedPiece(place: count == 0 ? "conversation" : "message \(count)", why: why))
    }
  }

  private mutating func conversation() throws(ConversationError) -> ArchivePiece {
    guard let conversation = parts["conversation"], let branches = parts["branches"] else {
      throw ConversationError(.invalid, "The document lacks its conversation or its branches.")
    }
    var found: [ArchivedBranch] = []
    var walk = JSONWalk(file, at: branches.lowerBound)
    try walk.take("[")
    while try walk.nextElement(isFirst: found.isEmpty) { found.append(try ArchiveRecord.branch(bytes(walk.skip()))) }
    let value = try ArchiveRecord.conversation(bytes(conversation))
    if let span = parts["messages"] {
      var walk = JSONWalk(file, at: span.lowerBound)
      try walk.take("[")
      messages = walk
    }
    let archive = ArchivedConversation(value, branches: found)
    try archive.validate()
    return .conversation(archive, where: "conversation")
  }

  private mutating func nextBatch() throws(ConversationError) -> [ArchivedMessage]? {
    while try messages?.nextElement(isFirst: count == 0) == true, let span = try messages?.skip() {
      count += 1
      let message = try ArchiveRecord.message(bytes(span))
      try message.validate()
      if let full = batch.add(message) { return full }
    }
    messages = nil
    return batch.take()
  }

  private func bytes(_ span: Range<Int>) throws(ConversationError) -> [UInt8] {
    guard span.count <= Limits.recordBytes else {
      throw ConversationError(.invalid, "The record is longer than \(Limits.recordBytes) bytes.")
    }
    return try file.read(at: span.lowerBound, count: span.count)
  }
}
