import Synchronization
import TerminalCanvas

/// Remembers how the last few long texts were broken into lines. The result depends on nothing but the
/// arguments; without it each key would break a text of a quarter of a megabyte several times over.
final class LongTexts: Sendable {
  private struct Entry {
    var text: String
    var width: Int
    var maxLines: Int
    var glyphs: Glyphs
    var lines: [String]
    var isCut: Bool
  }

  private let entries = Mutex<[Entry]>([])

  /// Bytes from which remembering is worth it.
  private static let longBytes = 4_096
  /// Texts that are remembered: more are not on a screen.
  private static let capacity = 4

  static let shared = LongTexts()

  func wrapped(_ text: String, width: Int, maxLines: Int, glyphs: Glyphs) -> (lines: [String], isCut: Bool) {
    guard text.utf8.count >= Self.longBytes else {
      return TerminalCanvas.wrapped(text, width: width, maxLines: maxLines, glyphs: glyphs)
    }
    let known = entries.withLock { entries in
      // The same text is found without comparing it: it is the same storage.
      entries.first { entry in
        entry.width == width && entry.maxLines == maxLines && entry.glyphs.isASCII == glyphs.isASCII
          && entry.text == text
      }
    }
    if let known { return (known.lines, known.isCut) }
    let (lines, isCut) = TerminalCanvas.wrapped(text, width: width, maxLines: maxLines, glyphs: glyphs)
    entries.withLock { entries in
      if entries.count == Self.capacity { entries.removeFirst() }
      entries.append(Entry(text: text, width: width, maxLines: maxLines, glyphs: glyphs, lines: lines, isCut: isCut))
    }
    return (lines, isCut)
  }
}
