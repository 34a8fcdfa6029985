import ConversationModel
import StrictJSON
import Testing
import Wire

/// Both directions of the native door's shapes, against each other.
@Suite struct WireTests {
  private static let time = Timestamp(microseconds: 1_795_354_464_877_756)
  private static let object = JSONText(canonical: #"{"a":{"b":[1.50,null]}}"#)

  private static let conversations = [
    Conversation(
      id: ConversationID(high: 1, low: 2), userID: UserID(high: 3, low: 4), sessionID: "s", isDefault: false,
      title: "T", context: object, isArchived: true, isPinned: false, activeBranch: 5, headPosition: 6,
      messageCount: 7, branchCount: 8, version: 9, createdAt: time, updatedAt: Timestamp(microseconds: -1)),
    Conversation(
      id: ConversationID(high: .max, low: 0), userID: UserID(high: 0, low: 0), sessionID: nil, isDefault: true,
      title: nil, context: .emptyObject, isArchived: false, isPinned: true, activeBranch: 0, headPosition: 0,
      messageCount: 0, branchCount: 1, version: 1, createdAt: time, updatedAt: time),
  ]

  private static let messages = [
    Message(
      id: MessageID(high: 1, low: 1), clientID: "c", conversationID: ConversationID(high: 1, low: 2), branch: 2,
      position: 3, role: .assistant, content: "text \u{0001}\"", intent: "i", confidence: Confidence(hundredths: -7),
      entities: object, metadata: object, status: .incomplete, revision: 4, createdAt: time, editedAt: time),
    Message(
      id: MessageID(high: 1, low: 2), clientID: nil, conversationID: ConversationID(high: 1, low: 2), branch: 0,
      position: 1, role: .tool, content: "", intent: nil, confidence: nil, entities: .emptyObject,
      metadata: .emptyObject, status: .deleted, revision: 1, createdAt: time, editedAt: nil),
  ]

  private static let branches = [
    Branch(
      number: 0, parent: nil, forkPosition: 0, headPosition: 3, title: nil, origin: .trunk, isActive: true,
      isDeleted: false, createdAt: time),
    Branch(
      number: 4, parent: 2, forkPosition: 1, headPosition: 2, title: "b", origin: .conflict, isActive: false,
      isDeleted: true, createdAt: time),
  ]

  private func read(_ write: (inout JSONWriter) -> Void) throws -> Reply {
    var writer = JSONWriter()
    write(&writer)
    return try writer.bytes.withUnsafeBytes { bytes in try Reply(bytes) }
  }

  private func reply(_ text: String) throws -> Reply {
    try Array(text.utf8).withUnsafeBytes { bytes in try Reply(bytes) }
  }

  @Test func `answers are read as what was written`() throws {
    for conversation in Self.conversations {
      #expect(try read { $0.conversation(conversation) }.conversation() == conversation)
    }
    let siblings = [MessageDetail.Sibling(id: MessageID(high: 5, low: 5), branch: 6)]
    for message in Self.messages {
      let detail = try read { $0.message(message, siblings: siblings) }.messageDetail()
      #expect(detail == MessageDetail(message: message, siblings: siblings))
    }
    let list = try read { $0.page(Page(items: Self.conversations, next: "n")) { $0.conversation($1) } }.conversations()
    #expect(list.items == Self.conversations && list.next == "n")
    #expect(try read { $0.page(Page(items: Self.branches, next: nil)) { $0.branch($1) } }.branches() == Self.branches)
    let revision = Revision(number: 2, content: "old", metadata: Self.object, replacedAt: Self.time)
    let revisions = try read { $0.page(Page(items: [revision], next: nil)) { $0.revision($1) } }.revisions()
    #expect(revisions.items == [revision] && revisions.next == nil)
    let erasure = Erasure(isComplete: false, conversations: 1, branches: 2, messages: 3, revisions: 4)
    #expect(try read { $0.erasure(erasure) }.erasure() == erasure)
  }

  @Test func `a page and changes are read as they were written`() throws {
    let forks = [Fork(position: 2, branches: [3, 4])]
    let id = ConversationID(high: 1, low: 2)
    for (before, after) in [("b", nil), (nil, "a")] as [(String?, String?)] {
      let page = MessagePage(
        conversation: id, messages: Self.messages, forks: forks, branch: 1, before: before, after: after,
        headPosition: 5, version: 6)
      let again = try read { $0.page(page) }.messagePage(of: id)
      #expect(again.conversation == id && again.messages == page.messages && again.forks == forks)
      #expect(again.branch == 1 && again.before == before && again.after == after && again.rest == nil)
      #expect(again.headPosition == 5 && again.version == 6 && !again.isDegraded)
    }
    var spooled = Self.messages[0]
    (spooled.durability, spooled.position) = (.spooled, 0)
    let degraded = MessagePage(
      conversation: id, messages: [Self.messages[1], spooled], forks: [], branch: 1, before: nil, after: nil,
      headPosition: 5, version: 6, isDegraded: true)
    let shown = try read { $0.page(degraded) }.messagePage(of: id)
    #expect(shown.isDegraded && shown.messages == degraded.messages)
    let changes = Changes(
      changes: [
        .init(version: 1, row: .branch(Self.branches[1])), .init(version: 2, row: .message(Self.messages[0])),
        .init(version: 3, row: .conversation(Self.conversations[0])),
      ], version: 3, hasMore: true)
    let again = try read { $0.changes(changes) }.changes()
    #expect(again.changes == changes.changes && again.version == 3 && again.hasMore)
  }

  @Test func `receipts are read as they were written, spooled ones without a place`() throws {
    let whole = Receipt(
      conversation: Self.conversations[0], messages: Self.messages, branch: Self.branches[1], version: 3, isReplay: true
    )
    for isList in [true, false] {
      let again = try read { $0.receipt(whole, asList: isList) }.receipt()
      #expect(again.conversation == whole.conversation && again.branch == whole.branch && again.isReplay)
      #expect(again.messages == (isList ? Self.messages : [Self.messages[0]]))
      #expect(again.version == 3 && again.durability == .stored)
    }
    let spooled = Receipt(messages: [Self.messages[0]], version: nil, durability: .spooled)
    let again = try read { $0.receipt(spooled) }.receipt()
    #expect(again.durability == .spooled && again.version == nil && again.messages[0].position == 0)
    #expect(again.conversation == nil && again.branch == nil && !again.isReplay)
  }

  @Test func `problems of every code are read, and the reasons of a server that is not ready`() throws {
    for code in ConversationError.Code.allCases {
      for field in ["title", nil] {
        let error = ConversationError(code, "A sentence.", field: field)
        let again = try read { $0.problem(error, status: 1, title: "t", requestID: "r") }.problem()
        #expect(again.code == code && again.message == "A sentence." && again.field == field)
      }
    }
    #expect(try reply(#"{"status":"ok","reasons":[]}"#).readiness().refusal == nil)
    #expect(try reply(#"{"status":"degraded","reasons":["The spool is in use."]}"#).readiness().refusal == nil)
    #expect(try reply(#"{"status":"degraded","reasons":["One."]}"#).readiness().warnings == ["One."])
    #expect(try reply(#"{"status":"unavailable","reasons":["One.","Two."]}"#).readiness().refusal == "One. Two.")
  }

  @Test func `what a newer server adds is passed over`() throws {
    let text = #"{"status":"ok","reasons":[],"new":{"deep":[1]},"data":[],"has_more":false,"next_cursor":null}"#
    #expect(try reply(text).readiness().refusal == nil)
    #expect(try reply(text).conversations().items.isEmpty)
  }

  /// Every field of a message, taken away or made something else.
  @Test func `a field that is missing or of another type is named`() throws {
    var writer = JSONWriter()
    writer.message(Self.messages[0], siblings: [])
    let members = try #require(try JSONReader.read(writer.bytes).object).members
    for (index, member) in members.enumerated() {
      var damaged = [Array(members[..<index] + members[(index + 1)...])]
      if !["entities", "metadata"].contains(member.key) {
        damaged.append(members)
        damaged[1][index] = JSONObject.Member(key: member.key, value: .object(JSONObject()))
      }
      for members in damaged {
        let text = JSONValue.object(try #require(JSONObject(members: members))).canonicalText()
        do {
          _ = try reply(text).messageDetail()
          Issue.record("\(member.key) is not needed")
        } catch let error as ConversationError {
          #expect(error.code == .internal && error.message.contains("message.\(member.key) "), "\(error.message)")
        }
      }
    }
  }

  @Test func `requests are read as what was written`() throws {
    let id = ConversationID(high: 1, low: 2)
    func json(_ bytes: [UInt8]) throws -> JSONValue { try JSONReader.read(bytes, limits: JSONLimits(depth: 35)) }
    let user = UserID(high: 9, low: 9)
    for session in [SessionKey.default, .named("s\""), .new] {
      for (title, context) in [("T", Self.object), (nil, nil)] as [(String?, JSONText?)] {
        let open = OpenConversation(user: user, session: session, title: title, context: context)
        let body = try OpenConversationBody(try json(OpenConversationBody.bytes(open)))
        #expect(body.userID == user && body.session == session && body.title == title && body.context == context)
      }
    }
    for update in [
      UpdateConversation(id, title: .automatic, ifVersion: 3), UpdateConversation(id, title: .named("x")),
      UpdateConversation(id, context: Self.object, isArchived: false, isPinned: true, activeBranch: 4),
    ] {
      let body = try UpdateConversationBody(
        try json(UpdateConversationBody.bytes(update)), of: id, ifVersion: update.ifVersion)
      #expect(body.update == update)
    }
    let full = NewMessage(
      role: .system, content: "c\n", clientID: "k", intent: "", confidence: Confidence(hundredths: 90),
      entities: Self.object, metadata: Self.object)
    for append in [
      Append(to: id, [full, NewMessage(role: .user, content: "")]),
      Append(to: id, [full], parent: MessageID(high: 1, low: 1), branch: 2, onConflict: .reject),
    ] {
      let body = try AppendBody(try json(AppendBody.bytes(append)), to: id, idempotencyKey: nil)
      #expect(body.append == append && body.isList)
    }
    let message = MessageID(high: 7, low: 7)
    for revise in [Revise(message, content: ""), Revise(message, metadata: Self.object, ifRevision: 2)] {
      #expect(
        try ReviseBody(try json(ReviseBody.bytes(revise)), of: message, ifRevision: revise.ifRevision).revise == revise)
    }
    var replacement = full
    replacement.role = .user
    for make in [
      MakeBranch.fork(id, after: nil, isActivated: false), .fork(id, after: message, title: "t"),
      .edit(id, message, by: replacement, title: "t", isActivated: false),
    ] {
      #expect(try MakeBranchBody(try json(try MakeBranchBody.bytes(make)), in: id, idempotencyKey: nil).make == make)
    }
    for title in ["t", nil] {
      let update = UpdateBranch(BranchKey(id, 3), title: title)
      #expect(try UpdateBranchBody(try json(UpdateBranchBody.bytes(update)), of: update.branch).update == update)
    }
  }

  @Test(arguments: [
    MakeBranch(
      conversation: ConversationID(high: 1, low: 2), start: .after(nil), origin: .fork,
      message: NewMessage(role: .user, content: "x"), title: nil, isActivated: true),
    MakeBranch(
      conversation: ConversationID(high: 1, low: 2), start: .inPlaceOf(MessageID(high: 1, low: 1)),
      origin: .regenerate, message: NewMessage(role: .user, content: "x"), title: nil, isActivated: true),
  ])
  func `a branch that the door has no words for is refused`(make: MakeBranch) {
    #expect(throws: ConversationError.self) { _ = try MakeBranchBody.bytes(make) }
  }

  @Test(arguments: [
    "2026-11-22T13:34:24.877756Z", "0000-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z",
    "2000-02-29T00:00:00.000000Z", "1969-12-31T23:59:59.999999Z",
  ])
  func `a time is read as it was written`(text: String) throws {
    #expect(try #require(Timestamp(text)).description == text)
  }

  @Test(arguments: [
    "", "2026-11-22T13:34:24Z", "2026-11-22T13:34:24.877756+00:00", "2026-11-22 13:34:24.877756Z",
    "2026-02-30T00:00:00.000000Z", "2026-13-01T00:00:00.000000Z", "2026-11-22T24:00:00.000000Z",
    "2026-11-22T13:60:24.877756Z", "2026-11-22T13:34:60.877756Z", "2026-00-10T00:00:00.000000Z",
    "-026-11-22T13:34:24.877756Z", "2026-11-22T13:34:24.87775\u{661}Z",
  ])
  func `anything else is no time`(text: String) {
    #expect(Timestamp(text) == nil)
  }
}
