import Foundation
import Glibc
import Synchronization
import Testing

/// A plain socket that answers by a script of the test's own, byte by byte if need be. One thread for each
/// connection.
final class ScriptedServer: Sendable {
  /// One request as it came.
  struct Request: Sendable {
    /// How many came before it, over all connections.
    let number: Int
    let head: String
    let body: String
  }

  let port: Int
  private let descriptor: Int32
  private let state = Mutex<(requests: [Request], connections: Int)>(([], 0))

  var requests: [Request] { state.withLock { $0.requests } }
  var connectionCount: Int { state.withLock { $0.connections } }

  /// - Parameter answer: Gets each request; the connection ends when it returns false.
  init(_ answer: @escaping @Sendable (_ request: Request, _ connection: Int32) -> Bool) throws {
    let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
        bind(listening, name, length) == 0 && getsockname(listening, name, &length) == 0
      }
    }
    try #require(isBound && listen(listening, 64) == 0)
    descriptor = listening
    port = Int(in_port_t(bigEndian: address.sin_port))
    startThread { [self] in
      while true {
        let connection = accept(listening, nil, nil)
        guard connection >= 0 else { return }
        var one: Int32 = 1
        setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        state.withLock { $0.connections += 1 }
        startThread {
          while let request = self.receive(connection), answer(request, connection) {}
          Glibc.close(connection)
        }
      }
    }
  }

  /// The answers in their order, the last one again and again; each is the whole of what is sent.
  convenience init(answers: [[UInt8]], keepsOpen: Bool = true) throws {
    try self.init { request, connection in
      sendAll(answers[min(request.number, answers.count - 1)], to: connection) && keepsOpen
    }
  }

  func close() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  private func receive(_ connection: Int32) -> Request? {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let text = String(decoding: bytes, as: UTF8.self)
      if let end = text.range(of: "\r\n\r\n") {
        let head = String(text[..<end.lowerBound])
        let body = String(text[end.upperBound...])
        let length = head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
          .flatMap { Int($0.split(separator: " ")[1]) }
        if body.utf8.count >= length ?? 0 {
          return state.withLock { state in
            let request = Request(number: state.requests.count, head: head, body: body)
            state.requests.append(request)
            return request
          }
        }
      }
      let count = recv(connection, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      bytes += buffer.prefix(count)
    }
  }
}

private func startThread(_ body: @escaping @Sendable () -> Void) {
  final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var thread = pthread_t()
  pthread_create(
    &thread, nil,
    { argument in
      Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
      return nil
    }, Unmanaged.passRetained(Box(body)).toOpaque())
  pthread_detach(thread)
}

/// - Returns: False if the other side has closed.
@discardableResult
func sendAll(_ bytes: [UInt8], to connection: Int32) -> Bool {
  var sent = 0
  while sent < bytes.count {
    let count = bytes[sent...].withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    guard count > 0 else { return false }
    sent += count
  }
  return true
}

func sendAll(_ text: String, to connection: Int32) -> Bool { sendAll(Array(text.utf8), to: connection) }

/// Waits until the other side closes, half a minute at most.
func isClosedSoon(_ connection: Int32) -> Bool {
  var patience = timeval(tv_sec: 30, tv_usec: 0)
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
  var byte: UInt8 = 0
  let count = recv(connection, &byte, 1, 0)
  return count == 0 || count < 0 && errno == ECONNRESET
}

// MARK: Answers

/// The head of a chunked event stream.
let streamHead =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"

func chunk(_ text: String) -> String { "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n" }

/// A whole event stream in one chunk.
func stream(_ text: String) -> [UInt8] { Array((streamHead + chunk(text) + "0\r\n\r\n").utf8) }

/// A whole answer that is no stream.
func answer(_ status: String, _ body: String, _ headers: String = "") -> [UInt8] {
  Array(
    "HTTP/1.1 \(status)\r\ncontent-type: application/json\r\n\(headers)content-length: \(body.utf8.count)\r\n\r\n\(body)"
      .utf8)
}
