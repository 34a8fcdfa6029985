import ConversationModel
import NIOCore
import NIOWebSocket

/// What a socket is asked to do, besides writing texts: an outbound event of its channel.
enum SocketWish: Sendable {
  /// There is room for more again.
  case readOn
  /// A text of which only the latest counts: it takes the place of one that could not leave yet.
  case say(ByteBuffer)
  /// With a close frame behind what was written.
  case close
}

/// Stands between the frames of a socket and its link, for the client: joins and checks what the server
/// sends (RFC 6455 §5), answers pings, notices silence, closes.
///
/// All state belongs to the connection's event loop. What is kept is bounded: one message that is not whole
/// yet, one answer to a ping, one `say`. When the link has no room, nothing is read.
final class WebSocketHandler: ChannelDuplexHandler {
  typealias InboundIn = WebSocketFrame
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = WebSocketFrame

  private enum Phase {
    case open
    /// Our close is said; what comes is thrown away.
    case closing
    case closed
  }

  private let link: LiveLink
  private var phase = Phase.open
  /// A message that is not whole yet.
  private var partial: ByteBuffer?
  /// Times in a row that nothing came.
  private var silences = 0
  private var isHeldBack = false
  private var wantsRead = false
  /// What leaves when the system takes bytes again.
  private var pong: ByteBuffer?
  private var saying: ByteBuffer?

  init(link: LiveLink) {
    self.link = link
  }

  /// Times that nothing may come; each but the last asks the server for a sign of life.
  static let silencesAllowed = 3
  /// For the server to answer a close.
  private static let closePatience = TimeAmount.seconds(1)

  // MARK: Reading

  func read(context: ChannelHandlerContext) {
    if isHeldBack { wantsRead = true } else { context.read() }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    silences = 0
    guard phase != .closed else { return }
    let frame = unwrapInboundIn(data)
    do throws(SocketFault) {
      try take(frame, context)
    } catch {
      fail(error, context)
    }
  }

  private func take(_ frame: WebSocketFrame, _ context: ChannelHandlerContext) throws(SocketFault) {
    guard frame.maskKey == nil, !frame.rsv1, !frame.rsv2, !frame.rsv3 else { throw .unsound }
    switch frame.opcode {
    case .text:
      guard partial == nil else { throw .unsound }
      if frame.fin { try deliver(frame.data) } else { try join(ByteBuffer(), frame) }
    case .continuation:
      guard let partial else { throw .unsound }
      self.partial = nil
      try join(partial, frame)
    case .ping:
      guard phase == .open else { return }
      pong = frame.data
      sayLatest(context)
    case .pong: break
    case .connectionClose: closed(by: frame.data, context)
    default: throw .unsound
    }
  }

  /// Adds a part to a message.
  private func join(_ start: ByteBuffer, _ frame: WebSocketFrame) throws(SocketFault) {
    var whole = start
    guard whole.readableBytes + frame.length <= Limits.serverFrameBytes else { throw .tooLong }
    whole.writeImmutableBuffer(frame.data)
    if frame.fin { try deliver(whole) } else { partial = whole }
  }

  private func deliver(_ text: ByteBuffer) throws(SocketFault) {
    guard phase == .open else { return }
    do throws(ConversationError) {
      isHeldBack = try !link.take(text)
    } catch {
      throw SocketFault(.dataInconsistentWithMessage, error)
    }
  }

  // MARK: Writing

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard phase == .open else {
      promise?.fail(ChannelError.alreadyClosed)
      return
    }
    write(.text, unwrapOutboundIn(data), context, promise)
  }

  private func write(
    _ opcode: WebSocketOpcode, _ bytes: ByteBuffer, _ context: ChannelHandlerContext,
    _ promise: EventLoopPromise<Void>? = nil
  ) {
    // RFC 6455 §5.3: a client masks, each frame with a key that nobody can foretell.
    let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: bytes)
    context.write(wrapOutboundOut(frame), promise: promise)
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    sayLatest(context)
    context.fireChannelWritabilityChanged()
  }

  /// Sends what is sent once however often it was asked for: a server that pings and does not read would
  /// fill the memory otherwise.
  private func sayLatest(_ context: ChannelHandlerContext) {
    guard phase == .open, context.channel.isWritable, pong != nil || saying != nil else { return }
    if let pong { write(.pong, pong, context) }
    if let saying { write(.text, saying, context) }
    (pong, saying) = (nil, nil)
    context.flush()
  }

  // MARK: Events

  func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
    guard let wish = event as? SocketWish else {
      return context.triggerUserOutboundEvent(event, promise: promise)
    }
    promise?.succeed()
    switch wish {
    case .readOn: readOn(context)
    case .say(let text):
      saying = text
      sayLatest(context)
    case .close: close(.normalClosure, context)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard event is IdleStateHandler.IdleStateEvent else { return context.fireUserInboundEventTriggered(event) }
    guard phase == .open else { return }
    if isHeldBack {
      // It is this side that does not listen; the server may know that it is there.
      pong = ByteBuffer()
    } else {
      silences += 1
      guard silences < Self.silencesAllowed else {
        return fail(SocketFault(.goingAway, .brokenConnection("Nothing was heard from the server.")), context)
      }
      guard context.channel.isWritable else { return }
      write(.ping, ByteBuffer(), context)
      context.flush()
    }
    sayLatest(context)
  }

  private func readOn(_ context: ChannelHandlerContext) {
    isHeldBack = false
    silences = 0
    guard wantsRead else { return }
    wantsRead = false
    context.read()
  }

  // MARK: Ends

  private func fail(_ fault: SocketFault, _ context: ChannelHandlerContext) {
    link.end(fault.error)
    close(fault.code, context)
  }

  /// Says goodbye, and gives the server a moment to answer.
  private func close(_ code: WebSocketErrorCode, _ context: ChannelHandlerContext) {
    guard phase == .open else { return }
    var bytes = ByteBuffer()
    bytes.write(webSocketErrorCode: code)
    write(.connectionClose, bytes, context)
    context.flush()
    phase = .closing
    partial = nil
    context.eventLoop.assumeIsolated().scheduleTask(in: Self.closePatience) { context.close(promise: nil) }
    readOn(context)
  }

  /// The server has closed: it says why, and hears its own words.
  private func closed(by data: ByteBuffer, _ context: ChannelHandlerContext) {
    var data = data
    let code: UInt16? = data.readInteger()
    link.end(.closed(code, reason: data.readString(length: data.readableBytes) ?? ""))
    if phase == .open {
      var answer = ByteBuffer()
      if let code { answer.writeInteger(code) }
      write(.connectionClose, answer, context)
      context.flush()
    }
    phase = .closed
    context.close(promise: nil)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    switch error {
    case NIOWebSocketError.invalidFrameLength: fail(.tooLong, context)
    case is NIOWebSocketError: fail(.unsound, context)
    default:
      link.end(.brokenConnection("The connection to the server broke.", error))
      context.close(promise: nil)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    end()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { end() }

  private func end() {
    phase = .closed
    (partial, pong, saying) = (nil, nil, nil)
    link.end(.brokenConnection("The connection to the server broke."))
  }
}

/// Why a socket is given up, and what the server is told.
private struct SocketFault: Error {
  let code: WebSocketErrorCode
  let error: ConversationError

  init(_ code: WebSocketErrorCode, _ error: ConversationError) {
    self.code = code
    self.error = error
  }

  static let unsound = SocketFault(
    .protocolError, ConversationError(.internal, "The server's answer cannot be read: it is no sound WebSocket."))
  static let tooLong = SocketFault(
    .messageTooLarge,
    ConversationError(
      .internal,
      "The server's answer cannot be read: a message is longer than \(Limits.serverFrameBytes) bytes."))
}

extension ConversationError {
  static func brokenConnection(_ message: String, _ underlying: (any Error)? = nil) -> ConversationError {
    ConversationError(
      .unavailable, message + " Attach again with the last version seen.", underlying: underlying)
  }

  /// What a close code of the server's means for whoever listens.
  fileprivate static func closed(_ code: UInt16?, reason: String) -> ConversationError {
    switch code {
    case 1_001: ConversationError(.unavailable, reason.isEmpty ? "The server is stopping." : reason)
    case 1_008: ConversationError(.forbidden, "The server does not allow this connection.")
    case 1_002, 1_003, 1_007, 1_009:
      ConversationError(.internal, "The server does not understand this client.")
    case 4_401: ConversationError(.unauthenticated, "The token has ended; attach again with a new one.")
    case 4_408: .brokenConnection("The connection did not take what was sent to it.")
    default: .brokenConnection("The server closed the connection.")
    }
  }
}
