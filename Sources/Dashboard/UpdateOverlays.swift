import ConversationModel
import TerminalCanvas

extension DashboardModel {
  /// Keys while something stands on top of the view: first the table, then the line that is being typed.
  mutating func pressOverlay(_ key: Key) -> [DashboardEffect] {
    if let action = KeyTable.action(of: key, in: scopes) {
      switch action {
      case .quit, .suspend, .redraw: return perform(action)
      case .cancel: return cancel()
      case .choose: return choose()
      case .complete: return complete()
      default: return scrollOverlay(by: rows(action))
      }
    }
    return type(key)
  }

  private func rows(_ action: Action) -> Int {
    switch action {
    case .previous: -1
    case .next: 1
    case .pageUp: -10
    case .pageDown: 10
    case .first: -100_000
    case .last: 100_000
    default: 0
    }
  }

  mutating func scrollOverlay(by rows: Int) -> [DashboardEffect] {
    func moved(_ selected: Int, _ count: Int) -> Int { max(0, min(selected + rows, count - 1)) }
    switch overlay {
    case .help(let scroll): overlay = .help(scroll: moved(scroll, max(1, HelpView.height(layout) + 1)))
    case .difference(var difference):
      difference.scroll = moved(difference.scroll, difference.rows.count)
      overlay = .difference(difference)
    case .palette(var palette):
      palette.selected = moved(palette.selected, palette.entries(paletteScopes).count)
      overlay = .palette(palette)
    case .switcher(var switcher):
      switcher.selected = moved(switcher.selected, switcher.hits.count)
      overlay = .switcher(switcher)
    case .search(var finder):
      finder.selected = moved(finder.selected, finder.hits.count)
      let effect = searchOn(&finder)
      overlay = .search(finder)
      return effect
    case .branches(let selected): overlay = .branches(selected: moved(selected, thread?.tree.rows.count ?? 0))
    case .filter: return moveInList(rows < 0 ? (rows == -1 ? .previous : .pageUp) : (rows == 1 ? .next : .pageDown))
    case .find, .export, nil: break
    }
    return []
  }

  private mutating func cancel() -> [DashboardEffect] {
    let was = overlay
    overlay = nil
    if case .find = was { thread?.needle = "" }
    return was == .filter ? setFilter(LineInput()) : []
  }

  private mutating func choose() -> [DashboardEffect] {
    let was = overlay
    overlay = nil
    switch was {
    case .palette(let palette):
      let entries = palette.entries(paletteScopes)
      guard entries.indices.contains(palette.selected) else {
        say("There is no such command; ? lists them.")
        return []
      }
      return perform(entries[palette.selected].action)
    case .switcher(let switcher):
      guard switcher.hits.indices.contains(switcher.selected) else { return [] }
      let hit = switcher.hits[switcher.selected]
      return openThread(hit.id, title: hit.title, user: hit.user, sessionID: hit.sessionID)
    case .search(let finder): return open(finder)
    case .branches(let selected): return show(branchAt: selected)
    case .find(let input):
      thread?.needle = input.text
      return input.text.isEmpty ? [] : find(upwards: true, including: true)
    case .export(let prompt): return export(prompt)
    case .filter, .help, .difference, nil: return []
    }
  }

  private mutating func complete() -> [DashboardEffect] {
    if case .search(let finder) = overlay { return changeScope(finder) }
    if case .export(var prompt) = overlay {
      prompt.changeFormat()
      overlay = .export(prompt)
      return []
    }
    guard case .palette(var palette) = overlay else { return scrollOverlay(by: 1) }
    let entries = palette.entries(paletteScopes)
    guard entries.indices.contains(palette.selected) else { return [] }
    palette.input = LineInput(entries[palette.selected].action.rawValue)
    palette.selected = 0
    overlay = .palette(palette)
    return []
  }

  private mutating func type(_ key: Key) -> [DashboardEffect] {
    switch overlay {
    case .filter:
      var input = filterInput
      return input.take(key) ? setFilter(input) : []
    case .find(var input):
      guard input.take(key) else { return [] }
      overlay = .find(input)
      // The messages on the screen show at once what is found in them.
      thread?.needle = input.text
    case .palette(var palette):
      guard palette.input.take(key) else { return [] }
      palette.selected = 0
      overlay = .palette(palette)
    case .switcher(var switcher):
      guard switcher.input.take(key) else { return [] }
      switcher.selected = 0
      switcher.find()
      let effect = search(&switcher)
      overlay = .switcher(switcher)
      return [effect].compactMap { $0 }
    case .search(var finder):
      guard finder.input.take(key) else { return [] }
      return search(finder)
    case .export(var prompt):
      guard prompt.input.take(key) else { return [] }
      prompt.failure = nil
      overlay = .export(prompt)
    case .branches:
      // Nothing is typed here, so the letters of the lists move as well.
      if key == .character("j") { return scrollOverlay(by: 1) }
      if key == .character("k") { return scrollOverlay(by: -1) }
    case .help, .difference, nil: break
    }
    return []
  }

  /// The scopes whose actions the palette offers: those of the view below it.
  var paletteScopes: [Scope] { Self.scopes(of: view) + [.everywhere, .always] }

  // MARK: Switching threads

  mutating func openSwitcher() -> [DashboardEffect] {
    var switcher = Switcher()
    switcher.add(
      sessions.all.map { .init(id: $0.conversation, title: $0.title, user: $0.user, sessionID: $0.sessionID) })
    switcher.add(threads.rows.compactMap { $0 })
    let effect = search(&switcher)
    overlay = .switcher(switcher)
    return [effect].compactMap { $0 }
  }

  /// Asks the store too: most threads were never on the screen.
  mutating func search(_ switcher: inout Switcher) -> DashboardEffect? {
    guard isConnected else { return nil }
    guard !isPending(.switcher) else {
      switcher.isDirty = true
      return nil
    }
    switcher.isDirty = false
    let text = switcher.input.text
    return ask(
      .conversations(ConversationFilter(titlePart: text.isEmpty ? nil : text), cursor: nil, limit: 100), .switcher)
  }
}
