import ConversationModel

extension ConversationExport {
  /// A heading for each message, and its text as it is: what an assistant writes is Markdown already.
  func writeMarkdown(to sink: ExportSink) async throws {
    var output = ArchiveOutput()
    output.text(facts)
    for (heading, segments) in chapters {
      if let heading { output.text("\n## \(heading)\n") }
      for segment in segments {
        try await walk.forEach(in: segment) { message in
          output.text(Self.section(message.message))
          try await output.flushIfFull(to: sink)
        }
      }
    }
    try await output.flush(to: sink)
  }

  /// What is written, in order, each under its heading: the branches that are not deleted with their own messages, or one path
  /// without a heading.
  var chapters: [(heading: String?, segments: [PathSegment])] {
    if let branch { return [(nil, walk.path(of: branch))] }
    let segments = walk.everything(withDeleted: false)
    guard segments.count > 1 else { return [(nil, segments)] }
    let byNumber = Dictionary(uniqueKeysWithValues: walk.archive.branches.map { ($0.branch.number, $0.branch) })
    return segments.map { segment in (byNumber[segment.branch].map(Self.heading), [segment]) }
  }

  private static func heading(_ branch: Branch) -> String {
    guard let parent = branch.parent else { return "Trunk" }
    let title = branch.title.map { ": \($0)" } ?? ""
    let origin = parent == Branch.trunk ? "the trunk" : "branch \(parent)"
    return "Branch \(branch.number)\(title), after message \(branch.forkPosition) of \(origin)"
  }

  private var facts: String {
    let conversation = walk.archive.conversation
    let title = conversation.title ?? conversation.sessionID ?? "Conversation"
    return """
      # \(Self.escaped(title))

      - Owner: \(conversation.userID)
      - Session: \(conversation.sessionID.map(Self.escaped) ?? "the default one")
      - Conversation: \(conversation.id)
      - Created: \(conversation.createdAt)
      - Last activity: \(conversation.updatedAt)
      - Messages: \(conversation.messageCount), branches: \(conversation.branchCount)

      """
  }

  private static func section(_ message: Message) -> String {
    var marks = ["\(message.createdAt)"]
    if let editedAt = message.editedAt { marks.append("edited \(editedAt)") }
    switch message.status {
    case .complete: break
    case .streaming: marks.append("still being written")
    case .incomplete: marks.append("incomplete")
    case .deleted: marks.append("deleted")
    }
    let role = message.role.rawValue.prefix(1).uppercased() + message.role.rawValue.dropFirst()
    var text = message.content
    // A fence that the text leaves open would swallow what follows.
    if let fence = openFence(of: text) { text += "\n\(fence)" }
    return "\n### \(role) · \(marks.joined(separator: " · "))\n" + (text.isEmpty ? "" : "\n\(text)\n")
  }

  /// What would close the code block in which a text ends (CommonMark 0.31 §4.5); nil if it ends outside of one.
  private static func openFence(of text: String) -> String? {
    var open: Substring?
    for line in text.split(whereSeparator: \.isNewline) {
      let indent = line.prefix { $0 == " " }.count
      guard indent < 4, let mark = line.dropFirst(indent).first, mark == "`" || mark == "~" else { continue }
      let run = line.dropFirst(indent).prefix { $0 == mark }
      let rest = line.dropFirst(indent + run.count)
      guard run.count >= 3 else { continue }
      if let fence = open {
        if fence.first == mark, run.count >= fence.count, rest.allSatisfy(\.isWhitespace) { open = nil }
      } else if mark == "~" || !rest.contains("`") {
        open = run
      }
    }
    return open.map(String.init)
  }

  /// One line of plain text as Markdown.
  private static func escaped(_ text: String) -> String {
    String(text.flatMap { "\\`*_[]<>#".contains($0) ? ["\\", $0] : [$0] })
  }
}
