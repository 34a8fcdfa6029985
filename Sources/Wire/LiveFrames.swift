public import ConversationModel
public import StrictJSON

/// What a client says over the live door: one JSON object a frame.
public struct LiveRequest {
  public enum Kind {
    case attach(Attach)
    case send(Send)
    case history(MessagePageRequest)
    case edit(Revise)
    /// The frame without what is the door's own: the body of `POST …/branches`.
    case branch(JSONValue)
    case switchBranch(BranchNumber)
    case turn(TurnRequest)
    case cancel(MessageID)
    case watch
    case typing(Bool)
    case detach
    case ping
  }

  public struct Send {
    public let message: NewMessage
    public let parent: MessageID?

    public init(_ message: NewMessage, parent: MessageID? = nil) {
      self.message = message
      self.parent = parent
    }
  }

  public let kind: Kind
  /// The client's name for this frame, as JSON, which the answer repeats.
  public let ref: JSONText?

  /// The `ref` of a frame whose request may be wrong; nil if there is none to repeat.
  public static func ref(of json: JSONValue) -> JSONText? {
    guard let value = json.object?["ref"], value.array == nil, value.object == nil, !value.isNull else { return nil }
    let text = value.canonicalText()
    return text.utf8.count <= Limits.refBytes ? JSONText(canonical: text) : nil
  }

  /// - Throws: `.invalid`, naming what was wrong and what is allowed.
  public init(_ json: JSONValue) throws(ConversationError) {
    guard let object = json.object, let type = object["type"]?.string else {
      throw ConversationError(.invalid, "A frame is a JSON object with a type.", field: "type")
    }
    ref = Self.ref(of: json)
    let rest = JSONObject(members: object.members.filter { $0.key != "type" && $0.key != "ref" }) ?? JSONObject()
    let body = JSONValue.object(rest)
    func fields(_ names: String...) throws(ConversationError) -> ObjectReader {
      try ObjectReader(body, allowing: names)
    }
    switch type {
    case "attach":
      kind = .attach(try Self.attach(try fields("conversation_id", "session_id", "user_id", "since")))
    case "send":
      kind = .send(
        try Self.send(
          try fields(
            "client_id", "content", "role", "parent", "intent", "confidence", "entities", "metadata")))
    case "history": kind = .history(try Self.history(try fields("before", "after", "around", "limit")))
    case "edit":
      let fields = try fields("message_id", "content", "metadata")
      guard let message: MessageID = try fields.id("message_id") else {
        throw ConversationError(.invalid, "The field message_id is missing.", field: "message_id")
      }
      kind = .edit(
        Revise(message, content: try fields.string("content"), metadata: try fields.jsonObject("metadata")))
    case "branch": kind = .branch(body)
    case "switch":
      guard let branch = try fields("branch").count("branch") else {
        throw ConversationError(.invalid, "The field branch is missing.", field: "branch")
      }
      kind = .switchBranch(branch)
    case "turn":
      kind = .turn(
        try TurnRequest(
          try fields(
            "client_id", "content", "parent", "edit_message", "intent", "confidence", "entities", "metadata"),
          regenerates: "message_id"))
    case "regenerate":
      let fields = try fields("message_id", "client_id")
      guard fields.has("message_id") else {
        throw ConversationError(.invalid, "The field message_id is missing.", field: "message_id")
      }
      kind = .turn(try TurnRequest(fields, regenerates: "message_id"))
    case "cancel":
      guard let turn: MessageID = try fields("turn_id").id("turn_id") else {
        throw ConversationError(.invalid, "The field turn_id is missing.", field: "turn_id")
      }
      kind = .cancel(turn)
    case "typing":
      guard let on = try fields("on").boolean("on") else {
        throw ConversationError(.invalid, "The field on is missing.", field: "on")
      }
      kind = .typing(on)
    case "watch": (kind, _) = (.watch, try fields())
    case "detach": (kind, _) = (.detach, try fields())
    case "ping": (kind, _) = (.ping, try fields())
    default:
      throw ConversationError(
        .invalid,
        "The type of a frame is attach, send, turn, regenerate, cancel, history, edit, branch, switch, watch, typing, "
          + "detach or ping.",
        field: "type")
    }
  }

  private static func attach(_ fields: ObjectReader) throws(ConversationError) -> Attach {
    let target: Attach.Target
    if let id: ConversationID = try fields.id("conversation_id") {
      guard !fields.has("session_id") else {
        throw ConversationError(
          .invalid, "Only one of conversation_id and session_id may be named.", field: "session_id")
      }
      target = .conversation(id)
    } else {
      guard fields.has("session_id") else {
        throw ConversationError(
          .invalid, "An attach names conversation_id, or session_id (null for the default conversation).",
          field: "session_id")
      }
      target = .session(try fields.string("session_id").map(SessionKey.named) ?? .default)
    }
    return Attach(target, of: try fields.id("user_id"), since: try fields.count("since"))
  }

  private static func send(_ fields: ObjectReader) throws(ConversationError) -> Send {
    guard let clientID = try fields.string("client_id") else {
      throw ConversationError(
        .invalid, "The field client_id is missing: it makes a send repeatable.", field: "client_id")
    }
    guard let role = Message.Role(rawValue: try fields.string("role") ?? Message.Role.user.rawValue) else {
      let allowed = Message.Role.allCases.map(\.rawValue).joined(separator: ", ")
      throw ConversationError(.invalid, "The field role must be one of \(allowed).", field: "role")
    }
    let message = NewMessage(
      role: role, content: try fields.requiredString("content"), clientID: clientID,
      intent: try fields.string("intent"), confidence: try fields.confidence("confidence"),
      entities: try fields.jsonObject("entities") ?? .emptyObject,
      metadata: try fields.jsonObject("metadata") ?? .emptyObject)
    return Send(message, parent: try fields.id("parent"))
  }

  private static func history(_ fields: ObjectReader) throws(ConversationError) -> MessagePageRequest {
    let names = ["before", "after", "around"].filter { fields.has($0) && !fields.isNull($0) }
    let limit = try fields.count("limit") ?? Limits.defaultPageItems
    guard let name = names.first else { return MessagePageRequest(limit: limit) }
    guard names.count == 1 else {
      throw ConversationError(.invalid, "Only one of before, after and around may be named.", field: names[1])
    }
    return MessagePageRequest(limit: limit, try fields.anchor(name).map { .init(name, $0) } ?? .latest)
  }
}

extension ObjectReader {
  /// A position, a message's id or a cursor.
  fileprivate func anchor(_ field: String) throws(ConversationError) -> MessagePageRequest.Anchor? {
    if let position = try? count(field) { return .position(position) }
    return try string(field).map { text in MessageID(text).map { .message($0) } ?? .cursor(text) }
  }
}

extension MessagePageRequest.Part {
  /// - Parameter name: `before`, `after` or `around`.
  public init(_ name: String, _ anchor: MessagePageRequest.Anchor) {
    self =
      switch name {
      case "before": .before(anchor)
      case "after": .after(anchor)
      default: .around(anchor)
      }
  }
}

// MARK: What the server says

extension JSONWriter {
  /// Opens a frame; its own fields come next, then `endObject`.
  public mutating func beginFrame(_ type: String, ref: JSONText? = nil) {
    beginObject()
    field("type", type)
    if let ref {
      key("ref")
      raw(ref.text)
    }
  }

  public mutating func attached(_ start: LiveStart, ref: JSONText?) {
    beginFrame("attached", ref: ref)
    key("conversation")
    self.conversation(start.conversation)
    field("branch", start.branch)
    field("version", start.version)
    switch start.content {
    case .page(let page, let isResync):
      key("messages")
      list(page.messages) { $0.message($1) }
      forks(page.forks)
      field("has_before", page.before != nil)
      field("before", page.before)
      if isResync { field("resync", true) }
      if page.isDegraded { field("degraded", true) }
    case .missed(let changes):
      key("missed")
      list(changes) { $0.change($1) }
    }
    key("presence")
    beginObject()
    presence(start.presence)
    endObject()
    endObject()
  }

  /// The fields of a presence.
  public mutating func presence(_ presence: Presence) {
    key("connections")
    list(presence.connections) { writer, connection in
      writer.beginObject()
      writer.field("id", connection.id)
      writer.field("client", connection.client)
      writer.field("since", connection.since)
      writer.endObject()
    }
    key("typing")
    list(presence.typing) { $0.string($1) }
  }

  /// One version: every row that it changed and that no later one has changed again.
  public mutating func event(_ version: Version, _ changes: [Changes.Change]) {
    beginFrame("event")
    field("version", version)
    key("changes")
    list(changes) { $0.change($1, naming: false) }
    endObject()
  }

  /// A spooled message is in the store; `spooled_id` stands there if it was acknowledged under another id.
  public mutating func stored(_ delivery: Delivery) {
    beginFrame("stored")
    field("client_id", delivery.clientID)
    field("id", delivery.message)
    if delivery.spooledID != delivery.message { field("spooled_id", delivery.spooledID) }
    field("position", delivery.position)
    field("version", delivery.version)
    endObject()
  }

  /// Too much changed at once to be told; events go on behind `version`.
  public mutating func resync(_ version: Version) {
    beginFrame("resync")
    field("version", version)
    endObject()
  }

  /// Why an answer ended early, in its `done`; nothing for one that is complete or was cancelled.
  public mutating func turnFailure(_ error: ConversationError?) {
    guard let error else { return }
    key("error")
    beginObject()
    field("code", error.code.rawValue)
    field("detail", error.message)
    endObject()
  }

  public mutating func error(_ error: ConversationError, ref: JSONText?) {
    beginFrame("error", ref: ref)
    field("code", error.code.rawValue)
    field("detail", error.message)
    if let name = error.field { field("field", name) }
    if case .turnRuns(let turn) = error.rule { field("turn_id", turn) }
    endObject()
  }

  /// A page of the connection's branch.
  public mutating func history(_ page: MessagePage, ref: JSONText?) {
    beginFrame("history", ref: ref)
    key("data")
    beginArray()
    for message in page.messages { self.message(message) }
    endPage(page)
  }

  /// The answer to a frame that changed something.
  ///
  /// - Parameter turn: The turn that it began, which writes the message of this id.
  public mutating func ack(_ receipt: Receipt, clientID: String? = nil, turn: MessageID? = nil, ref: JSONText?) {
    beginFrame("ack", ref: ref)
    if let clientID { field("client_id", clientID) }
    if let turn { field("turn_id", turn) }
    receiptFields(receipt)
    endObject()
  }
}
