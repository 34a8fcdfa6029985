import Foundation
import Glibc
import Testing

/// A plain socket that answers each connection by a script of the test's own: for servers that misbehave.
///
/// One thread, one connection at a time.
final class RawServer: Sendable {
  let port: Int
  private let descriptor: Int32

  /// - Parameter serve: Gets the descriptor of the n-th connection, from 0; it is closed behind it.
  init(_ serve: @escaping @Sendable (_ connection: Int32, _ number: Int) -> Void) throws {
    let free = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = loopback(port: 0)
    try #require(Self.bound(free, &address))
    Glibc.close(free)
    // Bound by its number: a port that the system chose is given back with the shutdown, and the server of
    // another test might answer in the place of one that is gone.
    let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    try #require(Self.bound(listening, &address) && listen(listening, 16) == 0)
    descriptor = listening
    port = Int(in_port_t(bigEndian: address.sin_port))
    startThread {
      var number = 0
      while true {
        let connection = accept(listening, nil, nil)
        guard connection >= 0 else { return }
        serve(connection, number)
        Glibc.close(connection)
        number += 1
      }
    }
  }

  /// Binds a socket, and says to which address.
  private static func bound(_ descriptor: Int32, _ address: inout sockaddr_in) -> Bool {
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
        bind(descriptor, name, length) == 0 && getsockname(descriptor, name, &length) == 0
      }
    }
  }

  /// Takes no more connections. The socket stays bound as long as the tests run, so that the server of
  /// another test cannot answer in its place.
  func close() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Answers every request with this, and closes; without a status it is not even HTTP.
  static func answering(_ status: String, _ body: String) throws -> RawServer {
    let head =
      status.isEmpty
      ? "" : "HTTP/1.1 \(status)\r\nconnection: close\r\nlocation: /\r\ncontent-length: \(body.utf8.count)\r\n\r\n"
    return try RawServer { connection, _ in
      _ = receiveRequest(connection)
      sendAll(Array((head + body + (status.isEmpty ? "\r\n\r\n" : "")).utf8), to: connection)
    }
  }

  /// Hands requests on to a real server, and drops the answer to the first one.
  static func losingFirstAnswer(of port: Int) throws -> RawServer {
    try RawServer { connection, number in
      while let request = receiveRequest(connection) {
        guard let answer = ask(port, request) else { return }
        if number == 0 { return }
        sendAll(answer, to: connection)
      }
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

private func loopback(port: Int) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = in_port_t(port).bigEndian
  address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
  return address
}

/// Reads one request, or answer, whose body has a `content-length` if there is one; nil if the connection ends.
func receiveRequest(_ connection: Int32) -> [UInt8]? {
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65_536)
  while true {
    let text = String(decoding: bytes, as: UTF8.self)
    if let head = text.range(of: "\r\n\r\n") {
      let length = text[..<head.lowerBound].lowercased().split(separator: "\r\n")
        .first { $0.hasPrefix("content-length:") }.flatMap { Int($0.split(separator: " ")[1]) }
      if text[head.upperBound...].utf8.count >= length ?? 0 { return bytes }
    }
    let count = recv(connection, &buffer, buffer.count, 0)
    guard count > 0 else { return nil }
    bytes += buffer.prefix(count)
  }
}

@discardableResult
func sendAll(_ bytes: [UInt8], to connection: Int32) -> Bool {
  var sent = 0
  while sent < bytes.count {
    let count = bytes[sent...].withUnsafeBytes {
      send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
    }
    guard count > 0 else { return false }
    sent += count
  }
  return true
}

/// Sends a request on a connection of its own and reads the answer.
private func ask(_ port: Int, _ request: [UInt8]) -> [UInt8]? {
  let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(connection) }
  var address = loopback(port: port)
  let result = withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  guard result == 0 else { return nil }
  sendAll(request, to: connection)
  return receiveRequest(connection)
}
