// What a store demands of conversations that come from outside: the invariants of the tree, and texts that it would take from
// a client. A file may have been written by hand.

extension ArchivedConversation {
  /// Numbers that arithmetic can be done with.
  private static let plausible = 0...1 << 48

  /// - Throws: `.invalid` or `.tooLarge` for texts beyond `Limits` and for branches that are no tree.
  public func validate() throws(ConversationError) {
    try conversation.title.map(validateTitle)
    try conversation.sessionID.map { value throws(ConversationError) in try validateKey(value, "session_id") }
    try validateObject(conversation.context, "context")
    guard Self.plausible.contains(conversation.version), conversation.version > 0 else {
      throw ConversationError(.invalid, "The version of a conversation is at least 1.", field: "version")
    }
    var known: [BranchNumber: (branch: Branch, depth: Int)] = [:]
    for archived in branches {
      guard (1...conversation.version).contains(archived.version) else {
        throw Self.wrong(archived.branch, "has a version that its conversation has not")
      }
      let depth = try depth(of: archived.branch, among: known)
      guard known.updateValue((archived.branch, depth), forKey: archived.branch.number) == nil else {
        throw Self.wrong(archived.branch, "comes twice")
      }
    }
    guard known[Branch.trunk]?.branch.isDeleted == false, known[conversation.activeBranch]?.branch.isDeleted == false
    else { throw ConversationError(.invalid, "The conversation lacks its trunk or its active branch.") }
    guard zip(branches, branches.dropFirst()).allSatisfy({ $0.branch.number < $1.branch.number }) else {
      throw ConversationError(.invalid, "The branches do not come in the order of their numbers.")
    }
  }

  /// How many forks away from the trunk a branch is.
  ///
  /// - Throws: `.invalid` if it does not continue one of `known`.
  private func depth(
    of branch: Branch, among known: [BranchNumber: (branch: Branch, depth: Int)]
  ) throws(ConversationError) -> Int {
    try branch.title.map(validateTitle)
    guard Self.plausible.contains(branch.number), Self.plausible.contains(branch.headPosition),
      (0...branch.headPosition).contains(branch.forkPosition)
    else { throw Self.wrong(branch, "has numbers that no branch has") }
    guard !branch.isDeleted || branch.title == nil else { throw Self.wrong(branch, "was deleted, but has a title") }
    guard let number = branch.parent else {
      guard branch.number == Branch.trunk, branch.forkPosition == 0, branch.origin == .trunk else {
        throw Self.wrong(branch, "has no parent, but is not the trunk")
      }
      return 0
    }
    guard let (parent, depth) = known[number], number < branch.number, branch.origin != .trunk else {
      throw Self.wrong(branch, "continues no earlier branch")
    }
    let lowest = parent.parent == nil ? 0 : parent.forkPosition + 1
    guard branch.forkPosition >= lowest, branch.forkPosition <= parent.headPosition else {
      throw Self.wrong(branch, "forks where its parent has no message")
    }
    guard branch.isDeleted || !parent.isDeleted else { throw Self.wrong(branch, "continues a deleted branch") }
    guard depth < Limits.forkDepth else {
      throw Self.wrong(branch, "is more than \(Limits.forkDepth) forks away from the trunk")
    }
    return depth + 1
  }

  private static func wrong(_ branch: Branch, _ fault: String) -> ConversationError {
    ConversationError(.invalid, "Branch \(branch.number) \(fault).", field: "branches")
  }
}

extension ArchivedMessage {
  /// - Throws: `.invalid` or `.tooLarge` for texts beyond `Limits`, and for one that was deleted and still says something.
  public func validate() throws(ConversationError) {
    try validateContent(message.content)
    try message.clientID.map { value throws(ConversationError) in try validateKey(value, "client_id") }
    if let intent = message.intent {
      guard intent.unicodeScalars.count <= Limits.intentScalars, !holdsNUL(intent) else {
        throw ConversationError(
          .invalid, "An intent holds at most \(Limits.intentScalars) characters, none of them U+0000.",
          field: "intent")
      }
    }
    try validateObject(message.entities, "entities")
    try validateObject(message.metadata, "metadata")
    guard message.revision >= 1, (message.revision > 1) == (message.editedAt != nil) else {
      throw ConversationError(.invalid, "A message has an edited_at if its revision is above 1.", field: "revision")
    }
    for (index, revision) in revisions.enumerated() {
      guard revision.number == index + 1, revision.number < message.revision else {
        throw ConversationError(
          .invalid, "Earlier texts are numbered from 1, below the message's revision.", field: "revisions")
      }
      try validateContent(revision.content)
      try validateObject(revision.metadata, "metadata")
    }
    guard message.status != .deleted || message.isBlank && revisions.isEmpty else {
      throw ConversationError(.invalid, "A deleted message says nothing.", field: "status")
    }
  }
}
