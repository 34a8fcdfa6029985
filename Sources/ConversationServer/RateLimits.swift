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
  /// Reverse proxies, whose `X-Forwarded-For` is believed. For others it is what a client claims to be.
  public var trustedProxies: Set<IPAddress>

  public init(perUser: Int? = nil, perAddress: Int? = nil, trustedProxies: Set<IPAddress> = []) {
    self.perUser = perUser
    self.perAddress = perAddress
    self.trustedProxies = trustedProxies
  }
}

/// An IP address by its bytes, however it was written: an IPv4 address is the same by itself and mapped into
/// IPv6, as a socket that listens on both sees it.
public struct IPAddress: Hashable, Sendable {
  /// 4 or 16, in network order.
  private let bytes: [UInt8]

  private static let mappedPrefix = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]

  public init?(_ text: String) {
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &bytes) == 1 {
      self.bytes = Array(bytes.prefix(4))
    } else if inet_pton(AF_INET6, text, &bytes) == 1 {
      self.bytes = bytes.starts(with: Self.mappedPrefix) ? Array(bytes.suffix(4)) : bytes
    } else {
      return nil
    }
  }

  /// What one client has: an IPv4 address, or of an IPv6 address the first half.
  var network: IPAddress { bytes.count == 4 ? self : IPAddress(bytes: Array(bytes.prefix(8))) }

  private init(bytes: [UInt8]) {
    self.bytes = bytes
  }
}

/// Lets requests pass or says when to come back.
final class RateLimiter: Sendable {
  private let users: Buckets<UserID>?
  private let addresses: Buckets<IPAddress?>?
  private let trustedProxies: Set<IPAddress>

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
    try admit(address(of: request, from: peer)?.network, to: addresses)
  }

  private func admit<Name>(_ name: Name, to buckets: Buckets<Name>) throws {
    guard let seconds = buckets.take(from: name, at: .now()) else { return }
    throw StatusError(
      status: .tooManyRequests,
      ConversationError(.rateLimited, "Too many requests; try again in \(seconds) s."),
      headers: [.retryAfter: "\(seconds)"])
  }

  /// The peer, or the last address before the trusted proxies; nil if that is no address.
  private func address(of request: Request, from peer: SocketAddress?) -> IPAddress? {
    var address = peer?.ipAddress.flatMap { IPAddress($0) }
    let hops = request.headers[values: .forwardedFor].joined(separator: ",").split(separator: ",")
    for hop in hops.reversed() {
      guard let proxy = address, trustedProxies.contains(proxy) else { break }
      address = IPAddress(String(hop.trimmingSpaces))
    }
    return address
  }
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
