public import ConversationModel
public import StrictJSON

// The JSON shapes of the native door, written straight to bytes: pages are what the server makes most
// of, and a detour through `Codable` would cost more than the store.

extension JSONWriter {
  public mutating func conversation(_ conversation: Conversation) {
    beginObject()
    field("id", conversation.id)
    field("user_id", conversation.userID)
    field("session_id", conversation.sessionID)
    field("is_default", conversation.isDefault)
    field("title", conversation.title)
    field("context", conversation.context)
    field("archived", conversation.isArchived)
    field("pinned", conversation.isPinned)
    field("active_branch", conversation.activeBranch)
    field("head_position", conversation.headPosition)
    field("message_count", conversation.messageCount)
    field("branch_count", conversation.branchCount)
    field("version", conversation.version)
    field("created_at", conversation.createdAt)
    field("updated_at", conversation.updatedAt)
    endObject()
  }

  /// - Parameter siblings: Only for a message that was asked for by itself.
  public mutating func message(
    _ message: Message, durability: Durability = .stored, siblings: [MessageDetail.Sibling]? = nil
  ) {
    beginObject()
    messageFields(message, durability: durability)
    if let siblings {
      key("siblings")
      list(siblings) { writer, sibling in
        writer.beginObject()
        writer.field("id", sibling.id)
        writer.field("branch", sibling.branch)
        writer.endObject()
      }
    }
    endObject()
  }

  mutating func messageFields(_ message: Message, durability: Durability = .stored) {
    let durability = message.durability == .spooled ? .spooled : durability
    field("id", message.id)
    field("client_id", message.clientID)
    field("conversation_id", message.conversationID)
    field("branch", message.branch)
    if durability == .stored { field("position", message.position) } else { nullField("position") }
    field("role", message.role.rawValue)
    field("content", message.content)
    field("intent", message.intent)
    if let confidence = message.confidence {
      key("confidence")
      raw(confidence.text)
    } else {
      nullField("confidence")
    }
    field("entities", message.entities)
    field("metadata", message.metadata)
    field("status", message.status.rawValue)
    field("revision", message.revision)
    field("durability", durability.rawValue)
    field("created_at", message.createdAt)
    if let editedAt = message.editedAt { field("edited_at", editedAt) } else { nullField("edited_at") }
  }

  public mutating func branch(_ branch: Branch) {
    beginObject()
    branchFields(branch)
    endObject()
  }

  mutating func branchFields(_ branch: Branch) {
    field("number", branch.number)
    if let parent = branch.parent { field("parent", parent) } else { nullField("parent") }
    field("fork_position", branch.forkPosition)
    field("head_position", branch.headPosition)
    field("title", branch.title)
    field("origin", branch.origin.rawValue)
    field("active", branch.isActive)
    field("deleted", branch.isDeleted)
    field("created_at", branch.createdAt)
  }

  public mutating func page(_ page: MessagePage) {
    beginPage()
    for message in page.messages { self.message(message) }
    endPage(page)
  }

  /// Opens a page; its messages come next, from one reading or from several.
  public mutating func beginPage() {
    beginObject()
    key("data")
    beginArray()
  }

  /// Ends a page with everything but its messages.
  public mutating func endPage(_ page: MessagePage) {
    endArray()
    forks(page.forks)
    field("branch", page.branch)
    field("has_before", page.before != nil)
    field("has_after", page.after != nil)
    field("before", page.before)
    field("after", page.after)
    field("head_position", page.headPosition)
    field("version", page.version)
    if page.isDegraded { field("degraded", true) }
    endObject()
  }

  mutating func forks(_ forks: [Fork]) {
    key("forks")
    list(forks) { writer, fork in
      writer.beginObject()
      writer.field("position", fork.position)
      writer.key("branches")
      writer.list(fork.branches) { $0.int($1) }
      writer.endObject()
    }
  }

  public mutating func page<Item>(_ page: Page<Item>, _ write: (inout JSONWriter, Item) -> Void) {
    beginObject()
    key("data")
    list(page.items, write)
    field("has_more", page.hasMore)
    field("next_cursor", page.next)
    endObject()
  }

  /// What every write answers: the objects it touched, and what is promised about them.
  ///
  /// - Parameter asList: Whether appended messages stand under `messages` or one under `message`.
  public mutating func receipt(_ receipt: Receipt, asList: Bool = false) {
    beginObject()
    receiptFields(receipt, asList: asList)
    endObject()
  }

  mutating func receiptFields(_ receipt: Receipt, asList: Bool = false) {
    if let conversation = receipt.conversation {
      key("conversation")
      self.conversation(conversation)
    }
    if asList {
      key("messages")
      list(receipt.messages) { $0.message($1, durability: receipt.durability) }
    } else if let message = receipt.messages.first {
      key("message")
      self.message(message, durability: receipt.durability)
    }
    if let branch = receipt.branch {
      key("branch")
      self.branch(branch)
    }
    if let version = receipt.version { field("version", version) } else { nullField("version") }
    field("durability", receipt.durability.rawValue)
    field("replayed", receipt.isReplay)
  }

  public mutating func revision(_ revision: Revision) {
    beginObject()
    field("revision", revision.number)
    field("content", revision.content)
    field("metadata", revision.metadata)
    field("replaced_at", revision.replacedAt)
    endObject()
  }

  public mutating func searchHit(_ hit: SearchHit) {
    beginObject()
    key("message")
    message(hit.message)
    field("snippet", hit.snippet)
    key("conversation")
    beginObject()
    field("id", hit.message.conversationID)
    field("title", hit.title)
    endObject()
    endObject()
  }

  public mutating func changes(_ changes: Changes) {
    beginObject()
    key("data")
    list(changes.changes) { $0.change($1) }
    field("version", changes.version)
    field("has_more", changes.hasMore)
    if changes.isDegraded { field("degraded", true) }
    endObject()
  }

  /// - Parameter naming: Whether the version stands in it; in an event it stands around it.
  mutating func change(_ change: Changes.Change, naming: Bool = true) {
    let kind =
      switch change.row {
      case .conversation: "conversation"
      case .branch: "branch"
      case .message: "message"
      }
    beginObject()
    field("kind", kind)
    if naming { field("version", change.version) }
    key("row")
    switch change.row {
    case .conversation(let conversation): self.conversation(conversation)
    case .branch(let branch): self.branch(branch)
    case .message(let message): self.message(message)
    }
    endObject()
  }

  public mutating func erasure(_ erasure: Erasure) {
    beginObject()
    field("state", erasure.isComplete ? "complete" : "pending")
    key("counts")
    beginObject()
    field("conversations", erasure.conversations)
    field("branches", erasure.branches)
    field("messages", erasure.messages)
    field("revisions", erasure.revisions)
    endObject()
    endObject()
  }

  public mutating func importReport(_ report: ImportReport) {
    beginObject()
    key("imported")
    beginObject()
    field("conversations", report.conversations)
    field("messages", report.messages)
    endObject()
    key("skipped")
    list(report.skipped) { writer, piece in
      writer.beginObject()
      writer.field("where", piece.place)
      writer.field("why", piece.why)
      writer.endObject()
    }
    field("skipped_count", report.skippedCount)
    field("already_there", report.presentCount)
    endObject()
  }

  /// An error as RFC 9457 `application/problem+json`.
  public mutating func problem(_ error: ConversationError, status: Int, title: String, requestID: String) {
    beginObject()
    field("type", "urn:parley:problem:\(error.code.rawValue)")
    field("title", title)
    field("status", status)
    field("detail", error.message)
    field("code", error.code.rawValue)
    if let name = error.field { field("field", name) }
    if case .turnRuns(let turn) = error.rule { field("turn_id", turn) }
    field("request_id", requestID)
    endObject()
  }

  public mutating func limits() {
    beginObject()
    field("body_bytes", Limits.bodyBytes)
    field("content_bytes", Limits.contentBytes)
    field("object_bytes", Limits.objectBytes)
    field("object_depth", Limits.objectDepth)
    field("title_characters", Limits.titleScalars)
    field("session_id_characters", Limits.keyScalars)
    field("client_id_characters", Limits.keyScalars)
    field("intent_characters", Limits.intentScalars)
    field("filter_characters", Limits.filterScalars)
    field("search_characters", Limits.searchScalars)
    field("cursor_characters", Limits.cursorCharacters)
    field("head_bytes", Limits.headerBytes)
    field("head_field_bytes", Limits.headerFieldBytes)
    field("head_fields", Limits.headerFields)
    field("page_min", Limits.pageItems.lowerBound)
    field("page_max", Limits.pageItems.upperBound)
    field("page_default", Limits.defaultPageItems)
    field("append_messages", Limits.appendMessages.upperBound)
    field("fork_depth", Limits.forkDepth)
    field("frame_bytes", Limits.frameBytes)
    field("import_bytes", Limits.importBytes)
    field("import_record_bytes", Limits.recordBytes)
    field("imports_of_a_user", Limits.uploadsOfOne)
    field("exports_of_a_user", Limits.exportsOfOne)
    endObject()
  }

  // MARK: Fields

  public mutating func field(_ name: String, _ value: String?) {
    key(name)
    if let value { string(value) } else { null() }
  }

  public mutating func field(_ name: String, _ value: Int) {
    key(name)
    int(value)
  }

  public mutating func field(_ name: String, _ value: Bool) {
    key(name)
    bool(value)
  }

  public mutating func field<Entity>(_ name: String, _ value: Identifier<Entity>) {
    key(name)
    plainString(capacity: Identifier<Entity>.characters) { value.write(into: $0) }
  }

  public mutating func field(_ name: String, _ value: Timestamp) {
    key(name)
    plainString(capacity: Timestamp.capacity) { value.write(into: $0) }
  }

  public mutating func field(_ name: String, _ value: JSONText) {
    key(name)
    raw(value.text)
  }

  public mutating func nullField(_ name: String) {
    key(name)
    null()
  }

  public mutating func list<Items: Sequence>(_ items: Items, _ write: (inout JSONWriter, Items.Element) -> Void) {
    beginArray()
    for item in items { write(&self, item) }
    endArray()
  }
}
