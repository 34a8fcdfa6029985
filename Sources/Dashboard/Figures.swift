import ConversationModel

/// Numbers as people read them, each in as few columns as says enough.
enum Figures {
  /// `812 B`, `3.1 MB`: decimal units.
  static func bytes(_ count: Int) -> String {
    scaled(Double(count), ["B", "kB", "MB", "GB", "TB", "PB"], space: " ")
  }

  /// `412`, `1.9k`, `3.2M`.
  static func count(_ count: Double) -> String {
    scaled(count, ["", "k", "M", "G", "T"], space: "")
  }

  static func count(_ count: Int) -> String { Self.count(Double(count)) }

  /// All digits, in groups: `1 204`.
  static func grouped(_ count: Int) -> String {
    let digits = Array(String(count.magnitude))
    var text = count < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text.append(" ") }
      text.append(digit)
    }
    return text
  }

  private static func scaled(_ value: Double, _ units: [String], space: String) -> String {
    guard value.isFinite else { return "-" }
    var value = value
    var unit = 0
    while value.magnitude >= 999.5, unit < units.count - 1 {
      value /= 1_000
      unit += 1
    }
    let number = unit == 0 || value.magnitude >= 99.5 ? decimals(value, 0) : decimals(value, 1)
    return number + (units[unit].isEmpty ? "" : space + units[unit])
  }

  /// A number with so many decimals, rounded.
  static func decimals(_ value: Double, _ places: Int) -> String {
    guard value.isFinite, value.magnitude < 1e15 else { return "-" }
    let scale = places == 0 ? 1 : places == 1 ? 10.0 : places == 2 ? 100.0 : 1_000.0
    let scaled = Int((value.magnitude * scale).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard places > 0 else { return sign + String(scaled) }
    let fraction = String(scaled % Int(scale))
    return sign + "\(scaled / Int(scale))." + String(repeating: "0", count: places - fraction.count) + fraction
  }

  /// `0.8ms`, `41ms`, `2.4s`, `3m05s`: of microseconds.
  static func latency(_ microseconds: Int) -> String {
    let milliseconds = Double(microseconds) / 1_000
    if milliseconds < 9.95 { return decimals(milliseconds, 1) + "ms" }
    return duration(milliseconds: Int(milliseconds.rounded()))
  }

  /// `4ms`, `2.4s`, `3m05s`, `2h10m`, `3d04h`.
  static func duration(milliseconds: Int) -> String {
    let milliseconds = max(0, milliseconds)
    if milliseconds < 1_000 { return "\(milliseconds)ms" }
    if milliseconds < 9_950 { return decimals(Double(milliseconds) / 1_000, 1) + "s" }
    return age(Int64(milliseconds) * 1_000)
  }

  /// `42s`, `3m05s`, `2h10m`, `3d04h`: of microseconds, in whole seconds.
  static func age(_ microseconds: Int64) -> String {
    let seconds = max(0, microseconds / 1_000_000)
    if seconds < 60 { return "\(seconds)s" }
    if seconds < 3_600 { return "\(seconds / 60)m\(two(seconds % 60))s" }
    if seconds < 86_400 { return "\(seconds / 3_600)h\(two(seconds / 60 % 60))m" }
    return "\(seconds / 86_400)d\(two(seconds / 3_600 % 24))h"
  }

  /// `now`, `5m`, `3h`, `12d`: of microseconds, in the one unit that says most.
  static func briefAge(_ microseconds: Int64) -> String {
    let seconds = max(0, microseconds / 1_000_000)
    if seconds < 60 { return "now" }
    if seconds < 3_600 { return "\(seconds / 60)m" }
    return seconds < 86_400 ? "\(seconds / 3_600)h" : "\(seconds / 86_400)d"
  }

  /// Local time of day: `14:07:32`.
  static func clock(_ time: Timestamp, offset: Int) -> String {
    let seconds = floorSeconds(time) + Int64(offset)
    let day = ((seconds % 86_400) + 86_400) % 86_400
    return "\(two(day / 3_600)):\(two(day / 60 % 60)):\(two(day % 60))"
  }

  /// Local date and time: `2026-11-24 14:07`.
  static func day(_ time: Timestamp, at moment: Moment) -> String {
    let text = moved(time, Int64(moment.offset) * 1_000_000).description
    return "\(text.prefix(10)) \(text.dropFirst(11).prefix(5))"
  }

  /// Local time of day, with the date if that is not today's: `2026-11-24 14:07`.
  static func time(_ time: Timestamp, at moment: Moment) -> String {
    let offset = Int64(moment.offset) * 1_000_000
    let date = String(moved(time, offset).description.prefix(10))
    let today = String(moved(moment.wall, offset).description.prefix(10))
    let clock = clock(time, offset: moment.offset)
    return date == today ? clock : "\(date) \(clock.prefix(5))"
  }

  private static func moved(_ time: Timestamp, _ microseconds: Int64) -> Timestamp {
    Timestamp(microseconds: time.microseconds.addingReportingOverflow(microseconds).partialValue)
  }

  private static func floorSeconds(_ time: Timestamp) -> Int64 {
    let seconds = time.microseconds / 1_000_000
    return time.microseconds % 1_000_000 < 0 ? seconds - 1 : seconds
  }

  private static func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }

  /// The first eight characters of an id, and two dots.
  static func short<Entity>(_ id: Identifier<Entity>) -> String { id.description.prefix(6) + ".." }
}
