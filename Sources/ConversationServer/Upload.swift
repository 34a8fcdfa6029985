import ConversationModel
import Glibc
import HTTPTypes
import HummingbirdCore
import Interchange
import NIOCore

/// A request's body on its way into a file without a name: it is gone when the request is, also after a crash.
final class Upload {
  private var descriptor: Int32

  /// - Throws: `.unavailable` if the directory takes no file.
  init(in directory: String) throws(ConversationError) {
    var path = Array("\(directory)/.import-XXXXXX".utf8CString)
    descriptor = mkstemp(&path)
    // Nothing was written yet: what a crash between these lines leaves is empty.
    guard descriptor >= 0, unlink(path) == 0, fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else { throw Self.failure }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// - Throws: `.tooLarge` beyond `Limits.importBytes`, `.invalid` if the body ends early, `.unavailable` if the disk is full.
  func fill(from request: Request) async throws {
    var size = 0
    if let length = request.headers[.contentLength], Int(length) ?? .max > Limits.importBytes { throw Self.tooLarge }
    do {
      for try await piece in request.body {
        size += piece.readableBytes
        guard size <= Limits.importBytes else { throw Self.tooLarge }
        try write(piece)
      }
    } catch let error as ConversationError {
      throw error
    } catch is CancellationError {
      throw ConversationError(.unavailable, "The server is stopping.")
    } catch {
      // The client broke off, or framed its body wrongly; either way nothing of ours failed.
      throw ConversationError(.invalid, "The request body ended early or is framed wrongly.")
    }
  }

  private func write(_ piece: ByteBuffer) throws(ConversationError) {
    let isWritten = piece.withUnsafeReadableBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        rest = rest.dropFirst(count)
      }
      return true
    }
    guard isWritten else { throw Self.failure }
  }

  /// What was written, to be read; hands the descriptor over.
  func file() throws(ConversationError) -> ImportFile {
    defer { descriptor = -1 }
    return try ImportFile(descriptor: descriptor)
  }

  private static let failure = ConversationError(
    .unavailable, "The file to import cannot be kept while it is read; the disk may be full.")
  private static let tooLarge = ConversationError(
    .tooLarge, "A file to import holds at most \(Limits.importBytes) bytes.")
}
