import ConversationModel

/// A table's name and columns, as its readers see them.
struct TableShape: Sendable {
  struct Column: Sendable {
    let name: String
    let type: ColumnType
  }

  let name: String
  /// The former table's columns first, in its order; then Parley's own.
  let columns: [Column]

  /// - Throws: 42703.
  func index(of name: String) throws(PostgRESTError) -> Int {
    guard let index = columns.firstIndex(where: { $0.name == name }) else { throw .noColumn(name, of: self.name) }
    return index
  }
}

/// A table whose rows are made from values of the model.
struct Table<Item>: Sendable {
  struct Column: Sendable {
    let name: String
    let type: ColumnType
    let value: @Sendable (Item) -> ColumnValue

    init(_ name: String, _ type: ColumnType, _ value: @escaping @Sendable (Item) -> ColumnValue) {
      self.name = name
      self.type = type
      self.value = value
    }
  }

  let shape: TableShape
  private let values: [@Sendable (Item) -> ColumnValue]

  init(_ name: String, _ columns: [Column]) {
    shape = TableShape(name: name, columns: columns.map { TableShape.Column(name: $0.name, type: $0.type) })
    values = columns.map(\.value)
  }

  /// - Parameter column: An index into `shape.columns`.
  func value(_ column: Int, of item: Item) -> ColumnValue { values[column](item) }
}

extension Table<Conversation> {
  static let conversations = Table(
    "pam_conversations",
    [
      Column("id", .uuid) { .id($0.id) },
      Column("user_id", .uuid) { .id($0.userID) },
      Column("session_id", .text) { .text(orNull: $0.sessionID) },
      // What the former system called every conversation.
      Column("title", .text) { .text($0.title ?? "PAM Conversation") },
      Column("context_data", .json) { .json($0.context) },
      Column("created_at", .time) { .time($0.createdAt) },
      Column("updated_at", .time) { .time($0.updatedAt) },
      Column("is_default", .boolean) { .boolean($0.isDefault) },
      Column("archived", .boolean) { .boolean($0.isArchived) },
      Column("pinned", .boolean) { .boolean($0.isPinned) },
      Column("active_branch", .integer) { .integer($0.activeBranch) },
      Column("message_count", .integer) { .integer($0.messageCount) },
      Column("version", .integer) { .integer($0.version) },
    ])
}

extension Table<Message> {
  static let messages = Table(
    "pam_messages",
    [
      Column("id", .uuid) { .id($0.id) },
      Column("conversation_id", .uuid) { .id($0.conversationID) },
      Column("role", .text) { .text($0.role.rawValue) },
      Column("content", .text) { .text($0.content) },
      Column("intent", .text) { .text(orNull: $0.intent) },
      Column("confidence", .numeric) { $0.confidence.map(ColumnValue.confidence) ?? .null },
      Column("entities", .json) { .json($0.entities) },
      Column("metadata", .json) { .json($0.metadata) },
      Column("created_at", .time) { .time($0.createdAt) },
      Column("client_id", .text) { .text(orNull: $0.clientID) },
      Column("branch", .integer) { .integer($0.branch) },
      Column("position", .integer) { .integer($0.position) },
      Column("revision", .integer) { .integer($0.revision) },
      Column("edited_at", .time) { $0.editedAt.map(ColumnValue.time) ?? .null },
    ])

  /// What `get_conversation_history` returns.
  static let history = Table(
    "get_conversation_history",
    [
      Column("role", .text) { .text($0.role.rawValue) },
      Column("content", .text) { .text($0.content) },
      Column("intent", .text) { .text(orNull: $0.intent) },
      Column("created_at", .time) { .time($0.createdAt) },
      Column("id", .uuid) { .id($0.id) },
      Column("position", .integer) { .integer($0.position) },
    ])
}

extension Message {
  /// Whether the former table would show it: it knows no tool results, no unfinished answers, and
  /// nothing that was deleted.
  var isInFormerTable: Bool { status == .complete && role != .tool }
}
