import ConversationModel

/// A way through the messages of a conversation as it was when the walk began: page by page, so that neither a long
/// conversation nor a slow reader holds anything up.
///
/// What is said while the walk goes on is left out. What is edited or deleted meanwhile shows as it is when the walk comes by.
struct ArchiveWalk: Sendable {
  let store: any ArchivingStore
  let principal: Principal
  let archive: ArchivedConversation

  /// Every branch's own messages, by number.
  ///
  /// - Parameter withDeleted: Whether deleted branches count.
  func everything(withDeleted: Bool) -> [PathSegment] {
    archive.branches.compactMap { archived in
      let branch = archived.branch
      guard branch.headPosition > branch.forkPosition, withDeleted || !branch.isDeleted else { return nil }
      return PathSegment(branch: branch.number, positions: branch.forkPosition + 1...branch.headPosition)
    }
  }

  /// The path that ends at the head of a branch, from the first message on.
  func path(of branch: Branch) -> [PathSegment] {
    guard branch.headPosition > 0 else { return [] }
    let byNumber = Dictionary(uniqueKeysWithValues: archive.branches.map { ($0.branch.number, $0.branch) })
    return PathSegment.segments(of: 1...branch.headPosition, onPathOf: branch.number) { number in
      byNumber[number].map { ($0.parent, $0.forkPosition) } ?? (nil, 0)
    }
  }

  /// Hands out the messages of a run, in their order.
  func forEach(
    in segment: PathSegment, _ body: (ArchivedMessage) async throws -> Void
  ) async throws {
    let branch = BranchKey(archive.conversation.id, segment.branch)
    var position = segment.positions.lowerBound - 1
    while position < segment.positions.upperBound {
      let messages = try await store.archivedMessages(of: branch, after: position, as: principal)
      guard let last = messages.last else { return }
      for var message in messages where message.message.position <= segment.positions.upperBound {
        // It changed after the walk began, in a version that the file's conversation has not.
        message.version = min(message.version, archive.conversation.version)
        try await body(message)
      }
      position = last.message.position
    }
  }

  /// Hands out the earlier texts of a message, oldest first.
  func forEachRevision(of message: Message, _ body: (Revision) async throws -> Void) async throws {
    var number = 0
    while number < message.revision - 1 {
      let revisions = try await store.archivedRevisions(
        of: message.id, above: number, below: message.revision, as: principal)
      guard let last = revisions.last else { return }
      for revision in revisions { try await body(revision) }
      number = last.number
    }
  }
}
