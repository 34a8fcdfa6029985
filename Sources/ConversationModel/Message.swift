/// One message at its place in a conversation's tree.
public struct Message: Hashable, Sendable {
  public enum Role: String, Sendable, CaseIterable {
    case user, assistant, system, tool
  }

  public enum Status: String, Sendable, CaseIterable {
    case complete
    /// An answer that is being written.
    case streaming
    /// An answer that was cancelled or cut off.
    case incomplete
    /// Text, revisions and metadata are blank; the place is kept.
    case deleted
  }

  public var id: MessageID
  public var clientID: String?
  public var conversationID: ConversationID
  public var branch: BranchNumber
  public var position: Position
  public var role: Role
  public var content: String
  public var intent: String?
  public var confidence: Confidence?
  public var entities: JSONText
  public var metadata: JSONText
  public var status: Status
  /// 1 for the text as appended; each edit in place adds one. The message's ETag.
  public var revision: Int
  public var createdAt: Timestamp
  public var editedAt: Timestamp?
  /// One that is only spooled has no place yet: its position is 0, and its branch what was asked for.
  public var durability: Durability

  public init(
    id: MessageID, clientID: String?, conversationID: ConversationID, branch: BranchNumber, position: Position,
    role: Role, content: String, intent: String?, confidence: Confidence?, entities: JSONText, metadata: JSONText,
    status: Status, revision: Int, createdAt: Timestamp, editedAt: Timestamp?, durability: Durability = .stored
  ) {
    self.id = id
    self.clientID = clientID
    self.conversationID = conversationID
    self.branch = branch
    self.position = position
    self.role = role
    self.content = content
    self.intent = intent
    self.confidence = confidence
    self.entities = entities
    self.metadata = metadata
    self.status = status
    self.revision = revision
    self.createdAt = createdAt
    self.editedAt = editedAt
    self.durability = durability
  }
}

extension Message {
  /// Whether it says nothing at all, as a deleted one must.
  public var isBlank: Bool {
    content.isEmpty && intent == nil && confidence == nil && entities.isEmptyObject && metadata.isEmptyObject
  }
}

/// How sure the assistant was, as the former system's `decimal(3,2)`: hundredths from -9.99 to 9.99.
public struct Confidence: Hashable, Sendable {
  public let hundredths: Int

  /// Rounds half away from zero, as PostgreSQL does; nil when the rounded number needs a third digit.
  public init?(rounding value: Double) {
    guard value.isFinite, abs(value) < 10 else { return nil }
    // The nudge is far below any third decimal and above the error of a binary double, so that a
    // written 0.285, stored as 0.28499999999999998, still rounds up.
    let hundredfold = value * 100
    let nudged = hundredfold + hundredfold * 4e-15
    self.init(hundredths: Int(nudged.rounded(.toNearestOrAwayFromZero)))
  }

  /// Nil outside -999...999.
  public init?(hundredths: Int) {
    guard (-999...999).contains(hundredths) else { return nil }
    self.hundredths = hundredths
  }

  /// Always two decimals: `0.90`.
  public var text: String {
    let magnitude = abs(hundredths)
    let cents = magnitude % 100
    return "\(hundredths < 0 ? "-" : "")\(magnitude / 100).\(cents < 10 ? "0" : "")\(cents)"
  }
}

/// An earlier text of a message that was edited in place.
public struct Revision: Hashable, Sendable {
  /// 1 for the text as appended.
  public var number: Int
  public var content: String
  public var metadata: JSONText
  public var replacedAt: Timestamp

  public init(number: Int, content: String, metadata: JSONText, replacedAt: Timestamp) {
    self.number = number
    self.content = content
    self.metadata = metadata
    self.replacedAt = replacedAt
  }
}

/// A message with what surrounds it.
public struct MessageDetail: Hashable, Sendable {
  public var message: Message
  /// The messages at the same place after the same predecessor, this one included, by branch number.
  public var siblings: [Sibling]

  public struct Sibling: Hashable, Sendable {
    public var id: MessageID
    public var branch: BranchNumber

    public init(id: MessageID, branch: BranchNumber) {
      self.id = id
      self.branch = branch
    }
  }

  public init(message: Message, siblings: [Sibling]) {
    self.message = message
    self.siblings = siblings
  }
}
