import ConversationModel

/// The part of a path that is held: messages side by side, bounded in number and bytes, so that paging through
/// a hundred thousand messages costs no more memory than opening them.
struct MessageWindow: Equatable {
  private(set) var messages: [Message] = []
  /// Behind the end of the path: what is acknowledged and only spooled. It has no place yet, and stands where its
  /// place will be if nothing else comes.
  private(set) var waiting: [Message] = []
  /// Of the path, if nothing of it is held but what waits.
  private var head: Position = 0
  private var bytes = 0

  init() {}

  /// - Parameter head: The last position of the path.
  init(_ page: [Message], head: Position) {
    self.head = head
    messages = page.filter { $0.durability == .stored }.map(Self.slim)
    bytes = messages.reduce(0) { $0 + $1.content.utf8.count }
    wait(for: page)
  }

  var isEmpty: Bool { messages.isEmpty && waiting.isEmpty }
  /// Of the first and the last message that is held and has a place; 0 and -1 if there is nothing at all.
  var first: Position { messages.first?.position ?? (waiting.isEmpty ? 0 : head + 1) }
  var last: Position { messages.last?.position ?? (waiting.isEmpty ? -1 : head) }
  /// Of the last message, what waits included: `first...end` is never asked where there is none.
  var end: Position { last + waiting.count }

  /// Positions are dense: a message is found by counting.
  subscript(_ position: Position) -> Message? {
    let index = position - first
    if messages.indices.contains(index) { return messages[index] }
    return waiting.indices.contains(index - messages.count) ? waiting[index - messages.count] : nil
  }

  /// Takes over what is only spooled, of a page that ends at the end of the path.
  mutating func wait(for page: [Message]) {
    let stored = Set(messages.suffix(page.count + Bounds.messagePage).map(\.id))
    waiting = page.filter { $0.durability == .spooled && !stored.contains($0.id) }.map(Self.slim)
  }

  /// Takes over one message that is only spooled.
  mutating func wait(for message: Message) {
    if let index = waiting.firstIndex(where: { $0.id == message.id }) {
      waiting[index] = Self.slim(message)
    } else if waiting.count < Bounds.messagePage {
      waiting.append(Self.slim(message))
    }
  }

  /// It waits no more: the store has it, under this id or another.
  mutating func settle(_ id: MessageID) {
    waiting.removeAll { $0.id == id }
  }

  /// Takes a page over that ends right below the window; what is far above it goes when there is too much.
  mutating func prepend(_ page: [Message]) -> Bool {
    guard let last = page.last, last.position == first - 1 else { return false }
    let added = page.map(Self.slim)
    messages.insert(contentsOf: added, at: 0)
    bytes += added.reduce(0) { $0 + $1.content.utf8.count }
    while isTooLarge, messages.count > page.count + Bounds.messagePage, let dropped = messages.popLast() {
      bytes -= dropped.content.utf8.count
      waiting = []
    }
    return true
  }

  /// Takes messages over that start right above the window; what is far below it goes when there is too much.
  mutating func append(_ page: [Message]) -> Bool {
    guard let first = page.first, isEmpty || first.position == last + 1 else { return false }
    let added = page.map(Self.slim)
    messages += added
    for message in added { settle(message.id) }
    bytes += added.reduce(0) { $0 + $1.content.utf8.count }
    var surplus = 0
    var left = bytes
    while messages.count - surplus > page.count + Bounds.messagePage,
      left > Bounds.textBytes || messages.count - surplus > Bounds.messages
    {
      left -= messages[surplus].content.utf8.count
      surplus += 1
    }
    messages.removeFirst(surplus)
    bytes = left
    return true
  }

  /// Takes over a message as it is now, if it is held.
  mutating func replace(_ message: Message) {
    let index = message.position - first
    guard messages.indices.contains(index) else { return }
    bytes += message.content.utf8.count - messages[index].content.utf8.count
    messages[index] = Self.slim(message)
  }

  /// Takes over what an answer that is being written says: all of it, or a piece behind so many scalars. A piece that does
  /// not fit is left out; the answer's end brings the whole text.
  mutating func write(_ id: MessageID, _ text: String, behind offset: Int? = nil) {
    guard let index = messages.lastIndex(where: { $0.id == id }), messages[index].status == .streaming else { return }
    if let offset {
      guard messages[index].content.unicodeScalars.count == offset else { return }
      bytes += text.utf8.count
      messages[index].content += text
    } else {
      bytes += text.utf8.count - messages[index].content.utf8.count
      messages[index].content = text
    }
  }

  private var isTooLarge: Bool { bytes > Bounds.textBytes || messages.count > Bounds.messages }

  /// Without what is only shown for one message at a time, and then read again.
  private static func slim(_ message: Message) -> Message {
    var message = message
    message.metadata = .emptyObject
    message.entities = .emptyObject
    return message
  }
}
