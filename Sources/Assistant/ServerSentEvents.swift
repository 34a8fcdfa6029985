/// One event of an event stream.
struct ServerSentEvent: Equatable {
  /// What the stream calls it; `message` if it does not say.
  var name: String
  /// Its lines, with line feeds between them. Not yet known to be UTF-8.
  var data: [UInt8]
}

/// Reads an event stream as the HTML standard describes it (html.spec.whatwg.org, "Server-sent events"):
/// lines end with CR, LF or both; a blank line ends an event; one without data is none, and neither is one
/// that the stream breaks off in. Ids and reconnection times are read over: nobody reconnects.
struct ServerSentEvents {
  /// Bytes of a line, and of the data of an event.
  private let eventBytes: Int
  private var line: [UInt8] = []
  private var name: [UInt8] = []
  private var data: [UInt8] = []
  private var hasData = false
  private var isBehindCarriageReturn = false
  private var isFirstLine = true

  init(eventBytes: Int) {
    self.eventBytes = eventBytes
  }

  /// Takes what came next, and gives the events that it completes.
  ///
  /// - Throws: `.tooLarge` for a line or an event of more than `eventBytes`.
  mutating func take(_ bytes: some Sequence<UInt8>) throws(ModelError) -> [ServerSentEvent] {
    var events: [ServerSentEvent] = []
    for byte in bytes {
      let isSecondHalf = isBehindCarriageReturn && byte == Self.lineFeed
      isBehindCarriageReturn = byte == Self.carriageReturn
      if isSecondHalf { continue }
      if byte == Self.lineFeed || byte == Self.carriageReturn {
        if let event = try endLine() { events.append(event) }
      } else {
        guard line.count < eventBytes else { throw tooLarge }
        line.append(byte)
      }
    }
    return events
  }

  private static let lineFeed: UInt8 = 0x0A
  private static let carriageReturn: UInt8 = 0x0D

  private var tooLarge: ModelError {
    ModelError(.tooLarge, detail: "an event has more than \(eventBytes) bytes")
  }

  /// - Returns: The event that this line ends, if it does.
  private mutating func endLine() throws(ModelError) -> ServerSentEvent? {
    defer { line.removeAll(keepingCapacity: true) }
    if isFirstLine {
      isFirstLine = false
      let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
      if line.starts(with: mark) { line.removeFirst(mark.count) }
    }
    guard !line.isEmpty else { return endEvent() }
    let field = line.prefix { $0 != UInt8(ascii: ":") }
    var value = line.dropFirst(field.count + 1)
    if value.first == UInt8(ascii: " ") { value.removeFirst() }
    // A comment has an empty field; fields that nobody knows are ignored alike.
    if field.elementsEqual("data".utf8) {
      guard data.count + value.count < eventBytes else { throw tooLarge }
      if hasData { data.append(Self.lineFeed) }
      data += value
      hasData = true
    } else if field.elementsEqual("event".utf8) {
      name = Array(value)
    }
    return nil
  }

  private mutating func endEvent() -> ServerSentEvent? {
    defer {
      name = []
      data = []
      hasData = false
    }
    // A lone empty line of data is no data either.
    guard !data.isEmpty else { return nil }
    return ServerSentEvent(name: name.isEmpty ? "message" : String(decoding: name, as: UTF8.self), data: data)
  }
}
