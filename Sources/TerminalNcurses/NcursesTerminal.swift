import CNcurses
import Glibc
import Synchronization
public import TerminalCanvas

/// Why a terminal could not be opened; nothing was changed. A caller then has lines to print instead of a screen.
public enum TerminalError: Error, Hashable, CustomStringConvertible {
  /// Standard input or output is a file, a pipe or nothing.
  case notATerminal
  /// `TERM` is not set, or names a type that is not known here.
  case unknownType(String)
  /// The type, such as `dumb`, cannot place its cursor.
  case tooSimple(String)
  /// There is one already in this process.
  case alreadyOpen
  /// The system refused; its error number.
  case system(Int32)

  public var description: String {
    switch self {
    case .notATerminal: "Standard input and output are not a terminal."
    case .unknownType(""): "TERM is not set: the type of the terminal is not known."
    case .unknownType(let type): "TERM names the type \(drawable(type)), which is not known here."
    case .tooSimple(let type): "A terminal of the type \(drawable(type)) has no screen to draw on."
    case .alreadyOpen: "The terminal is in use by this program already."
    case .system(let number): "The terminal cannot be used: \(String(cString: strerror(number)))."
    }
  }
}

/// The terminal on standard input and output, by way of ncurses: it knows the type, sets the modes and keeps the two
/// screens. Cells and keys are ours, because its cells hold no cluster of several scalars and its keys no paste.
///
/// The process's signals are part of it while it is open. SIGINT, SIGTERM and SIGHUP arrive as `Key.finish`,
/// SIGTSTP suspends, SIGCONT paints anew. What ends the process otherwise, a crash, another signal or `exit`, gives
/// the terminal back first.
public final class NcursesTerminal: Terminal {
  /// What the surroundings say.
  public struct Options: Sendable {
    /// What the user asks for; it goes before `NO_COLOR`.
    public var colors: ColorPreference
    /// The process's environment: `TERM`, `NO_COLOR` and `TMUX` count.
    public var environment: [String: String]

    public init(colors: ColorPreference = .auto, environment: [String: String]) {
      self.colors = colors
      self.environment = environment
    }
  }

  /// There is one terminal and one set of signal handlers in a process.
  private static let isClaimed = Mutex(false)
  private static let keysAtOnce = 1024
  private static let copyBytes = 74_994
  /// The largest screen that is drawn on, 48 MB as a canvas; of a larger one the rest stays blank.
  private static let largest = Size(rows: 1_000, columns: 2_000)
  private static let pasteOn = "\u{1B}[?2004h"
  private static let pasteOff = "\u{1B}[?2004l"
  private static let mouseOn = "\u{1B}[?1000h\u{1B}[?1006h"
  private static let mouseOff = "\u{1B}[?1006l\u{1B}[?1000l"

  public private(set) var size: Size
  public let glyphs: Glyphs
  public let wake: @Sendable () -> Void = { cncurses_wake() }

  private let input: Int32 = STDIN_FILENO
  private let output: Int32 = STDOUT_FILENO
  private let events: Int32
  private let isInTmux: Bool
  private var painter: Painter
  private var decoder: KeyDecoder
  /// Keys that are known but were not asked for yet.
  private var waiting: [Key] = []
  /// When the last byte came: what has begun is only waited for so long.
  private var lastInput = ContinuousClock.now
  private var shown: (canvas: Canvas, cursor: Point?)?
  private var isOpen = true
  /// Whether nothing can be read or written any more.
  private var isGone = false

  public var takesMouse = false {
    didSet { if takesMouse != oldValue { write(Array((takesMouse ? Self.mouseOn : Self.mouseOff).utf8)) } }
  }

  /// Takes over the terminal. It is the alternate screen then, blank, until the first `draw`.
  public init(_ options: Options) throws(TerminalError) {
    try Self.check(options)
    let type = options.environment["TERM"] ?? ""
    events = cncurses_events()
    var modes = termios()
    guard events >= 0, tcgetattr(input, &modes) == 0 else { throw .system(errno) }
    guard
      Self.isClaimed.withLock({ claimed in
        defer { claimed = true }; return !claimed
      })
    else { throw .alreadyOpen }
    glyphs = cncurses_locale_is_utf8() ? .unicode : .ascii
    isInTmux = !(options.environment["TMUX"] ?? "").isEmpty
    // Before ncurses installs handlers of its own, which it does only where there are none.
    cncurses_guard(output, &modes, "", 0)
    guard cncurses_open(type, input, output) else {
      cncurses_unguard()
      Self.isClaimed.withLock { $0 = false }
      throw .unknownType(type)
    }
    painter = Painter(colors: options.colors, noColor: !(options.environment["NO_COLOR"] ?? "").isEmpty)
    decoder = KeyDecoder(sequences: Self.sequences())
    size = Self.currentSize(output) ?? Size(rows: 24, columns: 80)
    cncurses_resize(Int32(size.rows), Int32(size.columns))
    let restoring = Self.restoring()
    restoring.withUnsafeBytes { bytes in
      cncurses_guard(output, &modes, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
    }
    write(Array(Self.pasteOn.utf8))
  }

  deinit { close() }

  /// Finds out whether there is a terminal that a screen can be shown on, and changes nothing.
  public static func check(_ options: Options) throws(TerminalError) {
    guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else { throw .notATerminal }
    let type = options.environment["TERM"] ?? ""
    switch type.isEmpty ? -1 : cncurses_can_show(type, STDOUT_FILENO) {
    case 1: break
    case 0: throw .tooSimple(type)
    default: throw .unknownType(type)
    }
  }

  public func draw(_ canvas: Canvas, cursor: Point?) {
    shown = (canvas, cursor)
    guard isOpen else { return }
    write(painter.frame(canvas, cursor: cursor, size: size))
  }

  public func redraw() {
    painter.forget()
    if let shown { draw(shown.canvas, cursor: shown.cursor) }
  }

  @discardableResult public func copy(_ text: String) -> Bool {
    guard isOpen, text.utf8.count <= Self.copyBytes else { return false }
    let sequence = "\u{1B}]52;c;\(base64(text.utf8))\u{7}"
    // One setting of tmux lets it take the sequence itself, another hands on what is wrapped, every Esc doubled.
    write(Array((sequence + (isInTmux ? "\u{1B}Ptmux;\u{1B}\(sequence)\u{1B}\\" : "")).utf8))
    return true
  }

  public func suspend() {
    guard isOpen, !isGone else { return }
    write(Array((Self.mouseOff + Self.pasteOff).utf8))
    cncurses_leave()
    cncurses_set_guarded(false)
    cncurses_stop()
    cncurses_set_guarded(true)
    resume()
  }

  public func close() {
    guard isOpen else { return }
    let isOurs = cncurses_is_foreground(output) && !cncurses_is_lost()
    if isOurs { write(Array((Self.mouseOff + Self.pasteOff).utf8)) }
    isOpen = false
    cncurses_close(isOurs)
    cncurses_unguard()
    Self.isClaimed.withLock { $0 = false }
  }

  public func nextKeys(timeout: Duration?) -> [Key] {
    let deadline = timeout.map { ContinuousClock.now + $0 }
    while waiting.isEmpty, isOpen {
      let bits = cncurses_take()
      handle(bits)
      if !waiting.isEmpty { break }
      if bits & UInt32(CNCURSES_WOKEN) != 0 { return [] }
      if isGone { return [.finish(.hungUp)] }
      let mayWait = [deadline, decoder.patience.map { lastInput + $0 }].compactMap(\.self).min()
      if waitForInput(until: mayWait) { continue }
      let now = ContinuousClock.now
      if let patience = decoder.patience, lastInput + patience <= now { waiting += decoder.finish() }
      if let deadline, deadline <= now { break }
    }
    let keys = Array(waiting.prefix(Self.keysAtOnce))
    waiting.removeFirst(keys.count)
    return keys
  }
}

extension NcursesTerminal {
  /// Waits for input and for events; takes the input that is there. Returns whether anything came.
  private func waitForInput(until deadline: ContinuousClock.Instant?) -> Bool {
    var descriptors = [
      pollfd(fd: input, events: Int16(POLLIN), revents: 0), pollfd(fd: events, events: Int16(POLLIN), revents: 0),
    ]
    let count = poll(&descriptors, 2, deadline.map { Self.milliseconds(from: .now, to: $0) } ?? -1)
    guard count > 0 else { return count < 0 && errno == EINTR }
    if descriptors[0].revents != 0 { readInput() }
    return true
  }

  private func readInput() {
    var buffer = [UInt8](repeating: 0, count: 16_384)
    let count = read(input, &buffer, buffer.count)
    if count > 0 {
      lastInput = .now
      waiting += decoder.take(buffer[..<count])
    } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
      isGone = true
    }
  }

  private func handle(_ bits: UInt32) {
    func has(_ bit: Int) -> Bool { bits & UInt32(bit) != 0 }
    if has(CNCURSES_STOPPED) { suspend() }
    // After SIGSTOP nothing could be given back: the shell may have changed the modes and written on the screen.
    if has(CNCURSES_CONTINUED), !has(CNCURSES_STOPPED) { resume() }
    if has(CNCURSES_RESIZED) { takeSize() }
    if has(CNCURSES_INTERRUPTED) { waiting.append(.finish(.interrupted)) }
    if has(CNCURSES_TERMINATED) { waiting.append(.finish(.terminated)) }
    if has(CNCURSES_HUNG_UP) { waiting.append(.finish(.hungUp)) }
  }

  /// Takes the terminal again, from the shell that had it.
  private func resume() {
    cncurses_enter()
    write(Array((Self.pasteOn + (takesMouse ? Self.mouseOn : "")).utf8))
    takeSize()
    redraw()
  }

  private func takeSize() {
    guard let now = Self.currentSize(output), now != size else { return }
    size = now
    cncurses_resize(Int32(now.rows), Int32(now.columns))
    painter.forget()
    waiting.append(.resize(now))
  }

  private static func currentSize(_ output: Int32) -> Size? {
    var rows: Int32 = 0
    var columns: Int32 = 0
    guard cncurses_size(output, &rows, &columns) else { return nil }
    return Size(rows: min(Int(rows), largest.rows), columns: min(Int(columns), largest.columns))
  }

  /// Writes all of it, also to a terminal that is slow; never to one that was given back.
  private func write(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty, isOpen, !isGone, !cncurses_is_lost() {
      let count = rest.withUnsafeBytes { Glibc.write(output, $0.baseAddress, $0.count) }
      if count >= 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        var descriptor = pollfd(fd: output, events: Int16(POLLOUT), revents: 0)
        poll(&descriptor, 1, 100)
      } else if errno != EINTR {
        isGone = true
      }
    }
  }

  /// What to send when there is no time for ncurses.
  private static func restoring() -> [UInt8] {
    let screen = Capability.bytes("rmcup")
    let last = Capability.string("cup").map { Capability.bytes($0, 998, 0) } ?? []
    return Array((mouseOff + pasteOff).utf8) + Capability.bytes("sgr0") + Capability.bytes("rmkx")
      + Capability.bytes("cnorm") + last + (screen.isEmpty ? Array("\r\n".utf8) : screen)
  }

  /// What this type sends for its keys, where it is its own.
  private static func sequences() -> [[UInt8]: Key] {
    let names: [(String, Key)] =
      [
        ("kcuu1", .up), ("kcud1", .down), ("kcub1", .left), ("kcuf1", .right), ("khome", .home), ("kend", .end),
        ("kpp", .pageUp), ("knp", .pageDown), ("kich1", .insert), ("kdch1", .delete), ("kcbt", .backTab),
      ] + (1...12).map { ("kf\($0)", .function($0)) }
    return names.reduce(into: [:]) { sequences, entry in
      let bytes = Capability.bytes(entry.0)
      if bytes.count > 2, bytes[0] == 0x1B { sequences[bytes] = entry.1 }
    }
  }

  /// Rounded up, so that what waits does not wake too early and again and again.
  private static func milliseconds(from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) -> Int32 {
    let (seconds, attoseconds) = (end - start).components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    return Int32(min(seconds, 1_000_000)) * 1000 + Int32((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}

private func base64(_ bytes: some Collection<UInt8>) -> String {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  var result: [UInt8] = []
  var group: UInt32 = 0
  var count = 0
  for byte in bytes {
    group = group << 8 | UInt32(byte)
    count += 1
    if count % 3 == 0 {
      for shift in [18, 12, 6, 0] { result.append(alphabet[Int(group >> UInt32(shift) & 63)]) }
      group = 0
    }
  }
  if count % 3 == 1 { result += [alphabet[Int(group >> 2)], alphabet[Int(group << 4 & 63)]] + Array("==".utf8) }
  if count % 3 == 2 {
    result += [alphabet[Int(group >> 10)], alphabet[Int(group >> 4 & 63)], alphabet[Int(group << 2 & 63)]]
    result += Array("=".utf8)
  }
  return String(decoding: result, as: UTF8.self)
}
