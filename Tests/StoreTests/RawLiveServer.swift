import ConversationModel
import Crypto
import Foundation
import Glibc
import StoreRemote
import StrictJSON
import Testing
import Wire

/// The server's side of a socket by hand: for servers that misbehave.
enum RawSocket {
  /// Reads the request for a socket and accepts it.
  ///
  /// - Parameters:
  ///   - changes: Lines to put in the place of those with the same name; nil to leave one out.
  ///   - frames: Sent in the same packet.
  static func accept(
    _ connection: Int32, _ changes: [String: String?] = [:], status: String = "101 Switching Protocols",
    frames: [UInt8] = []
  ) -> String? {
    guard let request = receiveRequest(connection) else { return nil }
    let head = String(decoding: request, as: UTF8.self)
    let key = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key:") }?
      .split(separator: " ").last
    var fields: [String: String?] = [
      "connection": "upgrade", "upgrade": "websocket", "sec-websocket-protocol": "parley.v1",
      "sec-websocket-accept": proof(of: String(key ?? "")),
    ]
    fields.merge(changes) { $1 }
    let lines = fields.compactMap { name, value in value.map { "\(name): \($0)\r\n" } }
    sendAll(Array("HTTP/1.1 \(status)\r\n\(lines.joined())\r\n".utf8) + frames, to: connection)
    return head
  }

  private static func proof(of key: String) -> String {
    Data(Insecure.SHA1.hash(data: Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))).base64EncodedString()
  }

  /// One frame, unmasked.
  static func frame(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
    let length: [UInt8] =
      switch payload.count {
      case ...125: [UInt8(payload.count)]
      case ...65_535: [126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
      default: [127] + (0..<8).map { UInt8(payload.count >> (56 - 8 * $0) & 255) }
      }
    return [first] + length + payload
  }

  static func text(_ text: String) -> [UInt8] { frame(0x81, Array(text.utf8)) }

  static func close(_ code: UInt16, _ reason: String = "") -> [UInt8] {
    frame(0x88, [UInt8(code >> 8), UInt8(code & 255)] + Array(reason.utf8))
  }

  /// Reads one frame of the client's; nil if the connection ends, or the frame is not masked.
  static func receive(_ connection: Int32) -> (first: UInt8, payload: [UInt8])? {
    guard let head = bytes(2, connection), head[1] & 0x80 != 0 else { return nil }
    var length = Int(head[1] & 0x7F)
    if length >= 126 {
      guard let more = bytes(length == 126 ? 2 : 8, connection) else { return nil }
      length = more.reduce(0) { $0 << 8 | Int($1) }
    }
    guard let key = bytes(4, connection), let payload = bytes(length, connection) else { return nil }
    return (head[0], payload.enumerated().map { $1 ^ key[$0 % 4] })
  }

  private static func bytes(_ count: Int, _ connection: Int32) -> [UInt8]? {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while bytes.count < count {
      let read = recv(connection, &buffer, min(buffer.count, count - bytes.count), 0)
      guard read > 0 else { return nil }
      bytes += buffer.prefix(read)
    }
    return bytes
  }

  /// Reads until the client ends the connection.
  static func drain(_ connection: Int32) {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while recv(connection, &buffer, buffer.count, 0) > 0 {}
  }

  // MARK: What a good server says

  static let conversation = Conversation(
    id: ConversationID(high: 1, low: 2), userID: UserID(high: 3, low: 4), sessionID: "s", isDefault: false, title: "T",
    context: .emptyObject, isArchived: false, isPinned: false, activeBranch: 0, headPosition: 0, messageCount: 0,
    branchCount: 1, version: 5, createdAt: Timestamp(microseconds: 0), updatedAt: Timestamp(microseconds: 0))

  /// The answer to a client's first frame, at version 5.
  static let attached: String = {
    let page = MessagePage(
      conversation: conversation.id, messages: [], forks: [], branch: 0, before: nil, after: nil, headPosition: 0,
      version: 5)
    let start = LiveStart(
      conversation: conversation, branch: 0, version: 5, content: .page(page, isResync: false),
      presence: Presence(connections: [], typing: []))
    return json { $0.attached(start, ref: JSONText(canonical: "1")) }
  }()

  static func event(_ version: Version) -> String { json { $0.event(version, []) } }

  private static func json(_ write: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    write(&writer)
    return writer.text
  }
}

extension RawServer {
  static let attach = Attach(.conversation(RawSocket.conversation.id))
  static let user = Principal.user(RawSocket.conversation.userID)

  func store(_ configuration: RemoteStore.Configuration = .init(answerSeconds: 8)) throws -> RemoteStore {
    try LiveServer(port: port).store(configuration)
  }

  /// The error that attaching ends with.
  func errorOfAttaching(within seconds: Int = 8) async throws -> ConversationError? {
    do {
      let store = try store(.init(answerSeconds: seconds))
      let connection = try await soon { try await store.attach(Self.attach, as: Self.user) }
      connection.close()
      return nil
    } catch {
      return try #require(error as? ConversationError)
    }
  }
}
