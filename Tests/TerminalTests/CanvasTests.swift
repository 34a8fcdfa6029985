import Testing

@testable import TerminalCanvas

@Suite struct CanvasTests {
  private func canvas(_ rows: Int = 1, _ columns: Int = 10, ascii: Bool = false) -> Canvas {
    Canvas(Size(rows: rows, columns: columns), glyphs: ascii ? .ascii : .unicode)
  }

  @Test func `text stands where it was put, clipped and aligned`() {
    var canvas = canvas(3, 10)
    let rect = Rect(row: 1, column: 2, rows: 2, columns: 6)
    #expect(canvas.draw("left", row: 0, in: rect) == 4)
    canvas.draw("right", row: 1, in: rect, align: .right)
    canvas.draw("outside", row: 2, in: rect)
    canvas.draw("outside", row: -1, in: rect)
    #expect(canvas.text == "\n  left\n   right")
    canvas.fill(canvas.bounds)
    canvas.draw("mid", row: 0, column: 1, in: rect, width: 5, align: .center)
    canvas.draw("cut off here", row: 1, in: rect)
    #expect(canvas.text == "\n    mid\n  cut o…")
    canvas.fill(canvas.bounds)
    canvas.draw("cut off here", row: 0, column: -3, in: rect, overflow: .clip)
    #expect(canvas.text == "\n   off h\n")
    canvas.draw("far", row: 9, column: 99)
    #expect(canvas.text == "\n   off h\n")
  }

  @Test func `equal canvases are equal, and any difference is one`() {
    var a = canvas()
    var b = canvas()
    #expect(a == b)
    a.draw("x", row: 0)
    #expect(a != b)
    b.draw("x", row: 0, style: .alarm)
    #expect(a != b && a.text == b.text)
    b.draw("x", row: 0)
    #expect(a == b)
    #expect(a != canvas(1, 11))
  }

  @Test func `overwriting half of a wide grapheme blanks the other half`() {
    var canvas = canvas(1, 6)
    canvas.draw("漢字", row: 0)
    #expect(canvas[0, 1].isContinuation && canvas[0, 3].isContinuation)
    canvas.draw("x", row: 0, column: 1)
    #expect(canvas.text == " x字")
    canvas.draw("y", row: 0, column: 2)
    #expect(canvas.text == " xy")
    canvas.draw("漢字漢", row: 0)
    canvas.draw("名", row: 0, column: 1)
    #expect(canvas.text == " 名 漢")
  }

  @Test func `a wide grapheme cut by an edge becomes a blank`() {
    var canvas = canvas(1, 5)
    canvas.fill(canvas.bounds, with: "x")
    canvas.draw("漢字", row: 0, column: 0, in: Rect(row: 0, column: 0, rows: 1, columns: 3), overflow: .clip)
    #expect(canvas.text == "漢 xx")
    canvas.fill(canvas.bounds, with: "x")
    canvas.draw("漢字", row: 0, column: -1, in: Rect(row: 0, column: 1, rows: 1, columns: 4))
    #expect(canvas.text == "x 字x")
    canvas.fill(canvas.bounds, with: "x")
    canvas.draw("字", row: 0, column: 4, overflow: .clip)
    #expect(canvas.text == "xxxx")
    #expect(canvas[0, 4] == .blank())
  }

  @Test(arguments: 1...40)
  func `no drawing leaves half a grapheme`(seed: Int) {
    var random = Xorshift(state: UInt64(seed) * 7919)
    var canvas = canvas(4, 12)
    for _ in 0..<200 {
      let rect = Rect(
        row: .random(in: -2...4, using: &random), column: .random(in: -3...12, using: &random),
        rows: .random(in: 0...4, using: &random), columns: .random(in: 0...9, using: &random))
      let before = canvas
      switch Int.random(in: 0...4, using: &random) {
      case 0:
        canvas.draw(
          hostileTexts.randomElement(using: &random)!, row: 0, column: .random(in: -3...3, using: &random), in: rect)
      case 1: canvas.draw("漢字😀", row: 1, column: .random(in: -3...3, using: &random), in: rect, overflow: .clip)
      case 2: canvas.fill(rect, with: "漢")
      case 3: canvas.box(rect, left: [Span("漢字")], right: [Span("😀")])
      default: canvas.restyle(rect) { $0.selected }
      }
      for row in 0..<4 {
        for column in 0..<12 {
          if canvas[row, column].isContinuation {
            #expect(column > 0 && !canvas[row, column - 1].isContinuation)
            #expect(canvas[row, column].style == canvas[row, column - 1].style)
          }
          let isNear =
            rect.contains(Point(row: row, column: column)) || rect.contains(Point(row: row, column: column + 1))
            || rect.contains(Point(row: row, column: column - 1))
          if !isNear { #expect(canvas[row, column] == before[row, column]) }
        }
      }
      for line in canvas.text.split(separator: "\n") { #expect(TextWidth.of(line) <= 12) }
    }
  }

  @Test func `a box has its titles in the edge`() {
    var canvas = canvas(3, 30)
    #expect(canvas.box(canvas.bounds, left: [Span("Sessions")], right: [Span("1-17 of 42")]) == canvas.bounds.interior)
    #expect(
      canvas.text == """
        ┌─ Sessions ──── 1-17 of 42 ─┐
        │                            │
        └────────────────────────────┘
        """)
    canvas = self.canvas(2, 20, ascii: true)
    // There is no room for the right title besides.
    canvas.box(canvas.bounds, left: [Span("Branches (4)")], right: [Span("Tab")])
    #expect(canvas.text == "+- Branches (4) ---+\n+------------------+")
    canvas.box(canvas.bounds, left: [Span("A title much longer than that")])
    #expect(canvas.text == "+- A title muc... -+\n+------------------+")
    canvas.box(canvas.bounds, right: [Span("Tab")])
    #expect(canvas.text == "+------------ Tab -+\n+------------------+")
    for columns in 0...6 {
      for rows in 0...3 {
        var small = self.canvas(3, 6)
        small.box(Rect(row: 0, column: 0, rows: rows, columns: columns), left: [Span("ab")], right: [Span("c")])
      }
    }
  }

  @Test func `runs are drawn as one line`() {
    var canvas = canvas(1, 12)
    let line = [Span("Up", .key), Span(" select "), Span("q", .key), Span(" quit")]
    canvas.draw(line, row: 0)
    #expect(canvas.text == "Up select q…")
    #expect(canvas.styles == "kk........k")
    #expect(self.drawn(line, 40) == "Up select q quit")
    #expect(self.drawn([Span("abcd"), Span("e")], 4) == "abc…")
    #expect(self.drawn([Span("abcd"), Span("")], 4) == "abcd")
  }

  private func drawn(_ line: [Span], _ columns: Int) -> String {
    var canvas = canvas(1, columns)
    canvas.draw(line, row: 0)
    return canvas.text
  }

  @Test func `bars and sparklines show extremes as what they are`() {
    func bar(_ fraction: Double) -> String {
      var canvas = canvas(1, 8, ascii: true)
      canvas.bar(canvas.bounds, fraction: fraction)
      return canvas.text
    }
    #expect(bar(0) == "--------" && bar(1) == "########" && bar(0.5) == "####----")
    #expect(bar(0.001) == "#-------" && bar(0.999) == "#######-")
    #expect(bar(-1) == "--------" && bar(7) == "########" && bar(.nan) == "--------" && bar(.infinity) == "########")
    func spark(_ values: [Double], _ maximum: Double? = nil) -> String {
      var canvas = canvas(1, 5)
      canvas.sparkline(values, in: canvas.bounds, maximum: maximum)
      return canvas.text
    }
    #expect(spark([0, 1, 4, 8]) == "  ▁▄█")
    #expect(spark([9, 9, 0, 0.001, 100, 50, 0]) == " ▁█▄")
    #expect(spark([.nan, -3, .infinity, 1], 2) == "   █▄" && spark([]) == "" && spark([0, 0]) == "")
  }

  @Test func `a snapshot of styles has a letter for each cell`() {
    var canvas = canvas(2, 8)
    canvas.draw("alarm", row: 0, style: .alarm)
    canvas.draw("old", row: 1, style: .ok.dimmed)
    canvas.restyle(Rect(row: 0, column: 3, rows: 1, columns: 5)) { $0.selected }
    #expect(canvas.styles == "xxxXX###\n---")
    #expect(Set(Role.allCases.map(\.letter)).count == Role.allCases.count)
  }

  @Test func `a canvas is drawn into another`() {
    var outer = canvas(3, 6)
    outer.fill(outer.bounds, with: ".")
    var inner = canvas(1, 4)
    inner.draw("a漢b", row: 0, style: .user)
    outer.draw(inner, at: Point(row: 1, column: 3))
    #expect(outer.text == "......\n...a漢\n......")
    #expect(outer[1, 4].style == .user)
  }

  @Test func `parts of a split are together the whole`() {
    let rect = Rect(row: 2, column: 3, rows: 20, columns: 80)
    #expect(rect.split(rows: [.fixed(1), .flexible(), .fixed(2)]).map(\.rows) == [1, 17, 2])
    #expect(rect.split(columns: [.flexible(weight: 2), .flexible()]).map(\.columns) == [53, 27])
    #expect(rect.split(columns: [.flexible(weight: 1, minimum: 70), .fixed(20)]).map(\.columns) == [70, 10])
    var random = Xorshift(state: 5)
    for _ in 0..<500 {
      let parts = (0..<Int.random(in: 1...5, using: &random)).map { _ -> Part in
        Bool.random(using: &random)
          ? .fixed(.random(in: -1...50, using: &random))
          : .flexible(weight: .random(in: 0...3, using: &random), minimum: .random(in: 0...9, using: &random))
      }
      let split = rect.split(columns: parts)
      #expect(split.count == parts.count)
      for (left, right) in zip(split, split.dropFirst()) { #expect(left.endColumn == right.column) }
      let isFlexible = parts.contains { if case .flexible(let weight, _) = $0 { weight > 0 } else { false } }
      if isFlexible { #expect(split.reduce(0) { $0 + $1.columns } == 80) }
      #expect(split.allSatisfy { $0.row == 2 && $0.rows == 20 && $0.columns >= 0 })
    }
    #expect(rect.centered(Size(rows: 4, columns: 100)) == Rect(row: 10, column: 3, rows: 4, columns: 80))
    #expect(rect.line(19).row == 21 && rect.line(20).isEmpty)
    #expect(rect.intersection(Rect(row: 50, column: 0, rows: 3, columns: 3)).isEmpty)
  }
}
