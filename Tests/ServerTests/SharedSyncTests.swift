import CSyncProbe
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
