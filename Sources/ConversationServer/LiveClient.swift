import ConversationModel
import NIOCore
import Synchronization

/// Something that clients are told: framed once for any number of sockets, as it is for those inside the
/// program.
struct Announcement: Sendable {
  enum Content: Sendable {
    case event(LiveEvent)
    /// There is nothing to follow any more.
    case end(ConversationError)
    /// Only sockets are told: hints, and answers to their own frames.
    case frameOnly
  }

  let content: Content
  let frame: WebSocketFrame

  init(_ frame: WebSocketFrame, _ content: Content = .frameOnly) {
    self.frame = frame
    self.content = content
  }
}

/// Where a client's announcements go: to a socket, or to a reader inside the program.
protocol LiveSink: Sendable {
  var principal: Principal { get }
  /// Milliseconds for which the first of what waits has waited.
  var backlogMilliseconds: Int { get }
  /// Never waits. One that cannot keep up ends by itself.
  func tell(_ announcement: Announcement)
  /// It cannot keep up.
  func endTooSlow()
}

/// One client: where it is attached, and what is pushed to it.
///
/// Pushes wait while a frame of the client's own is answered, so that it hears of its own change after
/// the answer, and of nothing before it is attached.
final class LiveClient: Sendable {
  /// Where a client is attached.
  struct Attachment: Sendable {
    let conversation: ConversationID
    let user: UserID
    /// The connection's own branch: another device's switch does not move it.
    var branch: BranchNumber
    /// The client knows everything up to here.
    var version: Version
  }

  private enum Push {
    case event(ConversationID, Version, Announcement)
    case other(Announcement)

    var announcement: Announcement {
      switch self {
      case .event(_, _, let announcement), .other(let announcement): announcement
      }
    }
  }

  private struct State {
    var attachment: Attachment?
    var isBusy = false
    var held: [Push] = []
    var heldBytes = 0
  }

  let id: String
  /// What the client calls itself.
  let name: String
  let address: String
  let since: Timestamp
  private let sink: any LiveSink
  private let state = Mutex(State())

  init(_ sink: any LiveSink, id: String, name: String, address: String, since: Timestamp) {
    self.sink = sink
    self.id = id
    self.name = name
    self.address = address
    self.since = since
  }

  var principal: Principal { sink.principal }

  var backlogMilliseconds: Int { sink.backlogMilliseconds }

  var attachment: Attachment? { state.withLock { $0.attachment } }

  // MARK: Being attached

  /// From now on events are kept, and none is delivered yet.
  func attach(_ attachment: Attachment) { state.withLock { $0.attachment = attachment } }

  func detach() { state.withLock { $0.attachment = nil } }

  func show(branch: BranchNumber) { state.withLock { $0.attachment?.branch = branch } }

  /// Whether it has got what it starts from.
  var isSettled: Bool { state.withLock { $0.attachment.map { $0.version != .max } ?? false } }

  /// The client is told everything up to a version.
  func knows(_ version: Version) { state.withLock { $0.attachment?.version = version } }

  /// The conversation has another id from now on, and is read anew. Nothing that was told of it before counts.
  func move(to conversation: ConversationID, at version: Version, _ resync: Announcement) {
    state.withLock { state in
      guard let attachment = state.attachment else { return }
      state.attachment = Attachment(
        conversation: conversation, user: attachment.user, branch: Branch.trunk, version: version)
    }
    push(resync)
  }

  // MARK: Speaking

  /// Answers a frame of the client's.
  func answer(_ frame: WebSocketFrame) { sink.tell(Announcement(frame)) }

  /// Keeps pushes back until `release`.
  func hold() { state.withLock { $0.isBusy = true } }

  func release() {
    state.withLock { state in
      state.isBusy = false
      let held = state.held
      (state.held, state.heldBytes) = ([], 0)
      for push in held { deliver(push, &state) }
    }
  }

  /// Hands over an event of a conversation; the client gets it unless it knows that version.
  func push(_ version: Version, of conversation: ConversationID, _ announcement: Announcement) {
    push(.event(conversation, version, announcement))
  }

  /// Hands over something that every client of a conversation gets.
  func push(_ announcement: Announcement) { push(.other(announcement)) }

  private func push(_ push: Push) {
    state.withLock { state in
      guard state.isBusy else { return deliver(push, &state) }
      state.held.append(push)
      state.heldBytes += push.announcement.frame.buffer.readableBytes
      if state.heldBytes > Limits.liveBacklogBytes {
        (state.held, state.heldBytes) = ([], 0)
        sink.endTooSlow()
      }
    }
  }

  /// Under the lock, so that events leave in their order: sending never waits.
  private func deliver(_ push: Push, _ state: inout State) {
    if case .event(let conversation, let version, _) = push {
      guard let attachment = state.attachment, attachment.conversation == conversation, version > attachment.version
      else { return }
      state.attachment?.version = version
    }
    sink.tell(push.announcement)
  }
}
