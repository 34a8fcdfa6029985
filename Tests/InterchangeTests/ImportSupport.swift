import ConversationModel
import Glibc
import Interchange
import Testing

/// What a reader finds in a file.
struct ImportedPieces {
  var conversations: [ArchivedConversation] = []
  /// By conversation, in their order.
  var messages: [[ArchivedMessage]] = []
  var skipped: [SkippedPiece] = []
  var batches: [Int] = []

  /// - Parameter owner: Whose the conversations become that name no user.
  init(of bytes: [UInt8], _ format: ImportFormat? = nil, owner: UserID? = somebody) throws {
    var reader = try archiveReader(of: importFile(bytes), format: format, owner: owner)
    while let piece = try reader.next() {
      switch piece {
      case .conversation(let conversation, _):
        conversations.append(conversation)
        messages.append([])
      case .messages(let batch):
        batches.append(batch.count)
        try #require(!messages.isEmpty)
        messages[messages.count - 1] += batch
      case .skipped(let piece): skipped.append(piece)
      }
    }
  }

  init(of text: String, _ format: ImportFormat? = nil, owner: UserID? = somebody) throws {
    try self.init(of: Array(text.utf8), format, owner: owner)
  }

  var contents: [[String]] { messages.map { $0.map(\.message.content) } }

  /// Whether a store would take every piece.
  func validate() throws {
    for conversation in conversations { try conversation.validate() }
    for message in messages.joined() { try message.validate() }
  }
}

/// A file that vanishes when nobody reads it any more.
func importFile(_ bytes: [UInt8]) throws -> ImportFile {
  var template = Array("/tmp/parley-import-XXXXXX".utf8CString)
  let descriptor = mkstemp(&template)
  unlink(template)
  var written = 0
  while written < bytes.count {
    let count = bytes[written...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    try #require(count > 0)
    written += count
  }
  return try ImportFile(descriptor: descriptor)
}

/// Whoever imports.
let somebody = UserID(high: 0x0190_0000_0000_7000, low: 1 << 63 | 7)

/// The bytes of a file in `Fixtures`.
func fixture(_ name: String) throws -> [UInt8] {
  let folder = #filePath.prefix(upTo: #filePath.lastIndex(of: "/") ?? #filePath.endIndex)
  let file = try #require(fopen("\(folder)/Fixtures/\(name)", "r"))
  defer { fclose(file) }
  var bytes = [UInt8](repeating: 0, count: 1_048_576)
  let count = fread(&bytes, 1, bytes.count, file)
  return Array(bytes.prefix(count))
}

/// SplitMix64: the same numbers at every run.
struct SeededNumbers: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
