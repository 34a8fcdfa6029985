import ConversationModel

/// What a search asks for: words, beginnings of words, and runs of characters without spaces.
struct SearchWords: Hashable {
  private var exact: [[UInt8]] = []
  private var beginnings: [[UInt8]] = []
  private var runs: [[UInt32]] = []

  /// Takes a search apart as texts are. The one thing that it knows besides is a `*` right behind a word.
  init(_ text: String) {
    var text = text
    text.withUTF8 { bytes in
      var scanner = SearchScanner(bytes)
      while let piece = scanner.piece() {
        switch piece {
        case .run: runs.append(scanner.run.map(\.value))
        case .word where scanner.following == UInt8(ascii: "*"): beginnings.append(scanner.word)
        case .word: exact.append(scanner.word)
        }
      }
    }
    // A word once is enough.
    exact = Array(Set(exact)).sorted { $0.lexicographicallyPrecedes($1) }
    beginnings = Array(Set(beginnings)).sorted { $0.lexicographicallyPrecedes($1) }
    runs = Array(Set(runs)).sorted { $0.lexicographicallyPrecedes($1) }
  }

  /// What FTS5 is asked: an owner's words in quotes, which hold letters and digits only, all of them wanted.
  func expression(_ terms: SearchTerms, in conversation: ConversationID?) -> String {
    var parts: [String] = []
    func add(_ term: [UInt8], isBeginning: Bool = false) {
      parts.append("\"\(String(decoding: term, as: UTF8.self))\"\(isBeginning ? " *" : "")")
    }
    if let conversation { add(terms.of(conversation)) }
    for word in exact { add(terms.owner + word) }
    for word in beginnings { add(terms.owner + word, isBeginning: true) }
    for run in runs {
      var term = terms.owner
      if run.count == 1 {
        term.append(scalar: run[0])
        add(term, isBeginning: true)
      }
      for pair in zip(run, run.dropFirst()) {
        term.removeSubrange(SearchTerms.ownerBytes...)
        term.append(scalar: pair.0)
        term.append(scalar: pair.1)
        add(term)
      }
    }
    return parts.joined(separator: " AND ")
  }

  /// Where a text first holds one of the words, in bytes, if it holds all of them.
  func place(in text: String) -> Range<Int>? {
    var text = text
    return text.withUTF8 { bytes in
      var missing = self
      var first: Range<Int>?
      var scanner = SearchScanner(bytes)
      while let piece = scanner.piece() {
        guard let found = missing.strike(piece, scanner) else { continue }
        if first == nil { first = found }
        if missing.isEmpty { return first }
      }
      return nil
    }
  }

  /// Whether nothing is wanted.
  var isEmpty: Bool { exact.isEmpty && beginnings.isEmpty && runs.isEmpty }

  /// Takes out what a piece of a text holds; returns where that stands, nil if it holds nothing that is wanted.
  private mutating func strike(_ piece: SearchScanner.Piece, _ scanner: borrowing SearchScanner) -> Range<Int>? {
    var found: Range<Int>?
    switch piece {
    case .word:
      let wanted = exact.count + beginnings.count
      exact.removeAll { $0 == scanner.word }
      beginnings.removeAll { scanner.word.starts(with: $0) }
      if exact.count + beginnings.count < wanted { found = scanner.range }
    case .run:
      runs.removeAll { run in
        guard let start = Self.start(of: run, in: scanner.run) else { return false }
        if found == nil { found = start..<scanner.range.upperBound }
        return true
      }
    }
    return found
  }

  /// Where a run holds another, in bytes of the text: after Knuth, Morris and Pratt, because both are strangers' and the plain
  /// way takes the product of their lengths.
  private static func start(of part: [UInt32], in run: [SearchScanner.RunScalar]) -> Int? {
    guard part.count <= run.count else { return nil }
    // How much of the part's beginning the part up to a place ends with.
    var borders = [0]
    borders.reserveCapacity(part.count)
    for scalar in part.dropFirst() {
      borders.append(longer(borders[borders.count - 1], by: scalar, part, borders))
    }
    var length = 0
    for (index, scalar) in run.enumerated() {
      length = longer(length, by: scalar.value, part, borders)
      if length == part.count { return run[index + 1 - length].start }
    }
    return nil
  }

  /// How much of a part's beginning a text ends with that ended with `length` of it before one more scalar.
  private static func longer(_ length: Int, by scalar: UInt32, _ part: [UInt32], _ borders: [Int]) -> Int {
    var length = length
    while length > 0, part[length] != scalar { length = borders[length - 1] }
    return part[length] == scalar ? length + 1 : 0
  }
}

/// The part of a text around a place, on one line.
///
/// - Parameter place: In bytes, on the bounds of characters.
func snippet(of text: String, around place: Range<Int>) -> String {
  let bytes = text.utf8
  let scalars = text.unicodeScalars
  let found = bytes.index(bytes.startIndex, offsetBy: place.lowerBound)
  var start = found
  // Some words before it, and no half word at the beginning.
  var before = 0
  while start > scalars.startIndex, before < Limits.snippetScalars / 4 {
    start = scalars.index(before: start)
    before += 1
  }
  if start > scalars.startIndex {
    let space = scalars[start..<found].firstIndex { $0.properties.isWhitespace }
    start = space ?? start
  }
  var line = String.UnicodeScalarView()
  var count = 0
  var end = start
  while end < scalars.endIndex, count < Limits.snippetScalars {
    let scalar = scalars[end]
    end = scalars.index(after: end)
    if scalar.properties.isWhitespace || scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
      if let last = line.last, last != " " {
        line.append(" ")
        count += 1
      }
    } else {
      line.append(scalar)
      count += 1
    }
  }
  if line.last == " " { line.removeLast() }
  let isCut = scalars[end...].contains { !$0.properties.isWhitespace }
  let isCutBefore = scalars[..<start].contains { !$0.properties.isWhitespace }
  return (isCutBefore ? "…" : "") + String(line) + (isCut ? "…" : "")
}
