import ConversationModel
import Testing

/// A conversation in its owner's hands, so that a test of its tree reads like what a client does.
struct OwnedTree {
  let store: any Store
  let conversation: Conversation

  var id: ConversationID { conversation.id }
  var owner: Principal { .user(conversation.userID) }

  /// A new conversation whose trunk holds these texts, a user's and an assistant's by turns.
  init(_ store: any Store, _ texts: [String] = []) async throws {
    self.store = store
    conversation = try await store.opened(newUser())
    if !texts.isEmpty { try await append(texts) }
  }

  // MARK: Commands

  @discardableResult
  func apply(_ command: Command) async throws -> Receipt { try await store.apply(command, as: owner) }

  /// The code that a command is refused with; nil if it is accepted.
  func refusal(of command: Command) async -> ConversationError.Code? {
    await code { try await apply(command) }
  }

  @discardableResult
  func append(
    _ texts: [String], after parent: MessageID? = nil, on branch: BranchNumber? = nil,
    onConflict: Append.OnConflict = .branch
  ) async throws -> Receipt {
    let messages = texts.enumerated().map { index, text in
      NewMessage(role: index.isMultiple(of: 2) ? .user : .assistant, content: text)
    }
    return try await apply(.append(Append(to: id, messages, parent: parent, branch: branch, onConflict: onConflict)))
  }

  @discardableResult
  func fork(after message: MessageID?, title: String? = nil, activate: Bool = false) async throws -> Branch {
    let receipt = try await apply(.makeBranch(.fork(id, after: message, title: title, isActivated: activate)))
    return try #require(receipt.branch)
  }

  func editing(
    _ message: MessageID, _ text: String, client: String? = nil, title: String? = nil, activate: Bool = false
  ) -> Command {
    .makeBranch(
      .edit(
        id, message, by: NewMessage(role: .user, content: text, clientID: client), title: title, isActivated: activate)
    )
  }

  @discardableResult
  func edit(
    _ message: MessageID, _ text: String, client: String? = nil, title: String? = nil, activate: Bool = false
  ) async throws -> (branch: Branch, message: Message) {
    let receipt = try await apply(editing(message, text, client: client, title: title, activate: activate))
    return (try #require(receipt.branch), try #require(receipt.messages.first))
  }

  @discardableResult
  func revise(_ message: MessageID, _ text: String) async throws -> Message {
    try #require(try await apply(.revise(Revise(message, content: text))).messages.first)
  }

  @discardableResult
  func delete(_ message: MessageID) async throws -> Receipt {
    try await apply(.deleteMessage(DeleteMessage(message)))
  }

  @discardableResult
  func deleteBranch(_ number: BranchNumber) async throws -> Receipt {
    try await apply(.deleteBranch(BranchKey(id, number)))
  }

  @discardableResult
  func activate(_ number: BranchNumber) async throws -> Receipt {
    try await apply(.update(UpdateConversation(id, activeBranch: number)))
  }

  // MARK: Reads

  func now() async throws -> Conversation { try await store.conversation(.id(id), as: owner) }

  func branches() async throws -> [Branch] { try await store.branches(of: id, as: owner) }

  func branch(_ number: BranchNumber) async throws -> Branch {
    try #require(try await branches().first { $0.number == number })
  }

  func page(
    _ branch: BranchNumber? = nil, _ part: MessagePageRequest.Part = .latest, limit: Int = 200
  ) async throws -> MessagePage {
    try await store.messages(Path(.id(id), branch: branch), MessagePageRequest(limit: limit, part), as: owner)
  }

  /// The texts of a path of at most 200 messages.
  func texts(_ branch: BranchNumber? = nil) async throws -> [String] {
    try await page(branch).messages.map(\.content)
  }

  func messages(_ branch: BranchNumber? = nil) async throws -> [Message] { try await page(branch).messages }

  func message(_ id: MessageID) async throws -> Message { try await store.message(id, as: owner).message }

  /// The branches of a message's siblings, itself included.
  func siblings(_ id: MessageID) async throws -> [BranchNumber] {
    try await store.message(id, as: owner).siblings.map(\.branch)
  }

  /// The forks of a page as position and branches.
  func forks(
    _ branch: BranchNumber? = nil, _ part: MessagePageRequest.Part = .latest, limit: Int = 200
  ) async throws -> [Position: [BranchNumber]] {
    let forks = try await page(branch, part, limit: limit).forks
    #expect(forks.map(\.position) == forks.map(\.position).sorted())
    return Dictionary(uniqueKeysWithValues: forks.map { ($0.position, $0.branches) })
  }

  func revisions(_ id: MessageID) async throws -> [Revision] {
    try await store.revisions(of: id, PageRequest(limit: 200), as: owner).items
  }

  func changes(since version: Version, limit: Int = 200) async throws -> Changes {
    try await store.changes(in: id, since: version, limit: limit, as: owner)
  }

  /// Runs commands that must leave nothing behind.
  func unchanged(_ body: () async throws -> Void) async throws {
    let before = try await now()
    try await body()
    #expect(try await now() == before)
  }
}
