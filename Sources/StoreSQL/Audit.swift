public import ConversationModel

/// Something that `parley check` found to be otherwise than it must be.
public struct Finding: Sendable, CustomStringConvertible {
  /// Which thing: `conversation …, branch 0, position 17`.
  public let subject: String
  /// What is wrong with it. Never text from users.
  public let fault: String
  public let part: Part

  /// What the finding is about.
  public enum Part: Sendable {
    /// Conversations and all that they hold.
    case tree
    /// What can be written anew from the messages.
    case searchIndex
  }

  public init(_ part: Part = .tree, subject: String, fault: String) {
    self.subject = subject
    self.fault = fault
    self.part = part
  }

  public var description: String { "\(subject): \(fault)" }
}

extension SQLStore {
  /// Reads every row and proves the invariants of the tree: dense positions, forks inside their
  /// parents, counters that count, texts that are what was stored, nothing without an owner, and a search index with the
  /// words of these texts and no others.
  ///
  /// Each conversation is read in a snapshot of its own, and each user's part of the search index, so that a running
  /// server's log can be emptied in between; only the look for rows without an owner is one long read.
  /// - Parameter report: Called with each finding, conversations in the order of their ids.
  /// - Returns: How many conversations and messages were read.
  public func audit(
    _ report: (Finding) -> Void
  ) async throws(ConversationError) -> (conversations: Int, messages: Int) {
    var total = (conversations: 0, messages: 0)
    var last = ConversationID(high: 0, low: 0)
    while true {
      let start = last
      let ids = try await auditing("the list of conversations", report) { connection in
        try connection.all(AuditStatements.conversationIDs, [.id(start)]) { row -> ConversationID in try row.id(0) }
      }
      guard let ids, let newest = ids.last else { break }
      last = newest
      for id in ids {
        let result = try await auditing("conversation \(id)", report) { connection in
          var audit = TreeAudit(conversation: id)
          return try audit.run(on: connection)
        }
        result?.0.forEach(report)
        total.conversations += 1
        total.messages += result?.messages ?? 0
      }
    }
    let orphans = try await auditing("the list of owners", report) { connection in
      try AuditStatements.orphans.flatMap { table, statement in
        try connection.all(statement, []) { row -> Finding in
          let owner: ConversationID = try row.id(0)
          return Finding(subject: "conversation \(owner)", fault: "does not exist, but \(table) has rows of it")
        }
      }
    }
    orphans?.forEach(report)
    try await auditSearch(report)
    return total
  }

  /// A read whose failure by damage is a finding, not the end of the audit.
  func auditing<Value: Sendable>(
    _ subject: String, of part: Finding.Part = .tree, _ report: (Finding) -> Void,
    _ body: @escaping @Sendable (Driver.Connection) throws -> Value
  ) async throws(ConversationError) -> Value? {
    do {
      return try await read(body)
    } catch {
      switch error.underlying as? SQLFailure {
      case .malformed(let detail):
        report(Finding(part, subject: subject, fault: "cannot be read, the file is damaged (\(detail))"))
      case .damaged(let column):
        report(Finding(part, subject: subject, fault: "has a row whose column \(column) cannot be read"))
      default:
        throw error
      }
      return nil
    }
  }
}

private enum AuditStatements {
  static let conversationIDs = SQLStatement(
    "SELECT id FROM pam_conversations WHERE id > $1 ORDER BY id LIMIT 200")
  static let conversation = SQLStatement(
    """
    SELECT active_branch, next_branch, branch_count, message_count, version, erasing
    FROM pam_conversations WHERE id = $1
    """)
  static let branches = SQLStatement(
    """
    SELECT \(Statements.branchColumns), version, erasing FROM pam_branches
    WHERE conversation_id = $1 ORDER BY number
    """)
  static let messages = SQLStatement(
    """
    SELECT \(Statements.messageColumns), version, fingerprint FROM pam_messages
    WHERE conversation_id = $1 ORDER BY branch, position
    """)
  static let revisions = SQLStatement(
    """
    SELECT m.branch, m.position, m.status, m.role, r.revision, r.content, r.metadata, r.fingerprint,
      m.intent, m.confidence, m.entities
    FROM pam_revisions r LEFT JOIN pam_messages m ON m.id = r.message_id AND m.conversation_id = r.conversation_id
    WHERE r.conversation_id = $1 ORDER BY r.message_id, r.revision
    """)
  static let orphans: [(table: String, SQLStatement)] = ["pam_messages", "pam_branches", "pam_revisions", "pam_drafts"]
    .map { table in
      (
        table,
        SQLStatement(
          """
          SELECT DISTINCT conversation_id FROM \(table) t
          WHERE NOT EXISTS (SELECT 1 FROM pam_conversations c WHERE c.id = t.conversation_id)
          ORDER BY conversation_id LIMIT 100
          """)
      )
    }
}

/// A branch's row with the columns that only the store knows.
@dynamicMemberLookup
private struct AuditedBranch {
  let row: Branch
  let version: Version
  let isErasing: Bool

  subscript<Value>(dynamicMember path: KeyPath<Branch, Value>) -> Value { row[keyPath: path] }
}

/// One conversation under the lens.
private struct TreeAudit {
  let conversation: ConversationID
  private var findings: [Finding] = []
  /// How many earlier texts each edited message must have, by its place.
  private var edits: [BranchPlace: Int] = [:]

  /// Positions that arithmetic can be done with; beyond are only those that other hands wrote.
  private static let plausible = 0...1 << 48

  init(conversation: ConversationID) {
    self.conversation = conversation
  }

  mutating func run<Connection: SQLConnection>(on connection: Connection) throws -> ([Finding], messages: Int) {
    let row = try connection.first(AuditStatements.conversation, [.id(conversation)]) { row in
      try (
        activeBranch: row.integer(0), nextBranch: row.integer(1), branchCount: row.integer(2),
        messageCount: row.integer(3), version: row.integer(4), isErasing: row.boolean(5)
      )
    }
    // Gone since its id was listed, or on its way out: nothing is promised about it any more.
    guard let row, !row.isErasing else { return ([], 0) }

    let branches = try readBranches(activeBranch: row.activeBranch, on: connection)
    let byNumber = Dictionary(branches.map { ($0.number, $0) }) { first, _ in first }
    for branch in branches { check(branch, byNumber, version: row.version) }
    if byNumber[Branch.trunk]?.isDeleted ?? true { found("has no trunk") }
    if byNumber[row.activeBranch]?.isDeleted ?? true { found("its active branch \(row.activeBranch) does not exist") }
    if let last = branches.last, last.number >= row.nextBranch { found("would give the number of a branch again") }
    expect("branch_count", row.branchCount, branches.count { !$0.isDeleted })

    let (total, live) = try readMessages(byNumber, version: row.version, on: connection)
    expect("message_count", row.messageCount, live)
    try readRevisions(byNumber, on: connection)
    return (findings, total)
  }

  private mutating func readBranches<Connection: SQLConnection>(
    activeBranch: BranchNumber, on connection: Connection
  ) throws -> [AuditedBranch] {
    var branches: [AuditedBranch] = []
    try connection.forEachRow(AuditStatements.branches, [.id(conversation)]) { row in
      do {
        let branch = AuditedBranch(
          row: try Branch(row, activeBranch: activeBranch), version: try row.integer(8), isErasing: try row.boolean(9))
        guard Self.plausible.contains(branch.forkPosition), Self.plausible.contains(branch.headPosition) else {
          found("branch \(branch.number)", "has positions that no branch can have")
          return
        }
        branches.append(branch)
      } catch SQLFailure.damaged(let column) {
        found(
          "has a branch row whose column \(Self.name(column, Statements.branchColumns + ", version, erasing")) cannot be read"
        )
      }
    }
    return branches
  }

  private mutating func check(
    _ branch: AuditedBranch, _ byNumber: [BranchNumber: AuditedBranch], version: Version
  ) {
    let subject = "branch \(branch.number)"
    if branch.isDeleted, branch.title != nil { found(subject, "was deleted, but still says something") }
    if branch.isErasing, !branch.isDeleted { found(subject, "is marked to be blanked, but was not deleted") }
    if branch.version > version { found(subject, "is stamped with a version that is still to come") }
    if branch.headPosition < branch.forkPosition { found(subject, "ends before it starts") }
    guard let number = branch.parent else {
      if branch.number != Branch.trunk || branch.forkPosition != 0 { found(subject, "has no parent") }
      return
    }
    guard number < branch.number, let parent = byNumber[number] else {
      found(subject, "its parent \(number) does not exist")
      return
    }
    if parent.isDeleted, !branch.isDeleted { found(subject, "continues branch \(number), which was deleted") }
    let lowest = parent.parent == nil ? 0 : parent.forkPosition + 1
    if branch.forkPosition < lowest || branch.forkPosition > parent.headPosition {
      found(subject, "forks at position \(branch.forkPosition), which its parent \(number) does not own")
    }
    // Parents have lower numbers, so this ends.
    var depth = 0
    var ancestor: AuditedBranch? = branch
    while let parent = ancestor?.parent {
      depth += 1
      ancestor = parent < ancestor!.number ? byNumber[parent] : nil
    }
    if depth > Limits.forkDepth { found(subject, "is \(depth) forks deep") }
  }

  private mutating func readMessages<Connection: SQLConnection>(
    _ branches: [BranchNumber: AuditedBranch], version: Version, on connection: Connection
  ) throws -> (total: Int, live: Int) {
    var expected: [BranchNumber: Position] = branches.mapValues { $0.forkPosition + 1 }
    var total = 0
    var live = 0
    try connection.forEachRow(AuditStatements.messages, [.id(conversation)]) { row in
      total += 1
      let (number, position) = (try row.integer(3), try row.integer(4))
      let subject = "branch \(number), position \(position)"
      guard Self.plausible.contains(position) else {
        found(subject, "stands where no message can stand")
        return
      }
      guard let next = expected[number] else {
        found(subject, "there is no such branch")
        return
      }
      if position > next { missing(next..<position, of: number) }
      if position < next { found(subject, "stands where its branch does not") }
      expected[number] = max(next, position + 1)
      do {
        let message = try Message(row)
        let branch = branches[number]
        if !(1...max(version, 1)).contains(try row.integer(15)) {
          found(subject, "is stamped with a version that is still to come")
        }
        if message.revision < 1 || (message.revision > 1) != (message.editedAt != nil) {
          found(subject, "has no valid revision")
        }
        if message.status == .deleted {
          if message.isBlank, try row.bytes(16) == blankFingerprint { return }
          found(subject, "was deleted, but still says something")
          return
        }
        if try row.bytes(16) != message.fingerprint { found(subject, "what it says does not match its checksum") }
        if branch?.isDeleted ?? false {
          // Its text waits to be blanked.
          if !(branch?.isErasing ?? false) { found(subject, "is not blank, but its branch was deleted") }
        } else {
          live += 1
        }
        if message.revision > 1 { edits[BranchPlace(branch: number, position: position)] = message.revision - 1 }
      } catch SQLFailure.damaged(let column) {
        live += 1
        found(subject, "its column \(Self.name(column, Statements.messageColumns + ", version")) cannot be read")
      }
    }
    for (number, next) in expected.sorted(by: { $0.key < $1.key }) {
      let head = branches[number]?.headPosition ?? 0
      if head >= next { missing(next..<head + 1, of: number) }
      if head < next - 1 { found("branch \(number)", "has messages behind its head_position \(head)") }
    }
    return (total, live)
  }

  /// Every edit has left its earlier text, nothing else has.
  private mutating func readRevisions<Connection: SQLConnection>(
    _ branches: [BranchNumber: AuditedBranch], on connection: Connection
  ) throws {
    var seen: [BranchPlace: Int] = [:]
    try connection.forEachRow(AuditStatements.revisions, [.id(conversation)]) { row in
      do {
        guard !row.isNull(0) else {
          found("has an earlier text of a message that does not exist")
          return
        }
        let place = BranchPlace(branch: try row.integer(0), position: try row.integer(1))
        let subject = "branch \(place.branch), position \(place.position)"
        if branches[place.branch]?.isErasing ?? false { return }
        let (number, next) = (try row.integer(4), seen[place, default: 0] + 1)
        if number != next { found(subject, "its earlier text \(next) is missing") }
        seen[place] = number
        let text = NewMessage(
          role: try row.value(3), content: try row.text(5), intent: try row.optional(8, row.text),
          confidence: try row.optional(9, row.confidence), entities: JSONText(canonical: try row.text(10)),
          metadata: JSONText(canonical: try row.text(6)))
        if text.fingerprint != (try row.bytes(7)) {
          found(subject, "what its earlier text \(number) says does not match its checksum")
        }
      } catch SQLFailure.damaged(let column) {
        found("has an earlier text whose column \(column) cannot be read")
      }
    }
    for (place, count) in edits.sorted(by: { ($0.key.branch, $0.key.position) < ($1.key.branch, $1.key.position) })
    where seen[place, default: 0] != count && !(branches[place.branch]?.isErasing ?? false) {
      found(
        "branch \(place.branch), position \(place.position)",
        "was edited \(count) times, but has \(seen[place, default: 0]) earlier texts")
    }
    for (place, _) in seen where edits[place] == nil {
      found("branch \(place.branch), position \(place.position)", "has earlier texts, but was not edited")
    }
  }

  private static func name(_ column: Int, _ columns: String) -> String {
    let names = (columns + ", fingerprint").split(separator: ", ")
    return names.indices.contains(column) ? String(names[column]) : "\(column)"
  }

  private mutating func missing(_ positions: Range<Position>, of branch: BranchNumber) {
    let which =
      positions.count == 1
      ? "position \(positions.lowerBound) is" : "positions \(positions.lowerBound) to \(positions.upperBound - 1) are"
    found("branch \(branch)", "\(which) missing")
  }

  private mutating func expect(_ counter: String, _ stored: Int, _ counted: Int) {
    if stored != counted { found("its \(counter) is \(stored), but there are \(counted)") }
  }

  private mutating func found(_ fault: String) {
    findings.append(Finding(subject: "conversation \(conversation)", fault: fault))
  }

  private mutating func found(_ subject: String, _ fault: String) {
    findings.append(Finding(subject: "conversation \(conversation), \(subject)", fault: fault))
  }
}
