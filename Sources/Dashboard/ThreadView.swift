import ConversationModel
import TerminalCanvas

extension Screen {
  mutating func drawThread() {
    guard let thread = model.thread else {
      let inside = pane(layout.body, "Thread", hasKeys: true)
      return say(
        [
          [Span("No thread is open.", .heading)],
          [Span("Enter", .key), Span(" opens one in "), Span("1", .key), Span(" or "), Span("3", .key)],
        ],
        in: inside)
    }
    if layout.isWide { drawBranches(thread) }
    let inside = pane(
      layout.pathFrame, pathTitle(thread), right: share(thread), hasKeys: !thread.isInBranches || !layout.isWide)
    drawPath(thread, in: inside)
  }

  /// Without frames and names of panes: what a mouse selects is the text and nothing else.
  mutating func drawBare(_ thread: ThreadState) {
    drawPath(thread, in: Rect(layout.size).inset(bottom: 0))
  }

  // MARK: Branches

  private mutating func drawBranches(_ thread: ThreadState) {
    let count = thread.tree.rows.count
    let inside = pane(
      layout.branches, "Branches (\(count))", right: [Span("Tab", .key)], hasKeys: thread.isInBranches)
    let visible = thread.branchCursor.visible(count: count, height: layout.branchRows)
    for (line, row) in visible.enumerated() {
      drawBranch(
        thread.tree.rows[row], thread, in: inside.line(line),
        hasPointer: row == thread.branchCursor.selected && thread.isInBranches)
    }
    let legend: [[Span]] = [
      liveSpans(thread), [Span("@", .accent), Span("  regenerated or edited", .muted)], forkSpans(thread),
    ]
    for (index, line) in legend.enumerated() where inside.rows - 3 + index > visible.count {
      canvas.draw(line, row: inside.rows - 3 + index, column: 1, in: inside.inset(right: 1))
    }
  }

  mutating func drawBranch(_ row: BranchTree.Row, _ thread: ThreadState, in line: Rect, hasPointer: Bool) {
    let branch = row.branch
    let isShown = branch.number == thread.branch
    var tree = ""
    for (level, follows) in row.follows.enumerated() {
      let isOwn = level == row.follows.count - 1
      tree += isOwn ? (follows ? glyphs.branch : glyphs.lastBranch) : (follows ? glyphs.trunk : "  ")
    }
    let style: Style = isShown ? .accent : .plain
    let right = "#\(branch.headPosition) \(branch.isActive ? "*" : " ")"
    canvas.draw(
      right, row: 0, column: max(0, line.columns - right.count - 1), in: line, style: branch.isActive ? .accent : .muted
    )
    canvas.draw(
      [Span(isShown ? "\(glyphs.pointer) " : "  ", .focus), Span(tree, .muted), Span(Self.name(branch), style)], row: 0,
      in: line.inset(right: right.count + 2))
    if hasPointer { canvas.restyle(line) { $0.selected } }
  }

  static func name(_ branch: Branch) -> String {
    let mark = branch.origin == .regenerate || branch.origin == .edit ? "@" : ""
    if let title = branch.title, !title.isEmpty { return mark + title }
    return branch.parent == nil ? "trunk" : "\(mark)\(branch.origin.rawValue) \(branch.number)"
  }

  private func liveSpans(_ thread: ThreadState) -> [Span] {
    switch thread.live {
    case .attached: [Span(">>", .accent), Span(" live: follows by itself", .muted)]
    case .attaching: [Span("..", .muted), Span(" attaching", .muted)]
    case .lost: [Span("!!", .warning), Span(" not live, attaching again", .warning)]
    case .off: [Span("..", .muted), Span(" not live", .muted)]
    }
  }

  private func forkSpans(_ thread: ThreadState) -> [Span] {
    guard let branch = thread.branch.flatMap({ thread.tree[$0] }),
      let parent = branch.parent.flatMap({ thread.tree[$0] })
    else { return [] }
    return [Span("forks from \(Self.name(parent)) at #\(branch.forkPosition)", .muted)]
  }

  // MARK: The path

  func pathTitle(_ thread: ThreadState) -> String {
    let name = thread.title ?? "(untitled)"
    guard let branch = thread.branch.flatMap({ thread.tree[$0] }) else {
      return TextWidth.truncated(name, to: max(8, layout.pathFrame.columns - 30), glyphs: glyphs)
    }
    var facts = "  \(Figures.grouped(thread.head)) msgs"
    if branch.parent != nil {
      let own =
        branch.headPosition > branch.forkPosition ? "\(branch.forkPosition + 1)-\(branch.headPosition) own, " : ""
      facts = "  \(Self.name(branch))\(facts)" + (layout.isWide ? "  \(own)1-\(branch.forkPosition) shared" : "")
    }
    let room = max(8, layout.pathFrame.columns - 18 - TextWidth.of(facts, glyphs: glyphs))
    return TextWidth.truncated(name, to: room, glyphs: glyphs) + facts
  }

  /// Where in the path the screen is.
  func share(_ thread: ThreadState) -> [Span] {
    guard thread.isLoaded, thread.head > 0 else { return [] }
    let share = min(1, Double(thread.selected) / Double(thread.head))
    let full = max(0, min(8, Int((share * 8).rounded())))
    return [
      Span("\(Int((share * 100).rounded()))% ", .muted), Span(String(repeating: glyphs.barFull, count: full), .accent),
      Span(String(repeating: glyphs.barEmpty, count: 8 - full), .muted),
    ]
  }

  mutating func drawPath(_ thread: ThreadState, in rect: Rect) {
    if let failure = thread.failure {
      return say(failure, in: rect)
    }
    guard thread.isLoaded else { return say([[Span("loading the newest messages", .muted)]], in: rect) }
    guard !thread.window.isEmpty else {
      drawFollowing(thread, in: rect.line(rect.rows - 1))
      return say(
        [[Span("No messages yet.", .heading)], [Span("They appear here as they are stored.", .muted)]], in: rect)
    }
    let lines = rect.inset(bottom: 1)
    let layout = MessageLayout(thread: thread, width: rect.columns, glyphs: glyphs)
    // While a message is being written no key acts on the selected one.
    let hasPointer = model.chat?.focus != .composer
    var position = thread.anchor.position
    var row = -thread.anchor.line
    while row < lines.rows, position <= thread.window.end {
      if let message = thread.window[position] {
        row = drawMessage(message, layout, at: row, in: lines, isSelected: hasPointer && position == thread.selected)
      } else {
        drawOlder(thread, at: row, in: lines)
        row += 1
      }
      position += 1
    }
    drawFollowing(thread, in: rect.line(rect.rows - 1))
  }

  private mutating func drawOlder(_ thread: ThreadState, at row: Int, in rect: Rect) {
    let count = Figures.grouped(thread.window.first - 1)
    let isLoading = thread.loading != nil
    let text =
      isLoading
      ? "\(count) older messages, loading \(Bounds.messagePage)"
      : "\(count) older messages not loaded - PgUp or L loads \(min(Bounds.messagePage, thread.window.first - 1))"
    canvas.draw([Span("\(glyphs.up) ", .accent), Span(text, .muted)], row: row, in: rect)
  }

  /// - Returns: The row behind the message.
  private mutating func drawMessage(
    _ message: Message, _ layout: MessageLayout, at row: Int, in rect: Rect, isSelected: Bool
  ) -> Int {
    let text = layout.text(of: message)
    if row >= 0, row < rect.rows {
      let line = rect.line(row)
      canvas.draw(layout.head(of: message, at: model.now), row: 0, in: line)
      if isSelected { canvas.restyle(line) { $0.selected } }
    }
    let needle = layout.thread.needle
    let indent = layout.thread.isBare ? 0 : 2
    // Of a long text only the lines on the screen are drawn.
    let shown = max(0, -row - 1)..<max(0, -row - 1, min(text.count, rect.rows - row - 1))
    for index in shown where index < text.count {
      let line = rect.line(row + 1 + index)
      if isSelected, indent > 0 { canvas.draw(glyphs.vertical, row: 0, in: line, style: .focus) }
      canvas.draw(needle.isEmpty ? text[index] : Self.marked(text[index], needle), row: 0, column: indent, in: line)
    }
    return row + 1 + text.count
  }

  /// What is being looked for, marked where a line holds it.
  static func marked(_ spans: [Span], _ needle: String) -> [Span] {
    let wanted = Array(needle.lowercased())
    guard !wanted.isEmpty else { return spans }
    return spans.flatMap { span -> [Span] in
      let letters = Array(span.text)
      let lowered = letters.map { Character($0.lowercased().first.map(String.init) ?? " ") }
      guard lowered.count >= wanted.count else { return [span] }
      var marked: [Span] = []
      var plain = 0
      var index = 0
      while index + wanted.count <= lowered.count {
        if (0..<wanted.count).allSatisfy({ lowered[index + $0] == wanted[$0] }) {
          marked.append(Span(String(letters[plain..<index]), span.style))
          marked.append(Span(String(letters[index..<index + wanted.count]), .match))
          index += wanted.count
          plain = index
        } else {
          index += 1
        }
      }
      return marked + [Span(String(letters[plain...]), span.style)]
    }.filter { !$0.text.isEmpty }
  }

  private mutating func drawFollowing(_ thread: ThreadState, in line: Rect) {
    let down = glyphs.down
    var spans: [Span]
    if model.isPaused {
      spans = [Span("paused: nothing is read until Space", .warning)]
    } else if case .lost = thread.live {
      spans = [Span("!! not live: attaching again", .warning)]
    } else if thread.isFollowing {
      spans = [Span("\(down) following", .accent), Span("  (End)", .muted)]
    } else if thread.loading != nil {
      spans = [Span("loading", .muted)]
    } else if thread.hasNewer || thread.unseen > 0 {
      let count = max(thread.unseen, thread.head - thread.window.last)
      spans = [Span("\(down) \(Figures.grouped(count)) newer", .accent), Span("  G follows", .muted)]
    } else {
      let isPlaced = thread.selected <= thread.window.last
      spans = [
        Span(isPlaced ? "#\(thread.selected) of \(Figures.grouped(thread.head))" : "spooled", .muted),
        Span("  G follows", .muted),
      ]
    }
    let waiting = thread.window.waiting.count
    if waiting > 0 {
      spans += [Span("  !! ", .alarm), Span("\(waiting) spooled: acknowledged, not yet in the store", .warning)]
    } else if thread.isDegraded {
      spans += [Span("  !! ", .alarm), Span("from the server's memory: the store is down", .warning)]
    }
    canvas.draw(spans, row: 0, in: line)
  }
}
