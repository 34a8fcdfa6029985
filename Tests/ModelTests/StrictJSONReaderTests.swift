import StrictJSON
import Testing

/// What the reader takes, what it refuses, and what it says then.
@Suite struct StrictJSONReaderTests {
  @Test(arguments: JSONVector.all)
  func `every vector is read or refused as the table says`(vector: JSONVector) {
    switch (vector.verdict, JSONReader.outcome(of: vector.bytes)) {
    case (.accepted(let canonical), .success(let value)):
      #expect(Array(value.canonicalText().utf8) == Array(canonical.utf8))
      #expect(JSONReader.outcome(of: Array(canonical.utf8)) == .success(value))
    case (.refused(let kind), .failure(let error)):
      #expect(error.kind == kind, "\(error.message)")
    case (.accepted, .failure(let error)):
      Issue.record("refused: \(error.message)")
    case (.refused, .success):
      Issue.record("accepted")
    }
  }

  @Test func `the table is large and names no case twice`() {
    let written = JSONVector.written
    #expect(written.count >= 280)
    #expect(Set(JSONVector.all.map(\.about)).count == JSONVector.all.count)
    #expect(Set(written.map(\.bytes)).count == written.count)
  }

  @Test(arguments: JSONVector.all)
  func `a refusal is a sentence, with an offset in the text and nothing of the text`(vector: JSONVector) {
    let marker = "SecretOfTheSender"
    // A valid member in front moves the fault further in, where a careless message would quote it.
    let bytes = Array(#"[{"\#(marker)":"\#(marker)"},"#.utf8) + vector.bytes
    guard case .failure(let error) = JSONReader.outcome(of: bytes) else { return }
    #expect(!error.message.contains(marker))
    #expect(error.message.hasSuffix("."))
    #expect(error.message.utf8.count < 160)
    #expect(error.message.utf8.allSatisfy { 0x20..<0x7F ~= $0 })
    #expect(0...bytes.count ~= error.offset)
    #expect(error.message.contains("byte \(error.offset)") || error.message.contains("Byte \(error.offset)"))
  }

  @Test(arguments: [
    ("", 0), ("  ", 2), ("[1,]", 3), (#"{"a":tru}"#, 8), (#"["ok","\q"]"#, 8), ("[01]", 2), ("[1] x", 4),
    (#"["a\uD800"]"#, 3), (#"[{"a":1,"a":2}]"#, 1), ("[1,1e999]", 3), ("[[[", 3), ("[\"é\",\u{FEFF}]", 6),
  ])
  func `the offset counts bytes to the fault`(text: String, offset: Int) throws {
    let error = try #require(throws: JSONError.self) { try JSONReader.read(text) }
    #expect(error.offset == offset)
  }

  @Test func `a refusal says what is allowed`() throws {
    let tooLong = try #require(throws: JSONError.self) {
      try JSONReader.read("[1]", limits: JSONLimits(bytes: 2))
    }
    #expect(tooLong.message == "The JSON text is 3 bytes long; at most 2 are allowed.")
    let comma = try #require(throws: JSONError.self) { try JSONReader.read("[1 2]") }
    #expect(
      comma.message
        == "Byte 3 of the JSON text is not allowed there: a comma or a closing bracket is expected.")
    #expect("\(comma)" == comma.message)
  }
}

/// The bounds: size, depth, range, and work that grows with the size only.
@Suite struct StrictJSONLimitTests {
  @Test func `a text of exactly the limit is read and one byte more is refused unread`() throws {
    let limits = JSONLimits(bytes: 10)
    #expect(try JSONReader.read("\"12345678\"", limits: limits) == .string("12345678"))
    #expect(JSONReader.refusal(of: "\"123456789\"", limits) == .tooLarge)
    #expect(JSONReader.refusal(of: "~~~~~~~~~~~", limits) == .tooLarge)
    #expect(JSONReader.refusal(of: "          ", limits) == .syntax)
    #expect(JSONReader.refusal(of: "1", JSONLimits(bytes: 0)) == .tooLarge)
    #expect(JSONReader.refusal(of: "", JSONLimits(bytes: -1)) == .tooLarge)
  }

  @Test func `unless told the limits are a mebibyte and 32 levels`() throws {
    #expect(JSONLimits() == JSONLimits(bytes: 1_048_576, depth: 32))
    let longest = "\"" + String(repeating: "x", count: 1_048_574) + "\""
    #expect(try JSONReader.read(longest).string?.utf8.count == 1_048_574)
    #expect(JSONReader.refusal(of: longest + " ") == .tooLarge)
  }

  @Test(arguments: [("[", "", "]"), (#"{"a":"#, "0", "}"), (#"[{"a":[0,"#, "0", "]}]")])
  func `31 and 32 levels are read, 33 are refused`(opening: String, middle: String, closing: String) throws {
    let step = opening.utf8.count { "[{".utf8.contains($0) }
    for depth in [31, 32, 33] where depth % step == 0 || step == 1 {
      let text = JSONVector.nested(opening, depth / step, middle, closing)
      if depth <= 32 {
        #expect(try JSONReader.read(text).depth == depth)
      } else {
        #expect(JSONReader.refusal(of: text) == .tooDeep)
      }
    }
  }

  @Test(arguments: [
    ("1", 0), ("\"[[[\"", 0), ("[]", 1), ("{}", 1), ("[1,[2],3]", 2), (#"{"a":{},"b":[[{}]]}"#, 4),
  ])
  func `depth counts what stands inside one another`(text: String, depth: Int) throws {
    #expect(try JSONReader.read(text, limits: JSONLimits(depth: depth)).depth == depth)
    #expect(depth == 0 || JSONReader.refusal(of: text, JSONLimits(depth: depth - 1)) == .tooDeep)
  }

  @Test func `no setting takes the reader deeper than 512 levels`() throws {
    let limits = JSONLimits(depth: .max)
    #expect(try JSONReader.read(JSONVector.nested("[", 512, "", "]"), limits: limits).depth == 512)
    #expect(JSONReader.refusal(of: JSONVector.nested("[", 513, "", "]"), limits) == .tooDeep)
    #expect(JSONReader.refusal(of: "[]", JSONLimits(depth: -5)) == .tooDeep)
  }

  @Test func `a mebibyte of opening brackets is refused at the 33rd`() throws {
    let error = try #require(throws: JSONError.self) {
      try JSONReader.read([UInt8](repeating: UInt8(ascii: "["), count: 1_048_576))
    }
    #expect(error.kind == .tooDeep)
    #expect(error.offset == 32)
  }

  @Test(arguments: [1, 7, 8, 9, 10, 100])
  func `a key that comes again is found in an object of any size`(count: Int) throws {
    let keys = (0..<count).map { "key \($0 * 7919 % 101)" }
    #expect(try JSONReader.read(object(keys)).object?.count == count)
    for repeated in Set([keys.first!, keys[count / 2], keys.last!]) {
      #expect(JSONReader.refusal(of: object(keys + [repeated])) == .duplicateKey)
      #expect(JSONReader.refusal(of: object([repeated] + keys)) == .duplicateKey)
    }
  }

  @Test func `50,000 keys that begin alike are read, found, and checked for one that comes again`() throws {
    let keys = (0..<50_000).map { "k\(($0 * 48_271) % 1_000_003)" }
    #expect(Set(keys).count == 50_000)
    let read = try #require(try JSONReader.read(object(keys)).object)
    #expect(read.count == 50_000)
    #expect(read.members.map(\.key) == keys)
    for index in stride(from: 0, to: keys.count, by: 997) { #expect(read[keys[index]]?.number?.int == index) }
    #expect(read["k"] == nil)
    #expect(read["l"] == nil)
    #expect(read[""] == nil)
    #expect(JSONReader.refusal(of: object(keys + [keys[123]])) == .duplicateKey)
  }

  @Test func `long runs of every kind are read in one pass`() throws {
    let count = 100_000
    let escapes = "\"" + String(repeating: "\\n", count: count) + "\""
    #expect(try JSONReader.read(escapes).string?.utf8.count == count)
    let elements = "[" + String(repeating: "[],", count: count) + "1]"
    #expect(try JSONReader.read(elements).array?.count == count + 1)
    #expect(try JSONReader.read(String(repeating: " ", count: count) + "1").number?.int == 1)
    #expect(JSONReader.refusal(of: String(repeating: "9", count: count)) == .numberRange)
    #expect(JSONReader.refusal(of: "1e" + String(repeating: "9", count: count)) == .numberRange)
    #expect(JSONReader.refusal(of: "\"" + String(repeating: "\\", count: count * 2)) == .syntax)
  }

  private func object(_ keys: [String]) -> String {
    "{" + keys.enumerated().map { "\"\($1)\":\($0)" }.joined(separator: ",") + "}"
  }
}

extension JSONReader {
  static func outcome(of bytes: [UInt8]) -> Result<JSONValue, JSONError> {
    Result { () throws(JSONError) in try read(bytes) }
  }

  /// Why `text` is refused, or nil if it is read.
  static func refusal(of text: String, _ limits: JSONLimits = JSONLimits()) -> JSONError.Kind? {
    do {
      _ = try read(text, limits: limits)
      return nil
    } catch {
      return error.kind
    }
  }
}
