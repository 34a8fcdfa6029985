import ConversationModel
import StoreSQL

/// One acknowledged command that waits for the store.
struct SpoolRecord: Sendable {
  enum Content: Sendable {
    case open(OpenConversation)
    /// With the ids that its messages were acknowledged under.
    case append(Append, [MessageID])
  }

  /// Its place in the spool; 0 before it has one.
  var sequence = 0
  /// The conversation as the client was told.
  let conversation: ConversationID
  /// The conversation's owner, as whom the record is applied.
  let user: UserID
  let content: Content
  let createdAt: Timestamp

  var command: Command {
    switch content {
    case .open(let open): .open(open)
    case .append(let append, _): .append(append)
    }
  }

  /// What the store is to call what the record makes.
  var preset: Preset {
    switch content {
    case .open: Preset(conversation: conversation, time: createdAt, isRepeated: true)
    case .append(_, let ids): Preset(messages: ids, time: createdAt, isRepeated: true)
    }
  }

  /// Bytes of text and objects.
  var bytes: Int {
    switch content {
    case .open(let open): 256 + (open.context?.text.utf8.count ?? 0)
    case .append(let append, _):
      append.messages.reduce(256) {
        $0 + $1.content.utf8.count + $1.entities.text.utf8.count + $1.metadata.text.utf8.count + 128
      }
    }
  }

  /// The messages as a reader of the spool sees them.
  ///
  /// - Parameter id: What the conversation is called by now.
  func messages(in id: ConversationID, activeBranch: BranchNumber) -> [Message] {
    guard case .append(let append, let ids) = content else { return [] }
    return zip(ids, append.messages).map { messageID, new in
      Message(
        id: messageID, clientID: new.clientID, conversationID: id, branch: append.branch ?? activeBranch, position: 0,
        role: new.role, content: new.content, intent: new.intent, confidence: new.confidence, entities: new.entities,
        metadata: new.metadata, status: .complete, revision: 1, createdAt: createdAt, editedAt: nil,
        durability: .spooled)
    }
  }

  /// The conversation that an opening makes, as far as the spool can know it.
  var freshConversation: Conversation? {
    guard case .open(let open) = content else { return nil }
    let sessionID: String? =
      switch open.session {
      case .default: nil
      case .named(let name): name
      case .new: conversation.description
      }
    return Conversation(
      id: conversation, userID: user, sessionID: sessionID, isDefault: open.session == .default, title: open.title,
      context: open.context ?? .emptyObject, isArchived: false, isPinned: false, activeBranch: Branch.trunk,
      headPosition: 0, messageCount: 0, branchCount: 1, version: 1, createdAt: createdAt, updatedAt: createdAt)
  }

  /// Stands for everything in it: a record that lost a bit is not applied.
  var checksum: [UInt8] {
    var fields = ["\(conversation)", "\(user)", "\(createdAt.microseconds)"]
    // Each is preceded by its length, so that no two lists run together.
    func add(_ text: String?) { fields.append(text.map { "\($0.utf8.count):\($0)" } ?? "-") }
    switch content {
    case .open(let open):
      switch open.session {
      case .default: fields.append("default")
      case .new: fields.append("new")
      case .named(let name): add(name)
      }
      add(open.title)
      add(open.context?.text)
      fields.append("\(open.replacesContext)")
    case .append(let append, let ids):
      fields += [
        "\(append.onConflict.rawValue)", append.parent.map { "\($0)" } ?? "-", append.branch.map { "\($0)" } ?? "-",
      ]
      for (id, message) in zip(ids, append.messages) {
        fields.append("\(id)")
        add(message.clientID)
        fields.append("\(message.fingerprint)")
      }
    }
    return NewMessage(role: .system, content: fields.joined(separator: "\n")).fingerprint
  }
}
