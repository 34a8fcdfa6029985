import HummingbirdCore
import Logging
import NIOCore

/// An HTTP/1 connection whose tasks run on the event loop that reads its socket.
///
/// Left alone, a request's task runs on the shared pool, and every part of the request and of the
/// answer changes threads there and back. Bound to its loop it changes threads for the store only. So
/// nothing in a request may block; the store has threads of its own for that.
struct LoopBoundChannel: ServerChildChannel {
  private let http: HTTP1Channel

  init(_ http: HTTP1Channel) {
    self.http = http
  }

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
    http.setup(channel: channel, logger: logger)
  }

  func handle(value: HTTP1Channel.Value, logger: Logger) async {
    await withTaskExecutorPreference(EventLoopExecutor(value.channel.eventLoop)) {
      await http.handle(value: value, logger: logger)
    }
  }
}

/// Runs the jobs of tasks on an event loop.
private final class EventLoopExecutor: TaskExecutor {
  private let loop: any EventLoop

  init(_ loop: any EventLoop) {
    self.loop = loop
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
