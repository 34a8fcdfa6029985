import ConversationModel
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import StrictJSON

/// What Hummingbird hands from the edge to a handler.
struct ServerContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  /// The caller's `x-request-id` if it sent a plain one, else ours. Every answer carries it.
  var requestID = ""
  /// The other end of the connection.
  let peer: SocketAddress?
  /// What a request may be admitted to if it asks for a WebSocket; nil if it cannot have one.
  var upgrade: UpgradeOffer?

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    peer = source.channel.remoteAddress
  }
}

extension Request {
  /// Who is asking, by the bearer token, within its rate.
  ///
  /// - Throws: `.unauthenticated` without a good token, `.forbidden` for the anonymous key, `.rateLimited`.
  func principal(_ authenticator: Authenticator, _ limiter: RateLimiter) async throws -> Principal {
    guard let header = headers[.authorization], let token = bearerToken(header) else {
      throw ConversationError(
        .unauthenticated, "A token is needed: send the header Authorization: Bearer with one.")
    }
    switch try await authenticator.role(ofBearer: token) {
    case .principal(let principal):
      try limiter.admit(principal)
      return principal
    case .anonymous:
      throw ConversationError(.forbidden, "The anonymous key opens nothing here; a user's token is needed.")
    }
  }

  /// The body as strictly read JSON; an empty body is an empty object.
  ///
  /// - Throws: `.invalid` (status 415 for another content type), `.tooLarge`.
  func json() async throws -> JSONValue {
    try requireJSON()
    if let length = headers[.contentLength], Int(length) ?? .max > Limits.bodyBytes {
      // Nobody has to send what will not be read.
      throw ConversationError(.tooLarge, "A request body holds at most \(Limits.bodyBytes) bytes.")
    }
    let buffer: ByteBuffer
    do {
      buffer = try await body.collect(upTo: Limits.bodyBytes)
    } catch is NIOTooManyBytesError {
      throw ConversationError(.tooLarge, "A request body holds at most \(Limits.bodyBytes) bytes.")
    } catch is CancellationError {
      throw ConversationError(.unavailable, "The server is stopping.")
    } catch {
      // The client broke off, or framed its body wrongly; either way nothing of ours failed.
      throw ConversationError(.invalid, "The request body ended early or is framed wrongly.")
    }
    guard buffer.readableBytes > 0 else { return .object(JSONObject()) }
    do {
      return try buffer.withUnsafeReadableBytes { bytes throws(JSONError) in
        try JSONReader.read(bytes, limits: JSONLimits(bytes: Limits.bodyBytes, depth: Limits.bodyDepth))
      }
    } catch {
      throw ConversationError(
        error.kind == .tooLarge ? .tooLarge : .invalid, error.message,
        rule: error.kind == .numberRange ? .numberRange : nil)
    }
  }

  private func requireJSON() throws {
    guard let type = headers[.contentType] else { return }
    let name = type.prefix { $0 != ";" }.trimmingSpaces.lowercased()
    guard name == "application/json" || name.hasSuffix("+json") else {
      throw StatusError(
        status: .unsupportedMediaType,
        ConversationError(.invalid, "The body must be JSON, with the content type application/json."))
    }
  }

  /// The query's names and values, in order. A plus is a space there, as HTML forms and most clients
  /// write it; a plus itself comes as `%2B`.
  ///
  /// - Throws: `.invalid` for what is no percent-encoded UTF-8 (RFC 3986 §2.1): read as U+FFFD, two
  ///   different names would be one. Also for U+0000, which no store takes.
  func queryItems() throws(ConversationError) -> [(name: String, value: String)] {
    guard let query = uri.query else { return [] }
    var items: [(name: String, value: String)] = []
    for item in query.utf8.split(separator: UInt8(ascii: "&")) {
      let parts = item.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = decoded(parts[0]), let value = parts.count == 2 ? decoded(parts[1]) : "" else {
        throw ConversationError(.invalid, "The query is not percent-encoded UTF-8 without U+0000.")
      }
      items.append((name: name, value: value))
    }
    return items
  }

  /// The header `Idempotency-Key`; nil without one.
  ///
  /// - Throws: `.invalid` for more than one, and for anything but visible ASCII: headers have no agreed
  ///   encoding, and two keys that both became U+FFFD would be one.
  func idempotencyKey() throws(ConversationError) -> String? {
    let keys = headers[values: .idempotencyKey]
    guard let key = keys.first else { return nil }
    guard keys.count == 1, key.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
      throw ConversationError(
        .invalid, "The header Idempotency-Key may come once, in visible ASCII; other keys go into client_id.",
        field: "Idempotency-Key")
    }
    return key
  }

  /// The version or revision that `If-Match` names, bare or quoted; nil without it or for `*`.
  func ifMatch() throws(ConversationError) -> Int? {
    guard let header = headers[.ifMatch] else { return nil }
    var text = header.trimmingSpaces
    if text == "*" { return nil }
    if text.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") { text = text.dropFirst().dropLast() }
    guard let number = wholeNumber(text) else {
      throw ConversationError(.invalid, "If-Match must be one whole number, bare or quoted.", field: "If-Match")
    }
    return number
  }
}

/// The query of a request, one value a name.
struct Query {
  private var values: [String: String] = [:]

  /// - Throws: `.invalid` for a name that is not known here or comes twice.
  init(_ request: Request, allowing names: [String]) throws(ConversationError) {
    for (name, value) in try request.queryItems() {
      guard names.contains(name) else {
        throw ConversationError(
          .invalid,
          names.isEmpty
            ? "This request takes no query parameters."
            : "The query has a parameter that is not known here; allowed are \(names.joined(separator: ", ")).")
      }
      guard values.updateValue(value, forKey: name) == nil else {
        throw ConversationError(.invalid, "The query names \(name) twice.", field: name)
      }
    }
  }

  subscript(name: String) -> String? { values[name] }

  func number(_ name: String) throws(ConversationError) -> Int? {
    guard let text = values[name] else { return nil }
    guard let number = wholeNumber(text) else { throw wrong(name, "a whole number from 0") }
    return number
  }

  func boolean(_ name: String) throws(ConversationError) -> Bool? {
    switch values[name] {
    case nil: return nil
    case "true": return true
    case "false": return false
    default: throw wrong(name, "true or false")
    }
  }

  func id<Entity>(_ name: String) throws(ConversationError) -> Identifier<Entity>? {
    guard let text = values[name] else { return nil }
    guard let id = Identifier<Entity>(text) else { throw wrong(name, "a UUID") }
    return id
  }

  /// One of the names of a type.
  func choice<Choice: RawRepresentable<String> & CaseIterable>(_ name: String) throws(ConversationError) -> Choice? {
    guard let text = values[name] else { return nil }
    guard let choice = Choice(rawValue: text) else {
      throw wrong(name, Choice.allCases.map(\.rawValue).joined(separator: " or "))
    }
    return choice
  }

  /// `limit` and `cursor`.
  func page() throws(ConversationError) -> PageRequest {
    PageRequest(limit: try number("limit") ?? Limits.defaultPageItems, cursor: self["cursor"])
  }

  private func wrong(_ name: String, _ wanted: String) -> ConversationError {
    ConversationError(.invalid, "The query parameter \(name) must be \(wanted).", field: name)
  }
}

/// The text behind a percent-encoded part of a query; nil if there is none or it holds U+0000.
private func decoded(_ part: Substring.UTF8View) -> String? {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(part.count)
  var rest = part[...]
  while let byte = rest.popFirst() {
    switch byte {
    case UInt8(ascii: "+"):
      bytes.append(UInt8(ascii: " "))
    case UInt8(ascii: "%"):
      guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else {
        return nil
      }
      bytes.append(high << 4 | low)
    default:
      bytes.append(byte)
    }
  }
  return bytes.contains(0) ? nil : String(validating: bytes, as: UTF8.self)
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
  Character(Unicode.Scalar(byte)).hexDigitValue.flatMap { UInt8(exactly: $0) }
}

/// Digits only, and no more than fit: `Int(_:)` would take signs.
func wholeNumber(_ text: some StringProtocol) -> Int? {
  guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
    return nil
  }
  return Int(text)
}

extension StringProtocol {
  var trimmingSpaces: SubSequence {
    let start = drop { $0 == " " || $0 == "\t" }
    guard let end = start.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return start }
    return start[...end]
  }
}
