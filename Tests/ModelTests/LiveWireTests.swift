import ConversationModel
import StrictJSON
import Testing
import Wire

/// Both directions of the live door's frames, against each other.
@Suite struct LiveWireTests {
  private static let time = Timestamp(microseconds: 1_795_354_464_877_756)
  private static let object = JSONText(canonical: #"{"a":{"b":[1.50,null]}}"#)
  private static let id = ConversationID(high: 1, low: 2)

  private static let conversation = Conversation(
    id: id, userID: UserID(high: 3, low: 4), sessionID: "s", isDefault: false, title: "T", context: object,
    isArchived: false, isPinned: false, activeBranch: 5, headPosition: 6, messageCount: 7, branchCount: 8, version: 9,
    createdAt: time, updatedAt: time)

  private static let messages = (1...3).map { number in
    Message(
      id: MessageID(high: 1, low: UInt64(number)), clientID: "c\(number)", conversationID: id, branch: 2,
      position: 10 + number, role: .user, content: "text \u{0001}\"", intent: nil, confidence: nil,
      entities: .emptyObject, metadata: object, status: .complete, revision: 1, createdAt: time, editedAt: nil)
  }

  private static let branch = Branch(
    number: 4, parent: 2, forkPosition: 1, headPosition: 2, title: "b", origin: .conflict, isActive: false,
    isDeleted: true, createdAt: time)

  private static let presence = Presence(
    connections: [
      .init(id: "1", client: "phone", since: time), .init(id: "2", client: "", since: Timestamp(microseconds: 0)),
    ], typing: ["2"])

  private func read(_ write: (inout JSONWriter) -> Void) throws -> LiveReply {
    var writer = JSONWriter()
    write(&writer)
    return try writer.bytes.withUnsafeBytes { bytes in try LiveReply(bytes) }
  }

  private func reply(_ text: String) throws -> LiveReply {
    try Array(text.utf8).withUnsafeBytes { bytes in try LiveReply(bytes) }
  }

  private let ref = JSONText(canonical: "7")

  // MARK: What a server says

  @Test func `a start with a page is read as it was written`() throws {
    let forks = [Fork(position: 12, branches: [3, 4])]
    for (messages, before, isResync) in [(Self.messages, "b", true), ([], nil, false)] as [([Message], String?, Bool)] {
      let page = MessagePage(
        conversation: Self.id, messages: messages, forks: forks, branch: 2, before: before, after: nil,
        headPosition: messages.last?.position ?? 0, version: 9)
      let start = LiveStart(
        conversation: Self.conversation, branch: 2, version: 9, content: .page(page, isResync: isResync),
        presence: Self.presence)
      let frame = try read { $0.attached(start, ref: ref) }
      guard case .attached(let again) = frame.kind, case .page(let read, let wasResync) = again.content else {
        Issue.record("another frame")
        continue
      }
      #expect(frame.ref == 7 && again.conversation == Self.conversation && again.branch == 2 && again.version == 9)
      #expect(again.presence == Self.presence && wasResync == isResync)
      #expect(read.conversation == Self.id && read.messages == messages && read.forks == forks && read.branch == 2)
      #expect(read.before == before && read.after == nil && read.headPosition == page.headPosition && read.version == 9)
    }
  }

  @Test func `a start with what was missed is read as it was written`() throws {
    for missed in [[], changes(at: 8) + changes(at: 9)] {
      let start = LiveStart(
        conversation: Self.conversation, branch: 0, version: 9, content: .missed(missed), presence: Self.presence)
      guard case .attached(let again) = try read({ $0.attached(start, ref: nil) }).kind,
        case .missed(let read) = again.content
      else {
        Issue.record("another frame")
        continue
      }
      #expect(read == missed && again.version == 9)
    }
  }

  private func changes(at version: Version) -> [Changes.Change] {
    [
      .init(version: version, row: .branch(Self.branch)), .init(version: version, row: .message(Self.messages[0])),
      .init(version: version, row: .conversation(Self.conversation)),
    ]
  }

  @Test func `an event's changes have its version`() throws {
    for rows in [changes(at: 12), []] {
      guard case .event(let version, let again) = try read({ $0.event(12, rows) }).kind else {
        Issue.record("another frame")
        continue
      }
      #expect(version == 12 && again == rows)
    }
  }

  @Test func `answers are read as they were written`() throws {
    let receipt = Receipt(messages: [Self.messages[0]], branch: Self.branch, version: 3, isReplay: true)
    let acknowledged = try read { $0.ack(receipt, clientID: "c1", ref: ref) }
    guard case .ack(let again) = acknowledged.kind else { throw Other() }
    #expect(again.messages == receipt.messages && again.branch == Self.branch && again.version == 3 && again.isReplay)
    #expect(acknowledged.ref == 7)
    let spooled = Receipt(messages: [Self.messages[0]], version: nil, durability: .spooled)
    guard case .ack(let waiting) = try read({ $0.ack(spooled, ref: ref) }).kind else { throw Other() }
    #expect(waiting.durability == .spooled && waiting.version == nil && waiting.messages[0].position == 0)

    let switched = try read { writer in
      writer.beginFrame("ack", ref: ref)
      writer.key("branch")
      writer.branch(Self.branch)
      writer.endObject()
    }
    guard case .switched(Self.branch) = switched.kind else { throw Other() }
    let page = MessagePage(
      conversation: Self.id, messages: Self.messages, forks: [], branch: 2, before: "b", after: "a", headPosition: 20,
      version: 9)
    guard case .history(let content) = try read({ $0.history(page, ref: ref) }).kind else { throw Other() }
    let history = try content.page(of: Self.id)
    #expect(history.messages == page.messages && history.after == "a" && history.headPosition == 20)

    for code in ConversationError.Code.allCases {
      for (field, ref) in [("title", ref), (nil, nil)] as [(String?, JSONText?)] {
        let refused = try read { $0.error(ConversationError(code, "A sentence.", field: field), ref: ref) }
        guard case .error(let error) = refused.kind else { throw Other() }
        #expect(error.code == code && error.message == "A sentence." && error.field == field)
        #expect(refused.ref == (ref == nil ? nil : 7))
      }
    }
  }

  private struct Other: Error {}

  @Test func `pushes are read as they were written`() throws {
    let pushed = try read { writer in
      writer.beginFrame("presence")
      writer.presence(Self.presence)
      writer.endObject()
    }
    guard case .presence(Self.presence) = pushed.kind, pushed.ref == nil else { throw Other() }
    guard case .resync(5) = try read({ $0.resync(5) }).kind else { throw Other() }
    guard case .resync(nil) = try reply(#"{"type":"resync"}"#).kind else { throw Other() }
    for spooledID in [Self.messages[0].id, MessageID(high: 1, low: 2)] {
      let delivery = Delivery(
        clientID: "c", message: Self.messages[0].id, spooledID: spooledID, position: 3, version: 9)
      guard case .stored(delivery) = try read({ $0.stored(delivery) }).kind else { throw Other() }
    }
    let text = #"{"type":"hint","conversation_id":"\#(Self.id)","version":4,"title":null}"#
    guard case .hint(let hint) = try reply(text).kind else { throw Other() }
    #expect(hint.conversation == Self.id && hint.version == 4 && hint.title == nil)
    for (type, holds) in [
      ("watching", { if case .watching = $0 { true } else { false } }),
      ("detached", { if case .detached = $0 { true } else { false } }),
      ("pong", { if case .pong = $0 { true } else { false } }),
    ] as [(String, (LiveReply.Kind) -> Bool)] {
      #expect(holds(try reply(#"{"type":"\#(type)","ref":7,"new":[1]}"#).kind))
    }
  }

  @Test func `a frame of a newer server's is passed over`() throws {
    guard case .unknown = try reply(#"{"type":"thought","turn_id":"t","offset":0,"text":"x"}"#).kind else {
      throw Other()
    }
  }

  @Test(arguments: [
    "", "{}", "[]", "7", #"{"type":7}"#, #"{"type":"event"}"#, #"{"type":"event","version":1,"changes":{}}"#,
    #"{"type":"event","version":-1,"changes":[]}"#,
    #"{"type":"event","version":1,"changes":[{"kind":"moon","row":{}}]}"#,
    #"{"type":"attached"}"#, #"{"type":"ack"}"#, #"{"type":"error","code":"of the moon","detail":"x"}"#,
    #"{"type":"presence","connections":[]}"#, #"{"type":"pong"}x"#, #"{"type":"pong","type":"pong"}"#,
    "{\"type\":\"\u{FEFF}",
  ])
  func `nonsense is an internal error`(text: String) {
    let error = #expect(throws: ConversationError.self) { _ = try reply(text) }
    #expect(error?.code == .internal)
  }

  @Test func `a frame that is no UTF-8 is an internal error`() {
    let bytes = Array(#"{"type":"pong","x":""#.utf8) + [0xFF] + Array(#""}"#.utf8)
    let error = #expect(throws: ConversationError.self) {
      _ = try bytes.withUnsafeBytes { bytes in try LiveReply(bytes) }
    }
    #expect(error?.code == .internal)
  }

  // MARK: What a client says

  private func request(_ kind: LiveRequest.Kind, ref: Int? = 7) throws -> LiveRequest {
    try LiveRequest(
      try JSONReader.read(try LiveRequest.bytes(kind, ref: ref), limits: JSONLimits(depth: Limits.bodyDepth)))
  }

  @Test func `requests are read as they were written`() throws {
    for attach in [
      Attach(.conversation(Self.id), since: 0), Attach(.session(.named("a\"b")), of: UserID(high: 1, low: 1)),
      Attach(.session(.default), since: .max),
    ] {
      let again = try request(.attach(attach))
      guard case .attach(attach) = again.kind else { throw Other() }
      #expect(again.ref?.text == "7")
      #expect(try request(.attach(attach), ref: nil).ref == nil)
    }
    let full = NewMessage(
      role: .assistant, content: "c\n\u{1}", clientID: "k", intent: "i", confidence: Confidence(hundredths: 90),
      entities: Self.object, metadata: Self.object)
    for (message, parent) in [
      (full, MessageID(high: 7, low: 7)), (NewMessage(role: .user, content: "", clientID: "k"), nil),
    ] as [(NewMessage, MessageID?)] {
      guard case .send(let again) = try request(.send(.init(message, parent: parent))).kind else { throw Other() }
      #expect(again.message == message && again.parent == parent)
    }
    for part in [
      MessagePageRequest.Part.latest, .before(.position(3)), .after(.message(MessageID(high: 1, low: 1))),
      .around(.cursor("abc")),
    ] {
      let page = MessagePageRequest(limit: 5, part)
      guard case .history(page) = try request(.history(page)).kind else { throw Other() }
    }
    for revise in [
      Revise(MessageID(high: 1, low: 1), content: ""), Revise(MessageID(high: 1, low: 1), metadata: Self.object),
    ] {
      guard case .edit(revise) = try request(.edit(revise)).kind else { throw Other() }
    }
    let body = try JSONReader.read(#"{"from_message":null,"title":"t"}"#)
    guard case .branch(body) = try request(.branch(body)).kind else { throw Other() }
    guard case .switchBranch(4) = try request(.switchBranch(4)).kind else { throw Other() }
    guard case .typing(true) = try request(.typing(true)).kind else { throw Other() }
    guard case .watch = try request(.watch).kind else { throw Other() }
    guard case .detach = try request(.detach).kind else { throw Other() }
    guard case .ping = try request(.ping).kind else { throw Other() }
  }

  @Test func `there are no words for an attach to a new session`() {
    let error = #expect(throws: ConversationError.self) { _ = try request(.attach(Attach(.session(.new)))) }
    #expect(error?.code == .invalid)
  }
}
