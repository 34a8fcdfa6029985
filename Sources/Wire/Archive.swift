public import ConversationModel
public import StrictJSON

// The records of an exported file: the native door's objects with what only the store knows beside them, the version of each
// row and the earlier texts of each message.

/// One record of an exported file.
public enum ArchiveRecord: Sendable {
  /// Begins a file.
  case header
  case conversation(Conversation)
  case branch(ArchivedBranch)
  case message(ArchivedMessage)

  /// The name that a file of this form begins with, and the form's number.
  public static let format = "parley"
  public static let formatVersion = 1

  /// Reads a line: an object with the record under its name, or the header.
  ///
  /// - Throws: `.invalid` for anything else, and for a file of a later form.
  public init(line: [UInt8]) throws(ConversationError) {
    let json = try Self.json(line)
    guard let members = json.object?.members, let first = members.first else { throw Self.unknown }
    if members.contains(where: { $0.key == "format" }) {
      try Self.checkHeader(json)
      self = .header
      return
    }
    guard members.count == 1 else { throw Self.unknown }
    switch first.key {
    case "conversation": self = .conversation(try Self.conversation(first.value))
    case "branch": self = .branch(try Self.branch(first.value))
    case "message": self = .message(try Self.message(first.value))
    default: throw Self.unknown
    }
  }

  private static let unknown = ConversationError(
    .invalid, "The line is no record of Parley's: it holds a conversation, a branch or a message.")

  /// - Throws: `.invalid` for a bare object that is no conversation.
  public static func conversation(_ bytes: [UInt8]) throws(ConversationError) -> Conversation {
    try conversation(json(bytes))
  }

  /// - Throws: `.invalid` for a bare object that is no branch.
  public static func branch(_ bytes: [UInt8]) throws(ConversationError) -> ArchivedBranch { try branch(json(bytes)) }

  /// - Throws: `.invalid` for a bare object that is no message.
  public static func message(_ bytes: [UInt8]) throws(ConversationError) -> ArchivedMessage { try message(json(bytes)) }

  /// - Throws: `.invalid` for a file of another kind or of a later form.
  public static func checkHeader(_ json: JSONValue) throws(ConversationError) {
    guard let header = json.object, header["format"]?.string == format else { throw unknown }
    guard header["format_version"]?.number?.int == formatVersion else {
      throw ConversationError(
        .invalid, "The file is of another form than this Parley's, which is format_version \(formatVersion).")
    }
  }

  private static func conversation(_ json: JSONValue) throws(ConversationError) -> Conversation {
    try reading("conversation", json) { fields throws(ConversationError) in try Conversation(reply: fields) }
  }

  private static func branch(_ json: JSONValue) throws(ConversationError) -> ArchivedBranch {
    try reading("branch", json) { fields throws(ConversationError) in
      ArchivedBranch(try Branch(reply: fields), version: try fields.count("version"))
    }
  }

  private static func message(_ json: JSONValue) throws(ConversationError) -> ArchivedMessage {
    try reading("message", json) { fields throws(ConversationError) in
      ArchivedMessage(
        try Message(reply: fields), version: try fields.count("version"),
        revisions: fields.has("revisions")
          ? try fields.list("revisions", of: "revision", Revision.init(reply:)) : [])
    }
  }

  /// The faults of an answer are those of a server; here the file is at fault.
  private static func reading<Value>(
    _ name: String, _ json: JSONValue, _ read: (ReplyObject) throws(ConversationError) -> Value
  ) throws(ConversationError) -> Value {
    // The metadata of an earlier text stand in an object, in a list.
    let isTooDeep = json.object?.members.contains { member in
      member.value.depth > Limits.objectDepth + (member.key == "revisions" ? 2 : 0)
    }
    guard isTooDeep != true else {
      throw ConversationError(.invalid, "The \(name) is nested deeper than \(Limits.objectDepth) levels.")
    }
    do { return try read(try ReplyObject(json, name)) } catch {
      throw ConversationError(
        .invalid, "The record cannot be read: \(error.message.dropFirst(ConversationError.unreadableAnswer.count))")
    }
  }

  private static func json(_ bytes: [UInt8]) throws(ConversationError) -> JSONValue {
    do {
      return try JSONReader.read(bytes, limits: JSONLimits(bytes: Limits.recordBytes, depth: Limits.objectDepth + 4))
    } catch {
      throw ConversationError(.invalid, error.message)
    }
  }
}

extension JSONWriter {
  /// The first line of a file of lines. Nothing of the time or the place of its making, so that the same conversations are the
  /// same file.
  public mutating func archiveHeader() {
    beginObject()
    field("format", ArchiveRecord.format)
    field("format_version", ArchiveRecord.formatVersion)
    endObject()
  }

  public mutating func archived(_ branch: ArchivedBranch) {
    beginObject()
    branchFields(branch.branch)
    field("version", branch.version)
    endObject()
  }

  /// Begins a message; earlier texts come next, if there are any, and `endArchivedMessage` ends it.
  ///
  /// - Parameter hasRevisions: Whether there are any.
  public mutating func beginArchived(_ message: ArchivedMessage, hasRevisions: Bool) {
    beginObject()
    messageFields(message.message)
    field("version", message.version)
    if hasRevisions {
      key("revisions")
      beginArray()
    }
  }

  public mutating func endArchivedMessage(hasRevisions: Bool) {
    if hasRevisions { endArray() }
    endObject()
  }
}
