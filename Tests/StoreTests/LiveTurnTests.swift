import ConversationModel
import ConversationServer
import StoreSQL
import Testing

/// Turns over a live connection, inside the server and over the wire. The echo answers.
@Suite struct LiveTurnTests {
  private func ask(_ text: String, _ clientID: String? = "q") -> TurnRequest {
    .ask(NewMessage(role: .user, content: text, clientID: clientID), parent: nil, branch: nil)
  }

  /// Reads an answer to its end: what its pieces make, the tools, and the message.
  private func answer(
    _ turn: MessageID, on connection: any LiveConnection, from text: String = ""
  ) async throws -> (text: String, tools: [ToolUse], message: Message) {
    var text = text
    var tools: [ToolUse] = []
    while true {
      switch try await soon({ try await connection.next() }) {
      case .delta(turn, let offset, let piece):
        #expect(offset == text.unicodeScalars.count)
        text += piece
      case .draft(turn, let draft): text = draft
      case .tool(turn, let use): tools.append(use)
      case .done(turn, let message, _): return (text, tools, message)
      case nil: throw UnexpectedEvent()
      default: continue
      }
    }
  }

  /// Reads the start of an answer.
  private func said(
    by turn: MessageID, on connection: any LiveConnection, bytes: Int
  ) async throws -> String {
    var text = ""
    while text.utf8.count < bytes {
      if case .delta(turn, _, let piece) = try await soon({ try await connection.next() }) { text += piece }
    }
    return text
  }

  @Test(arguments: LiveBackend.allCases)
  func `everybody who is attached sees the answer grow, and whoever comes late has all of it`(
    _ backend: LiveBackend
  ) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      let phone = try await world.attach(conversation)
      let tablet = try await world.attach(conversation)
      let words = (1...12).map { "wört\($0)" }.joined(separator: " ")
      let begun = try await phone.turn(ask("/slow 30 \(words)"))
      #expect(begun.receipt.messages.map(\.role) == [.user] && begun.receipt.version == 2)
      try await Task.sleep(for: .milliseconds(120))
      let late = try await world.attach(conversation)
      for device in [phone, tablet, late] {
        let (text, _, message) = try await answer(begun.turn, on: device)
        #expect(text == "You said: \(words)" && message.content == text && message.status == .complete)
        #expect(message.id == begun.turn && message.position == 2)
        device.close()
      }
    }
  }

  @Test(arguments: LiveBackend.allCases)
  func `a question that comes again is the same turn, and a branch has one at a time`(
    _ backend: LiveBackend
  ) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      let phone = try await world.attach(conversation)
      let begun = try await phone.turn(ask("/slow 30 a b c d e f"))
      let again = try await phone.turn(ask("/slow 30 a b c d e f"))
      #expect(again.turn == begun.turn && again.receipt.isReplay)
      #expect(await code { _ = try await phone.turn(ask("other", "p")) } == .conflict)
      #expect(await code { _ = try await phone.turn(ask("other", nil)) } == .conflict)
      _ = try await answer(begun.turn, on: phone)
      let after = try await phone.turn(ask("/slow 30 a b c d e f"))
      #expect(after.turn == begun.turn && after.receipt.isReplay)
      #expect(try await world.store.page(conversation).messages.count == 2)
    }
  }

  @Test(arguments: LiveBackend.allCases)
  func `an answer is cancelled by its owner, and written anew as a branch`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      let phone = try await world.attach(conversation)
      let stranger = try await world.attach(try await world.store.opened(newUser()))
      let begun = try await phone.turn(ask("/slow 50 " + String(repeating: "x ", count: 100)))
      #expect(await code { try await stranger.cancel(begun.turn) } == .notFound)
      let start = try await said(by: begun.turn, on: phone, bytes: 1)
      try await phone.cancel(begun.turn)
      let cut = try await answer(begun.turn, on: phone, from: start)
      #expect(cut.message.status == .incomplete && cut.message.content == cut.text && !cut.text.isEmpty)
      try await phone.cancel(begun.turn)
      let anew = try await phone.turn(.regenerate(begun.turn, clientID: nil))
      #expect(anew.receipt.branch?.origin == .regenerate && anew.receipt.branch?.isActive == true)
      try await phone.cancel(anew.turn)
      #expect(try await answer(anew.turn, on: phone).message.branch == anew.receipt.branch?.number)
      let edited = try await phone.turn(
        .edit(try #require(begun.receipt.messages.first?.id), NewMessage(role: .user, content: "shorter")))
      #expect(try await answer(edited.turn, on: phone).text == "You said: shorter")
      // The connection shows what it made.
      let next = try await phone.turn(ask("next", "n"))
      #expect(try await answer(next.turn, on: phone).message.position == 4)
      #expect(try await world.store.page(conversation).messages.map(\.content).suffix(2) == ["next", "You said: next"])
    }
  }

  @Test(arguments: LiveBackend.allCases)
  func `tools are told, and their session shows that an answer is being written`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      let phone = try await world.attach(conversation)
      let tool = try await phone.turn(ask("/tool nothing {\"a\":1}"))
      let used = try await answer(tool.turn, on: phone)
      #expect(used.tools.map(\.name) == ["nothing"] && used.tools.first?.isError == true)
      #expect(used.tools.first?.arguments?.text == #"{"a":1}"#)
      let slow = try await phone.turn(ask("/slow 300 a b c d e f g h", "s"))
      try await eventually {
        let session = try await world.live.sessions(PageRequest(limit: 20), as: .service).items.first {
          $0.conversation == conversation.id
        }
        return session?.turn?.id == slow.turn.description && session?.turn?.tokens ?? 0 > 0
          && session?.turn?.tokensPerSecond ?? 0 > 0
      }
      _ = try await answer(slow.turn, on: phone)
    }
  }

  @Test func `a server that ends leaves answers as they are`() async throws {
    try await withSQLite { below in
      let conversation = try await below.opened(newUser())
      var turn: MessageID?
      try await withServer(of: below) { server in
        let inside = try #require(server.inside)
        let phone = try await inside.live.attach(
          Attach(.conversation(conversation.id)), as: .user(conversation.userID))
        turn = try await phone.turn(ask("/slow 50 " + String(repeating: "x ", count: 2_000))).turn
        _ = try await said(by: try #require(turn), on: phone, bytes: 14)
      }
      let message = try await below.message(try #require(turn), as: .service).message
      #expect(message.status == .incomplete && message.content.hasPrefix("You said: x"))
    }
  }
}
