/// A service's key. It goes into a header and nowhere else: nothing prints it.
struct ModelKey: Sendable, Equatable {
  /// For the header only.
  let secret: String

  /// - Returns: Nil unless it is 1 to 1,024 characters of visible ASCII; spaces and line ends around it, as
  ///   files and shells leave them, are taken off.
  init?(_ text: String) {
    let space: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
    let bytes = text.utf8.drop { space.contains($0) }.reversed().drop { space.contains($0) }.reversed()
    guard (1...1_024).contains(bytes.count), bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
    secret = String(decoding: Array(bytes), as: UTF8.self)
  }
}

extension ModelKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  var description: String { "a key" }
  var debugDescription: String { description }
  var customMirror: Mirror { Mirror(self, children: []) }
}
