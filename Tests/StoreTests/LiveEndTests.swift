import ConversationModel
import Testing

/// How live connections end, and what a server tells of them.
@Suite(.timeLimit(.minutes(3))) struct LiveEndTests {
  @Test(arguments: LiveBackend.allCases)
  func `a reader that is too slow is told so, and goes on without a gap`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      let slow = try await world.attach(conversation)
      switch backend {
      case .inside:
        // Somebody else reads along, so that it is known how far the server is.
        let witness = try await world.attach(conversation)
        for number in 0...Limits.liveEvents {
          try await world.append("\(number)", to: conversation)
          #expect(try await witness.changes().version == number + 2)
        }
      case .remote:
        // More than the system's buffers hold.
        let text = String(repeating: "x", count: Limits.contentBytes)
        for _ in 0..<100 { try await world.append(text, to: conversation) }
      }
      let (versions, error) = await slow.rest()
      #expect(error?.code == .unavailable)
      #expect(versions == Array((1...).prefix(versions.count + 1).dropFirst()))
      let known = versions.last ?? 1
      let now = try await world.store.conversation(.id(conversation.id), as: .service)
      #expect(known < now.version)
      let again = try await world.attach(conversation, since: known)
      #expect(again.start.version == now.version)
      switch again.start.content {
      case .missed(let missed): #expect(missed.map(\.version).max() == now.version)
      case .page(let page, let isResync): #expect(isResync && page.messages.last?.position == now.headPosition)
      }
      try await world.append("next", to: conversation)
      #expect(try await again.changes().version == now.version + 1)
    }
  }

  /// A reader that comes back late, but in time, has missed nothing.
  @Test(arguments: LiveBackend.allCases)
  func `events wait for their reader`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      let connection = try await world.attach(conversation)
      let last = Limits.liveEvents
      for number in 2...last { try await world.append("\(number)", to: conversation) }
      for version in 2...last { #expect(try await connection.changes().version == version) }
    }
  }

  @Test(arguments: LiveBackend.allCases)
  func `a server that stops ends its connections, and the next one goes on`(_ backend: LiveBackend) async throws {
    try await withSQLite { below in
      let conversation = try await below.opened(newUser())
      let (connection, world) = try await withServer(of: below) { server in
        let world = try backend.world(of: server, below)
        let connection = try await world.attach(conversation)
        try await world.append("a", to: conversation)
        #expect(try await connection.changes().version == 2)
        return (connection, world)
      }
      let end = try await soon { await connection.rest() }
      #expect(end.versions.isEmpty && end.error?.code == .unavailable)
      #expect(end.error?.message == "The server is stopping.")
      // It stays like that.
      #expect(await code { _ = try await connection.next() } == .unavailable)
      if backend == .remote {
        let message = NewMessage(role: .user, content: "b", clientID: "b")
        #expect(await code { _ = try await connection.send(message, parent: nil) } == .unavailable)
        #expect(await code { _ = try await world.attach(conversation) } == .unavailable)
      } else {
        // Whoever comes later is told at once.
        let late = try await world.attach(conversation)
        #expect(try await soon { await late.rest() }.error?.code == .unavailable)
      }
      try await below.appended(["b"], to: conversation)
      try await withServer(of: below, port: world.server.port) { server in
        let world = try backend.world(of: server, below)
        let again = try await world.attach(conversation, since: 2)
        guard case .missed(let missed) = again.start.content else { throw UnexpectedEvent() }
        #expect(firstMessage(of: missed)?.content == "b" && again.start.version == 3)
        try await world.append("c", to: conversation)
        #expect(try await again.changes().version == 4)
      }
    }
  }

  @Test(arguments: LiveBackend.allCases)
  func `an erased conversation ends its connections`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      let connection = try await world.attach(conversation)
      try await world.append("a", to: conversation)
      #expect(try await connection.changes().version == 2)
      _ = try await world.store.apply(.erase(conversation.id), as: .user(conversation.userID))
      #expect(try await soon { await connection.rest() }.error?.code == .notFound)
      #expect(await code { _ = try await world.attach(conversation, since: 2) } == .notFound)
    }
  }

  @Test(arguments: LiveBackend.allCases)
  func `closing ends what waits, without an error`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      let connection = try await world.attach(conversation)
      let waiting = Task { await connection.rest() }
      try await Task.sleep(for: .milliseconds(50))
      connection.close()
      connection.close()
      #expect(try await soon { await waiting.value.error } == nil)
      #expect(try await soon { try await connection.next() } == nil)
      let message = NewMessage(role: .user, content: "x", clientID: "x")
      #expect(await code { _ = try await connection.send(message, parent: nil) } != nil)
      #expect(try await world.store.page(conversation).messages.isEmpty)
      connection.typing(true)
      let other = try await world.attach(conversation)
      if other.start.presence.connections.count > 1 { _ = try await other.presence { $0.connections.count == 1 } }
    }
  }

  @Test(arguments: LiveBackend.allCases)
  func `a reader that is cancelled ends, and another one may go on`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      let connection = try await world.attach(conversation)
      let waiting = Task { await connection.rest() }
      try await Task.sleep(for: .milliseconds(50))
      waiting.cancel()
      let end = try await soon { await waiting.value }
      #expect(end.versions.isEmpty && end.error == nil)
      try await world.append("a", to: conversation)
      #expect(try await connection.changes().version == 2)
    }
  }

  // MARK: The server

  @Test(arguments: LiveBackend.allCases)
  func `the service role sees the sessions that are live, page by page`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      var connections: [any LiveConnection] = []
      var conversations: [Conversation] = []
      for number in 0..<5 {
        let conversation = try await world.store.opened(newUser(), "s\(number)")
        conversations.append(conversation)
        for _ in 0...number { connections.append(try await world.attach(conversation)) }
      }
      conversations.sort { $0.id < $1.id }
      var seen: [LiveSession] = []
      var page = PageRequest(limit: 2)
      repeat {
        let found = try await world.live.sessions(page, as: .service)
        #expect(found.items.count <= 2)
        seen += found.items
        page.cursor = found.next
      } while page.cursor != nil
      #expect(seen.map(\.conversation) == conversations.map(\.id))
      #expect(seen.map(\.sessionID) == conversations.map(\.sessionID))
      #expect(seen.map(\.user) == conversations.map(\.userID))
      #expect(seen.map(\.connections.count).sorted() == [1, 2, 3, 4, 5])
      #expect(seen.allSatisfy { $0.turn == nil && $0.pending == 0 && !$0.isStalled })
      let names = Set(seen.flatMap(\.connections).map(\.client))
      #expect(names == ["parley"])
      for limit in [0, 201] {
        #expect(await code { _ = try await world.live.sessions(PageRequest(limit: limit), as: .service) } == .invalid)
        #expect(await code { _ = try await world.live.log(since: 0, limit: limit, as: .service) } == .invalid)
      }
      let damaged = PageRequest(cursor: "nonsense")
      #expect(await code { _ = try await world.live.sessions(damaged, as: .service) } == .invalid)
      for connection in connections { connection.close() }
      var left = 5
      for _ in 0..<100 where left > 0 {
        left = try await world.live.sessions(PageRequest(), as: .service).items.count
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(left == 0)
    }
  }

  @Test(arguments: LiveBackend.allCases)
  func `the service role sees what the server counts and logs, others do not`(_ backend: LiveBackend) async throws {
    try await backend.withWorld { world in
      let conversation = try await world.store.opened(newUser())
      let connection = try await world.attach(conversation)
      try await world.append("a", to: conversation)
      _ = try await connection.changes()
      _ = try await world.attach(conversation, since: 1)
      let status = try await world.live.status(as: .service)
      #expect(status.state.kind == .ok && status.state.reasons.isEmpty && status.store.engine.hasPrefix("SQLite 3."))
      #expect(status.counts.attaches == 2 && status.counts.resumes == 1 && status.counts.saved == 2)
      #expect(status.counts.liveSessions == 1 && (1...2).contains(status.counts.connections))
      #expect(status.startedAt <= status.time && status.latencies.save.count >= 1 && status.history.count <= 60)
      #expect(status.targets.count == 6)
      let log = try await world.live.log(since: 0, limit: 200, as: .service)
      #expect(log.records.count <= 200 && !log.hasGap && log.last == log.records.last?.number ?? 0)
      let user = Principal.user(conversation.userID)
      #expect(await code { _ = try await world.live.status(as: user) } == .forbidden)
      #expect(await code { _ = try await world.live.sessions(PageRequest(), as: user) } == .forbidden)
      #expect(await code { _ = try await world.live.log(since: 0, limit: 20, as: user) } == .forbidden)
      #expect(await world.store.health().refusal == nil)
      #expect(await world.store.health().commits > 0)
    }
  }
}
