import ConversationModel
import StrictJSON
import Wire

/// A small conversation, as Parley writes it.
enum ParleySample {
  static let id = ConversationID(high: 0x0190_0000_0000_7000, low: 1 << 63 | 7)

  static func conversation(_ messages: Int) -> ArchivedConversation {
    let time = Timestamp(microseconds: 1_700_000_000_000_000)
    let trunk = Branch(
      number: 0, parent: nil, forkPosition: 0, headPosition: messages, title: nil, origin: .trunk, isActive: true,
      isDeleted: false, createdAt: time)
    let conversation = Conversation(
      id: id, userID: UserID(high: 0x0190_0000_0000_7000, low: 1 << 63), sessionID: "s", isDefault: false,
      title: "Title",
      context: .emptyObject, isArchived: false, isPinned: false, activeBranch: 0, headPosition: messages,
      messageCount: messages, branchCount: 1, version: messages + 1, createdAt: time, updatedAt: time)
    return ArchivedConversation(conversation, branches: [ArchivedBranch(trunk, version: 1)])
  }

  private static func message(_ number: Int, _ content: String) -> ArchivedMessage {
    let message = Message(
      id: MessageID(high: 0x0190_0000_0000_7000, low: 1 << 63 | UInt64(number)), clientID: nil, conversationID: id,
      branch: 0, position: number, role: .user, content: content, intent: nil, confidence: nil, entities: .emptyObject,
      metadata: .emptyObject, status: .complete, revision: 1,
      createdAt: Timestamp(microseconds: 1_700_000_000_000_000 + Int64(number)), editedAt: nil)
    return ArchivedMessage(message, version: number + 1)
  }

  private static func text(_ write: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    write(&writer)
    return writer.text
  }

  private static func record(_ number: Int, _ content: String) -> String {
    text { writer in
      writer.beginArchived(message(number, content), hasRevisions: false)
      writer.endArchivedMessage(hasRevisions: false)
    }
  }

  private static func head(_ messages: Int) -> (conversation: String, branch: String) {
    let archive = conversation(messages)
    return (text { $0.conversation(archive.conversation) }, text { $0.archived(archive.branches[0]) })
  }

  /// - Parameter broken: The number of a message that no reader takes.
  static func lines(_ messages: Int, broken: Int? = nil, content: String = "text") -> String {
    let head = head(messages)
    var lines = [
      text { $0.archiveHeader() }, #"{"conversation":\#(head.conversation)}"#, #"{"branch":\#(head.branch)}"#,
    ]
    for number in 1...messages {
      lines.append(number == broken ? #"{"message":7}"# : #"{"message":\#(record(number, content))}"#)
    }
    return lines.joined(separator: "\n") + "\n"
  }

  static func document(_ messages: Int, broken: Int? = nil, content: String = "text") -> String {
    let head = head(messages)
    let records = (1...messages).map { $0 == broken ? "7" : record($0, content) }
    return """
      {"format":"parley","format_version":1,"conversation":\(head.conversation),"branches":[\(head.branch)],
      "messages":[\(records.joined(separator: ","))]}
      """
  }
}
