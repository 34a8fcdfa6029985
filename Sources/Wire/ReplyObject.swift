import ConversationModel
import StrictJSON

/// Takes the fields of a JSON object in an answer one by one.
///
/// Every field that is asked for must be there and of its type; the error names it. Others are passed over:
/// a newer server may say more.
struct ReplyObject: Sendable {
  private let object: JSONObject
  /// What the object is, for errors: `message`, `receipt`.
  private let name: String

  init(_ value: JSONValue, _ name: String) throws(ConversationError) {
    guard let object = value.object else { throw .unreadable("\(name) must be an object") }
    self.object = object
    self.name = name
  }

  func has(_ field: String) -> Bool { object[field] != nil }

  func string(_ field: String) throws(ConversationError) -> String {
    try value(field, "a string", \.string)
  }

  /// Nil for null.
  func optionalString(_ field: String) throws(ConversationError) -> String? { try optional(field, string) }

  func boolean(_ field: String) throws(ConversationError) -> Bool {
    try value(field, "true or false", \.bool)
  }

  func count(_ field: String) throws(ConversationError) -> Int {
    try value(field, "a whole number from 0") { $0.number?.int.flatMap { $0 < 0 ? nil : $0 } }
  }

  /// A number that a double holds.
  func number(_ field: String) throws(ConversationError) -> Double {
    try value(field, "a number") { $0.number?.double }
  }

  func id<Entity>(_ field: String) throws(ConversationError) -> Identifier<Entity> {
    try value(field, "a UUID") { $0.string.flatMap { Identifier($0) } }
  }

  func time(_ field: String) throws(ConversationError) -> Timestamp {
    try value(field, "a time in UTC with microseconds") { $0.string.flatMap { Timestamp($0) } }
  }

  func confidence(_ field: String) throws(ConversationError) -> Confidence {
    try value(field, "a number from -9.99 to 9.99") { $0.number.flatMap { Confidence(rounding: $0.double) } }
  }

  /// One of the names of a type.
  func choice<Choice: RawRepresentable<String>>(_ field: String) throws(ConversationError) -> Choice {
    try value(field, "a name that is known here") { $0.string.flatMap { Choice(rawValue: $0) } }
  }

  /// Any value, in canonical form.
  func json(_ field: String) throws(ConversationError) -> JSONText {
    JSONText(canonical: try value(field, "a JSON value", \.self).canonicalText())
  }

  func object(_ field: String) throws(ConversationError) -> ReplyObject {
    try ReplyObject(try value(field, "an object", \.self), field)
  }

  /// - Parameter name: What the elements are.
  func list<Item>(
    _ field: String, of name: String, _ read: (ReplyObject) throws(ConversationError) -> Item
  ) throws(ConversationError) -> [Item] {
    var items: [Item] = []
    for element in try value(field, "an array", \.array) { items.append(try read(try ReplyObject(element, name))) }
    return items
  }

  func strings(_ field: String) throws(ConversationError) -> [String] {
    try value(field, "an array of strings") { value in
      value.array.flatMap { array in
        let strings = array.compactMap(\.string)
        return strings.count == array.count ? strings : nil
      }
    }
  }

  /// All fields, in their order; every one must be a string.
  func allStrings() throws(ConversationError) -> [(name: String, text: String)] {
    var strings: [(name: String, text: String)] = []
    for member in object.members { strings.append((member.key, try string(member.key))) }
    return strings
  }

  func counts(_ field: String) throws(ConversationError) -> [Int] {
    try value(field, "an array of whole numbers") { value in
      value.array.flatMap { array in
        let counts = array.compactMap { $0.number?.int }
        return counts.count == array.count ? counts : nil
      }
    }
  }

  /// Nil for null; the field must be there all the same.
  func optional<Value>(
    _ field: String, _ read: (String) throws(ConversationError) -> Value
  ) throws(ConversationError) -> Value? {
    object[field]?.isNull == true ? nil : try read(field)
  }

  private func value<Value>(
    _ field: String, _ wanted: String, _ convert: (JSONValue) -> Value?
  ) throws(ConversationError) -> Value {
    guard let value = object[field].flatMap(convert) else {
      throw .unreadable("\(name).\(field) must be \(wanted)")
    }
    return value
  }
}

extension ConversationError {
  /// What an unreadable answer is called, before the fault.
  static let unreadableAnswer = "The server's answer cannot be read: "

  static func unreadable(_ fault: String, _ underlying: (any Error)? = nil) -> ConversationError {
    ConversationError(.internal, "\(unreadableAnswer)\(fault).", underlying: underlying)
  }
}
