import ConversationModel
import StoreRemote

/// One session as it goes on: its traveller thinks, types, asks, reads, has second thoughts, and says something else
/// while no answer is to be had.
struct DemoSession {
  private let user: UserID
  private let conversation: ConversationID
  private let devices: [DemoDevice]
  private let ledger: DemoLedger
  private let exchanges: ArraySlice<DemoTrip.Exchange>
  /// The message that the next one goes behind.
  private var head: MessageID?
  private var random: DemoRandom
  private var sent = 0
  /// The trip's, in an order of its own; each is said again only when all were.
  private var notes: [String]

  /// How often something is tried that the server does not take; an outage is over by then.
  private static let tries = 60

  init(_ session: DemoHistory.Session, devices: [DemoDevice], ledger: DemoLedger, random: DemoRandom) {
    (user, conversation) = (session.traveller.user, session.conversation)
    (self.devices, self.ledger, self.random) = (devices, ledger, random)
    notes = session.plan.trip.notes.shuffled(using: &self.random)
    exchanges = session.plan.trip.exchanges.dropFirst(session.exchanges)
    head = session.head
  }

  /// Goes on until the trip is planned.
  ///
  /// - Throws: `CancellationError`, and what the server refuses although it works.
  mutating func run() async throws {
    try await pause(0.2...5)
    for exchange in exchanges {
      try await play(exchange)
      try await pause(3...11)
    }
  }

  private mutating func play(_ exchange: DemoTrip.Exchange) async throws {
    try await type(exchange.question)
    let question = message(exchange.question)
    let begun = try await begin { .ask(question, parent: $0, branch: nil) }
    let asked = begun.receipt.messages.first { $0.role == .user }?.id
    var answer = begun.turn
    if random.chance(0.12) {
      answer = try await cancelled(answer)
    } else {
      try await read(answer)
    }
    if let asked, let corrected = exchange.corrected {
      try await pause(1...3)
      try await revise(asked, corrected)
    }
    if let asked, let (text, _) = exchange.instead, random.chance(0.7) {
      try await type(text)
      let edited = message(text)
      try await read(try await begin { _ in .edit(asked, edited) }.turn)
    } else if exchange.again != nil, random.chance(0.6) {
      try await pause(1...3)
      try await regenerate(answer)
    }
    if random.chance(0.15) { try await note() }
    if random.chance(0.08) { try await noteTwiceAtOnce() }
  }

  // MARK: What a traveller does

  private mutating func type(_ text: String) async throws {
    connection()?.typing(true)
    try await Task.sleep(for: .milliseconds(min(3_000, 300 + text.count * 25)))
  }

  /// Asks for an answer until the server begins one; what is to be said meanwhile is said as a note.
  private mutating func begin(_ request: (_ parent: MessageID?) -> TurnRequest) async throws -> BegunTurn {
    for _ in 0..<Self.tries {
      if let connection = connection() {
        do throws(ConversationError) {
          let begun = try await connection.turn(request(head))
          ledger.note(begun.receipt)
          head = begun.turn
          return begun
        } catch {
          guard error.code == .unavailable || error.code == .conflict else { throw error }
          if error.code == .unavailable { try await waitAndNote() }
        }
      }
      try await pause(0.8...2.2)
    }
    throw ConversationError(.unavailable, "The server begins no answer.")
  }

  /// The assistant does not answer; the conversation takes what is said all the same.
  private mutating func waitAndNote() async throws {
    try await note()
    try await pause(1.5...3.5)
    if random.chance(0.6) { try await note() }
    try await pause(0.5...2)
  }

  /// Waits for the end of an answer, on whichever device sees it.
  private func read(_ turn: MessageID) async throws {
    let end = ContinuousClock.now + .seconds(60)
    while !devices.contains(where: { $0.hasSeenEnd(of: turn) }), ContinuousClock.now < end {
      try await Task.sleep(for: .milliseconds(150))
    }
  }

  /// Has heard enough in the middle, and wants another answer.
  private mutating func cancelled(_ turn: MessageID) async throws -> MessageID {
    try await pause(0.7...1.5)
    try? await connection()?.cancel(turn)
    try await read(turn)
    try await pause(1...2)
    return try await regenerate(turn)
  }

  @discardableResult
  private mutating func regenerate(_ answer: MessageID) async throws -> MessageID {
    let name = name()
    let begun = try await begin { _ in .regenerate(answer, clientID: name) }
    try await read(begun.turn)
    return begun.turn
  }

  private func revise(_ message: MessageID, _ text: String) async throws {
    // In an outage the slip of the pen stays.
    let receipt = try? await devices.first?.remote.apply(
      .revise(Revise(message, content: text)), as: .user(user))
    if let receipt { ledger.note(receipt) }
  }

  /// Says something that wants no answer. What is not acknowledged was not said.
  private mutating func note() async throws {
    guard let connection = connection(), let receipt = try? await connection.send(message(nextNote()), parent: head)
    else { return }
    ledger.note(receipt)
    head = receipt.messages.last?.id ?? head
  }

  /// Two devices say something behind the same message: one of the two becomes a branch.
  private mutating func noteTwiceAtOnce() async throws {
    let connections = devices.compactMap(\.connection)
    guard connections.count > 1 else { return }
    let (first, second, parent) = (message(nextNote()), message(nextNote()), head)
    async let one = connections[0].send(first, parent: parent)
    async let other = connections[1].send(second, parent: parent)
    for receipt in [try? await one, try? await other].compactMap(\.self) {
      ledger.note(receipt)
      if receipt.branch == nil { head = receipt.messages.last?.id ?? head }
    }
  }

  // MARK: How

  private mutating func connection() -> (any LiveConnection)? {
    devices.compactMap(\.connection).randomElement(using: &random)
  }

  private mutating func pause(_ seconds: ClosedRange<Double>) async throws {
    try await Task.sleep(for: random.seconds(seconds))
  }

  private mutating func nextNote() -> String {
    notes.append(notes.removeFirst())
    return notes.last ?? ""
  }

  private mutating func message(_ text: String) -> NewMessage {
    NewMessage(role: .user, content: text, clientID: name())
  }

  private mutating func name() -> String {
    sent += 1
    return "demo-\(sent)"
  }
}
