import ConversationModel
import Wire

/// Reads Parley's document of one conversation, its members in any order.
struct ParleyDocumentReader: ArchiveReader {
  /// Where the members stand that are read. A document may have any number of others.
  struct Parts {
    fileprivate var spans: [String: Range<Int>] = [:]
    /// What stands behind the document.
    fileprivate var rest: SkippedPiece?
    /// Why the document's end cannot be found.
    fileprivate var fault: ConversationError?
  }

  private static let members: Set = ["format", "conversation", "branches", "messages"]
  private let file: ImportFile
  private var parts: Parts
  private var messages: JSONWalk?
  private var batch = MessageBatch()
  private var count = 0
  private var isBegun = false

  init(_ file: ImportFile, _ parts: Parts) { (self.file, self.parts) = (file, parts) }

  /// - Returns: Nil if the first object is a line's record.
  static func parts(of file: ImportFile) throws(ConversationError) -> Parts? {
    var walk = JSONWalk(file)
    var parts = Parts()
    var keys: Set<String> = []
    var count = 0
    do throws(ConversationError) {
      try walk.take("{")
      while let key = try walk.nextKey(isFirst: count == 0) {
        count += 1
        let isRead = members.contains(key)
        if isRead { keys.insert(key) }
        let span = try walk.skip()
        if isRead { parts.spans[key] = span }
      }
      parts.rest = try walk.rest()
      return keys.isSuperset(of: ["format", "conversation"]) ? parts : nil
    } catch {
      guard error.code == .invalid else { throw error }
      parts.fault = error
    }
    // A record has one key, and the header that lines begin with has none of these.
    if count > 1, !keys.isDisjoint(with: ["conversation", "branches", "messages"]) { return parts }
    let isCut = try walk.peek() == nil
    return isCut && keys.contains("format") ? parts : nil
  }

  mutating func next() throws(ConversationError) -> ArchivePiece? {
    let isFirst = !isBegun
    isBegun = true
    if isFirst, let fault = parts.fault {
      let why = fault.message + " Its conversation is left out."
      return .skipped(SkippedPiece(place: "the file", why: why))
    }
    do throws(ConversationError) {
      if isFirst { return try conversation() }
      if let batch = try nextBatch() { return .messages(batch) }
      defer { parts.rest = nil }
      return parts.rest.map(ArchivePiece.skipped)
    } catch {
      guard error.code == .invalid || error.code == .tooLarge else { throw error }
      messages = nil
      _ = batch.take()
      let why = error.message + " The rest of the conversation is left out."
      return .skipped(SkippedPiece(place: count == 0 ? "conversation" : "message \(count)", why: why))
    }
  }

  private mutating func conversation() throws(ConversationError) -> ArchivePiece {
    guard let conversation = parts.spans["conversation"], let branches = parts.spans["branches"] else {
      throw ConversationError(.invalid, "The document lacks its conversation or its branches.")
    }
    var found: [ArchivedBranch] = []
    var walk = JSONWalk(file, at: branches.lowerBound)
    try walk.take("[")
    while try walk.nextElement(isFirst: found.isEmpty) { found.append(try ArchiveRecord.branch(bytes(walk.skip()))) }
    let value = try ArchiveRecord.conversation(bytes(conversation))
    if let span = parts.spans["messages"] {
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
