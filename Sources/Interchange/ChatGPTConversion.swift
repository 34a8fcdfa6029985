import ConversationModel
import StrictJSON

/// Makes one conversation of a ChatGPT export Parley's.
struct ChatGPTConversion {
  private let object: JSONObject
  private let nodes: [JSONObject.Member]
  /// Of each node; nil for one that is left out.
  private let texts: [ChatGPTText?]
  private let tree: ChatGPTTree
  private let id: ConversationID
  private let created: Timestamp
  private let active: BranchNumber
  /// What is left out, in sentences.
  private(set) var notes: [String]

  init(_ object: JSONObject, _ mapping: JSONObject) {
    self.object = object
    nodes = mapping.members
    var indices: [String: Int] = [:]
    for (index, node) in nodes.enumerated() { indices[node.key] = index }
    var omissions = ChatGPTOmissions()
    texts = nodes.map { omissions.read($0.value.object?["message"]) }
    var orphans = 0
    var parents: [Int?] = []
    var children: [[Int]] = []
    for node in nodes {
      let links = node.value.object
      let parent = links?["parent"]?.string
      parents.append(parent.flatMap { indices[$0] })
      if parent != nil, parents[parents.count - 1] == nil { orphans += 1 }
      children.append((links?["children"]?.array ?? []).compactMap { $0.string.flatMap { indices[$0] } })
    }
    tree = ChatGPTTree(parents: parents, children: children, isKept: texts.map { $0 != nil })
    notes = omissions.reasons + Self.notes(on: tree, of: nodes.count, orphans: orphans)
    let name = (object["conversation_id"] ?? object["id"])?.string ?? nodes.first?.key ?? ""
    id = ConversationID(following: name, in: "conversation")
    let (stated, updated) = (Self.time("create_time", of: object), Self.time("update_time", of: object))
    let earliest = texts.lazy.compactMap { $0?.createdAt }.min()
    created = stated ?? earliest ?? updated ?? Timestamp(microseconds: 0)
    for (name, time) in [("create_time", stated), ("update_time", updated)] where time == nil {
      if let value = object[name], !value.isNull { notes.append("The conversation's \(name) cannot be read.") }
    }
    if stated ?? earliest ?? updated == nil {
      notes.append("The conversation has no time that can be read: it is put at the start of 1970.")
    }
    let tree = tree
    active = object["current_node"]?.string.flatMap { indices[$0] }.map { tree.owner[$0] } ?? Branch.trunk
  }

  private static func time(_ name: String, of object: JSONObject) -> Timestamp? {
    Timestamp(seconds: object[name]?.number?.double)
  }

  private static func notes(on tree: ChatGPTTree, of count: Int, orphans: Int) -> [String] {
    var notes: [String] = []
    if orphans > 0 { notes.append("\(orphans) messages name a predecessor that is missing; they begin branches.") }
    if tree.reached < count {
      notes.append("\(count - tree.reached) messages stand in a circle and are left out.")
    }
    if tree.tooDeep > 0 {
      notes.append("\(tree.tooDeep) branches are more than \(Limits.forkDepth) forks deep and are left out.")
    }
    return notes
  }

  /// - Returns: The messages by branch and position; none if nothing of the conversation is kept.
  mutating func result(for owner: UserID) -> (conversation: ArchivedConversation, messages: [ArchivedMessage]) {
    var messages: [ArchivedMessage] = []
    var branches: [ArchivedBranch] = []
    /// By run, those of its messages.
    var times: [[Timestamp]] = []
    for run in tree.runs {
      let first = messages.count
      append(run, behind: time(before: run, times), to: &messages)
      times.append(messages[first...].map(\.message.createdAt))
      branches.append(branch(run, beginning: first < messages.count ? messages[first].message.createdAt : created))
    }
    let title = fittingTitle(object["title"]?.string ?? "")
    if title.isCut { notes.append("The title was cut at \(Limits.titleScalars) characters.") }
    let updated = Self.time("update_time", of: object)
    let conversation = Conversation(
      id: id, userID: owner, sessionID: id.description, isDefault: false, title: title.title, context: .emptyObject,
      isArchived: object["is_archived"]?.bool ?? false, isPinned: false, activeBranch: active,
      headPosition: branches[active].branch.headPosition, messageCount: messages.count, branchCount: branches.count,
      version: messages.count + 1, createdAt: created,
      updatedAt: updated ?? max(created, messages.lazy.map(\.message.createdAt).max() ?? created))
    return (ArchivedConversation(conversation, branches: branches), messages)
  }

  /// The time of the message that a run goes on from; the conversation's for none.
  private func time(before run: ChatGPTTree.Run, _ times: [[Timestamp]]) -> Timestamp {
    guard let parent = run.parent else { return created }
    let index = run.fork - tree.runs[parent].fork - 1
    return times[parent].indices.contains(index) ? times[parent][index] : created
  }

  /// A message without a time has its predecessor's.
  private func append(
    _ run: ChatGPTTree.Run, behind predecessor: Timestamp, to messages: inout [ArchivedMessage]
  ) {
    let scope = id.description
    var time = predecessor
    for (offset, node) in run.nodes.enumerated() {
      guard let text = texts[node] else { continue }
      time = text.createdAt ?? time
      let message = Message(
        id: MessageID(following: nodes[node].key, in: scope), clientID: nil, conversationID: id, branch: run.number,
        position: run.fork + offset + 1, role: text.role, content: text.content, intent: nil, confidence: nil,
        entities: .emptyObject, metadata: text.metadata, status: .complete, revision: 1, createdAt: time, editedAt: nil)
      messages.append(ArchivedMessage(message, version: messages.count + 2))
    }
  }

  private func branch(_ run: ChatGPTTree.Run, beginning begin: Timestamp) -> ArchivedBranch {
    let origin: Branch.Origin =
      switch run.nodes.first.flatMap({ texts[$0]?.role }) {
      case _ where run.parent == nil: .trunk
      case .user: .edit
      case .assistant: .regenerate
      default: .fork
      }
    let branch = Branch(
      number: run.number, parent: run.parent, forkPosition: run.fork, headPosition: run.fork + run.nodes.count,
      title: nil, origin: origin, isActive: run.number == active, isDeleted: false, createdAt: begin)
    return ArchivedBranch(branch, version: 1)
  }
}
