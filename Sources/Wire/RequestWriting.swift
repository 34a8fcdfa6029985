public import ConversationModel
import StrictJSON

// What a client sends: for each body that `Requests.swift` reads, the bytes that it reads as this command.

extension OpenConversationBody {
  public static func bytes(_ open: OpenConversation) -> [UInt8] {
    objectBytes { writer in
      writer.field("user_id", open.user)
      switch open.session {
      case .default: writer.nullField("session_id")
      case .named(let name): writer.field("session_id", name)
      case .new: break
      }
      writer.present("title", open.title)
      writer.present("context", open.context)
    }
  }
}

extension UpdateConversationBody {
  public static func bytes(_ update: UpdateConversation) -> [UInt8] {
    objectBytes { writer in
      switch update.title {
      case .named(let title): writer.field("title", title)
      case .automatic: writer.nullField("title")
      case nil: break
      }
      writer.present("context", update.context)
      if let isArchived = update.isArchived { writer.field("archived", isArchived) }
      if let isPinned = update.isPinned { writer.field("pinned", isPinned) }
      if let branch = update.activeBranch { writer.field("active_branch", branch) }
    }
  }
}

extension AppendBody {
  /// Always a list of messages, so that the receipt lists them too.
  public static func bytes(_ append: Append) -> [UInt8] {
    let texts = append.messages.reduce(0) { $0 + $1.content.utf8.count + $1.metadata.text.utf8.count }
    return objectBytes(reserving: texts + 256 * append.messages.count) { writer in
      writer.key("messages")
      writer.list(append.messages) { writer, message in
        writer.beginObject()
        writer.field("role", message.role.rawValue)
        writer.text(of: message)
        writer.endObject()
      }
      if let parent = append.parent { writer.field("parent", parent) }
      if let branch = append.branch { writer.field("branch", branch) }
      writer.field("on_conflict", append.onConflict.rawValue)
    }
  }
}

extension ReviseBody {
  public static func bytes(_ revise: Revise) -> [UInt8] {
    objectBytes { writer in
      writer.present("content", revise.content)
      writer.present("metadata", revise.metadata)
    }
  }
}

extension MakeBranchBody {
  /// - Throws: `.invalid` for a fork with a message, a replacement without one, and an origin that is not
  ///   theirs: the body has no words for these.
  public static func bytes(_ make: MakeBranch) throws(ConversationError) -> [UInt8] {
    switch (make.start, make.origin, make.message) {
    case (.after(let message), .fork, nil):
      objectBytes { writer in
        if let message { writer.field("from_message", message) } else { writer.nullField("from_message") }
        writer.end(of: make)
      }
    case (.inPlaceOf(let message), .edit, let replacement?):
      objectBytes { writer in
        writer.field("edit_message", message)
        writer.text(of: replacement)
        writer.end(of: make)
      }
    default:
      throw ConversationError(
        .invalid, "The native door makes a branch as a fork without a message, or as an edit with one.")
    }
  }
}

extension UpdateBranchBody {
  public static func bytes(_ update: UpdateBranch) -> [UInt8] {
    objectBytes { $0.field("title", update.title) }
  }
}

private func objectBytes(reserving bytes: Int = 256, _ fields: (inout JSONWriter) -> Void) -> [UInt8] {
  var writer = JSONWriter(reserving: bytes)
  writer.beginObject()
  fields(&writer)
  writer.endObject()
  return writer.takeBytes()
}

extension JSONWriter {
  /// A message but for its role.
  mutating func text(of message: NewMessage) {
    field("content", message.content)
    present("client_id", message.clientID)
    present("intent", message.intent)
    if let confidence = message.confidence {
      key("confidence")
      raw(confidence.text)
    }
    if !message.entities.isEmptyObject { field("entities", message.entities) }
    if !message.metadata.isEmptyObject { field("metadata", message.metadata) }
  }

  fileprivate mutating func end(of make: MakeBranch) {
    present("title", make.title)
    field("activate", make.isActivated)
  }

  mutating func present(_ name: String, _ value: String?) {
    if let value { field(name, value) }
  }

  mutating func present(_ name: String, _ value: JSONText?) {
    if let value { field(name, value) }
  }
}
