public import ConversationModel
import Glibc

/// The time as the runtime tells it: nothing but `now` looks at a clock.
public struct Moment: Hashable, Sendable {
  /// Microseconds of a clock that never jumps: deadlines are measured with it.
  public var steady: Int64
  public var wall: Timestamp
  /// Seconds that local time is ahead of UTC.
  public var offset: Int

  public init(steady: Int64, wall: Timestamp, offset: Int) {
    self.steady = steady
    self.wall = wall
    self.offset = offset
  }

  /// Now, by the system's clocks and its time zone.
  public static func now() -> Moment {
    var steady = timespec()
    clock_gettime(CLOCK_MONOTONIC, &steady)
    var wall = timespec()
    clock_gettime(CLOCK_REALTIME, &wall)
    var local = tm()
    localtime_r(&wall.tv_sec, &local)
    return Moment(
      steady: Int64(steady.tv_sec) * 1_000_000 + Int64(steady.tv_nsec) / 1_000,
      wall: Timestamp(microseconds: Int64(wall.tv_sec) * 1_000_000 + Int64(wall.tv_nsec) / 1_000),
      offset: local.tm_gmtoff)
  }

  static let start = Moment(steady: 0, wall: Timestamp(microseconds: 0), offset: 0)

  /// Microseconds until the seconds of the wall clock change: 1 to 1,000,000.
  var untilNextSecond: Int64 {
    let rest = wall.microseconds % 1_000_000
    return 1_000_000 - (rest < 0 ? rest + 1_000_000 : rest)
  }
}
