import Glibc
import ServiceLifecycle

/// Gives memory back to the system that a burst of connections or of long pages left behind.
///
/// Left alone, the C library learns from the first large buffers to keep them, and keeps what lies free
/// between the small ones: a minute of slow clients would stay in the server's size for ever. Once it is told one bound
/// it learns none, and its first idea of what may lie free at the end of the heap is so small that a busy server gives the
/// same pages back and takes them again thousands of times a second: a quarter of what a save costs.
struct MemoryService: Service {
  // Swift's Glibc module leaves <malloc.h> out.
  private typealias Mallopt = @convention(c) (_ parameter: CInt, _ value: CInt) -> CInt
  private typealias MallocTrim = @convention(c) (_ keptBytes: Int) -> CInt
  private static let trimThreshold: CInt = -1
  private static let mmapThreshold: CInt = -3

  /// Buffers of this size get pages of their own, which go when they are freed.
  private static let ownPagesBytes: CInt = 131_072
  /// So much may lie free at the end of a heap, until the next time that free pages are given back.
  private static let keptBytes: CInt = 4_194_304
  /// Seconds between two times that free pages are given back; it costs some milliseconds.
  private static let seconds = 30

  /// Before the first large buffer is freed, because that is when the C library learns.
  init() {
    let mallopt: Mallopt? = Self.function("mallopt")
    _ = mallopt?(Self.mmapThreshold, Self.ownPagesBytes)
    _ = mallopt?(Self.trimThreshold, Self.keptBytes)
  }

  func run() async {
    let trim: MallocTrim? = Self.function("malloc_trim")
    await cancelWhenGracefulShutdown {
      while (try? await Task.sleep(for: .seconds(Self.seconds))) != nil { _ = trim?(0) }
    }
  }

  private static func function<Function>(_ name: String) -> Function? {
    dlsym(nil, name).map { unsafeBitCast($0, to: Function.self) }
  }
}
