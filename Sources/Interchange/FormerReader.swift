import ConversationModel
import StrictJSON

/// Reads the former system's two tables as JSON: `{"pam_conversations":[…],"pam_messages":[…]}`, rows as PostgREST gives
/// them, in any order. Rows are found in a first pass, which keeps 48 bytes for each, and read again in their order.
struct FormerReader: ArchiveReader {
  private struct Row {
    var conversation: Int
    var createdAt: Timestamp
    var id: MessageID
    var offset: Int
    var length: Int
  }

  /// Rows that the index takes.
  private static let rows = 2_000_000
  private let file: ImportFile
  private let owner: UserID?
  private var queue = PieceQueue()
  private var walk: JSONWalk
  private var phase = Phase.start
  private var table = ""
  private var isFirst = true
  private var isFirstKey = true
  private var count = 0
  private var conversations: [Range<Int>] = []
  private var numbers: [ConversationID: Int] = [:]
  private var rows: [Row] = []
  private var unknown: [(id: ConversationID, row: Row)] = []
  private var reading = 0
  private var nextRow = 0

  private enum Phase { case start, key, row, sort, conversation }

  init(_ file: ImportFile, owner: UserID?) {
    self.file = file
    self.owner = owner
    walk = JSONWalk(file)
  }

  mutating func next() throws(ConversationError) -> ArchivePiece? {
    while true {
      if let piece = queue.pop() { return piece }
      do throws(ConversationError) {
        guard try step() else { return nil }
      } catch {
        guard error.code == .invalid else { throw error }
        queue.skip("byte \(walk.cursor.offset)", error.message)
        phase = .sort
      }
    }
  }

  /// - Returns: False when nothing is left.
  private mutating func step() throws(ConversationError) -> Bool {
    switch phase {
    case .start:
      try walk.take("{")
      phase = .key
    case .key:
      guard let key = try walk.nextKey(isFirst: isFirstKey) else {
        phase = .sort
        return true
      }
      isFirstKey = false
      guard key == "pam_conversations" || key == "pam_messages" else {
        try walk.skip()
        return true
      }
      try walk.take("[")
      (table, isFirst, count, phase) = (key, true, 0, .row)
    case .row:
      guard try walk.nextElement(isFirst: isFirst) else {
        phase = .key
        return true
      }
      isFirst = false
      count += 1
      try index(try walk.skip())
    case .sort:
      sort()
      phase = .conversation
    case .conversation: return try readConversation()
    }
    return true
  }

  private mutating func index(_ span: Range<Int>) throws(ConversationError) {
    let place = "\(table), row \(count)"
    guard let row = try object(span, place) else { return }
    guard let id = row["id"]?.string.flatMap({ ConversationID($0) }) else {
      return queue.skip(place, "The row has no id that is a UUID.")
    }
    if table == "pam_conversations" {
      guard numbers[id] == nil else {
        return queue.skip(place, "The conversation comes twice.")
      }
      numbers[id] = conversations.count
      conversations.append(span)
      return
    }
    guard let conversation = row["conversation_id"]?.string.flatMap({ ConversationID($0) }) else {
      return queue.skip(place, "The message names no conversation.")
    }
    guard rows.count + unknown.count < Self.rows else {
      return queue.skip(place, "A file holds at most \(Self.rows) messages.")
    }
    let time = row["created_at"]?.string.flatMap { Timestamp(postgres: $0) }
    let entry = Row(
      conversation: numbers[conversation] ?? -1, createdAt: time ?? Timestamp(microseconds: 0),
      id: MessageID(high: id.high, low: id.low), offset: span.lowerBound, length: span.count)
    if entry.conversation < 0 { unknown.append((conversation, entry)) } else { rows.append(entry) }
  }

  private mutating func sort() {
    for (id, found) in unknown {
      var row = found
      guard let number = numbers[id] else {
        queue.skip("byte \(row.offset)", "The message's conversation is not in the file.")
        continue
      }
      row.conversation = number
      rows.append(row)
    }
    unknown = []
    rows.sort { ($0.conversation, $0.createdAt, $0.id) < ($1.conversation, $1.createdAt, $1.id) }
  }

  private mutating func object(_ span: Range<Int>, _ place: String) throws(ConversationError) -> JSONObject? {
    guard span.count <= Limits.bodyBytes * 4 else {
      queue.skip(place, "The row is longer than \(Limits.bodyBytes * 4) bytes.")
      return nil
    }
    let bytes = try file.read(at: span.lowerBound, count: span.count)
    do {
      guard let object = try JSONReader.read(bytes, limits: JSONLimits(bytes: bytes.count, depth: 64)).object else {
        queue.skip(place, "The row is no object.")
        return nil
      }
      return object
    } catch {
      queue.skip(place, error.message)
      return nil
    }
  }

  private mutating func readConversation() throws(ConversationError) -> Bool {
    guard reading < conversations.count else { return false }
    let number = reading
    reading += 1
    let first = nextRow
    while nextRow < rows.count, rows[nextRow].conversation == number { nextRow += 1 }
    let place = "conversation \(number + 1)"
    guard let row = try object(conversations[number], place), let id = row["id"]?.string.flatMap({ ConversationID($0) })
    else { return true }
    let user = row["user_id"]?.string.flatMap { UserID($0) } ?? owner
    guard let user else {
      queue.skip(place, "The conversation has no user.")
      return true
    }
    var time = row["created_at"]?.string.flatMap { Timestamp(postgres: $0) }
    if time == nil, first < nextRow { time = rows[first].createdAt }
    let created = time ?? Timestamp(microseconds: 0)
    var messages: [ArchivedMessage] = []
    for index in first..<nextRow {
      if let message = try message(rows[index], in: id, position: messages.count + 1, after: created) {
        messages.append(message)
      }
    }
    let updated = row["updated_at"]?.string.flatMap { Timestamp(postgres: $0) } ?? messages.last?.message.createdAt
    let title = fittingTitle(row["title"]?.string ?? "")
    if title.isCut { queue.skip(place, "The title was cut at \(Limits.titleScalars) characters.") }
    let session = row["session_id"]?.string.flatMap { $0.isEmpty ? nil : $0 }
    let context = row["context_data"].flatMap { $0.isNull ? nil : $0.fittingObject }
    let trunk = Branch(
      number: 0, parent: nil, forkPosition: 0, headPosition: messages.count, title: nil, origin: .trunk,
      isActive: true, isDeleted: false, createdAt: created)
    let conversation = Conversation(
      id: id, userID: user, sessionID: session, isDefault: true, title: title.title, context: context ?? .emptyObject,
      isArchived: false, isPinned: false, activeBranch: 0, headPosition: messages.count, messageCount: messages.count,
      branchCount: 1, version: messages.count + 1, createdAt: created, updatedAt: updated ?? created)
    queue.push(
      .conversation(
        ArchivedConversation(conversation, branches: [ArchivedBranch(trunk, version: 1)]), where: place))
    queue.push(messages)
    return true
  }

  private mutating func message(
    _ entry: Row, in conversation: ConversationID, position: Int, after created: Timestamp
  ) throws(ConversationError) -> ArchivedMessage? {
    let place = "message \(entry.id)"
    guard let row = try object(entry.offset..<entry.offset + entry.length, place) else { return nil }
    guard let role = row["role"]?.string.flatMap({ Message.Role(rawValue: $0) }), let content = row["content"]?.string
    else {
      queue.skip(place, "The message has no known role or no text.")
      return nil
    }
    let message = Message(
      id: entry.id, clientID: nil, conversationID: conversation, branch: 0, position: position, role: role,
      content: content, intent: row["intent"]?.string,
      confidence: row["confidence"]?.number.flatMap { Confidence(rounding: $0.double) },
      entities: row["entities"]?.fittingObject ?? .emptyObject,
      metadata: row["metadata"]?.fittingObject ?? .emptyObject,
      status: .complete, revision: 1,
      createdAt: entry.createdAt.microseconds == 0 ? created : entry.createdAt, editedAt: nil)
    let archived = ArchivedMessage(message, version: position + 1)
    do { try archived.validate() } catch {
      queue.skip(place, error.message)
      return nil
    }
    return archived
  }
}
