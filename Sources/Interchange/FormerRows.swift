import ConversationModel
import StrictJSON

/// Finds the rows of the former tables in a file, and reads each again when it is wanted.
protocol FormerRows {
  /// Whether a table was met.
  var hasTables: Bool { get }
  /// - Returns: Nil at the end.
  /// - Throws: `.invalid` for a fault behind which nothing more can be found.
  mutating func next() throws(ConversationError) -> FormerFinding?
  /// - Throws: `.invalid` for a row that tells nothing at all, `.internal` if the file cannot be read.
  func row(at place: FormerPlace) throws(ConversationError) -> FormerRow
}

struct FormerRow {
  /// By the columns' names, as PostgREST gives them.
  var values: JSONObject
  /// Why the row cannot be read. What there is of its values then tells whose it is, and no more. A value that may be another
  /// column's is not among them.
  var fault: ConversationError?
}

enum FormerTable: String, Sendable {
  case conversations = "pam_conversations"
  case messages = "pam_messages"
}

enum FormerFinding {
  /// - Parameter number: Among the rows of its table.
  case row(FormerTable, number: Int, FormerPlace)
  /// A part without messages.
  case skipped(SkippedPiece)
  /// A part that cannot be read or is cut off, and may hold messages of any conversation.
  case missing(SkippedPiece)
}

/// Where a row stands. A file to import fits into 32 bits.
struct FormerPlace: Sendable {
  var offset: Int32
  var length: Int32
  /// What its columns are, for the source that found it.
  var shape: Int32

  /// Bytes of a row that is read.
  private static let rowBytes = Limits.bodyBytes * 4
  /// Bytes of a value that tells whose a row is: more than any spelling of a UUID has.
  static let nameBytes = 64

  init(_ span: Range<Int>, shape: Int = 0) {
    (offset, length, self.shape) = (Int32(span.lowerBound), Int32(span.count), Int32(shape))
  }

  var span: Range<Int> { Int(offset)..<Int(offset) + Int(length) }

  /// What is wrong with a row that is too long to be held in memory.
  var tooLong: ConversationError? {
    length <= Self.rowBytes
      ? nil : ConversationError(.invalid, "The row is longer than \(Self.rowBytes) bytes.")
  }
}

/// Finds rows in `{"pam_conversations":[…],"pam_messages":[…]}`.
struct FormerJSON: FormerRows {
  private let file: ImportFile
  private var walk: JSONWalk
  private var table: FormerTable?
  private(set) var hasTables = false
  private var isBegun = false
  private var isFirstKey = true
  private var isAtEnd = false
  private var counts: [FormerTable: Int] = [:]
  private var isFirst = true

  init(_ file: ImportFile) {
    self.file = file
    walk = JSONWalk(file)
  }

  mutating func next() throws(ConversationError) -> FormerFinding? {
    if !isBegun { try walk.take("{") }
    isBegun = true
    while !isAtEnd {
      if let table {
        if try walk.nextElement(isFirst: isFirst) {
          isFirst = false
          counts[table, default: 0] += 1
          return .row(table, number: counts[table, default: 0], FormerPlace(try walk.skip()))
        }
        self.table = nil
      }
      guard let key = try walk.nextKey(isFirst: isFirstKey) else {
        isAtEnd = true
        return try walk.rest().map(FormerFinding.skipped)
      }
      isFirstKey = false
      table = FormerTable(rawValue: key)
      hasTables = hasTables || table != nil
      isFirst = true
      if table == nil { try walk.skip() } else { try walk.take("[") }
    }
    return nil
  }

  func row(at place: FormerPlace) throws(ConversationError) -> FormerRow {
    if let fault = place.tooLong { return try FormerRow(values: names(at: place), fault: fault) }
    let bytes = try file.read(at: place.span.lowerBound, count: place.span.count)
    do {
      let json = try JSONReader.read(bytes, limits: JSONLimits(bytes: bytes.count, depth: 64))
      if let object = json.object { return FormerRow(values: object) }
      return FormerRow(values: JSONObject(), fault: ConversationError(.invalid, "The row is no object."))
    } catch {
      return try FormerRow(values: names(at: place), fault: ConversationError(.invalid, error.message))
    }
  }

  /// What tells whose a row is that cannot be read; nothing if that is said twice, or the row is broken: behind a quotation
  /// mark too many its text is taken for its members.
  private func names(at place: FormerPlace) throws(ConversationError) -> JSONObject {
    var walk = JSONWalk(file, at: place.span.lowerBound, end: place.span.upperBound)
    var names: [Range<Int>] = []
    var isFirst = true
    do throws(ConversationError) {
      try walk.take("{")
      while let key = try walk.nextKey(isFirst: isFirst) {
        isFirst = false
        let span = try walk.skip()
        if key == "conversation_id", names.count < 2 { names.append(span) }
      }
    } catch {
      guard error.code == .invalid else { throw error }
      return JSONObject()
    }
    guard names.count == 1, let span = names.first, span.count <= FormerPlace.nameBytes else { return JSONObject() }
    let bytes = try file.read(at: span.lowerBound, count: span.count)
    guard let value = try? JSONReader.read(bytes) else { return JSONObject() }
    return JSONObject(members: [.init(key: "conversation_id", value: value)]) ?? JSONObject()
  }
}
