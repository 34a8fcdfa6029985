#if PDF
  import ConversationModel

  /// What the first page tells about a conversation.
  struct PDFFacts {
    let conversation: Conversation
    /// The branches of which something is written, by number.
    let branches: [Branch]
    /// Whether they are all there are, each with its own messages; else the one branch's whole path is written.
    let hasAll: Bool

    /// - Parameter branch: The one that is written; nil for all that are not deleted.
    init(_ archive: ArchivedConversation, branch: Branch?) {
      conversation = archive.conversation
      branches = branch.map { [$0] } ?? archive.branches.map(\.branch).filter { !$0.isDeleted }
      hasAll = branch == nil
    }

    var title: String {
      conversation.title ?? conversation.sessionID.map { "Conversation \($0)" } ?? "Conversation"
    }

    /// Names and values, in the order of the page.
    var rows: [(String, String)] {
      var rows = [
        ("Owner", conversation.userID.description),
        ("Session", conversation.sessionID ?? "the default one"),
        ("Conversation", conversation.id.description),
        ("Created", conversation.createdAt.printed),
        ("Last activity", conversation.updatedAt.printed),
        ("Messages", "\(conversation.messageCount)"),
        ("Branches", "\(conversation.branchCount)"),
        ("In this file", written),
      ]
      let states = [(conversation.isPinned, "pinned"), (conversation.isArchived, "archived")].filter(\.0).map(\.1)
      if !states.isEmpty { rows.append(("State", states.joined(separator: ", "))) }
      return rows
    }

    /// One line for each branch, if there are several.
    var branchLines: [String] {
      branches.count > 1 ? branches.map { Self.name($0) + Self.extent($0) } : []
    }

    private var written: String {
      if hasAll { return branches.count == 1 ? "all of it" : "all branches" }
      return branches.first.map { "\(Self.name($0)), from the beginning to message \($0.headPosition)" } ?? ""
    }

    private static func name(_ branch: Branch) -> String {
      (branch.number == Branch.trunk ? "Trunk" : "Branch \(branch.number)") + (branch.title.map { ": \($0)" } ?? "")
    }

    private static func extent(_ branch: Branch) -> String {
      let own = branch.headPosition - branch.forkPosition
      let count = own == 1 ? "1 message" : "\(own) messages"
      guard let parent = branch.parent else { return " (\(count))" }
      let origin = parent == Branch.trunk ? "the trunk" : "branch \(parent)"
      return " (\(count), after message \(branch.forkPosition) of \(origin))"
    }
  }

  extension Timestamp {
    /// For people: `2026-11-22 13:34:24 UTC`.
    var printed: String {
      let text = description
      return "\(text.prefix(10)) \(text.dropFirst(11).prefix(8)) UTC"
    }
  }
#endif
