import Testing

@testable import Dashboard

@Suite struct FramePaceTests {
  @Test func `twenty frames are drawn in any second, however often it is asked`() {
    var pace = FramePace(at: 0)
    var drawn: [Int64] = []
    for now in stride(from: Int64(0), to: 5_000_000, by: 1_000) where pace.allows(at: now) {
      pace.count(at: now)
      drawn.append(now)
    }
    for start in drawn { #expect(drawn.filter { (start..<start + 1_000_000).contains($0) }.count <= 20) }
    #expect(drawn.count >= 85, "and hardly fewer")
  }

  @Test func `a single frame is drawn at once, and so is the one that answers it`() {
    var pace = FramePace(at: 0)
    #expect(pace.allows(at: 10_000_000))
    pace.count(at: 10_000_000)
    #expect(pace.allows(at: 10_001_000))
    pace.count(at: 10_001_000)
    #expect(!pace.allows(at: 10_002_000) && pace.next < 10_060_000)
  }
}
