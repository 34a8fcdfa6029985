import ConversationModel
import NIOHTTP1
import Wire

/// One request of the native door: what is asked, and whether it may be asked twice.
struct NativeRequest: Sendable {
  var method: HTTPMethod
  /// Path and query, percent-encoded.
  var target: String
  /// The version or revision that is to be changed.
  var ifMatch: Int?
  var body: [UInt8]?
  /// Whether sending it once more, after an answer that never came, does what sending it once does.
  var isRepeatable: Bool

  /// A read; parameters without a value are left out.
  static func get(_ path: String, _ parameters: [(name: String, value: String?)] = []) -> NativeRequest {
    let query = parameters.compactMap { name, value in value.map { "\(name)=\(percentEncoded($0))" } }
    return NativeRequest(
      method: .GET, target: query.isEmpty ? path : "\(path)?\(query.joined(separator: "&"))", ifMatch: nil, body: nil,
      isRepeatable: true)
  }

  /// - Throws: `.invalid` for a command that the native door has no words for.
  init(_ command: Command) throws(ConversationError) {
    switch command {
    case .open(let open):
      self.init(.POST, "/v1/conversations", body: OpenConversationBody.bytes(open))
    case .update(var update):
      update.activeBranch = update.activeBranch.map(onTheWire)
      self.init(
        .PATCH, Self.path(update.conversation), ifMatch: update.ifVersion, body: UpdateConversationBody.bytes(update))
    case .finish: throw .notOnTheWire
    case .append(let append) where append.messages.contains(where: \.isStreaming): throw .notOnTheWire
    case .makeBranch(let make) where make.answer != nil || make.message?.isStreaming ?? false: throw .notOnTheWire
    case .append(var append):
      append.branch = append.branch.map(onTheWire)
      self.init(.POST, "\(Self.path(append.conversation))/messages", body: AppendBody.bytes(append))
    case .revise(let revise):
      self.init(.PATCH, Self.path(revise.message), ifMatch: revise.ifRevision, body: ReviseBody.bytes(revise))
    case .deleteMessage(let delete):
      self.init(.DELETE, Self.path(delete.message), ifMatch: delete.ifRevision)
    case .makeBranch(let make):
      self.init(.POST, "\(Self.path(make.conversation))/branches", body: try MakeBranchBody.bytes(make))
    case .updateBranch(let update):
      self.init(.PATCH, Self.path(update.branch), body: UpdateBranchBody.bytes(update))
    case .deleteBranch(let key):
      self.init(.DELETE, Self.path(key))
    case .erase(let conversation):
      self.init(.DELETE, Self.path(conversation))
    case .eraseUser(let user):
      self.init(.DELETE, "/v1/users/\(user)")
    }
    isRepeatable = command.isRepeatable
  }

  private init(_ method: HTTPMethod, _ target: String, ifMatch: Int? = nil, body: [UInt8]? = nil) {
    self.init(method: method, target: target, ifMatch: ifMatch.map(onTheWire), body: body, isRepeatable: false)
  }

  private init(method: HTTPMethod, target: String, ifMatch: Int?, body: [UInt8]?, isRepeatable: Bool) {
    self.method = method
    self.target = target
    self.ifMatch = ifMatch
    self.body = body
    self.isRepeatable = isRepeatable
  }

  static func path(_ conversation: ConversationID) -> String { "/v1/conversations/\(conversation)" }
  static func path(_ message: MessageID) -> String { "/v1/messages/\(message)" }
  private static func path(_ branch: BranchKey) -> String {
    "\(path(branch.conversation))/branches/\(onTheWire(branch.number))"
  }
}

extension Command {
  /// Whether the same command once more changes nothing: what a client id or a session's key makes sure
  /// of, and a deletion by itself.
  fileprivate var isRepeatable: Bool {
    switch self {
    case .open(let open): open.session != .new
    case .append(let append): append.messages.contains { $0.clientID != nil }
    case .makeBranch(let make): make.message?.clientID != nil
    case .deleteMessage: true
    // Twice, these raise the version twice, or answer that there is no such thing.
    case .update, .revise, .finish, .updateBranch, .deleteBranch, .erase, .eraseUser: false
    }
  }
}

extension ConversationError {
  /// The one answer for what only the server itself does: answers are written there.
  static let notOnTheWire = ConversationError(.invalid, "Answers are written by the server; ask it for a turn.")
}

/// A number as the native door takes it: from 0. What a negative one names does not exist, and so it is
/// asked for as the greatest one, which does not exist either.
func onTheWire(_ number: Int) -> Int { number < 0 ? .max : number }

/// Percent-encodes everything but RFC 3986's unreserved characters.
private func percentEncoded(_ text: String) -> String {
  var encoded: [UInt8] = []
  encoded.reserveCapacity(text.utf8.count)
  let digits = Array("0123456789ABCDEF".utf8)
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "~"):
      encoded.append(byte)
    default:
      encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
  }
  return String(decoding: encoded, as: UTF8.self)
}
