public import ConversationModel
import Glibc

/// A file that is read at any place. Owned by the import; its descriptor is closed when the last reference goes.
public final class ImportFile: Sendable {
  private let descriptor: Int32
  /// Bytes, when it was opened.
  public let size: Int

  /// - Parameter descriptor: Of a regular file; closed by this object, also if it throws.
  /// - Throws: `.internal` if the file cannot be looked at, `.tooLarge` beyond `Limits.importBytes`.
  public init(descriptor: Int32) throws(ConversationError) {
    var facts = stat()
    self.descriptor = descriptor
    guard fstat(descriptor, &facts) == 0, let size = Int(exactly: facts.st_size) else {
      self.size = 0
      throw ConversationError(.internal, "The file to import cannot be read.")
    }
    self.size = size
    guard size <= Limits.importBytes else {
      throw ConversationError(.tooLarge, "A file to import holds at most \(Limits.importBytes) bytes.")
    }
  }

  deinit { close(descriptor) }

  /// Reads up to `count` bytes from `offset`; fewer at the end of the file only.
  ///
  /// - Throws: `.internal` if the file cannot be read.
  public func read(at offset: Int, count: Int) throws(ConversationError) -> [UInt8] {
    let wanted = max(0, min(count, size - offset))
    var failed = false
    let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
      while filled < wanted {
        let got = pread(descriptor, buffer.baseAddress! + filled, wanted - filled, off_t(offset + filled))
        if got < 0, errno == EINTR { continue }
        failed = got < 0
        guard got > 0 else { return }
        filled += got
      }
    }
    guard !failed else { throw ConversationError(.internal, "The file to import cannot be read.") }
    return bytes
  }
}

/// Walks over the bytes of a file, or of a part of it, through a buffer of 64 KiB.
struct ByteCursor {
  let file: ImportFile
  private let end: Int
  private var buffer: [UInt8] = []
  private var start = 0
  private var index = 0

  /// - Parameter end: Where the part ends; nil for the end of the file.
  init(_ file: ImportFile, at offset: Int = 0, end: Int? = nil) {
    self.file = file
    self.end = end ?? file.size
    start = offset
  }

  /// Bytes from the start of the file to the next one.
  var offset: Int { start + index }

  /// The next byte, left where it is; nil at the end.
  mutating func peek() throws(ConversationError) -> UInt8? {
    if index == buffer.count {
      start += index
      index = 0
      buffer = try file.read(at: start, count: min(65_536, end - start))
      if buffer.isEmpty { return nil }
    }
    return buffer[index]
  }

  /// Goes past a byte that `peek` gave.
  mutating func advance() { index += 1 }

  mutating func next() throws(ConversationError) -> UInt8? {
    guard let byte = try peek() else { return nil }
    index += 1
    return byte
  }

  mutating func seek(to offset: Int) {
    // What is in the buffer need not be read again.
    if (start...start + buffer.count).contains(offset) { return index = offset - start }
    start = offset
    index = 0
    buffer = []
  }
}
