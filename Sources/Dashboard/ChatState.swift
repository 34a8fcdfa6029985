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
  }

  /// What stands in the composer of a thread that is not open.
  struct Draft: Equatable {
    var text: String
    var purpose: Purpose
    var setAside: String
  }

  let user: UserID
  /// Makes the names of messages and sessions unique among the user's devices.
  let device: String
  /// The session to begin with; nil for the latest one.
  let firstSession: String?
  /// Whether it is not decided yet which thread is shown first.
  var isStarting = true
  /// When the first session is asked for again.
  var nextOpening: Int64 = 0
  /// The session that the screen shows before it is made; nil until something was said in it.
  var newSession: String?
  var focus = Focus.composer
  var composer = Composer()
  var purpose = Purpose.say
  /// What was being written when an edit began.
  var setAside = ""
  /// Of other threads; nil is the one that is still to be made.
  private(set) var drafts: [ConversationID?: Draft] = [:]
  /// In the order in which it was said.
  var outbox: [Outgoing] = []
  /// What was taken back although a server may have it: said again, it keeps its name.
  var takenBack: Outgoing?
  /// Whether somebody who quits was told of what is not sent.
  var isWarned = false
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

  // MARK: What is on its way

  /// What no server has acknowledged.
  var unsent: [Outgoing] { outbox.filter { !$0.isSaved } }

  /// What may be handed over next: in each place the first. A question that is saved holds nothing up.
  var candidates: [Int] {
    var taken: Set<Outgoing.Place> = []
    return outbox.indices.filter { index in
      let isFirst = !taken.contains(outbox[index].place)
      if !outbox[index].isSaved { taken.insert(outbox[index].place) }
      return isFirst && outbox[index].nextTry != nil
    }
  }

  /// When something in the outbox is to be handed over, on the steady clock.
  var nextTry: Int64? { candidates.compactMap { outbox[$0].nextTry }.min() }

  /// What waits for the server is asked anew, under the same names.
  mutating func keepForLater(at time: Int64) {
    for index in outbox.indices where outbox[index].state == .asked { outbox[index].retry(at: time) }
  }

  // MARK: Drafts

  /// Threads whose drafts are kept.
  private static let mostDrafts = 100

  /// Puts what stands in the composer aside for one thread, and takes out what was put aside for another.
  mutating func changeThread(from old: ConversationID?, to new: ConversationID?) {
    let draft = Draft(text: composer.text, purpose: purpose, setAside: setAside)
    let isEmpty = composer.isEmpty && purpose == .say
    drafts[old] = isEmpty || drafts.count >= Self.mostDrafts ? nil : draft
    let next = drafts.removeValue(forKey: new) ?? Draft(text: "", purpose: .say, setAside: "")
    composer.replace(by: next.text)
    (purpose, setAside) = (next.purpose, next.setAside)
  }

  /// Puts a text that comes back in front of what is being written in a thread.
  mutating func giveBack(_ text: String, to id: ConversationID?, open: ConversationID?) {
    func joined(_ rest: String) -> String { rest.isEmpty ? text : text + "\n" + rest }
    if id != open {
      var draft = drafts[id] ?? Draft(text: "", purpose: .say, setAside: "")
      if draft.purpose == .say { draft.text = joined(draft.text) } else { draft.setAside = joined(draft.setAside) }
      drafts[id] = draft
    } else if purpose == .say {
      composer.replace(by: joined(composer.text))
      focus = .composer
    } else {
      setAside = joined(setAside)
    }
  }
}

/// What a user wants that no server has answered yet. It is asked again under the same name until one has, so it is
/// never done twice.
struct Outgoing: Equatable {
  enum Place: Hashable {
    case conversation(ConversationID)
    /// One that is made with this message.
    case session(String)

    var conversation: ConversationID? {
      if case .conversation(let id) = self { id } else { nil }
    }
  }

  enum Wish: Equatable {
    case ask
    /// Another text in the place of a question.
    case askInsteadOf(MessageID)
    case regenerate(MessageID)
    case revise(MessageID, ifRevision: Int)
  }

  enum State: Equatable {
    case waiting(nextTry: Int64)
    case asked
  }

  var place: Place
  /// The one that was shown; nil for the active one.
  var branch: BranchNumber?
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
