public import ConversationModel

/// What a reader finds, in order: a conversation, its messages by branch and position, the next conversation.
public enum ArchivePiece: Sendable {
  /// - Parameter at: Where it stands in the file, for a person.
  case conversation(ArchivedConversation, where: String)
  /// Of the last conversation; at most 100 or, but for one message, 1 MiB of text.
  case messages([ArchivedMessage])
  case skipped(SkippedPiece)
}

/// Reads a file of some format, piece by piece.
public protocol ArchiveReader {
  /// - Returns: Nil at the end.
  /// - Throws: `.internal` if the file cannot be read. What is wrong in the file comes as a skipped piece.
  mutating func next() throws(ConversationError) -> ArchivePiece?
}

/// Whose export a file is.
public enum ImportFormat: String, Sendable, CaseIterable {
  case parley, chatgpt, former
}

/// The pieces that one step of a reader finds, handed out one at a time.
struct PieceQueue {
  private var pieces: [ArchivePiece] = []
  private var index = 0

  mutating func pop() -> ArchivePiece? {
    guard index < pieces.count else {
      pieces.removeAll(keepingCapacity: false)
      index = 0
      return nil
    }
    defer { index += 1 }
    return pieces[index]
  }

  mutating func push(_ piece: ArchivePiece) { pieces.append(piece) }

  mutating func skip(_ place: String, _ why: String) {
    push(.skipped(SkippedPiece(place: place, why: why)))
  }

  /// Hands messages on in batches.
  mutating func push(_ messages: [ArchivedMessage]) {
    var batch = MessageBatch()
    for message in messages {
      if let full = batch.add(message) { push(.messages(full)) }
    }
    if let rest = batch.take() { push(.messages(rest)) }
  }
}

/// Gathers messages until there are as many as a transaction can hold.
struct MessageBatch {
  private var messages: [ArchivedMessage] = []
  private var bytes = 0

  /// - Returns: The messages before this one if it does not fit beside them.
  mutating func add(_ message: ArchivedMessage) -> [ArchivedMessage]? {
    let size = message.importedBytes
    let isFull = messages.count == 100 || bytes + size > Limits.archivedBytes
    let full = isFull ? take() : nil
    messages.append(message)
    bytes += size
    return full
  }

  /// - Returns: What has gathered; nil for nothing.
  mutating func take() -> [ArchivedMessage]? {
    defer { (messages, bytes) = ([], 0) }
    return messages.isEmpty ? nil : messages
  }
}

extension ArchivedMessage {
  /// Bytes of its texts.
  var importedBytes: Int {
    revisions.reduce(message.content.utf8.count + message.metadata.text.utf8.count + message.entities.text.utf8.count) {
      $0 + $1.content.utf8.count
    }
  }
}
