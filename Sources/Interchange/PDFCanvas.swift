#if PDF
  import CPangoCairo
  import ConversationModel

  /// What Cairo draws on, as a stream of bytes, and what Pango makes of text. Lengths are points, from the top left corner.
  ///
  /// The font map is the document's own: the one that Pango has by default belongs to a thread, and a task changes threads.
  final class PDFCanvas {
    /// A4.
    static let size = (width: 595.276, height: 841.89)

    private let surface: OpaquePointer
    private let context: OpaquePointer
    private let fonts: UnsafeMutablePointer<PangoFontMap>
    /// One for each base direction: a layout follows its context, which therefore must not change under it.
    private let leftToRight: OpaquePointer
    private let rightToLeft: OpaquePointer
    private let blank: PDFBlank
    private let pictures = PDFPictures()
    private let output = Output()

    /// Bytes on their way from Cairo to whoever takes them.
    private final class Output {
      var bytes: [UInt8] = []
    }

    init() {
      surface = cairo_pdf_surface_create_for_stream(
        { output, data, count in
          let output = Unmanaged<Output>.fromOpaque(output!).takeUnretainedValue()
          output.bytes += UnsafeBufferPointer(start: data, count: Int(count))
          return CAIRO_STATUS_SUCCESS
        }, Unmanaged.passUnretained(output).toOpaque(), Self.size.width, Self.size.height)
      context = cairo_create(surface)
      fonts = pango_cairo_font_map_new()
      leftToRight = Self.textContext(fonts, PANGO_DIRECTION_LTR)
      rightToLeft = Self.textContext(fonts, PANGO_DIRECTION_RTL)
      blank = PDFBlank(leftToRight)
    }

    deinit {
      g_object_unref(UnsafeMutableRawPointer(leftToRight))
      g_object_unref(UnsafeMutableRawPointer(rightToLeft))
      g_object_unref(fonts)
      cairo_destroy(context)
      // It may write once more, into `output`, which is still there.
      cairo_surface_destroy(surface)
    }

    private static func textContext(
      _ fonts: UnsafeMutablePointer<PangoFontMap>, _ direction: PangoDirection
    ) -> OpaquePointer {
      let context = pango_font_map_create_context(fonts)!
      pango_context_set_base_dir(context, direction)
      // Not the one of the process's locale: the same conversation is the same file everywhere.
      pango_context_set_language(context, pango_language_from_string("en"))
      // Paper has no pixels to fit letters to.
      let options = cairo_font_options_create()
      cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE)
      cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF)
      pango_cairo_context_set_font_options(context, options)
      cairo_font_options_destroy(options)
      pango_context_set_round_glyph_positions(context, 0)
      return context
    }

    /// - Parameter changed: Stands in the file as its date, in place of the time of writing.
    func describe(title: String, changed: Timestamp) {
      let date = "\(changed.description.prefix(19))Z"
      cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE, title)
      cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATOR, "Parley")
      cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, date)
      cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_MOD_DATE, date)
    }

    func fill(_ box: PDFBox) {
      guard box.width > 0, box.bottom > box.top else { return }
      cairo_set_source_rgb(context, box.gray, box.gray, box.gray)
      cairo_rectangle(context, box.x, box.top, box.width, box.bottom - box.top)
      cairo_fill(context)
    }

    /// - Parameter x: Where its layout begins, as `baseline` is where the line stands.
    func show(_ line: PDFLine, x: Double, baseline: Double) {
      cairo_save(context)
      defer { cairo_restore(context) }
      if line.isTall {
        // Nobody writes into another's message.
        cairo_rectangle(context, 0, baseline - line.ascent - 2, Self.size.width, line.height + 4)
        cairo_clip(context)
      }
      let gray = line.layout.style.gray
      cairo_set_source_rgb(context, gray, gray, gray)
      cairo_move_to(context, x + line.offset, baseline)
      pango_cairo_show_layout_line(context, line.line)
      for cluster in line.silent {
        pictures.show(cluster, on: context, x: x + line.offset, baseline: baseline)
        blank.show(cluster, on: context, x: x + line.offset, baseline: baseline)
      }
    }

    func endPage() throws(ConversationError) {
      cairo_show_page(context)
      try check()
    }

    /// Writes what a file ends with, its fonts among it.
    func finish() throws(ConversationError) {
      try check()
      cairo_surface_finish(surface)
      try check()
    }

    private func check() throws(ConversationError) {
      for status in [cairo_status(context), cairo_surface_status(surface)] where status != CAIRO_STATUS_SUCCESS {
        throw ConversationError(.internal, "The PDF could not be written.", underlying: CairoFailure(status))
      }
    }

    func takeBytes() -> [UInt8] {
      defer { output.bytes = [] }
      return output.bytes
    }
  }

  extension PDFCanvas {
    /// - Parameter text: UTF-8 without ends of lines; the spans' ranges count its bytes.
    func layout(
      _ text: some Collection<UInt8>, spans: some Sequence<PDFSpan>, style: PDFStyle, width: Double,
      isRightToLeft: Bool,
      isCut: Bool = false
    ) -> PDFLayout {
      let layout = pango_layout_new(isRightToLeft ? rightToLeft : leftToRight)!
      // Else Pango would look at the piece alone, which need not begin as its paragraph does.
      pango_layout_set_auto_dir(layout, 0)
      pango_layout_set_alignment(layout, isRightToLeft ? PANGO_ALIGN_RIGHT : PANGO_ALIGN_LEFT)
      style.apply(to: layout)
      pango_layout_set_width(layout, Int32(width * Double(PANGO_SCALE)))
      pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR)
      if isCut {
        pango_layout_set_height(layout, -1)
        pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END)
      }
      let bytes = Array(text)
      bytes.withUnsafeBytes { buffer in
        pango_layout_set_text(
          layout, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(buffer.count))
      }
      let attributes = pango_attr_list_new()
      // Where it breaks inside a word, such as an address, nothing is added that nobody wrote.
      pango_attr_list_insert(attributes, pango_attr_insert_hyphens_new(0))
      for span in spans { span.insert(into: attributes) }
      pango_layout_set_attributes(layout, attributes)
      pango_attr_list_unref(attributes)
      return PDFLayout(layout, style: style)
    }
  }

  /// What Cairo says when it cannot go on; for the log.
  private struct CairoFailure: Error, CustomStringConvertible {
    let description: String

    init(_ status: cairo_status_t) {
      description = "Cairo: \(cairo_status_to_string(status).map { String(cString: $0) } ?? "\(status.rawValue)")"
    }
  }
#endif
