import Assistant
import ConversationModel
import StrictJSON
import Wire

/// What the hub knows of an answer that is being written.
struct LiveTurn {
  let turn: Turn
  /// How much of it those who look were told, in bytes and in scalars.
  private var told = (bytes: 0, scalars: 0)
  private var tokens = 0
  /// Tools that were run before anybody could know of the answer; bounded by the rounds of a turn.
  var held: [ToolUse] = []
  /// Why the answer ends early.
  var failure: ConversationError?
  /// Pieces of each of the latest half seconds.
  private var latest: [(slot: Int, pieces: Int)] = []
  private let began = ContinuousClock.now

  private static let slots = 6
  private static let slotMilliseconds = 500

  init(_ turn: Turn) {
    self.turn = turn
  }

  /// A piece has come; services send about a token in each.
  mutating func takePiece() {
    tokens += 1
    let slot = slot()
    if latest.last?.slot == slot { latest[latest.count - 1].pieces += 1 } else { latest.append((slot, 1)) }
    latest.removeAll { $0.slot <= slot - Self.slots }
  }

  /// The piece that nobody was told yet; from now on everybody was.
  mutating func takeUntold() -> Announcement? {
    let text = turn.text
    guard told.bytes < text.utf8.count else { return nil }
    let piece = String(text[text.utf8.index(text.utf8.startIndex, offsetBy: told.bytes)...])
    defer { told = (text.utf8.count, told.scalars + piece.unicodeScalars.count) }
    return delta(offset: told.scalars, piece)
  }

  /// The tools that nobody was told of yet; from now on everybody was.
  mutating func takeHeld() -> [Announcement] {
    defer { held = [] }
    return held.map(tool)
  }

  private func slot() -> Int { Int((ContinuousClock.now - began) / .milliseconds(Self.slotMilliseconds)) }

  var session: LiveSession.Turn {
    let slot = slot()
    let pieces = latest.reduce(0) { $0 + ($1.slot > slot - Self.slots ? $1.pieces : 0) }
    let seconds = Double(min(slot + 1, Self.slots) * Self.slotMilliseconds) / 1_000
    return LiveSession.Turn(
      id: turn.id.description, branch: turn.branch, since: turn.since, tokens: tokens,
      tokensPerSecond: Double(pieces) / seconds)
  }

  // MARK: Frames

  private func delta(offset: Int, _ text: String) -> Announcement {
    Announcement(
      LiveHub.frame { writer in
        writer.beginFrame("delta")
        writer.field("turn_id", turn.id)
        writer.delta(offset: offset, text)
        writer.endObject()
      }, .event(.delta(turn: turn.id, offset: offset, text: text)))
  }

  func tool(_ use: ToolUse) -> Announcement {
    Announcement(
      LiveHub.frame { writer in
        writer.beginFrame("tool")
        writer.field("turn_id", turn.id)
        writer.toolUse(use)
        writer.endObject()
      }, .event(.tool(turn: turn.id, use)))
  }

  func done(_ message: Message) -> Announcement {
    Announcement(
      LiveHub.frame { writer in
        writer.beginFrame("done")
        writer.field("turn_id", turn.id)
        writer.key("message")
        writer.message(message)
        writer.turnFailure(failure)
        writer.endObject()
      }, .event(.done(turn: turn.id, message, failure: failure)))
  }

  /// All that was told so far, for whoever comes in the middle; nil if that is nothing.
  var draft: Announcement? {
    guard told.bytes > 0 else { return nil }
    let text = String(Substring(turn.text.utf8.prefix(told.bytes)))
    return Announcement(
      LiveHub.frame { writer in
        writer.beginFrame("draft")
        writer.field("turn_id", turn.id)
        writer.field("message_id", turn.id)
        writer.field("text", text)
        writer.endObject()
      }, .event(.draft(turn: turn.id, text: text)))
  }
}
