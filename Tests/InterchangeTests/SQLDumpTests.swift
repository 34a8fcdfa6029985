import ConversationModel
import Testing

@testable import Interchange

/// Dumps that PostgreSQL 15's `pg_dump` made of the former tables, and files that none made.
@Suite struct SQLDumpTests {
  static let dumps = ["copy", "inserts", "columns", "rows", "data", "quoted"].map { "former-\($0).sql" }

  @Test(arguments: dumps) func `a dump of any kind is the same conversations`(_ name: String) throws {
    let found = try ImportedPieces(of: fixture(name))
    try found.validate()
    #expect(found.skipped == [])
    #expect(found.conversations.map(\.conversation.sessionID) == [nil, "session-b"])
    #expect(found.conversations.map(\.conversation.title) == ["PAM Conversation", nil])
    #expect(found.conversations.map(\.conversation.isDefault) == [true, true])
    #expect(
      found.conversations.map(\.conversation.context.text) == [
        #"{"n":[1,2.50,null],"theme":"it's \"dark\""}"#, "{}",
      ])
    let long = "It's a \"quote\"; and (brackets), \\N \\. \\\\ \\t\nsecond line\n\\.\nfourth\tafter a tab\r\nend"
    #expect(
      found.contents == [
        ["\\restrict\n--\n/* not closed", "Grüße 👩‍👩‍👧 日本語", long],
        ["of the other", "INSERT INTO public.pam_messages VALUES ('x'); -- $$ /* */"],
      ])
    #expect(found.messages[0].map(\.message.confidence?.text) == [nil, "1.00", "0.50"])
    #expect(found.messages[0].map(\.message.intent) == [nil, "greet", nil])
    #expect(found.messages[0][1].message.entities.text == #"{"names":["O'Neil","tab\there"]}"#)
    #expect(found.messages[0][2].message.metadata.text == #"{"k":"a\"b\\c"}"#)
    #expect(found.messages[1].first?.message.createdAt.description == "2026-11-22T13:34:24.877756Z")
  }

  private static let a = "00000000-0000-4000-8000-00000000000a"
  private static let user = "10000000-0000-4000-8000-000000000001"

  private static func id(_ number: Int) -> String { "00000000-0000-4000-8000-\(100_000_000_000 + number)" }

  /// A row of `pam_messages`.
  private static func row(_ number: Int, _ content: String, _ time: String = "'2026-11-22 13:34:24+00'") -> String {
    "('\(id(number))', '\(a)', 'user', \(content), NULL, NULL, '{}', NULL, \(time))"
  }

  private static let conversation = "INSERT INTO pam_conversations (id, user_id) VALUES ('\(a)', '\(user)');\n"

  @Test(arguments: [
    ("E'a\\'b\\n\\x41\\101\\u00e9\\\\'", "a'b\nAAé\\"), ("'a\\nb'", "a\\nb"), ("'it''s'", "it's"), ("'x'::text", "x"),
    ("'x'::pg_catalog.\"text\"", "x"), ("'x'::character varying(10)", "x"), ("''", ""),
    ("'-- /* $$ ; )'", "-- /* $$ ; )"),
    ("/* /* a */ */ 'x' -- end\n", "x"), ("17", "17"), ("$$it's $1, \\n$$", "it's $1, \\n"),
    ("$a$ $$ $b$ $a $a$", " $$ $b$ $a "), ("$$$$", ""), ("$$x$$::text", "x"), ("E'\\ud83d\\ude00'", "😀"),
    ("E'\\U0001F600'", "😀"),
  ]) func `a text is read as PostgreSQL reads it`(_ literal: String, _ text: String) throws {
    let found = try ImportedPieces(of: Self.conversation + "INSERT INTO pam_messages VALUES \(Self.row(1, literal));")
    #expect(found.skipped == [])
    #expect(found.contents == [[text]])
  }

  @Test func `strings have escapes where the dump switches them on`() throws {
    let found = try ImportedPieces(
      of: "SET standard_conforming_strings = off;\nINSERT INTO pam_messages VALUES \(Self.row(1, #"'a\'b\\'"#));\n"
        + Self.conversation)
    #expect(found.skipped == [])
    #expect(found.contents == [["a'b\\"]])
  }

  @Test(arguments: [
    ("2026-11-22 13:34:24.877756+00", "2026-11-22T13:34:24.877756Z"),
    ("2026-11-22 13:34:24.8+02", "2026-11-22T11:34:24.800000Z"),
    ("2026-11-22 13:34:24+05:30", "2026-11-22T08:04:24.000000Z"),
    ("2026-11-22 13:34:24-03:30", "2026-11-22T17:04:24.000000Z"),
    ("1890-01-01 00:00:00+00:53:28", "1889-12-31T23:06:32.000000Z"),
  ]) func `a time is read as PostgreSQL prints it`(_ text: String, _ time: String) throws {
    let found = try ImportedPieces(
      of: Self.conversation + "INSERT INTO pam_messages VALUES \(Self.row(1, "'x'", "'\(text)'"));")
    #expect(found.messages.first?.map(\.message.createdAt.description) == [time])
  }

  @Test func `rows without a list of columns have those of the table in the same file`() throws {
    let found = try ImportedPieces(
      of: """
        CREATE TABLE IF NOT EXISTS "app".pam_messages (content text DEFAULT 'a, b', n numeric(3,2), CONSTRAINT c CHECK ((n > 0)),
          "conversation_id" uuid, PRIMARY KEY (id), id uuid, role text) WITH (fillfactor=70);
        INSERT INTO app.pam_messages VALUES ('x', 1, '\(Self.a)', '\(Self.id(1))', 'user') ON CONFLICT DO NOTHING;
        \(Self.conversation)
        """)
    #expect(found.skipped == [])
    #expect(found.contents == [["x"]])
  }

  /// - Parameter takes: Whether the statement can hold no messages.
  @Test(arguments: [
    ("INSERT INTO pam_messages VALUES ('it's broken', 'x');", false), ("INSERT INTO pam_messages SELECT 1;", false),
    ("COPY pam_messages FROM stdin WITH (FORMAT csv);\na,b\n\\.", false),
    ("INSERT INTO pam_messages VALUES ('no end", false), ("/* no end", false), (") nonsense", false),
    ("INSERT INTO pam_messages VALUES SELECT", false), ("INSERT INTO pam_conversations VALUES ('it's');", true),
    ("INSERT INTO others VALUES ('no end", true), ("CREATE TABLE others (name text DEFAULT 'no end", true),
  ]) func `a broken statement is reported with its byte, and nothing is taken if it may hold messages`(
    _ statement: String, _ takes: Bool
  ) throws {
    let head = Self.conversation + "INSERT INTO pam_messages VALUES \(Self.row(1, "'one'"));\n"
    let found = try ImportedPieces(
      of: head + statement
        + "\nINSERT INTO pam_messages VALUES\n\t\(Self.row(2, "'two'")),\n\t\(Self.row(3, "'three'"));\n")
    #expect(found.contents == (takes ? [["one", "two", "three"]] : []), "\(statement)")
    #expect(found.skipped.count >= (takes ? 1 : 2))
    let byte = try #require(found.skipped.first.flatMap { Int($0.place.dropFirst(5)) })
    #expect((head.utf8.count - 1...head.utf8.count + statement.utf8.count).contains(byte), "\(statement)")
  }

  @Test func `with a row of which it is not sure whose it is nothing of the file is taken`() throws {
    let copy = "COPY pam_messages (id, role, conversation_id, content) FROM stdin;\n"
    let row = "\(Self.id(2))\tuser\t\(Self.a)\tx\n"
    let long = String(repeating: "x", count: 5_000_000)
    for rows in [
      "INSERT INTO pam_messages VALUES \(Self.row(1, "'one'")), ('x'), \(Self.row(3, "'three'"));\n",
      "\(copy)\(row.replacing("\t\(Self.a)", with: ""))\\.\n", "\(copy)\(row.replacing("\tuser", with: ""))\\.\n",
      "\(copy)\(row.replacing("user", with: "user\t\(Self.id(9))"))\\.\n",
      "\(copy)\(row.replacing(Self.a, with: "x").replacing("x\n", with: "\(long)\n"))\\.\n",
      "\(copy)\(row.replacing(Self.a, with: "\\xff"))\\.\n",
      // The table's columns cannot be told.
      "CREATE TABLE pam_messages (id uuid, id uuid);\nINSERT INTO pam_messages VALUES ('x', 'y');\n",
    ] {
      let found = try ImportedPieces(of: Self.conversation + rows)
      #expect(found.conversations == [], "\(rows.prefix(200))")
      #expect(found.skipped.last?.place == "the file", "\(rows.prefix(200))")
    }
    let none = "INSERT INTO pam_messages VALUES \(Self.row(1, "'one'"));\n".replacing("'\(Self.a)'", with: "NULL")
    let found = try ImportedPieces(of: Self.conversation + none)
    #expect(found.contents == [[]])
    #expect(found.skipped.map(\.place) == ["pam_messages, row 1"])
  }

  private static let b = "00000000-0000-4000-8000-00000000000b"

  @Test(arguments: [
    "U&'\\0441'", "now()", "E'\\ud800'", "E'\\ud800\\'x'", "E'\\udc00'", "E'\\u12'", "'a' || 'b'",
    "CAST('a, b' AS text)",
    "ARRAY['a','b'][1]", "upper((('a')))", "'a' COLLATE \"C\"", "interval '1 day'", "E'\\xff'", "+'a' - 1",
  ]) func `of a message that cannot be read the whole conversation is left out`(_ value: String) throws {
    let other = Self.row(3, "'whole'").replacing(Self.a, with: Self.b)
    let rows = "INSERT INTO pam_messages VALUES\n\(Self.row(1, "'one'")),\n\(Self.row(2, value)),\n\(other);\n"
    let found = try ImportedPieces(
      of: Self.conversation + Self.conversation.replacing(Self.a, with: Self.b) + rows)
    #expect(found.contents == [["whole"]])
    #expect(found.skipped.map(\.place) == ["pam_messages, row 2", "pam_conversations, row 1"])
    // Whose the message is may be what cannot be read.
    let lost = Self.row(2, "'two'").replacing("'\(Self.a)'", with: value)
    let more = try ImportedPieces(
      of: Self.conversation + "INSERT INTO pam_messages VALUES \(Self.row(1, "'one'")), \(lost);\n")
    #expect(more.conversations == [])
    #expect(more.skipped.map(\.place) == ["pam_messages, row 2", "the file"])
  }

  @Test func `a row that is too long leaves out its conversation`() throws {
    let long = String(repeating: "x", count: 5_000_000)
    for rows in [
      "COPY pam_messages (conversation_id, id, role, content) FROM stdin;\n\(Self.a)\t\(Self.id(1))\tuser\t\(long)\n\\.\n",
      "INSERT INTO pam_messages VALUES \(Self.row(1, "'\(long)'"));\n",
    ] {
      let found = try ImportedPieces(of: Self.conversation + rows)
      #expect(found.conversations == [])
      #expect(found.skipped.last?.place == "pam_conversations, row 1")
    }
  }

  @Test(arguments: dumps) func `a dump that is cut off anywhere gives nothing, and says so`(_ name: String) throws {
    let bytes = try fixture(name)
    let text = String(decoding: bytes, as: UTF8.self)
    let end = try #require(text.firstRange(of: "-- PostgreSQL database dump complete")).upperBound
    let first = try #require(text.firstRange(of: "-- PostgreSQL database dump\n")).upperBound
    let cuts = text.utf8.distance(from: text.startIndex, to: first)..<text.utf8.distance(from: text.startIndex, to: end)
    for cut in stride(from: cuts.lowerBound, to: cuts.upperBound, by: 13) {
      let found = try ImportedPieces(of: Array(bytes.prefix(cut)), .former)
      #expect(found.conversations == [] && found.skipped.contains { $0.why.contains("cut off") }, "\(cut)")
    }
    #expect(try ImportedPieces(of: Array(bytes.prefix(cuts.upperBound))).messages.map(\.count) == [3, 2])
  }

  @Test(arguments: [
    "INSERT INTO pam_messages VALUES", "INSERT INTO pam_messages VALUES \(row(2, "'two'"))",
    "INSERT INTO pam_messages VALUES \(row(2, "'two'")),\n", "INSERT INTO pam_messages VALUES ('it",
    "INSERT INTO others VALUES (1", "COPY pam_messages FROM stdin;\n", "COPY others FROM stdin;\na\tb\n",
  ]) func `SQL without a header that ends in a statement gives nothing, and says so`(_ statement: String) throws {
    let whole = Self.conversation + "INSERT INTO pam_messages VALUES \(Self.row(1, "'one'"));\n"
    #expect(try ImportedPieces(of: whole).contents == [["one"]])
    let found = try ImportedPieces(of: whole + statement)
    #expect(found.conversations == [])
    #expect(found.skipped.count == 2 && found.skipped.last?.place == "the file")
  }

  @Test func `of dumps that were joined the last one has an end too`() throws {
    let whole = try fixture("former-inserts.sql")
    let more = "\nINSERT INTO pam_conversations (id, user_id) VALUES ('\(Self.id(1))', '\(Self.user)');\n"
    #expect(try ImportedPieces(of: whole + Array(more.utf8)).conversations.count == 3)
    let header = Array("\n--\n-- PostgreSQL database dump\n--\n\(more)".utf8)
    #expect(try ImportedPieces(of: whole + header).conversations == [])
  }

  @Test(arguments: ["former-inserts.sql", "former-copy.sql"])
  func `a dump that is cut off between statements is noticed in front of a whole one`(_ name: String) throws {
    let whole = try fixture(name)
    let text = String(decoding: whole, as: UTF8.self)
    let end = try #require(text.firstRange(of: "--\n-- PostgreSQL database dump complete")).lowerBound
    let begin = try #require(text.firstRange(of: "--\n-- Data for Name: pam_messages")).lowerBound
    for cut in [end, begin] {
      let found = try ImportedPieces(of: Array(text[..<cut].utf8) + whole)
      #expect(found.conversations == [])
      #expect(found.skipped.contains { $0.why.contains("cut off") })
    }
  }

  @Test func `a comment that is read again counts once`() throws {
    let comment = "\n-- PostgreSQL database dump\n"
    let other = Self.row(1, "\(comment)now()").replacing(Self.a, with: Self.b)
    let dump = "INSERT INTO pam_messages VALUES \(other);\n\(Self.conversation)"
    #expect(try ImportedPieces(of: dump).conversations == [])
    #expect(try ImportedPieces(of: dump + "-- PostgreSQL database dump complete\n").conversations.count == 1)
    // That a string has no end is noticed behind the comments.
    let broken = "CREATE TABLE others (a\(comment)\(comment)b 'c\n\(Self.conversation)"
    let end = String(repeating: "-- PostgreSQL database dump complete\n", count: 2)
    #expect(try ImportedPieces(of: broken + end, .former).conversations.count == 1)
  }

  @Test func `a dump in another encoding is said to be one`() throws {
    let found = try ImportedPieces(of: "SET client_encoding = 'LATIN1';\n" + Self.conversation)
    #expect(found.skipped.first?.why.contains("--encoding=UTF8") == true)
    #expect(found.conversations.count == 1)
  }

  @Test(arguments: [
    "'", "$a$", "/*", "(", "INSERT INTO pam_messages VALUES (", "INSERT INTO pam_messages VALUES (/*\n",
    "INSERT INTO pam_messages VALUES ('\n", "COPY pam_messages FROM stdin;\n", "\"", "E'\\",
    "CREATE TABLE pam_messages (",
    "begin atomic ", "INSERT INTO pam_messages (a", "INSERT INTO pam_messages VALUES ('a'::x(", "\n-", "/", "$", "\\",
  ]) func `thousands of beginnings have an end`(_ part: String) throws {
    let text = "SET a;\n" + String(repeating: part, count: 40_000 / part.utf8.count)
    let found = try ImportedPieces(of: text, .former)
    #expect(found.conversations == [])
  }
}

/// What a reader could go back over again and again.
@Suite struct SQLRereadingTests {
  /// - Parameter part: With a number in the place of each `#`.
  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      ("INSERT INTO pam_messages VALUES (", "1::x](1,"), ("", "INSERT INTO pam_messages VALUES ('a'::x(1 2\n"),
      // A string without an end, for which the rest of the file is read.
      ("", "INSERT INTO pam_messages VALUES (1::x]$a#$\n"), ("", "INSERT INTO pam_messages VALUES (1::x $a#$\n"),
    ]) func `two megabytes of values that end nowhere are soon done with`(_ head: String, _ part: String) throws
  {
    var text = head
    var number = 0
    while text.utf8.count < 2_000_000 {
      number += 1
      text += part.replacing("#", with: "\(number)")
    }
    let found = try ImportedPieces(of: text, .former)
    #expect(found.conversations == [] && found.skipped.count > 0)
  }

  @Test(arguments: ["now()], 2)", "1 + 2], (3)", "a](1, 2)"])
  func `a bracket that was not opened ends a row`(_ row: String) throws {
    var lexer = SQLLexer(ByteCursor(try importFile(Array(row.utf8))))
    #expect(throws: ConversationError.self) { _ = try lexer.values(keeping: 2) }
  }

  @Test func `a type has numbers only in its brackets`() throws {
    for type in ["numeric(3,2)", "numeric( 3 , 2 )", "character varying(10)[]"] {
      var lexer = SQLLexer(ByteCursor(try importFile(Array("'1'::\(type), 2)".utf8))))
      #expect(try lexer.values(keeping: 2).fault == nil)
    }
    var lexer = SQLLexer(ByteCursor(try importFile(Array("'1'::x(a), 2)".utf8))))
    let found = try lexer.values(keeping: 2)
    #expect(found.fault != nil && found.count == 2)
  }
}
