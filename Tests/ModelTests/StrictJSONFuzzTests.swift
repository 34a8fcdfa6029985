import StrictJSON
import Testing

/// Random values and damaged texts, from seeds: a failure comes again.
@Suite struct StrictJSONFuzzTests {
  @Test(arguments: UInt64(1)...40)
  func `a random value comes back from its canonical text and from its plain one`(seed: UInt64) throws {
    var source = JSONSource(seed: seed)
    for _ in 0..<25 {
      let value = source.value(depth: 5)
      let canonical = value.canonicalText()
      let read = try JSONReader.read(canonical)
      #expect(read == value)
      #expect(Array(read.canonicalText().utf8) == Array(canonical.utf8))
      #expect(read.depth == value.depth)
      var writer = JSONWriter()
      writer.value(value)
      #expect(try JSONReader.read(writer.bytes) == value)
      #expect(try JSONReader.read(writer.text) == value)
    }
  }

  @Test(arguments: UInt64(1)...40)
  func `a damaged text never traps, and what is accepted reads again from its canonical text`(seed: UInt64)
    throws
  {
    var source = JSONSource(seed: seed)
    var accepted = 0
    var refused = 0
    for _ in 0..<250 {
      let original = Array(source.value(depth: 3).canonicalText().utf8)
      for _ in 0..<4 {
        let damaged = source.damaged(original)
        switch JSONReader.outcome(of: damaged) {
        case .success(let value):
          accepted += 1
          #expect(String(validating: damaged, as: UTF8.self) != nil)
          #expect(!damaged.contains(0))
          #expect(try JSONReader.read(value.canonicalText()) == value)
        case .failure(let error):
          refused += 1
          #expect(0...damaged.count ~= error.offset)
        }
      }
    }
    // The damage is neither so slight nor so heavy that one side goes untested.
    #expect(accepted > 20)
    #expect(refused > 200)
  }

  @Test func `every beginning of a text that is closed at its end only is refused`() throws {
    let text = #"{"a":[1.5e3,"\uD83D\uDCAC\n é",{"b":[true,false,null,-0]}],"c":{}}"#
    let bytes = Array(text.utf8)
    #expect(try JSONReader.read(bytes).depth == 4)
    for length in 0..<bytes.count {
      guard case .failure(let error) = JSONReader.outcome(of: Array(bytes[..<length])) else {
        Issue.record("\(length) bytes were accepted")
        continue
      }
      #expect(error.offset <= length)
    }
  }

  @Test func `the reader keeps within the bytes it is given`() throws {
    let bytes = Array(#"[1,"abc"]23"#.utf8)
    let part = try bytes.withUnsafeBytes { try JSONReader.read(UnsafeRawBufferPointer(rebasing: $0[..<9])) }
    #expect(part == .array([.number(JSONNumber(1)), .string("abc")]))
    let middle = try bytes.withUnsafeBytes {
      try JSONReader.read(UnsafeRawBufferPointer(rebasing: $0[3..<8]))
    }
    #expect(middle == .string("abc"))
    #expect(throws: JSONError.self) {
      try bytes.withUnsafeBytes { try JSONReader.read(UnsafeRawBufferPointer(rebasing: $0[3..<7])) }
    }
    #expect(throws: JSONError.self) { try JSONReader.read(UnsafeRawBufferPointer(start: nil, count: 0)) }
  }
}

/// Random JSON. SplitMix64: small, well spread, and the same on every machine.
struct JSONSource: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func value(depth: Int) -> JSONValue {
    switch Int.random(in: 0..<(depth == 0 ? 6 : 10), using: &self) {
    case 0: return .null
    case 1: return .bool(Bool.random(using: &self))
    case 2, 3: return .number(number())
    case 4, 5: return .string(string())
    case 6, 7: return .array((0..<Int.random(in: 0...6, using: &self)).map { _ in value(depth: depth - 1) })
    default: return .object(object(depth: depth))
    }
  }

  /// `bytes` with one to three bytes flipped, put in, taken out or said twice.
  mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
    var result = bytes
    let grammar = Array("{}[]\",:\\0123456789eE+-. \n\ttfnu/".utf8)
    for _ in 0..<Int.random(in: 1...3, using: &self) {
      let place = Int.random(in: 0...result.count, using: &self)
      let byte =
        Bool.random(using: &self) ? grammar.randomElement(using: &self)! : .random(in: 0...0xFF, using: &self)
      switch Int.random(in: 0..<5, using: &self) {
      case 0 where place < result.count: result[place] ^= 1 << UInt8.random(in: 0..<8, using: &self)
      case 1 where place < result.count: result[place] = byte
      case 2 where place < result.count: result.remove(at: place)
      case 3 where place < result.count: result.insert(contentsOf: result[place...].prefix(4), at: place)
      default: result.insert(byte, at: place)
      }
    }
    return result
  }

  private mutating func object(depth: Int) -> JSONObject {
    var keys: Set<[UInt8]> = []
    let members = (0..<Int.random(in: 0...14, using: &self)).compactMap { _ -> JSONObject.Member? in
      let key = string()
      guard keys.insert(Array(key.utf8)).inserted else { return nil }
      return JSONObject.Member(key: key, value: value(depth: depth - 1))
    }
    return JSONObject(members: members)!
  }

  private mutating func number() -> JSONNumber {
    switch Int.random(in: 0..<4, using: &self) {
    case 0: return JSONNumber(Int.random(in: -20...20, using: &self))
    case 1: return JSONNumber(Int(truncatingIfNeeded: next()))
    case 2: return JSONNumber(Double(bitPattern: next())) ?? JSONNumber(0)
    default: return JSONNumber(literal: "\(Int.random(in: -99...99, using: &self)).50E+\(next() % 99)")!
    }
  }

  private mutating func string() -> String {
    var text = String.UnicodeScalarView()
    for _ in 0..<Int.random(in: 0...24, using: &self) { text.append(scalar()) }
    return String(text)
  }

  /// A scalar of any class a reader or writer may treat apart, but NUL.
  private mutating func scalar() -> Unicode.Scalar {
    let range: ClosedRange<UInt32> =
      switch Int.random(in: 0..<12, using: &self) {
      case 0: 0x01...0x1F
      case 1: 0x22...0x22
      case 2: 0x5C...0x5C
      case 3: 0x7F...0x9F
      case 4: 0xA0...0x7FF
      case 5: 0x300...0x36F
      case 6: 0x800...0xD7FF
      case 7: 0xE000...0xFFFF
      case 8: 0x10000...0x10FFFF
      default: 0x20...0x7E
      }
    return Unicode.Scalar(UInt32.random(in: range, using: &self))!
  }
}
