public import ConversationModel
public import StrictJSON

/// Takes the fields of a JSON object one by one, and says clearly what is wrong with them.
///
/// A field may be absent, null or a value, and requests mean different things by the first two. A
/// field that nobody asked for is refused: a mistyped `client_id` must not quietly lose its promise.
public struct ObjectReader {
  private let object: JSONObject

  /// - Parameters:
  ///   - value: Must be an object.
  ///   - fields: All that may stand in it.
  /// - Throws: `.invalid` for anything but an object and for an unknown field.
  public init(_ value: JSONValue, allowing fields: [String]) throws(ConversationError) {
    guard let object = value.object else {
      throw ConversationError(.invalid, "The body must be a JSON object, not \(value.typeName).")
    }
    // By bytes: `String ==` would take a decomposed spelling for the field.
    guard object.members.allSatisfy({ member in fields.contains { $0.utf8.elementsEqual(member.key.utf8) } }) else {
      throw ConversationError(
        .invalid, "The body has a field that is not known here; allowed are \(fields.joined(separator: ", ")).")
    }
    self.object = object
  }

  public func has(_ field: String) -> Bool { object[field] != nil }

  /// Whether the field is there and null.
  public func isNull(_ field: String) -> Bool { object[field]?.isNull ?? false }

  /// Nil when the field is absent or null.
  public func string(_ field: String) throws(ConversationError) -> String? {
    guard let value = present(field) else { return nil }
    guard let string = value.string else { throw wrongType(field, "a string") }
    return string
  }

  /// A string that must be there.
  public func requiredString(_ field: String) throws(ConversationError) -> String {
    guard let string = try string(field) else {
      throw ConversationError(.invalid, "The field \(field) is missing; it must be a string.", field: field)
    }
    return string
  }

  public func boolean(_ field: String) throws(ConversationError) -> Bool? {
    guard let value = present(field) else { return nil }
    guard let bool = value.bool else { throw wrongType(field, "true or false") }
    return bool
  }

  /// A whole number that is not negative.
  public func count(_ field: String) throws(ConversationError) -> Int? {
    guard let value = present(field) else { return nil }
    guard let count = value.number?.int, count >= 0 else { throw wrongType(field, "a whole number from 0") }
    return count
  }

  public func id<Entity>(_ field: String) throws(ConversationError) -> Identifier<Entity>? {
    guard let text = try string(field) else { return nil }
    guard let id = Identifier<Entity>(text) else { throw wrongType(field, "a UUID") }
    return id
  }

  public func confidence(_ field: String) throws(ConversationError) -> Confidence? {
    guard let value = present(field) else { return nil }
    guard let number = value.number, let confidence = Confidence(rounding: number.double) else {
      throw wrongType(field, "a number from -9.99 to 9.99")
    }
    return confidence
  }

  /// A JSON object in canonical form, at most `Limits.objectDepth` deep.
  public func jsonObject(_ field: String) throws(ConversationError) -> JSONText? {
    guard let value = present(field) else { return nil }
    guard value.object != nil else { throw wrongType(field, "a JSON object") }
    guard value.depth <= Limits.objectDepth else {
      throw ConversationError(
        .invalid, "The field \(field) may be nested \(Limits.objectDepth) levels deep at most.", field: field)
    }
    return JSONText(canonical: value.canonicalText())
  }

  public func array(_ field: String) throws(ConversationError) -> [JSONValue]? {
    guard let value = present(field) else { return nil }
    guard let array = value.array else { throw wrongType(field, "an array") }
    return array
  }

  private func present(_ field: String) -> JSONValue? {
    guard let value = object[field], !value.isNull else { return nil }
    return value
  }

  private func wrongType(_ field: String, _ wanted: String) -> ConversationError {
    ConversationError(.invalid, "The field \(field) must be \(wanted).", field: field)
  }
}
