#if PDF
  import ConversationModel

  /// Breaks texts of any length into lines and hands them to the pages.
  struct PDFFlow {
    var pages: PDFPages
    /// Bytes that Pango breaks at once. Its work grows faster than a text's length, and a message may be one line.
    private static let pieceBytes = 1_024

    /// Where a text goes: from the pages' left edge.
    struct Place {
      var indent = 0.0
      /// What is not used at the right.
      var inset = 0.0
      /// Stands in the indentation, at the side where the text begins.
      var marker: String?
      /// Whether what comes next belongs to it.
      var isKept = false
    }

    init(_ pages: PDFPages) {
      self.pages = pages
    }

    mutating func write(_ text: PDFText, _ style: PDFStyle, _ place: Place = Place()) throws(ConversationError) {
      guard !text.bytes.isEmpty || place.marker != nil else { return }
      let isRightToLeft = text.isRightToLeft
      let width = PDFPages.width - place.indent - place.inset
      let x = PDFPages.left + (isRightToLeft && place.marker != nil ? place.inset : place.indent)
      var marker = self.marker(place, style, isRightToLeft)
      var spans = text.spans[...]
      var start = 0
      repeat {
        let end = text.pieceEnd(from: start, limit: Self.pieceBytes)
        let layout = pages.canvas.layout(
          text.bytes[start..<end], spans: spans.within(start..<end), style: style, width: width,
          isRightToLeft: isRightToLeft)
        var lines = layout.lines
        var next = end
        // The piece's last line is not full yet: the next piece begins with it.
        if end < text.bytes.count, lines.count > 1, let last = lines.popLast() { next = start + last.start }
        for (index, line) in lines.enumerated() {
          // Neither the first of several lines stays behind alone, nor what belongs to what follows.
          let isFirst = start == 0 && index == 0 && lines.count > 1
          try pages.place(line, x: x, marker: marker, isKept: isFirst || place.isKept)
          marker = nil
        }
        start = next
        spans = spans.drop { $0.range.upperBound <= start }
      } while start < text.bytes.count
    }

    private func marker(_ place: Place, _ style: PDFStyle, _ isRightToLeft: Bool) -> (line: PDFLine, x: Double)? {
      guard let marker = place.marker else { return nil }
      let layout = pages.canvas.layout(
        marker.utf8, spans: [], style: style, width: place.indent, isRightToLeft: false)
      guard let line = layout.lines.first else { return nil }
      // It ends a little before the text, however long it is: numbers are lined up at their points.
      let room = 6.0
      let edge = PDFPages.left + place.indent - room - line.width
      return (line, isRightToLeft ? PDFPages.left + PDFPages.width - place.indent + room : edge)
    }
  }

  extension PDFText {
    /// At most so many bytes further, and never inside a character's code.
    fileprivate func pieceEnd(from start: Int, limit: Int) -> Int {
      guard start + limit < bytes.count else { return bytes.count }
      var end = start + limit
      while bytes[end] & 0xC0 == 0x80 { end -= 1 }
      return end
    }
  }

  extension ArraySlice<PDFSpan> {
    /// Those that reach into a range, counted from its start.
    fileprivate func within(_ range: Range<Int>) -> [PDFSpan] {
      prefix { $0.range.lowerBound < range.upperBound }.compactMap { span in
        let part = span.range.clamped(to: range)
        guard !part.isEmpty else { return nil }
        return PDFSpan(look: span.look, range: part.lowerBound - range.lowerBound..<part.upperBound - range.lowerBound)
      }
    }
  }
#endif
