/// Numbers a branch in its conversation; 0 is the trunk. Never reused.
public typealias BranchNumber = Int
/// A message's place on the path from the root: 1, 2, 3 … Dense, never reused.
public typealias Position = Int

/// A numbered run of messages that continues its parent from `forkPosition`.
public struct Branch: Hashable, Sendable {
  public enum Origin: String, Sendable, CaseIterable {
    case trunk, edit, regenerate, fork, conflict
  }

  public static let trunk: BranchNumber = 0

  public var number: BranchNumber
  /// Nil for the trunk only.
  public var parent: BranchNumber?
  /// The last position that the branch shares with its parent; 0 for the trunk.
  public var forkPosition: Position
  /// The last position of the branch's path; equals `forkPosition` while it has no own messages.
  public var headPosition: Position
  public var title: String?
  public var origin: Origin
  public var isActive: Bool
  public var isDeleted: Bool
  public var createdAt: Timestamp

  public init(
    number: BranchNumber, parent: BranchNumber?, forkPosition: Position, headPosition: Position, title: String?,
    origin: Origin, isActive: Bool, isDeleted: Bool, createdAt: Timestamp
  ) {
    self.number = number
    self.parent = parent
    self.forkPosition = forkPosition
    self.headPosition = headPosition
    self.title = title
    self.origin = origin
    self.isActive = isActive
    self.isDeleted = isDeleted
    self.createdAt = createdAt
  }
}

/// A run of a path that belongs to one branch.
public struct PathSegment: Hashable, Sendable {
  public var branch: BranchNumber
  public var positions: ClosedRange<Position>

  public init(branch: BranchNumber, positions: ClosedRange<Position>) {
    self.branch = branch
    self.positions = positions
  }

  /// Splits a range of a path into the runs that its branches own, lowest positions first.
  ///
  /// Only the branches that own a part of the range, or stand between it and the path's end, are
  /// looked up: the cost is one look-up per fork above the range's start.
  ///
  /// - Parameters:
  ///   - range: Positions on the path that ends at the head of `branch`.
  ///   - step: A branch's parent and fork position; the parent is nil for the trunk only.
  public static func segments<Failure: Error>(
    of range: ClosedRange<Position>, onPathOf branch: BranchNumber,
    step: (BranchNumber) throws(Failure) -> (parent: BranchNumber?, forkPosition: Position)
  ) throws(Failure) -> [PathSegment] {
    var segments: [PathSegment] = []
    var current = branch
    var upper = range.upperBound
    while true {
      let (parent, fork) = try step(current)
      let lower = max(range.lowerBound, fork + 1)
      if lower <= upper {
        segments.append(PathSegment(branch: current, positions: lower...upper))
        upper = lower - 1
      }
      guard let parent, upper >= range.lowerBound else { break }
      upper = min(upper, fork)
      current = parent
    }
    return segments.reversed()
  }
}

/// Other branches that start at a position of a page.
public struct Fork: Hashable, Sendable {
  public var position: Position
  /// Not empty, not deleted branches whose first message stands at `position`, ascending.
  public var branches: [BranchNumber]

  public init(position: Position, branches: [BranchNumber]) {
    self.position = position
    self.branches = branches
  }
}
