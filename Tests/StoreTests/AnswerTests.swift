import ConversationModel
import StoreSQLite
import StoreSpool
import Testing

@testable import StoreSQL

/// Answers that take their place before their text is there.
@Suite struct AnswerTests {
  private static let local = [Backend.sqlite, .spool]

  /// A conversation in which a user has asked something, and the answer is being written.
  private struct Asked {
    let store: any Store
    let conversation: Conversation
    let question: Message
    let answer: Message
    let version: Version

    var user: Principal { .user(conversation.userID) }

    init(_ store: any Store) async throws {
      self.store = store
      conversation = try await store.opened(newUser())
      let receipt = try await store.apply(
        .append(
          Append(
            to: conversation.id, [NewMessage(role: .user, content: "Why?", clientID: "q"), .answer()])),
        as: .user(conversation.userID))
      (question, answer) = (receipt.messages[0], receipt.messages[1])
      version = try #require(receipt.version)
    }

    func finish(
      _ content: String, _ ending: FinishAnswer.Ending = .complete, metadata: JSONText = .emptyObject
    ) async throws -> Receipt {
      try await store.apply(
        .finish(FinishAnswer(answer.id, content: content, metadata: metadata, ending: ending)), as: user)
    }

    func now() async throws -> [Message] { try await store.page(conversation).messages }
  }

  @Test(arguments: local)
  func `question and place are one change, the text is another`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let asked = try await Asked(store)
      #expect(asked.version == 2 && asked.question.status == .complete && asked.answer.status == .streaming)
      #expect(asked.answer.position == 2 && asked.answer.content.isEmpty && asked.answer.role == .assistant)
      // Others go on meanwhile; the place is fixed.
      try await store.appended(["Hello?"], to: asked.conversation)
      let metadata = JSONText(canonical: #"{"model":"m"}"#)
      let receipt = try await asked.finish("Because.", metadata: metadata)
      #expect(receipt.version == 4 && !receipt.isReplay)
      let finished = try #require(receipt.messages.first)
      var expected = asked.answer
      (expected.content, expected.metadata, expected.status) = ("Because.", metadata, .complete)
      #expect(finished == expected && finished.revision == 1 && finished.editedAt == nil)
      #expect(try await asked.now().map(\.content) == ["Why?", "Because.", "Hello?"])
      let changes = try await store.changes(in: asked.conversation.id, since: 3, limit: 20, as: asked.user)
      let told = changes.changes.compactMap { if case .message(let message) = $0.row { message } else { nil } }
      #expect(changes.version == 4 && told == [finished])
      #expect(try await store.conversation(.id(asked.conversation.id), as: asked.user).messageCount == 3)
    }
  }

  @Test(arguments: local)
  func `an answer ends once; the same end again is a replay`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let asked = try await Asked(store)
      let first = try await asked.finish("Half", .incomplete)
      let again = try await asked.finish("Half", .incomplete)
      #expect(again.isReplay && again.messages == first.messages && again.version == first.version)
      #expect(await code { _ = try await asked.finish("Half") } == .conflict)
      #expect(await code { _ = try await asked.finish("Whole", .incomplete) } == .conflict)
      // Now it is a message like any other.
      _ = try await store.apply(.revise(Revise(asked.answer.id, content: "Edited")), as: asked.user)
      #expect(await code { _ = try await asked.finish("Half", .incomplete) } == .conflict)
      _ = try await store.apply(.deleteMessage(DeleteMessage(asked.answer.id)), as: asked.user)
      #expect(await code { _ = try await asked.finish("Half", .incomplete) } == .gone)
    }
  }

  @Test(arguments: local)
  func `a question that comes again finds its answer, however far that is`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let asked = try await Asked(store)
      func askAgain(_ content: String = "Why?") async throws -> Receipt {
        try await store.apply(
          .append(
            Append(
              to: asked.conversation.id, [NewMessage(role: .user, content: content, clientID: "q"), .answer()])),
          as: asked.user)
      }
      var again = try await askAgain()
      #expect(again.isReplay && again.messages == [asked.question, asked.answer] && again.version == 2)
      let finished = try await asked.finish("Because.").messages
      again = try await askAgain()
      #expect(again.isReplay && again.messages == [asked.question] + finished)
      #expect(await code { _ = try await askAgain("Where?") } == .conflict)
      _ = try await store.apply(.deleteMessage(DeleteMessage(asked.answer.id)), as: asked.user)
      again = try await askAgain()
      #expect(again.isReplay && again.messages.map(\.status) == [.complete, .deleted])
      #expect(try await asked.now().count == 2)
    }
  }

  @Test(arguments: local)
  func `what is being written is neither edited nor deleted`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let asked = try await Asked(store)
      #expect(
        await code { _ = try await store.apply(.revise(Revise(asked.answer.id, content: "x")), as: asked.user) }
          == .conflict)
      #expect(
        await code { _ = try await store.apply(.deleteMessage(DeleteMessage(asked.answer.id)), as: asked.user) }
          == .conflict)
      _ = try await asked.finish("Because.")
    }
  }

  @Test(arguments: local)
  func `an edited question and a regenerated answer are branches with an answer to come`(
    _ backend: Backend
  ) async throws {
    try await backend.withStore { store in
      let asked = try await Asked(store)
      _ = try await asked.finish("Because.")
      var edit = MakeBranch.edit(
        asked.conversation.id, asked.question.id, by: NewMessage(role: .user, content: "How?", clientID: "e"))
      edit.answer = .answer()
      let edited = try await store.apply(.makeBranch(edit), as: asked.user)
      #expect(edited.messages.map(\.status) == [.complete, .streaming] && edited.messages.map(\.position) == [1, 2])
      #expect(edited.branch?.origin == .edit && edited.branch?.isActive == true)
      let again = try await store.apply(.makeBranch(edit), as: asked.user)
      #expect(again.isReplay && again.messages == edited.messages)

      let regenerate = MakeBranch(
        conversation: asked.conversation.id, start: .inPlaceOf(asked.answer.id), origin: .regenerate,
        message: .answer(clientID: "r"), title: nil, isActivated: true)
      let sibling = try await store.apply(.makeBranch(regenerate), as: asked.user)
      #expect(sibling.messages.map(\.status) == [.streaming] && sibling.branch?.origin == .regenerate)
      for (message, text) in zip([edited.messages[1], sibling.messages[0]], ["Like this.", "It just is."]) {
        _ = try await store.apply(.finish(FinishAnswer(message.id, content: text, ending: .complete)), as: asked.user)
      }
      let replayed = try await store.apply(.makeBranch(regenerate), as: asked.user)
      #expect(replayed.isReplay && replayed.messages.map(\.content) == ["It just is."])
      #expect(try await asked.now().map(\.content) == ["Why?", "It just is."])
      let siblings = try await store.message(asked.answer.id, as: asked.user).siblings.map(\.id)
      #expect(siblings == [asked.answer.id, sibling.messages[0].id])
    }
  }

  @Test(arguments: local)
  func `a draft is kept without a version, and goes with the end of the answer`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let asked = try await Asked(store)
      for text in ["Be", "Beca", String(repeating: "é", count: Limits.contentBytes / 2)] {
        try await store.keepDraft(text, of: asked.answer.id, as: asked.user)
      }
      #expect(try await store.conversation(.id(asked.conversation.id), as: asked.user).version == 2)
      #expect(try await asked.now() == [asked.question, asked.answer])
      let stranger = Principal.user(newUser())
      let long = String(repeating: "x", count: Limits.contentBytes + 1)
      #expect(await code { try await store.keepDraft("x", of: asked.answer.id, as: stranger) } == .notFound)
      #expect(await code { try await store.keepDraft(long, of: asked.answer.id, as: asked.user) } == .tooLarge)
      #expect(await code { try await store.keepDraft("\0", of: asked.answer.id, as: asked.user) } == .invalid)
      #expect(await code { try await store.keepDraft("x", of: asked.question.id, as: asked.user) } == .conflict)
      _ = try await asked.finish("Because.")
      #expect(await code { try await store.keepDraft("x", of: asked.answer.id, as: asked.user) } == .conflict)
    }
  }

  @Test(arguments: Backend.allCases)
  func `answers to come are the assistant's, empty and last`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let conversation = try await store.opened(newUser())
      func isRefused(_ messages: [NewMessage]) async -> Bool {
        await code {
          _ = try await store.apply(
            .append(Append(to: conversation.id, messages)), as: .user(conversation.userID))
        } == .invalid
      }
      var users = NewMessage.answer()
      users.role = .user
      var filled = NewMessage.answer()
      filled.content = "x"
      #expect(await isRefused([users]))
      #expect(await isRefused([filled]))
      #expect(await isRefused([.answer(), NewMessage(role: .user, content: "x")]))
      #expect(try await store.page(conversation).messages.isEmpty)
    }
  }

  @Test func `after a crash every answer ends with what was kept of it, once`() async throws {
    try await withSQLite { store in
      var asked: [Asked] = []
      for number in 0..<5 {
        asked.append(try await Asked(store))
        if number > 0 { try await store.keepDraft("so far \(number)", of: asked[number].answer.id, as: .service) }
      }
      _ = try await asked[4].finish("done")
      // One whose branch is deleted is gone with it.
      let regenerate = MakeBranch(
        conversation: asked[3].conversation.id, start: .inPlaceOf(asked[3].question.id), origin: .edit,
        message: NewMessage(role: .user, content: "x"), answer: .answer(), title: nil, isActivated: false)
      let branch = try #require(try await store.apply(.makeBranch(regenerate), as: .service).branch)
      _ = try await store.apply(
        .deleteBranch(BranchKey(asked[3].conversation.id, branch.number)), as: .service)

      #expect(try await store.endUnfinished() == 4)
      #expect(try await store.endUnfinished() == 0)
      for (number, one) in asked.prefix(4).enumerated() {
        let answer = try await one.now()[1]
        #expect(answer.status == .incomplete && answer.content == (number == 0 ? "" : "so far \(number)"))
      }
      #expect(try await asked[4].now()[1].content == "done")
      #expect(try await store.read { try $0.all(drafts, []) { try $0.text(0) } } == [])
    }
  }

  @Test func `a question is not taken past what its conversation has in the spool`() async throws {
    try await withSpool { bench in
      let conversation = try await bench.spool.opened(newUser())
      let turn = Command.append(
        Append(to: conversation.id, [NewMessage(role: .user, content: "Why?", clientID: "q"), .answer()]))
      bench.faults.fail(.before)
      _ = try await bench.say("first", in: conversation)
      #expect(await code { _ = try await bench.spool.apply(turn, as: .user(conversation.userID)) } == .unavailable)
      bench.faults.fail(.none)
      try await bench.settled()
      let answer = try await bench.spool.apply(turn, as: .user(conversation.userID)).messages[1]
      #expect(answer.position == 3)
      // The answer's end waits for the store, too.
      bench.faults.fail(.before)
      let end = Command.finish(FinishAnswer(answer.id, content: "So.", ending: .complete))
      #expect(await code { _ = try await bench.spool.apply(end, as: .service) } == .unavailable)
      bench.faults.fail(.none)
      try await bench.settled()
      try await eventually { !bench.isDown() }
      _ = try await bench.spool.apply(end, as: .service)
      #expect(try await bench.stored(conversation) == ["first", "Why?", "So."])
      try await bench.expectSound()
    }
  }
}

private let drafts = SQLStatement("SELECT content FROM pam_drafts")
