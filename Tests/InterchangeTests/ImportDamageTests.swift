import ConversationModel
import Interchange
import Testing

/// Files that were cut off or damaged are read to their end, and what comes of them is what a store takes.
@Suite struct ImportDamageTests {
  enum Sample: String, CaseIterable {
    case lines, document, chat, former, copy, inserts, rows

    var format: ImportFormat {
      switch self {
      case .lines, .document: .parley
      case .chat: .chatgpt
      default: .former
      }
    }

    func bytes() throws -> [UInt8] {
      switch self {
      case .lines: Array((ParleySample.lines(1) + ParleySample.lines(2)).utf8)
      case .document: Array(ParleySample.document(2).utf8)
      case .chat: Array(ImportReadingTests.chat.utf8)
      case .former: Array(ImportReadingTests.former.utf8)
      case .copy: try part(of: "former-copy.sql", from: "COPY public.pam_conv")
      case .inserts: try part(of: "former-data.sql", from: "INSERT INTO public.pam_conv")
      case .rows: try part(of: "former-quoted.sql", from: "INSERT INTO \"public\".\"pam_conv")
      }
    }

    /// The rows of the two tables.
    private func part(of name: String, from start: String) throws -> [UInt8] {
      let text = String(decoding: try fixture(name), as: UTF8.self)
      let begin = try #require(text.firstRange(of: start)?.lowerBound)
      return Array(text[begin...].utf8.prefix(1_300))
    }
  }

  /// A file of no known format is refused as such.
  private func read(_ bytes: [UInt8], _ format: ImportFormat?) throws {
    do { try ImportedPieces(of: bytes, format).validate() } catch let error as ConversationError {
      #expect(error.code == .invalid)
    }
  }

  @Test(arguments: Sample.allCases) func `a file that is cut off anywhere is read to its end`(_ sample: Sample) throws {
    let bytes = try sample.bytes()
    for length in 0...bytes.count { try read(Array(bytes.prefix(length)), length % 2 == 0 ? sample.format : nil) }
  }

  @Test(arguments: Sample.allCases, [1, 2] as [UInt64])
  func `a file with damaged bytes is read to its end`(_ sample: Sample, _ seed: UInt64) throws {
    let bytes = try sample.bytes()
    var random = SeededNumbers(state: seed)
    let marks = Array("'\"\\{}[]();,:-$*/\n\t\0Ne".utf8)
    for _ in 0..<100 {
      var damaged = bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let index = Int.random(in: 0..<damaged.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: damaged[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: damaged[index] = marks.randomElement(using: &random) ?? 0
        case 2: damaged.remove(at: index)
        default: damaged.insert(marks.randomElement(using: &random) ?? 0, at: index)
        }
      }
      try read(damaged, sample.format)
    }
  }

  @Test(arguments: ImportFormat.allCases) func `what cannot be read is refused with what to do`(_ format: ImportFormat)
  {
    for (head, hint) in [
      ([0x50, 0x4B, 3, 4], "unpack it first"), ([0x1F, 0x8B, 8], "unpack it first"),
      ([0xEF, 0xBB, 0xBF, 0x5B, 0x5D], "UTF-8"), ([0xFF, 0xFE, 0x5B, 0], "UTF-8"), ([0xFE, 0xFF, 0, 0x5B], "UTF-8"),
      ([0x5B, 0, 0x5D, 0], "UTF-8"), (Array("PGDMP".utf8), "--format=plain"),
    ] as [([UInt8], String)] {
      for format in [format, nil] {
        let error = #expect(throws: ConversationError.self) { _ = try ImportedPieces(of: head, format) }
        #expect(error?.code == .invalid && error?.message.contains(hint) == true)
      }
    }
  }

  @Test(arguments: [
    "", " ", "x", "{", "{}", "[]", "null", "0", "--", "/*", "\\", "''", "SET", "COPY pam_messages FROM stdin;",
  ])
  func `a file with hardly anything in it is no crash`(_ text: String) throws {
    for format in [nil, .parley, .chatgpt, .former] as [ImportFormat?] { try read(Array(text.utf8), format) }
  }
}
