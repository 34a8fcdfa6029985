import ConversationModel
import StrictJSON
import Wire

/// Bytes that wait to be sent: records, and what stands between them.
struct ArchiveOutput {
  private var bytes: [UInt8] = []
  /// Bytes after which what has gathered is sent.
  private static let pieceBytes = 65_536

  mutating func text(_ text: String) { bytes += text.utf8 }

  mutating func record(_ write: (inout JSONWriter) -> Void) {
    var writer = JSONWriter(reserving: 512)
    write(&writer)
    bytes += writer.takeBytes()
  }

  mutating func header() {
    record { $0.archiveHeader() }
    text("\n")
  }

  /// Sends what has gathered, if it is worth it.
  mutating func flushIfFull(to sink: ExportSink) async throws {
    if bytes.count >= Self.pieceBytes { try await flush(to: sink) }
  }

  mutating func flush(to sink: ExportSink) async throws {
    guard !bytes.isEmpty else { return }
    let piece = bytes
    bytes.removeAll(keepingCapacity: true)
    try await sink(piece)
  }

  /// A message with its earlier texts, however many those are.
  mutating func message(_ message: ArchivedMessage, of walk: ArchiveWalk, to sink: ExportSink) async throws {
    let hasRevisions = message.message.revision > 1 && message.message.status != .deleted
    var writer = JSONWriter(reserving: 512 + message.message.content.utf8.count)
    writer.beginArchived(message, hasRevisions: hasRevisions)
    if hasRevisions {
      try await walk.forEachRevision(of: message.message) { revision in
        writer.revision(revision)
        bytes += writer.takeBytes()
        try await flushIfFull(to: sink)
      }
    }
    writer.endArchivedMessage(hasRevisions: hasRevisions)
    bytes += writer.takeBytes()
    try await flushIfFull(to: sink)
  }

  /// A conversation as lines: itself, its branches, its messages by branch and position.
  mutating func lines(of walk: ArchiveWalk, to sink: ExportSink) async throws {
    record { writer in
      writer.beginObject()
      writer.key("conversation")
      writer.conversation(walk.archive.conversation)
      writer.endObject()
    }
    text("\n")
    for branch in walk.archive.branches {
      record { writer in
        writer.beginObject()
        writer.key("branch")
        writer.archived(branch)
        writer.endObject()
      }
      text("\n")
      try await flushIfFull(to: sink)
    }
    for segment in walk.everything(withDeleted: true) {
      try await walk.forEach(in: segment) { message in
        text(#"{"message":"#)
        try await self.message(message, of: walk, to: sink)
        text("}\n")
      }
    }
  }
}

extension ConversationExport {
  /// One document, a record a line, so that tools that look at lines can look at it, too.
  func writeJSON(to sink: ExportSink) async throws {
    let (archive, segments) = part
    var output = ArchiveOutput()
    output.text(#"{"format":"\#(ArchiveRecord.format)","format_version":\#(ArchiveRecord.formatVersion),"#)
    output.text("\n\"conversation\":")
    output.record { $0.conversation(archive.conversation) }
    output.text(",\n\"branches\":[")
    for (index, branch) in archive.branches.enumerated() {
      output.text(index == 0 ? "\n" : ",\n")
      output.record { $0.archived(branch) }
      try await output.flushIfFull(to: sink)
    }
    output.text("\n],\n\"messages\":[")
    var isFirst = true
    for segment in segments {
      try await walk.forEach(in: segment) { message in
        output.text(isFirst ? "\n" : ",\n")
        isFirst = false
        try await output.message(message, of: walk, to: sink)
      }
    }
    output.text("\n]}\n")
    try await output.flush(to: sink)
  }

  /// What is written, as a tree of its own: of one branch its path, with the branches that it goes through cut where it leaves
  /// them.
  private var part: (ArchivedConversation, [PathSegment]) {
    guard let branch else { return (walk.archive, walk.everything(withDeleted: true)) }
    let segments = walk.path(of: branch)
    var part = walk.archive
    part.conversation.activeBranch = branch.number
    part.conversation.headPosition = branch.headPosition
    let parents = Dictionary(uniqueKeysWithValues: part.branches.map { ($0.branch.number, $0.branch.parent) })
    var numbers: Set<BranchNumber> = []
    var next: BranchNumber? = branch.number
    while let number = next {
      numbers.insert(number)
      next = parents[number] ?? nil
    }
    part.branches = part.branches.filter { numbers.contains($0.branch.number) }
    let ends = Dictionary(uniqueKeysWithValues: segments.map { ($0.branch, $0.positions.upperBound) })
    for index in part.branches.indices {
      let number = part.branches[index].branch.number
      part.branches[index].branch.isActive = number == branch.number
      part.branches[index].branch.headPosition = ends[number] ?? part.branches[index].branch.forkPosition
    }
    return (part, segments)
  }
}
