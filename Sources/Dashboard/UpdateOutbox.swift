import ConversationModel

extension DashboardModel {
  /// Microseconds between two tries to hand something over.
  private static let patience: Int64 = 2_000_000

  /// The name of a message or a session that nobody has used.
  mutating func newName() -> String {
    lastNumber += 1
    return "\(chat?.device ?? "")-\(lastNumber)"
  }

  /// Puts something into the outbox, and hands it over if nothing is in its way.
  mutating func enqueue(_ text: String, _ wish: Outgoing.Wish, at place: Outgoing.Place, clientID: String? = nil)
    -> [DashboardEffect]
  {
    let outgoing = Outgoing(
      place: place, wish: wish, text: text, clientID: clientID ?? newName(), state: .waiting(nextTry: now.steady))
    chat?.outbox.append(outgoing)
    return handOver()
  }

  /// Hands over what is due: in each place the first, one at a time.
  mutating func handOver() -> [DashboardEffect] {
    guard isConnected, let chat, !isPending(.turn), !isPending(.open) else { return [] }
    var taken: Set<Outgoing.Place> = []
    for (index, outgoing) in chat.outbox.enumerated() {
      // A question that is saved does not hold those behind it up: they are saved as well.
      let isFirst = taken.contains(outgoing.place) == false
      if !outgoing.isSaved { taken.insert(outgoing.place) }
      guard isFirst, let due = outgoing.nextTry, due <= now.steady else { continue }
      self.chat?.outbox[index].state = .asked
      return [handOver(outgoing)]
    }
    return []
  }

  private mutating func handOver(_ outgoing: Outgoing) -> DashboardEffect {
    switch (outgoing.place, outgoing.wish) {
    case (.session(let name), _): return ask(.open(chat?.user ?? UserID(high: 0, low: 0), session: name), .open)
    case (.conversation(let id, let branch), .ask):
      if outgoing.savesNext { return ask(.append(outgoing.question, to: id, branch: branch), .turn) }
      return ask(.turn(.ask(outgoing.question, parent: nil, branch: branch), in: id), .turn)
    case (.conversation(let id, _), .askInsteadOf(let message)):
      return ask(.turn(.edit(message, outgoing.question), in: id), .turn)
    case (.conversation(let id, _), .regenerate(let message)):
      return ask(.turn(.regenerate(message, clientID: outgoing.clientID), in: id), .turn)
    }
  }

  private var askedIndex: Int? { chat?.outbox.firstIndex { $0.state == .asked } }

  // MARK: Answers

  mutating func takeBegun(_ begun: BegunTurn) -> [DashboardEffect] {
    guard let index = askedIndex, let outgoing = chat?.outbox.remove(at: index) else { return [] }
    chat?.outbox.removeAll { $0.isSaved && $0.place == outgoing.place }
    var effects: [DashboardEffect] = []
    if case .conversation(let id, let branch) = outgoing.place, id == thread?.id {
      switch outgoing.wish {
      case .ask:
        // Who goes on with a branch wants to find it there again.
        if let branch, let active = thread?.conversation?.activeBranch, branch != active {
          effects.append(ask(.activate(branch, in: id), .activate))
        }
      case .askInsteadOf, .regenerate:
        if let branch = begun.receipt.branch?.number ?? begun.receipt.messages.first?.branch {
          effects += loadThread(.latest, branch: branch)
        }
      }
    }
    if layout.hasThreadList { effects += loadThreads(from: nil) }
    return effects + handOver()
  }

  /// A question is safe, and is still to be answered.
  mutating func takeSaved(_ receipt: Receipt) -> [DashboardEffect] {
    guard let index = askedIndex, let outgoing = chat?.outbox[index] else { return [] }
    chat?.outbox[index].isSaved = true
    chat?.outbox[index].savesNext = false
    chat?.outbox[index].retry(at: now.steady + (receipt.durability == .stored ? 0 : Self.patience))
    // Its answer will see those before it; one in the middle of others is not asked for.
    chat?.outbox.removeAll { $0.isSaved && $0.place == outgoing.place && $0.clientID != outgoing.clientID }
    if case .conversation(let id, let branch) = outgoing.place, let open = thread, id == open.id,
      receipt.durability == .spooled, branch == nil || branch == open.branch
    {
      for message in receipt.messages { thread?.window.wait(for: message) }
      settleThread()
    }
    return handOver()
  }

  mutating func takeOpened(_ conversation: Conversation) -> [DashboardEffect] {
    chat?.isStarting = false
    if let asked = askedIndex, case .session(let name)? = chat?.outbox[asked].place {
      for index in chat?.outbox.indices ?? 0..<0 where chat?.outbox[index].place == .session(name) {
        chat?.outbox[index].place = .conversation(conversation.id, nil)
      }
      chat?.outbox[asked].retry(at: now.steady)
      if thread != nil { return handOver() }
    }
    var effects = openThread(
      conversation.id, title: conversation.title, user: conversation.userID, sessionID: conversation.sessionID)
    if layout.hasThreadList { effects += loadThreads(from: nil) }
    return effects + handOver()
  }

  mutating func failOpening(_ failure: Failure) {
    guard let index = askedIndex else {
      chat?.isStarting = false
      return say(failure.message)
    }
    if failure.isOutage { wait(index, failure) } else { giveBack(index, failure) }
  }

  mutating func failTurn(_ failure: Failure) {
    guard let index = askedIndex, let outgoing = chat?.outbox[index] else { return }
    if failure.isOutage {
      // Without a store nobody can answer, but what was said can be kept.
      if outgoing.wish == .ask, !outgoing.isSaved, !outgoing.savesNext, failure != .noAnswer {
        chat?.outbox[index].savesNext = true
        chat?.outbox[index].retry(at: now.steady)
      } else {
        chat?.outbox[index].savesNext = false
        wait(index, failure)
      }
    } else if outgoing.isSaved {
      // It is kept; others have gone on behind it.
      chat?.outbox.remove(at: index)
      say(failure.message)
    } else {
      giveBack(index, failure)
    }
  }

  private mutating func wait(_ index: Int, _ failure: Failure) {
    chat?.outbox[index].failure = failure
    chat?.outbox[index].retry(at: now.steady + Self.patience)
  }

  /// Takes back what could not be handed over yet.
  ///
  /// - Returns: Whether there was something.
  mutating func takeBack() -> Bool {
    guard let index = chat?.outbox.lastIndex(where: { !$0.isSaved && $0.failure != nil && $0.nextTry != nil }),
      let failure = chat?.outbox[index].failure
    else { return false }
    giveBack(index, failure)
    return true
  }

  /// What a server refuses goes back to whoever wrote it.
  private mutating func giveBack(_ index: Int, _ failure: Failure) {
    guard let outgoing = chat?.outbox.remove(at: index) else { return }
    say("Not sent: \(failure.message)")
    chat?.focus = .composer
    guard !outgoing.text.isEmpty, let chat else { return }
    let rest = chat.composer.text
    self.chat?.composer.replace(by: rest.isEmpty ? outgoing.text : outgoing.text + "\n" + rest)
  }
}
