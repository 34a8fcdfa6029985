/// The one strict way into JSON: RFC 8259 to the letter, and nothing that two parsers could read differently.
///
/// Refused besides bad grammar: any encoding but UTF-8 without a byte order mark, the same key twice in one
/// object, half a surrogate pair, NUL (raw or escaped), and numbers that no finite double comes near. Work
/// grows with the length of the input whatever it holds, by n log n for the keys of one object.
public enum JSONReader {
  /// Reads the one value that `bytes` holds, white space around it allowed.
  ///
  /// - Parameters:
  ///   - bytes: UTF-8. Nothing of it is kept.
  ///   - limits: 1 MiB and 32 levels unless told.
  /// - Throws: ``JSONError`` for the first fault met: the size before everything else, a repeated key at the
  ///   end of its object.
  public static func read(_ bytes: UnsafeRawBufferPointer, limits: JSONLimits = JSONLimits())
    throws(JSONError)
    -> JSONValue
  {
    guard bytes.count <= limits.bytes else {
      throw JSONError(
        kind: .tooLarge,
        message: "The JSON text is \(bytes.count) bytes long; at most \(limits.bytes) are allowed.",
        offset: max(0, limits.bytes))
    }
    var parser = JSONParser(bytes, depth: min(limits.depth, JSONLimits.greatestDepth))
    return try parser.document()
  }

  /// Reads the one value that `bytes` holds, under the same rules.
  public static func read(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) -> JSONValue {
    try bytes.span.bytes.withUnsafeBytes { (bytes) throws(JSONError) in try read(bytes, limits: limits) }
  }

  /// Reads the one value that `text` holds, under the same rules; offsets count the bytes of its UTF-8.
  public static func read(_ text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) -> JSONValue {
    try text.utf8Span.span.bytes.withUnsafeBytes { (bytes) throws(JSONError) in
      try read(bytes, limits: limits)
    }
  }
}
