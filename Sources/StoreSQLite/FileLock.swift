import Glibc

/// The right to be the one process that works on a file or a directory, held until the object goes.
///
/// SQLite up to 3.51.2 can damage a write-ahead log when two connections write or checkpoint at
/// once (sqlite.org/wal.html, "The WAL-Reset Bug"). Parley has one such connection, and this lock sees to it that
/// there is one Parley.
public final class FileLock: Sendable {
  private let descriptor: Int32

  public enum Failure: Error, Sendable {
    /// Another process holds it; its process id where the lock file told.
    case taken(processID: Int?)
    case cannotCreate(errno: Int32)
  }

  /// Locks a directory by a file in it that names the owner's process.
  public convenience init(directory: String) throws(Failure) {
    try self.init(path: directory + "/parley.lock", namesOwner: true)
  }

  /// Locks a file, made when missing, whichever path or link leads to it. The kernel gives the lock
  /// back when the process ends, however it ends.
  ///
  /// SQLite's own locks are of another kind and do not meet this one. They would go if the file were
  /// closed here while SQLite has it open, so this goes last.
  convenience init(file path: String) throws(Failure) {
    try self.init(path: path, namesOwner: false)
  }

  private init(path: String, namesOwner: Bool) throws(Failure) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .cannotCreate(errno: errno) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      var text = [UInt8](repeating: 0, count: 32)
      let length = namesOwner ? pread(descriptor, &text, text.count, 0) : 0
      close(descriptor)
      let digits = text.prefix(max(0, length)).prefix { $0 != UInt8(ascii: "\n") }
      throw .taken(processID: Int(String(decoding: digits, as: UTF8.self)))
    }
    if namesOwner {
      let text = Array("\(getpid())\n".utf8)
      ftruncate(descriptor, 0)
      pwrite(descriptor, text, text.count, 0)
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }
}
