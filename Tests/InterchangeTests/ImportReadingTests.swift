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
    for length in 0..<text.utf8.count { _ = try ImportedPieces(of: Array(text.utf8.prefix(length)), format) }
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
