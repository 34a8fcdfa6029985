import NIOCore

/// Why a client's bytes are no sound WebSocket, with the code that it is told.
struct WebSocketFault: Error, Equatable {
  let code: WebSocketCloseCode
  let reason: String

  init(_ code: WebSocketCloseCode, _ reason: String) {
    self.code = code
    self.reason = reason
  }
}

/// Reads what a client sends over a WebSocket (RFC 6455 §5), byte by byte if it comes like that.
///
/// It finds every fault as early as the bytes tell, so that nobody can make a server wait for the end of
/// what is wrong already. It never asks for more memory than has arrived.
struct FrameReader {
  enum Event: Equatable {
    case message(WebSocketMessage)
    case ping(ByteBuffer)
    case pong
    /// With the code that the client gave, if it gave one.
    case close(UInt16?)
  }

  private enum Opcode: UInt8 {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    var isControl: Bool { rawValue >= 0x8 }
  }

  private struct Header {
    let opcode: Opcode
    let isFinal: Bool
    let key: UInt32
    let length: Int
    /// Bytes of the payload that were read.
    var taken = 0
  }

  /// A data message of which at least the first header came.
  private struct Partial {
    var bytes = ByteBuffer()
    let isText: Bool
    var utf8 = UTF8Check()
  }

  private let limits: WebSocketLimits
  private var header: Header?
  private var partial: Partial?
  private var control = ByteBuffer()

  init(limits: WebSocketLimits) {
    self.limits = limits
  }

  /// The next thing that `input` holds to its end; nil if more bytes are needed.
  ///
  /// - Throws: `WebSocketFault`; nothing that follows can be read then.
  mutating func next(_ input: inout ByteBuffer) throws(WebSocketFault) -> Event? {
    while true {
      if header == nil { header = try readHeader(&input) }
      guard let header else { return nil }
      try takePayload(header, &input)
      guard self.header?.taken == header.length else { return nil }
      self.header = nil
      if let event = try end(of: header) { return event }
    }
  }

  // MARK: Headers

  private mutating func readHeader(_ input: inout ByteBuffer) throws(WebSocketFault) -> Header? {
    guard let first: UInt8 = input.getInteger(at: input.readerIndex) else { return nil }
    guard first & 0x70 == 0 else { throw WebSocketFault(.protocolError, "A reserved bit is set.") }
    guard let opcode = Opcode(rawValue: first & 0x0F) else {
      throw WebSocketFault(.protocolError, "There is no such opcode.")
    }
    let isFinal = first & 0x80 != 0
    try checkPlace(of: opcode, isFinal)
    guard let second: UInt8 = input.getInteger(at: input.readerIndex + 1) else { return nil }
    guard second & 0x80 != 0 else { throw WebSocketFault(.protocolError, "A client masks its frames.") }
    let short = second & 0x7F
    guard !opcode.isControl || short <= 125 else {
      throw WebSocketFault(.protocolError, "A control frame holds 125 bytes at most.")
    }
    let lengthBytes = short == 126 ? 2 : short == 127 ? 8 : 0
    guard let length = try Self.length(short, input, at: input.readerIndex + 2) else { return nil }
    guard opcode.isControl || length <= limits.messageBytes - (partial?.bytes.readableBytes ?? 0) else {
      throw WebSocketFault(.tooLarge, "A message holds \(limits.messageBytes) bytes at most.")
    }
    guard let key: UInt32 = input.getInteger(at: input.readerIndex + 2 + lengthBytes, endianness: .host) else {
      return nil
    }
    input.moveReaderIndex(forwardBy: 2 + lengthBytes + 4)
    if opcode == .text || opcode == .binary { partial = Partial(isText: opcode == .text) }
    return Header(opcode: opcode, isFinal: isFinal, key: key, length: length)
  }

  private func checkPlace(of opcode: Opcode, _ isFinal: Bool) throws(WebSocketFault) {
    switch opcode {
    case .close, .ping, .pong:
      guard isFinal else { throw WebSocketFault(.protocolError, "A control frame comes in one piece.") }
    case .continuation:
      guard partial != nil else { throw WebSocketFault(.protocolError, "There is nothing to be continued.") }
    case .text, .binary:
      guard partial == nil else { throw WebSocketFault(.protocolError, "The message before has not ended.") }
      guard opcode == .text || limits.takesBinary else {
        throw WebSocketFault(.unsupportedData, "Messages are text here.")
      }
    }
  }

  /// Nil if it has not come yet.
  ///
  /// - Throws: For a length that is written longer than needed, or too large for anything.
  private static func length(_ short: UInt8, _ input: ByteBuffer, at index: Int) throws(WebSocketFault) -> Int? {
    let shortest: UInt64
    let length: UInt64
    switch short {
    case 126:
      guard let value: UInt16 = input.getInteger(at: index) else { return nil }
      (length, shortest) = (UInt64(value), 126)
    case 127:
      guard let value: UInt64 = input.getInteger(at: index) else { return nil }
      (length, shortest) = (value, 65_536)
    default:
      return Int(short)
    }
    guard length >= shortest, let length = Int(exactly: length) else {
      throw WebSocketFault(.protocolError, "A length is written as short as possible, in 63 bits.")
    }
    return length
  }

  // MARK: Payloads

  private mutating func takePayload(_ header: Header, _ input: inout ByteBuffer) throws(WebSocketFault) {
    guard let slice = input.readSlice(length: min(input.readableBytes, header.length - header.taken)),
      slice.readableBytes > 0
    else { return }
    self.header?.taken += slice.readableBytes
    if header.opcode.isControl {
      Self.append(slice, to: &control, header)
    } else if var partial {
      // Taken out, so that its bytes have one owner and are not copied.
      self.partial = nil
      let start = partial.bytes.readableBytes
      Self.append(slice, to: &partial.bytes, header)
      if partial.isText {
        let isSound = partial.bytes.withUnsafeReadableBytes { partial.utf8.take($0[start...]) }
        guard isSound else { throw .notUTF8 }
      }
      self.partial = partial
    }
  }

  private static func append(_ slice: ByteBuffer, to bytes: inout ByteBuffer, _ header: Header) {
    let start = bytes.readableBytes
    bytes.writeImmutableBuffer(slice)
    bytes.withUnsafeMutableReadableBytes { bytes in
      unmask(UnsafeMutableRawBufferPointer(rebasing: bytes[start...]), header.key, from: header.taken)
    }
  }

  /// - Parameter start: The place of the first byte in its payload.
  private static func unmask(_ bytes: UnsafeMutableRawBufferPointer, _ key: UInt32, from start: Int) {
    // As the key lies in memory, from the byte on that is next.
    let shift = UInt32(start % 4) * 8
    let little = UInt32(littleEndian: key)
    let turned = shift == 0 ? little : little >> shift | little << (32 - shift)
    let word = UInt64(turned) << 32 | UInt64(turned)
    var index = 0
    while index &+ 8 <= bytes.count {
      let masked = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      bytes.storeBytes(of: (masked ^ word).littleEndian, toByteOffset: index, as: UInt64.self)
      index &+= 8
    }
    while index < bytes.count {
      bytes[index] ^= UInt8(truncatingIfNeeded: word >> (UInt64(index % 8) * 8))
      index &+= 1
    }
  }

  // MARK: Ends

  private mutating func end(of header: Header) throws(WebSocketFault) -> Event? {
    switch header.opcode {
    case .continuation, .text, .binary:
      guard header.isFinal, let whole = partial else { return nil }
      partial = nil
      guard !whole.isText || whole.utf8.isComplete else { throw .notUTF8 }
      return .message(WebSocketMessage(bytes: whole.bytes, isText: whole.isText))
    case .ping:
      defer { control = ByteBuffer() }
      return .ping(control)
    case .pong:
      control = ByteBuffer()
      return .pong
    case .close:
      defer { control = ByteBuffer() }
      return .close(try closeCode())
    }
  }

  private mutating func closeCode() throws(WebSocketFault) -> UInt16? {
    guard control.readableBytes > 0 else { return nil }
    guard let code: UInt16 = control.readInteger() else {
      throw WebSocketFault(.protocolError, "A close code has two bytes.")
    }
    // Those that RFC 6455 §7.4.2 and the registry behind it let an endpoint send.
    switch code {
    case 1_000...1_003, 1_007...1_014, 3_000...4_999: break
    default: throw WebSocketFault(.protocolError, "There is no such close code.")
    }
    var reason = UTF8Check()
    guard control.withUnsafeReadableBytes({ reason.take($0[...]) }), reason.isComplete else { throw .notUTF8 }
    return code
  }
}

extension WebSocketFault {
  fileprivate static let notUTF8 = WebSocketFault(.invalidText, "Text is UTF-8.")
}

/// Checks that bytes are UTF-8 (RFC 3629) while they come.
struct UTF8Check {
  /// Bytes that the scalar still needs.
  private var missing = 0
  /// What the next of them may be: the second byte rules out overlong forms, surrogates and what lies
  /// beyond U+10FFFF.
  private var next: ClosedRange<UInt8> = 0x80...0xBF

  /// Whether no scalar is cut off.
  var isComplete: Bool { missing == 0 }

  /// False as soon as what came can be no UTF-8, whatever follows.
  mutating func take(_ bytes: Slice<UnsafeRawBufferPointer>) -> Bool {
    let bytes = UnsafeRawBufferPointer(rebasing: bytes)
    var index = 0
    while index < bytes.count {
      if missing == 0, index &+ 8 <= bytes.count,
        bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
      {
        index &+= 8
        continue
      }
      guard take(bytes[index]) else { return false }
      index &+= 1
    }
    return true
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    if missing > 0 {
      guard next.contains(byte) else { return false }
      missing -= 1
      next = 0x80...0xBF
      return true
    }
    switch byte {
    case 0x00...0x7F: return true
    case 0xC2...0xDF: missing = 1
    case 0xE0: (missing, next) = (2, 0xA0...0xBF)
    case 0xE1...0xEC, 0xEE...0xEF: missing = 2
    case 0xED: (missing, next) = (2, 0x80...0x9F)
    case 0xF0: (missing, next) = (3, 0x90...0xBF)
    case 0xF1...0xF3: missing = 3
    case 0xF4: (missing, next) = (3, 0x80...0x8F)
    default: return false
    }
    return true
  }
}
