import CSyncProbe
import ConversationModel
import ConversationServer
import Foundation
import StrictJSON
import Testing

@Suite(.timeLimit(.minutes(2))) struct SupabaseDoorTests {
  private static let keys = ["code", "details", "hint", "message"]

  /// Every error of this door has the same keys, and repeats little of what it was sent.
  private func expect(
    _ answer: RunningServer.Answer, _ status: Int, _ code: String, _ message: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(answer.status == status && answer.code == code, "\(answer.text)", sourceLocation: sourceLocation)
    #expect(answer["message"]?.string == message, sourceLocation: sourceLocation)
    #expect(answer.json.object?.members.map(\.key) == Self.keys, sourceLocation: sourceLocation)
    #expect(answer.headers["content-type"] == "application/json; charset=utf-8", sourceLocation: sourceLocation)
    #expect(answer.text.utf8.count < 900, sourceLocation: sourceLocation)
  }

  // MARK: The functions

  @Test func `the three functions store and read a conversation`() async throws {
    try await RunningServer.with { server in
      let (user, token) = try await server.user()
      let opened = try await server.call("get_or_create_pam_conversation", #"{"p_user_id":"\#(user)"}"#, token)
      #expect(opened.status == 200 && opened.headers["content-type"] == "application/json; charset=utf-8")
      let conversation = try #require(opened.json.string)
      for (role, text) in [("user", "Hi"), ("assistant", "Hello")] {
        let stored = try await server.call(
          "store_pam_message",
          #"{"p_conversation_id":"\#(conversation)","p_role":"\#(role)","p_content":"\#(text)"}"#, token)
        #expect(stored.status == 200 && stored.json.string != nil)
      }
      let history = try await server.call("get_conversation_history", #"{"p_user_id":"\#(user)"}"#, token)
      #expect(history.status == 200 && history.headers["content-range"] == "0-1/*")
      let rows = try #require(history.json.array).compactMap(\.object)
      #expect(rows.map { $0["content"]?.string } == ["Hello", "Hi"])
      #expect(rows[0].members.map(\.key) == ["role", "content", "intent", "created_at", "id", "position"])
      let counted = try await server.call(
        "get_conversation_history", #"{"p_user_id":"\#(user)"}"#, token, ["prefer": "count=exact"])
      #expect(counted.status == 200 && counted.headers["content-range"] == "0-1/2")
    }
  }

  @Test func `what a client wants of a history's rows is done as with a table`() async throws {
    try await RunningServer.with { server in
      let (user, token) = try await server.user()
      let conversation = try await server.conversation(token)
      try await server.fill(conversation, 1...15, token)
      let body = #"{"p_user_id":"\#(user)"}"#
      func positions(_ query: String) async throws -> [Int] {
        let posted = try await server.call("get_conversation_history?select=position&\(query)", body, token)
        let got = try await server.send(
          "GET", "/rest/v1/rpc/get_conversation_history?p_user_id=\(user)&select=position&\(query)", token: token)
        #expect(posted.status == 200 && posted.text == got.text, "\(query) \(posted.text) \(got.text)")
        return posted.json.array?.compactMap { $0.object?["position"]?.number?.int } ?? []
      }
      #expect(try await positions("") == (6...15).reversed())
      #expect(try await positions("limit=2&offset=1") == [14, 13])
      #expect(try await positions("order=created_at.asc&limit=2") == [6, 7])
      #expect(try await positions("position=in.(3,8,9)&role=eq.user") == [9, 8])
      let single = ["accept": "application/vnd.pgrst.object+json"]
      let one = try await server.call(
        "get_conversation_history", #"{"p_user_id":"\#(user)","p_limit":1}"#, token, single)
      #expect(one.status == 200 && one["position"]?.number?.int == 15)
      #expect(one.headers["content-type"] == "application/vnd.pgrst.object+json; charset=utf-8")
      let many = try await server.call("get_conversation_history", body, token, single)
      expect(many, 406, "PGRST116", "JSON object requested, multiple (or no) rows returned")
      #expect(many["details"]?.string == "The result contains 10 rows")
      let (stranger, other) = try await server.user()
      let none = try await server.call("get_conversation_history", #"{"p_user_id":"\#(stranger)"}"#, other, single)
      #expect(none["details"]?.string == "The result contains 0 rows")
      let csv = try await server.call("get_conversation_history", body, token, ["accept": "text/csv"])
      expect(csv, 406, "PGRST107", "None of these media types are available: text/csv")
      let column = try await server.call("get_conversation_history?select=metadata", body, token)
      expect(column, 400, "42703", "column get_conversation_history.metadata does not exist")
    }
  }

  // MARK: Errors

  @Test func `an unknown function or argument is not in the schema cache`() async throws {
    try await RunningServer.with { server in
      let token = server.credentials.serviceKey
      expect(
        try await server.call("do_it", #"{"b":1,"a":2}"#, token), 404, "PGRST202",
        "Could not find the function public.do_it(a, b) in the schema cache")
      expect(
        try await server.call("do_it", "{}", token), 404, "PGRST202",
        "Could not find the function public.do_it without parameters in the schema cache")
      expect(
        try await server.call("get_conversation_history", #"{"p_user_id":null,"p_colour":1}"#, token), 404, "PGRST202",
        "Could not find the function public.get_conversation_history(p_colour, p_user_id) in the schema cache")
      expect(
        try await server.call("store_pam_message", #"{"p_content":"x","p_role":"user"}"#, token), 404, "PGRST202",
        "Could not find the function public.store_pam_message(p_content, p_role) in the schema cache")
      let names = (0..<3_000).map { "\"\(String(repeating: "n", count: 60))\($0)\":1" }.joined(separator: ",")
      let many = try await server.call(String(repeating: "f", count: 200), "{\(names)}", token)
      #expect(many.status == 404 && many.code == "PGRST202" && many.text.utf8.count < 700)
      let got = try await server.send(
        "GET", "/rest/v1/rpc/get_conversation_history?p_user_id=x&p_user_id=y", token: token)
      expect(
        got, 404, "PGRST202",
        "Could not find the function public.get_conversation_history(p_user_id) in the schema cache")
    }
  }

  @Test func `a body that is no object of arguments is PGRST102`() async throws {
    try await RunningServer.with { server in
      for body in ["[]", "3", "null", "\"x\"", "{", "{\"a\":1,\"a\":2}", "\u{FEFF}{}"] {
        let answer = try await server.call("get_conversation_history", body, server.credentials.serviceKey)
        #expect(answer.status == 400 && answer.code == "PGRST102", "\(body) \(answer.text)")
        #expect(answer.json.object?.members.map(\.key) == Self.keys)
      }
    }
  }

  @Test func `values are refused in PostgreSQL's words`() async throws {
    try await RunningServer.with { server in
      let (user, token) = try await server.user()
      let conversation = try await server.conversation(token)
      func store(_ arguments: String) async throws -> RunningServer.Answer {
        try await server.call("store_pam_message", #"{"p_conversation_id":"\#(conversation)",\#(arguments)}"#, token)
      }
      func history(_ arguments: String) async throws -> RunningServer.Answer {
        try await server.call("get_conversation_history", #"{"p_user_id":"\#(user)",\#(arguments)}"#, token)
      }
      expect(
        try await server.call("get_conversation_history", #"{"p_user_id":"user-123"}"#, token), 400, "22P02",
        #"invalid input syntax for type uuid: "user-123""#)
      let long = String(repeating: "x", count: 5_000)
      expect(
        try await server.call("get_conversation_history", #"{"p_user_id":"\u0007\#(long)"}"#, token), 400, "22P02",
        #"invalid input syntax for type uuid: "\#(long.prefix(64))""#)
      expect(
        try await store(#""p_role":"robot","p_content":"x""#), 400, "23514",
        #"new row for relation "pam_messages" violates check constraint "pam_messages_role_check""#)
      expect(
        try await store(#""p_role":"tool","p_content":"x""#), 400, "23514",
        #"new row for relation "pam_messages" violates check constraint "pam_messages_role_check""#)
      for (column, arguments) in [
        ("content", #""p_role":"user","p_content":null"#), ("role", #""p_role":null,"p_content":"x""#),
      ] {
        expect(
          try await store(arguments), 400, "23502",
          #"null value in column "\#(column)" of relation "pam_messages" violates not-null constraint"#)
      }
      expect(
        try await store(#""p_role":"user","p_content":"x","p_confidence":9.995"#), 400, "22003",
        "numeric field overflow")
      // No double comes near these: the body itself cannot be read, but it is no bad JSON either.
      for number in ["1e400", "-1e400", "1e-400"] {
        expect(
          try await store(#""p_role":"user","p_content":"x","p_confidence":\#(number)"#), 400, "22003",
          "value overflows numeric format")
        expect(try await history(#""p_limit":\#(number)"#), 400, "22003", "value overflows numeric format")
      }
      expect(
        try await history(#""p_limit":3000000000"#), 400, "22003",
        #"value "3000000000" is out of range for type integer"#)
      expect(try await history(#""p_limit":"ten""#), 400, "22P02", #"invalid input syntax for type integer: "ten""#)
      expect(try await history(#""p_limit":-1"#), 400, "2201W", "LIMIT must not be negative")
      expect(
        try await history(#""p_before":"0190abcd-ef01-7234-89ab-cdef01234567","p_session_id":"s""#), 400, "22023",
        "p_before is not a message of this conversation")
      let name = String(repeating: "s", count: 256)
      expect(
        try await history(#""p_session_id":"\#(name)""#), 400, "22001", "value too long for type character varying(255)"
      )
      let control = try await server.call(
        "get_or_create_pam_conversation", #"{"p_user_id":"\#(user)","p_session_id":"a\u0007"}"#, token)
      #expect(control.status == 400 && control.code == "22023")
      #expect(try await history(#""p_limit":null"#).status == 200)
      #expect(try await history(#""p_limit":"2""#).status == 200)
      let compact = user.description.filter { $0 != "-" }
      #expect(try await server.call("get_conversation_history", #"{"p_user_id":"{\#(compact)}"}"#, token).status == 200)
    }
  }

  @Test func `unknown and foreign conversations are 23503, a client id used otherwise 23505`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let (_, other) = try await server.user()
      let conversation = try await server.conversation(token)
      func store(_ id: String, _ token: String, _ content: String = "x") async throws -> RunningServer.Answer {
        try await server.call(
          "store_pam_message",
          #"{"p_conversation_id":"\#(id)","p_role":"user","p_content":"\#(content)","p_client_id":"c"}"#, token)
      }
      let constraint =
        "insert or update on table \"pam_messages\" violates foreign key constraint "
        + "\"pam_messages_conversation_id_fkey\""
      for (id, token) in [(conversation, other), ("0190abcd-ef01-7234-89ab-cdef01234567", token)] {
        let answer = try await store(id, token)
        expect(answer, 409, "23503", constraint)
        #expect(
          answer["details"]?.string == "Key (conversation_id)=(\(id)) is not present in table \"pam_conversations\".")
      }
      #expect(try await store(conversation, token).status == 200)
      #expect(try await store(conversation, token).status == 200)
      expect(
        try await store(conversation, token, "y"), 409, "23505",
        "duplicate key value violates unique constraint \"pam_messages_client\"")
    }
  }

  @Test func `keys, tokens and permissions are refused with their own codes`() async throws {
    try await RunningServer.with { server in
      let (user, token) = try await server.user()
      let (stranger, _) = try await server.user()
      let path = "/rest/v1/rpc/get_conversation_history"
      func call(_ headers: [String: String], user id: UserID = user) async throws -> RunningServer.Answer {
        try await server.send("POST", path, body: #"{"p_user_id":"\#(id)"}"#, headers: headers)
      }
      let anon = server.credentials.anonKey
      #expect(try await call([:])["message"]?.string == "No API key found in request")
      #expect(try await call([:]).status == 401)
      let wrong = try await call(["apikey": "wrong"])
      #expect(wrong.status == 401 && wrong["message"]?.string == "Invalid API key")
      let bad = try await call(["apikey": anon, "authorization": "Bearer a.b.c"])
      #expect(
        bad.code == "PGRST301" && bad.headers["www-authenticate"]?.hasPrefix("Bearer error=\"invalid_token\"") == true)
      let expired = try await server.token(.user(user), lifetimeSeconds: -60)
      let late = try await call(["apikey": anon, "authorization": "Bearer \(expired)"])
      expect(late, 401, "PGRST303", "JWT expired")
      #expect(late.headers["www-authenticate"]?.hasPrefix("Bearer error=\"invalid_token\"") == true)
      expect(
        try await call(["apikey": anon, "authorization": "Bearer \(anon)"]), 401, "42501",
        "permission denied for function get_conversation_history")
      let foreign = try await call(["APIKEY": anon, "authorization": "Bearer \(token)"], user: stranger)
      expect(foreign, 403, "42501", "permission denied for function get_conversation_history")
      #expect(try await call(["apikey": anon, "authorization": "Bearer \(token)"]).status == 200)
      #expect(try await call(["apikey": server.credentials.serviceKey], user: stranger).status == 200)
    }
  }

  @Test func `methods that a route does not have are 405 with those it has`() async throws {
    try await RunningServer.with { server in
      let key = server.credentials.serviceKey
      for function in ["store_pam_message", "get_or_create_pam_conversation"] {
        let answer = try await server.send("GET", "/rest/v1/rpc/\(function)", token: key)
        expect(answer, 405, "25006", "cannot execute \(function) in a read-only transaction")
        #expect(answer.headers["allow"] == "POST")
      }
      for method in ["PUT", "PATCH", "DELETE"] {
        let answer = try await server.send(method, "/rest/v1/rpc/get_conversation_history", token: key)
        expect(answer, 405, "PGRST101", "Cannot use the \(method) method on RPC")
        #expect(answer.headers["allow"] == "GET, HEAD, POST")
        let write = try await server.send(method, "/rest/v1/pam_messages?id=eq.x", token: key, body: "{}")
        expect(write, 403, "42501", "permission denied for table pam_messages")
        #expect(write["hint"]?.string == "Call the function store_pam_message instead.")
      }
    }
  }

  @Test func `no schema but public is there`() async throws {
    try await RunningServer.with { server in
      let key = server.credentials.serviceKey
      let requests = [
        ("GET", "/rest/v1/pam_messages"), ("HEAD", "/rest/v1/pam_messages"), ("POST", "/rest/v1/pam_messages"),
        ("GET", "/rest/v1/unknown"), ("POST", "/rest/v1/rpc/store_pam_message"), ("POST", "/rest/v1/rpc/unknown"),
        ("DELETE", "/rest/v1/rpc/unknown"),
      ]
      for (method, path) in requests {
        for header in ["accept-profile", "content-profile"] {
          let answer = try await server.send(method, path, token: key, headers: [header: "pam"])
          guard method != "HEAD" else {
            #expect(answer.status == 406)
            continue
          }
          expect(answer, 406, "PGRST106", "Invalid schema: pam")
          #expect(answer["hint"]?.string == "Only the following schemas are exposed: public")
          let same = try await server.send(method, path, token: key, headers: [header: "public"])
          #expect(same.status != 406)
        }
      }
      let cut = try await server.send(
        "GET", "/rest/v1/pam_messages", token: key,
        headers: ["accept-profile": "a\tb" + String(repeating: "c", count: 100)])
      expect(cut, 406, "PGRST106", "Invalid schema: ab" + String(repeating: "c", count: 62))
    }
  }

  @Test func `the store's trouble is PGRST000 with Retry-After`() async throws {
    try await RunningServer.with { server in
      let (user, token) = try await server.user()
      let watch = sync_probe_watch(server.directory, 0)
      defer { sync_probe_forget(watch) }
      sync_probe_fail_next(watch, .max)
      let refused = try await server.call("get_or_create_pam_conversation", #"{"p_user_id":"\#(user)"}"#, token)
      expect(refused, 503, "PGRST000", "Database connection error.")
      #expect(refused.headers["retry-after"] == "1")
      sync_probe_fail_next(watch, 0)
    }
  }
}

extension RunningServer {
  /// Calls a function with a JSON text of arguments.
  fileprivate func call(
    _ function: String, _ arguments: String, _ token: String, _ headers: [String: String] = [:]
  ) async throws -> Answer {
    try await send("POST", "/rest/v1/rpc/\(function)", token: token, body: arguments, headers: headers)
  }
}
