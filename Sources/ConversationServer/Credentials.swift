public import ConversationModel
import Crypto
import Foundation
import JWTKit
import StrictJSON
import Synchronization

/// What a server accepts as proof of who is asking: tokens signed with its secret, and two opaque
/// keys.
public struct Credentials: Sendable {
  /// Signs and verifies HS256 tokens; at least `minimumSecretBytes` long.
  public let secret: [UInt8]
  /// Stands for the anonymous role.
  public let anonKey: String
  /// Stands for the service role.
  public let serviceKey: String

  /// HMAC-SHA-256 with a shorter key is weaker than its hash (RFC 7518 §3.2).
  public static let minimumSecretBytes = 32

  /// A key that is shorter could be guessed, or be an empty file.
  public static let minimumKeyBytes = 12

  /// Nil if the secret or a key is too short, or the keys are the same.
  public init?(secret: [UInt8], anonKey: String, serviceKey: String) {
    guard secret.count >= Self.minimumSecretBytes, anonKey.utf8.count >= Self.minimumKeyBytes,
      serviceKey.utf8.count >= Self.minimumKeyBytes, anonKey != serviceKey
    else { return nil }
    self.secret = secret
    self.anonKey = anonKey
    self.serviceKey = serviceKey
  }
}

// Printed whole, a value shows its fields; a library that logs the services it runs would log these.
extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "Credentials(withheld)" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: []) }
}

extension TokenIssuer: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "TokenIssuer(withheld)" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The role that a token or key gives.
enum Role: Hashable {
  case anonymous
  case principal(Principal)
}

/// Why a token was not accepted.
enum TokenFailure: Error, Hashable {
  /// Not a token of ours: its form, its algorithm, its signature or its claims.
  case invalid
  case expired
}

/// Verifies tokens and keys.
///
/// A token that was verified is remembered until it expires, because verifying costs more than the
/// request that it comes with. The memory is bounded.
final class Authenticator: Sendable {
  private struct Entry {
    let role: Role
    let expiry: Date
  }

  /// Bytes of a token; ours have about 200.
  private static let tokenBytes = 8_192
  private static let rememberedTokenBytes = 512
  /// The users of a busy hour, in some ten megabytes.
  private static let rememberedTokens = 16_384
  /// A token's end that lies further away than a hundred years is none.
  private static let longestSeconds: TimeInterval = 3_155_760_000
  /// Seconds by which clocks may differ.
  static let clockSkew: TimeInterval = 30

  private let keys = JWTKeyCollection()
  private let credentials: Credentials
  private let anonDigest: SHA256.Digest
  private let serviceDigest: SHA256.Digest
  private let remembered = Mutex<[String: Entry]>([:])

  init(_ credentials: Credentials) async {
    self.credentials = credentials
    anonDigest = SHA256.hash(data: Array(credentials.anonKey.utf8))
    serviceDigest = SHA256.hash(data: Array(credentials.serviceKey.utf8))
    await keys.add(hmac: HMACKey(from: credentials.secret), digestAlgorithm: .sha256)
  }

  /// The role of an opaque key; nil if it is neither. Takes the same time for every wrong key.
  func role(ofKey key: String) -> Role? {
    // Comparing digests of equal length in full tells nothing about how much of a key was right.
    let digest = SHA256.hash(data: Array(key.utf8))
    let isAnon = digest == anonDigest
    let isService = digest == serviceDigest
    if isService { return .principal(.service) }
    return isAnon ? .anonymous : nil
  }

  /// The role of a token.
  func role(ofToken token: String, now: Date = Date()) async throws(TokenFailure) -> Role {
    try await entry(of: token, now).role
  }

  /// The role of a token, and for how many more seconds it is accepted.
  func identity(ofToken token: String, now: Date = Date()) async throws(TokenFailure) -> (
    role: Role, secondsLeft: Int64?
  ) {
    let entry = try await entry(of: token, now)
    let seconds = entry.expiry.timeIntervalSince(now) + Self.clockSkew
    return (entry.role, Int64(min(max(seconds, 0), Self.longestSeconds)))
  }

  private func entry(of token: String, _ now: Date) async throws(TokenFailure) -> Entry {
    if let entry = remembered.withLock({ $0[token] }) {
      guard now < entry.expiry.addingTimeInterval(Self.clockSkew) else { throw .expired }
      return entry
    }
    guard token.utf8.count <= Self.tokenBytes, Self.hasExpectedHeader(token) else { throw .invalid }
    let claims: TokenClaims
    do { claims = try await keys.verify(token, as: TokenClaims.self) } catch { throw .invalid }
    let entry = Entry(role: try claims.role(at: now), expiry: claims.expiry)
    if token.utf8.count <= Self.rememberedTokenBytes {
      remembered.withLock { remembered in
        if remembered.count >= Self.rememberedTokens { remembered.removeAll(keepingCapacity: true) }
        remembered[token] = entry
      }
    }
    return entry
  }

  /// jwt-kit verifies with whatever key it has, whichever algorithm or key id the header names.
  private static func hasExpectedHeader(_ token: String) -> Bool {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let header = Data(base64URL: parts[0]),
      let object = try? JSONReader.read([UInt8](header)).object
    else { return false }
    return object["alg"]?.string == "HS256" && object["kid"] == nil && object["crit"] == nil
  }
}

/// The claims of a token, both ways.
struct TokenClaims: JWTPayload {
  let sub: String?
  let role: String
  let exp: Double
  let nbf: Double?
  let iat: Double?

  /// The time is checked by `role(at:)`, which knows it.
  func verify(using algorithm: some JWTAlgorithm) {}

  var expiry: Date { Date(timeIntervalSince1970: exp) }

  func role(at now: Date) throws(TokenFailure) -> Role {
    guard exp.isFinite, nbf?.isFinite ?? true else { throw .invalid }
    guard now < expiry.addingTimeInterval(Authenticator.clockSkew) else { throw .expired }
    if let nbf, now.timeIntervalSince1970 + Authenticator.clockSkew < nbf { throw .invalid }
    switch role {
    case "anon": return .anonymous
    case "service_role": return .principal(.service)
    case "authenticated":
      guard let sub, let user = UserID(sub) else { throw .invalid }
      return .principal(.user(user))
    default: throw .invalid
    }
  }
}

/// Makes tokens that a server with the same secret accepts.
public struct TokenIssuer: Sendable {
  public enum Subject: Sendable {
    case user(UserID)
    case service
    case anonymous
  }

  private let secret: [UInt8]

  public init(secret: [UInt8]) {
    self.secret = secret
  }

  /// - Parameter now: The instant from which the lifetime counts.
  public func token(for subject: Subject, lifetimeSeconds: Int, now: Timestamp) async throws -> String {
    let keys = JWTKeyCollection()
    await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
    let (sub, role): (String?, String) =
      switch subject {
      case .user(let id): (id.description, "authenticated")
      case .service: (nil, "service_role")
      case .anonymous: (nil, "anon")
      }
    let issued = Double(now.microseconds / 1_000_000)
    return try await keys.sign(
      TokenClaims(sub: sub, role: role, exp: issued + Double(lifetimeSeconds), nbf: nil, iat: issued))
  }

  /// The user that a token speaks for, by its own words: for a client, which trusts its own token. Nil for what is no
  /// user's.
  public static func user(ofToken token: String) async -> UserID? {
    let claims = try? await JWTKeyCollection().unverified(token, as: TokenClaims.self)
    return claims?.sub.flatMap { UserID($0) }
  }
}

extension Data {
  /// Decodes base64url without padding (RFC 4648 §5).
  fileprivate init?(base64URL text: some StringProtocol) {
    var standard = String(text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
    standard += String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4)
    self.init(base64Encoded: standard)
  }
}
