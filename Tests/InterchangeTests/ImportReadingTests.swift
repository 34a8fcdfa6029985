import ConversationModel
import Interchange
import Testing

@Suite struct ImportReadingTests {
  static let chat = """
    [{"title":"A\\u0007 title","create_time":1700000000.5,"current_node":"c","conversation_id":"x","mapping":{
    "r":{"id":"r","message":null,"parent":null,"children":["a"]},
    "a":{"id":"a","message":{"author":{"role":"user"},"create_time":null,"content":{"content_type":"text","parts":["one"]}},"parent":"r","children":["b","c"]},
    "b":{"id":"b","message":{"author":{"role":"assistant"},"create_time":1700000002,"content":{"content_type":"text","parts":["two"]}},"parent":"a","children":[]},
    "c":{"id":"c","message":{"author":{"role":"assistant"},"create_time":1700000003,"content":{"content_type":"multimodal_text","parts":[{"content_type":"image_asset_pointer"},"again"]}},"parent":"a","children":[]},
    "p":{"id":"p","message":null,"parent":"q","children":["q"]},"q":{"id":"q","message":null,"parent":"p","children":["p"]}}},
    {"mapping":7}]
    """
  static let former = """
    {"pam_messages":[
    {"id":"00000000-0000-4000-8000-000000000002","conversation_id":"00000000-0000-4000-8000-00000000000a","role":"assistant","content":"two","created_at":"2026-11-22T13:34:25+00:00","confidence":0.9},
    {"id":"00000000-0000-4000-8000-000000000001","conversation_id":"00000000-0000-4000-8000-00000000000a","role":"user","content":"one","created_at":"2026-11-22T13:34:24.877756+00:00"},
    {"id":"00000000-0000-4000-8000-000000000003","conversation_id":"00000000-0000-4000-8000-00000000000b","role":"user","content":"lost","created_at":"2026-11-22T13:34:24+00:00"}],
    "pam_conversations":[{"id":"00000000-0000-4000-8000-00000000000a","user_id":"00000000-0000-4000-8000-00000000000c","session_id":"s","title":"PAM Conversation","context_data":{},"created_at":"2026-11-22T13:00:00+00:00"}]}
    """

  @Test func `a regenerated answer becomes a branch, and the current node's branch is active`() throws {
    let found = try ImportedPieces(of: Self.chat)
    #expect(found.conversations.map(\.conversation.activeBranch) == [1])
    #expect(found.conversations.first?.conversation.title == "A title")
    #expect(found.messages.joined().map(\.message.content) == ["one", "two", "[image]\n\nagain"])
    #expect(found.messages.joined().map(\.message.position) == [1, 2, 2])
    #expect(found.messages.joined().map(\.version) == [2, 3, 4])
    #expect(found.conversations.first?.branches.last?.branch.origin == .regenerate)
    #expect(found.skipped.map(\.place) == ["conversation 1", "conversation 2"])
    for conversation in found.conversations { try conversation.validate() }
  }

  @Test func `the former tables are read in the order of their times, wherever the rows stand`() throws {
    let found = try ImportedPieces(of: Self.former)
    #expect(found.messages.joined().map(\.message.content) == ["one", "two"])
    #expect(found.messages.last?.last?.message.confidence?.text == "0.90")
    #expect(found.conversations.first?.conversation.isDefault == true)
    #expect(found.skipped.count == 1)
    for conversation in found.conversations { try conversation.validate() }
  }

  @Test(arguments: [(chat, ImportFormat.chatgpt), (former, .former)])
  func `a file cut off anywhere is read to its end`(_ text: String, _ format: ImportFormat) throws {
    for length in 1..<text.utf8.count { _ = try ImportedPieces(of: Array(text.utf8.prefix(length)), format) }
  }

  /// What stands behind the end, and how much of it is not white space.
  @Test(arguments: [("\n", 0), (" x", 1), ("\n{}", 1), ("]", 1), ("\u{0}", 1)])
  func `what stands behind the end of a document is reported, and the document is taken`(
    _ rest: String, _ count: Int
  ) throws {
    let former = Self.former
    for text in [
      former, #"{"conversations":\#(Self.chat)}"#, Self.chat, ParleySample.document(2),
    ] {
      let whole = try ImportedPieces(of: text)
      let found = try ImportedPieces(of: text + rest)
      #expect(found.conversations == whole.conversations && found.messages == whole.messages)
      #expect(found.conversations.count == 1)
      let place = text.utf8.count + (rest.utf8.count == 1 || count == 0 ? 0 : 1)
      let reported = found.skipped.filter { !whole.skipped.contains($0) }
      #expect(reported.map(\.place) == (count == 0 ? [] : ["byte \(place)"]))
    }
    let twice = try ImportedPieces(of: ParleySample.document(2) + ParleySample.document(2))
    #expect(twice.contents == [["text", "text"]])
    #expect(twice.skipped.map(\.place) == ["byte \(ParleySample.document(2).utf8.count)"])
  }

  @Test(arguments: ["", " ", "\n\n"]) func `an empty file is refused, whatever format is named`(_ text: String) {
    for format in ImportFormat.allCases + [nil] as [ImportFormat?] {
      let error = #expect(throws: ConversationError.self) { _ = try ImportedPieces(of: text, format) }
      #expect(error?.code == .invalid && error?.message.contains("no known format") == true)
    }
  }

  @Test func `a file of another format than the named one is reported`() throws {
    let files: [(ImportFormat?, String)] = [
      (.parley, ParleySample.lines(2)), (.parley, ParleySample.document(2)), (.chatgpt, Self.chat),
      (.former, Self.former),
      (.former, String(decoding: try fixture("former-copy.sql"), as: UTF8.self)),
      (nil, "{}"), (nil, #"{"a":[]}"#), (nil, "SET a = 1;\nINSERT INTO other VALUES (1);\n"), (nil, "nonsense"),
    ]
    for (own, text) in files {
      for format in ImportFormat.allCases where format != own {
        let found = try ImportedPieces(of: text, format)
        #expect(found.conversations == [] && found.skipped.count >= 1, "\(format): \(text.prefix(20))")
      }
    }
    // Tables without rows are no fault.
    for text in [#"{"pam_conversations":[]}"#, "CREATE TABLE pam_messages (id uuid);\n"] {
      #expect(try ImportedPieces(of: text).skipped == [])
    }
  }

  @Test(arguments: ImportFormat.allCases)
  func `brackets without an end are no crash`(_ format: ImportFormat) throws {
    _ = try ImportedPieces(of: String(repeating: "[", count: 1_000_000), format)
  }

  @Test func `a chain of a hundred thousand messages is one trunk`() throws {
    var nodes = [#""0":{"message":null,"parent":null,"children":["1"]}"#]
    for n in 1...100_000 {
      nodes.append(
        #""\#(n)":{"message":{"author":{"role":"user"},"content":{"parts":["x"]}},"parent":"\#(n - 1)","children":["\#(n + 1)"]}"#
      )
    }
    let found = try ImportedPieces(of: #"[{"id":"d","mapping":{\#(nodes.joined(separator: ","))}}]"#)
    #expect(found.messages.joined().count == 100_000)
    #expect(found.conversations.first?.branches.count == 1)
  }

  @Test func `a packed file is refused with what to do`() {
    let error = #expect(throws: ConversationError.self) { _ = try ImportedPieces(of: "PK\u{3}\u{4}") }
    #expect(error?.message.contains("unpack it first") == true)
  }
}
