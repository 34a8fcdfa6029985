import Glibc

/// A file that is there whole or not at all: written beside its place, and moved there at the end. Standard output, a pipe or a
/// device is written as it is.
final class OutputFile {
  /// Nil for what is written as it is.
  private let path: String?
  private let replaces: Bool
  private let temporary: String
  private var descriptor: Int32
  private(set) var bytes = 0

  /// - Parameters:
  ///   - named: Nil for standard output.
  ///   - replaces: Whether it takes the place of a file that is there.
  /// - Throws: `CommandFailure` if it cannot be made.
  init(_ named: String?, replaces: Bool = true) throws {
    self.replaces = replaces
    guard let named else {
      (self.path, temporary, descriptor) = (nil, "", STDOUT_FILENO)
      return
    }
    if let open = Self.inherited(named) {
      // As it was opened: a shell's `>>` goes on behind what is there.
      (path, temporary, descriptor) = (nil, "", dup(open))
      guard descriptor >= 0 else { throw Self.cannotMake(named) }
      return
    }
    var facts = stat()
    if replaces, stat(named, &facts) == 0, facts.st_mode & S_IFMT != S_IFREG {
      (path, temporary) = (nil, "")
      descriptor = open(named, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw Self.cannotMake(named) }
      return
    }
    let path = Self.followed(named)
    self.path = path
    // A name that nothing else has, also after a crash, and short: the file's own may be as long as names can be.
    temporary = Self.directory(of: path) + "/.parley-\(String(UInt64.random(in: .min ... .max), radix: 16)).part"
    // Said before anything is read; `close` makes sure.
    guard replaces || access(path, F_OK) != 0 else { throw Self.taken(path) }
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Self.cannotMake(path) }
  }

  /// What names like `/dev/stdout` and `/dev/fd/3` stand for; nil for others.
  private static func inherited(_ path: String) -> Int32? {
    switch path {
    case "/dev/stdout": return STDOUT_FILENO
    case "/dev/stderr": return STDERR_FILENO
    default:
      for folder in ["/dev/fd/", "/proc/self/fd/"] where path.hasPrefix(folder) {
        return Int32(path.dropFirst(folder.count))
      }
      return nil
    }
  }

  /// The file that a link stands for: it is replaced, not the link.
  private static func followed(_ path: String) -> String {
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  func write(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure() }
      rest = rest.dropFirst(count)
      self.bytes += count
    }
  }

  /// Puts it into its place, and syncs both.
  func close() throws {
    guard let path else {
      guard descriptor == STDOUT_FILENO || Glibc.close(descriptor) == 0 else { throw failure() }
      return
    }
    guard fsync(descriptor) == 0 else { throw failure() }
    let isClosed = Glibc.close(descriptor) == 0
    descriptor = -1
    guard isClosed else { throw failure() }
    try move(to: path)
    let directory = open(Self.directory(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw failure() }
    defer { Glibc.close(directory) }
    // Some file systems sync no directories, and say so.
    guard fsync(directory) == 0 || errno == EINVAL else { throw failure() }
  }

  private func move(to path: String) throws {
    guard !replaces else {
      guard rename(temporary, path) == 0 else { throw failure() }
      return
    }
    if link(temporary, path) == 0 {
      unlink(temporary)
      return
    }
    guard errno != EEXIST else { throw Self.taken(path) }
    // Sticks and some network disks have no links. There another's file could come in between, and only there.
    guard access(path, F_OK) != 0 else { throw Self.taken(path) }
    guard rename(temporary, path) == 0 else { throw failure() }
  }

  /// Leaves nothing of a file that did not become whole.
  func remove() {
    guard path != nil else { return }
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
    unlink(temporary)
  }

  private static func directory(of path: String) -> String {
    guard let end = path.lastIndex(of: "/") else { return "." }
    return end == path.startIndex ? "/" : String(path[..<end])
  }

  private static func cannotMake(_ path: String) -> CommandFailure {
    CommandFailure(.cannotCreate, "Cannot make \(path): \(String(cString: strerror(errno))).")
  }

  private static func taken(_ path: String) -> CommandFailure {
    CommandFailure(.cannotCreate, "Another name, please: there is a file \(path) already.")
  }

  private func failure() -> CommandFailure {
    CommandFailure(.inputOutput, "Cannot write \(path ?? "the output"): \(String(cString: strerror(errno))).")
  }
}
