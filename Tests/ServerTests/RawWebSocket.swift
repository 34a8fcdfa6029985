import Foundation
import Glibc
import Testing

/// A client of WebSockets that can say anything, also what is wrong, and shows what it hears as text:
/// `text:hello`, `pong:x`, `close:1002`.
///
/// It blocks, so it runs on threads of its own: the server's tasks need those of the pool.
final class RawWebSocket: @unchecked Sendable {
  // Used by one call at a time: each is awaited before the next.
  private let descriptor: Int32
  private var received: [UInt8] = []
  private(set) var isEnded = false

  static let key = "dGhlIHNhbXBsZSBub25jZQ=="

  /// - Parameter receiveBytes: Makes the inbox small, for a client that does not listen.
  init(port: Int, receiveBytes: Int32? = nil) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    func set(_ level: Int32, _ option: Int32, _ value: some Any) {
      withUnsafeBytes(of: value) { _ = setsockopt(descriptor, level, option, $0.baseAddress, socklen_t($0.count)) }
    }
    set(SOL_SOCKET, SO_RCVTIMEO, timeval(tv_sec: 10, tv_usec: 0))
    set(SOL_SOCKET, SO_SNDTIMEO, timeval(tv_sec: 1, tv_usec: 0))
    set(Int32(IPPROTO_TCP), TCP_NODELAY, 1 as Int32)
    if let receiveBytes { set(SOL_SOCKET, SO_RCVBUF, receiveBytes) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(result == 0)
  }

  deinit { close(descriptor) }

  private func onThread<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { done in
      Thread.detachNewThread { done.resume(returning: work()) }
    }
  }

  // MARK: Speaking

  /// Bytes that were taken before the server had not listened for a second.
  @discardableResult func send(_ bytes: [UInt8], oneByOne: Bool = false) async -> Int {
    await onThread { [self] in
      var sent = 0
      while sent < bytes.count {
        let count = bytes[sent...].withUnsafeBytes {
          Glibc.send(descriptor, $0.baseAddress, oneByOne ? 1 : $0.count, Int32(MSG_NOSIGNAL))
        }
        guard count > 0 else { break }
        sent += count
      }
      return sent
    }
  }

  /// Says that nothing more will come.
  func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// The head of a request that asks for a WebSocket; a header here replaces the default one, nil takes it away.
  static func head(_ target: String = "/v1/live", _ changes: [String: String?] = [:], more: [String] = []) -> [UInt8] {
    var headers: [String: String] = [
      "Host": "test", "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": key,
    ]
    for (name, value) in changes { headers[name] = value }
    let lines = ["GET \(target) HTTP/1.1"] + headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" } + more
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
  }

  // MARK: Hearing

  private func receive() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = read(descriptor, &buffer, buffer.count)
    guard count > 0 else {
      // A reset is an end too; a timeout is none.
      isEnded = count == 0 || errno == ECONNRESET
      return false
    }
    received += buffer.prefix(count)
    return true
  }

  /// The head of the answer, in lower case.
  func head() async -> String {
    await onThread { [self] in
      let end = Array("\r\n\r\n".utf8)
      while received.firstRange(of: end) == nil, receive() {}
      let index = received.firstRange(of: end)?.upperBound ?? received.endIndex
      defer { received.removeFirst(index) }
      return String(decoding: received[..<index], as: UTF8.self).lowercased()
    }
  }

  /// Everything until the server closes.
  func rest() async -> String {
    await onThread { [self] in
      while receive() {}
      return String(decoding: received, as: UTF8.self)
    }
  }

  /// The next frame; nil at the end.
  func frame() async -> String? {
    await onThread { [self] in
      repeat {
        if let frame = takeFrame() { return frame }
      } while receive()
      return nil
    }
  }

  /// All frames until the server closes.
  func frames() async -> [String] {
    var frames: [String] = []
    while let frame = await frame() { frames.append(frame) }
    return frames
  }

  private func takeFrame() -> String? {
    guard received.count >= 2 else { return nil }
    let short = Int(received[1])
    let lengthBytes = short == 126 ? 2 : short == 127 ? 8 : 0
    guard received.count >= 2 + lengthBytes else { return nil }
    let length = lengthBytes == 0 ? short : received[2..<2 + lengthBytes].reduce(0) { $0 << 8 | Int($1) }
    guard received.count >= 2 + lengthBytes + length else { return nil }
    let first = received[0]
    let payload = received[(2 + lengthBytes)..<(2 + lengthBytes + length)]
    defer { received.removeFirst(2 + lengthBytes + length) }
    let text = String(decoding: payload, as: UTF8.self)
    switch first {
    case 0x81: return "text:\(text)"
    case 0x82: return "binary:\(payload.count)"
    case 0x89: return "ping:\(text)"
    case 0x8A: return "pong:\(text)"
    case 0x88: return "close:" + (payload.isEmpty ? "" : "\(payload.prefix(2).reduce(0) { $0 << 8 | Int($1) })")
    default: return "wrong:\(first)"
    }
  }
}

/// A client's frame.
///
/// - Parameter first: The first byte: the end bit, reserved bits, the opcode.
/// - Parameter lengthBytes: 0, 2 or 8; nil for as few as it takes.
func frame(
  _ first: UInt8, _ payload: [UInt8], length: Int? = nil, lengthBytes: Int? = nil, isMasked: Bool = true
) -> [UInt8] {
  let length = length ?? payload.count
  let lengthBytes = lengthBytes ?? (length < 126 ? 0 : length < 65_536 ? 2 : 8)
  let short = lengthBytes == 0 ? UInt8(length) : lengthBytes == 2 ? 126 : 127
  let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
  var bytes: [UInt8] = [first, short | (isMasked ? 0x80 : 0)]
  for place in (0..<lengthBytes).reversed() { bytes.append(UInt8(truncatingIfNeeded: length >> (8 * place))) }
  guard isMasked else { return bytes + payload }
  bytes += key
  for (index, byte) in payload.enumerated() { bytes.append(byte ^ key[index % 4]) }
  return bytes
}

func frame(_ first: UInt8, _ text: String) -> [UInt8] { frame(first, Array(text.utf8)) }

func closeFrame(_ code: Int, _ reason: [UInt8] = []) -> [UInt8] {
  frame(0x88, [UInt8(code >> 8), UInt8(code & 0xFF)] + reason)
}
