import AsyncHTTPClient
import ConversationModel
import NIOCore
import NIOHTTP1
import Wire

/// The way to one server: a pool of connections, and the place where everything that goes wrong on it
/// becomes a `ConversationError`.
///
/// The connections close when the last store that uses them is gone.
final class ServerConnection: Sendable {
  private let base: String
  private let name: String
  private let token: @Sendable (Principal) async throws -> String
  private let client: HTTPClient
  private let sockets: WebSocketClient
  private let answerSeconds: Int64
  private let patience: TimeAmount
  private let answerBytes: Int

  /// - Throws: `.invalid` for an address that is none, and for a name that a header cannot hold.
  init(
    server: String, configuration: RemoteStore.Configuration,
    token: @escaping @Sendable (Principal) async throws -> String
  ) throws(ConversationError) {
    let address = try ServerAddress(server)
    guard Self.isName(configuration.client) else {
      throw ConversationError(
        .invalid, "A client's name has 1 to \(Limits.clientNameScalars) printable characters of ASCII.",
        field: "client")
    }
    base = address.url
    name = configuration.client
    self.token = token
    sockets = WebSocketClient(address, configuration)
    answerSeconds = Int64(configuration.answerSeconds)
    patience = .seconds(Int64(configuration.connectSeconds + configuration.answerSeconds))
    answerBytes = configuration.answerBytes
    var settings = HTTPClient.Configuration(
      redirectConfiguration: .disallow,
      timeout: .init(
        connect: .seconds(Int64(configuration.connectSeconds)), read: .seconds(Int64(configuration.answerSeconds))))
    settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = configuration.connections
    settings.connectionPool.idleTimeout = .seconds(Self.idleSeconds)
    // A server that is gone is an answer: whoever asks decides whether to wait for it.
    settings.connectionPool.retryConnectionEstablishment = false
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
  }

  /// Seconds for which an idle connection is kept: fewer than a server keeps it, so that few requests
  /// meet one that is being closed.
  private static let idleSeconds: Int64 = 30

  deinit { client.shutdown { _ in } }

  /// Asks, and reads what is answered.
  ///
  /// A request that may be repeated is, once, when the connection broke before the answer was there. The
  /// usual reason is that the server had closed it, or was started anew.
  /// - Throws: What the server answers, or `.unavailable`, `.unauthenticated`, `.internal`; `.tooLarge` for
  ///   a read whose answer is longer than it may be.
  func reply(to request: NativeRequest, as principal: Principal) async throws(ConversationError) -> Reply {
    // The server would answer so before it has the body, and the connection might break over it.
    guard request.body?.count ?? 0 <= Limits.bodyBytes else {
      throw ConversationError(.tooLarge, "A request body holds at most \(Limits.bodyBytes) bytes.")
    }
    let prepared = prepared(request, token: try await checkedToken(principal))
    let answer: ServerAnswer
    do {
      answer = try await exchange(prepared)
    } catch {
      guard request.isRepeatable, Self.isBrokenConnection(error), !Task.isCancelled else {
        throw Self.conversationError(error, request.method)
      }
      do { answer = try await exchange(prepared) } catch { throw Self.conversationError(error, request.method) }
    }
    guard (200..<300).contains(answer.status.code) else { throw answer.error }
    return try answer.reply()
  }

  /// Opens a socket for a link and attaches it.
  ///
  /// - Throws: What the server answers, or `.unavailable`, `.unauthenticated`, `.internal`.
  func attach(
    _ attach: Attach, as principal: Principal, over link: LiveLink
  ) async throws(ConversationError) -> LiveStart {
    try await sockets.open("/v1/live", token: try await checkedToken(principal), for: link)
    guard case .attached(let start) = try await link.ask(.attach(attach)) else { throw .unexpectedAnswer }
    return start
  }

  /// One that waits for each answer as long as a request does.
  func newLink() -> LiveLink { LiveLink(patience: .seconds(answerSeconds)) }

  // MARK: Files

  /// Hands out a file that the server writes, piece by piece as it comes.
  ///
  /// - Throws: What the server answers, `.unavailable` if it breaks off, and what `sink` throws.
  func download(
    _ request: NativeRequest, as principal: Principal, to sink: (ByteBuffer) async throws -> Void
  ) async throws {
    let prepared = prepared(request, token: try await checkedToken(principal))
    let response: HTTPClientResponse
    do { response = try await client.execute(prepared, timeout: patience) } catch {
      throw Self.conversationError(error, request.method)
    }
    guard (200..<300).contains(response.status.code) else {
      let answer: ServerAnswer
      do { answer = try await read(response) } catch { throw Self.conversationError(error, request.method) }
      throw answer.error
    }
    var pieces = response.body.makeAsyncIterator()
    while true {
      let piece: ByteBuffer?
      do { piece = try await pieces.next() } catch { throw Self.conversationError(error, request.method) }
      guard let piece else { return }
      try await sink(piece)
    }
  }

  /// Sends a file, and reads what is answered.
  func upload(
    _ pieces: some AsyncSequence<ByteBuffer, any Error> & Sendable, bytes: Int, to request: NativeRequest,
    as principal: Principal
  ) async throws(ConversationError) -> Reply {
    var prepared = prepared(request, token: try await checkedToken(principal))
    prepared.headers.add(name: "content-type", value: "application/octet-stream")
    prepared.body = .stream(pieces, length: .known(Int64(bytes)))
    let answer: ServerAnswer
    do { answer = try await exchange(prepared) } catch { throw Self.conversationError(error, request.method) }
    guard (200..<300).contains(answer.status.code) else { throw answer.error }
    return try answer.reply()
  }

  // MARK: Health

  /// What the server tells of its store; without a token of the service role only why it takes no commands.
  func health() async -> StoreHealth {
    do {
      return try await soon {
        do throws(ConversationError) {
          return try await self.reply(to: .get("/v1/status"), as: .service).status().store
        } catch {
          // There is no such token, it is not for this, or the server is too old.
          guard [.unauthenticated, .forbidden, .notFound].contains(error.code) else { throw error }
        }
        let readiness = try await self.exchange(HTTPClientRequest(url: self.base + "/readyz"))
        return try readiness.reply().readiness()
      }
    } catch let error as ConversationError {
      return StoreHealth(refusal: error.message)
    } catch {
      return StoreHealth(refusal: Self.conversationError(error, .GET).message)
    }
  }

  /// Whoever watches a server wants to know soon.
  private static let healthSeconds = 5

  private func soon<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
      defer { group.cancelAll() }
      group.addTask(operation: body)
      group.addTask {
        try await Task.sleep(for: .seconds(Self.healthSeconds))
        throw ConversationError(.unavailable, "The server did not answer in time.")
      }
      guard let value = try await group.next() else { throw CancellationError() }
      return value
    }
  }

  // MARK: Requests

  private func exchange(_ request: HTTPClientRequest) async throws -> ServerAnswer {
    try await read(try await client.execute(request, timeout: patience))
  }

  private func read(_ response: HTTPClientResponse) async throws -> ServerAnswer {
    ServerAnswer(status: response.status, body: try await response.body.collect(upTo: answerBytes))
  }

  private func prepared(_ request: NativeRequest, token: String) -> HTTPClientRequest {
    var prepared = HTTPClientRequest(url: base + request.target)
    prepared.method = request.method
    prepared.headers.add(name: "user-agent", value: name)
    prepared.headers.add(name: "authorization", value: "Bearer \(token)")
    if let ifMatch = request.ifMatch { prepared.headers.add(name: "if-match", value: "\"\(ifMatch)\"") }
    if let body = request.body {
      prepared.headers.add(name: "content-type", value: "application/json")
      prepared.body = .bytes(ByteBuffer(bytes: body))
    }
    return prepared
  }

  private func checkedToken(_ principal: Principal) async throws(ConversationError) -> String {
    let text: String
    do {
      text = try await token(principal)
    } catch let error as ConversationError {
      throw error
    } catch {
      throw ConversationError(.unauthenticated, "There is no token for this principal.", underlying: error)
    }
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw ConversationError(.unauthenticated, "A token is visible ASCII; this one is something else.")
    }
    return text
  }

  private static func isName(_ text: String) -> Bool {
    (1...Limits.clientNameScalars).contains(text.utf8.count) && text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
      && text.first != " " && text.last != " "
  }

  // MARK: Errors

  /// Whether a request found, or left, its connection broken. Not when time ran out, because the request
  /// has had its time, and not when an answer came that is none.
  private static func isBrokenConnection(_ error: any Error) -> Bool {
    switch error {
    case is CancellationError, is NIOTooManyBytesError, is HTTPParserError: false
    case let error as HTTPClientError: error == .remoteConnectionClosed || error == .uncleanShutdown
    default: true
    }
  }

  static func conversationError(_ error: any Error, _ method: HTTPMethod) -> ConversationError {
    switch error {
    case is CancellationError:
      ConversationError(.unavailable, "The request was cancelled.", underlying: error)
    case let error as HTTPClientError where error == .cancelled:
      ConversationError(.unavailable, "The request was cancelled.", underlying: error)
    case is NIOTooManyBytesError:
      // A command was carried out, for all that its answer is nonsense: it must not look like a refusal.
      ConversationError(
        method == .GET ? .tooLarge : .internal,
        "The server's answer is too long to be read; ask for less at a time.", underlying: error)
    case is HTTPParserError:
      ConversationError(.internal, "The server's answer cannot be read: it is no HTTP.", underlying: error)
    case let error as HTTPClientError where error == .readTimeout || error == .deadlineExceeded:
      ConversationError(.unavailable, "The server did not answer in time.", underlying: error)
    default:
      ConversationError(.unavailable, "The server cannot be reached.", underlying: error)
    }
  }
}

extension ConversationError {
  static let unexpectedAnswer = ConversationError(
    .internal, "The server's answer cannot be read: it answers something else.")
}
