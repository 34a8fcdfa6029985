import ConversationModel
import Glibc
import Testing

@testable import Interchange

/// Many small faults cost no more than the bytes that they stand in.
@Suite struct RepeatedReadingTests {
  /// Bytes that this thread has read so far.
  private func bytesRead() throws -> Int {
    let file = try #require(fopen("/proc/thread-self/io", "r"))
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = fread(&bytes, 1, bytes.count, file)
    let line = String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n").first
    return try #require(line.flatMap { Int($0.dropFirst("rchar: ".count)) })
  }

  @Test(arguments: [
    (#"{"pam_messages":["#, #"{"id":1,"id":2},"#), ("", "INSERT INTO pam_messages VALUES (x y\n"),
    ("INSERT INTO pam_messages VALUES ", "(now()),"),
  ]) func `a faulty row costs hardly more than its own bytes`(_ head: String, _ part: String) throws {
    let bytes = Array((head + String(repeating: part, count: 10_000)).utf8)
    let file = try importFile(bytes)
    let before = try bytesRead()
    var reader = try archiveReader(of: file, format: .former, owner: nil)
    while try reader.next() != nil {}
    #expect(try bytesRead() - before < 8 * bytes.count + 1_000_000)
  }

  @Test func `going back within what was read reads nothing`() throws {
    var cursor = ByteCursor(try importFile(Array(0..<100)))
    for _ in 0..<50 { _ = try cursor.next() }
    let before = try bytesRead()
    let empty = try bytesRead() - before
    for place in [10, 99, 0, 50] {
      cursor.seek(to: place)
      #expect(try cursor.peek() == UInt8(place))
    }
    #expect(try bytesRead() - before <= 3 * empty)
    cursor.seek(to: 100)
    #expect(try cursor.peek() == nil)
  }

  @Test(.timeLimit(.minutes(1))) func `short statements for a table of many columns are soon read`() throws {
    let columns = (0..<1_599).map { "c\($0) a" }.joined(separator: ",")
    var text = ""
    for number in 0..<100 {
      text += "CREATE TABLE pam_messages (\(columns),x\(number) a);\nINSERT INTO pam_messages VALUES (1);\n"
    }
    text += String(repeating: "INSERT INTO pam_messages VALUES (1);\n", count: 40_000)
    #expect(try ImportedPieces(of: text).conversations == [])
  }
}
