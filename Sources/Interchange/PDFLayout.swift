#if PDF
  import CPangoCairo

  /// Lines of text that Pango has broken.
  final class PDFLayout {
    private let layout: OpaquePointer
    let style: PDFStyle

    /// Takes the layout over.
    init(_ layout: OpaquePointer, style: PDFStyle) {
      self.layout = layout
      self.style = style
    }

    deinit { g_object_unref(UnsafeMutableRawPointer(layout)) }

    /// What letters may reach above and below their line.
    private static let tolerance = 3 * PANGO_SCALE

    /// At least one.
    var lines: [PDFLine] {
      let iterator = pango_layout_get_iter(layout)
      defer { pango_layout_iter_free(iterator) }
      var lines: [PDFLine] = []
      repeat {
        guard let line = pango_layout_iter_get_line(iterator) else { break }
        var ink = PangoRectangle()
        var extents = PangoRectangle()
        pango_layout_iter_get_line_extents(iterator, &ink, &extents)
        let ends = (extents.y - ink.y, ink.y + ink.height - extents.y - extents.height)
        let unit = Double(PANGO_SCALE)
        lines.append(
          PDFLine(
            layout: self, line: line, start: Int(line.pointee.start_index), offset: Double(extents.x) / unit,
            width: Double(extents.width) / unit, height: Double(extents.height) / unit,
            ascent: Double(pango_layout_iter_get_baseline(iterator) - extents.y) / unit,
            isTall: max(ends.0, ends.1) > Self.tolerance, silent: PDFCluster.takeSilent(from: line)))
      } while pango_layout_iter_next_line(iterator) != 0
      return lines
    }
  }

  struct PDFLine {
    /// Keeps the line's memory.
    let layout: PDFLayout
    let line: UnsafeMutablePointer<PangoLayoutLine>
    /// The byte of the layout's text that it begins with.
    let start: Int
    /// From the layout's left edge; what begins at the right has more.
    let offset: Double
    let width: Double
    let height: Double
    /// From its top to where the letters stand.
    let ascent: Double
    /// Whether marks are piled up that would cover other lines.
    let isTall: Bool
    /// What in it is not drawn as letters are.
    let silent: [PDFCluster]
  }
#endif
