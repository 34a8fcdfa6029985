import NIOCore

/// Stands between a socket's bytes and its door: reads and writes frames, answers pings, closes, and keeps
/// the client to its limits.
///
/// One plain handler and one timer a socket: thousands of them are idle most of the time. All state belongs
/// to the connection's event loop.
final class WebSocketHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum Phase {
    case open
    /// The door hears nothing new, and has a moment to answer what it has heard.
    case ending
    /// Our close frame is on its way or out; the client's has not come.
    case closing
    /// Nothing more is said, and what comes is thrown away: the client has time to take in the end. Closed
    /// at once, with bytes unread, the connection would be reset, and the end lost on the way.
    case lingering
    case closed
  }

  private let limits: WebSocketLimits
  private let count: ConnectionCount
  private var socket: WebSocket?
  private var context: ChannelHandlerContext?
  private var reader: FrameReader
  private var phase = Phase.open

  /// Bytes that were not read into frames yet.
  private var input = ByteBuffer()
  /// The door has enough to do; reading waits.
  private var isHeldBack = false
  private var wantsRead = false
  private var isInputClosed = false
  private var heard = NIODeadline.now()
  private var pinged: NIODeadline?

  /// Bytes that the system has not taken yet.
  private var leavingBytes = 0
  /// When the last of them was taken, or the first handed over.
  private var progress = NIODeadline.now()
  /// When a frame had left that was longer than a batch: those behind it could not leave earlier.
  private var longFrameLeft: NIODeadline?
  private var isLongFrame = false

  /// What the client is told when the door has ended.
  private var ending: (close: WebSocketFrame, next: Phase)?
  /// The client has said its last: a close, or what is no sound WebSocket. Nothing that follows is read.
  private var hasHeardAll = false
  /// Our close frame has left.
  private var hasSaidAll = false
  private var timer: Scheduled<Void>?
  private var closeBy: NIODeadline?

  init(limits: WebSocketLimits, count: ConnectionCount) {
    self.limits = limits
    self.count = count
    reader = FrameReader(limits: limits)
  }

  /// Begins with the socket that `serve` is given. The channel must be active.
  func start(_ socket: WebSocket) {
    self.socket = socket
    schedule()
  }

  // MARK: The channel

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    closed()
  }

  func channelInactive(context: ChannelHandlerContext) {
    closed()
    context.fireChannelInactive()
  }

  private func closed() {
    guard phase != .closed else { return }
    phase = .closed
    count.leave()
    timer?.cancel()
    socket?.end(isFinal: false)
    socket?.close(.goingAway)
    (socket, context, input) = (nil, nil, ByteBuffer())
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // The connection is gone; nobody is left to be told.
    context.close(promise: nil)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case is ChannelShouldQuiesceEvent:
      goAway()
    case ChannelEvent.inputClosed:
      isInputClosed = true
      process()
    default:
      context.fireUserInboundEventTriggered(event)
    }
  }

  // MARK: Reading

  func read(context: ChannelHandlerContext) {
    if isHeldBack {
      wantsRead = true
    } else {
      context.read()
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard phase != .lingering, phase != .closed, !hasHeardAll else { return }
    (heard, pinged) = (.now(), nil)
    var bytes = unwrapInboundIn(data)
    if input.readableBytes == 0 {
      input = bytes
    } else {
      input.writeBuffer(&bytes)
    }
    process()
  }

  /// Handles what has come, as far as there is room for it.
  private func process() {
    while phase != .lingering, phase != .closed, !isHeldBack, !hasHeardAll {
      do throws(WebSocketFault) {
        guard let event = try reader.next(&input) else { break }
        handle(event)
      } catch {
        fail(error)
      }
    }
    // What is left of the bytes of one read would keep all of them.
    if input.readableBytes == 0 { input = ByteBuffer() }
    guard isInputClosed, !isHeldBack else { return }
    // Gone without a word, unless our last one is on its way.
    socket?.end(isFinal: false)
    if phase == .open || hasSaidAll { context?.close(promise: nil) }
  }

  private func handle(_ event: FrameReader.Event) {
    switch event {
    case .message(let message):
      if phase == .open { isHeldBack = !(socket?.deliver(message) ?? true) }
    case .ping(let bytes):
      if phase == .open { send(.pong(bytes)) }
    case .pong:
      break
    case .close(let code):
      (hasHeardAll, input) = (true, ByteBuffer())
      guard phase != .closing else { return linger() }
      end(.close(code, ""), then: .lingering, isFinal: false)
    }
  }

  private func fail(_ fault: WebSocketFault) {
    (hasHeardAll, input) = (true, ByteBuffer())
    guard phase != .closing else { return linger() }
    end(.close(fault.code.rawValue, fault.reason), then: .lingering, isFinal: false)
  }

  // MARK: Writing

  /// The socket was used: there is something to send, to close, or room to read.
  func wake() {
    guard let socket else { return }
    let wishes = socket.wishes()
    if wishes.isGoingAway { goAway() }
    if let wish = wishes.close { close(wish) }
    flush()
    if wishes.mayRead, isHeldBack { readOn() }
  }

  private func readOn() {
    isHeldBack = false
    heard = .now()
    process()
    guard wantsRead, !isHeldBack else { return }
    wantsRead = false
    context?.read()
  }

  private func send(_ frame: WebSocketFrame) {
    socket?.send(frame)
    flush()
  }

  /// Hands over the next batch when the one before has left, so that it is known how far behind a client is.
  private func flush() {
    guard phase == .open || phase == .ending, leavingBytes == 0, let batch = socket?.takeBatch() else { return }
    write(batch)
    context?.flush()
  }

  private func write(_ batch: WebSocket.Batch) {
    guard let context else { return }
    if leavingBytes == 0 { progress = .now() }
    leavingBytes += batch.bytes
    guard batch.bytes > WebSocketLimits.batchBytes else {
      for frame in batch.frames.dropLast() { context.write(wrapOutboundOut(frame), promise: nil) }
      if let last = batch.frames.last { write(last, counting: batch.bytes) }
      return
    }
    isLongFrame = true
    for frame in batch.frames {
      var frame = frame
      while let piece = frame.readSlice(length: min(frame.readableBytes, WebSocketLimits.batchBytes)),
        piece.readableBytes > 0
      {
        write(piece, counting: piece.readableBytes)
      }
    }
  }

  private func write(_ bytes: ByteBuffer, counting count: Int) {
    guard let context else { return }
    let left = context.eventLoop.makePromise(of: Void.self)
    left.futureResult.assumeIsolated().whenSuccess { self.left(count) }
    context.write(wrapOutboundOut(bytes), promise: left)
  }

  private func left(_ bytes: Int) {
    progress = .now()
    leavingBytes -= bytes
    if leavingBytes == 0, isLongFrame { (isLongFrame, longFrameLeft) = (false, progress) }
    flush()
  }

  // MARK: Closing

  private func goAway() {
    guard phase == .open else { return }
    end(WebSocket.Close.goingAway.frame, then: .closing, isFinal: true)
  }

  /// Lets the door answer what it has begun, also the messages that wait unless that `isFinal`, and closes
  /// when it has returned or after a moment.
  private func end(_ close: WebSocketFrame, then next: Phase, isFinal: Bool) {
    if ending == nil {
      ending = (close, next)
      phase = .ending
      closeBy = .now() + .milliseconds(limits.finishMilliseconds)
      schedule()
    } else if next == .lingering {
      // The server was stopping already; now there is no answer to wait for.
      ending?.next = next
    }
    socket?.end(isFinal: isFinal)
    if isHeldBack { readOn() }
  }

  private func close(_ wish: WebSocket.Close) {
    guard phase == .open || phase == .ending else { return }
    socket?.end(isFinal: true)
    close(ending?.close ?? wish.frame, then: ending?.next ?? .closing)
  }

  /// Sends what waits and a close frame behind it.
  private func close(_ frame: WebSocketFrame, then next: Phase) {
    guard phase == .open || phase == .ending, let context else { return }
    if let rest = socket?.takeBatch(all: true) { write(rest) }
    phase = next
    // Sends no more.
    socket?.close(.goingAway)
    closeBy = .now() + .milliseconds(limits.closeMilliseconds)
    schedule()
    let left = context.eventLoop.makePromise(of: Void.self)
    left.futureResult.assumeIsolated().whenSuccess { self.closeLeft() }
    context.writeAndFlush(wrapOutboundOut(frame.buffer), promise: left)
    // The door takes nothing more, so nothing has to wait for it.
    if isHeldBack, phase == .closing { readOn() }
  }

  private func closeLeft() {
    hasSaidAll = true
    if isInputClosed {
      context?.close(promise: nil)
    } else if phase == .lingering {
      context?.close(mode: .output, promise: nil)
    }
  }

  /// The client has closed too, or speaks nonsense where its close should come.
  private func linger() {
    phase = .lingering
    if hasSaidAll { context?.close(mode: .output, promise: nil) }
  }

  // MARK: Time

  private func schedule() {
    guard let context else { return }
    timer?.cancel()
    var next = NIODeadline.now() + limits.look
    if let closeBy { next = min(next, closeBy) }
    if phase == .open, let expiry = socket?.expiry { next = min(next, expiry) }
    timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: next) { self.look() }
  }

  private func look() {
    let now = NIODeadline.now()
    if phase == .open {
      lookAtOpen(now)
    } else if let closeBy, now >= closeBy {
      if let ending, phase == .ending {
        close(ending.close, then: ending.next)
      } else {
        self.closeBy = nil
        context?.close(promise: nil)
      }
    }
    schedule()
  }

  private func lookAtOpen(_ now: NIODeadline) {
    func isOver(_ start: NIODeadline, _ milliseconds: Int64) -> Bool { now >= start + .milliseconds(milliseconds) }
    if let expiry = socket?.expiry, now >= expiry {
      close(.tokenExpired)
    } else if isBehind(isOver) {
      socket?.close(.tooSlow)
      close(.tooSlow)
    } else if !isHeldBack, isOver(heard, limits.silenceMilliseconds) {
      close(WebSocket.Close(code: .goingAway, reason: "Nothing was heard for too long."))
    } else if !isHeldBack, isOver(pinged ?? heard, limits.pingMilliseconds) {
      pinged = now
      send(.ping())
    }
  }

  private func isBehind(_ isOver: (NIODeadline, Int64) -> Bool) -> Bool {
    guard leavingBytes > 0 else { return false }
    if isOver(progress, limits.backlogMilliseconds) { return true }
    guard let since = socket?.waitingSince else { return false }
    let allowed = limits.backlogMilliseconds + Int64(leavingBytes) * 1_000 / Int64(ConnectionLimits.bytesPerSecond)
    return isOver(longFrameLeft.map { max($0, since) } ?? since, allowed)
  }
}
