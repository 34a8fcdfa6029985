/// Every bound a client can meet, with its unit. `GET /v1/limits` publishes the ones that doors
/// enforce; the store enforces the others. Beyond a limit the answer is an error, never a cut.
public enum Limits {
  /// Bytes of one request body: four full-size messages with their metadata.
  public static let bodyBytes = 1_048_576
  /// UTF-8 bytes of one message's text: a short book chapter; more belongs into a file.
  public static let contentBytes = 262_144
  /// Bytes of canonical JSON in metadata, entities or context.
  public static let objectBytes = 65_536
  /// Levels of nesting in metadata, entities or context.
  public static let objectDepth = 32
  /// Bytes of one answer that a client of the native door reads: a page of 200 messages of full size.
  public static let replyBytes = 67_108_864
  /// Levels of nesting in a request body: an object, a list of messages, a message, its metadata.
  public static let bodyDepth = objectDepth + 3
  /// Unicode scalars of a conversation's or a branch's title.
  public static let titleScalars = 200
  /// Branches that are looked at for a title, and messages of each: the first ones may be blank.
  public static let titleMessages = 20
  /// Unicode scalars of a session id or a client id.
  public static let keyScalars = 255
  /// Unicode scalars of an intent: a label, not a text.
  public static let intentScalars = 255
  /// Items of one page.
  public static let pageItems = 1...200
  /// Items of a page when the caller names no number.
  public static let defaultPageItems = 20
  /// Messages in one append.
  public static let appendMessages = 1...100
  /// Bytes of one header field of a request: a token fits many times over.
  public static let headerFieldBytes = 16_384
  /// Bytes of all header fields of a request.
  public static let headerBytes = 32_768
  /// Header fields of a request: a browser and two proxies add some thirty.
  public static let headerFields = 100
  /// Bytes of a frame's `ref`, as JSON.
  public static let refBytes = 256
  /// Changes that an attaching client may have missed; with more it is given a page instead.
  public static let missedChanges = 1_000
  /// Bytes that wait for one live client; then it is too slow.
  public static let liveBacklogBytes = 1_048_576
  /// Characters of what a live client calls itself.
  public static let clientNameScalars = 100
  /// Bytes of one WebSocket frame.
  public static let frameBytes = 1_048_576
  /// Forks between a branch and the trunk.
  public static let forkDepth = 1_000
  /// Characters of a cursor: far more than any that Parley makes.
  public static let cursorCharacters = 512
  /// Unicode scalars of the text that a list of conversations is filtered by.
  public static let filterScalars = 200

  /// Commands that wait for the writer; one more is refused as `unavailable`. A few full batches, so
  /// that a waiting client learns within about a second that the store cannot follow.
  public static let queuedCommands = 4_096
  /// Commands that commit together: enough to make the sync cheap, few enough to keep it short.
  public static let batchCommands = 256
  /// Reads that wait for a reader; one more is refused as `unavailable`.
  public static let queuedReads = 4_096
  /// Bytes of text after which a page of changes ends at the next version.
  public static let changesBytes = 1_048_576
  /// Rows that one step of an erasure deletes before other writers get their turn.
  public static let eraseRows = 500
  /// Steps of an erasure that its caller waits for before the answer becomes `pending`.
  public static let eraseStepsAwaited = 40
}
