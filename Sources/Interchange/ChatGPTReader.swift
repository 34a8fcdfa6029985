import ConversationModel
import StrictJSON

/// Reads `conversations.json` of a ChatGPT data export: an array of conversations, such an array under the name
/// `conversations`, or one of them. Each is held in memory, at most
/// `Limits.recordBytes` of it. The shape is not published; it is known from exports.
struct ChatGPTReader: ArchiveReader {
  private var walk: JSONWalk
  private let owner: UserID
  private var queue = PieceQueue()
  private var number = 0
  /// Whether the list is a member of an object.
  private var isNamed = false
  private var state = State.start

  private enum State { case start, array, end }

  init(_ file: ImportFile, owner: UserID) {
    walk = JSONWalk(file)
    self.owner = owner
  }

  mutating func next() throws(ConversationError) -> ArchivePiece? {
    while true {
      if let piece = queue.pop() { return piece }
      if state == .end { return nil }
      do throws(ConversationError) { try step() } catch {
        guard error.code == .invalid else { throw error }
        queue.skip("byte \(walk.cursor.offset)", error.message)
        state = .end
      }
    }
  }

  private mutating func step() throws(ConversationError) {
    if state == .start {
      if try walk.peek() != UInt8(ascii: "["), let list = try Self.list(in: walk) { (walk, isNamed) = (list, true) }
      guard try walk.peek() == UInt8(ascii: "[") else {
        try read(try walk.skip())
        return try finish()
      }
      walk.cursor.advance()
      state = .array
    }
    guard try walk.nextElement(isFirst: number == 0) else { return try finish() }
    try read(try walk.skip())
  }

  /// Looks whether something is left behind the last conversation. Of further lists the first one is told of.
  private mutating func finish() throws(ConversationError) {
    state = .end
    if isNamed {
      var isTold = false
      while let key = try walk.nextKey(isFirst: false) {
        let isList = try walk.peek() == UInt8(ascii: "[")
        let place = try walk.skip().lowerBound
        guard key == "conversations", isList, !isTold else { continue }
        queue.skip("byte \(place)", "The file holds another list of conversations, which is not taken.")
        isTold = true
      }
    }
    if let rest = try walk.rest() { queue.push(.skipped(rest)) }
  }

  /// In front of the list in `{"conversations":[…]}`; nil for any other object.
  private static func list(in walk: JSONWalk) throws(ConversationError) -> JSONWalk? {
    var walk = walk
    try walk.take("{")
    var isFirst = true
    while let key = try walk.nextKey(isFirst: isFirst) {
      isFirst = false
      if key == "conversations", try walk.peek() == UInt8(ascii: "[") { return walk }
      try walk.skip()
    }
    return nil
  }

  private mutating func read(_ span: Range<Int>) throws(ConversationError) {
    number += 1
    let place = "conversation \(number)"
    guard span.count <= Limits.recordBytes else {
      return queue.skip(place, "The conversation is longer than \(Limits.recordBytes) bytes.")
    }
    let bytes = try walk.cursor.file.read(at: span.lowerBound, count: span.count)
    do {
      let json = try JSONReader.read(bytes, limits: JSONLimits(bytes: bytes.count, depth: 128))
      guard let object = json.object, let mapping = object["mapping"]?.object else {
        return queue.skip(place, "The element is no conversation: it has no mapping.")
      }
      convert(object, mapping, place)
    } catch { queue.skip(place, error.message) }
  }

  private mutating func convert(_ object: JSONObject, _ mapping: JSONObject, _ place: String) {
    var conversion = ChatGPTConversion(object, mapping)
    let (conversation, messages) = conversion.result(for: owner)
    for why in conversion.notes { queue.skip(place, why) }
    guard !messages.isEmpty else { return queue.skip(place, "The conversation holds no messages.") }
    queue.push(.conversation(conversation, where: place))
    queue.push(messages)
  }
}
