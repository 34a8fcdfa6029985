public import ConversationModel

// How rows become values; the column order is that of `Statements`.

extension Conversation {
  init(_ row: some SQLRow) throws {
    self.init(
      id: try row.id(0), userID: try row.id(1), sessionID: try row.optional(2, row.text),
      isDefault: try row.boolean(3), title: try row.optional(4, row.text),
      context: JSONText(canonical: try row.text(5)), isArchived: try row.boolean(6), isPinned: try row.boolean(7),
      activeBranch: try row.integer(8), headPosition: try row.integer(9), messageCount: try row.integer(10),
      branchCount: try row.integer(11), version: try row.integer(12), createdAt: try row.time(13),
      updatedAt: try row.time(14))
  }
}

extension Message {
  init(_ row: some SQLRow) throws {
    self.init(
      id: try row.id(0), clientID: try row.optional(1, row.text), conversationID: try row.id(2),
      branch: try row.integer(3), position: try row.integer(4), role: try row.value(5), content: try row.text(6),
      intent: try row.optional(7, row.text), confidence: try row.optional(8, row.confidence),
      entities: JSONText(canonical: try row.text(9)), metadata: JSONText(canonical: try row.text(10)),
      status: try row.value(11), revision: try row.integer(12), createdAt: try row.time(13),
      editedAt: try row.optional(14, row.time))
  }
}

extension Branch {
  init(_ row: some SQLRow, activeBranch: BranchNumber) throws {
    let number = try row.integer(0)
    self.init(
      number: number, parent: try row.optional(1, row.integer), forkPosition: try row.integer(2),
      headPosition: try row.integer(3), title: try row.optional(4, row.text), origin: try row.value(5),
      isActive: number == activeBranch, isDeleted: try row.boolean(6),
      createdAt: try row.time(7))
  }
}

extension Revision {
  init(_ row: some SQLRow) throws {
    self.init(
      number: try row.integer(0), content: try row.text(1), metadata: JSONText(canonical: try row.text(2)),
      replacedAt: try row.time(3))
  }
}

extension SQLRow {
  public func confidence(_ column: Int) throws -> Confidence {
    guard let confidence = Confidence(rounding: try real(column)) else { throw SQLFailure.damaged(column: column) }
    return confidence
  }
}
