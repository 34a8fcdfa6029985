public import ConversationModel
public import StrictJSON

/// The body of `POST /v1/conversations`.
public struct OpenConversationBody {
  public let userID: UserID?
  public let session: SessionKey
  public let title: String?
  public let context: JSONText?

  public init(_ json: JSONValue) throws(ConversationError) {
    let fields = try ObjectReader(json, allowing: ["user_id", "session_id", "title", "context"])
    userID = try fields.id("user_id")
    if let name = try fields.string("session_id") {
      session = .named(name)
    } else {
      session = fields.isNull("session_id") ? .default : .new
    }
    title = try fields.string("title")
    context = try fields.jsonObject("context")
  }
}

/// The body of `PATCH /v1/conversations/{id}`.
public struct UpdateConversationBody {
  public let update: UpdateConversation

  public init(
    _ json: JSONValue, of conversation: ConversationID, ifVersion: Version?
  ) throws(ConversationError) {
    let names = ["title", "context", "archived", "pinned", "active_branch"]
    let fields = try ObjectReader(json, allowing: names)
    // Null is a value for the title only.
    guard names.contains(where: { fields.has($0) && ($0 == "title" || !fields.isNull($0)) }) else {
      throw ConversationError(.invalid, "The body changes nothing; it may hold \(names.joined(separator: ", ")).")
    }
    let title = try fields.string("title").map(UpdateConversation.Title.named)
    update = UpdateConversation(
      conversation, title: fields.isNull("title") ? .automatic : title, context: try fields.jsonObject("context"),
      isArchived: try fields.boolean("archived"), isPinned: try fields.boolean("pinned"),
      activeBranch: try fields.count("active_branch"), ifVersion: ifVersion)
  }
}

/// The body of `PATCH /v1/messages/{id}`.
public struct ReviseBody {
  public let revise: Revise

  public init(_ json: JSONValue, of message: MessageID, ifRevision: Int?) throws(ConversationError) {
    let fields = try ObjectReader(json, allowing: ["content", "metadata"])
    revise = Revise(
      message, content: try fields.string("content"), metadata: try fields.jsonObject("metadata"),
      ifRevision: ifRevision)
  }
}

/// The body of `POST /v1/conversations/{id}/branches`: a fork behind a message, or an edit that takes a
/// message's place.
public struct MakeBranchBody {
  public let make: MakeBranch

  private static let textFields = ["content", "client_id", "intent", "confidence", "entities", "metadata"]

  public init(
    _ json: JSONValue, in conversation: ConversationID, idempotencyKey: String?
  ) throws(ConversationError) {
    let fields = try ObjectReader(
      json, allowing: ["from_message", "edit_message", "title", "activate"] + Self.textFields)
    guard fields.has("from_message") != fields.has("edit_message") else {
      throw ConversationError(
        .invalid, "A branch names from_message, after which it goes on (null for before the first), or edit_message.",
        field: "from_message")
    }
    let title = try fields.string("title")
    let isActivated = try fields.boolean("activate") ?? true
    if fields.has("from_message") {
      // A client id names a message, and here is none.
      let extra = idempotencyKey == nil ? Self.textFields.first { fields.has($0) } : "client_id"
      if let extra {
        throw ConversationError(
          .invalid, "A branch with from_message starts empty; \(extra) belongs to edit_message.", field: extra)
      }
      make = .fork(conversation, after: try fields.id("from_message"), title: title, isActivated: isActivated)
      return
    }
    guard let edited: MessageID = try fields.id("edit_message") else {
      throw ConversationError(.invalid, "The field edit_message must be a message's id.", field: "edit_message")
    }
    let clientID = try fields.string("client_id")
    if let clientID, let idempotencyKey, !clientID.utf8.elementsEqual(idempotencyKey.utf8) {
      throw ConversationError.differingKeys
    }
    // The role is the edited message's; the store sets it.
    let replacement = NewMessage(
      role: .user, content: try fields.requiredString("content"), clientID: clientID ?? idempotencyKey,
      intent: try fields.string("intent"), confidence: try fields.confidence("confidence"),
      entities: try fields.jsonObject("entities") ?? .emptyObject,
      metadata: try fields.jsonObject("metadata") ?? .emptyObject)
    make = .edit(conversation, edited, by: replacement, title: title, isActivated: isActivated)
  }
}

extension ConversationError {
  static let differingKeys = ConversationError(
    .invalid, "The header Idempotency-Key and the field client_id are the same thing, but they differ.",
    field: "client_id")
}

/// The body of `PATCH /v1/conversations/{id}/branches/{n}`.
public struct UpdateBranchBody {
  public let update: UpdateBranch

  public init(_ json: JSONValue, of branch: BranchKey) throws(ConversationError) {
    let fields = try ObjectReader(json, allowing: ["title"])
    guard fields.has("title") else {
      throw ConversationError(.invalid, "The body changes nothing; it may hold title.")
    }
    update = UpdateBranch(branch, title: try fields.string("title"))
  }
}

/// The body of `POST /v1/conversations/{id}/messages`: one message, or `messages` with several.
public struct AppendBody {
  public let userID: UserID?
  public let append: Append
  /// Whether the answer names one `message` or a list of `messages`.
  public let isList: Bool

  private static let messageFields = [
    "role", "content", "client_id", "intent", "confidence", "entities", "metadata",
  ]
  private static let placeFields = ["user_id", "parent", "branch", "on_conflict"]

  /// - Parameter idempotencyKey: The header: the client id of the message, or of the first of several. It
  ///   makes the whole append repeatable, because the others must then stand behind that one.
  public init(
    _ json: JSONValue, to conversation: ConversationID, idempotencyKey: String?
  ) throws(ConversationError) {
    isList = json.object?["messages"] != nil
    let fields = try ObjectReader(
      json, allowing: isList ? ["messages"] + Self.placeFields : Self.messageFields + Self.placeFields)
    userID = try fields.id("user_id")
    var messages: [NewMessage] = []
    if isList {
      let list = try fields.array("messages") ?? []
      guard Limits.appendMessages.contains(list.count) else {
        throw ConversationError(
          .invalid, "The field messages holds 1 to \(Limits.appendMessages.upperBound) messages.", field: "messages")
      }
      for item in list {
        messages.append(try Self.message(try ObjectReader(item, allowing: Self.messageFields)))
      }
    } else {
      messages = [try Self.message(fields)]
    }
    if let idempotencyKey { try Self.name(&messages, idempotencyKey) }
    append = Append(
      to: conversation, messages, parent: try fields.id("parent"), branch: try fields.count("branch"),
      onConflict: try Self.onConflict(fields))
  }

  private static func onConflict(_ fields: ObjectReader) throws(ConversationError) -> Append.OnConflict {
    guard let text = try fields.string("on_conflict") else { return .branch }
    guard let onConflict = Append.OnConflict(rawValue: text) else {
      throw ConversationError(.invalid, "The field on_conflict must be branch or reject.", field: "on_conflict")
    }
    return onConflict
  }

  private static func message(_ fields: ObjectReader) throws(ConversationError) -> NewMessage {
    guard let role = Message.Role(rawValue: try fields.requiredString("role")) else {
      let allowed = Message.Role.allCases.map(\.rawValue).joined(separator: ", ")
      throw ConversationError(.invalid, "The field role must be one of \(allowed).", field: "role")
    }
    return NewMessage(
      role: role, content: try fields.requiredString("content"), clientID: try fields.string("client_id"),
      intent: try fields.string("intent"), confidence: try fields.confidence("confidence"),
      entities: try fields.jsonObject("entities") ?? .emptyObject,
      metadata: try fields.jsonObject("metadata") ?? .emptyObject)
  }

  private static func name(_ messages: inout [NewMessage], _ key: String) throws(ConversationError) {
    if let clientID = messages[0].clientID, !clientID.utf8.elementsEqual(key.utf8) {
      throw ConversationError.differingKeys
    }
    messages[0].clientID = key
  }
}
