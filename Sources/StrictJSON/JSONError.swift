/// Why a text was refused as JSON, in a sentence that may be shown to whoever sent it.
public struct JSONError: Error, Sendable, Equatable {
  /// What a caller may answer differently: a text too large has a status of its own.
  public enum Kind: Sendable, Equatable {
    /// The text does not follow the grammar of RFC 8259; an empty one too.
    case syntax
    /// The text is not UTF-8 without a byte order mark, or holds NUL or half of a surrogate pair.
    case encoding
    /// One object has the same key twice, after unescaping, byte for byte.
    case duplicateKey
    /// Arrays and objects are nested deeper than ``JSONLimits/depth``.
    case tooDeep
    /// The text is longer than ``JSONLimits/bytes``.
    case tooLarge
    /// A number is no finite double, vanishes to zero, or is written longer than a number may be.
    case numberRange
  }

  /// Which rule was broken.
  public let kind: Kind

  /// One whole sentence: what was wrong, at which byte, what is allowed. It never repeats any of the input.
  public let message: String

  /// Where the trouble was noticed, in bytes from the start of the text; the text's length if it ends too
  /// soon.
  public let offset: Int
}

extension JSONError: CustomStringConvertible {
  /// The message.
  public var description: String { message }
}
