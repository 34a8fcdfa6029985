public import ConversationModel
public import Logging
import StrictJSON
import Synchronization

/// Runs turns: takes a question and the place of its answer into the store in one change, asks the model with the latest
/// history, runs the tools that it wants, and writes the answer once.
///
/// What an answer says so far is kept as a draft every second. A turn goes on when whoever asked has left. A question
/// that comes again finds its answer: the model is never asked twice for one.
public final class Turns: Sendable {
  public struct Settings: Sendable {
    /// How to behave, for the model; nil for nothing.
    public var system: String?
    /// Messages of the path that the model is shown.
    public var window = 20
    /// How often the model may see results of tools before it has to answer.
    public var rounds = 5
    /// Seconds for a whole answer.
    public var seconds = 600
    /// Answers that are written at once; one more is refused.
    public var turns = 1_000
    /// Milliseconds between two drafts.
    public var draftMilliseconds = 1_000

    public init() {}
  }

  /// A turn that has begun, or had.
  public struct Begun: Sendable {
    public let turn: Turn
    /// Its question and its answer, as they were stored; only the answer where it was regenerated.
    public let receipt: Receipt

    /// Nil for a regenerated answer.
    public var question: Message? { receipt.messages.count > 1 ? receipt.messages.first : nil }
  }

  struct State {
    /// Those that are written now.
    var running: [MessageID: Turn] = [:]
    /// Conversations in which a turn begins now, and who waits to begin another.
    var gates: [ConversationID: [CheckedContinuation<Void, Never>]] = [:]
    /// Conversations in which a turn may have begun that nobody writes: the store did not say.
    var doubts: Set<ConversationID> = []
    var isStopped = false
  }

  let store: any Store
  private let model: any LanguageModel
  private let tools: [Tool]
  let settings: Settings
  private let logger: Logger
  private let announce: @Sendable (Turn, Turn.Event) -> Void
  let state = Mutex(State())
  private let jobs: AsyncStream<Job>
  let job: AsyncStream<Job>.Continuation

  enum Job: Sendable {
    case write(Writing)
    case settle(ConversationID, Principal)
  }

  struct Writing: Sendable {
    let turn: Turn
    let answer: Message
    let principal: Principal
  }

  /// - Parameter announce: Told of everything that happens to every answer, in its order. It must not wait.
  public init(
    store: any Store, model: any LanguageModel, tools: [Tool] = [], settings: Settings = Settings(), logger: Logger,
    announce: @escaping @Sendable (Turn, Turn.Event) -> Void = { _, _ in }
  ) {
    self.store = store
    self.model = model
    self.tools = tools
    self.settings = settings
    self.logger = logger
    self.announce = announce
    // Of each kind bounded by `settings.turns`.
    (jobs, job) = AsyncStream.makeStream()
  }

  /// What an operator calls the model.
  public var modelName: String { model.name }

  /// Writes answers until the task is cancelled; those under way then end as `incomplete`.
  public func run() async {
    await withDiscardingTaskGroup { group in
      for await job in jobs {
        switch job {
        case .write(let writing): group.addTask { await self.write(writing) }
        case .settle(let id, let principal): group.addTask { await self.settle(id, as: principal) }
        }
      }
      group.cancelAll()
    }
  }

  /// Ends every answer as it is, as `incomplete`, and takes no more questions. Never waits.
  public func stop() {
    let turns = state.withLock { state in
      state.isStopped = true
      return Array(state.running.values)
    }
    turns.forEach { $0.cancel() }
  }

  /// Ends an answer as it is, as `incomplete`. One that has ended stays as it is.
  ///
  /// - Throws: `.notFound` unless there is a message of this id that is the principal's.
  public func cancel(_ id: MessageID, as principal: Principal) async throws(ConversationError) {
    _ = try await store.message(id, as: principal)
    state.withLock { $0.running[id] }?.cancel()
  }

  /// The turn that writes a message now.
  public func running(_ id: MessageID) -> Turn? { state.withLock { $0.running[id] } }

  // MARK: Beginning

  /// Stores the question with the place of the answer, and begins to write that.
  ///
  /// - Throws: As `Store.apply`. `.conflict` with the id of the turn in `turn` if the branch has one already.
  public func begin(
    _ request: TurnRequest, in conversation: ConversationID, as principal: Principal
  ) async throws(ConversationError) -> Begun {
    await enter(conversation)
    defer { leave(conversation) }
    let (isStopped, isFull) = state.withLock { ($0.isStopped, $0.running.count >= settings.turns) }
    guard !isStopped else { throw ConversationError(.unavailable, "The server is stopping.") }
    guard !isFull else { throw ConversationError(.unavailable, "Too many answers are being written; try again soon.") }
    let receipt: Receipt
    do throws(ConversationError) {
      receipt = try await place(request, in: conversation, as: principal)
    } catch {
      if error.code == .unavailable { doubt(conversation, principal) }
      throw error
    }
    guard let answer = receipt.messages.last else {
      throw ConversationError(.internal, "The store gave no answer a place.")
    }
    if let turn = running(answer.id) { return Begun(turn: turn, receipt: receipt) }
    return Begun(turn: start(answer, version: receipt.version ?? 0, as: principal), receipt: receipt)
  }

  /// Writes an answer, unless it has ended.
  func start(_ answer: Message, version: Version, as principal: Principal) -> Turn {
    let turn = Turn(answer, version: version)
    if answer.status == .streaming {
      state.withLock { $0.running[turn.id] = turn }
      job.yield(.write(Writing(turn: turn, answer: answer, principal: principal)))
    }
    return turn
  }

  private func place(
    _ request: TurnRequest, in conversation: ConversationID, as principal: Principal
  ) async throws(ConversationError) -> Receipt {
    let metadata = Self.metadata(of: model, tools: [], error: nil)
    switch request {
    case .ask(let question, let parent, let branch):
      guard question.role == .user else {
        throw ConversationError(.invalid, "A question is the user's.", field: "role")
      }
      var append = Append(
        to: conversation, [question, .answer(metadata: metadata)], parent: parent, branch: branch)
      let busy = try await busyTurn(parent, branch, in: conversation, as: principal)
      if let busy {
        guard question.clientID != nil else { throw .busy(busy) }
        // Nothing goes behind the question of the turn that runs, but one that comes again is found first.
        append.parent = try await before(busy, as: principal)
        append.branch = nil
        append.onConflict = .reject
        do { return try await store.apply(.append(append), as: principal) } catch {
          guard error.code == .conflict, error.rule == nil else { throw error }
          throw .busy(busy)
        }
      }
      do throws(ConversationError) {
        return try await store.apply(.append(append), as: principal)
      } catch {
        guard error.code == .conflict, question.clientID != nil else { throw error }
        return try await placeAnswer(behind: question, in: conversation, metadata, as: principal)
      }
    case .edit(let id, let question):
      try await require(.user, id, in: conversation, as: principal)
      var edit = MakeBranch.edit(conversation, id, by: question)
      edit.answer = .answer(metadata: metadata)
      return try await store.apply(.makeBranch(edit), as: principal)
    case .regenerate(let id, let clientID):
      try await require(.assistant, id, in: conversation, as: principal)
      return try await store.apply(
        .makeBranch(
          MakeBranch(
            conversation: conversation, start: .inPlaceOf(id), origin: .regenerate,
            message: .answer(clientID: clientID, metadata: metadata), title: nil, isActivated: true)), as: principal)
    }
  }

  /// Takes the place of an answer behind a question that was stored without one, as when only the spool took it.
  ///
  /// - Throws: `.conflict` if the question was another, or something else follows it.
  private func placeAnswer(
    behind question: NewMessage, in conversation: ConversationID, _ metadata: JSONText, as principal: Principal
  ) async throws(ConversationError) -> Receipt {
    // Its name is known, so this only finds it.
    let kept = try await store.apply(.append(Append(to: conversation, [question])), as: principal).messages
    let answer = Append(
      to: conversation, [.answer(metadata: metadata)], parent: kept.last?.id, onConflict: .reject)
    var receipt = try await store.apply(.append(answer), as: principal)
    receipt.messages = kept + receipt.messages
    return receipt
  }

  /// The turn that is in the way of a question.
  private func busyTurn(
    _ parent: MessageID?, _ branch: BranchNumber?, in conversation: ConversationID, as principal: Principal
  ) async throws(ConversationError) -> Turn? {
    let turns = state.withLock { state in state.running.values.filter { $0.conversation == conversation } }
    guard !turns.isEmpty else { return nil }
    // Behind anything else a branch of its own begins, or goes on.
    if let parent { return turns.first { $0.id == parent } }
    let target: BranchNumber
    if let branch {
      target = branch
    } else {
      target = try await store.conversation(.id(conversation), as: principal).activeBranch
    }
    return turns.first { $0.branch == target }
  }

  /// The message in front of a turn's answer.
  private func before(_ turn: Turn, as principal: Principal) async throws(ConversationError) -> MessageID {
    let answer = try await store.message(turn.id, as: principal).message
    let page = try await store.messages(
      Path(.id(turn.conversation), branch: turn.branch),
      MessagePageRequest(limit: 1, .before(.position(answer.position))), as: principal)
    return page.messages.last?.id ?? turn.id
  }

  private func require(
    _ role: Message.Role, _ id: MessageID, in conversation: ConversationID, as principal: Principal
  ) async throws(ConversationError) {
    let message = try await store.message(id, as: principal).message
    guard message.conversationID == conversation else { throw .noMessage }
    guard message.role == role else {
      throw ConversationError(
        .conflict,
        role == .user ? "Only a user's message is asked again with another text." : "Only an answer is regenerated.")
    }
  }

  /// Turns of one conversation begin one after the other, so that a question that comes twice at once is one.
  func enter(_ id: ConversationID) async {
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        guard state.gates[id] != nil else {
          state.gates[id] = []
          return true
        }
        state.gates[id]!.append(continuation)
        return false
      }
      if isFree { continuation.resume() }
    }
  }

  func leave(_ id: ConversationID) {
    let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
      guard let waiting = state.gates[id], !waiting.isEmpty else {
        state.gates[id] = nil
        return nil
      }
      return state.gates[id]!.removeFirst()
    }
    next?.resume()
  }

  // MARK: Writing

  private enum Outcome: Sendable {
    case complete, cancelled
    case failed(ConversationError)
  }

  private func write(_ job: Writing) async {
    let turn = job.turn
    let outcome = await withTaskGroup(of: Outcome?.self) { group in
      group.addTask { await self.ask(job) }
      group.addTask {
        for await _ in turn.cancels { return .cancelled }
        return nil
      }
      group.addTask {
        await self.keepDrafts(job)
        return nil
      }
      group.addTask { [settings] in
        guard (try? await Task.sleep(for: .seconds(settings.seconds))) != nil else { return nil }
        return .failed(ConversationError(.unavailable, "The answer took more than \(settings.seconds) seconds."))
      }
      var outcome: Outcome?
      while outcome == nil, let next = await group.next() { outcome = next }
      group.cancelAll()
      return outcome ?? .cancelled
    }
    await end(job, outcome)
    state.withLock { _ = $0.running.removeValue(forKey: turn.id) }
  }

  /// Asks the model until it has said everything.
  private func ask(_ job: Writing) async -> Outcome {
    let turn = job.turn
    do {
      var request = try await request(for: job)
      let asker = Asker(store: store, principal: job.principal, answer: job.answer)
      for round in 0... {
        if round == settings.rounds { request.tools = [] }
        let (said, calls) = try await model.withAnswer(to: request) { answer in
          var said = ""
          var calls: [ToolCall] = []
          for try await event in answer {
            switch event {
            case .text(let text):
              said += text
              try self.say(text, in: turn)
            case .call(let call): calls.append(call)
            case .finish: break
            }
          }
          return (said, calls)
        }
        guard !calls.isEmpty, round < settings.rounds else { return .complete }
        var results: [ModelMessage] = []
        for call in calls {
          let result = await tools.result(of: call, for: asker)
          let use = ToolUse(
            name: call.name,
            arguments: call.arguments.map { JSONValue.object($0).canonicalText() }
              .map(JSONText.init(canonical:)), result: result.text, isError: result.isError)
          turn.used(use)
          announce(turn, .tool(use))
          results.append(.tool(result))
        }
        request.history += [.assistant(said, calls: calls)] + results
        if let last = said.unicodeScalars.last, !last.properties.isWhitespace { try say("\n\n", in: turn) }
      }
      return .complete
    } catch let error as ConversationError {
      return .failed(error)
    } catch let error as ModelError where error.code == .cancelled {
      return .cancelled
    } catch let error as ModelError {
      logger.warning("an answer failed", metadata: ["model": "\(model.name)", "reason": "\(error)"])
      return .failed(ConversationError(.unavailable, error.message))
    } catch {
      return .cancelled
    }
  }

  private func say(_ text: String, in turn: Turn) throws(ConversationError) {
    // Stores take no NUL, and a model has no business with one.
    let text = text.utf8.contains(0) ? String(text.unicodeScalars.filter { $0 != "\0" }) : text
    guard !text.isEmpty else { return }
    guard turn.text.utf8.count + text.utf8.count <= Limits.contentBytes else {
      throw ConversationError(.tooLarge, "The answer has more than \(Limits.contentBytes) bytes.")
    }
    let offset = turn.append(text)
    announce(turn, .delta(offset: offset, text: text))
  }

  /// The latest messages in front of the answer. Only what was said counts: tools are run anew.
  private func request(for job: Writing) async throws(ConversationError) -> ModelRequest {
    let page = try await store.messages(
      Path(.id(job.answer.conversationID), branch: job.answer.branch),
      MessagePageRequest(limit: settings.window, .before(.position(job.answer.position))), as: job.principal)
    var system = settings.system.map { [$0] } ?? []
    var history: [ModelMessage] = []
    for message in page.messages where message.status == .complete || message.status == .incomplete {
      switch message.role {
      case .user: history.append(.user(message.content))
      case .assistant: history.append(.assistant(message.content))
      case .system: system.append(message.content)
      case .tool: break
      }
    }
    return ModelRequest(
      system: system.isEmpty ? nil : system.joined(separator: "\n\n"), history: history, tools: tools)
  }

  private func keepDrafts(_ job: Writing) async {
    var kept = 0
    while (try? await Task.sleep(for: .milliseconds(settings.draftMilliseconds))) != nil {
      let text = job.turn.text
      guard text.utf8.count != kept else { continue }
      // A store that is down keeps none; the answer itself waits for it.
      if (try? await store.keepDraft(text, of: job.turn.id, as: job.principal)) != nil { kept = text.utf8.count }
    }
  }

  /// Writes the answer once. A store that is down is waited for: its draft is there if this server ends before.
  private func end(_ job: Writing, _ outcome: Outcome) async {
    let turn = job.turn
    var failure: ConversationError?
    if case .failed(let error) = outcome { failure = error }
    var ending = FinishAnswer.Ending.incomplete
    if case .complete = outcome { ending = .complete }
    let finish = FinishAnswer(
      turn.id, content: turn.text, metadata: Self.metadata(of: model, tools: turn.tools, error: failure),
      ending: ending)
    while true {
      do throws(ConversationError) {
        let receipt = try await store.apply(.finish(finish), as: job.principal)
        if let failure { report(failure, in: turn) }
        if let message = receipt.messages.first { return conclude(turn, message) }
        return
      } catch {
        if error.code == .unavailable, (try? await Task.sleep(for: .milliseconds(500))) != nil { continue }
        // Erased or deleted meanwhile, or this server ends.
        if error.code != .notFound, error.code != .gone {
          logger.error("an answer could not be stored", metadata: ["reason": "\(error.message)"])
        }
        report(failure ?? error, in: turn)
        var message = job.answer
        (message.content, message.status) = (finish.content, .incomplete)
        return conclude(turn, message)
      }
    }
  }

  private func report(_ error: ConversationError, in turn: Turn) {
    turn.fail(error)
    announce(turn, .failed(error))
  }

  private func conclude(_ turn: Turn, _ message: Message) {
    turn.end(message)
    announce(turn, .done(message))
  }
}

extension ConversationError {
  /// A branch has one turn at a time.
  fileprivate static func busy(_ turn: Turn) -> ConversationError {
    ConversationError(.conflict, "An answer is being written on this branch.", rule: .turnRuns(turn.id))
  }
}
