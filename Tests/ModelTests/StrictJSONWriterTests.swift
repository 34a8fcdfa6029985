import StrictJSON
import Testing

@Suite struct StrictJSONWriterTests {
  @Test func `commas stand between members and elements and nowhere else`() {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("none")
    writer.beginArray()
    writer.endArray()
    writer.key("empty")
    writer.beginObject()
    writer.endObject()
    writer.key("all")
    writer.beginArray()
    writer.null()
    writer.bool(true)
    writer.bool(false)
    writer.int(-5)
    writer.int(Int.max)
    writer.int(nil)
    writer.string("s")
    writer.string(nil)
    writer.number(JSONNumber(2))
    writer.raw("[1,2]")
    writer.raw("{}")
    writer.value(.array([.null, .object(JSONObject())]))
    writer.beginObject()
    writer.key("a")
    writer.int(1)
    writer.key("b")
    writer.int(2)
    writer.endObject()
    writer.endArray()
    writer.key("last")
    writer.string("")
    writer.endObject()
    let all =
      #"[null,true,false,-5,9223372036854775807,null,"s",null,2,[1,2],{},[null,{}],{"a":1,"b":2}]"#
    #expect(writer.text == #"{"none":[],"empty":{},"all":\#(all),"last":""}"#)
    #expect(writer.bytes == Array(writer.text.utf8))
  }

  @Test func `a value by itself is a text`() {
    #expect(written("a") == "\"a\"")
    var writer = JSONWriter(reserving: 0)
    writer.int(0)
    #expect(writer.text == "0")
  }

  @Test func `a value is written with its members in document order`() throws {
    let text = #"{"b":[1,{"d":"\n","c":1.0}],"a":null}"#
    var writer = JSONWriter()
    writer.value(try JSONReader.read(text))
    #expect(writer.text == text)
  }

  @Test(arguments: 0..<0x20)
  func `a control character is written as its shortest escape`(code: Int) {
    let short = [0x08: "\\b", 0x09: "\\t", 0x0A: "\\n", 0x0C: "\\f", 0x0D: "\\r"]
    let digits = String(code, radix: 16)
    let escape = short[code] ?? "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    let character = String(Unicode.Scalar(UInt8(code)))
    #expect(written(character) == "\"\(escape)\"")
    #expect(written("before it \(character) and behind") == "\"before it \(escape) and behind\"")
  }

  @Test func `nothing else is escaped but quotation mark and backslash`() {
    #expect(written("\"") == #""\"""#)
    #expect(written("\\") == #""\\""#)
    #expect(written("/\u{7F}\u{80}\u{2028}<é€💬'") == "\"/\u{7F}\u{80}\u{2028}<é€💬'\"")
  }

  @Test func `an escape is found wherever it stands in a word of eight bytes`() throws {
    for length in 1...40 {
      for position in 0..<length {
        for special: UInt8 in [0x01, 0x1F, 0x22, 0x5C] {
          var bytes = [UInt8](repeating: UInt8(ascii: "!"), count: length)
          bytes[position] = special
          let text = String(decoding: bytes, as: UTF8.self)
          let json = written(text)
          #expect(json.utf8.count == length + 2 + (special < 0x20 ? 5 : 1))
          #expect(try JSONReader.read(json) == .string(text))
        }
      }
    }
  }

  @Test func `bytes next to those that are escaped stay as they are, in every place of a word`() throws {
    for byte: UInt8 in [0x20, 0x21, 0x23, 0x5B, 0x5D, 0x7F] {
      for neighbour in ["\"", "\\", "\u{1}", "\u{1F}", "\u{80}", "é", "\u{10FFFF}"] {
        for offset in 0..<9 {
          let run = String(repeating: Character(Unicode.Scalar(byte)), count: 9)
          let text = run.prefix(offset) + neighbour + run
          #expect(try JSONReader.read(written(String(text))) == .string(String(text)))
        }
      }
    }
  }

  @Test(arguments: UInt32(0)...16)
  func `every scalar of a plane but NUL comes back, raw, in a key and as an escape`(plane: UInt32) throws {
    let scalars = (plane << 16..<(plane + 1) << 16).lazy.compactMap(Unicode.Scalar.init).filter {
      $0.value != 0
    }
    var text = String.UnicodeScalarView()
    var escaped = "\""
    for scalar in scalars {
      text.append(scalar)
      for unit in String(scalar).utf16 {
        escaped += "\\u" + String(0x10000 + UInt32(unit), radix: 16).dropFirst()
      }
    }
    escaped += "\""
    let expected = JSONValue.string(String(text))
    #expect(try JSONReader.read(written(String(text))) == expected)
    #expect(try JSONReader.read(escaped) == expected)
    let member = JSONObject.Member(key: String(text), value: .null)
    let object = JSONValue.object(try #require(JSONObject(members: [member])))
    #expect(try JSONReader.read(object.canonicalText()) == object)
  }

  private func written(_ text: String) -> String {
    var writer = JSONWriter()
    writer.string(text)
    return writer.text
  }
}
