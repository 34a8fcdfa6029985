import ConversationModel

/// The part of a path that is held: messages side by side, bounded in number and bytes, so that paging through
/// a hundred thousand messages costs no more memory than opening them.
struct MessageWindow: Equatable {
  private(set) var messages: [Message] = []
  private var bytes = 0

  init() {}

  init(_ page: [Message]) {
    messages = page.map(Self.slim)
    bytes = messages.reduce(0) { $0 + $1.content.utf8.count }
  }

  var isEmpty: Bool { messages.isEmpty }
  /// Of the first and the last message that is held; 0 and -1 for none, so that `first...last` is never asked.
  var first: Position { messages.first?.position ?? 0 }
  var last: Position { messages.last?.position ?? -1 }

  /// Positions are dense: a message is found by counting.
  subscript(_ position: Position) -> Message? {
    let index = position - first
    return messages.indices.contains(index) ? messages[index] : nil
  }

  /// Takes a page over that ends right below the window; what is far above it goes when there is too much.
  mutating func prepend(_ page: [Message]) -> Bool {
    guard let last = page.last, last.position == first - 1 else { return false }
    let added = page.map(Self.slim)
    messages.insert(contentsOf: added, at: 0)
    bytes += added.reduce(0) { $0 + $1.content.utf8.count }
    while isTooLarge, messages.count > page.count + Bounds.messagePage, let dropped = messages.popLast() {
      bytes -= dropped.content.utf8.count
    }
    return true
  }

  /// Takes messages over that start right above the window; what is far below it goes when there is too much.
  mutating func append(_ page: [Message]) -> Bool {
    guard let head = page.first, isEmpty || head.position == last + 1 else { return false }
    let added = page.map(Self.slim)
    messages += added
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

  private var isTooLarge: Bool { bytes > Bounds.textBytes || messages.count > Bounds.messages }

  /// Without what is only shown for one message at a time, and then read again.
  private static func slim(_ message: Message) -> Message {
    var message = message
    message.metadata = .emptyObject
    message.entities = .emptyObject
    return message
  }
}
