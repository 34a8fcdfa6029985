public import ConversationModel
import StrictJSON

/// What a server says over the live door: one JSON object a frame, as `LiveFrames.swift` writes it.
public struct LiveReply: Sendable {
  public enum Kind: Sendable {
    case attached(LiveStart)
    case ack(Receipt)
    /// The acknowledgement of a turn.
    case began(BegunTurn)
    /// The acknowledgement of a `cancel`.
    case cancelled
    /// The acknowledgement of a `switch`.
    case switched(Branch)
    case event(Version, [Changes.Change])
    /// With the version that events go on behind; nil from a server that does not tell it.
    case resync(Version?)
    case presence(Presence)
    case stored(Delivery)
    case draft(turn: MessageID, text: String)
    case delta(turn: MessageID, offset: Int, text: String)
    case tool(turn: MessageID, ToolUse)
    case done(turn: MessageID, Message, failure: ConversationError?)
    case hint(Hint)
    case history(MessagePageContent)
    case error(ConversationError)
    case watching
    case detached
    case pong
    /// Something that only a newer server says.
    case unknown
  }

  /// A conversation of the user's has changed.
  public struct Hint: Hashable, Sendable {
    public var conversation: ConversationID
    public var version: Version
    public var title: String?
  }

  /// A page that does not say of which conversation it is: whoever asked knows.
  public struct MessagePageContent: Sendable {
    let fields: ReplyObject

    /// - Throws: `.internal`, as all readings.
    public func page(of conversation: ConversationID) throws(ConversationError) -> MessagePage {
      try MessagePage(reply: fields, of: conversation)
    }
  }

  public let kind: Kind
  /// The number that the client gave the frame which this answers; nil for what it did not ask for.
  public let ref: Int?

  /// - Throws: `.internal` for anything but a frame, naming the field that is missing or of another type.
  public init(_ bytes: UnsafeRawBufferPointer) throws(ConversationError) {
    let json: JSONValue
    do {
      json = try JSONReader.read(bytes, limits: JSONLimits(bytes: Limits.serverFrameBytes, depth: Reply.depth))
    } catch {
      throw .unreadable("a frame is no JSON text", error)
    }
    let fields = try ReplyObject(json, "frame")
    ref = json.object?["ref"]?.number?.int
    kind = try Self.kind(of: fields)
  }

  private static func kind(of fields: ReplyObject) throws(ConversationError) -> Kind {
    switch try fields.string("type") {
    case "attached": return .attached(try LiveStart(reply: fields))
    case "ack":
      // A switch and a cancel change nothing that could be stored.
      guard fields.has("durability") else {
        if fields.has("branch") { return .switched(try Branch(reply: try fields.object("branch"))) }
        let _: MessageID = try fields.id("turn_id")
        return .cancelled
      }
      let receipt = try Receipt(reply: fields)
      return fields.has("turn_id") ? .began(BegunTurn(turn: try fields.id("turn_id"), receipt: receipt)) : .ack(receipt)
    case "event":
      let version = try fields.count("version")
      return .event(
        version,
        try fields.list("changes", of: "change") { change throws(ConversationError) in
          try Changes.Change(reply: change, version: version)
        })
    case "resync": return .resync(fields.has("version") ? try fields.count("version") : nil)
    case "presence": return .presence(try Presence(reply: fields))
    case "stored": return .stored(try Delivery(reply: fields))
    case "draft": return .draft(turn: try fields.id("turn_id"), text: try fields.string("text"))
    case "delta":
      return .delta(turn: try fields.id("turn_id"), offset: try fields.count("offset"), text: try fields.string("text"))
    case "tool": return .tool(turn: try fields.id("turn_id"), try ToolUse(reply: fields))
    case "done":
      return .done(
        turn: try fields.id("turn_id"), try Message(reply: try fields.object("message")),
        failure: fields.has("error") ? try ConversationError(reply: try fields.object("error")) : nil)
    case "hint":
      return .hint(
        Hint(
          conversation: try fields.id("conversation_id"), version: try fields.count("version"),
          title: try fields.optional("title", fields.string)))
    case "history": return .history(MessagePageContent(fields: fields))
    case "error": return .error(try ConversationError(reply: fields))
    case "watching": return .watching
    case "detached": return .detached
    case "pong": return .pong
    default: return .unknown
    }
  }
}

extension LiveStart {
  fileprivate init(reply fields: ReplyObject) throws(ConversationError) {
    let conversation = try Conversation(reply: try fields.object("conversation"))
    let branch = try fields.count("branch")
    let version = try fields.count("version")
    let content: Content
    if fields.has("missed") {
      content = .missed(try fields.list("missed", of: "change", Changes.Change.init(reply:)))
    } else {
      let messages = try fields.list("messages", of: "message", Message.init(reply:))
      let page = MessagePage(
        conversation: conversation.id, messages: messages, forks: try fields.forks(), branch: branch,
        before: try fields.optional("before", fields.string), after: nil,
        // It is the newest page, so it ends at the head; those that are only spooled have no position yet.
        headPosition: messages.map(\.position).max() ?? 0, version: version,
        isDegraded: fields.has("degraded") ? try fields.boolean("degraded") : false)
      content = .page(page, isResync: fields.has("resync") ? try fields.boolean("resync") : false)
    }
    self.init(
      conversation: conversation, branch: branch, version: version, content: content,
      presence: try Presence(reply: try fields.object("presence")))
  }
}

extension ToolUse {
  fileprivate init(reply fields: ReplyObject) throws(ConversationError) {
    self.init(
      name: try fields.string("name"), arguments: try fields.optional("arguments", fields.json),
      result: try fields.string("result"), isError: try fields.boolean("is_error"))
  }
}

extension Delivery {
  fileprivate init(reply fields: ReplyObject) throws(ConversationError) {
    let id: MessageID = try fields.id("id")
    self.init(
      clientID: try fields.optional("client_id", fields.string), message: id,
      spooledID: fields.has("spooled_id") ? try fields.id("spooled_id") : id,
      position: try fields.count("position"), version: try fields.count("version"))
  }
}

extension Presence {
  fileprivate init(reply fields: ReplyObject) throws(ConversationError) {
    self.init(
      connections: try fields.list("connections", of: "connection") { connection throws(ConversationError) in
        Connection(
          id: try connection.string("id"), client: try connection.string("client"), since: try connection.time("since"))
      }, typing: try fields.strings("typing"))
  }
}
