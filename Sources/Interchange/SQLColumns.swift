import ConversationModel

/// What the columns of a dump's rows are. Each list of them is kept once, and is found again without being compared with the
/// others: a statement is short, and a list can be long.
struct SQLColumns {
  /// How the rows of a statement are written.
  struct Shape: Hashable {
    var columns: [String]
    var isCopy: Bool
    var hasEscapes: Bool
  }

  /// A statement that lists no columns.
  private struct Implied: Hashable {
    var table: FormerTable
    var isCopy: Bool
    var hasEscapes: Bool
  }

  /// As PostgreSQL's own greatest number of columns, and far more lists of them than one dump has.
  static let columns = 1_600
  static let shapes = 100
  private var shapes: [Shape] = []
  private var numbers: [Shape: Int] = [:]
  private var implied: [Implied: Int] = [:]
  private var definitions: [FormerTable: [String]] = [
    .conversations: ["id", "user_id", "session_id", "title", "context_data", "created_at", "updated_at"],
    .messages: [
      "id", "conversation_id", "role", "content", "intent", "confidence", "entities", "metadata", "created_at",
    ],
  ]

  subscript(shape: Int) -> Shape { shapes[shape] }

  /// Remembers what a CREATE TABLE says.
  mutating func define(_ table: FormerTable, _ columns: [String]) {
    definitions[table] = columns
    implied = [:]
  }

  /// - Parameter listed: The columns that the statement lists; nil for those of the table.
  /// - Returns: The number of the shape; nil if there are too many.
  mutating func shape(of table: FormerTable, _ listed: [String]?, isCopy: Bool, hasEscapes: Bool) -> Int? {
    if let listed { return number(of: Shape(columns: listed, isCopy: isCopy, hasEscapes: hasEscapes)) }
    let statement = Implied(table: table, isCopy: isCopy, hasEscapes: hasEscapes)
    if let known = implied[statement] { return known }
    let columns = definitions[table] ?? []
    let number = number(of: Shape(columns: columns, isCopy: isCopy, hasEscapes: hasEscapes))
    implied[statement] = number
    return number
  }

  private mutating func number(of shape: Shape) -> Int? {
    if let number = numbers[shape] { return number }
    guard shapes.count < Self.shapes else { return nil }
    numbers[shape] = shapes.count
    shapes.append(shape)
    return shapes.count - 1
  }
}

// MARK: Names in statements

extension SQLLexer {
  mutating func readName() throws(ConversationError) -> String {
    switch try next() {
    case .word(let name), .name(let name): return name
    default: throw fault("a name is expected")
    }
  }

  /// A list of columns in brackets; nil if none is next.
  mutating func readColumns() throws(ConversationError) -> [String]? {
    guard try take("(") else { return nil }
    var columns: [String] = []
    var known: Set<String> = []
    repeat {
      let name = try readName()
      guard columns.count < SQLColumns.columns, known.insert(name).inserted else {
        throw fault("a column comes twice, or there are more than \(SQLColumns.columns)")
      }
      columns.append(name)
    } while try take(",")
    guard try take(")") else { throw fault("the list of columns has no end") }
    return columns
  }

  /// The columns' names between the brackets of a CREATE TABLE.
  mutating func readDefinition() throws(ConversationError) -> [String] {
    var columns: [String] = []
    var depth = 0
    var begins = true
    while true {
      let token = try next()
      switch token {
      case .word(let name) where begins:
        if !["constraint", "primary", "unique", "check", "foreign", "exclude", "like"].contains(name) {
          columns.append(name)
        }
      case .name(let name) where begins: columns.append(name)
      case .mark("("): depth += 1
      case .mark(")"):
        if depth == 0 { return columns }
        depth -= 1
      case .end: throw fault("a statement has no end")
      default: break
      }
      begins = depth == 0 && token == .mark(",")
      guard columns.count <= SQLColumns.columns else {
        throw fault("a table has more than \(SQLColumns.columns) columns")
      }
    }
  }
}
