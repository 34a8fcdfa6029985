import StrictJSON
import Testing

/// Values: equality, members, numbers, canonical text.
@Suite struct StrictJSONValueTests {
  @Test func `members keep the order of the document and are found by bytes`() throws {
    let object = try #require(try JSONReader.read("{\"z\":1,\"é\":null,\"a\":[2]}").object)
    #expect(object.members.map(\.key) == ["z", "é", "a"])
    #expect(object["z"]?.number?.int == 1)
    #expect(object["é"]?.isNull == true)
    #expect(object["e\u{301}"] == nil, "the same letter in another normal form is another key")
    #expect(object["Z"] == nil)
    #expect(object[""] == nil)
    #expect(!object.isEmpty)
    #expect(object.count == 3)
  }

  @Test(arguments: [3, 20])
  func `keys that differ in normal form only are told apart in an object of any size`(fillers: Int) throws {
    let more = (0..<fillers).map { JSONObject.Member(key: "filler \($0)", value: .null) }
    let composed = JSONObject.Member(key: "\u{E9}", value: .bool(true))
    let decomposed = JSONObject.Member(key: "e\u{301}", value: .bool(false))
    let object = try #require(JSONObject(members: [composed] + more + [decomposed]))
    #expect(object["\u{E9}"]?.bool == true)
    #expect(object["e\u{301}"]?.bool == false)
    #expect(JSONObject(members: [composed] + more + [composed]) == nil)
  }

  @Test func `an object without members is empty`() {
    #expect(JSONObject().isEmpty)
    #expect(JSONObject(members: []) == JSONObject())
    #expect(JSONObject()["a"] == nil)
  }

  @Test(arguments: [
    (#""é""#, #""\u00e9""#, true), ("\"é\"", "\"e\u{301}\"", false), ("[1,2]", "[2,1]", false),
    ("1", "1.0", false),
    (#"{"a":1,"b":2}"#, #"{"b":2,"a":1}"#, true), (#"{"a":1}"#, #"{"a":2}"#, false),
    (#"{"a":1}"#, #"{"b":1}"#, false),
    (#"{"a":1}"#, #"{"a":1,"b":2}"#, false), ("null", "false", false), ("\"1\"", "1", false),
    ("[]", "{}", false),
    ("[null]", "[]", false), ("{\"é\":1}", "{\"e\u{301}\":1}", false), ("true", "true", true),
  ])
  func `values are equal exactly when their canonical texts are`(left: String, right: String, equal: Bool)
    throws
  {
    let (left, right) = (try JSONReader.read(left), try JSONReader.read(right))
    #expect((left == right) == equal)
    #expect((right == left) == equal)
    #expect((Array(left.canonicalText().utf8) == Array(right.canonicalText().utf8)) == equal)
  }

  @Test func `each accessor answers for its own kind only`() throws {
    let values = try #require(try JSONReader.read(#"[null,true,1,"s",[],{}]"#).array)
    #expect(values.map(\.isNull) == [true, false, false, false, false, false])
    #expect(values.map { $0.bool != nil } == [false, true, false, false, false, false])
    #expect(values.map { $0.number != nil } == [false, false, true, false, false, false])
    #expect(values.map { $0.string != nil } == [false, false, false, true, false, false])
    #expect(values.map { $0.array != nil } == [false, false, false, false, true, false])
    #expect(values.map { $0.object != nil } == [false, false, false, false, false, true])
    #expect(values.map(\.typeName) == ["null", "a boolean", "a number", "a string", "an array", "an object"])
  }

  @Test func `canonical text sorts the keys of every level and keeps numbers as written`() throws {
    let text =
      #" { "b" : [ { "z" : 1.50 , "y" : -0 } ] , "a" : { "é" : 1E+2 , "B" : "\u0041\/" , "" : null } } "#
    let canonical = #"{"a":{"":null,"B":"A/","é":1E+2},"b":[{"y":-0,"z":1.50}]}"#
    #expect(try JSONReader.read(text).canonicalText() == canonical)
    #expect(try JSONReader.read(canonical).canonicalText() == canonical)
  }

  @Test func `canonical text sorts large objects as it does small ones`() throws {
    let keys = (0..<40).map { "k\(($0 * 17) % 40)" }
    let members = keys.map { JSONObject.Member(key: $0, value: .null) }
    let object = JSONValue.object(try #require(JSONObject(members: members)))
    let sorted = keys.sorted().map { "\"\($0)\":null" }.joined(separator: ",")
    #expect(object.canonicalText() == "{\(sorted)}")
  }
}

@Suite struct StrictJSONNumberTests {
  @Test(arguments: [
    ("0", 0), ("-0", 0), ("0.0", 0), ("0e999", 0), ("-0.000e-5", 0), ("7", 7), ("-7", -7), ("1.0", 1),
    ("1e2", 100),
    ("1E+2", 100), ("1.5e1", 15), ("-1.50e1", -15), ("100e-2", 1), ("120e-1", 12), ("0.001e3", 1),
    ("10.010e3", 10010),
    ("9223372036854775807", .max), ("-9223372036854775808", .min), ("9223372036854775807.000", .max),
    ("922337203685477580.7e1", .max), ("-9.223372036854775808e18", .min),
    ("9007199254740993", 9_007_199_254_740_993),
    ("10000000000000000000000e-22", 1), ("1e18", 1_000_000_000_000_000_000),
    ("0.0000000000000000000000001e25", 1),
    ("1e0000000000000000000000000000000000001", 10),
  ])
  func `a number that is an integer gives it exactly, however it is written`(text: String, int: Int) throws {
    let number = try #require(try JSONReader.read(text).number)
    #expect(number.int == int)
    #expect(number.text == text)
  }

  @Test(arguments: [
    "0.5", "-0.5", "1e-1", "1.5", "15e-1", "100.0001", "5e-324", "9223372036854775808",
    "-9223372036854775809", "1e19",
    "9223372036854775807.5", "92233720368547758070", "1e300", "-1e300", "1.7976931348623157e308",
    "99999999999999999999999999999999999999999999999999",
  ])
  func `a number that is no integer of 64 bits gives none, and nothing traps`(text: String) throws {
    let number = try #require(try JSONReader.read(text).number)
    #expect(number.int == nil)
  }

  @Test(arguments: [
    ("0", 0.0), ("1", 1), ("-1.5", -1.5), ("0.1", 0.1), ("1e2", 100), ("5e-324", .leastNonzeroMagnitude),
    ("1.7976931348623157e308", .greatestFiniteMagnitude), ("2.2250738585072014e-308", .leastNormalMagnitude),
    ("9007199254740993", 9_007_199_254_740_992), ("3e-324", .leastNonzeroMagnitude),
  ])
  func `a number gives the nearest double`(text: String, double: Double) throws {
    #expect(try JSONReader.read(text).number?.double == double)
  }

  @Test func `minus zero keeps its sign as a double`() throws {
    #expect(try JSONReader.read("-0").number?.double.sign == .minus)
    #expect(try JSONReader.read("0").number?.double.sign == .plus)
  }

  @Test func `numbers are made from integers, finite doubles and literals`() {
    #expect(JSONNumber(Int.min).text == "-9223372036854775808")
    #expect(JSONNumber(0.1)?.text == "0.1")
    #expect(JSONNumber(1e300)?.double == 1e300)
    #expect(JSONNumber(Double.infinity) == nil)
    #expect(JSONNumber(Double.nan) == nil)
    #expect(JSONNumber(literal: "1.50e+3")?.text == "1.50e+3")
    for text in ["", " 1", "1 ", "01", "1e999", "true", "[1]", "NaN", "\"1\""] {
      #expect(JSONNumber(literal: text) == nil)
    }
  }

  @Test(arguments: [
    0.0, -0.0, 1, 0.1, 1e16, 1e-5, 123456789.123, .pi, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
    -2.5e-300,
  ])
  func `every finite double is written as a number that reads as itself`(double: Double) throws {
    let number = try #require(JSONNumber(double))
    let read = try #require(try JSONReader.read(number.text).number)
    #expect(read == number)
    #expect(read.double == double && read.double.sign == double.sign)
  }
}
