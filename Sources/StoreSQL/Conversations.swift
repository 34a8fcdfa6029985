public import ConversationModel
import Glibc

extension SQLStore {
  // MARK: Commands

  /// Finds a session's conversation without a write where that is enough: the common case is a
  /// user who comes back.
  ///
  /// - Parameter preset: The id and the time of a conversation that is made; nil to choose them here.
  func apply(
    _ open: OpenConversation, preset: Preset? = nil, as principal: Principal
  ) async throws(ConversationError) -> Receipt {
    guard principal.owns(open.user) else {
      throw ConversationError(.forbidden, "A user may open its own conversations only.", field: "user_id")
    }
    if open.session != .new, !open.changesContext {
      let key = ConversationKey.session(open.user, open.session)
      if let found = try await read({ try self.find(key, on: $0) }) {
        return Receipt(conversation: found, version: found.version, isReplay: true)
      }
    }
    return try await write { connection in try self.open(open, preset, on: connection) }
  }

  private func open(
    _ open: OpenConversation, _ preset: Preset?, on connection: Driver.Connection
  ) throws -> Receipt {
    let now = environment.now()
    if let preset, preset.isRepeated, open.session == .new, let id = preset.conversation,
      let found = try find(.id(id), on: connection)
    {
      return Receipt(conversation: found, version: found.version, isReplay: true)
    }
    if open.session != .new, var found = try find(.session(open.user, open.session), on: connection) {
      guard open.changesContext, let context = open.context, context != found.context else {
        return Receipt(conversation: found, version: found.version, isReplay: true)
      }
      found.context = context
      try store(&found, at: now, on: connection)
      return Receipt(conversation: found, version: found.version)
    }
    let id: ConversationID = preset?.conversation ?? environment.newID(at: now)
    let time = preset?.time ?? now
    let sessionID: String? =
      switch open.session {
      case .default: nil
      case .named(let name): name
      case .new: id.description
      }
    let conversation = Conversation(
      id: id, userID: open.user, sessionID: sessionID, isDefault: open.session == .default, title: open.title,
      context: open.context ?? .emptyObject, isArchived: false, isPinned: false, activeBranch: Branch.trunk,
      headPosition: 0, messageCount: 0, branchCount: 1, version: 1, createdAt: time, updatedAt: time)
    try connection.execute(
      Statements.insertConversation,
      [
        .id(id), .id(open.user), .optional(sessionID, SQLValue.text), .boolean(conversation.isDefault),
        .optional(open.title, SQLValue.text), .text(conversation.context.text), .time(time),
      ])
    try connection.execute(
      Statements.insertBranch,
      [
        .id(id), .integer(Branch.trunk), .null, .integer(0), .integer(0), .null, .text(Branch.Origin.trunk.rawValue),
        .integer(1), .time(time),
      ])
    return Receipt(conversation: conversation, version: 1)
  }

  func update(
    _ update: UpdateConversation, as principal: Principal, on connection: Driver.Connection
  ) throws -> Receipt {
    var conversation = try owned(.id(update.conversation), by: principal, on: connection)
    if let expected = update.ifVersion, expected != conversation.version {
      throw ConversationError(
        .preconditionFailed, "The conversation has changed since the version that If-Match names.", field: "If-Match")
    }
    switch update.title {
    case .named(let title): conversation.title = title
    case .automatic:
      conversation.title = nil
      let branches = try connection.all(
        Statements.branches, [.id(conversation.id), .integer(Limits.titleMessages)]
      ) { try $0.integer(0) }
      for branch in branches where conversation.title == nil {
        // The first may be blank.
        let texts = try connection.all(
          Statements.firstUserMessages, [.id(conversation.id), .integer(branch), .integer(Limits.titleMessages)]
        ) { try $0.text(0) }
        conversation.title = texts.lazy.compactMap(automaticTitle(from:)).first
      }
    case nil: break
    }
    conversation.context = update.context ?? conversation.context
    conversation.isArchived = update.isArchived ?? conversation.isArchived
    conversation.isPinned = update.isPinned ?? conversation.isPinned
    if let number = update.activeBranch, number != conversation.activeBranch {
      guard let branch = try branch(number, of: conversation, on: connection) else {
        throw ConversationError(.notFound, "There is no such branch.", field: "active_branch")
      }
      // Both say whether they are the active one, so both change.
      for touched in [conversation.activeBranch, number] {
        try connection.execute(
          Statements.stampBranch, [.id(conversation.id), .integer(touched), .integer(conversation.version + 1)])
      }
      conversation.activeBranch = number
      conversation.headPosition = branch.headPosition
    }
    try store(&conversation, at: environment.now(), on: connection)
    return Receipt(conversation: conversation, version: conversation.version)
  }

  /// Writes a changed conversation back as its next version.
  private func store(_ conversation: inout Conversation, at now: Timestamp, on connection: Driver.Connection) throws {
    conversation.version += 1
    // Never back, whatever the clock does: nothing in a conversation is newer than this.
    conversation.updatedAt = max(conversation.updatedAt, now)
    try connection.execute(
      Statements.updateConversation,
      [
        .id(conversation.id), .optional(conversation.title, SQLValue.text), .text(conversation.context.text),
        .boolean(conversation.isArchived), .boolean(conversation.isPinned), .integer(conversation.activeBranch),
        .integer(conversation.version), .time(conversation.updatedAt),
      ])
  }

  // MARK: Reads

  public func conversation(
    _ key: ConversationKey, as principal: Principal
  ) async throws(ConversationError) -> Conversation {
    try key.validate()
    return try await read { connection in try self.owned(key, by: principal, on: connection) }
  }

  public func conversations(
    _ filter: ConversationFilter, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<Conversation> {
    try filter.validate()
    try validatePageLimit(page.limit)
    var filter = filter
    if let only = principal.onlyUser {
      guard filter.user == nil || filter.user == only else {
        throw ConversationError(.forbidden, "A user may list its own conversations only.", field: "user_id")
      }
      filter.user = only
    }
    let list = ConversationList(filter: filter, limit: page.limit)
    let start = try page.cursor.map { text throws(ConversationError) in try list.place(at: text) }
    return try await read { connection in try list.page(from: start ?? .newest, on: connection) }
  }

  /// The conversation, if it exists and is the principal's.
  func owned(
    _ key: ConversationKey, by principal: Principal, on connection: Driver.Connection
  ) throws -> Conversation {
    guard let conversation = try find(key, on: connection), principal.owns(conversation.userID) else {
      throw ConversationError.noConversation
    }
    return conversation
  }

  func find(_ key: ConversationKey, on connection: Driver.Connection) throws -> Conversation? {
    switch key {
    case .id(let id):
      return try connection.first(Statements.conversationByID, [.id(id)], Conversation.init)
    case .session(let user, .default):
      return try connection.first(Statements.conversationByDefault, [.id(user)], Conversation.init)
    case .session(let user, .named(let name)):
      return try connection.first(
        Statements.conversationBySession, [.id(user), .text(name)], Conversation.init)
    case .session(_, .new):
      return nil
    case .defaultOrLatest(let user):
      let byDefault = try find(.session(user, .default), on: connection)
      if let byDefault, byDefault.messageCount > 0 { return byDefault }
      return try connection.first(Statements.conversationLatest, [.id(user)], Conversation.init) ?? byDefault
    }
  }
}

extension OpenConversation {
  /// Null and `{}` leave the stored context alone: the former function wiped it.
  fileprivate var changesContext: Bool {
    replacesContext && context.map { !$0.isEmptyObject } ?? false
  }
}

/// One list of conversations: a filter, and the order of latest activity.
///
/// The filter is applied here and not in SQL, so that both engines agree on what upper and lower case
/// are, and so that the rows that one request looks at have a bound: a page may come out short, even
/// empty, with a cursor to go on from.
private struct ConversationList: Sendable {
  let filter: ConversationFilter
  let limit: Int
  private let titlePart: String?

  /// Rows read at a time while looking for hits.
  private static let chunkRows = 256
  /// Rows looked at for one page.
  private static let rowsPerPage = 16_384

  /// The conversations of a list that lie behind this one.
  struct Place: Sendable {
    let updatedAt: Int
    let id: ConversationID

    static let newest = Place(updatedAt: .max, id: ConversationID(high: .max, low: .max))

    init(updatedAt: Int, id: ConversationID) {
      self.updatedAt = updatedAt
      self.id = id
    }

    init(behind conversation: Conversation) {
      self.init(updatedAt: Int(conversation.updatedAt.microseconds), id: conversation.id)
    }
  }

  init(filter: ConversationFilter, limit: Int) {
    self.filter = filter
    self.limit = limit
    titlePart = filter.titlePart.map { $0.lowercased() }
  }

  func place(at cursor: String) throws(ConversationError) -> Place {
    let numbers = try Cursor(cursor, .conversations, of: name, count: 3).numbers
    return Place(
      updatedAt: Int(bitPattern: UInt(numbers[0])), id: ConversationID(high: numbers[1], low: numbers[2]))
  }

  private func cursor(_ place: Place) -> String {
    Cursor(.conversations, of: name, [UInt64(bitPattern: Int64(place.updatedAt)), place.id.high, place.id.low]).text
  }

  func page<Connection: SQLConnection>(from start: Place, on connection: Connection) throws -> Page<Conversation> {
    var start = start
    var found: [Conversation] = []
    let chunkRows = isFiltered ? Self.chunkRows : limit + 1
    var rowsLeft = Self.rowsPerPage
    while true {
      let chunk = try rows(behind: start, limit: chunkRows, on: connection)
      rowsLeft -= chunk.count
      found += chunk.filter(holds)
      if found.count > limit {
        let items = Array(found.prefix(limit))
        return Page(items: items, next: items.last.map { cursor(Place(behind: $0)) })
      }
      guard chunk.count == chunkRows, let last = chunk.last else { return Page(items: found, next: nil) }
      start = Place(behind: last)
      if rowsLeft <= 0 { return Page(items: found, next: cursor(start)) }
    }
  }

  private var isFiltered: Bool {
    filter.isArchived != nil || filter.isPinned != nil || titlePart != nil || filter.sessionID != nil
      || filter.isDefault != nil
  }

  private func holds(_ conversation: Conversation) -> Bool {
    if let isArchived = filter.isArchived, conversation.isArchived != isArchived { return false }
    if let isPinned = filter.isPinned, conversation.isPinned != isPinned { return false }
    if let isDefault = filter.isDefault, conversation.isDefault != isDefault { return false }
    if let sessionID = filter.sessionID, !sameBytes(conversation.sessionID, sessionID) { return false }
    if let titlePart { return conversation.title.map { Self.holds($0.lowercased(), titlePart) } ?? false }
    return true
  }

  /// Whether a text holds another, in a time that grows with their lengths' sum: `String.contains` takes
  /// their product, and the filter is a stranger's.
  private static func holds(_ text: String, _ part: String) -> Bool {
    // Neither can hold a NUL.
    text.withCString { text in part.withCString { strstr(text, $0) != nil } }
  }

  private func rows<Connection: SQLConnection>(
    behind start: Place, limit: Int, on connection: Connection
  ) throws -> [Conversation] {
    if let user = filter.user {
      if let session = filter.sessionID {
        // One row at most, which its own index finds.
        let row = try connection.first(
          Statements.conversationBySession, [.id(user), .text(session)], Conversation.init)
        return row.map { [$0] } ?? []
      }
      return try connection.all(
        Statements.conversationsOfUser,
        [.id(user), .integer(start.updatedAt), .id(start.id), .integer(limit)], Conversation.init)
    }
    return try connection.all(
      Statements.conversationsOfAll, [.integer(start.updatedAt), .id(start.id), .integer(limit)], Conversation.init)
  }

  /// What a cursor is bound to: everything that decides which rows come in which order.
  private var name: String {
    func part(_ value: (some Any)?) -> String { value.map { "=\($0)" } ?? "" }
    return [
      part(filter.user), part(filter.isArchived), part(filter.isPinned), part(titlePart), part(filter.sessionID),
      part(filter.isDefault),
    ].joined(separator: "\u{0}")
  }
}
