import ConversationModel
import Interchange
import Testing

/// Shapes that real exports have, made by hand.
@Suite struct ChatGPTShapeTests {
  private static func node(_ id: String, _ parent: String?, _ children: [String], _ message: String = "null") -> String
  {
    let parent = parent.map { "\"\($0)\"" } ?? "null"
    let children = children.map { "\"\($0)\"" }.joined(separator: ",")
    return #""\#(id)":{"id":"\#(id)","message":\#(message),"parent":\#(parent),"children":[\#(children)]}"#
  }

  private static func said(_ role: String, _ text: String, at time: String = "1700000000.25") -> String {
    content(role, #"{"content_type":"text","parts":["\#(text)"]}"#, at: time)
  }

  private static func content(_ role: String, _ content: String, at time: String = "null", _ metadata: String = "")
    -> String
  {
    """
    {"id":"m","author":{"role":"\(role)","name":null,"metadata":{}},"create_time":\(time),"update_time":null,"content":\(content),
    "status":"finished_successfully","end_turn":true,"weight":1.0,"metadata":{\(metadata)},"recipient":"all","channel":null}
    """
  }

  private static func file(_ nodes: [String], _ more: String = "") -> String {
    """
    {"title":"T","create_time":1700000000.25,"update_time":1700000100.5,"mapping":{\(nodes.joined(separator: ","))},
    "moderation_results":[],"plugin_ids":null,"conversation_id":"6540c0de-0000-4000-8000-000000000001"\(more)}
    """
  }

  private static let linear = file(
    [
      node("client-created-root", nil, ["a"]),
      node("a", "client-created-root", ["b"], said("user", "one")),
      node(
        "b", "a", ["c"], content("assistant", #"{"content_type":"text","parts":["two"]}"#, #""model_slug":"gpt-4""#)),
      node("c", "b", [], said("user", "three", at: "1700000009")),
    ], #","current_node":"c","is_archived":true"#)

  @Test(arguments: [linear, "[\(linear)]", #"{"version":1,"conversations":[\#(linear)],"more":null}"#])
  func `a linear conversation, by itself, in a list, or in a list with a name`(_ text: String) throws {
    let found = try ImportedPieces(of: text)
    #expect(found.skipped == [])
    #expect(found.contents == [["one", "two", "three"]])
    let conversation = try #require(found.conversations.first?.conversation)
    #expect(conversation.id.description == "6540c0de-0000-4000-8000-000000000001")
    #expect(conversation.isArchived && conversation.activeBranch == 0 && conversation.branchCount == 1)
    #expect(conversation.updatedAt.microseconds == 1_700_000_100_500_000)
    #expect(found.messages[0].map(\.message.role) == [.user, .assistant, .user])
    #expect(found.messages[0][1].message.metadata.text == #"{"model":"gpt-4"}"#)
    // One without a time has its predecessor's.
    #expect(
      found.messages[0].map(\.message.createdAt.microseconds)
        == [1_700_000_000_250_000, 1_700_000_000_250_000, 1_700_000_009_000_000])
    try found.validate()
  }

  @Test func `a second list of conversations is reported`() throws {
    let head = #"{"conversations":[\#(Self.linear)],"conversations":"#
    let found = try ImportedPieces(of: head + #"[\#(Self.linear)],"conversations":[],"more":[]}"#, .chatgpt)
    #expect(found.contents == [["one", "two", "three"]])
    #expect(found.skipped.map(\.place) == ["byte \(head.utf8.count)"])
    #expect(try ImportedPieces(of: head + "null}", .chatgpt).skipped == [])
  }

  @Test func `edits and regenerated answers are branches, and the current node's is active`() throws {
    let nodes = [
      Self.node("r", nil, ["s"]), Self.node("s", "r", ["q1", "q2"], Self.said("system", "")),
      Self.node("q1", "s", ["a1", "a2"], Self.said("user", "q1")),
      Self.node("a1", "q1", [], Self.said("assistant", "a1")),
      Self.node("a2", "q1", ["f"], Self.said("assistant", "a2")), Self.node("f", "a2", [], Self.said("user", "f")),
      Self.node("q2", "s", ["b1"], Self.said("user", "q2")), Self.node("b1", "q2", [], Self.said("assistant", "b1")),
    ]
    for (current, active) in [("a1", 0), ("f", 2), ("a2", 2), ("b1", 1), ("s", 0), ("gone", 0)] {
      let found = try ImportedPieces(of: Self.file(nodes, #","current_node":"\#(current)""#))
      #expect(found.skipped == [])
      #expect(found.contents == [["q1", "a1", "q2", "b1", "a2", "f"]])
      let branches = try #require(found.conversations.first?.branches.map(\.branch))
      #expect(branches.map(\.parent) == [nil, 0, 0])
      #expect(branches.map(\.forkPosition) == [0, 0, 1])
      #expect(branches.map(\.headPosition) == [2, 2, 3])
      #expect(branches.map(\.origin) == [.trunk, .edit, .regenerate])
      #expect(found.conversations.first?.conversation.activeBranch == active)
      #expect(branches.filter(\.isActive).map(\.number) == [active])
      try found.validate()
    }
  }

  @Test func `tools, code and images are kept, hidden messages and reasoning are not`() throws {
    let hidden = #""is_visually_hidden_from_conversation":true"#
    let image = #"{"content_type":"image_asset_pointer","asset_pointer":"file-service://x","width":1}"#
    let found = try ImportedPieces(
      of: Self.file([
        Self.node("r", nil, ["h"]),
        Self.node("h", "r", ["u"], Self.content("system", #"{"content_type":"text","parts":["secret"]}"#, hidden)),
        Self.node(
          "u", "h", ["t"], Self.content("user", #"{"content_type":"multimodal_text","parts":[\#(image),"see"]}"#)),
        Self.node("t", "u", ["c"], Self.content("assistant", #"{"content_type":"thoughts","thoughts":[]}"#)),
        Self.node(
          "c", "t", ["o"],
          Self.content("assistant", #"{"content_type":"code","language":"python","text":"print('```')"}"#)),
        Self.node("o", "c", ["b"], Self.content("tool", #"{"content_type":"execution_output","text":"```"}"#)),
        Self.node("b", "o", ["e"], Self.content("tool", #"{"content_type":"tether_quote","text":"quoted","url":"u"}"#)),
        Self.node("e", "b", ["x"], Self.said("assistant", "")),
        Self.node("x", "e", [], Self.content("robot", #"{"content_type":"text","parts":["?"]}"#)),
      ]))
    #expect(
      found.contents == [
        ["[image]\n\nsee", "````python\nprint('```')\n````", "````\n```\n````", "quoted"]
      ])
    #expect(found.messages[0].map(\.message.role) == [.user, .assistant, .tool, .tool])
    #expect(
      found.skipped.map(\.why) == [
        "2 hidden messages or notes of reasoning are left out.",
        "1 messages of an unknown shape or role are left out.",
      ])
    try found.validate()
  }

  @Test(arguments: ["null", #""1700000001""#, "1700000001000", "-1e300"])
  func `a message without a time that can be read has that of the one before it, on a branch too`(
    _ time: String
  ) throws {
    let nodes = [
      Self.node("q", nil, ["a", "b"], Self.said("user", "q", at: "1700000005")),
      Self.node("a", "q", ["c"], Self.said("assistant", "a", at: "1700000007")),
      Self.node("c", "a", [], Self.said("user", "c", at: time)),
      Self.node("b", "q", [], Self.said("assistant", "b", at: time)),
    ]
    let found = try ImportedPieces(of: Self.file(nodes))
    #expect(found.contents == [["q", "a", "c", "b"]])
    #expect(
      found.messages[0].map { $0.message.createdAt.microseconds / 1_000_000 - 1_700_000_000 } == [5, 7, 7, 5])
    #expect(found.conversations.first?.branches.last?.branch.createdAt.microseconds == 1_700_000_005_000_000)
    #expect(found.skipped == [])
  }

  @Test(arguments: ["null", #""1700000001""#, "1700000001000"])
  func `a conversation's time that cannot be read is reported, and the conversation is taken`(_ time: String) throws {
    let isGiven = time != "null"
    for (message, update, seconds, notes) in [
      ("1700000005", "1700000009", 1_700_000_005, isGiven ? 1 : 0),
      ("null", "1700000009", 1_700_000_009, isGiven ? 1 : 0),
      ("null", time, 0, isGiven ? 3 : 1), ("1700000005", time, 1_700_000_005, isGiven ? 2 : 0),
    ] {
      let mapping = Self.node("q", nil, [], Self.said("user", "q", at: message))
      let found = try ImportedPieces(
        of: #"{"mapping":{\#(mapping)},"create_time":\#(time),"update_time":\#(update)}"#)
      #expect(found.contents == [["q"]])
      #expect(found.conversations.first?.conversation.createdAt.microseconds == Int64(seconds) * 1_000_000)
      #expect(found.messages[0].first?.message.createdAt.microseconds == Int64(seconds) * 1_000_000)
      #expect(found.skipped.count == notes)
    }
  }

  @Test(arguments: [129, 512, 513, 10_000])
  func `an element that is nested too deep is left out alone`(_ depth: Int) throws {
    let deep = String(repeating: "[{\"a\":", count: depth) + "0" + String(repeating: "}]", count: depth)
    let found = try ImportedPieces(of: #"[{"mapping":\#(deep)},\#(Self.linear)]"#)
    #expect(found.contents == [["one", "two", "three"]])
    #expect(found.skipped.map(\.place) == ["conversation 1"])
  }

  @Test func `a file that does not say whose it is needs a user`() throws {
    let error = #expect(throws: ConversationError.self) { try ImportedPieces(of: "[]", .chatgpt, owner: nil) }
    #expect(error?.code == .invalid && error?.field == "user_id")
  }
}
