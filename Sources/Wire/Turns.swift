public import ConversationModel
public import StrictJSON

/// The body of `POST /v1/conversations/{id}/turns`: a question, another text for one, or the wish for another answer.
public struct TurnBody {
  public let userID: UserID?
  public let request: TurnRequest
  /// The model that the caller expects; nil for whichever answers.
  public let model: String?

  private static let textFields = ["content", "client_id", "intent", "confidence", "entities", "metadata"]

  /// - Parameter idempotencyKey: The header, the same thing as `client_id`.
  public init(_ json: JSONValue, idempotencyKey: String?) throws(ConversationError) {
    let fields = try ObjectReader(
      json, allowing: Self.textFields + ["parent", "branch", "regenerate", "edit_message", "model", "user_id"])
    userID = try fields.id("user_id")
    model = try fields.string("model")
    request = try TurnRequest(fields, regenerates: "regenerate", idempotencyKey: idempotencyKey)
  }
}

extension TurnRequest {
  /// - Parameter regenerates: The field that names the answer which is to be written anew.
  init(
    _ fields: ObjectReader, regenerates: String, idempotencyKey: String? = nil
  ) throws(ConversationError) {
    let clientID = try fields.string("client_id") ?? idempotencyKey
    if let clientID, let idempotencyKey, !clientID.utf8.elementsEqual(idempotencyKey.utf8) {
      throw ConversationError.differingKeys
    }
    func refuse(_ names: [String], beside field: String) throws(ConversationError) {
      guard let extra = names.first(where: { fields.has($0) }) else { return }
      throw ConversationError(.invalid, "The fields \(field) and \(extra) exclude each other.", field: extra)
    }
    if fields.has(regenerates) {
      try refuse(
        ["content", "intent", "confidence", "entities", "metadata", "parent", "branch", "edit_message"],
        beside: regenerates)
      guard let id: MessageID = try fields.id(regenerates) else {
        throw ConversationError(.invalid, "The field \(regenerates) must be a message's id.", field: regenerates)
      }
      self = .regenerate(id, clientID: clientID)
      return
    }
    let question = NewMessage(
      role: .user, content: try fields.requiredString("content"), clientID: clientID,
      intent: try fields.string("intent"), confidence: try fields.confidence("confidence"),
      entities: try fields.jsonObject("entities") ?? .emptyObject,
      metadata: try fields.jsonObject("metadata") ?? .emptyObject)
    guard fields.has("edit_message") else {
      self = .ask(question, parent: try fields.id("parent"), branch: try fields.count("branch"))
      return
    }
    try refuse(["parent", "branch"], beside: "edit_message")
    guard let id: MessageID = try fields.id("edit_message") else {
      throw ConversationError(.invalid, "The field edit_message must be a message's id.", field: "edit_message")
    }
    self = .edit(id, question)
  }
}

extension JSONWriter {
  /// What a turn begins with: the question (nil for an answer that is written anew) and the answer's place.
  public mutating func turnBegins(_ receipt: Receipt, question: Message?, turn: MessageID) {
    beginObject()
    key("message")
    if let question = question ?? receipt.messages.last { message(question) } else { null() }
    field("turn_id", turn)
    if let branch = receipt.branch {
      key("branch")
      self.branch(branch)
    }
    field("replayed", receipt.isReplay)
    endObject()
  }

  /// What a turn came to.
  public mutating func turn(_ receipt: Receipt, question: Message?, reply: Message) {
    beginObject()
    key("message")
    if let question { message(question) } else { null() }
    key("reply")
    message(reply)
    field("turn_id", reply.id)
    if let branch = receipt.branch {
      key("branch")
      self.branch(branch)
    }
    field("replayed", receipt.isReplay)
    endObject()
  }

  public mutating func turnEnds(_ message: Message) {
    beginObject()
    key("message")
    self.message(message)
    endObject()
  }

  /// The fields of a piece of an answer: `offset` counts Unicode scalars.
  public mutating func delta(offset: Int, _ text: String) {
    field("offset", offset)
    field("text", text)
  }

  /// The fields of a tool that was run.
  public mutating func toolUse(_ use: ToolUse) {
    field("name", use.name)
    key("arguments")
    if let arguments = use.arguments { raw(arguments.text) } else { null() }
    field("result", use.result)
    field("is_error", use.isError)
  }
}
