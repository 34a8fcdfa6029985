public import ConversationModel

extension SQLStore {
  public func messages(
    _ path: Path, _ page: MessagePageRequest, as principal: Principal
  ) async throws(ConversationError) -> MessagePage {
    try validatePageLimit(page.limit)
    try path.conversation.validate()
    return try await read { connection in
      let conversation = try self.owned(path.conversation, by: principal, on: connection)
      let cursors = MessageCursors(conversation: conversation.id)
      let place = try self.placement(page.part, path, cursors, on: connection)
      let reader = try PathReader(
        conversation, branch: place.branch ?? path.branch ?? conversation.activeBranch, on: connection)
      let branch = reader.branch
      try place.validate(head: branch.headPosition)
      if case .message(let message) = place.anchor {
        guard try reader.holds(message, on: connection) else { throw MessageCursors.notOnPath }
      }
      let window = PageWindow(place.placement, limit: page.limit, head: branch.headPosition)
      let (messages, isFull, forks) = try reader.read(window, bytes: page.bytes ?? .max, on: connection)
      let rest = isFull ? messages.last.map { $0.position + 1...window.end - 1 } : nil
      return MessagePage(
        conversation: conversation.id, messages: messages, rest: rest,
        forks: forks, branch: branch.number,
        before: window.hasBefore ? cursors.text(branch.number, window.first) : nil,
        after: window.hasAfter ? cursors.text(branch.number, window.end - 1) : nil,
        headPosition: branch.headPosition, version: conversation.version)
    }
  }

  public func message(_ id: MessageID, as principal: Principal) async throws(ConversationError) -> MessageDetail {
    try await read { connection in
      let (message, conversation) = try self.ownedMessage(id, by: principal, on: connection)
      let reader = try PathReader(conversation, branch: message.branch, on: connection)
      return MessageDetail(message: message, siblings: try reader.siblings(of: message, on: connection))
    }
  }

  public func revisions(
    of id: MessageID, _ page: PageRequest, as principal: Principal
  ) async throws(ConversationError) -> Page<Revision> {
    try validatePageLimit(page.limit)
    let end = try page.cursor.map { text throws(ConversationError) in
      try Cursor(text, .revisions, of: id.description, count: 1).numbers[0]
    }
    return try await read { connection in
      let (_, conversation) = try self.ownedMessage(id, by: principal, on: connection)
      let found = try connection.all(
        Statements.revisions,
        [
          .id(conversation.id), .id(id), .integer(end.flatMap { Int(exactly: $0) } ?? .max), .integer(page.limit + 1),
        ], Revision.init)
      let items = Array(found.prefix(page.limit))
      let next = found.count > page.limit ? items.last : nil
      return Page(items: items, next: next.map { Cursor(.revisions, of: id.description, [UInt64($0.number)]).text })
    }
  }

  public func branches(of id: ConversationID, as principal: Principal) async throws(ConversationError) -> [Branch] {
    try await read { connection in
      let conversation = try self.owned(.id(id), by: principal, on: connection)
      return try connection.all(Statements.branches, [.id(id), .integer(.max)]) {
        try Branch($0, activeBranch: conversation.activeBranch)
      }
    }
  }

  private func placement(
    _ part: MessagePageRequest.Part, _ path: Path, _ cursors: MessageCursors, on connection: Driver.Connection
  ) throws -> PagePlace {
    func resolve(
      _ anchor: MessagePageRequest.Anchor, _ field: String, _ make: (Position) -> PageWindow.Placement
    ) throws -> PagePlace {
      switch anchor {
      case .position(let position):
        return PagePlace(placement: make(position), anchor: .position(position), field: field)
      case .cursor(let text):
        let (branch, position) = try cursors.place(at: text, field)
        guard path.branch == nil || path.branch == branch else { throw ConversationError.damagedCursor(field) }
        return PagePlace(placement: make(position), anchor: .cursor(position), field: field, branch: branch)
      case .message(let id):
        guard let message = try connection.first(Statements.messagePlace, [.id(id)], MessagePlace.init),
          message.conversation == cursors.conversation
        else { throw MessageCursors.notOnPath }
        return PagePlace(placement: make(message.position), anchor: .message(message), field: field)
      }
    }
    switch part {
    case .latest: return PagePlace(placement: .latest, anchor: .head, field: nil)
    case .before(let anchor): return try resolve(anchor, "before") { .before($0) }
    case .after(let anchor): return try resolve(anchor, "after") { .after($0) }
    case .around(let anchor): return try resolve(anchor, "around") { .around($0) }
    }
  }
}

/// An anchor whose position is known, but not yet whether it lies on the path.
private struct PagePlace {
  enum Anchor {
    case head
    case position(Position)
    case cursor(Position)
    case message(MessagePlace)
  }

  let placement: PageWindow.Placement
  let anchor: Anchor
  let field: String?
  /// The branch that a cursor was made on: paging goes on there even if another became active.
  var branch: BranchNumber?

  func validate(head: Position) throws(ConversationError) {
    switch anchor {
    case .head: return
    // A client's position is a message's place; a cursor may also stand just outside, because it
    // says between which messages a page ended.
    case .position(let position) where !(1...max(head, 1)).contains(position) || head == 0:
      throw ConversationError(
        .invalid, "The path has the positions 1 to \(head); there is none such.", field: field,
        rule: .anchorNotOnPath)
    case .cursor(let position) where !(0...head + 1).contains(position):
      throw ConversationError.damagedCursor(field)
    case .message(let message) where message.position > head:
      throw MessageCursors.notOnPath
    default: return
    }
  }
}

/// Cursors of one conversation's paths: a branch, and a position on its path.
private struct MessageCursors {
  let conversation: ConversationID

  static let notOnPath = ConversationError(
    .invalid, "The message is not on this path of this conversation.", rule: .anchorNotOnPath)

  func text(_ branch: BranchNumber, _ position: Position) -> String {
    Cursor(.messages, of: conversation.description, [UInt64(branch), UInt64(position)]).text
  }

  func place(at text: String, _ field: String) throws(ConversationError) -> (BranchNumber, Position) {
    guard let cursor = try? Cursor(text, .messages, of: conversation.description, count: 2),
      let branch = Int(exactly: cursor.numbers[0]), let position = Int(exactly: cursor.numbers[1])
    else { throw ConversationError.damagedCursor(field) }
    return (branch, position)
  }
}

/// Ends the reading of a page that has reached its bytes.
private struct PageIsFull: Error {}

/// Reads the path that ends at a branch's head.
private struct PathReader {
  /// Where a branch leaves its parent, and where it ends.
  struct End {
    let number: BranchNumber
    let parent: BranchNumber?
    let forkPosition: Position
    let headPosition: Position
  }

  let conversation: Conversation
  let branch: End

  /// - Throws: `.notFound` if the conversation has no such branch.
  init<Connection: SQLConnection>(
    _ conversation: Conversation, branch number: BranchNumber, on connection: Connection
  ) throws {
    self.conversation = conversation
    if number == Branch.trunk, conversation.activeBranch == Branch.trunk {
      // By far the most common path, and the conversation's own row says all about it.
      branch = End(number: number, parent: nil, forkPosition: 0, headPosition: conversation.headPosition)
    } else {
      guard let row = try Self.row(number, of: conversation, on: connection), !row.isDeleted else {
        throw ConversationError(.notFound, "There is no such branch.", field: "branch")
      }
      branch = row.end
    }
  }

  /// - Parameter bytes: After so many the messages break off.
  func read<Connection: SQLConnection>(
    _ window: PageWindow, bytes: Int, on connection: Connection
  ) throws -> (messages: [Message], isFull: Bool, forks: [Fork]) {
    guard let positions = window.positions else { return ([], false, []) }
    let segments = try segments(of: positions, on: connection)
    var messages: [Message] = []
    messages.reserveCapacity(positions.count)
    var bytesLeft = bytes
    var isFull = false
    do {
      for segment in segments {
        try connection.forEachRow(
          Statements.messagesOfBranch,
          [
            .id(conversation.id), .integer(segment.branch), .integer(segment.positions.lowerBound),
            .integer(segment.positions.upperBound), .integer(positions.count),
          ]
        ) { row in
          guard bytesLeft > 0 else { throw PageIsFull() }
          let message = try Message(row)
          messages.append(message)
          bytesLeft -= message.content.utf8.count + message.metadata.text.utf8.count + message.entities.text.utf8.count
        }
      }
    } catch is PageIsFull {
      isFull = true
    }
    return (messages, isFull, try forks(of: positions, segments, on: connection))
  }

  /// Whether a message stands on the path.
  func holds<Connection: SQLConnection>(_ message: MessagePlace, on connection: Connection) throws -> Bool {
    guard message.position <= branch.headPosition else { return false }
    let owner = try segments(of: message.position...message.position, on: connection).first
    return owner?.branch == message.branch
  }

  /// The other messages after this one's predecessor: the first messages of the branches that fork
  /// there, and where its own branch forks there, what the parent goes on with.
  func siblings<Connection: SQLConnection>(
    of message: Message, on connection: Connection
  ) throws -> [MessageDetail.Sibling] {
    let position = message.position
    // The branch that owns the predecessor is the parent of every branch that starts here.
    var owner = branch
    while position == owner.forkPosition + 1, let parent = owner.parent {
      owner = try ancestor(parent, on: connection)
    }
    var numbers = try connection.all(
      Statements.forks,
      [
        .id(conversation.id), .integer(owner.number), .integer(position - 1), .integer(position - 1),
        .integer(.max),
      ]
    ) { try $0.integer(1) }
    numbers.append(owner.number)
    return try numbers.sorted().compactMap { number in
      try connection.first(
        Statements.messageAt, [.id(conversation.id), .integer(number), .integer(position)]
      ) { MessageDetail.Sibling(id: try $0.id(0), branch: try $0.integer(1)) }
    }
  }

  private func segments<Connection: SQLConnection>(
    of positions: ClosedRange<Position>, on connection: Connection
  ) throws -> [PathSegment] {
    try PathSegment.segments(of: positions, onPathOf: branch.number) { number in
      let end = number == branch.number ? branch : try ancestor(number, on: connection)
      return (end.parent, end.forkPosition)
    }
  }

  private func forks<Connection: SQLConnection>(
    of positions: ClosedRange<Position>, _ segments: [PathSegment], on connection: Connection
  ) throws -> [Fork] {
    guard conversation.branchCount > 1 else { return [] }
    let onPath = Set(segments.map(\.branch))
    var forks: [Fork] = []
    if positions.lowerBound == 1, segments.first?.branch != Branch.trunk {
      // Another branch has taken the trunk's place from the first message on.
      let trunk = try ancestor(Branch.trunk, on: connection)
      if trunk.headPosition > 0 { forks.append(Fork(position: 1, branches: [Branch.trunk])) }
    }
    // A branch that starts at position p names the owner of p - 1 as its parent, so what is looked
    // for are the forks from the page's positions moved down by one. Before the first message that
    // is the trunk, whichever branch the path takes there.
    var owners = positions.lowerBound == 1 ? [PathSegment(branch: Branch.trunk, positions: 0...0)] : []
    let first = max(positions.lowerBound - 1, 1)
    if first < positions.upperBound {
      owners += try self.segments(of: first...positions.upperBound - 1, on: connection)
    }
    for owner in owners {
      try connection.forEachRow(
        Statements.forks,
        [
          .id(conversation.id), .integer(owner.branch), .integer(owner.positions.lowerBound),
          .integer(owner.positions.upperBound), .integer(.max),
        ]
      ) { row in
        let (position, number) = (try row.integer(0), try row.integer(1))
        if onPath.contains(number) { return }
        if forks.last?.position == position {
          forks[forks.count - 1].branches.append(number)
        } else {
          forks.append(Fork(position: position, branches: [number]))
        }
      }
    }
    return forks
  }

  private func ancestor<Connection: SQLConnection>(_ number: BranchNumber, on connection: Connection) throws -> End {
    guard let row = try Self.row(number, of: conversation, on: connection) else {
      throw SQLFailure.statement(detail: "branch \(number) of \(conversation.id) has no row")
    }
    return row.end
  }

  private static func row<Connection: SQLConnection>(
    _ number: BranchNumber, of conversation: Conversation, on connection: Connection
  ) throws -> Branch? {
    try connection.first(Statements.branch, [.id(conversation.id), .integer(number)]) {
      try Branch($0, activeBranch: conversation.activeBranch)
    }
  }
}

extension Branch {
  fileprivate var end: PathReader.End {
    PathReader.End(number: number, parent: parent, forkPosition: forkPosition, headPosition: headPosition)
  }
}
