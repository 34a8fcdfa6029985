/// One JSON value: what ``JSONReader`` makes of a text, and what ``JSONWriter`` writes again.
///
/// Two values are equal when their canonical texts are: strings by their UTF-8 bytes (NFC and NFD differ),
/// numbers as they are written (`1` and `1.0` differ), objects without regard to the order of their members.
public enum JSONValue: Sendable {
  case null
  case bool(Bool)
  case number(JSONNumber)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)
}

extension JSONValue {
  /// Whether this is `null`.
  public var isNull: Bool {
    if case .null = self { true } else { false }
  }

  /// The truth value, or nil if this is no `true` or `false`.
  public var bool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  /// The number, or nil if this is none.
  public var number: JSONNumber? {
    if case .number(let value) = self { value } else { nil }
  }

  /// The string, or nil if this is none.
  public var string: String? {
    if case .string(let value) = self { value } else { nil }
  }

  /// The elements, or nil if this is no array.
  public var array: [JSONValue]? {
    if case .array(let value) = self { value } else { nil }
  }

  /// The object, or nil if this is none.
  public var object: JSONObject? {
    if case .object(let value) = self { value } else { nil }
  }

  /// What this is, as a message says it: "a string", "an object", "null".
  public var typeName: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }

  /// How many arrays and objects stand inside one another: 0 for a scalar, 1 for `[]` and `{}`.
  public var depth: Int {
    switch self {
    case .null, .bool, .number, .string: 0
    case .array(let elements): 1 + (elements.lazy.map(\.depth).max() ?? 0)
    case .object(let object): 1 + (object.members.lazy.map(\.value.depth).max() ?? 0)
    }
  }

  /// The one text that stands for this value: no white space, the keys of every object in the order of their
  /// UTF-8 bytes, numbers as they were written, strings with the fewest escapes.
  ///
  /// Equal values give the same text. Reading it gives an equal value again, unless this one was put together
  /// from what ``JSONReader`` refuses: a string with NUL, or nesting beyond its limit.
  public func canonicalText() -> String {
    var writer = JSONWriter()
    writer.canonical(self)
    return writer.text
  }
}

extension JSONValue: Equatable {
  public static func == (left: JSONValue, right: JSONValue) -> Bool {
    switch (left, right) {
    case (.null, .null): true
    case (.bool(let left), .bool(let right)): left == right
    case (.number(let left), .number(let right)): left == right
    // String's own == takes canonically equivalent texts for equal.
    case (.string(let left), .string(let right)): UTF8Bytes.equal(left, right)
    case (.array(let left), .array(let right)): left == right
    case (.object(let left), .object(let right)): left == right
    default: false
    }
  }
}
