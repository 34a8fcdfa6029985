import ConversationModel
import TerminalCanvas
import Testing

@testable import Dashboard

/// The open thread as a file, from the key to the notice.
@Suite struct ExportPlayTests {
  private static let name = "conversation-\(Warehouse().conversation.id)"

  private func prompt(_ play: Play) -> ExportPrompt? {
    if case .export(let prompt) = play.model.overlay { prompt } else { nil }
  }

  @Test func `e offers a name, Tab the next format, and Enter has the branch on the screen written`() {
    var play = Play.inThread()
    play.play(.character("]"), .character("e"))
    #expect(prompt(play)?.input.text == Self.name + ".md")
    play.play(.tab)
    #expect(prompt(play)?.input.text == Self.name + ".pdf")
    play.play(.tab, .tab)
    #expect(prompt(play)?.input.text == Self.name + ".md")
    play.press(.enter)
    let export = ThreadExport(
      conversation: play.world.conversation.id, branch: 2, format: .markdown, file: Self.name + ".md")
    #expect(play.asked(.export)?.query == .export(export))
    #expect(prompt(play) != nil && play.shows("writing it"))
    play.settle()
    #expect(play.model.overlay == nil && play.shows(Self.name + ".md"))
  }

  @Test(arguments: [
    ("trip.json", ThreadExport.Format.json), ("~/Oslo trip.PDF", .pdf), ("a.json.md", .markdown),
  ])
  func `a name of one's own says by its end what it becomes`(name: String, format: ThreadExport.Format) {
    var play = Play.inThread()
    play.play(.character("e"), .control("u"))
    play.type(name)
    play.press(.enter)
    guard case .export(let export)? = play.asked(.export)?.query else {
      Issue.record("nothing was asked")
      return
    }
    #expect(export.format == format && export.file == name)
  }

  @Test(arguments: ["", "trip", "trip.doc", "md"])
  func `a name without a known end asks nothing and says which there are`(name: String) {
    var play = Play.inThread()
    play.play(.character("e"), .control("u"))
    play.type(name)
    play.press(.enter)
    #expect(play.effects.isEmpty && play.shows("must end in .md, .pdf or .json"))
    play.play(.tab)
    #expect(prompt(play)?.input.text == name + ".md" && prompt(play)?.failure == nil)
  }

  @Test func `what goes wrong stands below the name, which stays to be changed`() {
    var play = Play.inThread()
    play.world.failures[.export] = Failure(code: "invalid", "There is a file trip.md already.")
    play.play(.character("e"), .enter)
    #expect(play.shows("There is a file trip.md already."))
    play.world.failures = [:]
    play.play(.backspace, .character("d"), .enter)
    #expect(play.model.overlay == nil)
  }

  /// With a file being written, its line closed, and the request that stays open.
  private func writing(_ play: inout Play) throws -> (export: ThreadExport, request: Request) {
    play.play(.character("e"))
    play.press(.enter)
    let asked = try #require(play.asked(.export))
    guard case .export(let export) = asked.query else { throw Cancelled() }
    play.effects = []
    play.play(.escape)
    return (export, asked.request)
  }

  private struct Cancelled: Error {}

  @Test
  func `a file takes as long as it takes, through a lost server and a pause, and its end is told wherever one is`()
    throws
  {
    var play = Play.inThread()
    let (export, request) = try writing(&play)
    play.play(.character("1"))
    play.pass(60)
    #expect(play.model.exporting != nil)
    play.world.failures[.status] = Failure(code: "unavailable", "The server is gone.")
    play.settle()
    guard case .lost = play.model.link else {
      Issue.record("the server is still there")
      return
    }
    play.play(.character(" "))
    #expect(play.model.isPaused)
    play.effects = play.model.apply(.answer(.exported(export, bytes: 1_000), to: request), at: play.moment)
    #expect(play.model.exporting == nil && play.shows("are in \(Self.name).md"))
  }

  @Test func `a file that could not be written is named, where its line is gone`() throws {
    var play = Play.inThread()
    let (_, request) = try writing(&play)
    let failure = Failure(code: "unavailable", "The server cannot be reached.")
    play.effects = play.model.apply(.answer(.failure(failure), to: request), at: play.moment)
    #expect(play.shows("\(Self.name).md was not written: The server cannot be reached."))
  }

  @Test(arguments: [true, false]) func `the line of the next file is not touched by the end of the one before`(
    isDone: Bool
  ) throws {
    var play = Play.inThread()
    let (export, request) = try writing(&play)
    play.play(.character("e"), .tab)
    play.press(.enter)
    #expect(play.effects.isEmpty && play.shows("is still being written."))
    let answer = isDone ? Answer.exported(export, bytes: 1) : .failure(Failure(code: "invalid", "The disk is full."))
    play.effects = play.model.apply(.answer(answer, to: request), at: play.moment)
    #expect(prompt(play)?.input.text == Self.name + ".pdf")
    #expect(prompt(play)?.failure?.message != "The disk is full.")
    play.play(.enter)
    #expect(prompt(play) == nil && play.shows("are in \(Self.name).pdf"))
  }

  @Test func `who quits while a file is being written is told once`() throws {
    var play = Play.inThread()
    _ = try writing(&play)
    play.press(.character("q"))
    #expect(!play.model.isOver && play.shows("once more quits"))
    play.press(.character("q"))
    #expect(play.model.isOver)
  }

  @Test func `a path may be long`() {
    var play = Play.inThread()
    play.play(.character("e"), .control("u"))
    let path = "/" + (0..<40).map { "directory\($0)" }.joined(separator: "/") + "/trip.md"
    play.play(.paste(path))
    #expect(prompt(play)?.export?.file == path)
  }

  @Test func `a user exports a thread of one's own`() {
    var play = Play.chat()
    play.play(.escape, .character("x"))
    #expect(prompt(play)?.conversation == play.world.conversation.id)
    play.play(.enter)
    #expect(play.shows("are in \(Self.name).md"))
  }

  @Test func `hostile characters of a name reach no terminal`() {
    var play = Play.inThread()
    play.play(.character("e"), .control("u"))
    play.play(.paste("\u{1B}]0;evil\u{7}\u{202E}x.md"))
    play.play(.enter)
    #expect(!play.canvas.text.unicodeScalars.contains { $0.value == 0x1B || $0.value == 7 || $0.value == 0x202E })
  }
}
