import ConversationModel
import Testing

@Suite struct IdentifierTests {
  @Test func `an id is read in either case and written in lower`() {
    let id = MessageID("0190ABCD-ef01-7234-89AB-cdef01234567")
    #expect(id?.description == "0190abcd-ef01-7234-89ab-cdef01234567")
    #expect(id?.high == 0x0190_ABCD_EF01_7234 && id?.low == 0x89AB_CDEF_0123_4567)
  }

  @Test(arguments: [
    "", "0190abcd", "0190abcdef01723489abcdef01234567", "0190abcd-ef01-7234-89ab-cdef0123456",
    "{0190abcd-ef01-7234-89ab-cdef01234567}",
    "0190abcd-ef01-7234-89ab-cdef012345678", "0190abcd-ef01-7234-89ab_cdef01234567",
    "0190abcg-ef01-7234-89ab-cdef01234567",
    "0190abcd-ef01-7234-89ab-cdef0123456\u{661}", "-190abcd-ef01-7234-89ab-cdef01234567",
  ])
  func `anything else is no id`(text: String) {
    #expect(MessageID(text) == nil)
  }

  @Test func `new ids are version 7 and in the order of their milliseconds`() {
    let early = MessageID(at: Timestamp(microseconds: 1_790_000_000_000_000), random: (.max, .max))
    let late = MessageID(at: Timestamp(microseconds: 1_790_000_000_001_000), random: (0, 0))
    #expect(early < late)
    for id in [early, late] {
      let text = Array(id.description)
      #expect(text[14] == "7" && "89ab".contains(text[19]))
    }
  }
}

@Suite struct TimestampTests {
  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00.000000Z", "1970-01-01T00:00:00+00:00"),
      (1_795_354_464_877_756, "2026-11-22T13:34:24.877756Z", "2026-11-22T13:34:24.877756+00:00"),
      (951_782_400_100_000, "2000-02-29T00:00:00.100000Z", "2000-02-29T00:00:00.1+00:00"),
      (-1, "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999+00:00"),
      (4_102_444_799_000_010, "2099-12-31T23:59:59.000010Z", "2099-12-31T23:59:59.00001+00:00"),
    ] as [(Int64, String, String)])
  func `times print as RFC 3339 and as PostgreSQL does`(microseconds: Int64, native: String, postgres: String) {
    let time = Timestamp(microseconds: microseconds)
    #expect(time.description == native && time.postgresText == postgres)
  }
}

@Suite struct ConfidenceTests {
  @Test(arguments: [
    (0.9, "0.90"), (0.285, "0.29"), (0.2849, "0.28"), (-0.285, "-0.29"), (9.99, "9.99"), (9.994, "9.99"),
    (-9.99, "-9.99"),
    (0, "0.00"), (1e-300, "0.00"), (1.005, "1.01"),
  ])
  func `two decimals are kept, rounded away from zero`(value: Double, text: String) {
    #expect(Confidence(rounding: value)?.text == text)
  }

  @Test(arguments: [9.995, 10, -10, 1e300, .infinity, -.infinity, .nan])
  func `a number that needs a third digit is refused`(value: Double) {
    #expect(Confidence(rounding: value) == nil)
  }
}

@Suite struct TreeArithmeticTests {
  /// A trunk of 10; branch 1 forks at 6; branch 2 forks from 1 at 8; branch 3 forks from 2 right at its
  /// start; branch 4 forks from the trunk before the first message.
  private static let tree: [BranchNumber: (parent: BranchNumber?, forkPosition: Position)] = [
    0: (nil, 0), 1: (0, 6), 2: (1, 8), 3: (2, 9), 4: (0, 0),
  ]

  /// The owner of a position by walking up, one position at a time.
  private static func owner(of position: Position, onPathOf branch: BranchNumber) -> BranchNumber {
    var branch = branch
    while let step = tree[branch], position <= step.forkPosition, let parent = step.parent { branch = parent }
    return branch
  }

  @Test(arguments: [0, 1, 2, 3, 4])
  func `every range of a path splits into the runs that its branches own`(branch: BranchNumber) {
    for lower in 1...12 {
      for upper in lower...12 {
        let segments = PathSegment.segments(of: lower...upper, onPathOf: branch) { Self.tree[$0]! }
        let owners = segments.flatMap { segment in segment.positions.map { ($0, segment.branch) } }
        #expect(owners.map(\.0) == Array(lower...upper))
        for (position, number) in owners { #expect(number == Self.owner(of: position, onPathOf: branch)) }
        #expect(Set(segments.map(\.branch)).count == segments.count)
      }
    }
  }

  @Test func `only the forks above the range's start are looked up`() {
    var looked: [BranchNumber] = []
    _ = PathSegment.segments(of: 9...12, onPathOf: 3) { number in
      looked.append(number)
      return Self.tree[number]!
    }
    #expect(looked == [3, 2])
  }

  @Test(arguments: 0...12, [1, 2, 3, 7, 20])
  func `a window holds what its placement asks for`(head: Position, limit: Int) {
    let latest = PageWindow(.latest, limit: limit, head: head)
    #expect(latest.positions.map(Array.init) ?? [] == Array((1...max(head, 1)).suffix(head == 0 ? 0 : limit)))
    for position in 0...head + 1 {
      let before = PageWindow(.before(position), limit: limit, head: head)
      let after = PageWindow(.after(position), limit: limit, head: head)
      let all = Array(1..<head + 1)
      #expect(before.positions.map(Array.init) ?? [] == Array(all.filter { $0 < position }.suffix(limit)))
      #expect(after.positions.map(Array.init) ?? [] == Array(all.filter { $0 > position }.prefix(limit)))
      for window in [latest, before, after] where !window.isEmpty {
        #expect(window.hasBefore == (window.first > 1) && window.hasAfter == (window.end - 1 < head))
      }
      if all.contains(position) {
        let around = PageWindow(.around(position), limit: limit, head: head)
        #expect(around.positions?.contains(position) == true)
        #expect(around.positions?.count == min(limit, head))
      }
    }
  }
}

@Suite struct AutomaticTitleTests {
  @Test(
    arguments: [
      ("Plan a trip", "Plan a trip"), ("  \n\t\nsecond line\nthird", "second line"), ("a\r\nb", "a"),
      ("tab\there", "tabhere"),
      ("", nil), (" \n ", nil), ("\u{0}\u{1B}", nil), ("end \u{3000}", "end"),
    ] as [(String, String?)])
  func `a title is the first line that is not blank`(content: String, title: String?) {
    #expect(automaticTitle(from: content) == title)
  }

  @Test func `a title is cut at its limit`() {
    #expect(
      automaticTitle(from: String(repeating: "\u{1F600}", count: 300))?.unicodeScalars.count == Limits.titleScalars)
  }
}
