import ConversationModel
import StrictJSON

/// Reads `conversations.json` of a ChatGPT data export: an array of conversations, or one. Each is held in memory, at most
/// `Limits.recordBytes` of it. The shape is not published; it is known from exports.
struct ChatGPTReader: ArchiveReader {
  private var walk: JSONWalk
  private let owner: UserID
  private var queue = PieceQueue()
  private var number = 0
  private var state = State.start

  private enum State { case start, array, end }

  init(_ file: ImportFile, owner: UserID?) {
    walk = JSONWalk(file)
    self.owner = owner ?? UserID(high: 0, low: 0)
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
      guard try walk.peek() == UInt8(ascii: "[") else {
        state = .end
        return try read(try walk.skip())
      }
      walk.cursor.advance()
      state = .array
    }
    guard try walk.nextElement(isFirst: number == 0) else {
      state = .end
      return
    }
    try read(try walk.skip())
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
    let nodes = mapping.members
    var indices: [String: Int] = [:]
    for (index, node) in nodes.enumerated() { indices[node.key] = index }
    var left = ChatGPTOmissions()
    let texts = nodes.map { left.read($0.value.object?["message"]) }
    var orphans = 0
    let parents = nodes.map { node -> Int? in
      guard let name = node.value.object?["parent"]?.string else { return nil }
      if indices[name] == nil { orphans += 1 }
      return indices[name]
    }
    let children = nodes.map { node in
      (node.value.object?["children"]?.array ?? []).compactMap { $0.string.flatMap { indices[$0] } }
    }
    let tree = ChatGPTTree(parents: parents, children: children, isKept: texts.map { $0 != nil })
    for why in left.reasons { queue.skip(place, why) }
    if orphans > 0 { queue.skip(place, "\(orphans) messages name a predecessor that is missing; they begin branches.") }
    if tree.reached < nodes.count {
      queue.skip(place, "\(nodes.count - tree.reached) messages stand in a circle and are left out.")
    }
    if tree.tooDeep > 0 {
      queue.skip(place, "\(tree.tooDeep) branches are more than \(Limits.forkDepth) forks deep and are left out.")
    }
    let name = (object["conversation_id"] ?? object["id"])?.string ?? nodes.first?.key ?? ""
    let id = ConversationID(following: name, in: "conversation")
    let created =
      Timestamp(seconds: object["create_time"]?.number?.double) ?? texts.lazy.compactMap { $0?.createdAt }.min()
      ?? Timestamp(microseconds: 0)
    var messages: [ArchivedMessage] = []
    var branches: [ArchivedBranch] = []
    let active = object["current_node"]?.string.flatMap { indices[$0] }.map { tree.owner[$0] } ?? 0
    for run in tree.runs {
      var time = created
      var begin: Timestamp?
      for (offset, node) in run.nodes.enumerated() {
        guard let text = texts[node] else { continue }
        time = text.createdAt ?? time
        begin = begin ?? time
        let message = Message(
          id: MessageID(following: nodes[node].key, in: id.description), clientID: nil, conversationID: id,
          branch: run.number, position: run.fork + offset + 1, role: text.role, content: text.content, intent: nil,
          confidence: nil, entities: .emptyObject, metadata: text.metadata, status: .complete, revision: 1,
          createdAt: time, editedAt: nil)
        messages.append(ArchivedMessage(message, version: messages.count + 2))
      }
      let role = run.nodes.first.flatMap { texts[$0]?.role }
      let origin: Branch.Origin = role == .user ? .edit : role == .assistant ? .regenerate : .fork
      let branch = Branch(
        number: run.number, parent: run.parent, forkPosition: run.fork, headPosition: run.fork + run.nodes.count,
        title: nil, origin: run.parent == nil ? .trunk : origin, isActive: run.number == active, isDeleted: false,
        createdAt: begin ?? created)
      branches.append(ArchivedBranch(branch, version: 1))
    }
    guard !messages.isEmpty else { return queue.skip(place, "The conversation holds no messages.") }
    let title = fittingTitle(object["title"]?.string ?? "")
    if title.isCut { queue.skip(place, "The title was cut at \(Limits.titleScalars) characters.") }
    let updated = Timestamp(seconds: object["update_time"]?.number?.double)
    let conversation = Conversation(
      id: id, userID: owner, sessionID: id.description, isDefault: false, title: title.title, context: .emptyObject,
      isArchived: object["is_archived"]?.bool ?? false, isPinned: false, activeBranch: active,
      headPosition: branches[active].branch.headPosition, messageCount: messages.count, branchCount: branches.count,
      version: messages.count + 1, createdAt: created,
      updatedAt: updated ?? max(created, messages.map(\.message.createdAt).max() ?? created))
    queue.push(.conversation(ArchivedConversation(conversation, branches: branches), where: place))
    queue.push(messages)
  }
}
