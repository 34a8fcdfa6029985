import ConversationModel
import HTTPTypes
import StrictJSON

/// One function that the former programs call, by its arguments' names.
struct RPCSignature {
  let name: String
  /// Arguments without a default.
  let required: [String]
  let optional: [String]
  /// Whether it changes something, so that a GET must not call it.
  let writes: Bool
}

/// The arguments of one call, by name.
///
/// Values are taken as PostgreSQL takes the fields of a JSON record: a number may come as a string
/// and a text as a number, and a missing argument is its default.
struct RPCArguments {
  private let values: JSONObject

  /// - Throws: PGRST102 for anything but an object; PGRST202 for a missing or unknown argument.
  init(_ json: JSONValue, of signature: RPCSignature) throws(PostgRESTError) {
    guard let object = json.object else {
      throw PostgRESTError(.badRequest, "PGRST102", "The body must be a JSON object of arguments by name.")
    }
    let names = object.members.map(\.key)
    let known = signature.required + signature.optional
    guard names.allSatisfy(known.contains), signature.required.allSatisfy(names.contains) else {
      throw .noFunction(signature.name, names, known: known)
    }
    values = object
  }

  /// The arguments of a GET: every value is a text, and JSON where the argument is.
  init(query: [(name: String, value: String)], of signature: RPCSignature) throws {
    let members = try query.map { name, value in
      guard Self.jsonArguments.contains(name) else { return JSONObject.Member(key: name, value: .string(value)) }
      do {
        return JSONObject.Member(
          key: name, value: try JSONReader.read(value, limits: JSONLimits(depth: Limits.bodyDepth)))
      } catch {
        throw PostgRESTError.badSyntax("json", value)
      }
    }
    guard let object = JSONObject(members: members) else {
      throw PostgRESTError.noFunction(
        signature.name, query.map(\.name), known: signature.required + signature.optional)
    }
    try self.init(.object(object), of: signature)
  }

  private static let jsonArguments = ["p_context", "p_entities", "p_metadata"]

  /// Nil when missing or null.
  func uuid<Entity>(_ name: String) throws(PostgRESTError) -> Identifier<Entity>? {
    guard let text = text(name) else { return nil }
    guard let id = Identifier<Entity>(postgres: text) else { throw .badSyntax("uuid", text) }
    return id
  }

  /// The text form of any value; nil when missing or null.
  func text(_ name: String) -> String? {
    guard let value = present(name) else { return nil }
    return value.string ?? value.canonicalText()
  }

  func integer(_ name: String) throws(PostgRESTError) -> Int? {
    guard let text = text(name) else { return nil }
    return try Int(postgres: text)
  }

  func confidence(_ name: String) throws(PostgRESTError) -> Confidence? {
    guard let text = text(name) else { return nil }
    guard let number = JSONNumber(literal: String(text.trimmingSpaces)) else { throw .badSyntax("numeric", text) }
    guard let confidence = Confidence(rounding: number.double) else {
      throw PostgRESTError(
        .badRequest, "22003", "numeric field overflow",
        details: "A field with precision 3, scale 2 must round to an absolute value less than 10^1.")
    }
    return confidence
  }

  /// Any JSON value in canonical form; null and a missing one are nil.
  func json(_ name: String) throws(PostgRESTError) -> JSONText? {
    guard let value = present(name) else { return nil }
    guard value.depth <= Limits.objectDepth else {
      throw PostgRESTError(
        .badRequest, "54001", "The argument \(name) may be nested \(Limits.objectDepth) levels deep at most.")
    }
    return JSONText(canonical: value.canonicalText())
  }

  private func present(_ name: String) -> JSONValue? {
    guard let value = values[name], !value.isNull else { return nil }
    return value
  }
}
