import ConversationModel
import TerminalCanvas

/// Lays one message out as lines: its head, and its text, whole or only the start.
struct MessageLayout {
  var thread: ThreadState
  var width: Int
  var glyphs: Glyphs

  /// Lines of a text that is not expanded.
  private static let startLines = 3
  /// Lines of one that is: a longest text, a word in each.
  private static let wholeLines = 20_000
  /// Bytes up to which the lines that are not shown are counted; more are told as bytes.
  private static let countedBytes = 4_096
  private static let indent = 2

  private var textWidth: Int { max(1, width - (thread.isBare ? 0 : Self.indent)) }

  func height(of message: Message) -> Int { 1 + text(of: message).count }

  /// The lines of the text, without the indent.
  func text(of message: Message) -> [[Span]] {
    if thread.raw == message.id {
      guard let detail = thread.detail, detail.message.id == message.id else { return [[Span("loading", .muted)]] }
      return broken(detail.json).lines.map { [Span($0)] }
    }
    if message.status == .deleted { return [[Span("(deleted; its place is kept)", .muted)]] }
    if message.content.isEmpty {
      return [[Span(message.status == .streaming ? "(nothing written yet)" : "(empty)", .muted)]]
    }
    if thread.expanded.contains(message.id) || thread.isBare || thread.isWhole { return whole(message) }
    let key = StartLines.Key(
      text: message.content, width: textWidth, isWrapped: thread.isWrapped, isASCII: glyphs.isASCII)
    return StartLines.shared.lines(key) { start(message) }
  }

  private func start(_ message: Message) -> [[Span]] {
    let (lines, isCut) = cut(message.content, Self.startLines)
    guard isCut else { return lines.map { [Span($0)] } }
    let shown = lines.reduce(0) { $0 + $1.utf8.count }
    let more: String
    if message.content.utf8.count <= Self.countedBytes {
      let count = cut(message.content, Self.wholeLines).lines.count - lines.count
      more = "\(count) more line\(count == 1 ? "" : "s")"
    } else {
      more = "\(Figures.bytes(max(0, message.content.utf8.count - shown))) more"
    }
    let hint = " \(more)\(textWidth >= 50 ? " (Enter expands)" : "")"
    let room = max(0, textWidth - TextWidth.of(hint, glyphs: glyphs))
    let last = lines[lines.count - 1]
    // Two blanks more than there are, so that the line always ends with an ellipsis.
    let cutLast = TextWidth.truncated(
      last + String(repeating: " ", count: room), to: min(room, TextWidth.of(last, glyphs: glyphs) + 2), glyphs: glyphs)
    return lines.dropLast().map { [Span($0)] } + [[Span(cutLast), Span(hint, .muted)]]
  }

  private func whole(_ message: Message) -> [[Span]] {
    let (text, isCut) = cut(message.content, Self.wholeLines)
    var lines = text.map { [Span($0)] }
    if isCut { lines.append([Span("the rest is not shown here; y copies the message's id", .muted)]) }
    guard !thread.isBare, let detail = thread.detail, detail.message.id == message.id else { return lines }
    for revision in detail.revisions {
      lines.append([
        Span("revision \(revision.number), until \(Figures.clock(revision.replacedAt, offset: 0)) UTC:", .muted)
      ])
      lines += cut(revision.content, Self.startLines).lines.map { [Span($0, .muted)] }
    }
    return lines
  }

  /// All lines of a text.
  private func broken(_ text: String) -> (lines: [String], isCut: Bool) {
    LongTexts.shared.wrapped(text, width: textWidth, maxLines: Self.wholeLines, glyphs: glyphs)
  }

  /// The lines of a text: broken to fit, or as they are, cut where the screen ends.
  private func cut(_ text: String, _ count: Int) -> (lines: [String], isCut: Bool) {
    if thread.isWrapped, count == Self.wholeLines { return broken(text) }
    if thread.isWrapped { return wrapped(text, width: textWidth, maxLines: count, glyphs: glyphs) }
    var lines: [String] = []
    var rest = Substring(text)[...]
    while lines.count < count {
      let end = rest.unicodeScalars.firstIndex { $0 == "\n" || $0 == "\r" }
      lines.append(TextWidth.truncated(rest[..<(end ?? rest.endIndex)], to: textWidth, glyphs: glyphs))
      guard let end else { return (lines, false) }
      rest = rest[rest.unicodeScalars.index(after: end)...]
    }
    return (lines, !rest.isEmpty)
  }

  /// The line above the text: `#37 assistant  12:40:09  stored  <- fork point  sibling 2/3`.
  func head(of message: Message, at moment: Moment) -> [Span] {
    let branch = thread.branch ?? 0
    var spans = [
      Span("\(Self.place(of: message)) ", .muted), Span(message.role.rawValue, Self.style(of: message.role)),
      Span("  \(Figures.time(message.createdAt, at: moment))  ", .muted),
    ]
    switch message.status {
    case .complete: break
    case .streaming: spans.append(Span("streaming  ", .accent))
    case .incomplete: spans.append(Span("incomplete  ", .warning))
    case .deleted: spans.append(Span("deleted  ", .muted))
    }
    spans.append(Self.promise(of: message))
    if message.revision > 1 {
      spans.append(Span("  edited (\(message.revision - 1) revision\(message.revision == 2 ? "" : "s"))", .warning))
    }
    guard message.durability == .stored else { return spans }
    if let (index, count) = thread.tree.sibling(at: message.position, on: branch) {
      spans.append(Span("  sibling \(index)/\(count)", .accent))
    }
    if thread.tree.forks(at: message.position, on: branch) {
      spans.append(Span("  \(glyphs.left) fork point", .accent))
    }
    return spans
  }

  /// Where it stands: `#37`, or `#-` for one that has no place yet.
  static func place(of message: Message) -> String {
    message.durability == .stored ? "#\(message.position)" : "#-"
  }

  /// What the store promises of it: `stored`, `spooled`, or `pending` for an answer that is being written.
  static func promise(of message: Message) -> Span {
    switch message.durability {
    case .stored: message.status == .streaming ? Span("pending", .warning) : Span("stored", .ok)
    case .spooled: Span("spooled", .warning)
    }
  }

  static func style(of role: Message.Role) -> Style {
    switch role {
    case .user: .user
    case .assistant: .assistant
    case .system, .tool: .system
    }
  }
}

/// A message as JSON, for reading: every field the store keeps.
enum RawMessage {
  static func text(_ message: Message) -> String {
    var fields = [
      ("id", quoted(message.id.description)), ("conversation_id", quoted(message.conversationID.description)),
      ("client_id", message.clientID.map(quoted) ?? "null"), ("branch", "\(message.branch)"),
      ("position", message.durability == .stored ? "\(message.position)" : "null"),
      ("role", quoted(message.role.rawValue)),
      ("status", quoted(message.status.rawValue)), ("durability", quoted(message.durability.rawValue)),
      ("revision", "\(message.revision)"),
      ("created_at", quoted(message.createdAt.description)),
      ("edited_at", message.editedAt.map { quoted($0.description) } ?? "null"),
      ("intent", message.intent.map(quoted) ?? "null"), ("confidence", message.confidence?.text ?? "null"),
      ("entities", message.entities.text), ("metadata", message.metadata.text),
    ]
    fields.append(("content", quoted(message.content)))
    return "{\n" + fields.map { "  \"\($0)\": \($1)" }.joined(separator: ",\n") + "\n}"
  }

  private static func quoted(_ text: String) -> String {
    var json = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": json += "\\\""
      case "\\": json += "\\\\"
      case "\n": json += "\\n"
      case "\r": json += "\\r"
      case "\t": json += "\\t"
      case _ where scalar.value < 0x20:
        json += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
      default: json.unicodeScalars.append(scalar)
      }
    }
    return json + "\""
  }
}
