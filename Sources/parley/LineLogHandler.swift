import ConversationModel
import ConversationServer
import Glibc
import Logging
import StoreSQL
import StrictJSON

/// Writes one line an event to standard error: logfmt for people, JSON for machines.
///
/// Messages and metadata are Parley's own words and ids; text from users never gets here. What comes
/// from elsewhere all the same (a request id, a file name) is escaped, so that no value can break a line
/// or reach the terminal as a control sequence.
struct LineLogHandler: LogHandler {
  enum Format { case logfmt, json }

  let format: Format
  let label: String
  /// Keeps the latest for those who watch the server.
  let ring: LogRing
  /// Whether lines are written: not over the screens of a dashboard, which show the ring.
  let writes: Bool
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]

  init(label: String, format: Format, level: Logger.Level, ring: LogRing, writes: Bool = true) {
    self.ring = ring
    self.writes = writes
    self.label = label
    self.format = format
    logLevel = level
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    // Hummingbird puts an id of its own on every logger; ours says more.
    var fields = metadata.merging(event.metadata ?? [:]) { _, new in new }
    fields["hb.request.id"] = nil
    if let error = event.error { fields["error"] = "\(error)" }
    let now = StoreEnvironment.system.now()
    let time = now.description
    let message = event.message.description
    let sorted = fields.map { (key: $0.key, value: $0.value.description) }.sorted { $0.key < $1.key }
    ring.append(
      time: now, level: event.level.rawValue, message: Self.shown(message),
      fields: sorted.map { LogPage.Record.Field($0.key, Self.shown($0.value)) })
    guard writes else { return }
    let line =
      switch format {
      case .logfmt: logfmt(time, event.level, message, sorted)
      case .json: json(time, event.level, message, sorted)
      }
    writeAll(line + "\n", to: STDERR_FILENO)
  }

  private func logfmt(
    _ time: String, _ level: Logger.Level, _ message: String, _ fields: [(key: String, value: String)]
  ) -> String {
    var line = "time=\(time) level=\(level.rawValue) message=\(Self.quoted(message))"
    for (key, value) in fields { line += " \(key)=\(Self.quoted(value))" }
    return line
  }

  private func json(
    _ time: String, _ level: Logger.Level, _ message: String, _ fields: [(key: String, value: String)]
  ) -> String {
    var writer = JSONWriter()
    writer.beginObject()
    for (key, value) in [("time", time), ("level", level.rawValue), ("message", message)] + fields {
      writer.key(key)
      writer.string(Self.escaped(value))
    }
    writer.endObject()
    return writer.text
  }

  /// Characters of a message or a field in the ring: an error of another system may be long.
  private static let ringScalars = 500

  private static func shown(_ text: String) -> String {
    escaped(String(String.UnicodeScalarView(text.unicodeScalars.prefix(ringScalars))))
  }

  /// Bare if nothing in it could be misread, else in quotes.
  private static func quoted(_ text: String) -> String {
    let isBare = !text.isEmpty && text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "\"" && $0 != "=" }
    let escaped = escaped(text)
    if isBare, escaped == text { return text }
    var quoted = String.UnicodeScalarView()
    for scalar in escaped.unicodeScalars {
      if scalar == "\"" { quoted.append("\\") }
      quoted.append(scalar)
    }
    return "\"\(String(quoted))\""
  }

  /// Control characters and those that turn the direction of text become `\u{…}`; a backslash is doubled.
  private static func escaped(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if scalar == "\\" { result.append(scalar) }
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
        result.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
      default: result.append(scalar)
      }
    }
    return String(result)
  }
}
