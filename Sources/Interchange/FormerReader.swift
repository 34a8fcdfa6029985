import ConversationModel
import StrictJSON

/// Reads the former system's two tables, their rows in any order. Rows are found and looked at in a first pass, which keeps
/// some fifty bytes for each, and read again in their order. A message may stand anywhere: of a file that is not read to its
/// end nothing is handed out, as any conversation may have more messages, and could not get them later.
struct FormerReader: ArchiveReader {
  /// A message.
  private struct Row {
    var conversation: Int32
    var place: FormerPlace
    /// Microseconds; the least number for a message without a time.
    var time: Int64
    var id: MessageID

    var createdAt: Timestamp? { time == .min ? nil : Timestamp(microseconds: time) }
  }

  private struct Entry {
    var number: Int
    var place: FormerPlace
    var user: UserID?
    var hasSession: Bool
    var createdAt: Timestamp?
  }

  private enum Phase { case index, conversations, end }

  /// Messages, and conversations, that the index takes.
  private static let rows = 2_000_000
  private var source: any FormerRows
  private let owner: UserID?
  private var queue = PieceQueue()
  private var phase = Phase.index
  /// Whether every row was found.
  private var isWhole = true
  private var numbers: [ConversationID: Int32] = [:]
  /// By number; nil for one that messages name, and that is not in the file.
  private var entries: [Entry?] = []
  private var rows: [Row] = []
  /// By conversation, the number of its messages that cannot be taken.
  private var faults: [Int: Int] = [:]
  private var defaults: [UserID: Int] = [:]
  private var nextEntry = 0
  private var nextRow = 0
  /// The conversation whose messages are handed out, and those that are left.
  private var open: (id: ConversationID, createdAt: Timestamp, first: Int, left: Range<Int>)?

  init(_ source: any FormerRows, owner: UserID?) {
    self.source = source
    self.owner = owner
  }

  mutating func next() throws(ConversationError) -> ArchivePiece? {
    while true {
      if let piece = queue.pop() { return piece }
      switch phase {
      case .index: try index()
      case .conversations where open != nil: try readMessages()
      case .conversations: try readConversation()
      case .end: return nil
      }
    }
  }
}

// MARK: The first pass

extension FormerReader {
  private mutating func index() throws(ConversationError) {
    do throws(ConversationError) {
      switch try source.next() {
      case .row(let table, let number, let place):
        let name = "\(table.rawValue), row \(number)"
        do throws(ConversationError) { try index(table, number, place, name) } catch {
          try queue.skip(name, error)
        }
      case .skipped(let piece): queue.push(.skipped(piece))
      case .missing(let piece):
        queue.push(.skipped(piece))
        isWhole = false
      case nil: endIndex()
      }
    } catch {
      try queue.skip("the file", error)
      isWhole = false
      endIndex()
    }
  }

  private mutating func index(
    _ table: FormerTable, _ number: Int, _ place: FormerPlace, _ name: String
  ) throws(ConversationError) {
    if table == .messages { return try indexMessage(place, name) }
    let row = try source.row(at: place)
    if let fault = row.fault { throw fault }
    let values = row.values
    guard let id = values["id"]?.string.flatMap({ ConversationID($0) }) else { throw Self.noID }
    let index = try self.number(of: id)
    guard entries[index] == nil else { throw ConversationError(.invalid, "The conversation comes twice.") }
    entries[index] = Entry(
      number: number, place: place, user: values["user_id"]?.string.flatMap { UserID($0) },
      hasSession: values["session_id"]?.string?.isEmpty == false, createdAt: values.time("created_at"))
  }

  private static let noID = ConversationError(.invalid, "The row has no id that is a UUID.")

  /// A message of which nobody can tell whose it is may be any conversation's, just like one in a part that is cut off.
  private mutating func indexMessage(_ place: FormerPlace, _ name: String) throws(ConversationError) {
    var found: FormerRow?
    do throws(ConversationError) { found = try source.row(at: place) } catch {
      isWhole = false
      throw error
    }
    guard let row = found else { return }
    let owner = row.values["conversation_id"]
    guard let conversation = owner?.string.flatMap({ ConversationID($0) }) else {
      // Without a conversation no other lacks it.
      isWhole = isWhole && row.fault == nil && owner?.isNull == true
      throw row.fault ?? ConversationError(.invalid, "The message names no conversation.")
    }
    let number = try number(of: conversation)
    do throws(ConversationError) { rows.append(try checked(row, in: conversation, number, place, name)) } catch {
      faults[number, default: 0] += 1
      throw error
    }
  }

  /// Reads the message as it will be read again, so that the conversation can say how many it has.
  private mutating func checked(
    _ row: FormerRow, in conversation: ConversationID, _ number: Int, _ place: FormerPlace, _ name: String
  ) throws(ConversationError) -> Row {
    if let fault = row.fault { throw fault }
    let values = row.values
    guard let id = values["id"]?.string.flatMap({ MessageID($0) }) else { throw Self.noID }
    guard rows.count < Self.rows else {
      throw ConversationError(.invalid, "A file holds at most \(Self.rows) messages.")
    }
    let time = values.time("created_at")
    var notes: [String] = []
    _ = try values.message(
      id, in: conversation, position: 1, createdAt: time ?? Timestamp(microseconds: 0), &notes)
    if time == nil, values.holds("created_at") { notes.append("The message's time cannot be read; it is put first.") }
    for note in notes { queue.skip(name, note) }
    return Row(conversation: Int32(number), place: place, time: time?.microseconds ?? .min, id: id)
  }

  private mutating func number(of id: ConversationID) throws(ConversationError) -> Int {
    if let number = numbers[id] { return Int(number) }
    guard entries.count < Self.rows else {
      throw ConversationError(.invalid, "A file holds at most \(Self.rows) conversations.")
    }
    numbers[id] = Int32(entries.count)
    entries.append(nil)
    return entries.count - 1
  }

  private mutating func endIndex() {
    numbers = [:]
    if isWhole, !source.hasTables { queue.skip("the file", "Neither of the former tables is in the file.") }
    guard isWhole else {
      let count = entries.count { $0 != nil }
      let why = "Messages of any conversation may be in what cannot be read: none of \(count) is taken."
      if count > 0 { queue.skip("the file", why) }
      phase = .end
      return
    }
    rows.sort { ($0.conversation, $0.time, $0.id) < ($1.conversation, $1.time, $1.id) }
    for (index, entry) in entries.enumerated() {
      guard let entry, let user = entry.user ?? owner else { continue }
      if let other = defaults[user].flatMap({ entries[$0] }), !Self.isRather(entry, other) { continue }
      defaults[user] = index
    }
    phase = .conversations
  }

  /// Whether a conversation rather than another is the user's default one. The former table held one for each user.
  private static func isRather(_ entry: Entry, _ other: Entry) -> Bool {
    if entry.hasSession != other.hasSession { return !entry.hasSession }
    return (entry.createdAt?.microseconds ?? .max) < (other.createdAt?.microseconds ?? .max)
  }
}

// MARK: The second pass

extension FormerReader {
  private mutating func readConversation() throws(ConversationError) {
    guard nextEntry < entries.count else {
      phase = .end
      return
    }
    let index = nextEntry
    nextEntry += 1
    let first = nextRow
    while nextRow < rows.count, rows[nextRow].conversation == index { nextRow += 1 }
    guard let entry = entries[index] else {
      // Messages that cannot be taken were told of one by one.
      guard first < nextRow else { return }
      let place = "byte \(rows[first].place.offset)"
      return queue.skip(place, "\(nextRow - first) messages name a conversation that is not in the file.")
    }
    let place = "\(FormerTable.conversations.rawValue), row \(entry.number)"
    guard let user = entry.user ?? owner else { return queue.skip(place, "The conversation has no user.") }
    if let count = faults[index] {
      return queue.skip(place, "The conversation is left out: \(count) of its messages cannot be taken.")
    }
    do throws(ConversationError) {
      let row = try source.row(at: entry.place).values
      let created = entry.createdAt ?? rows[first..<nextRow].lazy.compactMap(\.createdAt).first
      let conversation = try row.conversation(
        of: user, isDefault: defaults[user] == index, messages: nextRow - first,
        times: (created ?? Timestamp(microseconds: 0), rows[first..<nextRow].last?.createdAt), place, &queue)
      open = (conversation.conversation.id, conversation.conversation.createdAt, first, first..<nextRow)
      queue.push(.conversation(conversation, where: place))
    } catch { try queue.skip(place, error) }
  }

  /// Hands out one batch.
  private mutating func readMessages() throws(ConversationError) {
    guard let (id, created, first, left) = open else { return }
    var batch = MessageBatch()
    var full: [ArchivedMessage]?
    var index = left.lowerBound
    do throws(ConversationError) {
      while full == nil, index < left.upperBound {
        let row = rows[index]
        var notes: [String] = []
        full = batch.add(
          try source.row(at: row.place).values.message(
            row.id, in: id, position: index - first + 1, createdAt: row.createdAt ?? created, &notes))
        // One that did not fit is read again for the next batch.
        if full == nil { index += 1 }
      }
      queue.push(full ?? batch.take() ?? [])
    } catch {
      try queue.skip("message \(rows[index].id)", error)
      index = left.upperBound
    }
    open = index < left.upperBound ? (id, created, first, index..<left.upperBound) : nil
  }
}

extension PieceQueue {
  /// - Throws: What speaks of no fault of the file's.
  fileprivate mutating func skip(_ place: String, _ error: ConversationError) throws(ConversationError) {
    guard error.code == .invalid || error.code == .tooLarge else { throw error }
    skip(place, error.message)
  }
}
