/// Random numbers of a seed: the same seed gives the same course of a demo, as far as its clock does (SplitMix64).
struct DemoRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  /// One of its own for each of many.
  init(seed: UInt64, _ number: Int) {
    state = seed
    for _ in 0..<2 { state = next() ^ UInt64(truncatingIfNeeded: number) }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }

  mutating func seconds(_ range: ClosedRange<Double>) -> Duration { .seconds(Double.random(in: range, using: &self)) }
}
