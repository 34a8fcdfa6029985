public import ConversationModel
import StrictJSON

/// Whose question is being answered, and where: what a tool needs that does something for a person.
public struct Asker: Sendable {
  public let store: any Store
  public let principal: Principal
  /// The answer that is being written.
  public let answer: Message

  public init(store: any Store, principal: Principal, answer: Message) {
    self.store = store
    self.principal = principal
    self.answer = answer
  }

  /// The user whose conversation it is, also where the service role asks in its name.
  func user() async throws(ConversationError) -> UserID {
    if let user = principal.onlyUser { return user }
    return try await store.conversation(.id(answer.conversationID), as: principal).userID
  }
}

extension Tool {
  /// How many messages a search tells of, and how many if the model does not say.
  private static let hits = 1...50
  private static let usualHits = 10

  /// Searches the asking user's own messages in all conversations, and never anybody else's. A hit is a line:
  /// `2026-11-28T20:54:37Z, user, in "A weekend in Oslo": …we take the train to Oslo…`.
  public static let searchMessages = Tool(
    name: "search_messages",
    description: """
      Searches what the user and you said to each other earlier, in this and all other conversations of the user, by \
      words. Use it when the user refers to something that is not in the messages you see. All words must be in a \
      message; a word with * at its end stands for all words that begin so. Gives the newest matches first: when, who, \
      the conversation's title, and a part of the message.
      """,
    schema: """
      {"type":"object","properties":{"words":{"type":"string","minLength":1,"maxLength":\(Limits.searchScalars),\
      "description":"A few words that the messages hold."},"limit":{"type":"integer","minimum":\(hits.lowerBound),\
      "maximum":\(hits.upperBound),"description":"Most matches to give; \(usualHits) if left out."}},\
      "required":["words"],"additionalProperties":false}
      """
  ) { arguments, asker in
    guard let asker else { throw ToolError("There is nobody whose messages could be searched.") }
    guard let words = arguments["words"]?.string else { throw ToolError("words is a text.") }
    var limit = usualHits
    if let given = arguments["limit"], !given.isNull {
      guard let number = given.number?.int, hits.contains(number) else {
        throw ToolError("limit is a whole number from \(hits.lowerBound) to \(hits.upperBound).")
      }
      limit = number
    }
    do {
      let user = try await asker.user()
      // The question itself holds the words, too.
      let page = try await asker.store.search(
        SearchQuery(words, user: user), PageRequest(limit: limit + 1), as: .user(user))
      let lines = page.items.filter { !asker.isBeingAsked($0.message) }.prefix(limit).map(line)
      return lines.isEmpty ? "No earlier message has these words." : lines.joined(separator: "\n")
    } catch let error as ConversationError where error.code == .invalid {
      throw ToolError(error.message)
    }
  }

  private static func line(_ hit: SearchHit) -> String {
    let time = hit.message.createdAt.description.prefix(19) + "Z"
    return "\(time), \(hit.message.role.rawValue), in \"\(hit.title ?? "")\": \(hit.snippet)"
  }
}

extension Asker {
  /// Whether a message is the question that is being answered, or stands behind it.
  fileprivate func isBeingAsked(_ message: Message) -> Bool {
    message.conversationID == answer.conversationID && message.branch == answer.branch
      && message.position >= answer.position - 1
  }
}
