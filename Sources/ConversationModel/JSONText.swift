/// A JSON value as text that somebody has already read and found good: an object, or whatever else a
/// program of the former system put into one of its JSON columns.
///
/// The model knows no JSON syntax: doors validate metadata, entities and context with the strict
/// reader and hand them on in canonical form (compact, keys sorted), so that equal objects are equal
/// text. Stores keep the text and doors write it out again byte for byte.
public struct JSONText: Hashable, Sendable {
  public let text: String

  /// - Parameter canonical: JSON in canonical form; nothing checks it again.
  public init(canonical: String) {
    text = canonical
  }

  public static let emptyObject = JSONText(canonical: "{}")

  public var isEmptyObject: Bool { self == .emptyObject }

  // `String ==` is canonical equivalence; two texts are the same text only if their bytes are.
  public static func == (left: Self, right: Self) -> Bool {
    left.text.utf8.elementsEqual(right.text.utf8)
  }

  public func hash(into hasher: inout Hasher) {
    for byte in text.utf8 { hasher.combine(byte) }
  }
}
