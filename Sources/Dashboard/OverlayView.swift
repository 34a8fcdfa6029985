import ConversationModel
import TerminalCanvas

extension Screen {
  mutating func drawOverlay() {
    switch model.overlay {
    case .help(let scroll): drawHelp(scroll)
    case .palette(let palette): drawPalette(palette)
    case .switcher(let switcher): drawSwitcher(switcher)
    case .search(let finder): drawFinder(finder)
    case .branches(let selected): drawPicker(selected)
    case .difference(let difference): drawDifference(difference)
    case .export(let prompt): drawExport(prompt)
    case .filter, .find, nil: break
    }
  }

  private func place(rows: Int, columns: Int) -> Rect {
    layout.body.centered(Size(rows: rows, columns: min(columns, layout.size.columns)))
  }

  private mutating func drawHelp(_ scroll: Int) {
    let lines = HelpView.lines(layout.view)
    let rect = place(rows: HelpView.rows(layout), columns: 74)
    let height = rect.rows - 2
    let top = max(0, min(scroll, lines.count - height))
    let right =
      lines.count > height ? [Span("\(top + 1)-\(min(lines.count, top + height)) of \(lines.count)", .muted)] : []
    let inside = pane(rect, "Keys", right: right, hasKeys: true)
    for (row, line) in lines.dropFirst(top).prefix(height).enumerated() {
      canvas.draw(line, row: row, column: 1, in: inside.inset(right: 1))
    }
  }

  // MARK: What is found below a line

  /// A box with a line that is being typed and rows to choose from.
  private mutating func picker(
    _ title: String, _ mark: String, _ input: LineInput, _ rows: [[Span]], selected: Int, empty: String
  ) {
    let rect = place(rows: min(layout.body.rows, max(8, layout.body.rows * 2 / 3)), columns: 84)
    let inside = pane(rect, title, right: [Span("\(rows.count)", .muted)], hasKeys: true)
    drawLine(mark, input, in: inside)
    let list = inside.inset(top: 1)
    guard !rows.isEmpty else {
      canvas.draw(empty, row: 0, column: 3, in: list, style: .muted)
      return
    }
    let top = max(0, min(selected - list.rows / 2, rows.count - list.rows))
    for (line, row) in rows.indices.dropFirst(top).prefix(list.rows).enumerated() {
      if row == selected { canvas.draw(glyphs.pointer, row: line, column: 1, in: list, style: .focus) }
      canvas.draw(rows[row], row: line, column: 3, in: list.inset(right: 1))
      if row == selected { canvas.restyle(list.line(line)) { $0.selected } }
    }
  }

  /// A line that is being typed; of a long one its end.
  private mutating func drawLine(_ mark: String, _ input: LineInput, in inside: Rect) {
    canvas.draw(mark, row: 0, column: 1, in: inside, style: .key)
    var shown = drawable(input.text, glyphs: glyphs)
    while TextWidth.of(shown, glyphs: glyphs) > inside.columns - 5, !shown.isEmpty { shown.removeFirst() }
    let end = canvas.draw(shown, row: 0, column: 3, in: inside, style: .input)
    cursor = Point(row: inside.row, column: inside.column + end)
  }

  private mutating func drawPalette(_ palette: Palette) {
    let rows = palette.entries(model.paletteScopes).map { entry -> [Span] in
      let name = entry.action.rawValue
      return [
        Span(name + String(repeating: " ", count: max(1, 18 - name.count))), Span(entry.help, .muted),
        Span("  \(entry.keys)", .key),
      ]
    }
    picker("Command", ":", palette.input, rows, selected: palette.selected, empty: "no such command")
  }

  private mutating func drawSwitcher(_ switcher: Switcher) {
    let rows = switcher.hits.prefix(200).map { hit -> [Span] in
      [
        hit.title.map { Span(drawable($0, glyphs: glyphs, lineEnds: .joined)) } ?? Span("(untitled)", .muted),
        Span(
          "  \(Figures.short(hit.user)) / \(drawable(hit.sessionID ?? "(default)", glyphs: glyphs, lineEnds: .joined))",
          .muted),
      ]
    }
    let isBusy = model.isPending(.switcher)
    picker(
      "Switch thread", ">", switcher.input, rows, selected: switcher.selected,
      empty: isBusy ? "asking the store" : "no thread has such a title")
  }

  private mutating func drawFinder(_ finder: Finder) {
    let columns = min(84, layout.size.columns) - 6
    let titleColumns = columns / 4
    let rows = finder.hits.map { hit -> [Span] in
      let title = TextWidth.truncated(
        drawable(hit.title ?? "(untitled)", glyphs: glyphs, lineEnds: .joined), to: titleColumns, glyphs: glyphs)
      let blanks = titleColumns - TextWidth.of(title, glyphs: glyphs) + 2
      return [Span(title + String(repeating: " ", count: max(1, blanks)), .muted)]
        + Self.marked([Span(hit.snippet, MessageLayout.style(of: hit.message.role))], finder.needle)
    }
    let empty: String
    if let failure = finder.failure {
      empty = failure.message
    } else if finder.query == nil {
      empty = "words that must all be there; word* begins so"
    } else {
      empty = finder.isAnswered ? "no message has these words" : "asking the store"
    }
    let place = finder.scope == .all ? "every branch" : "the branches that are shown"
    picker("Search \(place)", "/", finder.input, rows, selected: finder.selected, empty: empty)
  }

  /// The name of a file, the formats that its end can name, and what went wrong.
  private mutating func drawExport(_ prompt: ExportPrompt) {
    let formats = ThreadExport.Format.allCases
    let inside = pane(
      place(rows: min(layout.body.rows, formats.count + 8), columns: 84), "Export",
      right: [Span("Tab", .key), Span(" next format", .muted)], hasKeys: true)
    drawLine(">", prompt.input, in: inside)
    let news: Span? =
      if let running = model.exporting?.export, running == prompt.export {
        Span("writing it; Esc closes this and lets it go on", .muted)
      } else {
        prompt.failure.map { Span($0.message, .alarm) }
      }
    var below = inside.inset(top: 2, left: 1, right: 1)
    // Where there is room for one of them only, the news is what is wanted.
    if news == nil || below.rows > formats.count + 1 {
      for (row, format) in formats.enumerated() {
        let isChosen = format == prompt.format
        if isChosen { canvas.draw(glyphs.pointer, row: row, column: 0, in: below, style: .focus) }
        canvas.draw([Span(".\(format.rawValue)", .key)], row: row, column: 2, in: below)
        canvas.draw([Span(format.help, isChosen ? .plain : .muted)], row: row, column: 10, in: below)
      }
      below = below.inset(top: formats.count + 1)
    }
    guard let news else { return }
    let lines = wrapped(news.text, width: max(10, below.columns - 2), maxLines: below.rows, glyphs: glyphs).lines
    for (row, line) in lines.enumerated() {
      canvas.draw([Span(line, news.style)], row: row, column: 2, in: below)
    }
  }

  /// The tree, where there is no room for it beside the path.
  private mutating func drawPicker(_ selected: Int) {
    guard let thread = model.thread else { return }
    let rows = thread.tree.rows
    let rect = place(rows: min(layout.body.rows, max(6, rows.count + 2)), columns: 64)
    let inside = pane(
      rect, "Branches (\(rows.count))", right: [Span("Enter", .key), Span(" shows", .muted)], hasKeys: true)
    let top = max(0, min(selected - inside.rows / 2, rows.count - inside.rows))
    for (line, row) in rows.indices.dropFirst(top).prefix(inside.rows).enumerated() {
      drawBranch(rows[row], thread, in: inside.line(line), hasPointer: row == selected)
    }
  }

  // MARK: Difference

  private mutating func drawDifference(_ difference: Difference) {
    guard let tree = model.thread?.tree else { return }
    let parent = tree[difference.parent].map(Self.name) ?? "parent"
    let own = tree[difference.branch].map(Self.name) ?? "branch"
    let inside = pane(
      layout.body, "Behind #\(difference.fork)", right: [Span("Esc", .key), Span(" closes", .muted)], hasKeys: true)
    if let failure = difference.failure { return say(failure, in: inside) }
    guard difference.isLoaded else { return say([[Span("loading both branches", .muted)]], in: inside) }
    let halves = inside.split(columns: [.flexible(), .fixed(1), .flexible()])
    canvas.draw(parent, row: 0, column: 1, in: halves[0].inset(right: 1), style: .heading, lineEnds: .joined)
    canvas.draw(own, row: 0, column: 1, in: halves[2].inset(right: 1), style: .heading, lineEnds: .joined)
    canvas.fill(halves[1], with: Character(glyphs.vertical), style: .border)
    var row = 1
    for pair in difference.rows.dropFirst(difference.scroll) where row < inside.rows {
      let left = lines(pair.parent, width: halves[0].columns - 2)
      let right = lines(pair.own, width: halves[2].columns - 2)
      for index in 0..<max(left.count, right.count) where row < inside.rows {
        if index < left.count { canvas.draw(left[index], row: row, column: 1, in: halves[0].inset(right: 1)) }
        if index < right.count { canvas.draw(right[index], row: row, column: 1, in: halves[2].inset(right: 1)) }
        row += 1
      }
    }
    if difference.rows.isEmpty {
      canvas.draw("Neither goes on behind the fork.", row: 1, column: 1, in: inside, style: .muted)
    }
  }

  private func lines(_ message: Message?, width: Int) -> [[Span]] {
    guard let message else { return [[Span("(nothing here)", .muted)]] }
    let head = [
      Span("#\(message.position) ", .muted), Span(message.role.rawValue, MessageLayout.style(of: message.role)),
      Span("  \(Figures.time(message.createdAt, at: model.now))", .muted),
    ]
    let text = wrapped(message.content, width: max(1, width), maxLines: 3, glyphs: glyphs)
    return [head]
      + text.lines.enumerated().map { index, line in
        text.isCut && index == text.lines.count - 1 ? [Span(line), Span(" \(glyphs.ellipsis)", .muted)] : [Span(line)]
      }
  }
}

/// The help: the key table, by scope.
enum HelpView {
  private static let titles: [(Scope, String)] = [
    (.lists, "Lists"), (.sorted, "Sessions and threads"), (.sessions, "Sessions"), (.events, "Events"),
    (.chat, "Your messages"), (.composer, "While writing"), (.thread, "Thread"), (.reading, "Reading"),
    (.operators, "Every view"), (.everywhere, "Everywhere"), (.always, "Also while typing"), (.health, "Health"),
    (.prompt, "While typing"), (.text, "Help and differences"),
  ]

  /// The keys of the view first, then everything else.
  static func lines(_ view: DashboardModel.View) -> [[Span]] {
    let own = DashboardModel.scopes(of: view)
    let foreign: [Scope] =
      view == .chat
      ? [.lists, .sorted, .sessions, .events, .reading, .operators, .health] : [.chat, .composer]
    let offered = titles.filter { !foreign.contains($0.0) }
    let ordered = offered.filter { own.contains($0.0) } + offered.filter { !own.contains($0.0) }
    return ordered.flatMap { scope, title -> [[Span]] in
      [[Span(title, .heading)]]
        + KeyTable.bindings.filter { $0.scope == scope }.map { binding in
          let keys = binding.keyText
          return [Span("  " + keys + String(repeating: " ", count: max(1, 16 - keys.count)), .key), Span(binding.help)]
        }
        + [[]]
    }
  }

  static func rows(_ layout: Layout) -> Int { min(layout.body.rows, lines(layout.view).count + 2) }
  /// Lines by which the help can scroll.
  static func height(_ layout: Layout) -> Int { max(0, lines(layout.view).count - (rows(layout) - 2)) }
}
