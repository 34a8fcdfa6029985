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
  /// Milliseconds for which a change waits before its session counts as stalled: a person notices by then.
  public static let stalledMilliseconds = 2_000
  /// Records that a server keeps of its log for those who watch it: an hour of a quiet server.
  public static let logRecords = 1_000
  /// Events that wait for a reader of a live connection inside the program; then it is too slow.
  public static let liveEvents = 1_024
  /// Messages of one live connection that wait for their answer; one more is refused.
  public static let liveSends = 64
  /// Bytes of one WebSocket frame.
  public static let frameBytes = 1_048_576
  /// Bytes of one message that a client of the live door reads: half a mebibyte of text and objects and one
  /// full-size message more, all of it characters that JSON writes in six bytes.
  public static let serverFrameBytes = 8_388_608
  /// Forks between a branch and the trunk.
  public static let forkDepth = 1_000
  /// Characters of a cursor: far more than any that Parley makes.
  public static let cursorCharacters = 512
  /// Unicode scalars of the text that a list of conversations is filtered by.
  public static let filterScalars = 200
  /// Unicode scalars of a search: a hundred words at most.
  public static let searchScalars = 200
  /// Unicode scalars of the part of a message that a hit shows, without the marks of what was left out.
  public static let snippetScalars = 160
  /// Bytes of text after which a page of hits ends.
  public static let searchBytes = 1_048_576
  /// Messages that are looked at for one page of hits among a user's: some are not on the active path, or hold the pairs of a
  /// run but not the run.
  public static let searchRows = 2_000
  /// Messages of everybody, and bytes of their texts, that are read for one page of hits of the service role's: a tenth of a
  /// second.
  public static let searchReadRows = 20_000
  public static let searchReadBytes = 16_777_216

  /// Commands that wait for the writer; one more is refused as `unavailable`. A few full batches, so
  /// that a waiting client learns within about a second that the store cannot follow.
  public static let queuedCommands = 4_096
  /// Commands that commit together: enough to make the sync cheap, few enough to keep it short.
  public static let batchCommands = 256
  /// Records in the spool: an hour of a busy server's messages. One more is refused as `unavailable`.
  public static let spoolRecords = 200_000
  /// Bytes of text and objects in the spool: those records at some five kilobytes, and a fraction of the
  /// smallest disk.
  public static let spoolBytes = 1_073_741_824
  /// Records that were sent to the store together while the spool drains, and the bytes after which a batch
  /// ends: enough to share commits, little enough to hold in memory.
  public static let drainRecords = 256
  public static let drainBytes = 4_194_304
  /// Tries after which a record that makes the store fail, although it is up, becomes a dead letter.
  public static let drainTries = 5
  /// Milliseconds that the store has for one command; then its outcome counts as unknown.
  public static let commandMilliseconds = 2_000
  /// Seconds between two canaries; after one that failed, the next comes after a single one.
  public static let canarySeconds = 30
  /// Milliseconds between two looks at a store that is down.
  public static let probeMilliseconds = 500
  /// Sessions that a server remembers for the time that the store is down: those of a day.
  public static let knownSessions = 10_000
  /// Messages that it remembers of each: the page that a client opens with.
  public static let knownMessages = defaultPageItems
  /// Bytes of all messages that it remembers; beyond, those of the sessions not used for longest go.
  public static let knownBytes = 16_777_216
  /// Milliseconds after which what it remembers of sessions is written down.
  public static let knownMilliseconds = 2_000
  /// Ids that stand for others, because the store knew a session or message already when the spool drained.
  public static let spoolAliases = 100_000
  /// Reads that wait for a reader; one more is refused as `unavailable`.
  public static let queuedReads = 4_096
  /// Bytes of text after which a page of changes ends at the next version.
  public static let changesBytes = 1_048_576
  /// Bytes of one file that is imported.
  public static let importBytes = 268_435_456
  /// Bytes of one record of an imported file, which is held in memory: a message with a hundred earlier texts of full size, or a
  /// whole conversation of another system.
  public static let recordBytes = 33_554_432
  /// Things that were not taken which the report of an import names; beyond, they are only counted.
  public static let reportedSkips = 1_000
  /// Conversations that were here before which it names.
  public static let reportedPresent = 100
  /// Imports at one time; one more waits for some seconds and is then refused as `unavailable`.
  public static let imports = 2
  public static let importsOfOne = 1
  public static let importWaitSeconds = 30
  /// Seconds that an import waits, in all, for what holds the ids of its conversations and is being erased.
  public static let importErasureSeconds = 60
  /// Files to import that are on their way in at one time, of all and of one user; one more is refused as `unavailable`.
  public static let uploads = 8
  public static let uploadsOfOne = 2
  /// Exports at one time, each some pieces of text in memory or the glyphs of a PDF; one more is refused as `unavailable`.
  public static let exports = 16
  public static let exportsOfOne = 4
  /// Ids of conversations that are read at once for an export of all.
  public static let archivedIDs = 10_000
  /// Bytes of text after which a part of an export ends, and a batch of an import.
  public static let archivedBytes = 1_048_576
  /// Rows that one step of an erasure deletes before other writers get their turn.
  public static let eraseRows = 500
  /// Steps of an erasure that its caller waits for before the answer becomes `pending`.
  public static let eraseStepsAwaited = 40
  /// Bytes of words that wait for the end of a transaction; with more they are written in its middle.
  public static let lateBytes = 4_194_304
  /// Milliseconds that the caller of an erasure waits for the last of it, which others may hold up.
  public static let eraseMilliseconds = 5_000
  /// Messages of an earlier Parley that are put into the search index in one transaction.
  public static let indexRows = 1_000
  /// Pages of the search index that are tidied in one step while the store is idle: a millisecond or two.
  public static let tidyPages = 64
  /// Milliseconds between two looks at whether the store is idle.
  public static let tidyMilliseconds = 1_000
  /// Seconds between two purges of the search index, each of which writes all of it anew.
  public static let purgeSeconds = 600
}
