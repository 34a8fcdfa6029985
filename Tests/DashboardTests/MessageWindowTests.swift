import ConversationModel
import Testing

@testable import Dashboard

@Suite struct MessageWindowTests {
  private static func message(_ position: Position, _ content: String, _ status: Message.Status) -> Message {
    Message(
      id: MessageID(high: 1, low: UInt64(position)), clientID: nil, conversationID: ConversationID(high: 1, low: 1),
      branch: 0, position: position, role: .assistant, content: content, intent: nil, confidence: nil,
      entities: .emptyObject, metadata: .emptyObject, status: status, revision: 1,
      createdAt: Timestamp(microseconds: 0), editedAt: nil)
  }

  @Test func `an answer that is being written grows by pieces that fit, and starts over with a draft`() {
    let answer = Self.message(2, "", .streaming)
    var window = MessageWindow([Self.message(1, "whole", .complete), answer], head: 2)
    window.write(answer.id, "Grüß", behind: 0)
    window.write(answer.id, " dich", behind: 4)
    #expect(window[2]?.content == "Grüß dich")
    // One that was lost leaves a hole; nothing is put behind it.
    window.write(answer.id, "!", behind: 12)
    #expect(window[2]?.content == "Grüß dich")
    window.write(answer.id, "Grüß dich, Welt!")
    window.write(answer.id, " Ja.", behind: 16)
    #expect(window[2]?.content == "Grüß dich, Welt! Ja.")
    // Nobody else's text changes, nor that of one that is held no more.
    window.write(MessageID(high: 1, low: 1), "x", behind: 5)
    window.write(MessageID(high: 9, low: 9), "x")
    #expect(window[1]?.content == "whole")
    window.replace(Self.message(2, "done", .complete))
    window.write(answer.id, " late", behind: 4)
    #expect(window[2]?.content == "done")
  }
}
