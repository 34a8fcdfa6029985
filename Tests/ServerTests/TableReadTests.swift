import ConversationModel
import ConversationServer
import Foundation
import StoreSQLite
import StrictJSON
import Testing

@testable import StoreSQL

@Suite(.timeLimit(.minutes(2))) struct TableReadTests {
  // MARK: Rows and columns

  @Test func `a message has the former columns, then Parley's, each printed as PostgREST does`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let conversation = try await server.conversation(token)
      let made = try await server.post(
        #"{"role":"assistant","content":"Grüße \"👋\"","client_id":"c","intent":"greet","confidence":0.9,"entities":{"b":1,"a":[null]}}"#,
        to: conversation, token)
      let rows = try await server.rows("pam_messages?conversation_id=eq.\(conversation)", token)
      let row = try #require(rows.first)
      #expect(
        row.members.map(\.key) == [
          "id", "conversation_id", "role", "content", "intent", "confidence", "entities", "metadata", "created_at",
          "client_id", "branch", "position", "revision", "edited_at",
        ])
      #expect(row["id"]?.string == made && row["conversation_id"]?.string == conversation)
      #expect(row["content"]?.string == "Grüße \"👋\"" && row["intent"]?.string == "greet")
      #expect(row["confidence"]?.number?.text == "0.90" && row["branch"]?.number?.int == 0)
      #expect(row["entities"]?.canonicalText() == #"{"a":[null],"b":1}"# && row["metadata"]?.canonicalText() == "{}")
      let time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,5}[1-9])?\+00:00/
      #expect(row["created_at"]?.string?.wholeMatch(of: time) != nil)
      #expect(
        row["position"]?.number?.int == 1 && row["revision"]?.number?.int == 1 && row["edited_at"]?.isNull == true)
    }
  }

  @Test func `a conversation has the former columns, and the former title where it has none`() async throws {
    try await RunningServer.with { server in
      let (user, token) = try await server.user()
      let conversation = try await server.conversation(token, "phone")
      let row = try #require(try await server.rows("pam_conversations", token).first)
      #expect(
        row.members.map(\.key) == [
          "id", "user_id", "session_id", "title", "context_data", "created_at", "updated_at", "is_default", "archived",
          "pinned", "active_branch", "message_count", "version",
        ])
      #expect(row["id"]?.string == conversation && row["user_id"]?.string == user.description)
      #expect(row["session_id"]?.string == "phone" && row["title"]?.string == "PAM Conversation")
      #expect(row["is_default"]?.bool == false && row["context_data"]?.canonicalText() == "{}")
      #expect(try await server.rows("pam_conversations?title=eq.PAM+Conversation", token).count == 1)
      #expect(try await server.rows("pam_conversations?title=is.null", token).isEmpty)
    }
  }

  @Test func `select names columns, in its order, under other names if wanted`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      _ = try await server.post(#"{"role":"user","content":"x"}"#, to: try await server.conversation(token), token)
      func keys(_ select: String) async throws -> [String] {
        try await server.rows("pam_messages?select=\(select)", token).first?.members.map(\.key) ?? []
      }
      #expect(try await keys("content,role") == ["content", "role"])
      #expect(try await keys("%20content%20,%20role") == ["content", "role"])
      #expect(try await keys("text:content,role,content,role") == ["text", "role", "content"])
      #expect(try await keys("role,*").count == 14)
      #expect(try await keys("").count == 14)
      for select in [
        "content,pam_conversations(title)", "content::text", "metadata-%3Ea", "metadata-%3E%3Ea", "count()",
        "content.count()", "content,", ",", "a:b:content", ":content", "...pam_conversations(title)", "%22content%22",
        "(", String(repeating: "(", count: 5_000), "role;drop", "\u{301}",
      ] {
        let answer = try await server.table("pam_messages?select=\(select.encoded)", token)
        #expect(answer.status == 400 && answer.code == "PGRST100", "\(select.prefix(80)): \(answer.text)")
        #expect(answer["hint"]?.string?.contains("alias:column") == true && answer.text.utf8.count < 600)
      }
      let unknown = try await server.table("pam_messages?select=id,colour", token)
      #expect(unknown.status == 400 && unknown.code == "42703")
      #expect(unknown["message"]?.string == "column pam_messages.colour does not exist")
    }
  }

  @Test func `deleted messages, tool results, unfinished answers and other branches are not in the table`() async throws
  {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let conversation = try await server.conversation(token)
      for role in ["user", "assistant", "tool", "user", "assistant", "system"] {
        _ = try await server.post(#"{"role":"\#(role)","content":"x"}"#, to: conversation, token)
      }
      try await server.store.driver.write { connection in
        try connection.script(
          """
          UPDATE pam_messages SET status = 'deleted', content = '' WHERE position = 4;
          UPDATE pam_messages SET status = 'incomplete' WHERE position = 5;
          """)
      }
      let table = "pam_messages?select=position&conversation_id=eq.\(conversation)"
      #expect(try await server.positions(table, token) == [1, 2, 6])
      let counted = try await server.table(table, token, ["prefer": "count=exact"])
      #expect(counted.headers["content-range"] == "0-2/3")
      // Another branch takes over behind the first message.
      try await server.store.driver.write { connection in
        try connection.script(
          """
          INSERT INTO pam_branches (conversation_id, number, parent, fork_position, head_position, origin, version,
            created_at)
          SELECT id, 1, 0, 1, 2, 'fork', version + 1, created_at FROM pam_conversations;
          INSERT INTO pam_messages (id, conversation_id, branch, position, role, content, status, version, fingerprint,
            created_at)
          SELECT x'000102030405060708090a0b0c0d0e0f', id, 1, 2, 'user', 'other', 'complete', version + 1, x'00',
            created_at FROM pam_conversations;
          UPDATE pam_conversations SET active_branch = 1, next_branch = 2, branch_count = 2, version = version + 1;
          """)
      }
      let texts = try await server.rows("pam_messages?select=content,branch", token).map { $0["content"]?.string }
      #expect(texts == ["x", "other"])
      let other = "00010203-0405-0607-0809-0a0b0c0d0e0f"
      #expect(try await server.rows("pam_messages?id=eq.\(other)", token).count == 1)
      try await server.store.driver.write { try $0.script("UPDATE pam_conversations SET active_branch = 0") }
      #expect(try await server.rows("pam_messages?id=eq.\(other)", token).isEmpty)
    }
  }

  // MARK: Whose rows

  @Test func `a user reads its own rows only, the service role all`() async throws {
    try await RunningServer.with { server in
      let (one, token) = try await server.user()
      let (_, other) = try await server.user()
      let mine = try await server.conversation(token)
      let message = try await server.post(#"{"role":"user","content":"mine"}"#, to: mine, token)
      let theirs = try await server.conversation(other)
      _ = try await server.post(#"{"role":"user","content":"theirs"}"#, to: theirs, other)
      for filter in [
        "pam_messages?id=eq.\(message)", "pam_messages?id=in.(\(message))", "pam_messages?conversation_id=eq.\(mine)",
        "pam_messages?conversation_id=in.(\(mine),\(mine))", "pam_messages?content=eq.mine",
        "pam_messages?content=eq.mine&order=created_at.desc", "pam_conversations?id=eq.\(mine)",
        "pam_conversations?user_id=eq.\(one)", "pam_conversations?user_id=in.(\(one))",
        "pam_conversations?session_id=eq.s&user_id=eq.\(one)",
      ] {
        #expect(try await server.rows(filter, other).isEmpty, "\(filter)")
        #expect(try await server.rows(filter, token).count == 1, "\(filter)")
        #expect(try await server.rows(filter, server.credentials.serviceKey).count == 1, "\(filter)")
      }
      #expect(try await server.rows("pam_messages", other).map { $0["content"]?.string } == ["theirs"])
      #expect(try await server.rows("pam_conversations", other).map { $0["id"]?.string } == [theirs])
      #expect(try await server.rows("pam_conversations", server.credentials.serviceKey).count == 2)
      #expect(try await server.rows("pam_messages", server.credentials.serviceKey).count == 2)
    }
  }

  @Test func `the anonymous key may read neither table, and unknown tables are not there`() async throws {
    try await RunningServer.with { server in
      for table in ["pam_messages", "pam_conversations"] {
        let answer = try await server.table(table, server.credentials.anonKey)
        #expect(answer.status == 401 && answer.code == "42501")
        #expect(answer["message"]?.string == "permission denied for table \(table)")
        #expect(try await server.send("GET", "/rest/v1/\(table)").status == 401)
      }
      for name in ["pam_message", "PAM_MESSAGES", String(repeating: "t", count: 100)] {
        let answer = try await server.table(name, server.credentials.serviceKey)
        #expect(answer.status == 404 && answer.code == "PGRST205")
        let shown = name.prefix(64)
        #expect(answer["message"]?.string == "Could not find the table 'public.\(shown)' in the schema cache")
      }
    }
  }

  // MARK: Filters

  @Test func `a filter compares by its column's type, and null with nothing`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let conversation = try await server.conversation(token)
      for message in [
        #"{"role":"user","content":"a","intent":"x,y","confidence":0.1,"metadata":{"k":1,"j":"é"}}"#,
        #"{"role":"assistant","content":"B","intent":"(z)","confidence":0.95}"#,
        #"{"role":"user","content":"é"}"#,
        #"{"role":"system","content":"","intent":"q\"\\","confidence":-9.99}"#,
      ] { _ = try await server.post(message, to: conversation, token) }
      func expect(_ filter: String, _ positions: [Int]) async throws {
        let found = try await server.positions("pam_messages?select=position&\(filter.encoded)", token)
        #expect(found == positions, "\(filter)")
      }
      try await expect("role=eq.user", [1, 3])
      try await expect("role=neq.user", [2, 4])
      try await expect("role=not.eq.user", [2, 4])
      try await expect("role=in.(user,system)", [1, 3, 4])
      try await expect("role=not.in.(user,system)", [2])
      try await expect("role=in.()", [])
      try await expect("role=not.in.()", [1, 2, 3, 4])
      try await expect("content=eq.", [4])
      try await expect("content=in.()&role=eq.system", [])
      try await expect("content=in.(,a)", [1, 4])
      try await expect("content=gt.B", [1, 3])
      try await expect("content=eq.\u{65}\u{301}", [])
      try await expect("intent=in.(\"x,y\",\"(z)\")", [1, 2])
      try await expect("intent=in.(\"q\\\"\\\\\")", [4])
      try await expect("intent=eq.x,y", [1])
      try await expect("intent=neq.x", [1, 2, 4])
      try await expect("intent=not.eq.x,y", [2, 4])
      try await expect("intent=not.in.(\"x,y\")", [2, 4])
      try await expect("intent=is.null", [3])
      try await expect("intent=not.is.null", [1, 2, 4])
      try await expect("intent=is.not_null", [1, 2, 4])
      try await expect("intent=eq.null", [])
      try await expect("confidence=eq.0.10", [1])
      try await expect("confidence=gte.0.1&confidence=lt.9.5e-1", [1])
      try await expect("confidence=lt.0", [4])
      try await expect("confidence=gt.-1e400", [1, 2, 4])
      try await expect("confidence=in.(.95,-9.99)", [2, 4])
      try await expect("position=gt.1&position=lte.3", [2, 3])
      try await expect("position=eq. 2 ", [2])
      try await expect("metadata=eq.{\"j\": \"é\", \"k\": 1}", [1])
      try await expect("metadata=neq.{}", [1])
      try await expect("edited_at=is.null&created_at=gt.2020-01-01&created_at=lt.infinity", [1, 2, 3, 4])
      try await expect("conversation_id=neq.\(conversation)", [])
      try await expect("conversation_id=eq.\(conversation.uppercased())&position=neq.4", [1, 2, 3])
      let compact = conversation.filter { $0 != "-" }
      try await expect("conversation_id=eq.{\(compact)}&position=eq.1", [1])
      #expect(try await server.rows("pam_conversations?pinned=is.false&archived=eq.f", token).count == 1)
      #expect(try await server.rows("pam_conversations?pinned=is.true", token).isEmpty)
      #expect(try await server.rows("pam_conversations?pinned=not.is.true&pinned=is.not_null", token).count == 1)
      #expect(try await server.rows("pam_conversations?pinned=is.unknown", token).isEmpty)
    }
  }

  @Test func `times are compared as instants, however they are written`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      _ = try await server.post(#"{"role":"user","content":"x"}"#, to: try await server.conversation(token), token)
      try await server.store.driver.write {
        // 2026-11-22T13:34:24.8777Z
        try $0.script("UPDATE pam_messages SET created_at = 1795354464877700")
      }
      func found(_ filter: String) async throws -> Bool {
        try await server.rows("pam_messages?created_at=\(filter.encoded)", token).count == 1
      }
      let row = try #require(try await server.rows("pam_messages", token).first)
      #expect(row["created_at"]?.string == "2026-11-22T13:34:24.8777+00:00")
      for equal in [
        "2026-11-22T13:34:24.8777+00:00", "2026-11-22 13:34:24.877700+00", "2026-11-22T13:34:24.8777Z",
        "2026-11-22T15:34:24.8777+02:00", "2026-11-22 09:04:24.8777-0430", "2026-11-22T13:34:24.87770049",
        "2026-11-22T13:34:24.8776995",
      ] { #expect(try await found("eq." + equal), "\(equal)") }
      for before in ["2026-11-22", "2026-11-22 13:34", "2024-02-29", "epoch", "-infinity", "0001-01-01"] {
        #expect(try await found("gt." + before), "\(before)")
      }
      for after in ["2026-11-23", "2026-11-22T24:00:00", "9999-12-31 23:59:60", "infinity"] {
        #expect(try await found("lt." + after), "\(after)")
      }
    }
  }

  @Test(arguments: [
    ("pam_messages?id=eq.user-123", "22P02", #"invalid input syntax for type uuid: "user-123""#),
    ("pam_messages?id=in.(,)", "22P02", #"invalid input syntax for type uuid: """#),
    ("pam_messages?id=eq.", "22P02", #"invalid input syntax for type uuid: """#),
    ("pam_conversations?user_id=eq.null", "22P02", #"invalid input syntax for type uuid: "null""#),
    ("pam_messages?position=eq.1.0", "22P02", #"invalid input syntax for type integer: "1.0""#),
    ("pam_messages?position=eq.3000000000", "22003", #"value "3000000000" is out of range for type integer"#),
    (
      "pam_messages?position=eq.-99999999999999999999", "22003",
      #"value "-99999999999999999999" is out of range for type integer"#
    ),
    ("pam_messages?confidence=eq.high", "22P02", #"invalid input syntax for type numeric: "high""#),
    ("pam_messages?confidence=eq.1e", "22P02", #"invalid input syntax for type numeric: "1e""#),
    ("pam_conversations?pinned=eq.maybe", "22P02", #"invalid input syntax for type boolean: "maybe""#),
    ("pam_messages?metadata=eq.%7B", "22P02", "invalid input syntax for type json"),
    (
      "pam_messages?created_at=gt.yesterday-ish", "22007",
      #"invalid input syntax for type timestamp with time zone: "yesterday-ish""#
    ),
    (
      "pam_messages?created_at=gt.2026-11-22T13:34:24+00:00", "22007",
      #"invalid input syntax for type timestamp with time zone: "2026-11-22T13:34:24 00:00""#
    ),
    ("pam_messages?created_at=gt.2026-02-29", "22008", #"date/time field value out of range: "2026-02-29""#),
    (
      "pam_messages?created_at=gt.2026-01-01T25:00", "22008", #"date/time field value out of range: "2026-01-01T25:00""#
    ),
    ("pam_messages?role=is.true", "42804", "argument of IS TRUE must be type boolean, not type text"),
    ("pam_messages?colour=eq.red", "42703", "column pam_messages.colour does not exist"),
    ("pam_messages?order=colour", "42703", "column pam_messages.colour does not exist"),
    ("pam_conversations?content=eq.x", "42703", "column pam_conversations.content does not exist"),
  ])
  func `a value that a column cannot have is refused in PostgreSQL's words`(
    path: String, code: String, message: String
  ) async throws {
    try await RunningServer.with { server in
      let answer = try await server.table(path, server.credentials.serviceKey)
      #expect(answer.status == 400 && answer.code == code && answer["message"]?.string == message, "\(answer.text)")
      #expect(answer.json.object?.members.map(\.key) == ["code", "details", "hint", "message"])
    }
  }

  @Test func `what cannot be read is PGRST100, whatever it is`() async throws {
    try await RunningServer.with { server in
      let long = String(repeating: "x", count: 4_000)
      for query in [
        "role=user", "role=", "role", "role=like.x", "role=ilike.*x*", "role=eq(any).{a}", "role=fts.x",
        "role=not.user", "role=not.not.eq.user", "role=EQ.user", "role=in.user", "role=in.(user", "role=in.user)",
        "role=in.(\"user)", "role=in.(\"a\"b)", "role=in.(\"a\\\")", "role=is.nil", "role=is.", "or=(role.eq.user)",
        "and=(role.eq.user)", "not.or=(role.eq.user)", "pam_conversations.title=eq.x", "metadata->>k=eq.x",
        "metadata=gt.{}", "metadata=cs.{}", "order=", "order=role.up", "order=role.desc.asc",
        "order=role.nullsfirst.desc", "order=,role", "order=metadata", "order=pam_conversations(title)",
        "order=metadata->k", "limit=x", "limit=", "limit=1.5", "limit=--1", "offset=x", "=eq.x", "=", "r\u{f6}le=eq.x",
        "role=\(long)", "\(long)=x", "order=\(long).\(long)", "role=in.(\(long)",
        "role=in.(\(String(repeating: ",", count: 1_000)))",
        Array(repeating: "role=eq.user", count: 33).joined(separator: "&"),
        Array(repeating: "order=role", count: 65).joined(separator: "&"),
        "select=" + (0..<65).map { "a\($0):role" }.joined(separator: ","),
      ] {
        let answer = try await server.table("pam_messages?\(query.encoded)", server.credentials.serviceKey)
        #expect(answer.status == 400 && answer.code == "PGRST100", "\(query.prefix(80)): \(answer.text)")
        #expect(answer.text.utf8.count < 600 && answer["hint"]?.string != nil)
        #expect(answer.json.object?.members.map(\.key) == ["code", "details", "hint", "message"])
      }
      for query in ["role=eq.%FF", "%C3=eq.x"] {
        let answer = try await server.table("pam_messages?\(query)", server.credentials.serviceKey)
        #expect(answer.status == 400 && answer.code == "PGRST100", "\(query)")
      }
    }
  }

  // MARK: Order and window

  @Test func `within a conversation the order is the path's, whatever the clock did`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let conversation = try await server.conversation(token)
      try await server.fill(conversation, 1...250, token)
      try await server.store.driver.write {
        try $0.script("UPDATE pam_messages SET created_at = created_at - 1000000 * (position % 3)")
      }
      let table = "pam_messages?select=position&conversation_id=eq.\(conversation)"
      let all = "pam_messages?select=position"
      for table in [table, all] {
        #expect(try await server.positions(table, token) == Array(1...250))
        #expect(try await server.positions(table + "&order=created_at", token) == Array(1...250))
        #expect(try await server.positions(table + "&order=created_at.desc,id", token) == (1...250).reversed())
        #expect(try await server.positions(table + "&order=position.desc&limit=3", token) == [250, 249, 248])
        #expect(
          try await server.positions(table + "&order=created_at.desc&limit=3&offset=2", token) == [248, 247, 246])
        #expect(try await server.positions(table + "&limit=2&offset=210", token) == [211, 212])
        #expect(try await server.positions(table + "&limit=0", token) == [])
        #expect(
          try await server.positions(table + "&offset=9223372036854775807&limit=9223372036854775807", token) == [])
        #expect(try await server.positions(table + "&offset=99999999999999999999", token) == [])
        #expect(try await server.positions(table + "&position=gt.120&role=eq.user&limit=2", token) == [121, 122])
        #expect(try await server.positions(table + "&position=gte.249", token) == [249, 250])
        #expect(try await server.positions(table + "&position=gt.250", token) == [])
        #expect(try await server.positions(table + "&position=eq.7&order=position.desc", token) == [7])
        #expect(try await server.positions(table + "&position=lt.3&position=gt.-5", token) == [1, 2])
        #expect(try await server.positions(table + "&position=gt.5&position=lt.3", token) == [])
      }
    }
  }

  @Test func `rows are ordered by several columns, nulls last going up and first going down`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let conversation = try await server.conversation(token)
      for (role, intent) in [("user", "b"), ("assistant", nil), ("user", "a"), ("assistant", "b"), ("user", nil)] {
        let intent = intent.map { "\"\($0)\"" } ?? "null"
        _ = try await server.post(#"{"role":"\#(role)","content":"x","intent":\#(intent)}"#, to: conversation, token)
      }
      func order(_ order: String) async throws -> [Int] {
        try await server.positions("pam_messages?select=position&order=\(order)", token)
      }
      #expect(try await order("intent") == [3, 1, 4, 2, 5])
      #expect(try await order("intent.asc.nullsfirst") == [2, 5, 3, 1, 4])
      #expect(try await order("intent.desc") == [2, 5, 1, 4, 3])
      #expect(try await order("intent.desc.nullslast,position.desc") == [4, 1, 3, 5, 2])
      #expect(try await order("role,intent.nullsfirst") == [2, 4, 5, 3, 1])
      #expect(try await order("role.desc,%20intent%20&order=position") == [3, 1, 5, 4, 2])
      #expect(try await order("intent&limit=2&offset=1") == [1, 4])
    }
  }

  @Test func `over all conversations messages come in the order of their arrival`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      var conversations: [String] = []
      for number in 0..<30 { conversations.append(try await server.conversation(token, "s\(number)")) }
      var expected: [String] = []
      for number in 0..<120 {
        expected.append("m\(number)")
        _ = try await server.post(
          #"{"role":"user","content":"m\#(number)"}"#, to: conversations[number * 7 % 30], token)
      }
      func texts(_ query: String) async throws -> [String] {
        try await server.rows("pam_messages?select=content\(query)", token).compactMap { $0["content"]?.string }
      }
      #expect(try await texts("") == expected)
      #expect(try await texts("&order=created_at.asc") == expected)
      #expect(try await texts("&order=created_at.desc") == expected.reversed())
      #expect(try await texts("&order=created_at.desc&limit=7") == Array(expected.reversed().prefix(7)))
      #expect(try await texts("&order=created_at.desc&limit=40&offset=35") == Array(expected.reversed()[35..<75]))
      let pair = "&conversation_id=in.(\(conversations[0]),\(conversations[7]))&order=created_at.desc&limit=3"
      #expect(try await texts(pair) == ["m91", "m90", "m61"])
      let counted = try await server.table(
        "pam_messages?select=content&order=created_at.desc&limit=2", token, ["prefer": "count=exact"])
      #expect(counted.status == 206 && counted.headers["content-range"] == "0-1/120")
      #expect(counted.json.array?.first?.object?["content"]?.string == "m119")
    }
  }

  @Test func `conversations come in the order of their making, or of their activity if wanted`() async throws {
    try await RunningServer.with { server in
      let (user, token) = try await server.user()
      var ids: [String] = []
      for number in 0..<5 { ids.append(try await server.conversation(token, "s\(number)")) }
      _ = try await server.post(#"{"role":"user","content":"x"}"#, to: ids[1], token)
      func list(_ query: String) async throws -> [Int] {
        try await server.rows("pam_conversations?\(query)", token).map { row in
          ids.firstIndex { $0 == row["id"]?.string } ?? -1
        }
      }
      #expect(try await list("") == [0, 1, 2, 3, 4])
      #expect(try await list("order=updated_at.desc") == [1, 4, 3, 2, 0])
      #expect(try await list("order=updated_at.desc,id.desc&limit=2&offset=1") == [4, 3])
      #expect(try await list("order=updated_at&limit=2") == [0, 2])
      #expect(try await list("order=created_at.desc&limit=2") == [4, 3])
      #expect(try await list("order=session_id.desc&limit=1&user_id=eq.\(user)") == [4])
      #expect(try await list("session_id=eq.s2") == [2])
      #expect(try await list("session_id=in.(s2,s4,s9)&order=session_id.desc") == [4, 2])
      #expect(try await list("session_id=eq.\(String(repeating: "x", count: 300))") == [])
      #expect(try await server.table("pam_conversations?session_id=eq.%00", token).status == 400)
      #expect(try await list("id=in.(\(ids[3]),\(ids[0]),\(ids[3]))") == [0, 3])
      #expect(try await list("message_count=gt.0") == [1])
      let service = server.credentials.serviceKey
      #expect(try await server.rows("pam_conversations?session_id=eq.s2", service).count == 1)
      #expect(try await server.rows("pam_conversations?order=updated_at.desc&limit=1", service).count == 1)
    }
  }

  @Test func `an answer has at most 1000 rows, and its range says which`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let conversation = try await server.conversation(token)
      try await server.fill(conversation, 1...1_010, token)
      for path in [
        "pam_messages?select=position", "pam_messages?select=position&limit=5000&conversation_id=eq.\(conversation)",
      ] {
        let answer = try await server.table(path, token)
        #expect(answer.json.array?.count == 1_000 && answer.headers["content-range"] == "0-999/*")
        let rest = try await server.table(path + "&offset=1000", token, ["prefer": "count=exact"])
        #expect(rest.json.array?.count == 10 && rest.headers["content-range"] == "1000-1009/1010")
        #expect(rest.status == 206)
      }
    }
  }

  @Test func `count puts the total into the range, and a window beyond it is 416`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let conversation = try await server.conversation(token)
      try await server.fill(conversation, 1...57, token)
      let table = "pam_messages?conversation_id=eq.\(conversation)"
      func range(_ query: String, _ headers: [String: String] = [:]) async throws -> String {
        let answer = try await server.table(table + query, token, headers)
        return "\(answer.status) \(answer.headers["content-range"] ?? "-")"
      }
      for preference in ["count=exact", "count=planned", "return=representation, count=estimated"] {
        let counting = ["prefer": preference]
        #expect(try await range("&limit=2", counting) == "206 0-1/57")
        #expect(try await range("", counting) == "200 0-56/57")
        #expect(try await range("&limit=0", counting) == "206 */57")
        #expect(try await range("&offset=57", counting) == "206 */57")
        #expect(try await range("&role=eq.system", counting) == "200 */0")
        #expect(try await range("&offset=50", counting) == "206 50-56/57")
      }
      #expect(try await range("&limit=20") == "200 0-19/*")
      #expect(try await range("&role=eq.system") == "200 */*")
      #expect(try await range("&offset=58") == "200 */*")
      #expect(try await range("", ["range": "5-9", "range-unit": "items"]) == "200 5-9/*")
      #expect(try await range("&limit=3&offset=1", ["range": "2-9", "prefer": "count=exact"]) == "206 2-3/57")
      #expect(try await range("", ["range": "50-"]) == "200 50-56/*")
      #expect(try await range("&limit=1", ["range": "bytes=0-9"]) == "200 0-0/*")
      #expect(try await range("", ["range": "9-5"]) == "416 -")
      let beyond = try await server.table(table + "&offset=58", token, ["prefer": "count=exact"])
      #expect(beyond.status == 416 && beyond.code == "PGRST103" && beyond.headers["content-range"] == "*/57")
      #expect(beyond["message"]?.string == "Requested range not satisfiable")
      for window in ["&limit=-1", "&offset=-1", "&offset=-99999999999999999999"] {
        let answer = try await server.table(table + window, token)
        #expect(answer.status == 416 && answer.code == "PGRST103", "\(window)")
      }
    }
  }

  @Test func `HEAD has the headers of GET and no body`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let conversation = try await server.conversation(token)
      try await server.fill(conversation, 1...3, token)
      for path in ["pam_messages?limit=2", "pam_conversations", "pam_messages?id=eq.x", "pam_messages?offset=9"] {
        let get = try await server.table(path, token, ["prefer": "count=exact"])
        let head = try await server.table(path, token, ["prefer": "count=exact"], method: "HEAD")
        #expect(head.status == get.status && head.body.isEmpty)
        #expect(head.headers["content-range"] == get.headers["content-range"])
        #expect(head.headers["content-type"] == get.headers["content-type"])
      }
    }
  }

  @Test func `one row can be asked for as an object, and only one`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let conversation = try await server.conversation(token)
      try await server.fill(conversation, 1...3, token)
      let single = ["accept": "application/vnd.pgrst.object+json"]
      let one = try await server.table("pam_messages?select=position&position=eq.2", token, single)
      #expect(one.status == 200 && one.text == #"{"position":2}"#)
      #expect(one.headers["content-type"] == "application/vnd.pgrst.object+json; charset=utf-8")
      for (query, count) in [("position=eq.9", 0), ("limit=2", 2), ("", 3)] {
        let answer = try await server.table("pam_messages?\(query)", token, single)
        #expect(answer.status == 406 && answer.code == "PGRST116")
        #expect(answer["message"]?.string == "JSON object requested, multiple (or no) rows returned")
        #expect(answer["details"]?.string == "The result contains \(count) rows")
      }
    }
  }

  @Test func `an answer comes as JSON or not at all`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      for type in ["*/*", "application/json", "application/*;q=0.5", "text/html, application/json", ""] {
        #expect(try await server.table("pam_messages", token, ["accept": type]).status == 200, "\(type)")
      }
      for type in ["text/csv", "application/vnd.pgrst.plan+json", "application/vnd.pgrst.object+json;nulls=stripped"] {
        let answer = try await server.table("pam_messages", token, ["accept": type])
        #expect(answer.status == 406 && answer.code == "PGRST107")
        #expect(answer["message"]?.string == "None of these media types are available: \(type)")
      }
    }
  }

  @Test func `a request looks at so many rows and no more`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let long = try await server.conversation(token, "long")
      try await server.store.driver.write {
        try $0.script(
          """
          INSERT INTO pam_messages (id, conversation_id, branch, position, role, content, status, version, fingerprint,
            created_at)
          WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100100)
          SELECT randomblob(16), c.id, 0, n, 'user', n, 'complete', 2, x'00', c.created_at
          FROM numbers, pam_conversations c;
          UPDATE pam_branches SET head_position = 100100, version = 2;
          UPDATE pam_conversations SET message_count = 100100, version = 2;
          """)
      }
      let short = try await server.conversation(token, "short")
      try await server.fill(short, 1...3, token)
      let beyond = try await server.table("pam_messages?content=eq.nothing&order=created_at.desc", token)
      #expect(beyond.status == 400 && beyond.code == "54000")
      #expect(beyond["hint"]?.string?.contains("conversation_id") == true)
      // What can stop early does not come so far.
      func positions(_ query: String) async throws -> [Int] {
        try await server.positions("pam_messages?select=position&\(query)", token)
      }
      #expect(try await positions("order=created_at.desc&limit=2") == [3, 2])
      #expect(try await positions("order=created_at.desc&limit=2&offset=2") == [1, 100_100])
      #expect(try await positions("conversation_id=eq.\(long)&order=position.desc&limit=1") == [100_100])
      #expect(try await positions("conversation_id=eq.\(long)&limit=2&offset=300") == [301, 302])
      // Whoever names no order takes any rows.
      #expect(try await positions("limit=1").count == 1)
    }
  }

  @Test func `an answer with too much text is refused, with what to do`() async throws {
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      let conversation = try await server.conversation(token)
      let body = #"{"role":"user","content":"\#(String(repeating: "x", count: 250_000))"}"#
      for _ in 0..<140 { _ = try await server.post(body, to: conversation, token) }
      for path in ["pam_messages?conversation_id=eq.\(conversation)", "pam_messages?order=intent,position"] {
        let answer = try await server.table(path, token)
        #expect(answer.status == 400 && answer.code == "54000" && answer["hint"]?.string?.contains("select") == true)
        #expect(try await server.table(path + "&select=position", token).json.array?.count == 140)
        #expect(try await server.table(path + "&limit=2", token).json.array?.count == 2)
      }
    }
  }
}

extension RunningServer {
  func table(
    _ path: String, _ token: String, _ headers: [String: String] = [:], method: String = "GET"
  ) async throws -> Answer {
    try await send(method, "/rest/v1/\(path)", token: token, headers: headers)
  }

  fileprivate func rows(_ path: String, _ token: String) async throws -> [JSONObject] {
    let answer = try await table(path, token)
    #expect(answer.status == 200, "\(path.prefix(200)): \(answer.text)")
    return answer.json.array?.compactMap(\.object) ?? []
  }

  fileprivate func positions(_ path: String, _ token: String) async throws -> [Int] {
    try await rows(path, token).compactMap { $0["position"]?.number?.int }
  }

  /// Appends one message and returns its id.
  @discardableResult
  func post(_ message: String, to conversation: String, _ token: String) async throws -> String {
    let answer = try await send("POST", "/v1/conversations/\(conversation)/messages", token: token, body: message)
    return try #require(answer["message"]?.object?["id"]?.string, "\(answer.text)")
  }

  /// Appends messages whose texts are numbers.
  func fill(_ conversation: String, _ numbers: ClosedRange<Int>, _ token: String) async throws {
    for first in stride(from: numbers.lowerBound, through: numbers.upperBound, by: 100) {
      let list = (first...min(first + 99, numbers.upperBound)).map { #"{"role":"user","content":"\#($0)"}"# }
      let answer = try await send(
        "POST", "/v1/conversations/\(conversation)/messages", token: token,
        body: #"{"messages":[\#(list.joined(separator: ","))]}"#)
      #expect(answer.status == 201)
    }
  }
}

extension String {
  /// Percent-encoded for a query, but for what parts it.
  fileprivate var encoded: String {
    addingPercentEncoding(
      withAllowedCharacters: .alphanumerics.intersection(.init(charactersIn: "\u{0}"..."\u{7E}")).union(
        .init(charactersIn: "=&%.-_,:()"))) ?? self
  }
}
