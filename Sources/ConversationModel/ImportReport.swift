/// What became of an import.
public struct ImportReport: Hashable, Sendable {
  /// Taken, and there was nothing of them before.
  public var conversations: Int
  /// In them, deleted ones not counted.
  public var messages: Int
  /// What was not taken, in the order of the file: the first `Limits.reportedSkips`.
  public private(set) var skipped: [SkippedPiece]
  /// All that was not taken.
  public private(set) var skippedCount: Int
  /// Of these the conversations that were here before: nothing is missing of them.
  public private(set) var presentCount: Int

  public init(
    conversations: Int = 0, messages: Int = 0, skipped: [SkippedPiece] = [], skippedCount: Int = 0,
    presentCount: Int = 0
  ) {
    self.conversations = conversations
    self.messages = messages
    self.skipped = skipped
    self.skippedCount = skippedCount
    self.presentCount = presentCount
  }

  public mutating func skip(_ piece: SkippedPiece) {
    skippedCount += 1
    if piece.isPresent { presentCount += 1 }
    // What is here already is listed shortly, so that there is room for what is missing.
    let places = piece.isPresent ? Limits.reportedPresent : Limits.reportedSkips
    if skipped.count < places { skipped.append(piece) }
  }
}

/// Something of a file that is left out, and why. Neither repeats any text of the file's.
public struct SkippedPiece: Hashable, Sendable {
  /// `conversation 3, message 17`, `byte 1023`.
  public var place: String
  /// A sentence for a person.
  public var why: String

  /// A conversation that was here before.
  public static func present(at place: String) -> SkippedPiece {
    SkippedPiece(place: place, why: "It is here already.")
  }
  public var isPresent: Bool { self == .present(at: place) }

  public init(place: String, why: String) {
    self.place = place
    self.why = why
  }
}
