#if PDF
  import ConversationModel

  /// A conversation as pages of A4, one message after the other. The same conversation gives the same bytes wherever the same
  /// fonts are. Not Sendable: one task owns it.
  ///
  /// Neither what was written nor what was taken stays in memory: Cairo keeps a few words for each page, and the glyphs in use.
  final class PDFDocument {
    private let canvas: PDFCanvas
    private var flow: PDFFlow

    private static let body = PDFStyle(size: 10, lineHeight: 15.5)
    private static let mono = PDFStyle(family: .monospace, size: 8.5, lineHeight: 12.5)
    private static let role = PDFStyle(size: 9, gray: 0, lineHeight: 18)
    private static let codePadding = 7.0
    /// Blank lines in a row that are kept in code; more of them say nothing, and would fill thousands of pages.
    private static let blankLines = 20

    /// Draws the first page: the title, and the facts about the conversation.
    ///
    /// - Throws: `.internal` if Cairo cannot go on, here and below.
    init(_ facts: PDFFacts) throws(ConversationError) {
      canvas = PDFCanvas()
      canvas.describe(title: facts.title, changed: facts.conversation.updatedAt)
      flow = PDFFlow(PDFPages(on: canvas, title: PDFText(facts.title.utf8)))
      try write(facts)
    }

    /// Stands above the messages of a branch.
    func heading(_ text: String) throws(ConversationError) {
      flow.pages.leave(36)
      try flow.write(
        PDFText(text.utf8), PDFStyle(size: 14, isBold: true, gray: 0, lineHeight: 22), PDFFlow.Place(isKept: true))
      flow.pages.leave(12)
    }

    func message(_ message: Message) throws(ConversationError) {
      flow.pages.leave(24)
      let rule = Self.rule(of: message.role)
      flow.pages.open(PDFBox(x: PDFPages.left - 14, width: rule.width, gray: rule.gray))
      let hasText = !message.content.isEmpty
      try flow.write(Self.line(about: message), Self.role, PDFFlow.Place(isKept: hasText))
      if message.role == .tool {
        // What a program wrote is not meant to be Markdown, and may be lined up.
        try lines(of: message.content)
      } else {
        try blocks(of: message.content)
      }
      flow.pages.close()
    }

    /// Ends the last page and the file.
    func finish() throws(ConversationError) {
      try flow.pages.finish()
      try canvas.finish()
    }

    /// What was written since the last call.
    func takeBytes() -> [UInt8] { canvas.takeBytes() }
  }

  extension PDFDocument {
    /// The rule beside a message: roles can be told apart at a glance, without colors.
    private static func rule(of role: Message.Role) -> (width: Double, gray: Double) {
      switch role {
      case .user: (3, 0.15)
      case .assistant: (0, 1)
      case .system: (0.75, 0.4)
      case .tool: (3, 0.8)
      }
    }

    private static func line(about message: Message) -> PDFText {
      var facts = [message.createdAt.printed]
      if let editedAt = message.editedAt { facts.append("edited \(editedAt.printed)") }
      switch message.status {
      case .complete: break
      case .streaming: facts.append("still being written")
      case .incomplete: facts.append("incomplete: it was cut off")
      case .deleted: facts.append("deleted")
      }
      let role =
        switch message.role {
        case .user: "User"
        case .assistant: "Assistant"
        case .system: "System"
        case .tool: "Tool"
        }
      return PDFText([
        (role, .bold), ("   \(message.position)  \u{B7}  \(facts.joined(separator: "  \u{B7}  "))", .muted),
      ])
    }

    private func lines(of content: String) throws(ConversationError) {
      var blanks = 0
      for line in PDFMarkdown.Lines(content) { try code(PDFText(line), PDFFlow.Place(), &blanks) }
    }

    /// A line as it stands, blank ones among it.
    private func code(_ text: PDFText, _ place: PDFFlow.Place, _ blanks: inout Int) throws(ConversationError) {
      blanks = text.bytes.isEmpty ? blanks + 1 : 0
      if !text.bytes.isEmpty {
        try flow.write(text, Self.mono, place)
      } else if blanks <= Self.blankLines {
        try flow.pages.placeBlank(Self.mono.lineHeight)
      }
    }

    private func blocks(of content: String) throws(ConversationError) {
      var blanks = 0
      let padding = Self.codePadding
      for block in PDFMarkdown(content) {
        switch block {
        case .blank: flow.pages.leave(8)
        case .paragraph(let text): try flow.write(text, Self.body)
        case .heading(let level, let text):
          let size = [15, 13, 11.5][min(level, 3) - 1]
          flow.pages.leave(14)
          try flow.write(
            text, PDFStyle(size: size, isBold: true, gray: 0, lineHeight: size * 1.5), PDFFlow.Place(isKept: true))
          flow.pages.leave(4)
        case .item(let marker, let level, let text):
          flow.pages.leave(2)
          try flow.write(text, Self.body, PDFFlow.Place(indent: 22 + 18 * Double(level), marker: marker))
        case .quote(let text):
          // At the side where the text begins.
          let x = text.isRightToLeft ? PDFPages.left + PDFPages.width - 3.5 : PDFPages.left + 2
          flow.pages.open(PDFBox(x: x, width: 1.5, gray: 0.7))
          try flow.write(text, Self.body, PDFFlow.Place(indent: 16, inset: 16))
          flow.pages.close()
        case .table(let text): try flow.write(text, Self.mono)
        case .codeBegin(let label):
          blanks = 0
          flow.pages.leave(8)
          flow.pages.open(PDFBox(x: PDFPages.left, width: PDFPages.width, gray: 0.95, overhang: padding))
          flow.pages.pad(padding)
          let style = PDFStyle(size: 7.5, gray: 0.45, lineHeight: 13)
          try flow.write(label, style, PDFFlow.Place(indent: padding + 3, inset: padding, isKept: true))
        case .code(let text): try code(text, PDFFlow.Place(indent: padding + 3, inset: padding), &blanks)
        case .codeEnd:
          flow.pages.pad(padding)
          flow.pages.close()
          flow.pages.leave(8)
        }
      }
    }
  }

  extension PDFDocument {
    private func write(_ facts: PDFFacts) throws(ConversationError) {
      flow.pages.pad(60)
      try flow.write(PDFText(facts.title.utf8), PDFStyle(size: 24, isBold: true, gray: 0, lineHeight: 34))
      flow.pages.leave(28)
      for (label, value) in facts.rows {
        try flow.write(PDFText([(label, .muted)]), Self.body, PDFFlow.Place(isKept: true))
        flow.pages.back(Self.body.lineHeight)
        try flow.write(PDFText(value.utf8), Self.body, PDFFlow.Place(indent: 110))
      }
      for (index, branch) in facts.branchLines.enumerated() {
        flow.pages.leave(index == 0 ? 28 : 3)
        try flow.write(PDFText(branch.utf8), Self.body)
      }
      try flow.pages.breakPage()
    }
  }
#endif
