import StrictJSON

/// One conversation of the demo's: what a traveller asks, and what the assistant says to it.
struct DemoTrip: Sendable {
  /// The `session_id`.
  let session: String
  /// What different travellers call it.
  let titles: [String]
  let exchanges: [Exchange]
  /// What is said without a question, such as while no answer is to be had.
  let notes: [String]

  init(_ session: String, _ titles: [String], _ exchanges: [Exchange], notes: [String]) {
    (self.session, self.titles, self.exchanges, self.notes) = (session, titles, exchanges, notes)
  }

  /// A question with its answer, and what else may become of the two.
  struct Exchange: Sendable {
    let question: String
    let answer: String
    /// Another answer, for who wants one.
    let again: String?
    /// Another question in the place of this one, on a branch of its own, and its answer.
    let instead: (question: String, answer: String)?
    /// The question without its slip of the pen, in place.
    let corrected: String?
    let lookup: Lookup?

    init(
      _ question: String, _ answer: String, again: String? = nil, instead: (String, String)? = nil,
      corrected: String? = nil, lookup: Lookup? = nil
    ) {
      (self.question, self.answer, self.again, self.instead) = (question, answer, again, instead)
      (self.corrected, self.lookup) = (corrected, lookup)
    }
  }

  /// A tool that the assistant uses before it answers.
  struct Lookup: Sendable {
    let tool: String
    /// An object, in JSON.
    let arguments: String
    let result: String
    let announcement: String

    init(_ tool: String, _ arguments: String, _ result: String, announcement: String = "Let me look that up.") {
      (self.tool, self.arguments, self.result, self.announcement) = (tool, arguments, result, announcement)
    }

    var object: JSONObject { (try? JSONReader.read(arguments))?.object ?? JSONObject() }
  }
}
