/// A store that takes commands again, when what became of them is unknown or they were kept elsewhere.
///
/// A command that comes with its ids and its time can be handed over any number of times: it is applied
/// once.
public protocol ReplayableStore: ArchivingStore {
  /// Applies an append or an opening as `apply` does, with ids and a time that were chosen before.
  ///
  /// A repeated one is found by its ids, whatever has become of it since, and then by its client ids or its
  /// session; the receipt is then a replay and names the ids that the store has.
  /// - Throws: As `apply`.
  func apply(_ command: Command, preset: Preset, as principal: Principal) async throws(ConversationError) -> Receipt

  /// Applies appends to one conversation in their order, as if one after the other, in as few commits as it can.
  ///
  /// A parent that an earlier one of them was to make is found, whatever id the store has for it.
  /// - Returns: What became of each. Behind one that is `.unavailable` or `.internal` none was applied.
  func append(
    inOrder appends: [(append: Append, preset: Preset)], as principal: Principal
  ) async -> [Result<Receipt, ConversationError>]

  /// Lets the store take a command that changes nothing.
  ///
  /// - Throws: `.unavailable` if it does not.
  func probe() async throws(ConversationError)

  /// Answers every command that has waited for longer with `.unavailable`. It runs to its end all the
  /// same: its outcome is unknown. Never waits.
  func giveUp(olderThan age: Duration)
}

/// What a command makes, named before it is made.
public struct Preset: Hashable, Sendable {
  /// One for each message of an append.
  public var messages: [MessageID]
  /// For an opening.
  public var conversation: ConversationID?
  /// When the messages or the conversation were made.
  public var time: Timestamp
  /// Whether the command may have been applied before.
  public var isRepeated: Bool

  public init(
    messages: [MessageID] = [], conversation: ConversationID? = nil, time: Timestamp, isRepeated: Bool = false
  ) {
    self.messages = messages
    self.conversation = conversation
    self.time = time
    self.isRepeated = isRepeated
  }
}

/// A message that was acknowledged as spooled and is in the store now.
public struct StoredMessage: Hashable, Sendable {
  /// The conversation in the store, and the id by which it was known when the message was spooled: another
  /// one if the store had the session already.
  public var conversation: ConversationID
  public var spooledConversation: ConversationID
  /// The message as it is in the store.
  public var message: Message
  /// The id that was acknowledged: another one if the store had a message with this client id already.
  public var spooledID: MessageID
  public var version: Version

  public init(
    conversation: ConversationID, spooledConversation: ConversationID, message: Message, spooledID: MessageID,
    version: Version
  ) {
    self.conversation = conversation
    self.spooledConversation = spooledConversation
    self.message = message
    self.spooledID = spooledID
    self.version = version
  }
}
