import ConversationModel
import TerminalCanvas
import Testing

@testable import Dashboard

/// Text from users in every place where it is shown: it stays in its cells, whatever it holds.
@Suite struct HostileTextTests {
  /// Sixty texts: every C0 and some C1 controls, sequences, directions, invisible letters, piled marks, wide letters.
  static let texts: [String] =
    (0..<32).map { "a\(Character(Unicode.Scalar(UInt8($0))))b" }
    + [
      "\u{7F}del", "\u{9B}31mred", "\u{85}next", "\u{1B}[2J\u{1B}[H", "\u{1B}]0;title\u{7}", "\u{1B}]52;c;YQ==\u{7}",
      "\u{1B}P+q\u{1B}\\", "\u{202E}reversed\u{202C}", "\u{2066}isolated\u{2069}", "\u{200F}mark",
      "\u{200B}\u{200B}zero",
      "\u{2028}line\u{2029}paragraph", "\u{FEFF}bom", "soft\u{AD}hyphen", "\u{3164}filler", "\u{E000}private",
      "\u{E0001}tag\u{E007F}", "e" + String(repeating: "\u{301}", count: 500), "\u{301}alone", "👩‍👩‍👧‍👦 family 🏳️‍🌈",
      "🇳🇴🇳", "1\u{FE0F}\u{20E3}", String(repeating: "字", count: 300), "क्षि नमस्ते", "\u{1112}\u{1161}\u{11AB}",
      String(repeating: "long ", count: 400), "\r\noverwritten\r", "\u{8}\u{8}\u{8}\u{8}back", "tab\ttab\ttab", "",
    ]

  private static func world(_ text: String) -> Warehouse {
    var world = Warehouse()
    for index in world.sessions.indices {
      world.sessions[index].title = text
      world.sessions[index].sessionID = text
      for connection in world.sessions[index].connections.indices {
        world.sessions[index].connections[connection].client = text
      }
    }
    for index in world.threads.indices {
      world.threads[index].title = text
      world.threads[index].sessionID = text
    }
    world.conversation.title = text
    for index in world.branches.indices where index > 0 { world.branches[index].title = text }
    world.texts = world.texts.mapValues { messages in
      messages.map { message in
        var message = message
        message.content = text
        message.clientID = text
        return message
      }
    }
    world.log = world.log.map { record in
      var record = record
      record.message = text
      record.fields = [.init(text, text)]
      return record
    }
    world.status.version = text
    world.status.state = .init(.degraded, reasons: [text, text])
    world.status.store.warnings = [text]
    world.status.store.engine = text
    return world
  }

  /// Every screen where text of others is shown.
  private static func screens(_ world: Warehouse, _ columns: Int, _ rows: Int, _ glyphs: Glyphs) -> [Canvas] {
    var canvases: [Canvas] = []
    var play = Play.begun(columns, rows, glyphs: glyphs, world: world)
    canvases.append(play.canvas)
    for key in ["2", "3", "5"] {
      play.play(.character(Character(key)))
      canvases.append(play.canvas)
    }
    play.play(.enter)
    canvases.append(play.canvas)
    play.play(.control("k"))
    canvases.append(play.canvas)
    play = Play.inThread(columns, rows, glyphs: glyphs, world: world)
    for keys in [
      [], [.enter], [.enter, .character("o")], [.character("o"), .character("d")], [.escape, .character("B")],
    ] as [[Key]] {
      for key in keys { play.play(key) }
      canvases.append(play.canvas)
    }
    return canvases
  }

  @Test(arguments: [(120, 36, false), (80, 24, true), (40, 10, false)])
  func `no text leaves its cells or brings anything that a terminal would obey`(columns: Int, rows: Int, isASCII: Bool)
  {
    let glyphs: Glyphs = isASCII ? .ascii : .unicode
    #expect(Self.texts.count >= 60)
    let plain = Self.screens(Self.world("plain text"), columns, rows, glyphs)
    for text in Self.texts {
      for (index, canvas) in Self.screens(Self.world(text), columns, rows, glyphs).enumerated() {
        // The edges of the screen, and the clock in the first row, are where they are for any text.
        let isSame = (0..<rows).allSatisfy { row in
          canvas[row, 0] == plain[index][row, 0] && canvas[row, columns - 1] == plain[index][row, columns - 1]
        }
        #expect(isSame, "screen \(index) with \(text.debugDescription.prefix(40)):\n\(canvas.text)")
        #expect((0..<8).allSatisfy { canvas[0, columns - 9 + $0] == plain[index][0, columns - 9 + $0] })
        let isTame = canvas.text.unicodeScalars.allSatisfy { scalar in
          switch scalar.properties.generalCategory {
          case .control: scalar == "\n"
          case .format: scalar.value == 0x200D
          case .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: false
          default: !isASCII || scalar.isASCII
          }
        }
        #expect(isTame, "screen \(index) with \(text.debugDescription.prefix(40))")
      }
    }
  }
}
