#if PDF
  import CPangoCairo

  /// A character that is painted, so that nothing in the file says what it stands for: an emoji, or a sign that no font has,
  /// for which Pango draws a box.
  struct PDFCluster {
    /// A glyph of a font that consists of pictures.
    struct Picture {
      var glyph: UInt
      /// From the line's left end, and down from its baseline.
      var x: Double
      var y: Double
    }

    var text: [UInt8]
    /// From the line's left end.
    var x: Double
    var width: Double
    /// The line's layout keeps it.
    var font: UnsafeMutablePointer<PangoFont>
    /// Empty for what Pango draws.
    var pictures: [Picture] = []

    /// Finds them, and takes the pictures out of the line: Cairo would embed them in the size of the letters, a dot a point.
    static func takeSilent(from line: UnsafeMutablePointer<PangoLayoutLine>) -> [PDFCluster] {
      guard let text = pango_layout_get_text(line.pointee.layout) else { return [] }
      var clusters: [PDFCluster] = []
      var node = line.pointee.runs
      while let current = node {
        node = current.pointee.next
        guard let run = current.pointee.data?.assumingMemoryBound(to: PangoGlyphItem.self),
          let font = run.pointee.item.pointee.analysis.font
        else { continue }
        let hasPictures = cpango_has_pictures(font)
        guard hasPictures || run.glyphs.contains(where: { cpango_is_unknown($0.glyph) }) else { continue }
        var iterator = PangoGlyphItemIter()
        var isThere = pango_glyph_item_iter_init_start(&iterator, run, text) != 0
        while isThere {
          var cluster = PDFCluster(iterator, of: line, text, font)
          let isUnknown = iterator.range.contains { cpango_is_unknown(run.glyphs[$0].glyph) }
          if hasPictures, !isUnknown { cluster.takePictures(iterator.range, of: run.glyphs) }
          if isUnknown || !cluster.pictures.isEmpty { clusters.append(cluster) }
          isThere = pango_glyph_item_iter_next_cluster(&iterator) != 0
        }
      }
      return clusters
    }

    private init(
      _ iterator: PangoGlyphItemIter, of line: UnsafeMutablePointer<PangoLayoutLine>, _ text: UnsafePointer<CChar>,
      _ font: UnsafeMutablePointer<PangoFont>
    ) {
      var edges: (Int32, Int32) = (0, 0)
      pango_layout_line_index_to_x(line, iterator.start_index, 0, &edges.0)
      pango_layout_line_index_to_x(line, iterator.start_index, 1, &edges.1)
      self.text = (iterator.start_index..<iterator.end_index).map { UInt8(bitPattern: text[Int($0)]) }
      x = points(min(edges.0, edges.1))
      width = points(abs(edges.1 - edges.0))
      self.font = font
    }

    private mutating func takePictures(_ range: Range<Int>, of glyphs: UnsafeMutableBufferPointer<PangoGlyphInfo>) {
      var x = x
      for index in range {
        let info = glyphs[index]
        guard !cpango_is_empty(info.glyph) else { continue }
        pictures.append(
          Picture(
            glyph: UInt(info.glyph), x: x + points(info.geometry.x_offset), y: points(info.geometry.y_offset)))
        x += points(info.geometry.width)
        glyphs[index].glyph = cpango_empty()
      }
    }
  }

  private func points(_ units: Int32) -> Double { Double(units) / Double(PANGO_SCALE) }

  extension UnsafeMutablePointer<PangoGlyphItem> {
    fileprivate var glyphs: UnsafeMutableBufferPointer<PangoGlyphInfo> {
      UnsafeMutableBufferPointer(
        start: pointee.glyphs.pointee.glyphs, count: Int(pointee.glyphs.pointee.num_glyphs))
    }
  }

  extension PangoGlyphItemIter {
    /// In text from right to left the glyphs are counted down.
    fileprivate var range: Range<Int> {
      Int(min(start_glyph, end_glyph + 1))..<Int(max(end_glyph, start_glyph + 1))
    }
  }

  /// Pictures of emoji in a resolution for print. Each is embedded once, whatever its size on the page.
  final class PDFPictures {
    private struct Picture {
      var image: OpaquePointer
      /// Where the image begins, from the glyph's origin. Its dots.
      var left: Double
      var top: Double
      /// Dots in a point.
      var scale: Double
    }

    private struct Key: Hashable {
      var font: UnsafeMutablePointer<PangoFont>
      var glyph: UInt
    }

    /// Dots in the font's size: about what the pictures in fonts have.
    private static let resolution = 96.0
    /// Pictures that are kept at hand, of some 50 kB each.
    private static let limit = 64
    private var pictures: [Key: Picture] = [:]

    deinit { forget() }

    private func forget() {
      for (key, picture) in pictures {
        cairo_surface_destroy(picture.image)
        g_object_unref(key.font)
      }
      pictures = [:]
    }

    func show(_ cluster: PDFCluster, on context: OpaquePointer, x: Double, baseline: Double) {
      for part in cluster.pictures {
        let picture = picture(part.glyph, of: cluster.font)
        cairo_save(context)
        cairo_translate(context, x + part.x, baseline + part.y)
        cairo_scale(context, 1 / picture.scale, 1 / picture.scale)
        cairo_set_source_surface(context, picture.image, picture.left, picture.top)
        cairo_paint(context)
        cairo_restore(context)
      }
    }

    private func picture(_ glyph: UInt, of font: UnsafeMutablePointer<PangoFont>) -> Picture {
      let key = Key(font: font, glyph: glyph)
      if let known = pictures[key] { return known }
      if pictures.count >= Self.limit { forget() }
      // The key is the font's address, which must not become another's.
      g_object_ref(font)
      let made = Self.make(glyph, of: font)
      pictures[key] = made
      return made
    }

    private static func make(_ glyph: UInt, of font: UnsafeMutablePointer<PangoFont>) -> Picture {
      let small = pango_cairo_font_get_scaled_font(OpaquePointer(font))
      var matrix = cairo_matrix_t()
      cairo_scaled_font_get_font_matrix(small, &matrix)
      let scale = resolution / max(abs(matrix.yy), 0.01)
      var large = cairo_matrix_t(
        xx: matrix.xx * scale, yx: matrix.yx * scale, xy: matrix.xy * scale, yy: matrix.yy * scale, x0: 0, y0: 0)
      var plain = cairo_matrix_t()
      cairo_matrix_init_identity(&plain)
      let options = cairo_font_options_create()
      let face = cairo_scaled_font_get_font_face(small)
      let scaled = cairo_scaled_font_create(face, &large, &plain, options)
      defer {
        cairo_scaled_font_destroy(scaled)
        cairo_font_options_destroy(options)
      }
      var drawn = cairo_glyph_t(index: glyph, x: 0, y: 0)
      var extents = cairo_text_extents_t()
      cairo_scaled_font_glyph_extents(scaled, &drawn, 1, &extents)
      let (left, top) = (extents.x_bearing.rounded(.down), extents.y_bearing.rounded(.down))
      // A font may claim any size.
      func dots(_ length: Double) -> Int32 { Int32(min(max(length.rounded(.up) + 1, 1), 4 * resolution)) }
      let image = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, dots(extents.width), dots(extents.height))!
      let context = cairo_create(image)
      (drawn.x, drawn.y) = (-left, -top)
      cairo_set_scaled_font(context, scaled)
      cairo_show_glyphs(context, &drawn, 1)
      cairo_destroy(context)
      name(image, "\(family(of: font)) \(glyph)")
      return Picture(image: image, left: left, top: top, scale: scale)
    }

    /// By its name Cairo knows the picture again, when it was forgotten here or is made from the font in another size.
    private static func name(_ image: OpaquePointer, _ name: String) {
      let copy = strdup(name)
      cairo_surface_set_mime_data(image, CAIRO_MIME_TYPE_UNIQUE_ID, copy, UInt(name.utf8.count), { free($0) }, copy)
    }

    /// Not the whole description: pictures have no weight.
    private static func family(of font: UnsafeMutablePointer<PangoFont>) -> String {
      let description = pango_font_describe(font)
      defer { pango_font_description_free(description) }
      return pango_font_description_get_family(description).map { String(cString: $0) } ?? ""
    }
  }

  /// The space of some font. Shown on a picture, as wide as that and as its text, it is not seen, but found, selected and
  /// copied.
  final class PDFBlank {
    private let font: UnsafeMutablePointer<PangoFont>?
    private let glyph: UInt
    private static let size = 10.0
    /// Points that it takes at that size.
    private let width: Double

    init(_ context: OpaquePointer) {
      let description = pango_font_description_from_string(PDFStyle.Family.sans.rawValue)
      defer { pango_font_description_free(description) }
      pango_font_description_set_absolute_size(description, Self.size * Double(PANGO_SCALE))
      font = pango_context_load_font(context, description)
      glyph = font.map { UInt(cpango_space($0)) } ?? 0
      var extents = PangoRectangle()
      pango_font_get_glyph_extents(font, PangoGlyph(glyph), nil, &extents)
      width = Double(extents.width) / Double(PANGO_SCALE)
    }

    deinit { if let font { g_object_unref(font) } }

    func show(_ cluster: PDFCluster, on context: OpaquePointer, x: Double, baseline: Double) {
      guard let font, glyph != 0, width > 0 else { return }
      let scaled = pango_cairo_font_get_scaled_font(OpaquePointer(font))
      cairo_set_font_face(context, cairo_scaled_font_get_font_face(scaled))
      var matrix = cairo_matrix_t()
      // Never nothing: Cairo takes no matrix that cannot be undone.
      cairo_matrix_init_scale(&matrix, Self.size * max(cluster.width, 0.01) / width, Self.size)
      cairo_set_font_matrix(context, &matrix)
      var shown = cairo_glyph_t(index: glyph, x: x + cluster.x, y: baseline)
      var extent = cairo_text_cluster_t(num_bytes: Int32(cluster.text.count), num_glyphs: 1)
      cluster.text.withUnsafeBytes { bytes in
        cairo_show_text_glyphs(
          context, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count), &shown, 1, &extent, 1,
          cairo_text_cluster_flags_t(rawValue: 0))
      }
    }
  }
#endif
