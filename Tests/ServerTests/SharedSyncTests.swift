import CSyncProbe
import Glibc
import Testing

/// How many syncs the saves of many clients cost, counted while each sync takes 10 ms as on a real disk.
///
/// Run by itself, and with clients that cost next to nothing: requests that wait for a processor, not
/// for the disk, cannot share a sync.
@Suite(.timeLimit(.minutes(2))) struct SharedSyncTests {
  @Test func `64 clients over HTTP share syncs, and every 201 is behind one`() async throws {
    try await RunningServer.with { server in
      var clients: [(connection: PlainConnection, request: [UInt8])] = []
      for _ in 0..<64 {
        let (_, token) = try await server.user()
        let path = "/v1/conversations/\(try await server.conversation(token))/messages"
        let body = #"{"role":"user","content":"\#(String(repeating: "x", count: 300))"}"#
        let head =
          "POST \(path) HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer \(token)\r\n"
          + "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        clients.append((try PlainConnection(port: server.port), Array((head + body).utf8)))
      }
      let watch = sync_probe_watch(server.directory, 10_000)
      defer { sync_probe_forget(watch) }
      var saves: [(begin: Int64, end: Int64)] = []
      for _ in 0..<20 {
        var begins: [Int64] = []
        for client in clients {
          begins.append(sync_probe_now())
          client.connection.send(client.request)
        }
        for (client, begin) in zip(clients, begins) {
          #expect(client.connection.status() == "201")
          saves.append((begin, sync_probe_now()))
        }
      }
      let syncs = (0..<sync_probe_count(watch)).map {
        (begin: sync_probe_begin(watch, $0), end: sync_probe_end(watch, $0))
      }
      #expect(syncs.count * 16 <= saves.count, "\(syncs.count) syncs for \(saves.count) saves")
      for save in saves { #expect(syncs.contains { $0.begin >= save.begin && $0.end <= save.end }) }
      print("syncs: \(syncs.count) for \(saves.count) saves over HTTP at 64 clients")
    }
  }
}

/// A blocking socket that sends made requests and reads answers, which are known to be small.
private final class PlainConnection {
  private let descriptor: Int32

  init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
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

  func send(_ request: [UInt8]) { _ = write(descriptor, request, request.count) }

  /// The status of the next answer, read to the end of its JSON object.
  func status() -> String {
    var answer: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4_096)
    repeat {
      let count = read(descriptor, &buffer, buffer.count)
      guard count > 0 else { break }
      answer += buffer.prefix(count)
    } while answer.last != UInt8(ascii: "}")
    return String(decoding: answer.dropFirst("HTTP/1.1 ".utf8.count).prefix(3), as: UTF8.self)
  }
}
