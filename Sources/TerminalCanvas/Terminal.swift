/// A screen with a keyboard.
///
/// One thread owns it: it opens, draws, reads keys and closes. Other threads only call `wake`. Whatever happens
/// to the process, the screen is as it was before, afterwards.
public protocol Terminal: AnyObject {
  /// What a canvas should measure. It changes only inside `nextKeys`, which says so with `Key.resize`.
  var size: Size { get }

  /// The signs that the terminal can show; canvases are made with them.
  var glyphs: Glyphs { get }

  /// Ends the `nextKeys` that is waiting, or else the next one, at once. The one thing that other threads may
  /// use, at any time, also after `close`; calls that come together wake once.
  var wake: @Sendable () -> Void { get }

  /// Shows a canvas. Only what differs from the one before is sent, and the cursor stands on `cursor`
  /// afterwards, or is hidden if there is none. Never fails: if the terminal is gone, `nextKeys` says so.
  func draw(_ canvas: Canvas, cursor: Point?)

  /// Waits for input.
  ///
  /// - Parameter timeout: How long at most; nil waits for ever, zero takes what is there.
  /// - Returns: The keys in the order they came, at most 1,024; empty after the timeout and after `wake`.
  func nextKeys(timeout: Duration?) -> [Key]

  /// Puts text onto the clipboard of the user's own terminal (OSC 52).
  ///
  /// - Returns: Whether it was sent: not when it is longer than 74,994 bytes, which is what terminals take. No
  ///   terminal tells whether it did it.
  @discardableResult func copy(_ text: String) -> Bool

  /// Gives the terminal back to the shell and stops the process, as Ctrl-Z does elsewhere; returns when the
  /// process was continued, with the last canvas on the screen again.
  func suspend()

  /// Clears the screen and draws the last canvas whole. For Ctrl-L, when something else wrote on the screen.
  func redraw()

  /// Whether clicks and the wheel arrive as keys; while they do, the terminal's own selection needs Shift.
  /// Off at first.
  var takesMouse: Bool { get set }

  /// Gives the terminal back. Once is enough; nothing else does anything afterwards.
  func close()
}
