import ConversationModel
import TerminalCanvas

extension Screen {
  /// The user's screen: threads left, the path right, what is being written below it.
  mutating func drawChat(_ chat: ChatState) {
    if layout.hasThreadList { drawThreadList() }
    let hasKeys = chat.focus == .path
    if let thread = model.thread {
      let inside = pane(layout.pathFrame, pathTitle(thread), right: share(thread), hasKeys: hasKeys)
      if thread.isLoaded, thread.failure == nil, thread.window.isEmpty {
        say([[Span("Nothing was said yet.", .heading)], [Span("Write below; Enter sends.", .muted)]], in: inside)
      } else {
        drawPath(thread, in: inside)
      }
    } else {
      drawBeginning(chat, in: pane(layout.pathFrame, "New session", hasKeys: hasKeys))
    }
    drawComposer(chat)
  }

  /// Where no thread is open: because nothing was read yet, or because one is about to begin.
  private mutating func drawBeginning(_ chat: ChatState, in rect: Rect) {
    switch model.link {
    case .connected where !chat.isStarting:
      say([[Span("A new session.", .heading)], [Span("It is made with its first message.", .muted)]], in: rect)
    case .connected:
      if let failure = model.threads.failure { return say(failure, in: rect) }
      say([[Span("loading", .muted)]], in: rect)
    case .connecting(nil): say([[Span("connecting to \(model.settings.server)", .accent)]], in: rect)
    case .connecting(let failure?), .lost(let failure), .refused(let failure): say(failure, in: rect)
    }
  }

  // MARK: Threads

  private mutating func drawThreadList() {
    let threads = model.threads
    let count = threads.rows.isEmpty ? [] : [Span("\(threads.rows.count)\(threads.hasMore ? "+" : "")", .muted)]
    let inside = pane(layout.threadList, "Threads", right: count)
    if let failure = threads.failure, threads.rows.isEmpty { return say(failure, in: inside) }
    guard threads.isLoaded else { return say([[Span(model.isConnected ? "loading" : "", .muted)]], in: inside) }
    guard !threads.rows.isEmpty else { return say([[Span("none yet", .muted)]], in: inside) }
    for (line, row) in threads.cursor.visible(count: threads.rows.count, height: inside.rows).enumerated() {
      drawThread(threads.rows[row], in: inside.line(line))
    }
  }

  private mutating func drawThread(_ row: Conversation?, in line: Rect) {
    guard let row else { return _ = canvas.draw("  loading", row: 0, in: line, style: .muted) }
    let isOpen = row.id == model.thread?.id
    let age = Figures.briefAge(model.now.wall.microseconds &- row.updatedAt.microseconds)
    let mark = isOpen ? "\(glyphs.pointer) " : row.isPinned ? "* " : "  "
    let name = row.title ?? model.title(ofSession: row.sessionID)
    canvas.draw(mark, row: 0, in: line, style: isOpen ? .focus : .muted)
    canvas.draw(
      name ?? "(untitled)", row: 0, column: 2, in: line.inset(right: age.count + 2),
      style: isOpen ? .heading : name == nil || row.isArchived ? .muted : .plain, lineEnds: .joined)
    canvas.draw(age, row: 0, column: line.columns - age.count - 1, in: line, style: .muted)
  }

  // MARK: Writing

  private mutating func drawComposer(_ chat: ChatState) {
    let title: String
    switch chat.purpose {
    case .say: title = "Message"
    case .revise(let message): title = "Edit #\(message.position) in place"
    case .ask(let message): title = "Ask #\(message.position) again, as a branch"
    }
    let hasKeys = chat.focus == .composer
    let inside = pane(layout.composer, title, right: composerHint(chat), hasKeys: hasKeys)
    canvas.draw(glyphs.pointer, row: 0, column: 1, in: inside, style: hasKeys ? .focus : .muted)
    if chat.composer.isEmpty, !hasKeys {
      canvas.draw("i writes a message", row: 0, column: 3, in: inside, style: .muted)
    }
    let place = chat.composer.place
    // The end of a long text is what is being written, wherever the cursor stands it is shown.
    let first = max(0, min(place.line, chat.composer.lines.count - 1) - inside.rows + 1)
    for row in 0..<inside.rows where first + row < chat.composer.lines.count {
      canvas.draw(
        chat.composer.text(ofLine: first + row), row: row, column: 3, in: inside, style: .input, overflow: .clip)
    }
    if hasKeys, model.overlay == nil {
      cursor = Point(
        row: inside.row + place.line - first, column: min(inside.column + 3 + place.column, inside.endColumn - 1))
    }
  }

  private func composerHint(_ chat: ChatState) -> [Span] {
    let typing = chat.presence.typing.compactMap { id in chat.presence.connections.first { $0.id == id }?.client }
    if !typing.isEmpty, chat.isTypingUntil <= model.now.steady {
      return [Span("\(drawable(typing[0], glyphs: glyphs, lineEnds: .joined)) is writing", .accent)]
    }
    if model.streamingAnswer != nil { return [Span("Esc", .key), Span(" stops the answer", .muted)] }
    return chat.purpose == .say ? [] : [Span("Esc", .key), Span(" drops the edit", .muted)]
  }

  /// What is on its way, and what keeps it.
  mutating func drawOutbox(_ chat: ChatState, in line: Rect) {
    let waiting = chat.unsent.filter { $0.failure != nil || !model.isConnected }
    guard let first = waiting.first else {
      guard chat.outbox.contains(where: \.isSaved) else { return }
      canvas.draw("Kept; the answer comes when the store is back.", row: 0, column: 1, in: line, style: .warning)
      return
    }
    let more = waiting.count > 1 ? " and \(waiting.count - 1) more" : ""
    let text = first.text.isEmpty ? "another answer" : first.text
    canvas.draw(
      [
        Span("!! not sent yet\(more): ", .alarm), Span(drawable(text, glyphs: glyphs, lineEnds: .joined), .warning),
        Span("  (Esc takes it back)", .muted),
      ], row: 0, column: 1, in: line.inset(right: 1))
  }
}

extension DashboardModel {
  /// A session without a title is called by its name, unless a program made that up.
  func title(ofSession name: String?) -> String? {
    guard let name, name.count < 30 else { return nil }
    return name
  }
}
