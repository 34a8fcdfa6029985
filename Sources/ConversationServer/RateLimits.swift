import ConversationModel
import Glibc
import HTTPTypes
import HummingbirdCore
import NIOCore
import Synchronization

/// How many requests a minute one user and one address may make; off by default.
public struct RateLimits: Sendable {
  /// Nil for no limit. The service role has none: it is many users at once.
  public var perUser: Int?
  /// Nil for no limit.
  public var perAddress: Int?
  /// Addresses of reverse proxies, whose `X-Forwarded-For` is believed. For others it is what a client
  /// claims to be.
  public var trustedProxies: Set<String>

  public init(perUser: Int? = nil, perAddress: Int? = nil, trustedProxies: Set<String> = []) {
    self.perUser = perUser
    self.perAddress = perAddress
    self.trustedProxies = trustedProxies
  }
}

/// Lets requests pass or says when to come back.
final class RateLimiter: Sendable {
  private let users: Buckets<UserID>?
  private let addresses: Buckets<String>?
  private let trustedProxies: Set<String>

  init(_ limits: RateLimits) {
    users = limits.perUser.map { Buckets(perMinute: $0) }
    addresses = limits.perAddress.map { Buckets(perMinute: $0) }
    trustedProxies = limits.trustedProxies
  }

  /// - Throws: `.rateLimited` as a status with `Retry-After`.
  func admit(_ principal: Principal) throws {
    guard let users, let user = principal.onlyUser else { return }
    try admit(user, to: users)
  }

  /// - Throws: `.rateLimited` as a status with `Retry-After`.
  func admit(_ request: Request, from peer: SocketAddress?) throws {
    guard let addresses else { return }
    try admit(address(of: request, from: peer), to: addresses)
  }

  private func admit<Name>(_ name: Name, to buckets: Buckets<Name>) throws {
    guard let seconds = buckets.take(from: name, at: .now()) else { return }
    throw StatusError(
      status: .tooManyRequests,
      ConversationError(.rateLimited, "Too many requests; try again in \(seconds) s."),
      headers: [.retryAfter: "\(seconds)"])
  }

  /// The peer, or the last address before the trusted proxies.
  private func address(of request: Request, from peer: SocketAddress?) -> String {
    var address = peer?.ipAddress ?? ""
    if trustedProxies.contains(address) {
      let hops = request.headers[values: .forwardedFor].joined(separator: ",").split(separator: ",")
      for hop in hops.reversed() where trustedProxies.contains(address) {
        address = String(hop.trimmingSpaces)
      }
    }
    return Self.network(of: address)
  }

  /// An IPv4 address as it is; of an IPv6 address the first half, because one client has the other.
  private static func network(of address: String) -> String {
    var bytes = [UInt8](repeating: 0, count: 16)
    guard inet_pton(AF_INET6, address, &bytes) == 1 else { return String(address.prefix(addressCharacters)) }
    return bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: ":")
  }

  /// Characters of an IPv4 address; a name that a trusted proxy made up is cut.
  private static let addressCharacters = 15
}

/// A token bucket for each name: a minute's worth at once, then one by one.
///
/// There is room for `names` twice over. Then the ones that were not seen lately are forgotten, which
/// makes their buckets full: a flood of names lets requests pass, it never stops others'.
private final class Buckets<Name: Hashable & Sendable>: Sendable {
  private struct Bucket {
    var requests: Double
    var at: NIODeadline
  }

  private struct State {
    var recent: [Name: Bucket] = [:]
    var older: [Name: Bucket] = [:]
  }

  private static var names: Int { 16_384 }

  private let capacity: Double
  private let state = Mutex(State())

  init(perMinute: Int) {
    capacity = Double(perMinute)
  }

  /// Takes one request; the seconds until there is one if there is none now.
  func take(from name: Name, at now: NIODeadline) -> Int? {
    state.withLock { state in
      var bucket = state.recent[name] ?? state.older[name] ?? Bucket(requests: capacity, at: now)
      let perSecond = capacity / 60
      let passed = Double((now - bucket.at).nanoseconds) / 1e9
      bucket.requests = min(capacity, bucket.requests + passed * perSecond)
      bucket.at = now
      let isThere = bucket.requests >= 1
      if isThere { bucket.requests -= 1 }
      if state.recent.count >= Self.names, state.recent[name] == nil {
        state.older = state.recent
        state.recent = [:]
      }
      state.recent[name] = bucket
      return isThere ? nil : Int(((1 - bucket.requests) / perSecond).rounded(.up))
    }
  }
}

extension HTTPField.Name {
  fileprivate static let forwardedFor = HTTPField.Name("x-forwarded-for")!
}
