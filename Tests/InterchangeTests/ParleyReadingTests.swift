import ConversationModel
import Interchange
import Testing

@Suite struct ParleyReadingTests {
  @Test(arguments: [false, true]) func `messages come in batches of a hundred`(_ isDocument: Bool) throws {
    let found = try ImportedPieces(of: isDocument ? ParleySample.document(250) : ParleySample.lines(250))
    #expect(found.skipped == [])
    #expect(found.batches == [100, 100, 50])
    #expect(found.conversations == [ParleySample.conversation(250)])
    #expect(found.messages[0].map(\.message.position) == Array(1...250))
  }

  @Test(arguments: [false, true]) func `a batch holds a mebibyte at most`(_ isDocument: Bool) throws {
    let content = String(repeating: "a", count: 250_000)
    let text = isDocument ? ParleySample.document(10, content: content) : ParleySample.lines(10, content: content)
    #expect(try ImportedPieces(of: text).batches == [4, 4, 2])
  }

  @Test(arguments: [false, true])
  func `behind a faulty message nothing of its conversation is handed out`(_ isDocument: Bool) throws {
    let text = isDocument ? ParleySample.document(250, broken: 150) : ParleySample.lines(250, broken: 150)
    var reader = try archiveReader(of: importFile(Array(text.utf8)), format: nil, owner: nil)
    var skipped = 0
    var messages = 0
    while let piece = try reader.next() {
      switch piece {
      case .conversation: #expect(skipped == 0)
      case .messages(let batch):
        #expect(skipped == 0)
        messages += batch.count
      case .skipped: skipped += 1
      }
    }
    #expect(skipped == 1 && messages < 150)
  }

  @Test func `a document that is cut off anywhere is said to be so, once`() throws {
    let document = Array(ParleySample.document(40).utf8)
    for length in stride(from: 12, to: document.count, by: 7) {
      let found = try ImportedPieces(of: Array(document.prefix(length)))
      #expect(found.conversations == [])
      #expect(found.skipped.map(\.place) == ["the file"], "\(length)")
      #expect(found.skipped.first?.why.contains("cut off") == true, "\(length)")
    }
    var broken = document
    // In the place of the bracket behind the messages.
    broken[document.count - 2] = UInt8(ascii: "}")
    #expect(try ImportedPieces(of: broken).skipped.map(\.place) == ["the file"])
  }

  @Test func `of members that nobody reads a document may have any number`() throws {
    let more = (0..<5_000).map { "\"member \($0)\":1," }.joined()
    let text = "{" + more + ParleySample.document(2).dropFirst()
    #expect(try ImportedPieces(of: text, .parley).contents == [["text", "text"]])
    let reader = try archiveReader(of: importFile(Array(text.utf8)), format: .parley, owner: nil)
    // With all that it keeps.
    #expect(String(describing: reader).utf8.count < 5_000)
  }

  @Test func `a header that is damaged leaves the lines behind it whole`() throws {
    for header in [#"{"format":"parley,"format_version":1}"#, #"{"format":"parley","format_version":1"#, "{", "x"] {
      let lines = ParleySample.lines(5).split(separator: "\n").dropFirst().joined(separator: "\n")
      let found = try ImportedPieces(of: header + "\n" + lines, .parley)
      #expect(found.messages.map(\.count) == [5])
      #expect(found.skipped.map(\.place) == ["line 1"])
    }
  }

  @Test func `a faulty message ends only its own conversation`() throws {
    let found = try ImportedPieces(of: ParleySample.lines(5, broken: 3) + ParleySample.lines(4))
    #expect(found.messages.map(\.count) == [2, 4])
    #expect(found.skipped.map(\.place) == ["line 6"])
  }

  @Test func `a broken record of a conversation leaves the one before it whole`() throws {
    let broken = ParleySample.lines(3).split(separator: "\n").dropFirst(2).joined(separator: "\n")
    let found = try ImportedPieces(
      of: ParleySample.lines(5) + #"{"conversation":{}}"# + "\n" + broken + "\n" + ParleySample.lines(4))
    #expect(found.messages.map(\.count) == [5, 4])
    #expect(found.skipped.count == 1)
  }
}
