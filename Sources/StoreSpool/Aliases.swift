import ConversationModel

/// Ids that were acknowledged and stand for others, because the store had the session or the message already
/// when the spool drained.
///
/// At most `Limits.spoolAliases`; the oldest go.
struct Aliases {
  private var real: [ID: ID] = [:]
  private var order: [ID] = []

  /// Of a conversation or of a message: both are UUIDs, and no two things share one.
  struct ID: Hashable, Sendable {
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) {
      (self.high, self.low) = (high, low)
    }

    init<Entity>(_ id: Identifier<Entity>) {
      self.init(high: id.high, low: id.low)
    }
  }

  var isEmpty: Bool { real.isEmpty }

  mutating func add(_ fresh: ID, for other: ID) {
    guard fresh != other, real.updateValue(other, forKey: fresh) == nil else { return }
    order.append(fresh)
    if order.count > Limits.spoolAliases {
      let surplus = order.count - Limits.spoolAliases * 9 / 10
      for id in order.prefix(surplus) { real[id] = nil }
      order.removeFirst(surplus)
    }
  }

  mutating func remove(_ ids: Set<ID>) {
    guard !ids.isEmpty else { return }
    for id in ids { real[id] = nil }
    order.removeAll(where: ids.contains)
  }

  /// What an id stands for: most often itself.
  func resolve<Entity>(_ id: Identifier<Entity>) -> Identifier<Entity> {
    guard let other = real[ID(id)] else { return id }
    return Identifier(high: other.high, low: other.low)
  }

  /// The ids under which a thing may be kept in the spool, its own included.
  func names<Entity>(of id: Identifier<Entity>) -> [Identifier<Entity>] {
    [id] + real.filter { $0.value == ID(id) }.map { Identifier(high: $0.key.high, low: $0.key.low) }
  }
}

extension Aliases {
  func resolve(_ key: ConversationKey) -> ConversationKey {
    if case .id(let id) = key { return .id(resolve(id)) }
    return key
  }

  func resolve(_ append: Append) -> Append {
    guard !isEmpty else { return append }
    var append = append
    append.conversation = resolve(append.conversation)
    append.parent = append.parent.map { resolve($0) }
    return append
  }

  func resolve(_ command: Command) -> Command {
    guard !isEmpty else { return command }
    switch command {
    case .open: return command
    case .append(let append): return .append(resolve(append))
    case .update(var update):
      update.conversation = resolve(update.conversation)
      return .update(update)
    case .revise(var revise):
      revise.message = resolve(revise.message)
      return .revise(revise)
    case .finish(var finish):
      finish.message = resolve(finish.message)
      return .finish(finish)
    case .deleteMessage(var delete):
      delete.message = resolve(delete.message)
      return .deleteMessage(delete)
    case .makeBranch(var make):
      make.conversation = resolve(make.conversation)
      switch make.start {
      case .after(let id): make.start = .after(id.map { resolve($0) })
      case .inPlaceOf(let id): make.start = .inPlaceOf(resolve(id))
      }
      return .makeBranch(make)
    case .updateBranch(var update):
      update.branch.conversation = resolve(update.branch.conversation)
      return .updateBranch(update)
    case .deleteBranch(let key): return .deleteBranch(BranchKey(resolve(key.conversation), key.number))
    case .erase(let id): return .erase(resolve(id))
    case .eraseUser: return command
    }
  }

  /// Also reads the cursors of degraded pages.
  ///
  /// - Throws: `.invalid` for such a cursor of another conversation.
  func resolve(
    _ part: MessagePageRequest.Part, in conversation: ConversationKey
  ) throws(ConversationError) -> MessagePageRequest.Part {
    func anchor(_ anchor: MessagePageRequest.Anchor) throws(ConversationError) -> MessagePageRequest.Anchor {
      switch anchor {
      case .position: return anchor
      case .message(let id): return .message(resolve(id))
      case .cursor(let text):
        guard let cursor = DegradedCursor(text) else { return anchor }
        if case .id(let id) = conversation, resolve(cursor.conversation) != id {
          throw .damagedCursor()
        }
        return switch cursor.place {
        case .position(let position): .position(position)
        case .message(let id): .message(resolve(id))
        }
      }
    }
    switch part {
    case .latest: return part
    case .before(let place): return .before(try anchor(place))
    case .after(let place): return .after(try anchor(place))
    case .around(let place): return .around(try anchor(place))
    }
  }
}

/// A place in a degraded page, which is good in the store's pages too: a message by its position, or by its
/// id where it has none yet.
///
/// The text is `s`, the conversation's id, a point, and the place. The store's own cursors begin otherwise.
struct DegradedCursor {
  enum Place {
    case position(Position)
    case message(MessageID)
  }

  let conversation: ConversationID
  let place: Place

  init(_ message: Message) {
    conversation = message.conversationID
    place = message.durability == .stored ? .position(message.position) : .message(message.id)
  }

  /// Nil for anything but `text` of another one.
  init?(_ text: String) {
    let parts = text.utf8.count <= 80 ? text.dropFirst().split(separator: ".", omittingEmptySubsequences: false) : []
    guard text.first == "s", parts.count == 2, let conversation = ConversationID(parts[0]) else { return nil }
    self.conversation = conversation
    if let id = MessageID(parts[1]) {
      place = .message(id)
    } else if let position = Int(parts[1]), position > 0 {
      place = .position(position)
    } else {
      return nil
    }
    guard self.text == text else { return nil }
  }

  var text: String {
    switch place {
    case .position(let position): "s\(conversation).\(position)"
    case .message(let id): "s\(conversation).\(id)"
    }
  }
}
