/// How often is drawn what nobody pressed a key for: 20 frames in any second, however much happens. Two in a row
/// are free, so that the answer to a key is seen when it is there and not a frame later.
struct FramePace {
  /// Microseconds in which one more frame becomes free: 18 a second, and the two.
  static let interval: Int64 = 55_556
  private static let free: Int64 = 2

  /// When all of them will be free again.
  private var whole: Int64

  init(at now: Int64) { whole = now }

  /// When the next frame may be drawn.
  var next: Int64 { whole - (Self.free - 1) * Self.interval }

  func allows(at now: Int64) -> Bool { next <= now }

  mutating func count(at now: Int64) { whole = max(whole, now) + Self.interval }
}
