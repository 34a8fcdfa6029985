import CSyncProbe
import ConversationModel
import Foundation
import StoreSQL
import StrictJSON
import Testing

@testable import ConversationServer

@Suite(.timeLimit(.minutes(2))) struct EdgeTests {
  @Test func `the open routes are open`() async throws {
    try await RunningServer.with { server in
      #expect(try await server.send("GET", "/healthz").text == #"{"status":"ok"}"#)
      #expect(try await server.send("GET", "/readyz").text == #"{"status":"ok","reasons":[]}"#)
      let limits = try await server.send("GET", "/v1/limits")
      #expect(limits["body_bytes"]?.number?.int == 1_048_576 && limits["page_max"]?.number?.int == 200)
      #expect(try await server.send("HEAD", "/healthz").status == 200)
    }
  }

  @Test func `no token is 401, the anonymous key 403, and errors are problems`() async throws {
    try await RunningServer.with { server in
      let none = try await server.send("GET", "/v1/conversations")
      #expect(none.status == 401 && none.code == "unauthenticated" && none.headers["www-authenticate"] == "Bearer")
      #expect(none.headers["content-type"] == "application/problem+json")
      #expect(
        none.json.object?.members.map(\.key) == ["type", "title", "status", "detail", "code", "request_id"])
      #expect(none["request_id"]?.string == none.headers["x-request-id"])
      #expect(try await server.send("GET", "/v1/conversations", token: server.credentials.anonKey).status == 403)
      #expect(
        try await server.send("GET", "/v1/conversations", token: try await server.token(.anonymous)).status == 403)
      #expect(try await server.send("GET", "/v1/conversations", token: server.credentials.serviceKey).status == 200)
      #expect(try await server.send("GET", "/v1/conversations", token: try await server.token(.service)).status == 200)
      #expect(
        try await server.send(
          "GET", "/v1/conversations", headers: ["authorization": "bearer \(server.credentials.serviceKey)"]
        ).status == 200)
      for header in [
        "Bearer", "Bearer ", "Basic abc", "token", "Bearer x y", "Bearer \(String(repeating: "x", count: 9_000))",
      ] {
        #expect(
          try await server.send("GET", "/v1/conversations", headers: ["authorization": header]).status == 401,
          "\(header.prefix(20))")
      }
    }
  }

  /// A token made by hand, so that it can be wrong in every way.
  private func forged(_ header: String, _ claims: String, secret: [UInt8]) -> String {
    func encode(_ bytes: some DataProtocol) -> String {
      Data(bytes).base64EncodedString().replacingOccurrences(of: "+", with: "-")
        .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
    }
    let signed = encode(Array(header.utf8)) + "." + encode(Array(claims.utf8))
    return signed + "." + encode(hmacSHA256(Array(signed.utf8), key: secret))
  }

  @Test func `a token counts only with our algorithm, our signature and sound claims`() async throws {
    try await RunningServer.with { server in
      let secret = server.credentials.secret
      let user = "0190abcd-ef01-7234-89ab-cdef01234567"
      let now = Int(Date().timeIntervalSince1970)
      let header = #"{"alg":"HS256","typ":"JWT"}"#
      func claims(_ extra: String = "", sub: String? = nil, role: String = "\"authenticated\"", exp: String? = nil)
        -> String
      {
        #"{"sub":\#(sub ?? "\"\(user)\""),"role":\#(role),"exp":\#(exp ?? "\(now + 60)")\#(extra)}"#
      }
      func expect(_ expected: Int, _ header: String, _ claims: String, secret key: [UInt8]? = nil) async throws {
        let token = forged(header, claims, secret: key ?? secret)
        let status = try await server.send("GET", "/v1/conversations", token: token).status
        #expect(status == expected, "\(header) \(claims)")
      }
      try await expect(200, header, claims())
      // Clocks may differ by 30 s.
      try await expect(200, header, claims(exp: "\(now - 20)"))
      try await expect(200, header, claims(#","nbf":\#(now + 20)"#))
      let wrong: [(String, String)] = [
        (#"{"alg":"none"}"#, claims()), (#"{"alg":"HS512"}"#, claims()), (#"{"alg":"RS256"}"#, claims()),
        ("{}", claims()),
        (#"{"alg":"HS256","kid":"1"}"#, claims()), (#"{"alg":"HS256","crit":["b64"]}"#, claims()),
        (#"{"alg":"HS256","alg":"HS256"}"#, claims()), ("[]", claims()), ("", claims()),
        (header, claims(exp: "\(now - 40)")), (header, claims(exp: "\"\(now + 60)\"")), (header, claims(exp: "null")),
        (header, claims(exp: "true")), (header, claims(exp: "1e400")), (header, claims(#","nbf":\#(now + 60)"#)),
        (header, claims(#","nbf":"x""#)), (header, #"{"sub":"\#(user)","role":"authenticated"}"#),
        (header, #"{"sub":"\#(user)","exp":\#(now + 60)}"#), (header, #"{"role":"authenticated","exp":\#(now + 60)}"#),
        (header, claims(sub: "\"me\"")), (header, claims(sub: "7")), (header, claims(role: "\"admin\"")),
        (header, claims(role: "7")), (header, "[]"), (header, "null"), (header, ""),
      ]
      for (header, claims) in wrong {
        try await expect(401, header, claims)
      }
      try await expect(401, header, claims(), secret: Array("another secret of at least 32 bytes".utf8))
      let good = forged(header, claims(), secret: secret)
      for damaged in [
        String(good.dropLast()), good + "A", good.split(separator: ".").dropLast().joined(separator: ".") + ".",
        "." + good, good + ".x",
      ] {
        let answer = try await server.send("GET", "/v1/conversations", token: damaged)
        #expect(answer.status == 401)
      }
    }
  }

  @Test func `a token that was remembered still expires`() async throws {
    let secret = Array("0123456789abcdef0123456789abcdef".utf8)
    let credentials = try #require(Credentials(secret: secret, anonKey: "the-anon-key", serviceKey: "the-service-key"))
    let authenticator = await Authenticator(credentials)
    let now = StoreEnvironment.system.now()
    let token = try await TokenIssuer(secret: secret).token(for: .service, lifetimeSeconds: 60, now: now)
    let issued = Date(timeIntervalSince1970: Double(now.microseconds / 1_000_000))
    for seconds in [0, 59, 89] as [TimeInterval] {
      #expect(try await authenticator.role(ofToken: token, now: issued + seconds) == .principal(.service))
    }
    await #expect(throws: TokenFailure.expired) {
      _ = try await authenticator.role(ofToken: token, now: issued + 90)
    }
  }

  @Test(arguments: [
    ("", "the-anon-key", "the-service-key"), ("0123456789abcdef0123456789abcde", "the-anon-key", "the-service-key"),
    ("0123456789abcdef0123456789abcdef", "", "the-service-key"),
    ("0123456789abcdef0123456789abcdef", "the-anon-key", ""),
    ("0123456789abcdef0123456789abcdef", "the-same-key", "the-same-key"),
  ])
  func `a short secret, a short key and equal keys are no credentials`(secret: String, anon: String, service: String) {
    #expect(Credentials(secret: Array(secret.utf8), anonKey: anon, serviceKey: service) == nil)
  }

  @Test func `bodies are bounded and strict`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let path = "/v1/conversations/\(try await server.conversation(token))/messages"
      func post(_ body: String, _ headers: [String: String] = [:]) async throws -> RunningServer.Answer {
        try await server.send("POST", path, token: token, body: body, headers: headers)
      }
      func nested(_ depth: Int) -> String {
        #"{"role":"user","content":"x","metadata":"# + String(repeating: #"{"a":"#, count: depth) + "1"
          + String(repeating: "}", count: depth) + "}"
      }
      #expect(try await post(nested(32)).status == 201)
      #expect(try await post(nested(33)).status == 400)
      #expect(try await post(nested(500)).status == 400)
      let full = #"{"role":"user","content":"\#(String(repeating: "x", count: Limits.contentBytes))"}"#
      #expect(try await post(full).status == 201)
      let content = try await post(
        #"{"role":"user","content":"\#(String(repeating: "x", count: Limits.contentBytes + 1))"}"#)
      #expect(content.status == 413 && content.code == "too_large" && content["field"]?.string == "content")
      let body = try await post(#"{"role":"user","content":"\#(String(repeating: "x", count: Limits.bodyBytes))"}"#)
      #expect(body.status == 413 && body.code == "too_large")
      for text in [
        #"{"role":"user","content":"x","role":"user"}"#, #"{"role":"user","content":"\ud800"}"#,
        #"{"role":"user","content":"\u0000"}"#,
        #"{"role":"user","content":"x",}"#, #"{"role":"user","content":"x"} x"#, "\u{FEFF}{}", #"{"role":"user"}"#,
        #"{"content":"x"}"#,
        #"{"role":"robot","content":"x"}"#, #"{"role":"user","content":7}"#, #"{"role":"user","content":null}"#,
        #"{"role":"user","content":"x","confidence":10}"#, #"{"role":"user","content":"x","confidence":1e400000}"#,
        #"{"role":"user","content":"x","branch":1e300}"#, #"{"role":"user","content":"x","branch":-1}"#,
        #"{"role":"user","content":"x","parent":"x"}"#, #"{"role":"user","content":"x","clientid":"x"}"#,
        #"{"role":"user","content":"x","client_id":""}"#, #"{"messages":[]}"#, #"{"messages":{}}"#,
        #"{"messages":[1]}"#,
        #"{"messages":[{"role":"user","content":"x"}],"role":"user"}"#, "[]", "null",
      ] {
        let answer = try await post(text)
        #expect(answer.status == 400 && answer.code == "invalid", "\(text.prefix(80)): \(answer.text)")
      }
      #expect(try await post(#"{"role":"user","content":"x"}"#, ["content-type": "text/plain"]).status == 415)
      #expect(
        try await post(#"{"role":"user","content":"x"}"#, ["content-type": "application/json; charset=utf-8"]).status
          == 201)
      let page = try await server.send("GET", path, token: token)
      #expect(page["head_position"]?.number?.int == 3)
    }
  }

  @Test func `a method that a route does not have is 405 with those it has, an unknown route 404`() async throws {
    try await RunningServer.with { server in
      let wrong = try await server.send("PUT", "/v1/conversations", token: server.credentials.serviceKey)
      #expect(wrong.status == 405 && wrong.code == "invalid" && wrong.headers["allow"] == "GET, HEAD, POST")
      let unknown = try await server.send("GET", "/v1/nothing", token: server.credentials.serviceKey)
      #expect(unknown.status == 404 && unknown.code == "not_found")
    }
  }

  @Test func `a plain request id is kept, another replaced`() async throws {
    try await RunningServer.with { server in
      func id(_ sent: String) async throws -> String? {
        try await server.send("GET", "/healthz", headers: ["x-request-id": sent]).headers["x-request-id"]
      }
      let kept = try await id("abc-123_X.y")
      #expect(kept == "abc-123_X.y")
      for sent in ["", String(repeating: "x", count: 65), "a b", "a\"b", "\u{E9}"] {
        let replaced = try await id(sent)
        #expect(replaced != sent)
      }
    }
  }

  @Test func `the store's trouble is 503 with Retry-After, and readyz says why`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let path = "/v1/conversations/\(try await server.conversation(token))/messages"
      let watch = sync_probe_watch(server.directory, 0)
      defer { sync_probe_forget(watch) }
      sync_probe_fail_next(watch, .max)
      let refused = try await server.send("POST", path, token: token, body: #"{"role":"user","content":"x"}"#)
      #expect(refused.status == 503 && refused.code == "unavailable" && refused.headers["retry-after"] == "1")
      #expect(!refused.text.contains("SQL") && !refused.text.contains(server.directory))
      let ready = try await server.send("GET", "/readyz")
      #expect(ready.status == 503 && ready["reasons"]?.array?.count == 1)
      #expect(try await server.send("GET", "/healthz").status == 200)
      sync_probe_fail_next(watch, 0)
      while try await server.send("GET", "/readyz").status != 200 { try await Task.sleep(for: .milliseconds(50)) }
      #expect(try await server.send("POST", path, token: token, body: #"{"role":"user","content":"x"}"#).status == 201)
    }
  }
}
