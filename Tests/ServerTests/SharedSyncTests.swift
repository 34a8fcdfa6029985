import CSyncProbe
import Testing

/// How many syncs the saves of many clients cost, counted while each sync takes 10 ms as on a real disk.
///
/// Run by itself: requests that wait for a processor, not for the disk, cannot share a sync.
@Suite struct SharedSyncTests {
  @Test func `64 clients over HTTP share syncs, and every 201 is behind one`() async throws {
    try await RunningServer.with { server in
      var clients: [(token: String, path: String)] = []
      for _ in 0..<64 {
        let (_, token) = try await server.user()
        clients.append((token, "/v1/conversations/\(try await server.conversation(token))/messages"))
      }
      let watch = sync_probe_watch(server.directory, 10_000)
      defer { sync_probe_forget(watch) }
      let saves = try await withThrowingTaskGroup(of: [(begin: Int64, end: Int64)].self) { group in
        for client in clients {
          group.addTask {
            var saves: [(begin: Int64, end: Int64)] = []
            for round in 0..<20 {
              let begin = sync_probe_now()
              let answer = try await server.send(
                "POST", client.path, token: client.token, body: #"{"role":"user","content":"\#(round)"}"#)
              saves.append((begin, sync_probe_now()))
              #expect(answer.status == 201)
            }
            return saves
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
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
