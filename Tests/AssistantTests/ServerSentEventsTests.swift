import Testing

@testable import Assistant

@Suite struct ServerSentEventsTests {
  private typealias Event = ServerSentEvent

  private static func event(_ data: String, _ name: String = "message") -> Event {
    Event(name: name, data: Array(data.utf8))
  }

  /// Streams, and what is in them by the standard's words and examples.
  private static let streams: [(String, [Event])] = [
    ("data: YHOO\ndata: +2\ndata: 10\n\n", [event("YHOO\n+2\n10")]),
    (
      ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
      [event("first event"), event("second event"), event(" third event")]
    ),
    // Events without data are none; one of two empty lines has a line feed.
    ("data\n\ndata\ndata\n\ndata:", [event("\n")]),
    ("data:test\n\ndata: test\n\n", [event("test"), event("test")]),
    (
      "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\ndata: 3\n\n",
      [event("73857293", "add"), event("2153", "remove"), event("3")]
    ),
    ("event: gone\n\ndata: x\n\n", [event("x")]),
    (
      "data: a\r\ndata: b\r\n\r\ndata: c\rdata: d\r\rdata: e\n\r\ndata: f\r\n\n",
      [event("a\nb"), event("c\nd"), event("e"), event("f")]
    ),
    ("\u{FEFF}data: marked\n\n", [event("marked")]),
    ("\u{FEFF}\u{FEFF}data: twice\n\n", []),
    ("data: x\n\u{FEFF}data: y\n\n", [event("x")]),
    ("retry: 10\nnonsense\nDATA: x\n data: x\ndatum: x\n:\n\n", []),
    ("data: a:b: c\nevent:x:y\n\n", [event("a:b: c", "x:y")]),
    ("\n\n\r\n\r\r\n\n", []), ("", []), ("data: broken off", []), ("data: broken off\n", []),
    ("data: 日本\u{2028}\u{0B}\u{0}x\n\n", [event("日本\u{2028}\u{0B}\u{0}x")]),
  ]

  @Test(arguments: streams.indices)
  func `a stream has the same events wherever it is split`(number: Int) throws {
    let (text, events) = Self.streams[number]
    let bytes = Array(text.utf8)
    for split in 0...bytes.count {
      var reader = ServerSentEvents(eventBytes: 1_000)
      let found = try reader.take(bytes[..<split]) + reader.take(bytes[split...])
      #expect(found == events, "split at \(split)")
    }
    var reader = ServerSentEvents(eventBytes: 1_000)
    #expect(try bytes.flatMap { try reader.take([$0]) } == events)
  }

  @Test func `bytes that are no UTF-8 stay as they are`() throws {
    var reader = ServerSentEvents(eventBytes: 100)
    #expect(
      try reader.take(Array("data: ".utf8) + [0xFF, 0xC3, 0x0A, 0x0A]) == [Event(name: "message", data: [0xFF, 0xC3])])
  }

  @Test func `a line and an event have a bound, and just below it all is well`() throws {
    let fits = "data: \(String(repeating: "x", count: 94))"
    for (text, isFine) in [
      (fits + "\n\n", true), (fits + "x\n\n", false), (": \(String(repeating: "x", count: 99))", false),
      (fits + "\ndata: aaaa\n\n", true), (fits + "\ndata: aaaaaaaaa\n\n", false),
      (String(repeating: "data: \(String(repeating: "x", count: 40))\n\n", count: 50), true),
      (String(repeating: "data: \(String(repeating: "x", count: 40))\n", count: 3), false),
    ] {
      var reader = ServerSentEvents(eventBytes: 100)
      let code: ModelError.Code?
      do {
        _ = try reader.take(text.utf8)
        code = nil
      } catch {
        code = error.code
      }
      #expect(code == (isFine ? nil : .tooLarge), "\(text)")
    }
  }
}
