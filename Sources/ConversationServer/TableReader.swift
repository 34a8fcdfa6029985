import ConversationModel
import HTTPTypes

/// Reads the rows of one request from a store: within the principal's own, within bounds, and no further
/// than the answer needs.
///
/// A request reads page by page, so what changes meanwhile may or may not be seen; a conversation that gets
/// activity before its turn comes may be missed in that answer.
struct TableReader {
  private let store: any Store
  private let principal: Principal
  private let query: TableQuery
  private var rows: RowCollector
  private var rowsLeft = TableLimits.readRows

  static let tooManyRows = PostgRESTError(
    .badRequest, "54000", "The request looks at more than \(TableLimits.readRows) rows.",
    hint: "Filter by conversation_id or id with eq, or order by created_at.desc with a limit.")

  /// The bound on rows was reached.
  private struct Exhausted: Error {}

  static func read(
    _ query: TableQuery, from store: any Store, as principal: Principal
  ) async throws -> TableAnswer {
    var reader = TableReader(query, store, principal)
    do {
      if query.shape.name == Table.messages.shape.name {
        try await reader.readMessages()
      } else {
        try await reader.readConversations()
      }
    } catch is Exhausted {
      // Without an order any rows are right, if they are as many as were asked for: the programs that ask so
      // want to know whether there are some.
      guard query.order.isEmpty, !query.isCounted, reader.rows.isFull else {
        throw Self.tooManyRows
      }
    }
    let total = query.isCounted ? reader.rows.matches : nil
    return TableAnswer(query: query, rows: reader.rows.answer(), total: total)
  }

  private init(_ query: TableQuery, _ store: any Store, _ principal: Principal) {
    self.query = query
    self.store = store
    self.principal = principal
    rows = RowCollector(query, comesInOrder: false)
  }

  // MARK: Messages

  private mutating func readMessages() async throws {
    if let ids: [MessageID] = candidates("id") {
      for id in ids { try await readMessage(id) }
    } else if let ids: [ConversationID] = candidates("conversation_id") {
      if ids.count == 1, let direction = pathDirection {
        rows = RowCollector(query, comesInOrder: true)
        try await readPath(ids[0], newestFirst: direction == .newestFirst)
      } else {
        for id in ids { try await readPath(id, newestFirst: true) }
      }
    } else {
      try await readConversations { reader, conversation in
        // What came to a conversation came before its latest change, and the list begins with the latest.
        guard !reader.rows.excludes(everythingUntil: conversation.updatedAt) else { return false }
        if conversation.headPosition > 0 { try await reader.readPath(conversation.id, newestFirst: true) }
        reader.rows.pruneForCutoff()
        return true
      }
    }
  }

  private enum Direction {
    case oldestFirst
    case newestFirst
  }

  /// Which way along a path the wanted order of its messages goes; nil for an order by something else.
  private var pathDirection: Direction? {
    guard let first = query.order.first else { return .oldestFirst }
    guard ["created_at", "position"].contains(query.shape.columns[first.column].name) else { return nil }
    return first.isDescending ? .newestFirst : .oldestFirst
  }

  private mutating func readMessage(_ id: MessageID) async throws {
    guard !rows.isComplete else { return }
    try spend(1)
    let message: Message
    do {
      message = try await store.message(id, as: principal).message
    } catch {
      guard error.code == .notFound else { throw error }
      return
    }
    // Whether the active path goes through it is known to pages only.
    let page = try await page(of: message.conversationID, MessagePageRequest(limit: 1, .around(.message(id))))
    guard let found = page?.messages.first(where: { $0.id == id }) else { return }
    try take(found, arrivedAt: found.createdAt)
  }

  private mutating func readPath(_ id: ConversationID, newestFirst: Bool) async throws {
    let wanted = positions
    // The path of an empty conversation has no position 1, either; then there is no page.
    let start: MessagePageRequest.Part =
      wanted.lowerBound > 1 ? .after(.position(wanted.lowerBound - 1)) : .around(.position(1))
    var part: MessagePageRequest.Part? = newestFirst ? .latest : start
    if newestFirst, wanted.upperBound < .max, let page = try await page(of: id, MessagePageRequest(limit: 1)),
      wanted.upperBound < page.headPosition
    {
      part = .before(.position(wanted.upperBound + 1))
    }
    // Nothing came after what follows it on the path.
    var time = Timestamp(microseconds: .max)
    while let next = part, !rows.isComplete {
      guard let page = try await page(of: id, MessagePageRequest(limit: pageItems, next)) else { return }
      try spend(page.messages.count)
      for message in newestFirst ? page.messages.reversed() : page.messages {
        if newestFirst ? message.position < wanted.lowerBound : message.position > wanted.upperBound { return }
        time = newestFirst ? min(time, message.createdAt) : message.createdAt
        if rows.excludes(Arrival(time: time, conversation: id, position: message.position)) { return }
        try take(message, arrivedAt: time)
      }
      part = newestFirst ? page.before.map { .before(.cursor($0)) } : page.after.map { .after(.cursor($0)) }
    }
  }

  /// The places on a path where the filters let messages stand; what is outside need not be read.
  private var positions: ClosedRange<Position> {
    var (first, last) = (1, Int.max)
    for filter in query.filters where query.shape.columns[filter.column].name == "position" && !filter.isNegated {
      guard case .compare(let comparison, .integer(let position)) = filter.test else { continue }
      // A filter's position has 32 bits, so its neighbours are numbers, too.
      switch comparison {
      case .eq: (first, last) = (max(first, position), min(last, position))
      case .gt: first = max(first, position + 1)
      case .gte: first = max(first, position)
      case .lt: last = min(last, position - 1)
      case .lte: last = min(last, position)
      case .neq: break
      }
    }
    return first...max(first, last)
  }

  /// Nil for a conversation that is not there, not the principal's or empty, and for a message that is not
  /// on its active path.
  private func page(of id: ConversationID, _ request: MessagePageRequest) async throws -> MessagePage? {
    do {
      return try await store.messages(Path(.id(id)), request, as: principal)
    } catch {
      guard error.code == .notFound || error.rule == .anchorNotOnPath else { throw error }
      return nil
    }
  }

  private mutating func take(_ message: Message, arrivedAt time: Timestamp) throws {
    guard message.isInFormerTable else { return }
    try rows.take(
      message, of: .messages,
      at: Arrival(time: time, conversation: message.conversationID, position: message.position))
  }

  // MARK: Conversations

  private mutating func readConversations() async throws {
    if let ids: [ConversationID] = candidates("id") {
      for id in ids { try await readConversation(.id(id)) }
      return
    }
    var user = principal.onlyUser
    if let users: [UserID] = candidates("user_id") {
      guard let first = users.first else { return }
      if users.count == 1 {
        guard principal.owns(first) else { return }
        user = first
      }
    }
    if let user, let sessions = candidates("session_id") {
      for case .text(let name) in sessions { try await readConversation(.session(user, .named(name))) }
      return
    }
    if isListOrder { rows = RowCollector(query, comesInOrder: true) }
    try await readConversations(of: user) { reader, conversation in
      try reader.take(conversation)
      return !reader.rows.isComplete
    }
  }

  /// Whether the answer's order is the one of the store's list: newest activity first, then the id.
  private var isListOrder: Bool {
    let names = query.order.map { query.shape.columns[$0.column].name }
    return ["updated_at", "id"].starts(with: names) && !names.isEmpty && query.order.allSatisfy(\.isDescending)
  }

  private mutating func readConversation(_ key: ConversationKey) async throws {
    guard !rows.isComplete else { return }
    try spend(1)
    let conversation: Conversation
    do {
      conversation = try await store.conversation(key, as: principal)
    } catch {
      // Invalid is the name of a session that no conversation can have.
      guard error.code == .notFound || error.code == .invalid else { throw error }
      return
    }
    try take(conversation)
  }

  /// Hands over the principal's conversations, newest activity first, until one is answered with false.
  private mutating func readConversations(
    of user: UserID? = nil, _ body: (inout TableReader, Conversation) async throws -> Bool
  ) async throws {
    guard !rows.isComplete else { return }
    var cursor: String?
    repeat {
      let page = try await store.conversations(
        ConversationFilter(user: user), PageRequest(limit: pageItems, cursor: cursor), as: principal)
      try spend(page.items.count)
      for conversation in page.items {
        guard try await body(&self, conversation) else { return }
      }
      cursor = page.next
    } while cursor != nil
  }

  private mutating func take(_ conversation: Conversation) throws {
    try rows.take(
      conversation, of: .conversations,
      at: Arrival(time: conversation.createdAt, conversation: conversation.id, position: 0))
  }

  // MARK: Both

  /// The few values that a column can have at all, each once; nil if no filter says.
  private func candidates(_ column: String) -> [ColumnValue]? {
    let lists = query.filters.filter { query.shape.columns[$0.column].name == column }.compactMap(\.candidates)
    guard let list = lists.min(by: { $0.count < $1.count }) else { return nil }
    // They are in order, so equal ones are neighbours.
    return list.indices.filter { $0 == 0 || ColumnValue.order(list[$0 - 1], list[$0]) != 0 }.map { list[$0] }
  }

  private func candidates<Entity>(_ column: String) -> [Identifier<Entity>]? {
    candidates(column)?.compactMap {
      if case .uuid(let high, let low) = $0 { Identifier(high: high, low: low) } else { nil }
    }
  }

  /// Items of a page: for a short answer a short page, but not so short that filtered rows make many.
  private var pageItems: Int {
    let wanted = query.offset.saturatingSum(query.limit)
    return query.isCounted
      ? Limits.pageItems.upperBound : min(max(wanted, Limits.defaultPageItems), Limits.pageItems.upperBound)
  }

  private mutating func spend(_ count: Int) throws(Exhausted) {
    // A page that came out empty was work, too.
    rowsLeft -= max(1, count)
    guard rowsLeft >= 0 else { throw Exhausted() }
  }
}
