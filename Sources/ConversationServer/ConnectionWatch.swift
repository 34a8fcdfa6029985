import ConversationModel
import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOHTTP1
import StrictJSON
import Synchronization
import Wire

/// How long and how many: what connections may cost.
public struct ConnectionLimits: Sendable {
  /// Open at the same time; one more is told 503 and closed.
  public var connections: Int
  /// Seconds for the first request's head to arrive.
  public var headSeconds: Int
  /// Seconds without a request after which a connection that has had one is closed.
  public var idleSeconds: Int
  /// Seconds for a request's body to arrive, one more for every `bytesPerSecond`; and for the next piece
  /// of an answer to be taken.
  public var transferSeconds: Int

  /// A slower body than this is none: a phone in a tunnel does better.
  static let bytesPerSecond = 16_384
  /// Seconds between two looks at a connection; a limit may be overrun by so much.
  static let lookSeconds = 5

  public init(connections: Int = 4_096, headSeconds: Int = 20, idleSeconds: Int = 75, transferSeconds: Int = 30) {
    self.connections = connections
    self.headSeconds = headSeconds
    self.idleSeconds = idleSeconds
    self.transferSeconds = transferSeconds
  }

  fileprivate var look: TimeAmount {
    .seconds(Int64(max(1, min(Self.lookSeconds, headSeconds / 4, idleSeconds / 4, transferSeconds / 4))))
  }
}

/// The number of open connections.
final class ConnectionCount: Sendable {
  private let open = Atomic(0)

  func enter() -> Int { open.add(1, ordering: .relaxed).newValue }
  func leave() { open.subtract(1, ordering: .relaxed) }
}

/// Stands between the parser and the requests of one connection, and keeps both honest.
///
/// It closes connections that are too slow to send or to take, answers what never becomes a request
/// (nonsense, a head that is too large, a connection too many), hands requests on one at a time, refuses to
/// read on after an answer that did not want the rest of its request, and lets every answer that was begun
/// leave before a close.
///
/// All state belongs to the connection's event loop.
final class ConnectionWatch: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  /// A request whose answer has not ended.
  private struct Current {
    let version: HTTPVersion
    /// Whether the connection ends with its answer.
    var isLast: Bool
    /// Whether its body has not ended.
    var isReading = true
    var readBytes = 0
    var isAnswering = false
  }

  /// What comes behind the current request, and waits for the end of its answer: answered earlier, or
  /// refused, it would be taken for the answer to that one.
  private struct Held {
    var parts: CircularBuffer<InboundIn> = []
    /// What follows them is no request.
    var error: HTTPParserError?
    /// The client has closed its side behind them.
    var isEnd = false

    var isEmpty: Bool { parts.isEmpty && error == nil && !isEnd }
  }

  private enum State {
    case open
    /// The last answer has not left yet.
    case draining
    /// It has, and the client has time to take it in.
    case lingering
  }

  private let limits: ConnectionLimits
  private let count: ConnectionCount
  private var isOpened = false
  private var isCounted = false
  private var look: Scheduled<Void>?

  private var state = State.open
  private var isQuiescing = false
  private var current: Current?
  private var held = Held()
  private var hasHadRequest = false
  /// The parser takes nothing more: behind an upgrade it would only collect bytes.
  private var isDeaf = false
  /// Whether somebody would read, if that were not held back.
  private var wantsRead = false
  /// When the last thing began that has a limit: the connection, the body, the silence, the close.
  private var since = NIODeadline.now()
  /// Since when the client has taken nothing of what waits for it.
  private var blockedSince: NIODeadline?

  init(limits: ConnectionLimits, count: ConnectionCount) {
    self.limits = limits
    self.count = count
  }

  // MARK: The connection

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { opened(context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    opened(context)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    leave()
    look?.cancel()
    context.fireChannelInactive()
  }

  private func opened(_ context: ChannelHandlerContext) {
    guard !isOpened else { return }
    (isOpened, isCounted) = (true, true)
    since = .now()
    scheduleLook(context)
    if count.enter() > limits.connections {
      // It takes nobody's place while it reads that there is none.
      leave()
      let error = ConversationError(.unavailable, "The server has as many connections as it takes; try again later.")
      refuse(context, .serviceUnavailable, error)
    }
  }

  private func leave() {
    if isCounted { count.leave() }
    isCounted = false
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case is ChannelShouldQuiesceEvent:
      isQuiescing = true
      if current == nil { close(context, isUnread: false) }
    case ChannelEvent.inputClosed where state == .lingering:
      context.close(promise: nil)
    case ChannelEvent.inputClosed where !held.isEmpty:
      held.isEnd = true
    default:
      context.fireUserInboundEventTriggered(event)
    }
  }

  // MARK: Requests

  func read(context: ChannelHandlerContext) {
    if isDeaf || !held.isEmpty {
      wantsRead = true
    } else {
      context.read()
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    // The rest of a request whose answer is out.
    guard state == .open else { return }
    let part = unwrapInboundIn(data)
    if let current, !current.isReading {
      held.parts.append(part)
    } else {
      take(part, context)
    }
  }

  private func take(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
    var part = part
    switch part {
    case .head(var head):
      if let fault = Self.fault(of: head) {
        return refuse(context, .badRequest, ConversationError(.invalid, fault))
      }
      isDeaf = head.method == .CONNECT || head.headers.contains(name: "upgrade")
      // A client of HTTP/1.0 knows no chunks; the end of its connection is the end of its answer.
      let isLast = !head.isKeepAlive || head.version == .http1_0 || isDeaf
      current = Current(version: head.version, isLast: isLast)
      (hasHadRequest, since) = (true, .now())
      if head.version == .http1_0 {
        // RFC 9110 §7.8: there is no upgrade from it.
        head.headers.remove(name: "upgrade")
        part = .head(head)
      }
      if Self.wantsContinue(head) {
        context.writeAndFlush(
          wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
      }
    case .body(let bytes):
      current?.readBytes += bytes.readableBytes
    case .end:
      current?.isReading = false
    }
    context.fireChannelRead(wrapInboundOut(part))
  }

  /// Whether the client waits for a word before it sends a body that will be read. A larger one is answered
  /// at once.
  private static func wantsContinue(_ head: HTTPRequestHead) -> Bool {
    guard head.version == .http1_1, head.headers["expect"].first?.lowercased() == "100-continue" else { return false }
    guard let length = head.headers["content-length"].first else { return true }
    return Int(length) ?? .max <= Limits.bodyBytes
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard let error = error as? HTTPParserError, state == .open else { return context.fireErrorCaught(error) }
    if current == nil {
      refuse(context, error)
    } else if current?.isReading ?? false {
      // The request's own task hears of it where it reads the body, and answers.
      current?.isLast = true
      context.fireErrorCaught(error)
    } else {
      held.error = error
    }
  }

  /// Hands on what was held, up to the end of the next request.
  private func release(_ context: ChannelHandlerContext) {
    guard !held.isEmpty else { return }
    while state == .open, current?.isReading ?? true, let part = held.parts.popFirst() { take(part, context) }
    guard state == .open, held.parts.isEmpty else { return context.fireChannelReadComplete() }
    if let error = held.error {
      if current == nil {
        refuse(context, error)
      } else if current?.isReading ?? false {
        held.error = nil
        current?.isLast = true
        context.fireErrorCaught(error)
      }
    } else {
      if held.isEnd { context.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
      held.isEnd = false
    }
    context.fireChannelReadComplete()
    if wantsRead, held.isEmpty, !isDeaf {
      wantsRead = false
      context.read()
    }
  }

  /// What the parser lets through and RFC 9112 (§3.2, §6.1) does not; nil for a sound head.
  private static func fault(of head: HTTPRequestHead) -> String? {
    let hosts = head.headers["host"]
    guard hosts.count == 1 || (hosts.isEmpty && head.version == .http1_0), hosts.allSatisfy(isHost) else {
      return "A request names its host once, as HOST or HOST:PORT."
    }
    let codings = head.headers["transfer-encoding"]
    guard codings.isEmpty || (codings.count == 1 && codings[0].lowercased() == "chunked") else {
      return "A body may be chunked; no other transfer coding is known here."
    }
    return nil
  }

  /// A name or an address, by their characters, and a port (RFC 3986 §3.2). It may be empty.
  private static func isHost(_ text: String) -> Bool {
    var name = text.utf8[...]
    if let colon = name.lastIndex(of: UInt8(ascii: ":")), name[colon...].dropFirst().allSatisfy(isDigit) {
      name = name[..<colon]
    }
    if name.first == UInt8(ascii: "["), name.last == UInt8(ascii: "]") {
      return name.dropFirst().dropLast().allSatisfy {
        isHexDigit($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".")
      }
    }
    return name.allSatisfy { byte in
      isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        || "-._~!$&'()*+,;=%".utf8.contains(byte)
    }
  }

  private static func isHexDigit(_ byte: UInt8) -> Bool {
    isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
  }

  // MARK: Answers

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard state == .open, let request = current else {
      promise?.fail(ChannelError.ioOnClosedChannel)
      return
    }
    switch unwrapOutboundIn(data) {
    case .head(let head) where head.status == .switchingProtocols:
      // What follows is not for this watch.
      context.write(data, promise: promise)
    case .head(var head):
      // What is left of the request will not be read.
      let isLast = request.isLast || request.isReading || isQuiescing
      current?.isAnswering = true
      current?.isLast = isLast
      if isLast { head.headers.replaceOrAdd(name: "connection", value: "close") }
      head.version = request.version
      context.write(wrapOutboundOut(.head(head)), promise: promise)
    case .body(.byteBuffer(let bytes)) where bytes.readableBytes > Self.sliceBytes:
      writeSlices(context, bytes, promise)
    case .body:
      context.write(data, promise: promise)
    case .end:
      current = nil
      since = .now()
      context.write(data, promise: promise)
      if request.isLast || isQuiescing {
        close(context, isUnread: request.isReading)
      } else {
        release(context)
      }
    }
  }

  /// Bytes after which it is noted that a client takes its answer.
  private static let sliceBytes = 65_536

  /// Writes a large buffer in pieces, each of which tells that it has left.
  private func writeSlices(_ context: ChannelHandlerContext, _ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>?) {
    var bytes = bytes
    let watch = NIOLoopBound(self, eventLoop: context.eventLoop)
    while let slice = bytes.readSlice(length: min(bytes.readableBytes, Self.sliceBytes)), slice.readableBytes > 0 {
      let sent = context.eventLoop.makePromise(of: Void.self)
      sent.futureResult.whenSuccess { if watch.value.blockedSince != nil { watch.value.blockedSince = .now() } }
      if bytes.readableBytes == 0 { sent.futureResult.cascade(to: promise) }
      context.write(wrapOutboundOut(.body(.byteBuffer(slice))), promise: sent)
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable {
      blockedSince = nil
    } else if blockedSince == nil {
      blockedSince = .now()
    }
    context.fireChannelWritabilityChanged()
  }

  private func refuse(_ context: ChannelHandlerContext, _ error: HTTPParserError) {
    guard error == .headerOverflow else {
      return refuse(context, .badRequest, ConversationError(.invalid, "This is no HTTP/1.1 request."))
    }
    let limits =
      "The head of a request holds \(Limits.headerFields) fields and \(Limits.headerBytes) bytes at most, one field "
      + "\(Limits.headerFieldBytes) bytes."
    refuse(context, .requestHeaderFieldsTooLarge, ConversationError(.tooLarge, limits))
  }

  /// Answers in place of the requests' task, and closes.
  private func refuse(_ context: ChannelHandlerContext, _ status: HTTPResponseStatus, _ error: ConversationError) {
    let requestID = newRequestID()
    var body = JSONWriter(reserving: 256)
    body.problem(error, status: Int(status.code), title: status.reasonPhrase, requestID: requestID)
    var headers: HTTPHeaders = [
      "content-type": "application/problem+json", "content-length": "\(body.bytes.count)", "x-request-id": requestID,
      "connection": "close",
    ]
    if error.code == .unavailable { headers.add(name: "retry-after", value: Response.retryAfter) }
    context.write(
      wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body.bytes)))), promise: nil)
    context.write(wrapOutboundOut(.end(nil)), promise: nil)
    close(context, isUnread: true)
  }

  // MARK: Another protocol

  /// Gives the connection, and its place among those that are counted, to whoever goes on after the answer
  /// 101; returns whether the server is stopping.
  func handOver() -> Bool {
    isCounted = false
    look?.cancel()
    return isQuiescing
  }

  // MARK: Closing

  /// Seconds in which a client may take in the last answer. Closed at once, with bytes of its request
  /// unread, the connection would be reset, and the answer lost on the way.
  private static let lingerSeconds: Int64 = 2

  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    guard mode == .output else { return context.close(mode: mode, promise: promise) }
    // Passed on, it would close both sides of a connection whose client has closed its own, and drop
    // what has not left yet.
    close(context, isUnread: current?.isReading ?? false)
    promise?.succeed()
  }

  /// Lets what was written leave, and closes.
  ///
  /// - Parameter isUnread: Whether the client may have sent what was not read: then it has time to take
  ///   the answer in first.
  private func close(_ context: ChannelHandlerContext, isUnread: Bool) {
    guard state == .open else { return }
    state = .draining
    since = .now()
    held = Held()
    let left = context.eventLoop.makePromise(of: Void.self)
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    left.futureResult.whenComplete { _ in
      let (watch, context) = bound.value
      // Behind an upgrade nothing can be read, so there is no telling when the client has closed.
      guard isUnread, !watch.isDeaf else { return context.close(promise: nil) }
      watch.state = .lingering
      context.close(mode: .output, promise: nil)
      context.eventLoop.scheduleTask(in: .seconds(Self.lingerSeconds)) { bound.value.1.close(promise: nil) }
    }
    // Empty, and in order: it has left when everything before it has.
    context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer()))), promise: left)
  }

  // MARK: Time

  private func scheduleLook(_ context: ChannelHandlerContext) {
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    look = context.eventLoop.scheduleTask(in: limits.look) {
      let (watch, context) = bound.value
      watch.lookAtTime(context)
    }
  }

  private func lookAtTime(_ context: ChannelHandlerContext) {
    let now = NIODeadline.now()
    func isOver(_ start: NIODeadline, _ seconds: Int, bytes: Int = 0) -> Bool {
      now > start + .seconds(Int64(seconds + bytes / ConnectionLimits.bytesPerSecond))
    }
    if let blockedSince {
      if isOver(blockedSince, limits.transferSeconds) { return context.close(promise: nil) }
    } else if state != .open {
      if isOver(since, limits.transferSeconds) { return context.close(promise: nil) }
    } else if let current {
      if current.isReading, !current.isAnswering, isOver(since, limits.transferSeconds, bytes: current.readBytes) {
        refuse(context, .requestTimeout, ConversationError(.invalid, "The request's body did not arrive in time."))
      }
    } else if isOver(since, hasHadRequest ? limits.idleSeconds : limits.headSeconds) {
      return context.close(promise: nil)
    }
    scheduleLook(context)
  }
}
