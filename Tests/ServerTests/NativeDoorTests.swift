import ConversationModel
import ConversationServer
import StrictJSON
import Testing

@Suite struct NativeDoorTests {
  @Test func `a new session is 201, the same again 200, with every field of the contract`() async throws {
    try await RunningServer.with { server in
      let (id, token) = try await server.user()
      let body = #"{"session_id":"phone","title":"Trip","context":{"b":1,"a":[]}}"#
      let made = try await server.send("POST", "/v1/conversations", token: token, body: body)
      #expect(made.status == 201 && made.headers["etag"] == "\"1\"")
      #expect(
        made["durability"]?.string == "stored" && made["replayed"]?.bool == false && made["version"]?.number?.int == 1)
      let conversation = try #require(made["conversation"]?.object)
      #expect(
        conversation.members.map(\.key) == [
          "id", "user_id", "session_id", "is_default", "title", "context", "archived", "pinned", "active_branch",
          "head_position", "message_count", "branch_count", "version", "created_at", "updated_at",
        ])
      #expect(conversation["user_id"]?.string == id.description && conversation["title"]?.string == "Trip")
      #expect(conversation["context"]?.canonicalText() == #"{"a":[],"b":1}"#)
      let again = try await server.send("POST", "/v1/conversations", token: token, body: #"{"session_id":"phone"}"#)
      #expect(again.status == 200 && again["replayed"]?.bool == true)
      #expect(again["conversation"] == made["conversation"])
    }
  }

  @Test func `no session id is a new session, null is the default one`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      func open(_ body: String?) async throws -> JSONObject {
        let answer = try await server.send("POST", "/v1/conversations", token: token, body: body)
        return try #require(answer["conversation"]?.object)
      }
      let (new, bodiless) = (try await open("{}"), try await open(nil))
      #expect(new["session_id"] == new["id"] && bodiless["session_id"] == bodiless["id"] && new["id"] != bodiless["id"])
      let byDefault = try await open(#"{"session_id":null}"#)
      #expect(byDefault["is_default"]?.bool == true && byDefault["session_id"]?.isNull == true)
      #expect(try await open(#"{"session_id":null}"#)["id"] == byDefault["id"])
    }
  }

  @Test func `a message is stored with all its fields and read back alike`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let conversation = try await server.conversation(token)
      let path = "/v1/conversations/\(conversation)/messages"
      let body = #"""
        {"role":"assistant","content":"Grüße 👋\n\"x\"","client_id":"c1","intent":"greet","confidence":0.285,
         "entities":{"z":1e2,"a":null},"metadata":{"k":"v"}}
        """#
      let made = try await server.send("POST", path, token: token, body: body)
      #expect(made.status == 201)
      let message = try #require(made["message"]?.object)
      #expect(
        message.members.map(\.key) == [
          "id", "client_id", "conversation_id", "branch", "position", "role", "content", "intent", "confidence",
          "entities", "metadata", "status", "revision", "durability", "created_at", "edited_at",
        ])
      #expect(message["content"]?.string == "Grüße 👋\n\"x\"" && message["confidence"]?.number?.text == "0.29")
      #expect(message["entities"]?.canonicalText() == #"{"a":null,"z":1e2}"#)
      #expect(message["status"]?.string == "complete" && message["revision"]?.number?.int == 1)
      let again = try await server.send("POST", path, token: token, body: body)
      #expect(again.status == 200 && again["replayed"]?.bool == true && again["message"] == made["message"])
      let page = try await server.send("GET", path, token: token)
      #expect(page["data"]?.array == [.object(message)])
      let id = try #require(message["id"]?.string)
      let one = try await server.send("GET", "/v1/messages/\(id)", token: token)
      #expect(one.headers["etag"] == "\"1\"")
      #expect(one["siblings"]?.canonicalText() == #"[{"branch":0,"id":"\#(id)"}]"#)
    }
  }

  @Test func `Idempotency-Key is the client id, and stands for all messages of an append`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let conversation = try await server.conversation(token)
      let path = "/v1/conversations/\(conversation)/messages"
      func post(_ body: String, _ key: String) async throws -> RunningServer.Answer {
        try await server.send("POST", path, token: token, body: body, headers: ["Idempotency-Key": key])
      }
      let one = try await post(#"{"role":"user","content":"a"}"#, "k")
      #expect(one["message"]?.object?["client_id"]?.string == "k")
      #expect(try await post(#"{"role":"user","content":"a"}"#, "k").status == 200)
      #expect(try await post(#"{"role":"user","content":"b"}"#, "k").status == 409)
      #expect(try await post(#"{"role":"user","content":"a","client_id":"other"}"#, "k").status == 400)
      #expect(try await post(#"{"role":"user","content":"a","client_id":"k"}"#, "k").status == 200)
      let several = #"{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]}"#
      let made = try await post(several, "m")
      #expect(made.status == 201)
      #expect(made["messages"]?.array?.map { $0.object?["client_id"]?.string } == ["m", nil])
      #expect(try await post(several, "m").status == 200)
      #expect(try await post(#"{"role":"user","content":"a"}"#, "\u{E9}").status == 400)
    }
  }

  @Test func `pages go both ways and around, by position, id and cursor`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let conversation = try await server.conversation(token)
      let path = "/v1/conversations/\(conversation)/messages"
      let list = (1...50).map { #"{"role":"user","content":"\#($0)"}"# }.joined(separator: ",")
      let made = try await server.send("POST", path, token: token, body: "{\"messages\":[\(list)]}")
      let ids = try #require(made["messages"]?.array).compactMap { $0.object?["id"]?.string }
      func page(_ query: String) async throws -> (positions: [Int], answer: RunningServer.Answer) {
        let answer = try await server.send("GET", path + query, token: token)
        #expect(answer.status == 200, "\(query) \(answer.text)")
        return (answer["data"]?.array?.compactMap { $0.object?["position"]?.number?.int } ?? [], answer)
      }
      let latest = try await page("")
      #expect(latest.positions == Array(31...50))
      #expect(
        latest.answer.json.object?.members.map(\.key) == [
          "data", "forks", "branch", "has_before", "has_after", "before", "after", "head_position", "version",
        ])
      #expect(latest.answer["has_before"]?.bool == true && latest.answer["after"]?.isNull == true)
      let before = try #require(latest.answer["before"]?.string)
      #expect(try await page("?before=\(before)&limit=5").positions == Array(26...30))
      #expect(try await page("?before=\(ids[9])&limit=3").positions == [7, 8, 9])
      #expect(try await page("?after=10&limit=3").positions == [11, 12, 13])
      #expect(try await page("?around=25&limit=4&branch=0").positions == [23, 24, 25, 26])
      #expect(try await page("?around=1&limit=4").positions == [1, 2, 3, 4])
      for query in [
        "?before=51", "?before=0", "?around=x", "?before=3&after=4", "?limit=0", "?limit=201", "?limit=-1",
        "?limit=1.5", "?limit=1&limit=2", "?colour=red", "?branch=x", "?before=", "?limit=99999999999999999999",
      ] {
        let answer = try await server.send("GET", path + query, token: token)
        #expect(answer.status == 400 && answer.code == "invalid", "\(query)")
      }
      #expect(try await server.send("GET", path + "?branch=4", token: token).status == 404)
    }
  }

  @Test func `a patch names what changes, checks If-Match and answers a receipt`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let path = "/v1/conversations/\(try await server.conversation(token))"
      func patch(_ body: String, _ match: String? = nil) async throws -> RunningServer.Answer {
        try await server.send("PATCH", path, token: token, body: body, headers: match.map { ["If-Match": $0] } ?? [:])
      }
      let pinned = try await patch(#"{"pinned":true,"title":"Trip"}"#, "1")
      #expect(pinned.status == 200 && pinned["version"]?.number?.int == 2 && pinned.headers["etag"] == "\"2\"")
      #expect(try await patch(#"{"archived":true}"#, "\"2\"").status == 200)
      let stale = try await patch(#"{"archived":false}"#, "\"2\"")
      #expect(stale.status == 412 && stale.code == "precondition_failed")
      #expect(try await patch(#"{"title":null}"#)["conversation"]?.object?["title"]?.isNull == true)
      for body in [
        "{}", #"{"version":4}"#, #"{"pinned":"yes"}"#, #"{"active_branch":-1}"#, #"{"context":[]}"#, "[]", "3", "{", "",
      ] {
        #expect(try await patch(body).status == 400, "\(body)")
      }
      for match in ["x", "\"x\"", "-1", "1, 2", ""] {
        #expect(try await patch(#"{"pinned":true}"#, match).status == 400, "\(match)")
      }
      let now = try await server.send("GET", path, token: token)
      #expect(now["version"]?.number?.int == 4 && now["pinned"]?.bool == true && now.headers["etag"] == "\"4\"")
    }
  }

  @Test func `erasing answers what went, and then nothing is there`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let path = "/v1/conversations/\(try await server.conversation(token))"
      _ = try await server.send("POST", path + "/messages", token: token, body: #"{"role":"user","content":"x"}"#)
      let erased = try await server.send("DELETE", path, token: token)
      #expect(
        erased.text == #"{"state":"complete","counts":{"conversations":1,"branches":1,"messages":1,"revisions":0}}"#)
      #expect(try await server.send("DELETE", path, token: token).status == 404)
      #expect(try await server.send("GET", path + "/messages", token: token).status == 404)
    }
  }

  @Test func `a list is paged by cursor and filtered by query`() async throws {
    try await RunningServer.with { server in
      let (id, token) = try await server.user()
      for number in 0..<5 { _ = try await server.conversation(token, "s\(number)") }
      let first = try await server.send("GET", "/v1/conversations?limit=2", token: token)
      #expect(first["has_more"]?.bool == true)
      let cursor = try #require(first["next_cursor"]?.string)
      let second = try await server.send("GET", "/v1/conversations?limit=3&cursor=\(cursor)", token: token)
      #expect(
        second["data"]?.array?.count == 3 && second["has_more"]?.bool == false && second["next_cursor"]?.isNull == true)
      let named = try await server.send("GET", "/v1/conversations?session_id=s3", token: token)
      #expect(named["data"]?.array?.count == 1)
      let service = server.credentials.serviceKey
      #expect(
        try await server.send("GET", "/v1/conversations?user_id=\(id)", token: service)["data"]?.array?.count == 5)
      let spaced = try await server.conversation(token, "a b+c")
      for query in ["session_id=a+b%2Bc", "session_id=a%20b%2bc"] {
        let found = try await server.send("GET", "/v1/conversations?\(query)", token: token)
        #expect(found["data"]?.array?.map { $0.object?["id"]?.string } == [spaced])
      }
      for query in ["limit=0", "cursor=x", "archived=1", "user_id=me", "x=1"] {
        #expect(try await server.send("GET", "/v1/conversations?\(query)", token: token).status == 400, "\(query)")
      }
    }
  }

  @Test func `the service role acts for the user it names, a user for itself only`() async throws {
    try await RunningServer.with { server in
      let (one, token) = try await server.user()
      let (two, _) = try await server.user()
      let service = server.credentials.serviceKey
      let made = try await server.send("POST", "/v1/conversations", token: service, body: #"{"user_id":"\#(one)"}"#)
      #expect(made.status == 201 && made["conversation"]?.object?["user_id"]?.string == one.description)
      #expect(try await server.send("POST", "/v1/conversations", token: service, body: "{}").status == 400)
      #expect(try await server.send("POST", "/v1/conversations?user_id=\(two)", token: token, body: "{}").status == 403)
      #expect(
        try await server.send("POST", "/v1/conversations", token: token, body: #"{"user_id":"\#(two)"}"#).status == 403)
      let id = try #require(made["conversation"]?.object?["id"]?.string)
      #expect(try await server.send("GET", "/v1/conversations/\(id)?user_id=\(two)", token: service).status == 404)
      #expect(try await server.send("GET", "/v1/conversations/\(id)?user_id=\(one)", token: service).status == 200)
      let append = try await server.send(
        "POST", "/v1/conversations/\(id)/messages", token: service,
        body: #"{"role":"user","content":"x","user_id":"\#(two)"}"#)
      #expect(append.status == 404)
    }
  }

  /// Sent in pieces, it has to be the same to a client as one that was not.
  @Test func `a page of long messages is like any other page`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let path = "/v1/conversations/\(try await server.conversation(token))/messages"
      for number in 1...12 {
        let text = String(repeating: "\(number % 10)", count: Limits.contentBytes)
        let body = #"{"role":"user","content":"\#(text)"}"#
        #expect(try await server.send("POST", path, token: token, body: body).status == 201)
      }
      for (query, positions) in [
        ("", 1...12), ("?limit=10", 3...12), ("?around=6&limit=7", 3...9), ("?after=2", 3...12),
      ] {
        let page = try await server.send("GET", path + query, token: token)
        let data = try #require(page["data"]?.array).compactMap(\.object)
        #expect(page.headers["content-length"] == nil, "\(query) came in one piece")
        #expect(data.map { $0["position"]?.number?.int } == Array(positions))
        #expect(
          data.allSatisfy { message in
            let content = message["content"]?.string ?? ""
            return content.utf8.count == Limits.contentBytes
              && content.hasPrefix("\((message["position"]?.number?.int ?? 0) % 10)")
          })
        let short = try await server.send("GET", path + query + (query.isEmpty ? "?" : "&") + "limit=1", token: token)
        if !query.contains("limit") {
          #expect(page.json.object?.members.map(\.key) == short.json.object?.members.map(\.key))
        }
        #expect(page["has_before"] == .bool(positions.lowerBound > 1))
        #expect(page["head_position"]?.number?.int == 12 && page["version"]?.number?.int == 13)
      }
    }
  }

  @Test func `foreign, unknown and malformed ids get the same bytes`() async throws {
    try await RunningServer.with { server in
      let (_, owner) = try await server.user()
      let (_, stranger) = try await server.user()
      let conversation = try await server.conversation(owner)
      let made = try await server.send(
        "POST", "/v1/conversations/\(conversation)/messages", token: owner, body: #"{"role":"user","content":"x"}"#)
      let message = try #require(made["message"]?.object?["id"]?.string)
      let requests: [(method: String, path: (String) -> String, id: String, body: String?)] = [
        ("GET", { "/v1/conversations/\($0)" }, conversation, nil),
        ("PATCH", { "/v1/conversations/\($0)" }, conversation, #"{"pinned":true}"#),
        ("DELETE", { "/v1/conversations/\($0)" }, conversation, nil),
        ("GET", { "/v1/conversations/\($0)/messages" }, conversation, nil),
        ("GET", { "/v1/conversations/\($0)/messages?before=\(message)" }, conversation, nil),
        ("POST", { "/v1/conversations/\($0)/messages" }, conversation, #"{"role":"user","content":"x"}"#),
        ("GET", { "/v1/conversations/\($0)/branches" }, conversation, nil),
        ("GET", { "/v1/messages/\($0)" }, message, nil),
      ]
      for request in requests {
        var answers: [String] = []
        for id in [request.id, "0190abcd-ef01-7234-89ab-cdef01234567", "none"] {
          let answer = try await server.send(
            request.method, request.path(id), token: stranger, body: request.body, headers: ["x-request-id": "same"])
          answers.append("\(answer.status) \(answer.headers["content-length"] ?? "") \(answer.text)")
          #expect(answer.status == 404)
        }
        #expect(Set(answers).count == 1, "\(request.method) \(answers)")
      }
    }
  }
}
