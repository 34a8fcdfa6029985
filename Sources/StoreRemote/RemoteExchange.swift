public import ConversationModel
import Glibc
import NIOCore
import NIOHTTP1
import Wire

// Whole conversations out of a server and into it, as files: by way of the native door's routes for them.

extension RemoteStore {
  /// What is taken out.
  public enum Exported: Sendable {
    /// - Parameters:
    ///   - format: `json`, `markdown` or `pdf`; nil for the server's default.
    ///   - branch: A number, or `all`; nil for the format's default.
    case conversation(ConversationID, format: String?, branch: String?)
    /// A record a line. Nil for all users', with a token of the service role.
    case user(UserID?)
  }

  /// Hands out a file, piece by piece as it comes.
  ///
  /// - Throws: What the server answers, `.unavailable` if it breaks off, and what `sink` throws.
  public func export(
    _ exported: Exported, as principal: Principal, to sink: ([UInt8]) async throws -> Void
  ) async throws {
    let request: NativeRequest =
      switch exported {
      case .conversation(let id, let format, let branch):
        .get(NativeRequest.path(id) + "/export", [("format", format), ("branch", branch)])
      case .user(let user): .get("/v1/export", [("format", "jsonl"), ("user_id", user?.description)])
      }
    try await server.download(request, as: principal) { piece in try await sink(Array(piece.readableBytesView)) }
  }

  /// Sends a file; the server takes it in a conversation at a time.
  ///
  /// - Parameters:
  ///   - descriptor: Of a regular file, read from its beginning. Stays open.
  ///   - format: `parley`, `chatgpt` or `former`; nil lets the server find it out.
  ///   - user: Whose everything becomes; the service role may name none for files that say it themselves.
  /// - Throws: `.tooLarge` beyond `Limits.importBytes`; what the server answers; `.unavailable` if the connection breaks, and then
  ///   some of it may have been taken: sending it again takes the rest.
  public func importFile(
    _ descriptor: Int32, format: String?, of user: UserID?, as principal: Principal
  ) async throws(ConversationError) -> ImportReport {
    var facts = stat()
    guard fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
      throw ConversationError(.invalid, "Only a regular file can be imported.")
    }
    let size = Int(facts.st_size)
    guard size <= Limits.importBytes else {
      throw ConversationError(.tooLarge, "A file to import holds at most \(Limits.importBytes) bytes.")
    }
    var request = NativeRequest.get("/v1/import", [("format", format), ("user_id", user?.description)])
    request.method = .POST
    return try await server.upload(
      FilePieces(descriptor: descriptor, size: size), bytes: size, to: request, as: principal
    ).importReport()
  }
}

/// The bytes of a file, 64 KiB at a time.
private struct FilePieces: AsyncSequence, Sendable {
  let descriptor: Int32
  let size: Int

  func makeAsyncIterator() -> Iterator { Iterator(descriptor: descriptor, size: size) }

  struct Iterator: AsyncIteratorProtocol {
    let descriptor: Int32
    let size: Int
    var offset = 0

    mutating func next() async throws -> ByteBuffer? {
      let wanted = Swift.min(65_536, size - offset)
      guard wanted > 0 else { return nil }
      var count = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
        count = pread(descriptor, buffer.baseAddress, wanted, off_t(offset))
        filled = Swift.max(0, count)
      }
      guard count > 0 else { throw ConversationError(.unavailable, "The file became shorter while it was read.") }
      offset += count
      return ByteBuffer(bytes: bytes)
    }
  }
}
