public import ConversationModel

/// The forms in which a conversation is taken out.
public enum ExportFormat: String, Sendable, CaseIterable {
  /// The whole tree with nothing left out: what `Importer` takes in again.
  case json
  /// To be read, and to be pasted.
  case markdown
  /// To be printed, and kept.
  case pdf

  /// As HTTP names it.
  var mediaType: String {
    switch self {
    case .json: "application/json"
    case .markdown: "text/markdown; charset=utf-8"
    case .pdf: "application/pdf"
    }
  }

  /// How names of such files end.
  var fileExtension: String {
    switch self {
    case .json: "json"
    case .markdown: "md"
    case .pdf: "pdf"
    }
  }
}

/// Which part of a conversation is taken out.
public enum ExportedBranches: Hashable, Sendable {
  case all
  /// The path that ends at the head of a branch.
  case path(BranchNumber)
}

/// Where the bytes of an export go, piece by piece; waits while its reader is slow.
public typealias ExportSink = ([UInt8]) async throws -> Void

/// One conversation on its way out.
public struct ConversationExport: Sendable {
  let walk: ArchiveWalk
  let format: ExportFormat
  /// Nil for all.
  let branch: Branch?

  /// Looks the conversation up; nothing is written yet.
  ///
  /// - Parameter branches: Nil for what the format is for: all of the tree as JSON, else the path that is shown by default.
  /// - Throws: `.notFound` for an unknown conversation or branch, and as the store does; `.invalid` for PDF in a build without.
  public init(
    of id: ConversationID, as format: ExportFormat, branches: ExportedBranches?, from store: any ArchivingStore,
    for principal: Principal
  ) async throws(ConversationError) {
    #if !PDF
      guard format != .pdf else {
        throw ConversationError(
          .invalid, "This Parley was built without PDF; build it with: swift build --traits PDF", field: "format")
      }
    #endif
    let archive = try await store.archivedConversation(id, as: principal)
    walk = ArchiveWalk(store: store, principal: principal, archive: archive)
    self.format = format
    switch branches ?? (format == .json ? .all : .path(archive.conversation.activeBranch)) {
    case .all: branch = nil
    case .path(let number):
      guard let found = archive.branches.first(where: { $0.branch.number == number && !$0.branch.isDeleted }) else {
        throw ConversationError.noBranch
      }
      branch = found.branch
    }
  }

  /// A name for the file, of letters that every system takes.
  public var fileName: String { "conversation-\(walk.archive.conversation.id).\(format.fileExtension)" }

  /// As HTTP names what it is.
  public var mediaType: String { format.mediaType }

  /// Writes the file, in pieces of some 64 KiB.
  ///
  /// - Throws: What `sink` does, and what the store does: `.notFound` if the conversation is erased meanwhile.
  public func write(to sink: ExportSink) async throws {
    switch format {
    case .json: try await writeJSON(to: sink)
    case .markdown: try await writeMarkdown(to: sink)
    case .pdf: try await writePDF(to: sink)
    }
  }
}

/// All conversations of a user, or of all users, on their way out: a record a line.
public struct UserExport: Sendable {
  private let store: any ArchivingStore
  private let principal: Principal
  private let user: UserID?
  private let firstIDs: [ConversationID]

  public static let mediaType = "application/jsonl"

  /// - Parameter user: Nil for all users' conversations, which the service role may ask for.
  /// - Throws: `.forbidden` for another user's, and as the store does.
  public init(
    of user: UserID?, from store: any ArchivingStore, for principal: Principal
  ) async throws(ConversationError) {
    (self.store, self.principal, self.user) = (store, principal, user)
    firstIDs = try await store.conversationIDs(of: user, after: nil, as: principal)
  }

  /// Writes the file: by the ids of the conversations, so that it is the same as long as nothing changes.
  ///
  /// A conversation that is erased before its turn is left out.
  public func write(to sink: ExportSink) async throws {
    var output = ArchiveOutput()
    output.header()
    var ids = firstIDs
    while let last = ids.last {
      for id in ids {
        do {
          let archive = try await store.archivedConversation(id, as: principal)
          let walk = ArchiveWalk(store: store, principal: principal, archive: archive)
          try await output.lines(of: walk, to: sink)
        } catch let error as ConversationError {
          guard error.code == .notFound else { throw error }
        }
      }
      ids = try await store.conversationIDs(of: user, after: last, as: principal)
    }
    try await output.flush(to: sink)
  }
}
