import ConversationModel
import StoreSQL
import StoreSQLite

// How records become rows and rows records; the column order is that of `SpoolStatements`.

extension SpoolRecord {
  /// Writes the record and its messages; returns its place.
  func insert(on connection: SQLiteConnection) throws -> Int {
    var values: [SQLValue]
    let tail: [SQLValue] = [.time(createdAt), .bytes(checksum), .integer(bytes)]
    switch content {
    case .open(let open):
      let (session, name): (String, String?) =
        switch open.session {
        case .default: ("default", nil)
        case .new: ("new", nil)
        case .named(let name): ("named", name)
        }
      values = [
        .text("open"), .id(conversation), .id(user), .text(session), .optional(name, SQLValue.text),
        .optional(open.title, SQLValue.text), .optional(open.context?.text, SQLValue.text),
        .boolean(open.replacesContext), .null, .null, .null,
      ]
    case .append(let append, _):
      values = [
        .text("append"), .id(conversation), .id(user), .null, .null, .null, .null, .boolean(false),
        .optional(append.parent, SQLValue.id), .optional(append.branch, SQLValue.integer),
        .text(append.onConflict.rawValue),
      ]
    }
    values += tail
    let place = try connection.first(SpoolStatements.insertRecord, values) { try $0.integer(0) }
    guard let place else { throw SQLFailure.statement(detail: "a record got no sequence") }
    guard case .append(let append, let ids) = content else { return place }
    for (number, (id, message)) in zip(ids, append.messages).enumerated() {
      try connection.execute(
        SpoolStatements.insertMessage,
        [
          .integer(place), .integer(number), .id(id), .optional(message.clientID, SQLValue.text),
          .text(message.role.rawValue), .text(message.content), .optional(message.intent, SQLValue.text),
          .optional(message.confidence) { .real(Double($0.hundredths) / 100) }, .text(message.entities.text),
          .text(message.metadata.text), .bytes(message.fingerprint), .id(conversation),
        ])
    }
    return place
  }

  /// - Throws: `SQLFailure.damaged` for a row that is not as it was written.
  static func read(_ row: SQLiteRow, on connection: SQLiteConnection) throws -> SpoolRecord {
    let sequence = try row.integer(0)
    let conversation: ConversationID = try row.id(2)
    let user: UserID = try row.id(3)
    let content: Content
    switch try row.text(1) {
    case "open":
      let session: SessionKey =
        switch try row.text(4) {
        case "default": .default
        case "new": .new
        case "named": .named(try row.text(5))
        default: throw SQLFailure.damaged(column: 4)
        }
      content = .open(
        OpenConversation(
          user: user, session: session, title: try row.optional(6, row.text),
          context: try row.optional(7, row.text).map(JSONText.init(canonical:)), replacesContext: try row.boolean(8)))
    case "append":
      var ids: [MessageID] = []
      var messages: [NewMessage] = []
      try connection.forEachRow(
        SpoolStatements.messages, [.integer(sequence), .integer(Limits.appendMessages.upperBound + 1)]
      ) { row in
        ids.append(try row.id(0))
        let message = try NewMessage(spooled: row)
        guard try row.bytes(8) == message.fingerprint else { throw SQLFailure.damaged(column: 8) }
        messages.append(message)
      }
      guard let onConflict = Append.OnConflict(rawValue: try row.text(11)) else {
        throw SQLFailure.damaged(column: 11)
      }
      content = .append(
        Append(
          to: conversation, messages, parent: try row.optional(9) { try row.id($0) },
          branch: try row.optional(10, row.integer), onConflict: onConflict), ids)
    default: throw SQLFailure.damaged(column: 1)
    }
    let record = SpoolRecord(
      sequence: sequence, conversation: conversation, user: user, content: content, createdAt: try row.time(12))
    guard try row.bytes(13) == record.checksum else { throw SQLFailure.damaged(column: 13) }
    return record
  }
}

extension NewMessage {
  fileprivate init(spooled row: SQLiteRow) throws {
    self.init(
      role: try row.value(2), content: try row.text(3), clientID: try row.optional(1, row.text),
      intent: try row.optional(4, row.text), confidence: try row.optional(5, row.confidence),
      entities: JSONText(canonical: try row.text(6)), metadata: JSONText(canonical: try row.text(7)))
  }
}

extension KnownRow {
  init(_ row: SQLiteRow) throws {
    let id: ConversationID = try row.id(0)
    let user: UserID = try row.id(1)
    var conversation: Conversation?
    if !row.isNull(13) {
      conversation = Conversation(
        id: id, userID: user, sessionID: try row.optional(3, row.text), isDefault: try row.boolean(4),
        title: try row.optional(5, row.text), context: JSONText(canonical: try row.text(6)),
        isArchived: try row.boolean(7), isPinned: try row.boolean(8), activeBranch: try row.integer(9),
        headPosition: try row.integer(10), messageCount: try row.integer(11), branchCount: try row.integer(12),
        version: try row.integer(13), createdAt: try row.time(14), updatedAt: try row.time(15))
    }
    self.init(id: id, user: user, conversation: conversation, head: try row.optional(2) { try row.id($0) })
  }

  var values: [SQLValue] {
    let known = conversation
    return [
      .id(id), .id(user), .optional(head, SQLValue.id), .optional(known?.sessionID, SQLValue.text),
      .optional(known?.isDefault, SQLValue.boolean), .optional(known?.title, SQLValue.text),
      .optional(known?.context.text, SQLValue.text), .optional(known?.isArchived, SQLValue.boolean),
      .optional(known?.isPinned, SQLValue.boolean), .optional(known?.activeBranch, SQLValue.integer),
      .optional(known?.headPosition, SQLValue.integer), .optional(known?.messageCount, SQLValue.integer),
      .optional(known?.branchCount, SQLValue.integer), .optional(known?.version, SQLValue.integer),
      .optional(known?.createdAt, SQLValue.time), .optional(known?.updatedAt, SQLValue.time),
    ]
  }
}
