import Assistant
import StrictJSON

/// What the demo's assistant says: to the questions of the trips what is written there, to a stranger's what comes
/// nearest.
struct DemoScript: Sendable {
  static let trips: [DemoTrip] = [
    .oslo, .refund, .kyoto, .alps, .interrail, .marrakesh, .patagonia, .team, .lofoten, .honeymoon, .seoul, .edinburgh,
  ]

  private struct Known: Sendable {
    /// Its place in the script.
    var place: Int
    var answers: [String]
    var lookup: DemoTrip.Lookup?
    var words: Set<String>
  }

  private let known: [String: Known]
  private let random: @Sendable () -> UInt64

  init(random: @escaping @Sendable () -> UInt64) {
    var known: [String: Known] = [:]
    for exchange in Self.trips.flatMap(\.exchanges) {
      /// Writes down what is said to a question.
      func know(_ question: String, _ answers: [String], _ lookup: DemoTrip.Lookup? = nil) {
        known[question] = Known(
          place: known.count, answers: answers, lookup: lookup, words: Self.words(of: question))
      }
      let answers = [exchange.answer] + (exchange.again.map { [$0] } ?? [])
      for question in [exchange.question, exchange.corrected].compactMap(\.self) {
        know(question, answers, exchange.lookup)
      }
      if let (question, answer) = exchange.instead { know(question, [answer]) }
    }
    (self.known, self.random) = (known, random)
  }

  /// What a model says to a question.
  func reply(to question: String) -> ScriptModel.Reply {
    let found = known[question] ?? nearest(to: question)
    let answers = found?.answers ?? Self.evasions
    let call = found?.lookup.map { ScriptModel.Call($0.tool, $0.object, announcement: $0.announcement) }
    return ScriptModel.Reply(
      answers[Int(random() % UInt64(answers.count))], call: call, delay: Self.fastest + Int(random() % Self.spread))
  }

  /// Milliseconds from piece to piece: 20 to 45 tokens a second, as services have it.
  private static let fastest = 22
  private static let spread: UInt64 = 30

  private static let evasions = [
    "I can help you with trains, flights, rooms and what to do when you are there. Where would you like to go, and when?",
    "Gladly. Tell me the place, how many you are, and which days; then I look what is free.",
    "Let me make sure that I understand: is it about a trip that you have booked, or one that we plan together?",
  ]

  // MARK: A stranger's question

  /// The question that shares the most words with it, if that is two or more; the first of several.
  private func nearest(to question: String) -> Known? {
    let words = Self.words(of: question)
    let shared = known.values.map { (known: $0, count: words.intersection($0.words).count) }
    let best = shared.max { ($0.count, $1.known.place) < ($1.count, $0.known.place) }
    return best.flatMap { $0.count >= 2 ? $0.known : nil }
  }

  /// Its words of four letters and more, in lower case.
  private static func words(of text: String) -> Set<String> {
    Set(text.lowercased().split { !$0.isLetter && !$0.isNumber }.filter { $0.count >= 4 }.map(String.init))
  }

  // MARK: Tools

  /// Milliseconds that a tool takes.
  private static let toolMilliseconds = 700

  /// The tools that the trips look things up with.
  static var tools: [Tool] {
    let lookups = Dictionary(grouping: trips.flatMap(\.exchanges).compactMap(\.lookup), by: \.tool)
    return lookups.sorted { $0.key < $1.key }.map { name, lookups in
      Tool(name: name, description: "Looks up \(name).", schema: #"{"type":"object"}"#) { arguments in
        try await Task.sleep(for: .milliseconds(toolMilliseconds))
        let text = JSONValue.object(arguments).canonicalText()
        guard let found = lookups.first(where: { JSONValue.object($0.object).canonicalText() == text }) else {
          throw ToolError("Nothing is known about that.")
        }
        return found.result
      }
    }
  }
}
