public import ConversationModel

/// Takes a file in, a conversation at a time: each comes whole or not at all.
///
/// An import that was cut off is repeated with the same file: what is there already is found and left as it is.
public struct Importer: Sendable {
  private let store: any ArchivingStore
  private let principal: Principal
  /// Whose everything becomes; nil to leave each conversation its user, which the service role may.
  private let owner: UserID?

  /// - Parameter user: Whose everything becomes. A user's import is always its own; the service role may name none for files
  ///   that say whose each conversation is.
  /// - Throws: `.forbidden` for another user.
  public init(
    into store: any ArchivingStore, of user: UserID?, as principal: Principal
  ) throws(ConversationError) {
    guard user.map(principal.owns) ?? true else {
      throw ConversationError(.forbidden, "A user may import for itself only.", field: "user_id")
    }
    (self.store, self.principal) = (store, principal)
    owner = user ?? principal.onlyUser
  }

  /// - Parameters:
  ///   - format: Nil to find it out.
  ///   - isStopped: Whether to take nothing more.
  /// - Throws: `.invalid` for a file that is of no known format; what the store throws if it is `.unavailable` or fails. What
  ///   was taken until then stays.
  public func take(
    _ file: ImportFile, as format: ImportFormat?, isStopped: () -> Bool = { false }
  ) async throws(ConversationError) -> ImportReport {
    var reader = try archiveReader(of: file, format: format, owner: owner)
    var report = ImportReport()
    var current: Current?
    var erased: Set<UserID> = []
    let patience = Patience(seconds: Limits.importErasureSeconds)
    do throws(ConversationError) {
      while let piece = try reader.next() {
        guard !Task.isCancelled, !isStopped() else {
          throw ConversationError(.unavailable, "The import was cut off; repeat it with the same file.")
        }
        switch piece {
        case .conversation(let archive, let place):
          try await finish(&current, &erased, &report)
          current = try await begin(archive, place, &erased, patience, &report)
        case .messages(let messages):
          try await take(messages, &current, &erased, &report)
        case .skipped(let piece):
          report.skip(piece)
        }
      }
      try await finish(&current, &erased, &report)
    } catch {
      if let restoration = current?.restoration { await store.abandonRestoring(restoration) }
      throw error
    }
    return report
  }

  /// The conversation that is being taken in.
  private struct Current {
    var restoration: Restoration
    /// Where in the file it stands.
    let place: String
  }

  /// Returns nil for one that is not taken; its messages are then passed over.
  ///
  /// - Parameter erased: Users that were erased since the import began. Nothing more of the file becomes theirs.
  private func begin(
    _ archive: ArchivedConversation, _ place: String, _ erased: inout Set<UserID>, _ patience: Patience,
    _ report: inout ImportReport
  ) async throws(ConversationError) -> Current? {
    var archive = archive
    if let owner { archive.conversation.userID = owner }
    guard !erased.contains(archive.conversation.userID) else {
      report.skip(SkippedPiece(place: place, why: "Its user was erased during the import."))
      return nil
    }
    do throws(ConversationError) {
      let restoration = try await patience.retry { () async throws(ConversationError) in
        try await store.beginRestoring(archive, as: principal)
      }
      if let restoration { return Current(restoration: restoration, place: place) }
      report.skip(.present(at: place))
    } catch {
      try error.requireSkippable(of: archive.conversation.userID, &erased)
      report.skip(SkippedPiece(place: place, why: error.message))
    }
    return nil
  }

  private func take(
    _ messages: [ArchivedMessage], _ current: inout Current?, _ erased: inout Set<UserID>, _ report: inout ImportReport
  ) async throws(ConversationError) {
    guard var taken = current else { return }
    do throws(ConversationError) {
      try await store.restore(messages, of: &taken.restoration)
      current = taken
    } catch {
      try await giveUp(&current, error, &erased, &report)
    }
  }

  private func finish(
    _ current: inout Current?, _ erased: inout Set<UserID>, _ report: inout ImportReport
  ) async throws(ConversationError) {
    guard let taken = current else { return }
    do throws(ConversationError) {
      let conversation = try await store.finishRestoring(taken.restoration)
      report.conversations += 1
      report.messages += conversation.messageCount
      current = nil
    } catch {
      try await giveUp(&current, error, &erased, &report)
    }
  }

  /// Half a conversation would be worse than none.
  private func giveUp(
    _ current: inout Current?, _ error: ConversationError, _ erased: inout Set<UserID>, _ report: inout ImportReport
  ) async throws(ConversationError) {
    guard let taken = current else { return }
    try error.requireSkippable(of: taken.restoration.archive.conversation.userID, &erased)
    current = nil
    await store.abandonRestoring(taken.restoration)
    report.skip(SkippedPiece(place: taken.place, why: error.message))
  }
}

/// Waits while what has a conversation's id is being erased, so long in all.
private final class Patience {
  private var left: Duration

  init(seconds: Int) {
    left = .seconds(seconds)
  }

  func retry<Value>(
    _ body: () async throws(ConversationError) -> Value
  ) async throws(ConversationError) -> Value {
    while true {
      do throws(ConversationError) {
        return try await body()
      } catch {
        guard case .beingErased = error.rule, left > .zero else { throw error }
        let pause = Duration.milliseconds(100)
        left -= pause
        guard (try? await Task.sleep(for: pause)) != nil else { throw error }
      }
    }
  }
}

extension ConversationError {
  /// Whether it speaks of one conversation of the file: the others can be taken all the same.
  fileprivate func requireSkippable(of user: UserID, _ erased: inout Set<UserID>) throws(ConversationError) {
    switch code {
    // What is being taken in is found as long as its user is there.
    case .notFound: erased.insert(user)
    case .invalid, .tooLarge, .conflict, .gone: return
    default: throw self
    }
  }
}
