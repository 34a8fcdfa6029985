import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import StrictJSON
import Synchronization

/// How long a model is waited for, and how often it is asked again.
public struct ModelPatience: Sendable, Equatable {
  /// For a connection, with its encryption.
  public var connect: Duration
  /// Between two bytes of an answer, and for the first. Only waiting counts, not what a slow reader takes.
  public var silence: Duration
  /// For an answer as a whole, all tries and waits together.
  public var total: Duration
  /// Tries after the first one. There are none after the first piece of an answer, nor when time was up.
  public var retries: Int
  /// Before the first retry; twice as long before each further one. A service may ask for longer.
  public var firstWait: Duration
  /// A service that wants to be left alone for longer is not asked again.
  public var longestWait: Duration
  /// Waits are multiplied by a random number of these, so that those who failed together do not come back
  /// together.
  public var jitter: ClosedRange<Double>

  public init(
    connect: Duration = .seconds(10), silence: Duration = .seconds(120), total: Duration = .seconds(600),
    retries: Int = 2, firstWait: Duration = .milliseconds(500), longestWait: Duration = .seconds(20),
    jitter: ClosedRange<Double> = 0.75...1.25
  ) {
    self.connect = connect
    self.silence = silence
    self.total = total
    self.retries = retries
    self.firstWait = firstWait
    self.longestWait = longestWait
    self.jitter = jitter
  }
}

/// Reads the events of one service's answers.
protocol AnswerReader: Sendable {
  init(_ limits: AnswerLimits)

  /// - Parameter event: As it came; one that says nothing new gives no events.
  /// - Throws: `.unreadable`, `.tooLarge`, or what the service says went wrong.
  mutating func take(_ event: ServerSentEvent) throws(ModelError) -> [ModelEvent]

  /// The stream is over.
  ///
  /// - Throws: `.cutOff` if the answer is not complete.
  mutating func end() throws(ModelError) -> [ModelEvent]

  /// What the service means by a word for an error (nil if it gave none) and a status (nil inside a stream).
  static func error(_ object: JSONObject?, status: Int?) -> ModelError
}

/// One question to a service.
struct ServiceRequest: Sendable {
  var url: String
  var headers: HTTPHeaders
  var body: [UInt8]
}

/// The way to the services: a pool of connections, retries, time limits, and the place where everything that
/// goes wrong on the way becomes a ``ModelError``.
///
/// The connections close when the last model that uses them is gone.
final class ModelService: Sendable {
  private let client: HTTPClient
  private let patience: ModelPatience
  private let limits: AnswerLimits
  private let logger: Logger

  init(_ patience: ModelPatience, _ limits: AnswerLimits, _ logger: Logger) {
    self.patience = patience
    self.limits = limits
    self.logger = logger
    var settings = HTTPClient.Configuration(
      redirectConfiguration: .disallow,
      timeout: .init(connect: TimeAmount(patience.connect), read: nil))
    // One request to a connection: to cancel it is to close it.
    settings.httpVersion = .http1Only
    settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = Self.connections
    settings.connectionPool.idleTimeout = .seconds(30)
    settings.connectionPool.retryConnectionEstablishment = false
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
  }

  deinit { client.shutdown { _ in } }

  /// Answers that arrive at the same time; more of them wait.
  private static let connections = 512
  /// Bytes of an answer that says what is wrong, and behind one that is complete.
  private static let errorBytes = 65_536

  func withAnswer<Reader: AnswerReader, Value>(
    _ reader: Reader.Type, to request: ServiceRequest, _ body: (ModelAnswer) async throws -> Value
  ) async throws -> Value {
    try await ModelAnswer.read(
      from: { [self] slot throws(ModelError) in
        let watch = AnswerWatch(silence: patience.silence, total: patience.total)
        do {
          try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await watch.run() }
            group.addTask { [self] in try await ask(reader, request, slot, watch) }
            try await group.next()
          }
        } catch let error as ModelError {
          throw error
        } catch {
          throw ModelError(.cancelled)
        }
      }, body)
  }

  /// Asks until an answer begins, and reads it.
  private func ask<Reader: AnswerReader>(
    _ reader: Reader.Type, _ request: ServiceRequest, _ slot: AnswerSlot, _ watch: AnswerWatch
  ) async throws(ModelError) {
    var writer = AnswerWriter(slot, limits)
    var retries = 0
    while true {
      do throws(ModelError) {
        return try await exchange(reader, request, &writer, watch)
      } catch {
        guard error.isTemporary, !writer.hasWritten, retries < patience.retries, !Task.isCancelled,
          let wait = wait(beforeRetry: retries, after: error), watch.hasTime(for: wait)
        else { throw error }
        retries += 1
        logger.warning(
          "asking the model again",
          metadata: ["error": "\(error)", "retry": "\(retries)", "wait": "\(wait)"])
        do { try await Task.sleep(for: wait) } catch { throw ModelError(.cancelled) }
      }
    }
  }

  /// - Returns: Nil if the service wants to be left alone for too long.
  private func wait(beforeRetry number: Int, after error: ModelError) -> Duration? {
    let own = min(patience.firstWait * (1 << min(number, 20)), patience.longestWait)
    let wanted = Duration.seconds(error.retryAfter ?? 0)
    guard wanted <= patience.longestWait else { return nil }
    return max(own * Double.random(in: patience.jitter), wanted)
  }

  // MARK: One try

  private func exchange<Reader: AnswerReader>(
    _ type: Reader.Type, _ request: ServiceRequest, _ writer: inout AnswerWriter, _ watch: AnswerWatch
  ) async throws(ModelError) {
    let response = try await head(of: request, watch)
    guard response.status == .ok else { throw await error(type, response, watch) }
    guard Self.isEventStream(response.headers) else {
      throw ModelError(.unreadable, detail: "its content type is no event stream")
    }
    var pieces = response.body.makeAsyncIterator()
    var events = ServerSentEvents(eventBytes: limits.eventBytes)
    var reader = Reader(limits)
    var (eventCount, byteCount) = (0, 0)
    while let piece = try await next(&pieces, watch) {
      byteCount += piece.readableBytes
      guard byteCount <= limits.streamBytes else {
        throw ModelError(.tooLarge, detail: "more than \(limits.streamBytes) bytes on the wire")
      }
      for event in try events.take(piece.readableBytesView) {
        eventCount += 1
        guard eventCount <= limits.events else {
          throw ModelError(.tooLarge, detail: "more than \(limits.events) events on the wire")
        }
        for event in try reader.take(event) {
          try await writer.write(event)
          if case .finish = event { return await part(from: &pieces, watch) }
        }
      }
    }
    for event in try reader.end() { try await writer.write(event) }
  }

  /// Waits for the end of a stream that has nothing more to say: its connection can then be used again. Whoever
  /// reads the answer does not wait for that, and ends it soon.
  private func part(from pieces: inout HTTPClientResponse.Body.AsyncIterator, _ watch: AnswerWatch) async {
    var byteCount = 0
    while byteCount <= Self.errorBytes, let piece = try? await next(&pieces, watch) { byteCount += piece.readableBytes }
  }

  private func head(of request: ServiceRequest, _ watch: AnswerWatch) async throws(ModelError) -> HTTPClientResponse {
    var prepared = HTTPClientRequest(url: request.url)
    prepared.method = .POST
    prepared.headers = request.headers
    prepared.headers.add(name: "content-type", value: "application/json")
    prepared.headers.add(name: "accept", value: "text/event-stream")
    prepared.headers.add(name: "user-agent", value: "parley")
    prepared.body = .bytes(ByteBuffer(bytes: request.body))
    watch.beginWaiting()
    defer { watch.endWaiting() }
    do {
      // The watch ends what takes too long; this bound is only for the client's sake.
      return try await client.execute(prepared, timeout: TimeAmount(patience.total + .seconds(60)))
    } catch {
      throw Self.modelError(error, otherwise: .unreachable)
    }
  }

  private func next(
    _ pieces: inout HTTPClientResponse.Body.AsyncIterator, _ watch: AnswerWatch
  ) async throws(ModelError) -> ByteBuffer? {
    watch.beginWaiting()
    defer { watch.endWaiting() }
    do {
      let piece = try await pieces.next()
      // For a cancelled task the sequence may just end.
      if Task.isCancelled { throw CancellationError() }
      return piece
    } catch {
      throw Self.modelError(error, otherwise: .cutOff)
    }
  }

  /// What a service says that is wrong.
  private func error<Reader: AnswerReader>(
    _ reader: Reader.Type, _ response: HTTPClientResponse, _ watch: AnswerWatch
  ) async -> ModelError {
    watch.beginWaiting()
    defer { watch.endWaiting() }
    let body = try? await response.body.collect(upTo: Self.errorBytes)
    let value = body.flatMap { body in
      body.withUnsafeReadableBytes { try? JSONReader.read($0) }
    }
    if Task.isCancelled { return ModelError(.cancelled) }
    let seconds = response.headers.first(name: "retry-after").flatMap { Int($0) }.flatMap { $0 < 0 ? nil : $0 }
    return reader.error(value?.object, status: Int(response.status.code)).with(retryAfter: seconds)
  }

  private static func isEventStream(_ headers: HTTPHeaders) -> Bool {
    headers.first(name: "content-type")?.lowercased().hasPrefix("text/event-stream") == true
  }

  // MARK: Errors

  private static func modelError(_ error: any Error, otherwise code: ModelError.Code) -> ModelError {
    switch error {
    case is CancellationError: ModelError(.cancelled)
    case let error as HTTPClientError where error == .cancelled: ModelError(.cancelled)
    case let error as HTTPClientError where error == .deadlineExceeded: ModelError(.timedOut)
    case let error as HTTPParserError where error != .invalidEOFState:
      ModelError(.unreadable, detail: "it is no HTTP")
    default: ModelError(code, detail: detail(error))
    }
  }

  /// What the library calls it, without anything of the request's.
  private static func detail(_ error: any Error) -> String {
    switch error {
    case let error as HTTPClientError: error.shortDescription.lowercased()
    case let error as IOError: "errno \(error.errnoCode)"
    default: "\(type(of: error))"
    }
  }
}

extension ModelService: CustomReflectable {
  /// Nothing: the client below holds requests, and with them keys.
  var customMirror: Mirror { Mirror(self, children: []) }
}

/// Ends an answer that takes too long: an alarm that is set while somebody waits for a byte.
final class AnswerWatch: Sendable {
  private let silence: Duration
  private let total: Duration
  private let deadline: ContinuousClock.Instant
  private let waitingSince = Mutex<ContinuousClock.Instant?>(nil)

  init(silence: Duration, total: Duration) {
    self.silence = silence
    self.total = total
    deadline = .now + total
  }

  func beginWaiting() { waitingSince.withLock { $0 = .now } }

  func endWaiting() { waitingSince.withLock { $0 = nil } }

  func hasTime(for wait: Duration) -> Bool { .now + wait < deadline }

  /// - Throws: `.timedOut` when time is up, `CancellationError`.
  func run() async throws {
    while true {
      let now = ContinuousClock.now
      let due = min((waitingSince.withLock { $0 } ?? now) + silence, deadline)
      guard now < due else {
        throw ModelError(
          .timedOut, detail: now < deadline ? "nothing came for \(silence)" : "it took more than \(total)")
      }
      try await Task.sleep(until: due, clock: .continuous)
    }
  }
}

extension TimeAmount {
  fileprivate init(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    // Some thirty years are for ever, and do not overflow.
    self = .nanoseconds(min(seconds, 1_000_000_000) * 1_000_000_000 + attoseconds / 1_000_000_000)
  }
}
