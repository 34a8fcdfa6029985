import ConversationModel

extension DashboardModel {
  /// Microseconds between two tries to hand something over.
  private static let patience: Int64 = 2_000_000

  /// When something may first be handed over: what becomes of it is heard by who is attached, so that is waited for, though
  /// not for long.
  private func firstTry(at place: Outgoing.Place) -> Int64 {
    guard let open = thread, place == .conversation(open.id), open.live != .attached else { return now.steady }
    return now.steady + Self.patience / 2
  }

  /// The open thread is followed now: what waited only for that goes.
  mutating func handOverAttached() -> [DashboardEffect] {
    guard let open = thread, let chat else { return [] }
    for (index, outgoing) in chat.outbox.enumerated() where outgoing.place == .conversation(open.id) {
      if outgoing.failure == nil, outgoing.nextTry != nil, !outgoing.isSaved {
        self.chat?.outbox[index].retry(at: now.steady)
      }
    }
    return handOver()
  }

  /// The name of a message or a session that nobody has used.
  mutating func newName() -> String {
    lastNumber += 1
    return "\(chat?.device ?? "")-\(lastNumber)"
  }

  /// Puts something into the outbox, and hands it over if nothing is in its way.
  mutating func enqueue(
    _ text: String, _ wish: Outgoing.Wish, at place: Outgoing.Place, branch: BranchNumber? = nil,
    clientID: String? = nil
  ) -> [DashboardEffect] {
    var name = clientID
    if let taken = chat?.takenBack, taken.text == text, taken.wish == wish, taken.place == place {
      name = taken.clientID
    }
    chat?.takenBack = nil
    chat?.isWarned = false
    let outgoing = Outgoing(
      place: place, branch: branch, wish: wish, text: text, clientID: name ?? newName(),
      state: .waiting(nextTry: firstTry(at: place)))
    chat?.outbox.append(outgoing)
    return handOver()
  }

  /// Hands over what is due: in each place the first, one at a time.
  mutating func handOver() -> [DashboardEffect] {
    guard isConnected, let chat, !isPending(.turn), !isPending(.open) else { return [] }
    if chat.isStarting, let session = chat.firstSession {
      return now.steady < chat.nextOpening ? [] : [ask(.open(chat.user, session: session), .open)]
    }
    guard let index = chat.candidates.first(where: { (chat.outbox[$0].nextTry ?? .max) <= now.steady }) else {
      return []
    }
    self.chat?.outbox[index].state = .asked
    return [handOver(chat.outbox[index], of: chat.user)]
  }

  private mutating func handOver(_ outgoing: Outgoing, of user: UserID) -> DashboardEffect {
    switch (outgoing.place, outgoing.wish) {
    case (.session(let name), _): return ask(.open(user, session: name), .open)
    case (.conversation(let id), .ask):
      if outgoing.savesNext { return ask(.append(outgoing.question, to: id, branch: outgoing.branch), .turn) }
      return ask(.turn(.ask(outgoing.question, parent: nil, branch: outgoing.branch), in: id), .turn)
    case (.conversation(let id), .askInsteadOf(let message)):
      return ask(.turn(.edit(message, outgoing.question), in: id), .turn)
    case (.conversation(let id), .regenerate(let message)):
      return ask(.turn(.regenerate(message, clientID: outgoing.clientID), in: id), .turn)
    case (.conversation, .revise(let message, let revision)):
      return ask(.revise(message, outgoing.text, ifRevision: revision), .turn)
    }
  }

  private var askedIndex: Int? { chat?.outbox.firstIndex { $0.state == .asked } }

  // MARK: Answers

  mutating func takeBegun(_ begun: BegunTurn) -> [DashboardEffect] {
    guard let index = askedIndex, let outgoing = chat?.outbox.remove(at: index) else { return [] }
    chat?.outbox.removeAll { $0.isSaved && $0.place == outgoing.place }
    var effects: [DashboardEffect] = []
    if let open = thread, outgoing.place == .conversation(open.id) {
      if outgoing.wish == .ask {
        // Who goes on with a branch wants to find it there again.
        if let branch = outgoing.branch, let active = open.conversation?.activeBranch, branch != active {
          effects.append(ask(.activate(branch, in: open.id), .activate))
        }
      } else if let branch = begun.receipt.branch?.number ?? begun.receipt.messages.first?.branch {
        effects += loadThread(.latest, branch: branch)
      }
    }
    if layout.hasThreadList { effects += loadThreads(from: nil) }
    return effects + handOver()
  }

  /// A message is changed, or a question is safe and still to be answered.
  mutating func takeWritten(_ receipt: Receipt) -> [DashboardEffect] {
    guard let index = askedIndex, let outgoing = chat?.outbox[index] else { return [] }
    guard outgoing.wish == .ask else {
      chat?.outbox.remove(at: index)
      return handOver()
    }
    chat?.outbox[index].isSaved = true
    chat?.outbox[index].savesNext = false
    chat?.outbox[index].failure = nil
    chat?.outbox[index].retry(at: now.steady + (receipt.durability == .stored ? 0 : Self.patience))
    // Its answer will see those before it; one in the middle of others is not asked for.
    chat?.outbox.removeAll { $0.isSaved && $0.place == outgoing.place && $0.clientID != outgoing.clientID }
    if let open = thread, outgoing.place == .conversation(open.id), receipt.durability == .spooled,
      outgoing.branch == nil || outgoing.branch == open.branch
    {
      for message in receipt.messages { thread?.window.wait(for: message) }
      settleThread()
    }
    return handOver()
  }

  mutating func takeOpened(_ conversation: Conversation) -> [DashboardEffect] {
    var opened = chat?.firstSession
    if let asked = askedIndex, case .session(let name)? = chat?.outbox[asked].place {
      opened = name
      for index in chat?.outbox.indices ?? 0..<0 where chat?.outbox[index].place == .session(name) {
        chat?.outbox[index].place = .conversation(conversation.id)
      }
      chat?.outbox[asked].retry(at: now.steady)
    }
    // Whoever has gone elsewhere meanwhile stays there.
    let isAwaited = thread == nil && (chat?.isStarting == true || opened == chat?.newSession)
    chat?.isStarting = false
    var effects: [DashboardEffect] = []
    if isAwaited {
      chat?.newSession = nil
      effects = show(
        conversation.id, title: conversation.title, user: conversation.userID, sessionID: conversation.sessionID)
      let place = Outgoing.Place.conversation(conversation.id)
      let due = firstTry(at: place)
      for index in chat?.outbox.indices ?? 0..<0 where chat?.outbox[index].place == place {
        chat?.outbox[index].retry(at: due)
      }
    }
    if layout.hasThreadList { effects += loadThreads(from: nil) }
    return effects + handOver()
  }

  mutating func failOpening(_ failure: Failure) {
    if let index = askedIndex {
      if failure.isOutage { wait(index, failure) } else { giveBack(index, failure) }
    } else if failure.isOutage {
      chat?.nextOpening = now.steady + Self.patience
      say(failure.message)
    } else {
      chat?.isStarting = false
      say(failure.message)
    }
  }

  mutating func failTurn(_ failure: Failure) {
    guard let index = askedIndex, let outgoing = chat?.outbox[index] else { return }
    if failure.isBusy {
      // Another device asks on this branch; this question comes behind its answer.
      chat?.outbox[index].failure = failure
      chat?.outbox[index].retry(at: now.steady + Self.patience / 4)
    } else if failure.isOutage {
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
    let isLost = !isConnected
    guard
      let index = chat?.outbox.lastIndex(where: {
        !$0.isSaved && $0.nextTry != nil && ($0.failure != nil || isLost)
      })
    else { return false }
    let outgoing = chat?.outbox[index]
    chat?.takenBack = outgoing
    giveBack(index, outgoing?.failure)
    return true
  }

  /// What a server refuses goes back to whoever wrote it, where it was written.
  private mutating func giveBack(_ index: Int, _ failure: Failure?) {
    guard let outgoing = chat?.outbox.remove(at: index) else { return }
    say(failure.map { "Not sent: \($0.message)" } ?? "Taken back: it was not sent.")
    guard !outgoing.text.isEmpty else { return }
    let open = thread?.id
    chat?.giveBack(outgoing.text, to: outgoing.place.conversation, open: open)
    settleThread()
  }
}
