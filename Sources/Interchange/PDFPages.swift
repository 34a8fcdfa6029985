#if PDF
  import ConversationModel

  /// A filled rectangle: the ground of code, or the rule beside a message. Points.
  struct PDFBox {
    var x: Double
    var width: Double
    var gray: Double
    /// How much further it reaches where a page breaks it.
    var overhang = 0.0
    var top = 0.0
    var bottom = 0.0
  }

  /// Fills pages from top to bottom. A page is held until it is full: only then is it known how long its boxes are, and whether
  /// its last lines would rather stand on the next.
  struct PDFPages {
    static let left = 72.0
    static let width = PDFCanvas.size.width - 2 * left
    private static let top = 84.0
    private static let bottom = PDFCanvas.size.height - 78
    private static let small = PDFStyle(size: 8, gray: 0.4, lineHeight: 12)

    let canvas: PDFCanvas
    /// At the head of every page but the first.
    private let runningTitle: PDFLine?
    /// The page that is being filled.
    private var number = 1
    private var y = top
    /// What stays blank before the next line, unless that begins a page.
    private var gap = 0.0
    private var lines: [Placed] = []
    private var boxes: [PDFBox] = []
    private var openBoxes: [PDFBox] = []
    /// Where the lines begin that must not stand apart from the next; nil if the last line may end a page.
    private var kept: (line: Int, y: Double)?

    private struct Placed {
      var line: PDFLine
      var x: Double
      var baseline: Double
    }

    init(on canvas: PDFCanvas, title: PDFText) {
      self.canvas = canvas
      runningTitle =
        canvas.layout(
          title.bytes, spans: title.spans, style: Self.small, width: Self.width, isRightToLeft: title.isRightToLeft,
          isCut: true
        ).lines.first
    }

    /// Leaves room before the next line; of several gaps the largest counts.
    mutating func leave(_ points: Double) { gap = max(gap, points) }

    /// Adds room that is part of a box.
    mutating func pad(_ points: Double) { y += points }

    /// Goes up again, for what stands beside the last line; not across pages.
    mutating func back(_ points: Double) { y -= points }

    /// - Parameters:
    ///   - marker: What stands beside it, such as the number of an item, and where.
    ///   - isKept: Whether it must not be the last on its page.
    mutating func place(
      _ line: PDFLine, x: Double, marker: (line: PDFLine, x: Double)? = nil, isKept: Bool = false
    ) throws(ConversationError) {
      let height = max(line.layout.style.lineHeight, line.height)
      try makeRoom(height)
      if !isKept {
        kept = nil
      } else if kept == nil {
        kept = (lines.count, y)
      }
      let baseline = y + (height - line.height) / 2 + line.ascent
      lines.append(Placed(line: line, x: x, baseline: baseline))
      if let marker { lines.append(Placed(line: marker.line, x: marker.x, baseline: baseline)) }
      y += height
    }

    /// A line without text.
    mutating func placeBlank(_ height: Double) throws(ConversationError) {
      try makeRoom(height)
      y += height
    }

    /// Begins a box at the next line's top; it goes on over pages until `close`.
    mutating func open(_ box: PDFBox) {
      settleGap()
      var box = box
      (box.top, box.bottom) = (y, y)
      openBoxes.append(box)
      // It begins where its first line does.
      if kept == nil { kept = (lines.count, y) }
    }

    /// Ends the box that was opened last.
    mutating func close() {
      guard var box = openBoxes.popLast() else { return }
      box.bottom = y
      boxes.append(box)
    }

    private mutating func settleGap() {
      if y > Self.top { y += gap }
      gap = 0
    }

    private mutating func makeRoom(_ height: Double) throws(ConversationError) {
      settleGap()
      if y + height > Self.bottom { try breakPage() }
    }

    /// Ends the page, and takes along to the next what must not stay behind.
    mutating func breakPage() throws(ConversationError) {
      var moved: ArraySlice<Placed> = []
      var end = y
      if let kept, kept.y > Self.top {
        moved = lines[kept.line...]
        lines.removeSubrange(kept.line...)
        end = kept.y
      }
      let shift = end - Self.top
      for box in openBoxes where box.top < end {
        var box = box
        box.bottom = end + box.overhang
        boxes.append(box)
      }
      let movedBoxes = boxes.filter { $0.top >= end }
      boxes.removeAll { $0.top >= end }
      try endPage()
      lines = moved.map { Placed(line: $0.line, x: $0.x, baseline: $0.baseline - shift) }
      boxes = movedBoxes.map { $0.moved(by: -shift) }
      openBoxes = openBoxes.map { $0.top < end ? $0.beginning(at: Self.top - $0.overhang) : $0.moved(by: -shift) }
      y -= shift
      gap = 0
      kept = moved.isEmpty ? nil : (0, Self.top)
    }

    /// Draws the last page, unless nothing came after the one before.
    mutating func finish() throws(ConversationError) {
      if number == 1 || !lines.isEmpty { try endPage() }
    }

    /// Draws the page, and forgets it.
    private mutating func endPage() throws(ConversationError) {
      for box in boxes { canvas.fill(box) }
      for line in lines { canvas.show(line.line, x: line.x, baseline: line.baseline) }
      if number > 1, let runningTitle { canvas.show(runningTitle, x: Self.left, baseline: 48) }
      let foot = canvas.layout(
        "\(number)".utf8, spans: [], style: Self.small, width: Self.width, isRightToLeft: false)
      if let line = foot.lines.first {
        canvas.show(line, x: Self.left + (Self.width - line.width) / 2, baseline: PDFCanvas.size.height - 42)
      }
      try canvas.endPage()
      (lines, boxes) = ([], [])
      number += 1
    }
  }

  extension PDFBox {
    fileprivate func moved(by points: Double) -> PDFBox {
      var box = self
      box.top += points
      box.bottom += points
      return box
    }

    fileprivate func beginning(at top: Double) -> PDFBox {
      var box = self
      (box.top, box.bottom) = (top, top)
      return box
    }
  }
#endif
