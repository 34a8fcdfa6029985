public import ConversationModel
import StrictJSON

/// An answer of the native door, read back into the values that it was written from (`Replies.swift`).
///
/// All readings throw `.internal`, naming the field, where one is missing or of another type.
public struct Reply: Sendable {
  let json: JSONValue

  /// Levels of nesting: the changes, their list, a change, its row, the row's metadata; the rest is for
  /// what a newer server may wrap around them.
  static let depth = 2 * Limits.objectDepth

  /// - Throws: `.internal` for anything but JSON of at most `Limits.replyBytes`.
  public init(_ bytes: UnsafeRawBufferPointer) throws(ConversationError) {
    do {
      json = try JSONReader.read(bytes, limits: JSONLimits(bytes: Limits.replyBytes, depth: Self.depth))
    } catch {
      throw .unreadable("it is no JSON text", error)
    }
  }

  // MARK: Objects

  public func conversation() throws(ConversationError) -> Conversation {
    try Conversation(reply: try ReplyObject(json, "conversation"))
  }

  public func messageDetail() throws(ConversationError) -> MessageDetail {
    let fields = try ReplyObject(json, "message")
    return MessageDetail(
      message: try Message(reply: fields),
      siblings: try fields.list("siblings", of: "sibling") { sibling throws(ConversationError) in
        MessageDetail.Sibling(id: try sibling.id("id"), branch: try sibling.count("branch"))
      })
  }

  /// The answer to every command but an erasure.
  public func receipt() throws(ConversationError) -> Receipt {
    try Receipt(reply: try ReplyObject(json, "receipt"))
  }

  /// The answer to an erasure.
  public func erasure() throws(ConversationError) -> Erasure {
    let fields = try ReplyObject(json, "erasure")
    let counts = try fields.object("counts")
    let state: ErasureState = try fields.choice("state")
    return Erasure(
      isComplete: state == .complete, conversations: try counts.count("conversations"),
      branches: try counts.count("branches"), messages: try counts.count("messages"),
      revisions: try counts.count("revisions"))
  }

  private enum ErasureState: String {
    case complete, pending
  }

  /// The answer to an import.
  public func importReport() throws(ConversationError) -> ImportReport {
    let fields = try ReplyObject(json, "report")
    let imported = try fields.object("imported")
    return ImportReport(
      conversations: try imported.count("conversations"), messages: try imported.count("messages"),
      skipped: try fields.list("skipped", of: "piece") { piece throws(ConversationError) in
        SkippedPiece(place: try piece.string("where"), why: try piece.string("why"))
      }, skippedCount: try fields.count("skipped_count"),
      presentCount: fields.has("already_there") ? try fields.count("already_there") : 0)
  }

  // MARK: Lists

  public func conversations() throws(ConversationError) -> Page<Conversation> {
    try page(of: "conversation", Conversation.init(reply:))
  }

  public func revisions() throws(ConversationError) -> Page<Revision> {
    try page(of: "revision", Revision.init(reply:))
  }

  public func searchHits() throws(ConversationError) -> Page<SearchHit> {
    try page(of: "hit") { hit throws(ConversationError) in
      SearchHit(
        message: try Message(reply: try hit.object("message")), snippet: try hit.string("snippet"),
        title: try hit.object("conversation").optionalString("title"))
    }
  }

  public func branches() throws(ConversationError) -> [Branch] {
    try page(of: "branch", Branch.init(reply:)).items
  }

  func page<Item: Sendable>(
    of name: String, _ read: (ReplyObject) throws(ConversationError) -> Item
  ) throws(ConversationError) -> Page<Item> {
    let fields = try ReplyObject(json, "list")
    return Page(
      items: try fields.list("data", of: name, read), next: try fields.optional("next_cursor", fields.string))
  }

  /// - Parameter conversation: Whose page was asked for; a page does not say it.
  public func messagePage(of conversation: ConversationID) throws(ConversationError) -> MessagePage {
    try MessagePage(reply: try ReplyObject(json, "page"), of: conversation)
  }

  public func changes() throws(ConversationError) -> Changes {
    let fields = try ReplyObject(json, "changes")
    return Changes(
      changes: try fields.list("data", of: "change", Changes.Change.init(reply:)),
      version: try fields.count("version"), hasMore: try fields.boolean("has_more"),
      isDegraded: fields.has("degraded") ? try fields.boolean("degraded") : false)
  }

  // MARK: Errors and readiness

  /// The error behind an RFC 9457 problem.
  public func problem() throws(ConversationError) -> ConversationError {
    try ConversationError(reply: try ReplyObject(json, "problem"))
  }

  /// What a server says that was asked for its readiness: whether commands are taken, and what is wrong if they are.
  public func readiness() throws(ConversationError) -> StoreHealth {
    let fields = try ReplyObject(json, "readiness")
    let reasons = try fields.strings("reasons")
    guard try fields.string("status") == "unavailable" else { return StoreHealth(warnings: reasons) }
    return StoreHealth(
      refusal: reasons.isEmpty ? "The server takes no messages now." : reasons.joined(separator: " "))
  }
}

extension ConversationError {
  init(reply fields: ReplyObject) throws(ConversationError) {
    self.init(
      try fields.choice("code"), try fields.string("detail"),
      field: fields.has("field") ? try fields.optional("field", fields.string) : nil,
      rule: fields.has("turn_id") ? .turnRuns(try fields.id("turn_id")) : nil)
  }
}

extension Conversation {
  init(reply fields: ReplyObject) throws(ConversationError) {
    self.init(
      id: try fields.id("id"), userID: try fields.id("user_id"),
      sessionID: try fields.optional("session_id", fields.string), isDefault: try fields.boolean("is_default"),
      title: try fields.optional("title", fields.string), context: try fields.json("context"),
      isArchived: try fields.boolean("archived"), isPinned: try fields.boolean("pinned"),
      activeBranch: try fields.count("active_branch"), headPosition: try fields.count("head_position"),
      messageCount: try fields.count("message_count"), branchCount: try fields.count("branch_count"),
      version: try fields.count("version"), createdAt: try fields.time("created_at"),
      updatedAt: try fields.time("updated_at"))
  }
}

extension Message {
  /// A message that is only spooled has no position yet: it is 0 here.
  init(reply fields: ReplyObject) throws(ConversationError) {
    let durability: Durability = try fields.choice("durability")
    let position = durability == .spooled ? try fields.optional("position", fields.count) : try fields.count("position")
    self.init(
      id: try fields.id("id"), clientID: try fields.optional("client_id", fields.string),
      conversationID: try fields.id("conversation_id"), branch: try fields.count("branch"), position: position ?? 0,
      role: try fields.choice("role"), content: try fields.string("content"),
      intent: try fields.optional("intent", fields.string),
      confidence: try fields.optional("confidence", fields.confidence), entities: try fields.json("entities"),
      metadata: try fields.json("metadata"), status: try fields.choice("status"),
      revision: try fields.count("revision"), createdAt: try fields.time("created_at"),
      editedAt: try fields.optional("edited_at", fields.time), durability: durability)
  }
}

extension MessagePage {
  init(reply fields: ReplyObject, of conversation: ConversationID) throws(ConversationError) {
    self.init(
      conversation: conversation, messages: try fields.list("data", of: "message", Message.init(reply:)),
      forks: try fields.forks(), branch: try fields.count("branch"),
      before: try fields.optional("before", fields.string), after: try fields.optional("after", fields.string),
      headPosition: try fields.count("head_position"), version: try fields.count("version"),
      isDegraded: fields.has("degraded") ? try fields.boolean("degraded") : false)
  }
}

extension ReplyObject {
  func forks() throws(ConversationError) -> [Fork] {
    try list("forks", of: "fork") { fork throws(ConversationError) in
      Fork(position: try fork.count("position"), branches: try fork.counts("branches"))
    }
  }
}

extension Receipt {
  init(reply fields: ReplyObject) throws(ConversationError) {
    let conversation = fields.has("conversation") ? try fields.object("conversation") : nil
    let branch = fields.has("branch") ? try fields.object("branch") : nil
    var messages: [Message] = []
    if fields.has("messages") {
      messages = try fields.list("messages", of: "message", Message.init(reply:))
    } else if fields.has("message") {
      messages = [try Message(reply: try fields.object("message"))]
    }
    self.init(
      conversation: try conversation.map(Conversation.init(reply:)), messages: messages,
      branch: try branch.map(Branch.init(reply:)), version: try fields.optional("version", fields.count),
      durability: try fields.choice("durability"), isReplay: try fields.boolean("replayed"))
  }
}

extension Branch {
  init(reply fields: ReplyObject) throws(ConversationError) {
    self.init(
      number: try fields.count("number"), parent: try fields.optional("parent", fields.count),
      forkPosition: try fields.count("fork_position"), headPosition: try fields.count("head_position"),
      title: try fields.optional("title", fields.string), origin: try fields.choice("origin"),
      isActive: try fields.boolean("active"), isDeleted: try fields.boolean("deleted"),
      createdAt: try fields.time("created_at"))
  }
}

extension Revision {
  init(reply fields: ReplyObject) throws(ConversationError) {
    self.init(
      number: try fields.count("revision"), content: try fields.string("content"),
      metadata: try fields.json("metadata"), replacedAt: try fields.time("replaced_at"))
  }
}

extension Changes.Change {
  private enum Kind: String {
    case conversation, branch, message
  }

  init(reply fields: ReplyObject) throws(ConversationError) {
    try self.init(reply: fields, version: try fields.count("version"))
  }

  /// - Parameter version: In an event it stands around its changes.
  init(reply fields: ReplyObject, version: Version) throws(ConversationError) {
    let kind: Kind = try fields.choice("kind")
    let object = try fields.object("row")
    let row: Changes.Row =
      switch kind {
      case .conversation: .conversation(try Conversation(reply: object))
      case .branch: .branch(try Branch(reply: object))
      case .message: .message(try Message(reply: object))
      }
    self.init(version: version, row: row)
  }
}
