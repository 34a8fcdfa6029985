import ConversationModel
import StrictJSON

/// Finds the rows of the former tables in a file, and reads each again when it is wanted.
protocol FormerRows {
  /// - Returns: Nil at the end.
  /// - Throws: `.invalid` for a fault behind which nothing more can be found.
  mutating func next() throws(ConversationError) -> FormerFinding?
  /// - Returns: The row by its columns' names, as PostgREST gives it.
  /// - Throws: `.invalid` for one that cannot be read.
  func row(at place: FormerPlace) throws(ConversationError) -> JSONObject
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
  static let rowBytes = Limits.bodyBytes * 4

  init(_ span: Range<Int>, shape: Int = 0) {
    (offset, length, self.shape) = (Int32(span.lowerBound), Int32(span.count), Int32(shape))
  }

  var span: Range<Int> { Int(offset)..<Int(offset) + Int(length) }
}

extension ImportFile {
  func bytes(of place: FormerPlace) throws(ConversationError) -> [UInt8] {
    guard place.span.count <= FormerPlace.rowBytes else {
      throw ConversationError(.invalid, "The row is longer than \(FormerPlace.rowBytes) bytes.")
    }
    return try read(at: place.span.lowerBound, count: place.span.count)
  }
}

/// Finds rows in `{"pam_conversations":[…],"pam_messages":[…]}`.
struct FormerJSON: FormerRows {
  private let file: ImportFile
  private var walk: JSONWalk
  private var table: FormerTable?
  private var isBegun = false
  private var isFirstKey = true
  private var counts: [FormerTable: Int] = [:]
  private var isFirst = true

  init(_ file: ImportFile) {
    self.file = file
    walk = JSONWalk(file)
  }

  mutating func next() throws(ConversationError) -> FormerFinding? {
    if !isBegun { try walk.take("{") }
    isBegun = true
    while true {
      if let table {
        if try walk.nextElement(isFirst: isFirst) {
          isFirst = false
          counts[table, default: 0] += 1
          return .row(table, number: counts[table, default: 0], FormerPlace(try walk.skip()))
        }
        self.table = nil
      }
      guard let key = try walk.nextKey(isFirst: isFirstKey) else { return nil }
      isFirstKey = false
      table = FormerTable(rawValue: key)
      isFirst = true
      if table == nil { try walk.skip() } else { try walk.take("[") }
    }
  }

  func row(at place: FormerPlace) throws(ConversationError) -> JSONObject {
    let bytes = try file.bytes(of: place)
    let json: JSONValue
    do { json = try JSONReader.read(bytes, limits: JSONLimits(bytes: bytes.count, depth: 64)) } catch {
      throw ConversationError(.invalid, error.message)
    }
    guard let object = json.object else { throw ConversationError(.invalid, "The row is no object.") }
    return object
  }
}
