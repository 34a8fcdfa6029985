import ConversationModel
import ConversationServer
import Glibc
import StoreSQL
import StoreSQLite

/// The directory that holds a server's own files: the lock, the secret, the keys and, unless the
/// store lies elsewhere, the database.
struct DataDirectory {
  let path: String

  /// Makes it with mode 0700 when it is missing.
  init(_ path: String) throws {
    self.path = path
    var made = ""
    for part in path.split(separator: "/", omittingEmptySubsequences: false) {
      made += made.isEmpty && part.isEmpty ? "/" : (made.isEmpty || made == "/" ? "" : "/") + part
      guard mkdir(made, 0o700) == 0 || errno == EEXIST || errno == EISDIR else {
        throw CommandFailure(.cannotCreate, "Cannot make the directory \(made): \(Self.systemError()).")
      }
    }
    guard access(path, R_OK | W_OK | X_OK) == 0 else {
      throw CommandFailure(.cannotCreate, "Cannot use the data directory \(path): \(Self.systemError()).")
    }
  }

  /// The right to be its server.
  func lock() throws -> FileLock {
    do {
      return try FileLock(directory: path)
    } catch {
      throw Self.failure(error, path)
    }
  }

  /// Tells a person who has the directory.
  static func failure(_ failure: FileLock.Failure, _ path: String) -> CommandFailure {
    switch failure {
    case .taken(let processID):
      let who = processID.map { "process \($0)" } ?? "another process"
      return CommandFailure(
        .tryAgain, "Another Parley (\(who)) is running on \(path); stop it, or choose another place.")
    case .cannotCreate(let number):
      return CommandFailure(.cannotCreate, "Cannot lock \(path): \(String(cString: strerror(number))).")
    }
  }

  /// The secret and the keys, made on the first use.
  func credentials(secretFile: String?) throws -> Credentials {
    let secret = try secret(file: secretFile)
    let anon = try readOrMake("anon.key") { "parley_anon_" + Self.randomHex() }
    let service = try readOrMake("service.key") { "parley_service_" + Self.randomHex() }
    guard
      let credentials = Credentials(
        secret: secret, anonKey: String(decoding: anon, as: UTF8.self),
        serviceKey: String(decoding: service, as: UTF8.self))
    else {
      throw CommandFailure(
        .configuration,
        "The token secret needs \(Credentials.minimumSecretBytes) bytes at least, anon.key and service.key "
          + "\(Credentials.minimumKeyBytes) each, and the two must differ. A key file that is removed is made again.")
    }
    return credentials
  }

  /// Who talks from this machine without saying who they are; made on the first use.
  func chatUser() throws -> UserID {
    let file = "chat.user"
    let bytes = try readOrMake(file) {
      var random = SystemRandomNumberGenerator()
      return UserID(at: StoreEnvironment.system.now(), random: (random.next(), random.next())).description
    }
    guard let user = UserID(String(decoding: bytes, as: UTF8.self)) else {
      throw CommandFailure(.configuration, "The file \(path)/\(file) holds no UUID; remove it, or say --user.")
    }
    return user
  }

  /// The bytes that sign tokens, from a given file or this directory's own.
  private func secret(file: String?) throws -> [UInt8] {
    guard let file else { return try readOrMake("secret") { Self.randomHex() } }
    return try Self.existingSecret(file: file)
  }

  /// A secret that was made before: a command that uses it must not make another by a mistyped path.
  static func existingSecret(file: String) throws -> [UInt8] {
    guard let bytes = try read(file) else {
      throw CommandFailure(.unavailable, "There is no secret at \(file); parley serve makes one.")
    }
    return bytes
  }

  /// A token or an opaque key in a file.
  static func existingKey(file: String) throws -> String {
    guard let bytes = try read(file) else {
      throw CommandFailure(.configuration, "There is no key at \(file); name a file with one with --token-file.")
    }
    // It goes into a header: what is no key must not become one line more there.
    guard !bytes.isEmpty, bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw CommandFailure(.configuration, "The file \(file) holds no token.")
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// 32 bytes from the system, in hexadecimal.
  private static func randomHex() -> String {
    var random = SystemRandomNumberGenerator()
    return (0..<4).map { _ in
      let digits = String(random.next() as UInt64, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }

  private func readOrMake(_ name: String, _ make: () -> String) throws -> [UInt8] {
    let file = path + "/" + name
    if let bytes = try Self.read(file) {
      var status = stat()
      guard stat(file, &status) == 0, status.st_mode & 0o077 == 0 else {
        throw CommandFailure(
          .configuration,
          "The file \(file) is open to others: chmod 600 it. If they may have read it, remove it and start again; "
            + "a new one is made, and what the old one gave ends.")
      }
      return bytes
    }
    // Written aside, synced and linked: whoever comes first wins, and nobody ever sees half a secret.
    let aside = "\(file).\(getpid())"
    let descriptor = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Self.cannotCreate(file) }
    defer { unlink(aside) }
    let isSynced = writeAll(make() + "\n", to: descriptor) && fsync(descriptor) == 0
    close(descriptor)
    guard isSynced, link(aside, file) == 0 || errno == EEXIST else { throw Self.cannotCreate(file) }
    let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw Self.cannotCreate(file) }
    defer { close(directory) }
    guard fsync(directory) == 0, let bytes = try Self.read(file) else { throw Self.cannotCreate(file) }
    return bytes
  }

  /// A small file without its trailing newline; nil when there is none.
  private static func read(_ file: String) throws -> [UInt8]? {
    // Not waiting: a pipe without a writer would hold the start up for ever.
    let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw CommandFailure(.inputOutput, "Cannot read \(file): \(systemError()).")
    }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 4_096)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    guard count >= 0 else { throw CommandFailure(.inputOutput, "Cannot read \(file): \(systemError()).") }
    guard count < bytes.count else {
      throw CommandFailure(.configuration, "The file \(file) is too large for a secret.")
    }
    bytes.removeLast(bytes.count - count)
    while let last = bytes.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") { bytes.removeLast() }
    return bytes
  }

  private static func cannotCreate(_ file: String) -> CommandFailure {
    CommandFailure(.cannotCreate, "Cannot write \(file): \(systemError()).")
  }

  private static func systemError() -> String { String(cString: strerror(errno)) }
}
