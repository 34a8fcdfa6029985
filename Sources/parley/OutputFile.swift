import Glibc

/// A file that is there whole or not at all: written beside its place, and moved there at the end. Or standard output.
final class OutputFile {
  private let path: String?
  private let replaces: Bool
  private let temporary: String
  private var descriptor: Int32
  private(set) var bytes = 0

  /// - Parameters:
  ///   - path: Nil for standard output.
  ///   - replaces: Whether it takes the place of a file that is there.
  /// - Throws: `CommandFailure` if it cannot be made.
  init(_ path: String?, replaces: Bool = true) throws {
    (self.path, self.replaces) = (path, replaces)
    guard let path else {
      (temporary, descriptor) = ("", STDOUT_FILENO)
      return
    }
    temporary = "\(path).\(getpid()).part"
    // Said before anything is read; `close` makes sure.
    guard replaces || access(path, F_OK) != 0 else { throw Self.taken(path) }
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw CommandFailure(.cannotCreate, "Cannot make \(temporary): \(String(cString: strerror(errno))).")
    }
  }

  func write(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure("write") }
      rest = rest.dropFirst(count)
      self.bytes += count
    }
  }

  func close() throws {
    guard let path else { return }
    guard fsync(descriptor) == 0 else { throw failure("write") }
    if replaces {
      guard rename(temporary, path) == 0 else { throw failure("write") }
    } else {
      guard link(temporary, path) == 0 else { throw errno == EEXIST ? Self.taken(path) : failure("write") }
      unlink(temporary)
    }
    Glibc.close(descriptor)
    descriptor = -1
  }

  /// Leaves nothing of a file that did not become whole.
  func remove() {
    guard path != nil, descriptor >= 0 else { return }
    Glibc.close(descriptor)
    unlink(temporary)
    descriptor = -1
  }

  private static func taken(_ path: String) -> CommandFailure {
    CommandFailure(.cannotCreate, "Another name, please: there is a file \(path) already.")
  }

  private func failure(_ what: String) -> CommandFailure {
    CommandFailure(
      .inputOutput, "Cannot \(what) \(path ?? "standard output"): \(String(cString: strerror(errno))).")
  }
}
