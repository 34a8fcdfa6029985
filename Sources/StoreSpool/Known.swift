import ConversationModel

/// The sessions that this server touched lately, and the newest messages of each: what it can say and take
/// while the store is down.
///
/// Bounded by `Limits.knownSessions`, `.knownMessages` and `.knownBytes`; what was not used for longest goes.
/// Everything here costs the same, however much there is: it runs behind every save.
struct Known {
  /// What is known of one conversation.
  struct Entry {
    let id: ConversationID
    let user: UserID
    /// Nil as long as only messages of it passed by.
    var conversation: Conversation?
    /// The last message of the active path, as far as it was seen.
    var head: MessageID?
    /// Messages of the active path by position, oldest first; there may be holes.
    var messages: [Message] = []
    /// Whether the conversation is in the spool only.
    var isFresh = false
    /// Whether another branch may be the active one by now: then it can take messages, but not show any.
    var isUncertain = false
    fileprivate var bytes = 0
    fileprivate var isDirty = false
    fileprivate var newer: Int?
    fileprivate var older: Int?

    fileprivate init(_ id: ConversationID, _ user: UserID) {
      self.id = id
      self.user = user
    }

    /// The messages without a hole up to the head, oldest first.
    var tail: ArraySlice<Message> {
      var start = messages.endIndex
      while start > 0, start == messages.endIndex || messages[start - 1].position == messages[start].position - 1 {
        start -= 1
      }
      return messages[start...]
    }
  }

  private var slots: [Entry?] = []
  private var free: [Int] = []
  private var places: [ConversationID: Int] = [:]
  private var sessions: [SessionName: ConversationID] = [:]
  private var newest: Int?
  private var oldest: Int?
  private var bytes = 0
  private var dirty: Set<ConversationID> = []
  private var dropped: Set<ConversationID> = []
  private let limits: (sessions: Int, bytes: Int)

  init(sessions: Int = Limits.knownSessions, bytes: Int = Limits.knownBytes) {
    limits = (sessions, bytes)
  }

  var count: Int { places.count }

  // MARK: Asking

  subscript(id: ConversationID) -> Entry? { places[id].flatMap { slots[$0] } }

  func entry(of key: ConversationKey) -> Entry? {
    switch key {
    case .id(let id): self[id]
    case .session(_, .new): nil
    case .session(let user, .default): sessions[SessionName(user, nil)].flatMap { self[$0] }
    case .session(let user, .named(let name)): sessions[SessionName(user, name)].flatMap { self[$0] }
    case .defaultOrLatest: nil
    }
  }

  /// All entries of a user's; looks at every one.
  func entries(of user: UserID) -> [Entry] { slots.compactMap { $0?.user == user ? $0 : nil } }

  // MARK: Learning

  /// A conversation as it is now; an older version than the one known is passed over.
  mutating func note(_ conversation: Conversation, isFresh: Bool = false) {
    let place = touch(conversation.id, conversation.userID)
    if let known = slots[place]!.conversation, known.version > conversation.version { return }
    if slots[place]!.conversation?.activeBranch ?? conversation.activeBranch != conversation.activeBranch {
      setMessages([], at: place)
    }
    if slots[place]!.conversation.map(SessionName.all) != SessionName.all(conversation) {
      forgetSessions(place)
      for name in SessionName.all(conversation) { sessions[name] = conversation.id }
    }
    let isNews = slots[place]!.conversation != conversation || slots[place]!.isFresh != isFresh
    slots[place]!.conversation = conversation
    slots[place]!.isFresh = isFresh
    slots[place]!.isUncertain = false
    if isNews, !isFresh { markDirty(place) }
  }

  /// Messages that were appended, and the version that this made.
  mutating func note(_ messages: [Message], of user: UserID, version: Version?) {
    guard let last = messages.last else { return }
    let place = touch(last.conversationID, user)
    let active = slots[place]!.isUncertain ? nil : slots[place]!.conversation?.activeBranch ?? last.branch
    if let version, let known = slots[place]!.conversation, known.version < version {
      slots[place]!.conversation!.version = version
      slots[place]!.conversation!.messageCount += messages.count
      slots[place]!.conversation!.updatedAt = max(known.updatedAt, last.createdAt)
      if last.branch == active {
        slots[place]!.conversation!.headPosition = max(known.headPosition, last.position)
      }
    }
    if last.branch == active { merge(messages, at: place) }
    markDirty(place)
  }

  /// The newest page of the active path.
  mutating func note(_ page: MessagePage, of user: UserID) {
    let place = touch(page.conversation, user)
    guard let known = slots[place]!.conversation, !slots[place]!.isUncertain, known.activeBranch == page.branch,
      known.version <= page.version
    else { return }
    setMessages([], at: place)
    merge(page.messages, at: place)
  }

  /// A message that was edited or deleted.
  mutating func note(changed message: Message) {
    guard let place = places[message.conversationID],
      let index = slots[place]!.messages.firstIndex(where: { $0.id == message.id })
    else { return }
    var messages = slots[place]!.messages
    messages[index] = message
    setMessages(messages, at: place)
  }

  /// A branch that was made, or deleted.
  mutating func note(_ branch: Branch, of id: ConversationID, _ messages: [Message], version: Version?) {
    guard let place = places[id], let known = slots[place]!.conversation else { return }
    if let version { slots[place]!.conversation!.version = max(version, known.version) }
    if branch.isDeleted, branch.number == known.activeBranch {
      setMessages([], at: place)
      slots[place]!.head = nil
      slots[place]!.isUncertain = true
    } else if branch.isActive, branch.number != known.activeBranch {
      setMessages([], at: place)
      slots[place]!.head = nil
      slots[place]!.conversation!.activeBranch = branch.number
      slots[place]!.conversation!.headPosition = branch.headPosition
      merge(messages, at: place)
    }
    markDirty(place)
  }

  mutating func forget(_ id: ConversationID) {
    guard let place = places[id] else { return }
    remove(place)
  }

  /// As read from the spool's file: nothing to be written down.
  mutating func restore(_ row: KnownRow) {
    let place = touch(row.id, row.user)
    slots[place]!.conversation = row.conversation
    slots[place]!.head = row.head
    for name in row.conversation.map(SessionName.all) ?? [] { sessions[name] = row.id }
  }

  // MARK: Writing down

  /// What changed since the last call: rows to write, and ids to delete.
  mutating func takeChanges(limit: Int) -> (rows: [KnownRow], dropped: [ConversationID]) {
    let ids = dirty.prefix(limit)
    dirty.subtract(ids)
    let rows = ids.compactMap { id -> KnownRow? in
      guard let place = places[id] else { return nil }
      slots[place]!.isDirty = false
      let entry = slots[place]!
      return KnownRow(id: id, user: entry.user, conversation: entry.conversation, head: entry.head)
    }
    defer { dropped = [] }
    return (rows, dropped.filter { places[$0] == nil })
  }

  var hasChanges: Bool { !dirty.isEmpty || !dropped.isEmpty }

  // MARK: Inside

  private mutating func markDirty(_ place: Int) {
    guard !slots[place]!.isDirty else { return }
    slots[place]!.isDirty = true
    dirty.insert(slots[place]!.id)
  }

  private mutating func merge(_ new: [Message], at place: Int) {
    // Taken out, so that the array is changed in place.
    var messages = slots[place]!.messages
    slots[place]!.messages = []
    for message in new.suffix(Limits.knownMessages) {
      guard let last = messages.last, last.position >= message.position else {
        messages.append(message)
        continue
      }
      let index = messages.firstIndex { $0.position >= message.position } ?? messages.endIndex
      if messages[index].position != message.position {
        messages.insert(message, at: index)
      } else if messages[index].revision <= message.revision, messages[index].status != .deleted {
        messages[index] = message
      }
    }
    if messages.count > Limits.knownMessages { messages.removeFirst(messages.count - Limits.knownMessages) }
    if let last = messages.last, last.position >= slots[place]!.conversation?.headPosition ?? 0 {
      slots[place]!.head = last.id
    }
    setMessages(messages, at: place)
  }

  private mutating func setMessages(_ messages: [Message], at place: Int) {
    let size = messages.reduce(0) { $0 + $1.memoryBytes }
    bytes += size - slots[place]!.bytes
    slots[place]!.messages = messages
    slots[place]!.bytes = size
    // From the other end of the line, so that what was just used stays.
    var victim = oldest
    while bytes > limits.bytes, let index = victim, index != place {
      bytes -= slots[index]!.bytes
      slots[index]!.messages = []
      slots[index]!.bytes = 0
      victim = slots[index]!.newer
    }
  }

  /// The entry of a conversation, made if there is none, now the newest.
  private mutating func touch(_ id: ConversationID, _ user: UserID) -> Int {
    if let place = places[id] {
      guard newest != place else { return place }
      unlink(place)
      link(place)
      return place
    }
    if places.count >= limits.sessions, let oldest { remove(oldest) }
    let place = free.popLast() ?? slots.count
    if place == slots.count { slots.append(nil) }
    slots[place] = Entry(id, user)
    places[id] = place
    link(place)
    return place
  }

  private mutating func link(_ place: Int) {
    slots[place]!.older = newest
    slots[place]!.newer = nil
    if let newest { slots[newest]!.newer = place }
    newest = place
    if oldest == nil { oldest = place }
  }

  private mutating func unlink(_ place: Int) {
    let (newer, older) = (slots[place]!.newer, slots[place]!.older)
    if let newer { slots[newer]!.older = older } else { newest = older }
    if let older { slots[older]!.newer = newer } else { oldest = newer }
  }

  private mutating func remove(_ place: Int) {
    unlink(place)
    forgetSessions(place)
    bytes -= slots[place]!.bytes
    let id = slots[place]!.id
    if !slots[place]!.isFresh { dropped.insert(id) }
    dirty.remove(id)
    places[id] = nil
    slots[place] = nil
    free.append(place)
  }

  private mutating func forgetSessions(_ place: Int) {
    for name in slots[place]!.conversation.map(SessionName.all) ?? [] where sessions[name] == slots[place]!.id {
      sessions[name] = nil
    }
  }
}

/// What is written down of a session.
struct KnownRow: Sendable {
  var id: ConversationID
  var user: UserID
  var conversation: Conversation?
  var head: MessageID?
}

/// A user's name for a conversation; compared as bytes.
private struct SessionName: Hashable {
  let user: UserID
  /// Nil for the default conversation.
  let name: [UInt8]?

  init(_ user: UserID, _ name: String?) {
    self.user = user
    self.name = name.map { Array($0.utf8) }
  }

  /// The names that a conversation answers to.
  static func all(_ conversation: Conversation) -> [SessionName] {
    (conversation.isDefault ? [SessionName(conversation.userID, nil)] : [])
      + (conversation.sessionID.map { [SessionName(conversation.userID, $0)] } ?? [])
  }
}

extension Message {
  /// About what it takes in memory.
  fileprivate var memoryBytes: Int {
    content.utf8.count + entities.text.utf8.count + metadata.text.utf8.count + 320
  }
}
