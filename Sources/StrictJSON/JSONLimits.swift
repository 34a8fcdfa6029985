/// How much JSON a reader takes from a stranger. Every input is bounded before it is parsed.
public struct JSONLimits: Sendable, Equatable {
  /// The longest text that is read, in bytes. A longer one is refused before its first byte is looked at.
  public var bytes: Int

  /// How many arrays and objects may stand inside one another: a scalar has depth 0, `[]` depth 1.
  ///
  /// A value above ``greatestDepth`` counts as ``greatestDepth``.
  public var depth: Int

  /// - Parameters:
  ///   - bytes: 1 MiB unless told, the size of the largest request body.
  ///   - depth: 32 levels unless told, far more than people write and far less than a stack holds.
  public init(bytes: Int = 1_048_576, depth: Int = 32) {
    self.bytes = bytes
    self.depth = depth
  }

  /// The longest literal of one number, in bytes: any 64-bit integer or double fits several times over,
  /// and converting one stays cheap.
  public static let numberBytes = 128

  /// The greatest power of ten a number may be written with. The literal's length allows a few hundred more
  /// than a double's own 308, and SQL `numeric` types still take them.
  public static let exponent = 999

  /// The depth no setting can exceed: values are read, compared and freed recursively, on the thread's stack.
  public static let greatestDepth = 512
}
