import ConversationModel
import StrictJSON

/// Finds the rows of the former tables in a plain dump that `pg_dump` made: in its COPY blocks, or, with `--inserts`,
/// `--column-inserts` or `--rows-per-insert`, in its INSERT statements. All other statements are passed over. A broken one is
/// reported, and the search goes on at the next line that begins such a statement. What `pg_dump` made ends with a comment that
/// says so; without it the dump is cut off.
struct SQLDump: FormerRows {
  private enum State {
    case statement
    /// In an INSERT, in front of a row.
    case values(FormerTable, shape: Int, isFirst: Bool)
    /// In a COPY block; nil for one that is passed over.
    case lines(FormerTable?, shape: Int)
    case end
  }

  private(set) var hasTables = false
  private let file: ImportFile
  private var lexer: SQLLexer
  private var state = State.statement
  private var columns = SQLColumns()
  private var counts: [FormerTable: Int] = [:]
  /// Where the statement or the row begins that is being read.
  private var begin = SQLLexer.Place()
  /// Whether that statement may give messages.
  private var mayHoldMessages = true
  private var isEndSeen = false

  init(_ file: ImportFile) {
    self.file = file
    lexer = SQLLexer(ByteCursor(file))
  }

  mutating func next() throws(ConversationError) -> FormerFinding? {
    while true {
      do throws(ConversationError) {
        switch state {
        case .statement: if let piece = try readStatement() { return piece }
        case .values(let table, let shape, let isFirst):
          if let row = try readValues(table, shape, isFirst) { return row }
        case .lines(let table, let shape):
          if let row = try readLine(table, shape) { return row }
        case .end: return cut()
        }
      } catch {
        guard error.code == .invalid else { throw error }
        let place = "byte \(begin.offset)"
        let hasMore = try recover()
        let why = error.message + (hasMore ? "" : " The rest of the file is left out.")
        let piece = SkippedPiece(place: place, why: why)
        return mayHoldMessages || !hasMore ? .missing(piece) : .skipped(piece)
      }
    }
  }

  /// What is to be said of the end of the file, once.
  private mutating func cut() -> FormerFinding? {
    guard !isEndSeen, lexer.openDumps != SQLLexer.OpenDumps() else { return nil }
    isEndSeen = true
    let why = "The dump is cut off: the comment that it is complete, with which pg_dump ends, is missing."
    return .missing(SkippedPiece(place: "byte \(file.size)", why: why))
  }

  /// Goes to the next line, behind the one that the broken statement or row begins in, that begins a statement with rows. The
  /// fault may have been noticed at the end of the file only. What is read again for it counts with what the lexer itself
  /// goes back over, and the file is given up when that is four times its size.
  ///
  /// - Returns: Whether there is more to read.
  private mutating func recover() throws(ConversationError) -> Bool {
    lexer.goBack(to: begin)
    state = .statement
    while !lexer.isGivenUp {
      try lexer.skipLine()
      let place = lexer.place
      var head: [UInt8] = []
      while head.count < 12, let byte = try lexer.cursor.peek(), byte != 0x0A {
        head.append(byte)
        lexer.cursor.advance()
      }
      if head.isEmpty, try lexer.cursor.peek() == nil { return false }
      if ["COPY ", "INSERT INTO ", "-- Postgre"].contains(where: { head.starts(with: $0.utf8) }) {
        lexer.goBack(to: place)
        return true
      }
    }
    (state, isEndSeen) = (.end, true)
    return false
  }
}

// MARK: Statements

extension SQLDump {
  private mutating func readStatement() throws(ConversationError) -> FormerFinding? {
    begin = lexer.place
    mayHoldMessages = true
    let token = try lexer.next()
    begin = lexer.startOfToken
    switch token {
    case .end: state = .end
    case .mark(";"): break
    // A command of psql's own, such as \restrict.
    case .mark("\\"): try lexer.skipLine()
    case .word("insert"): try readInsert()
    case .word("copy"): try readCopy()
    case .word(let word):
      mayHoldMessages = false
      if word == "set" { return try readSetting() }
      if word == "create" { try readCreate() } else { try passOver() }
    default: throw lexer.fault("a statement is expected")
    }
    return nil
  }

  /// Goes past the end of a statement. A function's body may be a block of statements.
  private mutating func passOver(canHoldBlock: Bool = false) throws(ConversationError) {
    var depth = 0
    var last = SQLLexer.Token.end
    while true {
      let token = try lexer.next()
      switch token {
      case .mark(";") where depth == 0: return
      case .word("atomic") where canHoldBlock && last == .word("begin"): depth += 1
      case .word("case") where depth > 0: depth += 1
      case .word("end") where depth > 0: depth -= 1
      case .end: throw lexer.fault("a statement has no end")
      default: break
      }
      last = token
    }
  }

  /// The last part of a name with dots; nil for the name of another table.
  private mutating func readTable() throws(ConversationError) -> FormerTable? {
    var table: FormerTable?
    repeat { table = FormerTable(rawValue: try lexer.readName()) } while try lexer.take(".")
    hasTables = hasTables || table != nil
    return table
  }

  private mutating func expect(_ word: String) throws(ConversationError) {
    guard try lexer.next() == .word(word) else { throw lexer.fault("\(word.uppercased()) is expected") }
  }

  private mutating func readInsert() throws(ConversationError) {
    try expect("into")
    let found = try readTable()
    mayHoldMessages = found == .messages
    guard let table = found else { return try passOver() }
    let listed = try lexer.readColumns()
    switch try lexer.next() {
    case .word("values"): break
    case .word("overriding"):
      for _ in 0..<2 { _ = try lexer.readName() }
      try expect("values")
    default: throw lexer.fault("VALUES is expected")
    }
    state = .values(table, shape: try shape(table, listed, isCopy: false), isFirst: true)
  }

  private mutating func shape(
    _ table: FormerTable, _ listed: [String]?, isCopy: Bool
  ) throws(ConversationError) -> Int {
    guard let shape = columns.shape(of: table, listed, isCopy: isCopy, hasEscapes: lexer.hasEscapes) else {
      throw lexer.fault("there are more than \(SQLColumns.shapes) lists of columns")
    }
    return shape
  }

  private mutating func readCopy() throws(ConversationError) {
    let found = try readTable()
    mayHoldMessages = found == .messages
    guard let table = found else { return try readOtherCopy() }
    let listed = try lexer.readColumns()
    try expect("from")
    try expect("stdin")
    guard try lexer.take(";") else { throw lexer.fault("a COPY block is taken in its default format only") }
    try lexer.skipLine()
    state = .lines(table, shape: try shape(table, listed, isCopy: true))
  }

  /// A block of another table, which need not be looked at, or a statement without one.
  private mutating func readOtherCopy() throws(ConversationError) {
    var hasBlock = false
    while true {
      switch try lexer.next() {
      case .word("stdin"): hasBlock = true
      case .mark(";"):
        guard hasBlock else { return }
        try lexer.skipLine()
        state = .lines(nil, shape: 0)
        return
      case .end: throw lexer.fault("a statement has no end")
      default: break
      }
    }
  }

  /// Remembers the columns of a table.
  private mutating func readCreate() throws(ConversationError) {
    var word = try lexer.next()
    while [.word("or"), .word("replace"), .word("unlogged")].contains(word) { word = try lexer.next() }
    switch word {
    case .mark(";"): return
    case .word("function"), .word("procedure"): return try passOver(canHoldBlock: true)
    case .word("table"): break
    default: return try passOver()
    }
    let place = lexer.place
    if try lexer.next() == .word("if") {
      try expect("not")
      try expect("exists")
    } else {
      lexer.goBack(to: place)
    }
    guard let table = try readTable(), try lexer.take("(") else { return try passOver() }
    columns.define(table, try lexer.readDefinition())
    try passOver()
  }

  /// Looks for the two settings that change how strings are read.
  private mutating func readSetting() throws(ConversationError) -> FormerFinding? {
    let name = try lexer.next()
    if name == .mark(";") { return nil }
    var isForeign = false
    if name == .word("standard_conforming_strings") || name == .word("client_encoding"), try lexer.take("=") {
      lexer.textBytes = 64
      defer { lexer.textBytes = 0 }
      let value = try lexer.next()
      if name == .word("standard_conforming_strings") {
        lexer.hasEscapes = value == .word("off")
      } else {
        let encoding = String(decoding: lexer.text, as: UTF8.self)
        isForeign = value == .string && !["UTF8", "SQL_ASCII"].contains(encoding)
      }
    }
    try passOver()
    let why = "The dump is not in UTF-8, make it with --encoding=UTF8."
    return isForeign ? .skipped(SkippedPiece(place: "byte \(begin.offset)", why: why)) : nil
  }
}

// MARK: Rows

extension SQLDump {
  /// - Returns: Nil at the end of the statement.
  private mutating func readValues(
    _ table: FormerTable, _ shape: Int, _ isFirst: Bool
  ) throws(ConversationError) -> FormerFinding? {
    begin = lexer.place
    if !isFirst, try !lexer.take(",") {
      if try !lexer.take(";") {
        switch try lexer.next() {
        case .word("on"): try passOver()
        case .end: throw lexer.fault("a statement has no end")
        default: throw lexer.fault("a comma or a semicolon is expected")
        }
      }
      state = .statement
      return nil
    }
    guard try lexer.take("(") else { throw lexer.fault("a row in brackets is expected") }
    begin = lexer.startOfToken
    _ = try lexer.values(keeping: 0)
    _ = try lexer.take(")")
    state = .values(table, shape: shape, isFirst: false)
    return found(table, begin.offset..<lexer.cursor.offset, shape)
  }

  /// - Returns: Nil for a line that is no row.
  private mutating func readLine(_ table: FormerTable?, _ shape: Int) throws(ConversationError) -> FormerFinding? {
    let start = lexer.cursor.offset
    var head: (UInt8, UInt8) = (0, 0)
    var last: UInt8 = 0
    while let byte = try lexer.cursor.next() {
      guard byte == 0x0A else {
        last = byte
        if lexer.cursor.offset - start == 1 { head.0 = byte }
        if lexer.cursor.offset - start == 2 { head.1 = byte }
        continue
      }
      // A carriage return that belongs to a value is written \r.
      let end = lexer.cursor.offset - (last == 0x0D ? 2 : 1)
      guard head != (UInt8(ascii: "\\"), UInt8(ascii: ".")) || end - start != 2 else {
        state = .statement
        return nil
      }
      return table.map { found($0, start..<end, shape) }
    }
    state = .statement
    // The file may end with the mark of the end.
    guard head != (UInt8(ascii: "\\"), UInt8(ascii: ".")) else { return nil }
    return .missing(SkippedPiece(place: "byte \(start)", why: "A COPY block is cut off."))
  }

  private mutating func found(_ table: FormerTable, _ span: Range<Int>, _ shape: Int) -> FormerFinding {
    counts[table, default: 0] += 1
    return .row(table, number: counts[table, default: 0], FormerPlace(span, shape: shape))
  }

  func row(at place: FormerPlace) throws(ConversationError) -> FormerRow {
    let shape = columns[Int(place.shape)]
    let textBytes = place.tooLong == nil ? Int.max : FormerPlace.nameBytes
    var cursor = ByteCursor(file, at: place.span.lowerBound, end: place.span.upperBound)
    var found = SQLLexer.Values()
    if shape.isCopy {
      repeat {
        found.add(try cursor.copiedValue(textBytes), keeping: shape.columns.count)
      } while try cursor.next() != nil
    } else {
      var lexer = SQLLexer(cursor)
      (lexer.textBytes, lexer.hasEscapes) = (textBytes, shape.hasEscapes)
      _ = try lexer.take("(")
      found = try lexer.values(keeping: shape.columns.count)
    }
    var fault = place.tooLong ?? found.fault
    if found.count != shape.columns.count {
      let why = "The row at byte \(place.offset) has \(found.count) values for \(shape.columns.count) columns."
      // One may be missing anywhere, so that none tells whose the row is.
      return FormerRow(values: JSONObject(), fault: fault ?? ConversationError(.invalid, why))
    }
    var members: [JSONObject.Member] = []
    for (column, value) in zip(shape.columns, found.values) {
      guard let value else { continue }
      do throws(ConversationError) { members.append(.init(key: column, value: try value.json(of: column))) } catch {
        fault = fault ?? error
      }
    }
    guard let object = JSONObject(members: members) else { throw lexer.fault("a column comes twice") }
    return FormerRow(values: object, fault: fault)
  }
}
