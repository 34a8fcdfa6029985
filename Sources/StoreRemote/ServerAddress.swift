public import ConversationModel

/// Where a server is: `http://HOST:PORT` or `https://HOST:PORT`; a path before `/v1` may follow.
public struct ServerAddress: Sendable {
  let isSecure: Bool
  /// A name or an address, of IPv6 without its brackets.
  public let host: String
  let port: Int
  /// Host and port as the address has them.
  let authority: String
  /// Empty, or with a slash at its start and none at its end.
  let path: String

  /// - Throws: `.invalid` for an address that is none.
  public init(_ text: String) throws(ConversationError) {
    var rest = text[...]
    while rest.last == "/" { rest.removeLast() }
    isSecure = rest.hasPrefix("https://")
    guard isSecure || rest.hasPrefix("http://"), rest.utf8.allSatisfy(Self.isPlain) else { throw .noAddress }
    rest = rest.dropFirst(isSecure ? 8 : 7)
    let authority = rest.prefix { $0 != "/" }
    path = String(rest.dropFirst(authority.count))
    self.authority = String(authority)
    let host: Substring
    let end: Substring
    if authority.hasPrefix("["), let bracket = authority.firstIndex(of: "]") {
      host = authority[..<bracket].dropFirst()
      end = authority[bracket...].dropFirst()
    } else {
      host = authority.prefix { $0 != ":" }
      end = authority.dropFirst(host.count)
    }
    guard !host.isEmpty, let port = Self.port(end, isSecure: isSecure) else { throw .noAddress }
    self.host = String(host)
    self.port = port
  }

  /// The address without a slash at its end.
  var url: String { "\(isSecure ? "https" : "http")://\(authority)\(path)" }

  /// Visible ASCII that stands for nothing else in an address.
  private static func isPlain(_ byte: UInt8) -> Bool {
    (0x21...0x7E).contains(byte) && !"?#@\\\"<>^`{|}".utf8.contains(byte)
  }

  /// - Parameter end: What stands behind the host: nothing, or a colon and a number.
  private static func port(_ end: Substring, isSecure: Bool) -> Int? {
    guard !end.isEmpty else { return isSecure ? 443 : 80 }
    guard end.first == ":", end.dropFirst().utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let port = Int(end.dropFirst()), (1...65_535).contains(port)
    else { return nil }
    return port
  }
}

extension ConversationError {
  fileprivate static let noAddress = ConversationError(
    .invalid, "A server's address is http://HOST:PORT or https://HOST:PORT, perhaps with a path.", field: "server")
}
