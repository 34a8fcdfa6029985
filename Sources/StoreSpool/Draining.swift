import ConversationModel
import StoreSQL
import StoreSQLite
import Synchronization

extension SpoolStore {
  /// Looks after the inner store, empties the spool into it, and writes down what is known, until the task is
  /// cancelled. Run it beside everything else; what is still in the spool then stays for the next start.
  public func run() async {
    await withDiscardingTaskGroup { group in
      group.addTask { await self.repeating(every: .milliseconds(Limits.probeMilliseconds / 2)) { self.giveUp() } }
      group.addTask { await self.repeating(every: self.rules.probe) { await self.look() } }
      group.addTask {
        await self.repeating(every: .milliseconds(Limits.knownMilliseconds)) { await self.writeDown() }
      }
      group.addTask { for await _ in self.drainSignals { await self.drainAll() } }
      for await opened in openedStores { group.addTask { await opened.run() } }
      group.cancelAll()
    }
    await writeDown()
  }

  private func repeating(every pause: Duration, _ body: () async -> Void) async {
    while !Task.isCancelled {
      await body()
      try? await Task.sleep(for: pause)
    }
  }

  /// Nobody waits for a store that does not answer: what it has not done in time counts as unknown.
  private func giveUp() {
    state.withLock { $0.opened }?.store.giveUp(olderThan: rules.command)
    file.driver.giveUp(olderThan: rules.command)
  }

  /// Whether the store is back.
  private func look() async {
    let (opened, isDown, hasWork) = state.withLock { state in
      (state.opened, state.outage != nil || state.isUnreadable, !state.backlog.isEmpty || state.isUnsure)
    }
    guard let opened else {
      do { try await openStore() } catch {
        let reason = (error as? ConversationError)?.message ?? "It cannot be opened."
        state.withLock { $0.outage = reason }
      }
      return
    }
    if isDown {
      do {
        try await opened.store.probe()
        recovered()
      } catch {
        state.withLock { if $0.outage != nil { $0.outage = error.message } }
      }
    }
    if hasWork { drain() }
    if !state.withLock({ $0.unpurged.isEmpty }) { await purge() }
  }

  /// Writes down what is known: behind every call, in one commit.
  func writeDown() async {
    guard writingDown.begin() else { return }
    defer { writingDown.end() }
    while known.withLock({ $0.hasChanges }) {
      let (rows, dropped) = known.withLock { $0.takeChanges(limit: 1_000) }
      // What is lost here is known again when it is touched next.
      do { try await file.keep(known: rows, dropping: dropped) } catch { return }
    }
  }

  // MARK: Emptying the spool

  /// Hands the store everything that waits, oldest first, until nothing does or the store fails.
  private func drainAll() async {
    var after = 0
    var isHeldUp = false
    defer { state.withLock { $0.backlog.endFinishing() }.forEach { $0.resume() } }
    let wasUnsure = state.withLock { state in
      defer { state.isUnsure = false }
      return state.isUnsure
    }
    // Behind this write, whatever was handed to the file before is in it or never will be.
    if wasUnsure, (try? await file.driver.write { _ in }) == nil {
      return state.withLock { $0.isUnsure = true }
    }
    while !Task.isCancelled {
      let (store, generations) = state.withLock { state in
        (state.outage == nil ? state.opened?.store : nil, state.backlog.generations)
      }
      guard let store else { return }
      let batch: [SpoolFile.Waiting]
      do { batch = try await file.waiting(after: after) } catch { return state.withLock { $0.isStuck = true } }
      guard let last = batch.last else {
        if after == 0 {
          let waiters = state.withLock { state in
            state.isStuck = false
            return state.backlog.wasEmpty(generations)
          }
          waiters.forEach { $0.resume() }
          return
        }
        // Once more from the start, unless something there has to wait for another time.
        if isHeldUp { return }
        after = 0
        continue
      }
      after = last.sequence
      if let oldest = batch.first?.record?.createdAt { state.withLock { $0.backlog.isOldest(oldest) } }
      let outcome = await hand(batch, to: store)
      isHeldUp = isHeldUp || outcome == .heldUp
      if outcome == .failed { return }
    }
  }

  private enum Outcome {
    case done
    /// Some records stay for now.
    case heldUp
    /// The store or the spool does not answer.
    case failed
  }

  /// Hands over one batch, conversations side by side and each in its order, and takes out what the store has.
  private func hand(_ batch: [SpoolFile.Waiting], to store: any ReplayableStore) async -> Outcome {
    let lines = state.withLock { state in
      let lines = Dictionary(grouping: batch) { waiting in
        waiting.conversation.map { state.aliases.resolve($0) } ?? ConversationID(high: 0, low: 0)
      }
      for (id, waiting) in lines { state.backlog.finish(id, records: waiting.count) }
      return lines
    }
    let results = await withTaskGroup(of: LineResult.self) { group in
      for (id, waiting) in lines { group.addTask { await self.hand(waiting, of: id, to: store) } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    let (done, dead) = (results.flatMap(\.done), results.flatMap(\.dead))
    if !done.isEmpty || !dead.isEmpty {
      do {
        try await file.settle(
          done: done.map(\.sequence), dead: dead.map(\.death), aliases: results.flatMap(\.aliases),
          at: environment.now())
      } catch {
        // They are handed over again, and found.
        state.withLock { $0.isStuck = true }
        return .failed
      }
      state.withLock { $0.isStuck = false }
      settled(done, dead, results)
    }
    return results.contains { $0.hasFailed } ? .failed : results.contains { $0.isHeldUp } ? .heldUp : .done
  }

  private func settled(
    _ done: [SpoolFile.Waiting], _ dead: [(waiting: SpoolFile.Waiting, death: SpoolFile.Death)], _ results: [LineResult]
  ) {
    let (waiters, listeners) = state.withLock { state in
      state.drained += done.count
      state.deadLetters += dead.count
      var waiters: [CheckedContinuation<Void, Never>] = []
      for waiting in done + dead.map(\.waiting) {
        guard let id = waiting.conversation else { continue }
        waiters += state.backlog.remove(1, bytes: waiting.bytes, of: state.aliases.resolve(id))
      }
      return (waiters, state.listeners)
    }
    for stored in results.flatMap(\.stored) { listeners.forEach { $0(stored) } }
    waiters.forEach { $0.resume() }
  }

  /// What became of the records of one conversation.
  private struct LineResult: Sendable {
    var done: [SpoolFile.Waiting] = []
    var dead: [(waiting: SpoolFile.Waiting, death: SpoolFile.Death)] = []
    var aliases: [SpoolFile.Alias] = []
    var stored: [StoredMessage] = []
    var hasFailed = false
    var isHeldUp = false
  }

  private func hand(
    _ line: [SpoolFile.Waiting], of id: ConversationID, to store: any ReplayableStore
  ) async -> LineResult {
    var result = LineResult()
    func bury(_ waiting: SpoolFile.Waiting, _ code: String, _ reason: String) {
      result.dead.append((waiting, SpoolFile.Death(sequence: waiting.sequence, code: code, reason: reason)))
    }
    var rest = line[...]
    while let waiting = rest.first {
      guard waiting.record != nil else {
        rest = rest.dropFirst()
        bury(waiting, "damaged", "The record cannot be read any more.")
        continue
      }
      let (run, outcomes) = await apply(rest, to: store)
      rest = rest.dropFirst(run.count)
      for ((waiting, record), outcome) in zip(run, outcomes) {
        let error: ConversationError
        switch outcome {
        case .success(let receipt):
          take(record, receipt, into: &result)
          result.done.append(waiting)
          continue
        case .failure(let failure): error = failure
        }
        switch error.code {
        case .unavailable:
          if error.isOutage { failed(error, writing: true) }
          (result.hasFailed, result.isHeldUp) = (error.isOutage, true)
          return result
        case .internal where tries(waiting.sequence) < Limits.drainTries:
          result.isHeldUp = true
          return result
        default:
          // What was never made is not known any more.
          known.withLock { if $0[record.conversation]?.isFresh ?? false { $0.forget(record.conversation) } }
          bury(waiting, error.code.rawValue, error.message)
        }
      }
    }
    return result
  }

  /// Hands over what can go together: an opening alone, because it may change the conversation's id, and appends
  /// up to the next opening.
  private func apply(
    _ line: ArraySlice<SpoolFile.Waiting>, to store: any ReplayableStore
  ) async -> (run: [(SpoolFile.Waiting, SpoolRecord)], outcomes: [Result<Receipt, ConversationError>]) {
    var run: [(SpoolFile.Waiting, SpoolRecord)] = []
    var appends: [(append: Append, preset: Preset)] = []
    let aliases = state.withLock { $0.aliases }
    for waiting in line {
      guard let record = waiting.record else { break }
      guard case .append(let append, _) = record.content else {
        guard run.isEmpty else { break }
        do throws(ConversationError) {
          let receipt = try await store.apply(record.command, preset: record.preset, as: .user(record.user))
          return ([(waiting, record)], [.success(receipt)])
        } catch {
          return ([(waiting, record)], [.failure(error)])
        }
      }
      run.append((waiting, record))
      appends.append((aliases.resolve(append), record.preset))
    }
    guard let owner = run.first?.1.user else { return ([], []) }
    return (run, await store.append(inOrder: appends, as: .user(owner)))
  }

  /// The store has a record: ids that it calls otherwise are kept, and those who listen are told.
  private func take(_ record: SpoolRecord, _ receipt: Receipt, into result: inout LineResult) {
    switch record.content {
    case .open:
      guard let conversation = receipt.conversation else { return }
      let (fresh, real) = (record.conversation, conversation.id)
      if fresh != real {
        result.aliases.append(.init(fresh: .init(fresh), real: .init(real), conversation: real))
        state.withLock { state in
          state.aliases.add(.init(fresh), for: .init(real))
          state.backlog.rename(fresh, to: real)
        }
      }
      known.withLock { known in
        if fresh != real { known.forget(fresh) }
        known.note(conversation)
      }
    case .append(_, let ids):
      guard let first = receipt.messages.first else { return }
      let conversation = first.conversationID
      known.withLock { $0.note(receipt.messages, of: record.user, version: receipt.version) }
      for (id, message) in zip(ids, receipt.messages) {
        if id != message.id {
          result.aliases.append(.init(fresh: .init(id), real: .init(message.id), conversation: conversation))
          state.withLock { $0.aliases.add(.init(id), for: .init(message.id)) }
        }
        result.stored.append(
          StoredMessage(
            conversation: conversation, spooledConversation: record.conversation, message: message, spooledID: id,
            version: receipt.version ?? 0))
      }
    }
  }

  /// Counts how often a record made the store fail.
  private func tries(_ sequence: Int) -> Int {
    state.withLock { state in
      if state.tries.count > Limits.drainRecords { state.tries = [:] }
      state.tries[sequence, default: 0] += 1
      return state.tries[sequence]!
    }
  }
}
