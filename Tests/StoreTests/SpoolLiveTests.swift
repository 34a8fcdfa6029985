import ConversationModel
import ConversationServer
import StoreSQL
import Testing

@testable import StoreSpool

/// What those who follow a conversation see of an outage of the store.
@Suite struct SpoolLiveTests {
  /// Runs on a server over a spool, as the executable wires them.
  private func withLive(
    _ backend: LiveBackend, _ body: (any LiveSource, SpoolBench) async throws -> Void
  ) async throws {
    try await withSpool { bench in
      try await withServer(of: bench.spool) { server in
        let inside = try #require(server.inside)
        bench.spool.onStored { inside.stored($0) }
        try await body(backend == .inside ? inside.live : server.store(), bench)
      }
      try await bench.expectSound()
    }
  }

  @Test(arguments: LiveBackend.allCases)
  func `everybody hears of every spooled message once, in order, when the store is back`(
    _ backend: LiveBackend
  ) async throws {
    try await withLive(backend) { live, bench in
      let user = newUser()
      let conversation = try await bench.spool.opened(user)
      _ = try await bench.say("before", in: conversation)
      let phone = try await live.attach(Attach(.conversation(conversation.id)), as: .user(user))
      let tablet = try await live.attach(Attach(.conversation(conversation.id)), as: .user(user))
      bench.faults.fail(.all)
      var sent: [MessageID] = []
      for number in 1...3 {
        let receipt = try await phone.send(
          NewMessage(role: .user, content: "\(number)", clientID: "c\(number)"), parent: nil)
        #expect(receipt.durability == .spooled && receipt.version == nil)
        sent += receipt.messages.map(\.id)
      }
      // Who comes in the middle, or comes back, is shown what is remembered and what waits.
      for since in [nil, 2] {
        let late = try await live.attach(
          Attach(.conversation(conversation.id), since: since), as: .user(user))
        guard case .page(let page, let isResync) = late.start.content else { throw UnexpectedEvent() }
        #expect(page.isDegraded && isResync == (since != nil))
        #expect(page.messages.map(\.content) == ["before", "1", "2", "3"])
        #expect(page.messages.map(\.durability) == [.stored, .spooled, .spooled, .spooled])
        late.close()
      }
      bench.faults.fail(.none)
      for device in [phone, tablet] {
        let heard = try await heard(by: device, until: 5)
        #expect(heard.stored.map(\.message) == sent && heard.stored.map(\.spooledID) == sent)
        #expect(heard.stored.map(\.clientID) == ["c1", "c2", "c3"])
        #expect(heard.stored.map(\.position) == [2, 3, 4])
        #expect(heard.versions == [3, 4, 5])
        device.close()
      }
    }
  }

  @Test(arguments: LiveBackend.allCases)
  func `who follows a session that the store had under another id goes on with the store's`(
    _ backend: LiveBackend
  ) async throws {
    try await withLive(backend) { live, bench in
      let user = newUser()
      bench.faults.fail(.all)
      let phone = try await live.attach(Attach(.session(.named("phone"))), as: .user(user))
      let sent = try await phone.send(
        NewMessage(role: .user, content: "from here", clientID: "c"), parent: nil)
      // Another server makes the session meanwhile.
      let real = try await bench.store.opened(user, "phone")
      _ = try await bench.store.apply(
        .append(Append(to: real.id, [NewMessage(role: .user, content: "from there")])), as: .user(user))
      #expect(real.id != phone.start.conversation.id)
      bench.faults.fail(.none)
      var isRead = false
      var version = 0
      while !isRead || version < 3 {
        switch try await soon({ try await phone.next() }) {
        case .resync(let resync): (isRead, version) = (true, resync)
        case .changes(let next, _):
          #expect(isRead && next == version + 1)
          version = next
        case .stored(let delivery): #expect(delivery.message == sent.messages.first?.id)
        case .presence: continue
        case .draft, .delta, .tool, .done, nil: throw UnexpectedEvent()
        }
      }
      // The id that it knows still leads there, and what it sends now follows what both said.
      let page = try await bench.spool.page(phone.start.conversation)
      #expect(page.messages.map(\.content) == ["from there", "from here"])
      let next = try await phone.send(NewMessage(role: .user, content: "on", clientID: "d"), parent: nil)
      #expect(next.messages.first?.position == 3 && next.messages.first?.conversationID == real.id)
      #expect(try await phone.changes().version == 4)
      phone.close()
    }
  }

  private func heard(
    by device: any LiveConnection, until version: Version
  ) async throws -> (stored: [Delivery], versions: [Version]) {
    var stored: [Delivery] = []
    var versions: [Version] = []
    while versions.last ?? 0 < version || stored.count < 3 {
      switch try await soon({ try await device.next() }) {
      case .stored(let delivery): stored.append(delivery)
      case .changes(let version, _): versions.append(version)
      case .presence: continue
      case .resync, .draft, .delta, .tool, .done, nil: throw UnexpectedEvent()
      }
    }
    return (stored, versions)
  }
}
