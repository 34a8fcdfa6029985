import ConversationModel
import TerminalCanvas

extension DashboardModel {
  /// The answer that is being written at the end of the open path.
  var streamingAnswer: Message? {
    guard let open = thread, !open.hasNewer, let last = open.window.messages.last, last.status == .streaming else {
      return nil
    }
    return last
  }

  /// Whether messages are kept in the spool now, as far as is known here.
  var isKeptInSpool: Bool {
    guard let chat else { return false }
    return chat.outbox.contains { $0.isSaved } || thread?.isDegraded == true || thread?.window.waiting.isEmpty == false
  }

  // MARK: The first thread

  mutating func take(_ health: StoreHealth) -> [DashboardEffect] {
    if let refusal = health.refusal { return lose(Failure(code: "unavailable", refusal)) }
    chat?.health = health
    statusAt = now.steady
    return isConnected ? [] : connect()
  }

  /// Reads the list, and the open thread again.
  mutating func refreshChat() -> [DashboardEffect] {
    var effects = isPending(.threads) ? [] : loadThreads(from: nil)
    if let thread { effects += thread.isLoaded && thread.failure == nil ? reattach() : loadThread(.latest) }
    return effects + handOver()
  }

  /// Keeps the open thread selected in the list; the first list decides which one that is.
  mutating func takeThreadList() -> [DashboardEffect] {
    guard let chat else { return [] }
    var effects: [DashboardEffect] = []
    if chat.isStarting, chat.firstSession == nil {
      self.chat?.isStarting = false
      if let latest = threads.rows.first.flatMap({ $0 }), thread == nil {
        effects = show(latest.id, title: latest.title, user: latest.userID, sessionID: latest.sessionID)
      }
    }
    selectOpenThread()
    return effects
  }

  mutating func selectOpenThread() {
    guard let id = thread?.id, let row = threads.rows.firstIndex(where: { $0?.id == id }) else { return }
    threads.cursor.select(row, count: threads.rows.count, height: layout.listHeight(.threads))
  }

  // MARK: Keys

  /// - Returns: Nil for what is done here as everywhere.
  mutating func performInChat(_ action: Action) -> [DashboardEffect]? {
    switch action {
    case .compose: chat?.focus = .composer
    case .nextPane:
      let isWriting = chat?.focus == .composer
      chat?.focus = isWriting ? .path : .composer
    case .send: return send()
    case .newLine: return compose(.alt("\n"))
    case .leave: return leaveInChat()
    case .revise, .ask: beginEdit(action)
    case .regenerate: return regenerate()
    case .previousSibling: return stepSibling(by: -1)
    case .nextSibling: return stepSibling(by: 1)
    case .newSession: return beginSession()
    case .previousThread: return stepThread(by: -1)
    case .nextThread: return stepThread(by: 1)
    case .quit: return quitWarned()
    default: return nil
    }
    return []
  }

  /// Nobody loses what is not sent without having been told.
  private mutating func quitWarned() -> [DashboardEffect]? {
    guard let count = chat?.unsent.count, count > 0, chat?.isWarned == false else { return nil }
    chat?.isWarned = true
    let what = count == 1 ? "A message is" : "\(count) messages are"
    say("\(what) not sent yet: once more quits, and drops what is not sent.")
    return []
  }

  /// Esc: first an answer that is being written, then the edit, then the composer, then what was looked for.
  private mutating func leaveInChat() -> [DashboardEffect]? {
    guard let chat else { return nil }
    if thread?.isBare == true { return nil }
    if isConnected, let answer = streamingAnswer {
      say("Stopping the answer.")
      return [ask(.cancel(turn: answer.id, in: answer.conversationID), .cancel)]
    }
    if chat.focus == .composer, chat.purpose != .say {
      endEdit()
      return []
    }
    if takeBack() { return [] }
    guard chat.focus == .composer else { return nil }
    self.chat?.focus = .path
    return []
  }

  /// A key that has no name is written, or begins to be.
  mutating func compose(_ key: Key) -> [DashboardEffect] {
    guard var composer = chat?.composer else { return [] }
    if chat?.focus == .path {
      // What was pasted is no sequence of commands.
      guard case .paste = key else { return [] }
      chat?.focus = .composer
    }
    notice = nil
    guard composer.take(key) else { return [] }
    if composer.isFull { say("A message holds \(Figures.bytes(Limits.contentBytes)); the rest was left out.") }
    let grew = composer.lines.count != chat?.composer.lines.count
    chat?.composer = composer
    if grew { settleThread() }
    return tellTyping(!composer.isEmpty)
  }

  /// At most every few seconds: the others forget it by themselves.
  private mutating func tellTyping(_ isTyping: Bool) -> [DashboardEffect] {
    guard let until = chat?.isTypingUntil, isTyping ? now.steady >= until : until > now.steady else { return [] }
    chat?.isTypingUntil = isTyping ? now.steady + 3_000_000 : 0
    return thread?.live == .attached ? [.typing(isTyping)] : []
  }

  // MARK: Sending

  private mutating func send() -> [DashboardEffect] {
    guard let chat else { return [] }
    let text = chat.composer.text
    guard text.contains(where: { !$0.isWhitespace }) else {
      say("There is nothing to send yet.")
      return []
    }
    var effects = tellTyping(false)
    switch chat.purpose {
    case .say:
      if isConnected, streamingAnswer != nil {
        say("An answer is being written: Esc stops it, or wait for its end.")
        return effects
      }
      guard let place = placeOfWords() else {
        say("Your threads are not there yet: a moment.")
        return effects
      }
      setText("")
      effects += follow() + enqueue(text, .ask, at: place, branch: thread?.branch)
    case .revise(let message):
      endEdit()
      effects += enqueue(
        text, .revise(message.id, ifRevision: message.revision), at: .conversation(message.conversationID))
    case .ask(let message):
      endEdit()
      effects += follow()
      effects += enqueue(text, .askInsteadOf(message.id), at: .conversation(message.conversationID))
    }
    return effects
  }

  /// Where words go now; nil while it is not decided which thread is shown first.
  private mutating func placeOfWords() -> Outgoing.Place? {
    guard let chat else { return nil }
    if let thread { return .conversation(thread.id) }
    if chat.isStarting { return chat.firstSession.map { .session($0) } }
    // All that is said before the session is made goes into one.
    let name = chat.newSession ?? newName()
    self.chat?.newSession = name
    return .session(name)
  }

  mutating func arrangeComposer() {
    let columns = layout.composerColumns
    chat?.composer.arrange(width: columns)
  }

  private mutating func setText(_ text: String) {
    chat?.composer.replace(by: text)
    settleThread()
  }

  // MARK: Editing

  private mutating func beginEdit(_ action: Action) {
    guard let message = thread?.selectedMessage, let chat else { return say("There is no message to edit.") }
    guard message.durability == .stored, message.status == .complete || message.status == .incomplete else {
      return say(message.status == .deleted ? "A deleted message is not edited." : "It is not in the store yet.")
    }
    guard action == .revise || message.role == .user else {
      return say("Only your own messages are asked again; r writes another answer.")
    }
    if chat.purpose == .say { self.chat?.setAside = chat.composer.text }
    self.chat?.purpose = action == .revise ? .revise(message) : .ask(insteadOf: message)
    self.chat?.focus = .composer
    setText(message.content)
  }

  /// Brings back what was being written before.
  mutating func endEdit() {
    guard let text = chat?.setAside, chat?.purpose != .say else { return }
    chat?.purpose = .say
    chat?.setAside = ""
    setText(text)
  }

  private mutating func regenerate() -> [DashboardEffect] {
    if !isConnected || thread?.failure != nil || (thread == nil && threads.failure != nil) { return retry() }
    guard let open = thread, var message = open.selectedMessage else { return [] }
    if message.role == .user {
      guard let next = open.window[message.position + 1] else { return answer(message) }
      message = next
    }
    guard message.role == .assistant, message.durability == .stored else {
      say("Only an answer is written anew.")
      return []
    }
    guard message.status != .streaming else {
      say("It is being written: Esc stops it.")
      return []
    }
    guard chat?.outbox.contains(where: { $0.wish == .regenerate(message.id) }) == false else { return [] }
    return follow() + enqueue("", .regenerate(message.id), at: .conversation(open.id))
  }

  /// A question that was kept while nobody could answer it is asked under its own name.
  private mutating func answer(_ question: Message) -> [DashboardEffect] {
    guard let name = question.clientID, question.durability == .stored else {
      say("It has no answer yet: E asks it again.")
      return []
    }
    return follow()
      + enqueue(
        question.content, .ask, at: .conversation(question.conversationID), branch: thread?.branch, clientID: name)
  }

  // MARK: Siblings and threads

  private mutating func stepSibling(by step: Int) -> [DashboardEffect] {
    guard let open = thread, let branch = open.branch else { return [] }
    let siblings = open.tree.siblings(at: open.selected, on: branch)
    let owner = open.tree.owner(of: open.selected, on: branch)
    guard siblings.count > 1, let index = siblings.firstIndex(of: owner) else {
      say("This message has no sibling: E and r make one.")
      return []
    }
    thread?.isFollowing = false
    let next = siblings[(index + step + siblings.count) % siblings.count]
    return loadThread(.around(.position(open.selected)), branch: next)
  }

  private mutating func stepThread(by step: Int) -> [DashboardEffect] {
    guard !threads.rows.isEmpty else { return [] }
    let row = thread == nil ? (step > 0 ? 0 : threads.rows.count - 1) : threads.cursor.selected + step
    return openThread(inRow: row)
  }

  private mutating func openThread(inRow row: Int) -> [DashboardEffect] {
    guard threads.rows.indices.contains(row), let hit = threads.rows[row] else { return [] }
    let effects = openThread(hit.id, title: hit.title, user: hit.userID, sessionID: hit.sessionID)
    selectOpenThread()
    return effects + loadMissingThreads()
  }

  private mutating func beginSession() -> [DashboardEffect] {
    chat?.isStarting = false
    chat?.newSession = nil
    chat?.changeThread(from: thread?.id, to: nil)
    let effects = detach()
    for slot in [Request.Slot.page, .end, .branches, .detail, .difference] { requests[slot] = nil }
    thread = nil
    chat?.focus = .composer
    chat?.presence = .init(connections: [], typing: [])
    return effects
  }

  // MARK: Mouse

  mutating func clickInChat(_ point: Point) -> [DashboardEffect] {
    if layout.threadList.interior.contains(point) {
      return openThread(inRow: threads.cursor.top + point.row - layout.listTop)
    }
    guard layout.pathFrame.contains(point) else {
      if layout.composer.contains(point) { chat?.focus = .composer }
      return []
    }
    chat?.focus = .path
    return clickPath(point)
  }
}
