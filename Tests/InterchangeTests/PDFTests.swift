#if PDF
  import ConversationModel
  import Foundation
  import Testing

  @testable import Interchange

  @Suite struct PDFTests {
    @Test func `every word of a conversation can be found, in its order, and each page has its number`() throws {
      let words = (1...1_500).map { "word\($0)" }
      let content = stride(from: 0, to: words.count, by: 30).map { words[$0..<$0 + 30].joined(separator: " ") }
      let pages = try pages([message(1, content.joined(separator: "\n\n"))])
      #expect(pages.count > 3)
      let found = pages.joined(separator: " ").matches(of: /word\d+/).map { String($0.output) }
      #expect(found == words)
      for (index, page) in pages.enumerated() { #expect(page.split(separator: "\n").last == "\(index + 1)") }
      #expect(pages.dropFirst().allSatisfy { $0.hasPrefix("A title") })
    }

    @Test func `the first page tells the facts`() throws {
      let pages = try pages([])
      let page = try #require(pages.first)
      #expect(pages.count == 1)
      for fact in [
        "A title", "Owner", "00000000-0000-0001-0000-000000000002", "Session", "kitchen", "2025-11-24 16:00:00 UTC",
        "2025-11-25 19:46:40 UTC", "Messages", "12", "all branches", "Trunk (9 messages)",
        "Branch 1: Shorter (2 messages, after message 4 of the trunk)",
      ] { #expect(page.contains(fact)) }
      let archive = conversation()
      let one = try text(of: PDFDocument(PDFFacts(archive, branch: archive.branches[1].branch)))
      #expect(one.contains("Branch 1: Shorter, from the beginning to message 6"))
    }

    @Test func `roles, times and states stand above each message`() throws {
      let messages = [
        message(1, "Question"), message(2, "Answer", .assistant, edited: true),
        message(3, "Half an", .assistant, status: .incomplete), message(4, "", status: .deleted),
        message(5, "Rules", .system), message(6, "{}", .tool),
      ]
      let text = try pages(messages).joined()
      for line in [
        "User 1 · 2025-11-24 16:01:00 UTC", "Assistant 2 · 2025-11-24 16:02:00 UTC · edited 2025-11-24 18:46:40 UTC",
        "Assistant 3 · 2025-11-24 16:03:00 UTC · incomplete", "User 4 · 2025-11-24 16:04:00 UTC · deleted", "System 5",
        "Tool 6",
      ] { #expect(text.contains(line)) }
    }

    @Test(arguments: [
      "中文,汉字。", "日本語かな", "한국어", "שלום", "مرحبا", "🎉", "👨‍👩‍👧‍👦", "🇩🇪", "👍🏽", "Ünïcödé", "\u{10FFFD}",
    ])
    func `every script can be selected as text, pictures and signs without a font too`(sample: String) throws {
      // What reads a PDF puts marks of direction around what goes from right to left.
      let text = try pages([message(1, sample), message(2, "in a line: \(sample) and on")]).joined()
      let count = text.ranges(of: sample).count + text.ranges(of: String(sample.reversed())).count
      #expect(count >= 2)
    }

    @Test func `code goes on over pages, line by line as it was written`() throws {
      let code = (1...150).map { "\(String(repeating: " ", count: $0 % 5))line\($0)(x) // **not bold**" }
      let pages = try pages([message(1, "Look:\n```swift\n\(code.joined(separator: "\n"))\n```\nDone.", .assistant)])
      #expect(pages.count > 3)
      let text = pages.joined(separator: "\n")
      let lines = text.split(separator: "\n").filter { $0.contains("line") }
      #expect(lines.map { $0.drop { $0 == " " } } == code.map { $0.drop { $0 == " " } })
      #expect(text.contains("swift\n") && text.contains("Done.") && !text.contains("```"))
    }

    @Test func `a line about a message never stands alone at the foot of a page`() throws {
      // Messages of one to three lines, so that page ends fall everywhere.
      let messages = (1...160).map {
        message($0, Array(repeating: "Some text", count: $0 % 3 + 1).joined(separator: "\n"))
      }
      for page in try pages(messages).dropFirst() {
        let lines = page.split(separator: "\n")
        #expect(lines.dropLast().last == "Some text")
      }
    }

    @Test(arguments: [
      String(repeating: "x", count: 20_000), String(repeating: "\n", count: 20_000),
      String(repeating: "**a** *b ", count: 2_000),
      "```\n\(String(repeating: "\n", count: 20_000))", String(repeating: "\u{202E}a\u{2067}ب", count: 1_000),
      "a" + String(repeating: "\u{301}", count: 10_000), String(repeating: "\u{1}\u{7F}\u{9B}\u{FEFF}", count: 500),
      String(repeating: "👩\u{200D}", count: 1_000), String(repeating: "> - # ``` ", count: 1_000),
      "\u{FFFC}\u{2028}\u{85}\u{C}",
      String(repeating: "<b>&amp;</b>", count: 100),
    ])
    func `hostile text neither fails nor reaches the next message`(content: String) throws {
      let pages = try pages([message(1, content), message(2, "Everything is well (as ever).")])
      #expect(pages.joined().contains("Everything is well (as ever)."))
      #expect(pages.count < 20)
    }

    @Test func `a long line loses no letter where it is broken`() throws {
      let line = (0..<4_000).map { "\($0 % 10)" }.joined()
      let found = try pages([message(1, "<\(line)>")]).dropFirst()
        .flatMap { $0.split(separator: "\n").map(String.init) }.filter {
          $0.count > 2 && $0.allSatisfy { "<0123456789>".contains($0) }
        }
      #expect(found.joined(separator: "") == "<\(line)>")
    }

    @Test func `control characters show, and do nothing`() throws {
      #expect(try pages([message(1, "red: \u{1B}[31m \u{7F}")]).joined().contains("red: ^[[31m ^?"))
    }

    @Test func `the same conversation is the same bytes`() throws {
      let messages = [message(1, "Hello 🎉 中文 `code`"), message(2, "مرحبا **x**", .assistant)]
      #expect(try bytes(messages) == bytes(messages))
    }

    @Test func `bytes come while messages are written`() throws {
      let document = try PDFDocument(PDFFacts(conversation(), branch: nil))
      var written: [Int] = []
      for number in 1...120 {
        try document.message(message(number, "Some text\n\nMore text"))
        written.append(document.takeBytes().count)
      }
      #expect(written.filter { $0 > 0 }.count > 5)
      try document.finish()
      #expect(document.takeBytes().suffix(6).elementsEqual("%%EOF\n".utf8))
      #expect(document.takeBytes().isEmpty)
    }

    @Test func `an emoji is embedded once, in whatever size and after however many others`() throws {
      let emoji = (0..<70).map { String(Unicode.Scalar(0x1F400 + UInt32($0))!) }.joined()
      let content = "\(emoji)\n# \(emoji)\n```\n\(emoji)\n```\n\(emoji)"
      let pdf = Data(try bytes([message(1, content), message(2, content, .assistant)]))
      var rest = pdf[...]
      var images = 0
      while let found = rest.range(of: Data("/Subtype /Image".utf8)) {
        images += 1
        rest = rest[found.upperBound...]
      }
      // A picture, and its transparency.
      #expect(images == 140)
    }

    @Test(arguments: [
      ("2 * 3 * 4, a*b*c and /*x*/ in *.swift", "2 * 3 * 4, a*b*c and /*x*/ in *.swift"),
      ("**bold**, *italic*", "bold, italic"),
      ("``a`b`` and `c", "a`b and `c"), ("重点**是**这里", "重点是这里"), ("**a *b* c**", "a b c"), ("`**code**`", "**code**"),
      ("** no ** and ****", "** no ** and ****"), ("x**2 and y**2", "x**2 and y**2"), ("**open", "**open"),
    ])
    func `marks are taken away only in pairs that can be nothing else`(markdown: String, plain: String) {
      let text = PDFText(markdown: Array(markdown.utf8)[...])
      #expect(String(decoding: text.bytes, as: UTF8.self) == plain)
    }
  }

  private func conversation() -> ArchivedConversation {
    let created = Timestamp(microseconds: 1_764_000_000_000_000)
    let conversation = Conversation(
      id: ConversationID(high: 1, low: 1), userID: UserID(high: 1, low: 2), sessionID: "kitchen", isDefault: false,
      title: "A title", context: .emptyObject, isArchived: false, isPinned: false, activeBranch: 0, headPosition: 9,
      messageCount: 12, branchCount: 2, version: 14, createdAt: created,
      updatedAt: Timestamp(microseconds: 1_764_100_000_000_000))
    func branch(_ number: Int, _ parent: Int?, _ fork: Int, _ head: Int, _ title: String?) -> ArchivedBranch {
      ArchivedBranch(
        Branch(
          number: number, parent: parent, forkPosition: fork, headPosition: head, title: title, origin: .edit,
          isActive: number == 0, isDeleted: false, createdAt: created), version: 1)
    }
    return ArchivedConversation(
      conversation, branches: [branch(0, nil, 0, 9, nil), branch(1, 0, 4, 6, "Shorter")])
  }

  private func message(
    _ position: Int, _ content: String, _ role: Message.Role = .user, status: Message.Status = .complete,
    edited: Bool = false
  ) -> Message {
    Message(
      id: MessageID(high: 1, low: UInt64(position)), clientID: nil, conversationID: ConversationID(high: 1, low: 1),
      branch: 0, position: position, role: role, content: content, intent: nil, confidence: nil, entities: .emptyObject,
      metadata: .emptyObject, status: status, revision: edited ? 2 : 1,
      createdAt: Timestamp(microseconds: 1_764_000_000_000_000 + Int64(position) * 60_000_000),
      editedAt: edited ? Timestamp(microseconds: 1_764_010_000_000_000) : nil)
  }

  private func bytes(_ messages: [Message]) throws -> [UInt8] {
    let document = try PDFDocument(PDFFacts(conversation(), branch: nil))
    for message in messages { try document.message(message) }
    try document.finish()
    return document.takeBytes()
  }

  /// The text of each page, as Poppler reads it.
  private func pages(_ messages: [Message]) throws -> [String] {
    try text(of: bytes(messages)).split(separator: "\u{C}").map(String.init)
  }

  private func text(of document: PDFDocument) throws -> String {
    try document.finish()
    return try text(of: document.takeBytes())
  }

  private func text(of pdf: [UInt8]) throws -> String {
    let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).pdf")
    try Data(pdf).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["pdftotext", "-enc", "UTF-8", file.path(), "-"]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    return String(decoding: data, as: UTF8.self)
  }
#endif
