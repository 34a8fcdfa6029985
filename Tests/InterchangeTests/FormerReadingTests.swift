import ConversationModel
import Interchange
import Testing

@Suite struct FormerReadingTests {
  private static func id(_ number: Int) -> String {
    let digits = String(number, radix: 16)
    return "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits
  }

  private static func conversation(_ number: Int, user: Int, _ more: String = "") -> String {
    #"{"id":"\#(id(number))","user_id":"\#(id(user))"\#(more)}"#
  }

  private static func message(_ number: Int, in conversation: Int, _ more: String = "") -> String {
    #"{"id":"\#(id(number))","conversation_id":"\#(id(conversation))","role":"user","content":"\#(number)"\#(more)}"#
  }

  private static func file(_ conversations: [String], _ messages: [String]) -> String {
    """
    {"pam_messages":[\(messages.joined(separator: ","))],"pam_conversations":[\(conversations.joined(separator: ","))]}
    """
  }

  @Test func `a user's default conversation is the one without a session, else the first`() throws {
    let early = #","session_id":"a","created_at":"2026-01-01T00:00:00Z""#
    let late = #","session_id":"b","created_at":"2026-01-02T00:00:00Z""#
    let found = try ImportedPieces(
      of: Self.file(
        [
          Self.conversation(1, user: 100, early), Self.conversation(2, user: 100),
          Self.conversation(3, user: 101, late), Self.conversation(4, user: 101, early),
          Self.conversation(5, user: 102, late),
        ], []))
    #expect(found.conversations.map(\.conversation.isDefault) == [false, true, false, true, true])
    try found.validate()
  }

  @Test func `what does not fit is left out, and said`() throws {
    let big = String(repeating: "x", count: Limits.objectBytes)
    let found = try ImportedPieces(
      of: Self.file(
        [Self.conversation(1, user: 100, #","session_id":"a\u0007b","context_data":[1]"#)],
        [
          Self.message(2, in: 1, #","metadata":{"k":"\#(big)"}"#), Self.message(3, in: 1, #","entities":"x""#),
          Self.message(4, in: 1, #","confidence":10"#), Self.message(5, in: 1, #","created_at":"yesterday""#),
          Self.message(6, in: 1, #","intent":"\#(big)""#),
        ]))
    #expect(found.skipped.count == 7)
    #expect(found.contents == [["2", "3", "4", "5", "6"]])
    #expect(found.conversations.first?.conversation.sessionID == nil)
    #expect(found.conversations.first?.conversation.headPosition == 5)
    try found.validate()
  }

  @Test func `messages come in batches, and those of a missing conversation are counted`() throws {
    let found = try ImportedPieces(
      of: Self.file(
        [Self.conversation(1, user: 100)],
        (1000..<1250).map { Self.message($0, in: $0 % 5 == 0 ? 9 : 1) }))
    #expect(found.batches == [100, 100])
    #expect(found.messages[0].map(\.message.position) == Array(1...200))
    #expect(found.skipped.map(\.why) == ["50 messages name a conversation that is not in the file."])
  }

  @Test func `of a message that cannot be taken the whole conversation is left out`() throws {
    let long = String(repeating: "x", count: 5_000_000)
    let deep = String(repeating: "[", count: 600) + String(repeating: "]", count: 600)
    let good = Self.message(3, in: 1)
    for bad in [
      // It names its role twice.
      Self.message(4, in: 1, #","role":"user""#), good.replacing("\"3\"", with: #""\ud800""#),
      good.replacing("user", with: "robot"), good.replacing(Self.id(3), with: "3"),
      Self.message(4, in: 1, #","metadata":{"k":"\#(long)"}"#), Self.message(4, in: 1, #","metadata":\#(deep)"#),
    ] {
      let found = try ImportedPieces(
        of: Self.file(
          [Self.conversation(1, user: 100), Self.conversation(2, user: 100)],
          [good, bad, Self.message(5, in: 2)]))
      #expect(found.contents == [["5"]])
      #expect(found.skipped.map(\.place) == ["pam_messages, row 2", "pam_conversations, row 1"])
    }
  }

  @Test func `a message of no conversation, or of a missing one, is left out alone`() throws {
    let found = try ImportedPieces(
      of: Self.file(
        [Self.conversation(1, user: 100)],
        [
          #"{"id":"\#(Self.id(2))","conversation_id":null,"role":"user","content":"x"}"#, Self.message(3, in: 1),
          Self.message(4, in: 9, #","role":"user""#),
        ]))
    #expect(found.contents == [["3"]])
    #expect(found.skipped.map(\.place) == ["pam_messages, row 1", "pam_messages, row 3"])
  }

  @Test func `with a message that tells not whose it is nothing of the file is taken`() throws {
    let good = Self.message(3, in: 1)
    let long = String(repeating: "x", count: 5_000_000)
    for bad in [
      "7", #"{"id":1,"id":2}"#, "{}", good.replacing(#""\#(Self.id(1))""#, with: "1"),
      good.replacing(Self.id(1), with: "x"), good.replacing(#""id""#, with: #""id"x"#),
      good.replacing(#""conversation_id""#, with: #""conversation""#).replacing(#""3""#, with: #""\#(long)""#),
      Self.message(3, in: 1, #","role":"user""#).replacing(#""\#(Self.id(1))""#, with: "null"),
      // A quotation mark too many makes a member of what the message says; whose it is stands behind that.
      good.replacing(Self.id(3), with: ##"a","conversation_id":"\##(Self.id(9))" said ""##),
      // It may be either one's.
      Self.message(3, in: 9, #","conversation_id":"\#(Self.id(1))""#),
    ] {
      let found = try ImportedPieces(
        of: Self.file([Self.conversation(1, user: 100)], [Self.message(2, in: 1), bad, Self.message(5, in: 1)]))
      #expect(found.conversations == [], "\(bad.prefix(100))")
      #expect(found.skipped.map(\.place) == ["pam_messages, row 2", "the file"], "\(bad.prefix(100))")
    }
  }

  @Test func `a file that is cut off anywhere gives nothing, and says so`() throws {
    let file = Array(
      Self.file([Self.conversation(1, user: 100)], [Self.message(2, in: 1), Self.message(3, in: 1)]).utf8)
    for table in 0..<2 {
      // The conversation may stand in front of its messages too.
      let whole =
        table == 0
        ? file
        : Array(
          #"{"pam_conversations":[\#(Self.conversation(1, user: 100))],"pam_messages":[\#(Self.message(2, in: 1))]}"#
            .utf8)
      for cut in 1..<whole.count {
        let found = try ImportedPieces(of: Array(whole.prefix(cut)), .former)
        #expect(found.conversations == [] && found.skipped.contains { $0.place == "the file" }, "\(cut)")
      }
      #expect(try ImportedPieces(of: whole).messages.map(\.count) == [2 - table])
    }
  }

  @Test func `a conversation without a user becomes the importer's`() throws {
    let text = #"{"pam_conversations":[{"id":"\#(Self.id(1))"}]}"#
    #expect(try ImportedPieces(of: text, owner: nil).skipped.count == 1)
    let owner = UserID(high: 1, low: 2)
    #expect(try ImportedPieces(of: text, owner: owner).conversations.map(\.conversation.userID) == [owner])
  }
}
