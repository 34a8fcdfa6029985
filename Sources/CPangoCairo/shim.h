// The system's Pango and Cairo, as they are. Only Interchange may import this module, and only with the trait PDF.
#include <cairo-pdf.h>
#include <hb-ot.h>
#include <pango/pangocairo.h>
#include <stdbool.h>

// Whether the first strong character of a text is a right-to-left one. Pango calls its function deprecated
// without having another that tells it before a layout is there.
static inline bool cpango_is_right_to_left(const char *text, int bytes) {
  G_GNUC_BEGIN_IGNORE_DEPRECATIONS
  return pango_find_base_dir(text, bytes) == PANGO_DIRECTION_RTL;
  G_GNUC_END_IGNORE_DEPRECATIONS
}

// Whether a font's glyphs are pictures in colors.
static inline bool cpango_has_pictures(PangoFont *font) {
  hb_face_t *face = hb_font_get_face(pango_font_get_hb_font(font));
  return hb_ot_color_has_png(face) || hb_ot_color_has_layers(face) || hb_ot_color_has_svg(face);
}

// The glyph of a font's space; 0 if it has none.
static inline hb_codepoint_t cpango_space(PangoFont *font) {
  hb_codepoint_t glyph = 0;
  return hb_font_get_nominal_glyph(pango_font_get_hb_font(font), ' ', &glyph) ? glyph : 0;
}

// Whether a glyph is the box with digits that stands for a character without one. Swift does not see the macro.
static inline bool cpango_is_unknown(PangoGlyph glyph) {
  return glyph != PANGO_GLYPH_EMPTY && (glyph & PANGO_GLYPH_UNKNOWN_FLAG);
}

static inline bool cpango_is_empty(PangoGlyph glyph) { return glyph == PANGO_GLYPH_EMPTY; }

static inline PangoGlyph cpango_empty(void) { return PANGO_GLYPH_EMPTY; }
