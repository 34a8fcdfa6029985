public import ConversationModel
import StrictJSON

extension LiveRequest {
  /// The bytes of a frame that `LiveRequest` reads as this one.
  ///
  /// - Parameter ref: Comes back in the answer.
  /// - Throws: `.invalid` for an attach to a new session: the frame has no word for it.
  public static func bytes(_ kind: Kind, ref: Int? = nil) throws(ConversationError) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginFrame(kind.name, ref: ref.map { JSONText(canonical: "\($0)") })
    switch kind {
    case .attach(let attach): try writer.fields(of: attach)
    case .send(let send):
      writer.field("role", send.message.role.rawValue)
      writer.text(of: send.message)
      if let parent = send.parent { writer.field("parent", parent) }
    case .history(let page):
      writer.field("limit", page.limit)
      writer.anchor(of: page.part)
    case .edit(let revise):
      writer.field("message_id", revise.message)
      writer.present("content", revise.content)
      writer.present("metadata", revise.metadata)
    case .branch(let body):
      for member in body.object?.members ?? [] {
        writer.key(member.key)
        writer.raw(member.value.canonicalText())
      }
    case .switchBranch(let branch): writer.field("branch", branch)
    case .turn(.ask(let question, let parent, _)):
      writer.text(of: question)
      if let parent { writer.field("parent", parent) }
    case .turn(.edit(let id, let question)):
      writer.text(of: question)
      writer.field("edit_message", id)
    case .turn(.regenerate(let id, let clientID)):
      writer.field("message_id", id)
      writer.present("client_id", clientID)
    case .cancel(let turn): writer.field("turn_id", turn)
    case .typing(let isTyping): writer.field("on", isTyping)
    case .watch, .detach, .ping: break
    }
    writer.endObject()
    return writer.takeBytes()
  }
}

extension LiveRequest.Kind {
  fileprivate var name: String {
    switch self {
    case .attach: "attach"
    case .send: "send"
    case .history: "history"
    case .edit: "edit"
    case .branch: "branch"
    case .switchBranch: "switch"
    case .turn(.regenerate): "regenerate"
    case .turn: "turn"
    case .cancel: "cancel"
    case .watch: "watch"
    case .typing: "typing"
    case .detach: "detach"
    case .ping: "ping"
    }
  }
}

extension JSONWriter {
  fileprivate mutating func fields(of attach: Attach) throws(ConversationError) {
    switch attach.target {
    case .conversation(let id): field("conversation_id", id)
    case .session(.named(let name)): field("session_id", name)
    case .session(.default): nullField("session_id")
    case .session(.new):
      throw ConversationError(.invalid, "A client attaches to a session by its name, or to the default one.")
    }
    if let user = attach.user { field("user_id", user) }
    if let since = attach.since { field("since", since) }
  }

  fileprivate mutating func anchor(of part: MessagePageRequest.Part) {
    let (name, anchor): (String, MessagePageRequest.Anchor)
    switch part {
    case .latest: return
    case .before(let place): (name, anchor) = ("before", place)
    case .after(let place): (name, anchor) = ("after", place)
    case .around(let place): (name, anchor) = ("around", place)
    }
    switch anchor {
    case .position(let position): field(name, position)
    case .message(let id): field(name, id)
    case .cursor(let text): field(name, text)
    }
  }
}
