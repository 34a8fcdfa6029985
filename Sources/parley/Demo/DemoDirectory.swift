import Glibc

/// A data directory that nobody needs afterwards. Only `kill -9` leaves it behind.
struct DemoDirectory {
  let path: String

  /// Makes it, with mode 0700, where the system keeps such things: under `TMPDIR`, or `/tmp`.
  ///
  /// - Throws: `.cannotCreate`.
  init() throws {
    let parent = getenv("TMPDIR").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    var template = Array("\(parent)/parley-demo-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else {
      throw CommandFailure(
        .cannotCreate, "Cannot make a directory in \(parent): \(String(cString: strerror(errno))). Set TMPDIR.")
    }
    path = String(cString: made)
  }

  /// Removes it with the files in it.
  func remove() {
    var names: [String] = []
    if let directory = opendir(path) {
      while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
          String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        names.append(name)
      }
      closedir(directory)
    }
    for name in names where name != "." && name != ".." { unlink("\(path)/\(name)") }
    if rmdir(path) != 0 {
      printToStandardError("parley: Cannot remove \(path): \(String(cString: strerror(errno))).")
    }
  }
}
