import Assistant
import ConversationModel
import Foundation
import Logging
import StoreSQLite
import StrictJSON
import Synchronization
import Testing

@testable import StoreSQL

/// A model that does what its script says, and keeps what it was asked.
private final class ScriptedModel: LanguageModel {
  enum Act {
    case say(String)
    case call(String)
    /// Says nothing more until it is cancelled.
    case hang
  }

  let name = "scripted"
  private let state: Mutex<(acts: [[Act]], requests: [ModelRequest])>

  init(_ acts: [[Act]]) {
    state = Mutex((acts, []))
  }

  var requests: [ModelRequest] { state.withLock { $0.requests } }

  func withAnswer<Value>(
    to request: ModelRequest, _ body: (ModelAnswer) async throws -> Value
  ) async throws -> Value {
    let acts = state.withLock { state in
      state.requests.append(request)
      return state.acts.count > 1 ? state.acts.removeFirst() : state.acts.first ?? []
    }
    // The echo makes real answers of these texts.
    let command =
      switch acts.first {
      case .say(let text): text
      case .call(let tool): "/tool \(tool)"
      case .hang, nil: "/slow 60000 a b c"
      }
    return try await EchoModel(.init(delay: 0)).withAnswer(to: ModelRequest(history: [.user(command)]), body)
  }
}

@Suite struct TurnsTests {
  /// A store, a conversation in it and turns with a model; whatever is left of answers ends with the body.
  private func withTurns(
    _ model: any LanguageModel, tools: [Tool] = [], settings: Turns.Settings = .init(),
    _ body: (Turns, SQLStore<SQLiteDriver>, Conversation) async throws -> Void
  ) async throws {
    let directory = NSTemporaryDirectory() + "parley-turns-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let driver = try SQLiteDriver(path: directory + "/parley.sqlite")
    defer { driver.close() }
    let store = SQLStore(driver)
    try await store.migrate()
    let open = OpenConversation(user: UserID(high: 7, low: 7), session: .default)
    let conversation = try #require(try await store.apply(.open(open), as: .service).conversation)
    let turns = Turns(
      store: store, model: model, tools: tools, settings: settings,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await turns.run() }
      try await body(turns, store, conversation)
      group.cancelAll()
    }
  }

  private func ask(
    _ text: String, of turns: Turns, in conversation: Conversation, clientID: String? = nil
  ) async throws -> (events: [Turn.Event], reply: Message) {
    let begun = try await turns.begin(
      .ask(NewMessage(role: .user, content: text, clientID: clientID), parent: nil, branch: nil),
      in: conversation.id, as: .user(conversation.userID))
    var events: [Turn.Event] = []
    for await event in begun.turn.events { events.append(event) }
    guard case .done(let reply) = events.last else { throw Unfinished() }
    return (events, reply)
  }

  private struct Unfinished: Error {}

  @Test func `the model is shown the latest messages, as far as they were said`() async throws {
    let model = ScriptedModel([[.say("x")]])
    var settings = Turns.Settings()
    settings.system = "Be brief."
    settings.window = 6
    try await withTurns(model, settings: settings) { turns, store, conversation in
      let said: [(Message.Role, String)] = [
        (.user, "too old"), (.assistant, "an answer"), (.system, "The user is in Oslo."), (.tool, "42"),
        (.user, "and?"), (.assistant, "more"),
      ]
      _ = try await store.apply(
        .append(Append(to: conversation.id, said.map { NewMessage(role: $0, content: $1) })), as: .service)
      let reply = try await ask("now", of: turns, in: conversation).reply
      #expect(reply.content == "You said: x" && reply.position == 8)
      let request = try #require(model.requests.first)
      #expect(request.system == "Be brief.\n\nThe user is in Oslo.")
      #expect(
        request.history == [.assistant("an answer"), .user("and?"), .assistant("more"), .user("now")])
    }
  }

  @Test func `the model searches what the asking user said, and nobody else's words`() async throws {
    try await withTurns(EchoModel(.init(delay: 0)), tools: [.searchMessages]) { turns, store, conversation in
      func say(_ text: String, _ user: UserID, _ session: SessionKey) async throws {
        let open = OpenConversation(user: user, session: session, title: "Trips")
        let id = try #require(try await store.apply(.open(open), as: .user(user)).conversation?.id)
        _ = try await store.apply(.append(Append(to: id, [NewMessage(role: .user, content: text)])), as: .user(user))
      }
      try await say("We take the train to Oslo", conversation.userID, .new)
      try await say("Oslo in winter", conversation.userID, .new)
      try await say("Oslo is a stranger's secret", UserID(high: 8, low: 8), .new)
      func told(_ arguments: String) async throws -> (text: String, isError: Bool) {
        // A conversation for each: the last turn of one may still be ending when its end was heard.
        let open = OpenConversation(user: conversation.userID, session: .new)
        let another = try #require(try await store.apply(.open(open), as: .service).conversation)
        let (events, _) = try await ask("/tool search_messages \(arguments)", of: turns, in: another)
        let use = try #require(events.compactMap { if case .tool(let use) = $0 { use } else { nil } }.first)
        return (use.result, use.isError)
      }
      let lines = try await told(#"{"words":"OSLO"}"#).text.split(separator: "\n")
      #expect(lines.count == 2 && lines[0].hasSuffix(#"Z, user, in "Trips": Oslo in winter"#))
      #expect(lines[1].hasSuffix(#": We take the train to Oslo"#))
      #expect(try await told(#"{"words":"train oslo","limit":1}"#).text.contains("the train"))
      #expect(try await told(#"{"words":"nowhere"}"#) == ("No earlier message has these words.", false))
      for arguments in [#"{"words":""}"#, #"{"words":7}"#, "{}", #"{"words":"a","limit":0}"#] {
        #expect(try await told(arguments).isError, "\(arguments)")
      }
    }
  }

  @Test func `tools are run until the model answers, and no more often than it may`() async throws {
    let runs = Mutex(0)
    let tool = Tool(name: "count", description: "Counts.", schema: "{}") { _ in
      runs.withLock { runs in
        runs += 1
        return "\(runs)"
      }
    }
    var settings = Turns.Settings()
    settings.rounds = 3
    let endless = ScriptedModel([[.call("count")]])
    try await withTurns(endless, tools: [tool], settings: settings) { turns, _, conversation in
      let (events, reply) = try await ask("go", of: turns, in: conversation)
      let used = events.compactMap { if case .tool(let use) = $0 { use.result } else { nil } }
      #expect(used == ["1", "2", "3"] && reply.status == .complete)
      #expect(endless.requests.map(\.tools.count) == [1, 1, 1, 0])
      #expect(endless.requests.map(\.history.count) == [1, 3, 5, 7])
      let metadata = try JSONReader.read(reply.metadata.text).object
      #expect(metadata?["tools"]?.array?.count == 3 && metadata?["model"]?.string == "scripted")
    }
    runs.withLock { $0 = 0 }
    let soon = ScriptedModel([[.call("count")], [.say("done")]])
    try await withTurns(soon, tools: [tool]) { turns, _, conversation in
      let reply = try await ask("go", of: turns, in: conversation).reply
      #expect(reply.content == "You said: done")
    }
  }

  @Test func `an answer that takes too long ends as it is, and a stop ends all`() async throws {
    var settings = Turns.Settings()
    settings.seconds = 1
    try await withTurns(ScriptedModel([[.hang]]), settings: settings) { turns, store, conversation in
      let (events, reply) = try await ask("go", of: turns, in: conversation)
      #expect(reply.status == .incomplete && reply.content == "You ")
      guard events.count > 1, case .failed(let error) = events[events.count - 2] else { throw Unfinished() }
      #expect(error.code == .unavailable && error.message.contains("1 seconds"))
    }
    try await withTurns(ScriptedModel([[.hang]])) { turns, store, conversation in
      let begun = try await turns.begin(
        .ask(NewMessage(role: .user, content: "go"), parent: nil, branch: nil), in: conversation.id, as: .service)
      turns.stop()
      for await _ in begun.turn.events {}
      #expect(begun.turn.answer?.status == .incomplete)
      await #expect(throws: ConversationError.self) {
        try await turns.begin(
          .ask(NewMessage(role: .user, content: "more"), parent: nil, branch: nil), in: conversation.id,
          as: .service)
      }
    }
  }

  @Test func `what is said so far is kept as a draft`() async throws {
    var settings = Turns.Settings()
    settings.draftMilliseconds = 20
    try await withTurns(ScriptedModel([[.hang]]), settings: settings) { turns, store, conversation in
      let begun = try await turns.begin(
        .ask(NewMessage(role: .user, content: "go"), parent: nil, branch: nil), in: conversation.id, as: .service)
      // On a busy machine it may have said more by then.
      for _ in 0..<12_000 where try await store.read({ try $0.all(drafts, []) { try $0.text(0) } }).isEmpty {
        try await Task.sleep(for: .milliseconds(5))
      }
      // As after a crash: the store alone knows it.
      #expect(try await store.endUnfinished() == 1)
      let left = try await store.message(begun.turn.id, as: .service).message
      #expect(left.status == .incomplete && left.content.hasPrefix("You "))
    }
  }

  @Test func `a question that was stored alone is answered when it is asked, once and only at the end`() async throws {
    try await withTurns(EchoModel(.init(delay: 0))) { turns, store, conversation in
      let question = NewMessage(role: .user, content: "hello", clientID: "q")
      let kept = try await store.apply(.append(Append(to: conversation.id, [question])), as: .service).messages
      let (_, reply) = try await ask("hello", of: turns, in: conversation, clientID: "q")
      #expect(reply.content == "You said: hello" && reply.position == 2)
      let again = try await turns.begin(
        .ask(question, parent: nil, branch: nil), in: conversation.id, as: .user(conversation.userID))
      #expect(again.receipt.isReplay && again.turn.id == reply.id && again.question?.id == kept.first?.id)
      let other = NewMessage(role: .user, content: "and", clientID: "r")
      _ = try await store.apply(
        .append(Append(to: conversation.id, [other, NewMessage(role: .user, content: "more")])), as: .service)
      await #expect(throws: ConversationError.self) {
        try await ask("and", of: turns, in: conversation, clientID: "r")
      }
      await #expect(throws: ConversationError.self) {
        try await ask("something else", of: turns, in: conversation, clientID: "r")
      }
      let path = try await store.messages(
        Path(.id(conversation.id)), MessagePageRequest(limit: 20), as: .service)
      #expect(path.messages.map(\.content) == ["hello", "You said: hello", "and", "more"])
    }
  }

  @Test func `no more answers are written at once than may be`() async throws {
    var settings = Turns.Settings()
    settings.turns = 2
    try await withTurns(ScriptedModel([[.hang]]), settings: settings) { turns, store, _ in
      for number in 1...3 {
        let open = OpenConversation(user: UserID(high: 7, low: 7), session: .new)
        let conversation = try #require(try await store.apply(.open(open), as: .service).conversation)
        let request = TurnRequest.ask(NewMessage(role: .user, content: "go"), parent: nil, branch: nil)
        if number < 3 {
          _ = try await turns.begin(request, in: conversation.id, as: .service)
        } else {
          await #expect(throws: ConversationError.self) {
            try await turns.begin(request, in: conversation.id, as: .service)
          }
          #expect(try await store.conversation(.id(conversation.id), as: .service).messageCount == 0)
        }
      }
    }
  }
}

private let drafts = SQLStatement("SELECT content FROM pam_drafts")
