import ConversationModel
import Wire

/// Reads Parley's own lines (`ArchiveRecord`), several files joined too. After a faulty record the rest of its
/// conversation is passed over.
struct ParleyLinesReader: ArchiveReader {
  private var cursor: ByteCursor
  private var queue = PieceQueue()
  private var line = 0
  private var conversation: (value: Conversation, branches: [ArchivedBranch], place: String)?
  private var batch = MessageBatch()
  private var isPassingOver = true
  private var isAtEnd = false

  init(_ file: ImportFile) { cursor = ByteCursor(file) }

  mutating func next() throws(ConversationError) -> ArchivePiece? {
    while true {
      if let piece = queue.pop() { return piece }
      if isAtEnd { return nil }
      try readLine()
    }
  }

  private mutating func readLine() throws(ConversationError) {
    line += 1
    let start = cursor.offset
    var end = false
    while true {
      guard let byte = try cursor.next() else {
        end = true
        break
      }
      if byte == 0x0A { break }
    }
    let length = cursor.offset - start - (end ? 0 : 1)
    defer { if end { isAtEnd = true } }
    if length > Limits.recordBytes {
      fail("The record is longer than \(Limits.recordBytes) bytes.")
    } else {
      let bytes = try cursor.file.read(at: start, count: length)
      if !bytes.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) {
        do throws(ConversationError) { take(try ArchiveRecord(line: bytes)) } catch { fail(error.message) }
      }
    }
    if end { flush() }
  }

  private mutating func take(_ record: ArchiveRecord) {
    switch record {
    case .header: break
    case .conversation(let value):
      flush()
      conversation = (value, [], "line \(line)")
      isPassingOver = false
    case .branch(let branch):
      guard !isPassingOver else { return }
      guard conversation != nil else { return fail("A branch comes after messages or before its conversation.") }
      conversation?.branches.append(branch)
    case .message(let message):
      guard !isPassingOver else { return }
      begin()
      guard !isPassingOver else { return }
      do throws(ConversationError) { try message.validate() } catch { return fail(error.message) }
      if let full = batch.add(message) { queue.push(.messages(full)) }
    }
  }

  /// Hands the conversation on once all its branches came.
  private mutating func begin() {
    guard let found = conversation else { return }
    conversation = nil
    let archive = ArchivedConversation(found.value, branches: found.branches)
    do throws(ConversationError) {
      try archive.validate()
      queue.push(.conversation(archive, where: found.place))
    } catch {
      queue.skip(found.place, error.message + " The rest of the conversation is left out.")
      isPassingOver = true
    }
  }

  private mutating func pushBatch() {
    if let rest = batch.take() { queue.push(.messages(rest)) }
  }

  private mutating func flush() {
    begin()
    pushBatch()
  }

  /// Passes the rest of the conversation over. What came of it before is handed on: the fault may be that of the next one's
  /// record, and whoever takes it in sees whether messages are missing.
  private mutating func fail(_ why: String) {
    pushBatch()
    queue.skip("line \(line)", why + (isPassingOver ? "" : " The rest of its conversation is left out."))
    conversation = nil
    isPassingOver = true
  }
}
