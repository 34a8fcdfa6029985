import ConversationModel

/// What the user's screen knows beside its open thread: what is being written, and what is on its way.
struct ChatState: Equatable {
  /// What has the keys.
  enum Focus: Equatable {
    case composer, path
  }

  /// What becomes of the text in the composer.
  enum Purpose: Equatable {
    case say
    case revise(Message)
    case ask(insteadOf: Message)

    var message: Message? {
      switch self {
      case .say: nil
      case .revise(let message), .ask(let message): message
      }
    }
  }

  let user: UserID
  /// Makes the names of messages and sessions unique among the user's devices.
  let device: String
  /// The session to begin with; nil for the latest one.
  let firstSession: String?
  /// Whether it is not decided yet which thread is shown first.
  var isStarting = true
  var focus = Focus.composer
  var composer = Composer()
  var purpose = Purpose.say
  /// What was being written when an edit began.
  var setAside = ""
  /// In the order in which it was said.
  var outbox: [Outgoing] = []
  var presence = Presence(connections: [], typing: [])
  /// As last heard of.
  var health: StoreHealth?
  /// Until when the others take it that this user is writing.
  var isTypingUntil: Int64 = 0

  init(user: UserID, session: String?, device: String) {
    self.user = user
    self.device = device
    firstSession = session
  }

  /// When something in the outbox is to be handed over, on the steady clock.
  var nextTry: Int64? { outbox.compactMap(\.nextTry).min() }

  /// What waits for the server is asked anew, under the same names.
  mutating func keepForLater(at time: Int64) {
    for index in outbox.indices where outbox[index].state == .asked { outbox[index].retry(at: time) }
  }
}

/// What a user wants that no server has answered yet. It is asked again under the same name until one has, so it is
/// never done twice.
struct Outgoing: Equatable {
  enum Place: Hashable {
    case conversation(ConversationID, BranchNumber?)
    /// One that is made with this message.
    case session(String)
  }

  enum Wish: Equatable {
    case ask
    /// Another text in the place of a question.
    case askInsteadOf(MessageID)
    case regenerate(MessageID)
  }

  enum State: Equatable {
    case waiting(nextTry: Int64)
    case asked
  }

  var place: Place
  let wish: Wish
  let text: String
  let clientID: String
  var state: State
  /// Why it could not be handed over at once.
  var failure: Failure?
  /// Whether the question is acknowledged, and only its answer has to be asked for.
  var isSaved = false
  /// Whether the next step is to save the question, because nobody can answer it now.
  var savesNext = false

  var nextTry: Int64? {
    if case .waiting(let time) = state { time } else { nil }
  }

  mutating func retry(at time: Int64) { state = .waiting(nextTry: time) }

  var question: NewMessage { NewMessage(role: .user, content: text, clientID: clientID) }
}
