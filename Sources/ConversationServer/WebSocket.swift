package import ConversationModel
package import NIOCore
import Synchronization

/// What is said over a server's WebSockets.
package protocol SocketDoor: Sendable {
  /// Speaks with one client until the messages end.
  ///
  /// It runs in the connection's own task, on the event loop that reads the socket, so it must not block.
  /// When it returns the socket is closed with 1000, unless something else has closed it.
  func serve(_ socket: WebSocket) async
}

/// What a client or server says when it closes a WebSocket: RFC 6455 §7.4.1, and two of our own.
package enum WebSocketCloseCode: UInt16, Sendable {
  case normal = 1_000
  case goingAway = 1_001
  case protocolError = 1_002
  case unsupportedData = 1_003
  case invalidText = 1_007
  case policy = 1_008
  case tooLarge = 1_009
  case internalError = 1_011
  case tokenExpired = 4_401
  /// The client did not take what was sent to it; it resumes by version.
  case tooSlow = 4_408
}

/// One whole message from a client.
package struct WebSocketMessage: Sendable, Equatable {
  /// UTF-8 if it is a text.
  package let bytes: ByteBuffer
  /// Always true, unless binary messages are let through.
  package let isText: Bool

  package var array: [UInt8] { Array(bytes.readableBytesView) }
}

/// A message from the server, framed once for any number of sockets.
package struct WebSocketFrame: Sendable {
  let buffer: ByteBuffer

  package static func text(_ bytes: some Collection<UInt8>) -> WebSocketFrame { WebSocketFrame(0x1, bytes) }
  package static func binary(_ bytes: some Collection<UInt8>) -> WebSocketFrame { WebSocketFrame(0x2, bytes) }
  static func ping() -> WebSocketFrame { WebSocketFrame(0x9, EmptyCollection()) }
  static func pong(_ bytes: ByteBuffer) -> WebSocketFrame { WebSocketFrame(0xA, bytes.readableBytesView) }

  /// - Parameter reason: At most 123 bytes.
  static func close(_ code: UInt16?, _ reason: String) -> WebSocketFrame {
    guard let code else { return WebSocketFrame(0x8, EmptyCollection()) }
    return WebSocketFrame(0x8, [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8))
  }

  private init(_ opcode: UInt8, _ bytes: some Collection<UInt8>) {
    let count = bytes.count
    var buffer = ByteBuffer()
    buffer.reserveCapacity(count + 10)
    buffer.writeInteger(0x80 | opcode)
    switch count {
    case ...125: buffer.writeInteger(UInt8(count))
    case ...65_535: buffer.writeMultipleIntegers(126 as UInt8, UInt16(count))
    default: buffer.writeMultipleIntegers(127 as UInt8, UInt64(count))
    }
    buffer.writeBytes(bytes)
    self.buffer = buffer
  }
}

/// What one WebSocket may cost.
package struct WebSocketLimits: Sendable {
  /// Bytes of one message from a client.
  package var messageBytes = Limits.frameBytes
  /// Whether binary messages are delivered; else they end the socket with 1003.
  package var takesBinary = false
  /// Messages, and bytes of them, that wait for the door; then no more is read.
  package var unreadMessages = 16
  package var unreadBytes = 262_144
  /// Bytes that wait to be sent beyond what is leaving; one more frame is too much.
  package var backlogBytes = 1_048_576
  /// Below so many the door gets the next message: a client that does not take answers gets no more.
  package var answerBytes = 65_536
  /// Milliseconds in which a client must have taken something of what is leaving, and after which nothing
  /// may still wait behind it; longer behind a long frame.
  package var backlogMilliseconds: Int64 = 10_000
  /// Milliseconds of silence after which the client is asked for a sign of life.
  package var pingMilliseconds: Int64 = 30_000
  /// Milliseconds of silence after which it is given up.
  package var silenceMilliseconds: Int64 = 75_000
  /// Milliseconds for the client to answer a close, and for the last bytes to leave.
  package var closeMilliseconds: Int64 = 1_500
  /// Milliseconds for the door to end what it does when the server stops.
  package var finishMilliseconds: Int64 = 500

  package init() {}

  /// Bytes that are handed to the system at once, unless one frame has more; and of a longer frame those
  /// after which it is noted that the client takes it.
  static let batchBytes = 32_768

  /// Between two looks at a socket; a limit may be overrun by so much.
  var look: TimeAmount {
    .milliseconds(max(10, min(5_000, pingMilliseconds / 4, silenceMilliseconds / 4, backlogMilliseconds / 4)))
  }
}

/// One client's WebSocket, as a door uses it.
///
/// Sending never waits and may be done from any thread; frames leave in the order of the calls. A client
/// that does not take them is closed with 4408.
package final class WebSocket: Sendable {
  /// Who the client is.
  package let principal: Principal
  /// The other end of the connection.
  package let peer: SocketAddress?
  /// What the client calls itself, as it may be shown; may be empty.
  package let clientName: String
  /// When the client's token ends and the socket with it; nil for a key.
  package let expiry: NIODeadline?

  private struct State {
    // From the client.
    var unread: [WebSocketMessage] = []
    var unreadBytes = 0
    /// The door waits for the next message.
    var reader: Reader?
    /// Nothing more will come.
    var isEnded = false
    /// The handler waits for room.
    var isHeldBack = false

    // To the client.
    var outgoing: [Outgoing] = []
    var outgoingBytes = 0
    /// Set once; nothing is sent afterwards.
    var close: Close?
    var isGoingAway = false
    /// The handler will look at all this soon.
    var isWaking = false

    /// Whether the client may send more.
    func hasRoom(_ limits: WebSocketLimits) -> Bool {
      unread.count < limits.unreadMessages && unreadBytes < limits.unreadBytes
    }

    /// The reader with what it waits for, if both are there.
    mutating func takeDelivery(_ limits: WebSocketLimits) -> Delivery? {
      guard let reader else { return nil }
      var message: WebSocketMessage?
      if unread.isEmpty {
        guard isEnded else { return nil }
      } else {
        // Behind the last message a client that does not take its answers can ask for no more of them.
        guard isEnded || outgoingBytes < limits.answerBytes else { return nil }
        message = unread.removeFirst()
        unreadBytes -= message?.bytes.readableBytes ?? 0
      }
      self.reader = nil
      return Delivery(reader: reader, message: message)
    }
  }

  private typealias Reader = CheckedContinuation<WebSocketMessage?, Never>

  private struct Delivery {
    let reader: Reader
    let message: WebSocketMessage?
  }

  private struct Outgoing {
    let frame: ByteBuffer
    let since: NIODeadline
  }

  /// How the server's side ends.
  struct Close: Sendable {
    let code: WebSocketCloseCode
    let reason: String

    var frame: WebSocketFrame { .close(code.rawValue, reason) }
  }

  private let limits: WebSocketLimits
  private let handler: NIOLoopBound<WebSocketHandler>
  private let state = Mutex(State())

  init(
    handler: WebSocketHandler, on eventLoop: any EventLoop, limits: WebSocketLimits, principal: Principal,
    peer: SocketAddress?, clientName: String, expiry: NIODeadline?
  ) {
    self.handler = NIOLoopBound(handler, eventLoop: eventLoop)
    self.limits = limits
    self.principal = principal
    self.peer = peer
    self.clientName = clientName
    self.expiry = expiry
  }

  // MARK: For the door

  /// The client's messages in their order. They end when either side closes, when the server stops, and
  /// when the task that waits for them is cancelled. For one reader at a time.
  ///
  /// While the client does not take what it was sent, it is not heard either.
  package var messages: Messages { Messages(socket: self) }

  /// Calls `body` with every message, one after the other.
  ///
  /// Each call is a task of its own: a task keeps the memory for its deepest call as long as it lives, and
  /// most sockets wait most of the time.
  package func forEachMessage(_ body: @escaping @Sendable (WebSocketMessage) async -> Void) async {
    for await message in messages {
      await withTaskGroup(of: Void.self) { $0.addTask { await body(message) } }
    }
  }

  /// Bytes that wait to be handed to the system, and for how many milliseconds the first of them have.
  package var backlog: (bytes: Int, milliseconds: Int) {
    state.withLock { state in
      (
        state.outgoingBytes,
        state.outgoing.first.map { Int((NIODeadline.now() - $0.since).nanoseconds / 1_000_000) } ?? 0
      )
    }
  }

  /// Whether it was closed because the client did not take what was sent to it.
  package var isTooSlow: Bool { state.withLock { $0.close?.code == .tooSlow } }

  /// Sends one text message; `text` must be UTF-8.
  package func send(_ text: [UInt8]) { send(.text(text)) }

  package func send(_ text: String) { send(.text(text.utf8)) }

  /// Sends a message that was framed before. Once the socket is closing nothing is sent.
  package func send(_ frame: WebSocketFrame) {
    change { state in
      guard state.close == nil else { return }
      guard state.outgoingBytes <= limits.backlogBytes else {
        (state.outgoing, state.outgoingBytes) = ([], 0)
        state.close = .tooSlow
        return
      }
      state.outgoing.append(Outgoing(frame: frame.buffer, since: .now()))
      state.outgoingBytes += frame.buffer.readableBytes
    }
  }

  /// Closes the socket behind what was sent. Later calls, and later messages, change nothing.
  ///
  /// - Parameter reason: At most 123 bytes, for people.
  package func close(_ code: WebSocketCloseCode, _ reason: String = "") {
    change { state in
      guard state.close == nil else { return }
      if code == .tooSlow { (state.outgoing, state.outgoingBytes) = ([], 0) }
      state.close = Close(code: code, reason: reason)
    }
  }

  // MARK: For the connection

  /// The server stops, or the connection's task was cancelled.
  func goAway() {
    change { $0.isGoingAway = true }
  }

  /// Changes something that the handler must hear of.
  private func change(_ body: (inout State) -> Void) {
    change(wakes: true, body)
  }

  /// Changes something; afterwards the door gets a message if it may now, and the handler hears of it if it
  /// waits for room and there is some.
  @discardableResult private func change<Result>(wakes: Bool, _ body: (inout State) -> Result) -> Result {
    let (result, delivery, mustWake) = state.withLock { state in
      let result = body(&state)
      let delivery = state.takeDelivery(limits)
      let mustWake = !state.isWaking && (wakes || (state.isHeldBack && state.hasRoom(limits)))
      if mustWake { state.isWaking = true }
      return (result, delivery, mustWake)
    }
    if let delivery { delivery.reader.resume(returning: delivery.message) }
    if mustWake { handler.eventLoop.execute { [handler] in handler.value.wake() } }
    return result
  }

  /// What is asked of the handler, all since the last time.
  struct Wishes {
    let close: Close?
    let isGoingAway: Bool
    /// There is room for messages again.
    let mayRead: Bool
  }

  func wishes() -> Wishes {
    state.withLock { state in
      state.isWaking = false
      let mayRead = state.isHeldBack && state.hasRoom(limits)
      if mayRead { state.isHeldBack = false }
      return Wishes(close: state.close, isGoingAway: state.isGoingAway, mayRead: mayRead)
    }
  }

  // MARK: Messages

  /// Takes in a message; false if there is no room for another one.
  func deliver(_ message: WebSocketMessage) -> Bool {
    let delivery = state.withLock { state -> (Delivery?, Bool) in
      guard !state.isEnded else { return (nil, true) }
      state.unread.append(message)
      state.unreadBytes += message.bytes.readableBytes
      let delivery = state.takeDelivery(limits)
      state.isHeldBack = !state.hasRoom(limits)
      return (delivery, !state.isHeldBack)
    }
    if let delivery = delivery.0 { delivery.reader.resume(returning: delivery.message) }
    return delivery.1
  }

  /// Nothing more will come.
  ///
  /// - Parameter isFinal: Also what waits is not delivered any more.
  func end(isFinal: Bool) {
    change(wakes: false) { state in
      state.isEnded = true
      if isFinal { (state.unread, state.unreadBytes) = ([], 0) }
    }
  }

  fileprivate func next() async -> WebSocketMessage? {
    await withTaskCancellationHandler {
      await withCheckedContinuation { reader in
        let isCancelled = change(wakes: false) { state in
          precondition(state.reader == nil, "a socket's messages are for one reader at a time")
          // Asked under the lock: a later cancellation finds the reader.
          if Task.isCancelled { return true }
          state.reader = reader
          return false
        }
        if isCancelled { reader.resume(returning: nil) }
      }
    } onCancel: {
      let reader = state.withLock { state -> Reader? in
        defer { state.reader = nil }
        return state.reader
      }
      reader?.resume(returning: nil)
    }
  }

  // MARK: Frames

  /// What leaves together.
  struct Batch {
    var frames: [ByteBuffer] = []
    var bytes = 0
  }

  /// When the first of the frames that wait was sent.
  var waitingSince: NIODeadline? { state.withLock { $0.outgoing.first?.since } }

  /// The next frames to leave, some or `all` of those that wait; nil if there are none.
  func takeBatch(all: Bool = false) -> Batch? {
    let batch = change(wakes: false) { state in
      var batch = Batch()
      for outgoing in state.outgoing {
        let bytes = outgoing.frame.readableBytes
        guard all || batch.frames.isEmpty || batch.bytes + bytes <= WebSocketLimits.batchBytes else { break }
        batch.frames.append(outgoing.frame)
        batch.bytes += bytes
      }
      state.outgoing.removeFirst(batch.frames.count)
      state.outgoingBytes -= batch.bytes
      // An idle socket keeps no memory for a busy one's queue.
      if state.outgoing.isEmpty { state.outgoing = [] }
      return batch
    }
    return batch.frames.isEmpty ? nil : batch
  }
}

extension WebSocket {
  package struct Messages: AsyncSequence, Sendable {
    fileprivate let socket: WebSocket

    package struct AsyncIterator: AsyncIteratorProtocol {
      fileprivate let socket: WebSocket

      package mutating func next() async -> WebSocketMessage? { await socket.next() }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(socket: socket) }
  }
}

extension WebSocket.Close {
  static let goingAway = WebSocket.Close(code: .goingAway, reason: "The server is stopping.")
  static let tooSlow = WebSocket.Close(code: .tooSlow, reason: "Too far behind; resume by version.")
  static let tokenExpired = WebSocket.Close(code: .tokenExpired, reason: "The token has expired.")
}
