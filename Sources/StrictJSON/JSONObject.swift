/// The members of one JSON object in the order of the document, each key once.
///
/// Keys are compared by their UTF-8 bytes. A lookup looks at every member of a small object and searches a
/// large one by halves; nothing is hashed, so no choice of keys makes an object slow.
public struct JSONObject: Sendable {
  /// One key and its value.
  public struct Member: Sendable, Equatable {
    public let key: String
    public let value: JSONValue

    public init(key: String, value: JSONValue) {
      self.key = key
      self.value = value
    }

    public static func == (left: Member, right: Member) -> Bool {
      UTF8Bytes.equal(left.key, right.key) && left.value == right.value
    }
  }

  /// All members, in document order.
  public let members: [Member]

  /// The indices of `members` in the order of their keys, or empty for an object that is small enough to
  /// walk.
  private let order: [Int]

  /// The object without members.
  public init() {
    members = []
    order = []
  }

  /// An object of `members`, in this order.
  ///
  /// - Returns: nil if two of them have the same key. Takes O(n log n) comparisons.
  public init?(members: [Member]) {
    self.members = members
    if members.count <= Self.walkable {
      order = []
      for last in members.indices.dropFirst() {
        for earlier in 0..<last where UTF8Bytes.equal(members[earlier].key, members[last].key) { return nil }
      }
    } else {
      order = Self.sortedIndices(of: members)
      for (earlier, later) in zip(order, order.dropFirst())
      where UTF8Bytes.equal(members[earlier].key, members[later].key) { return nil }
    }
  }

  /// Whether there are no members.
  public var isEmpty: Bool { members.isEmpty }
  /// The number of members.
  public var count: Int { members.count }

  /// The value under exactly the bytes of `key`, or nil if the object has no such member. A member that is
  /// `null` gives ``JSONValue/null``, not nil.
  public subscript(key: String) -> JSONValue? {
    if order.isEmpty {
      return members.first { UTF8Bytes.equal($0.key, key) }?.value
    }
    var low = 0
    var high = order.count
    while low < high {
      let middle = (low + high) / 2
      if UTF8Bytes.precedes(members[order[middle]].key, key) { low = middle + 1 } else { high = middle }
    }
    guard low < order.count else { return nil }
    let found = members[order[low]]
    return UTF8Bytes.equal(found.key, key) ? found.value : nil
  }

  /// All members in the order of the UTF-8 bytes of their keys.
  var sortedMembers: [Member] {
    (order.isEmpty ? Self.sortedIndices(of: members) : order).map { members[$0] }
  }

  /// Up to this many members, comparing each with each costs less than an index.
  private static let walkable = 8

  private static func sortedIndices(of members: [Member]) -> [Int] {
    // Most comparisons end within the first bytes: held beside the index, they need no look at the key.
    members.indices.map { (head: UTF8Bytes.head(of: members[$0].key), index: $0) }
      .sorted {
        $0.head == $1.head
          ? UTF8Bytes.precedes(members[$0.index].key, members[$1.index].key)
          : $0.head < $1.head
      }
      .map(\.index)
  }
}

extension JSONObject: Equatable {
  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    // Keys are unique on both sides: equally many, and each of the left found on the right, is enough.
    left.count == right.count && left.members.allSatisfy { right[$0.key] == $0.value }
  }
}
