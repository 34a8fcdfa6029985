import ConversationModel
import HTTPTypes
import Hummingbird
import StrictJSON
import Wire

/// An error in the shape that PostgREST gives it, with a PostgreSQL or PGRST code.
///
/// Codes and wording follow PostgreSQL's appendix A and PostgREST's error reference, because the
/// former programs and their client library look at both.
struct PostgRESTError: Error {
  let status: HTTPResponse.Status
  let code: String
  let message: String
  var details: String?
  var hint: String?
  var headers: HTTPFields = [:]
  var underlying: (any Error)?

  init(
    _ status: HTTPResponse.Status, _ code: String, _ message: String, details: String? = nil, hint: String? = nil
  ) {
    self.status = status
    self.code = code
    self.message = message
    self.details = details
    self.hint = hint
  }

  /// What the store or the edge said, for a door that has no words of its own for it.
  init(_ error: ConversationError, status: HTTPResponse.Status) {
    let code: String
    switch error.code {
    case .invalid where error.rule == .numberRange:
      self.init(status, "22003", "value overflows numeric format", details: error.message)
      return
    case .invalid: code = status == .methodNotAllowed ? "PGRST117" : "PGRST102"
    case .unauthenticated: code = "PGRST301"
    case .forbidden: code = "42501"
    case .notFound: code = "PGRST125"
    case .gone, .conflict, .preconditionFailed: code = "23505"
    case .tooLarge: code = "54000"
    case .rateLimited: code = "53400"
    case .unavailable:
      self.init(.serviceUnavailable, "PGRST000", "Database connection error.", details: error.message)
      headers[.retryAfter] = Response.retryAfter
      underlying = error.underlying
      return
    case .internal: code = "XX000"
    }
    self.init(status, code, error.message)
    underlying = error.underlying
  }

  var response: Response {
    .json(status, headers: headers, type: "application/json; charset=utf-8") { writer in
      writer.beginObject()
      writer.field("code", code)
      writer.field("details", details)
      writer.field("hint", hint)
      writer.field("message", message)
      writer.endObject()
    }
  }
}

extension PostgRESTError {
  static let noKey = PostgRESTError(
    .unauthorized, "PGRST301", "No API key found in request", hint: "Send the header apikey with a key of this server.")
  static let wrongKey = PostgRESTError(
    .unauthorized, "PGRST301", "Invalid API key", hint: "Check the key; it lies in the server's data directory.")

  static func token(_ failure: TokenFailure) -> PostgRESTError {
    let message = failure == .expired ? "JWT expired" : "JWT could not be verified"
    var error = PostgRESTError(.unauthorized, failure == .expired ? "PGRST303" : "PGRST301", message)
    error.headers[.wwwAuthenticate] = "Bearer error=\"invalid_token\", error_description=\"\(message)\""
    return error
  }

  /// - Parameters:
  ///   - arguments: The names that the caller gave, in any order.
  ///   - known: Those of them that a function of ours has; they are our own words and stand in full.
  static func noFunction(_ name: String, _ arguments: [String], known: [String] = []) -> PostgRESTError {
    let list = shown(arguments, known: known)
    let name = shown(name)
    let called = arguments.isEmpty ? "\(name) without parameters" : "\(name)(\(list))"
    return PostgRESTError(
      .notFound, "PGRST202", "Could not find the function public.\(called) in the schema cache",
      details: "Searched for the function public.\(name) "
        + (arguments.isEmpty ? "without parameters" : "with parameters \(list)")
        + ", but no matches were found in the schema cache.")
  }

  static func notPermitted(_ function: String, as role: Role) -> PostgRESTError {
    PostgRESTError(
      role == .anonymous ? .unauthorized : .forbidden, "42501", "permission denied for function \(function)",
      hint: "p_user_id must be the caller, unless the service role calls.")
  }

  static func badSyntax(_ type: String, _ input: String) -> PostgRESTError {
    PostgRESTError(
      .badRequest, "22P02", "invalid input syntax for type \(type): \"\(shown(input))\"")
  }

  static func integerRange(_ input: String) -> PostgRESTError {
    PostgRESTError(.badRequest, "22003", "value \"\(shown(input))\" is out of range for type integer")
  }

  static func null(_ column: String, of table: String) -> PostgRESTError {
    PostgRESTError(
      .badRequest, "23502", "null value in column \"\(column)\" of relation \"\(table)\" violates not-null constraint")
  }

  static func noTable(_ name: String) -> PostgRESTError {
    PostgRESTError(.notFound, "PGRST205", "Could not find the table 'public.\(shown(name))' in the schema cache")
  }

  static func noColumn(_ name: String, of table: String) -> PostgRESTError {
    PostgRESTError(.badRequest, "42703", "column \(table).\(shown(name)) does not exist")
  }

  static func notPermitted(onTable table: String, as role: Role, hint: String) -> PostgRESTError {
    PostgRESTError(
      role == .anonymous ? .unauthorized : .forbidden, "42501", "permission denied for table \(table)", hint: hint)
  }

  static func noSuchRange(_ details: String) -> PostgRESTError {
    PostgRESTError(.rangeNotSatisfiable, "PGRST103", "Requested range not satisfiable", details: details)
  }

  /// A part of a query string that cannot be read.
  ///
  /// - Parameter part: What it is: `filter`, `select parameter`, `order` ….
  static func unreadable(_ part: String, _ input: String, _ details: String, hint: String) -> PostgRESTError {
    PostgRESTError(
      .badRequest, "PGRST100", "failed to parse \(part) (\(shown(input)))", details: details, hint: hint)
  }

  /// The part of a caller's input that an error may repeat: 64 characters, none of them a control
  /// character.
  static func shown(_ input: String, _ characters: Int = 64) -> String {
    let plain = input.unicodeScalars.lazy.filter { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
    return String(String.UnicodeScalarView(plain.prefix(characters)))
  }

  /// Sorted names, of which those that are not ours are cut at 64 characters altogether.
  private static func shown(_ names: [String], known: [String]) -> String {
    var left = 64
    var list: [String] = []
    for name in Set(names).sorted() {
      if known.contains(name) {
        list.append(name)
      } else if left > 0 {
        let part = shown(name, left)
        list.append(part)
        left -= max(1, part.unicodeScalars.count)
      }
    }
    return list.joined(separator: ", ")
  }
}
