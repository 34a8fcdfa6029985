import ConversationModel
import StoreSQL
import Synchronization
import Testing

@testable import StoreSpool

/// Outages at random moments, in the middle of everything.
@Suite(.timeLimit(.minutes(3))) struct SpoolOutageTests {
  /// What one writer was told.
  private struct Ledger: Sendable {
    var acknowledged: [(conversation: ConversationID, text: String, id: MessageID)] = []
    var spooled = 0
    var refused = 0
  }

  /// What 16 writers were told, and what the store has of it in the end.
  private struct Outcome {
    var acknowledged = 0
    var spooled = 0
    var refused = 0
    var lost = 0
    var doubled = 0
    var reordered = 0
    /// Stored under another id than the one acknowledged.
    var renamed = 0
    var announced = 0
  }

  private static let messagesPerWriter = 150

  private static func outcome(of bench: SpoolBench, seed: UInt64) async throws -> Outcome {
    let user = newUser()
    var shared: [Conversation] = []
    for number in 0..<4 { shared.append(try await bench.spool.opened(user, "shared \(number)")) }
    let conversations = shared
    let told = Mutex<Set<MessageID>>([])
    bench.spool.onStored { stored in told.withLock { _ = $0.insert(stored.spooledID) } }
    let ledgers = try await withThrowingTaskGroup(of: Ledger?.self) { group in
      for writer in 0..<16 {
        group.addTask {
          try await Self.write(bench, conversations[writer % 4], "w\(writer)", seed: seed * 100 + UInt64(writer))
        }
      }
      group.addTask {
        var random = SeededGenerator(seed: seed)
        while !Task.isCancelled {
          try? await Task.sleep(for: .milliseconds(Int.random(in: 40...200, using: &random)))
          bench.faults.fail([.before, .after, .either, .all].randomElement(using: &random)!)
          try? await Task.sleep(for: .milliseconds(Int.random(in: 5...40, using: &random)))
          bench.faults.fail(.none)
        }
        return nil
      }
      var ledgers: [Ledger] = []
      for try await ledger in group {
        if let ledger { ledgers.append(ledger) }
        if ledgers.count == 16 { group.cancelAll() }
      }
      return ledgers
    }
    try await bench.settled()
    var outcome = Outcome()
    let acknowledged = ledgers.flatMap(\.acknowledged)
    outcome.acknowledged = acknowledged.count
    outcome.spooled = ledgers.reduce(0) { $0 + $1.spooled }
    outcome.refused = ledgers.reduce(0) { $0 + $1.refused }
    outcome.announced = told.withLock { $0.count }
    for conversation in conversations {
      let stored = try await bench.allStored(conversation)
      let ids = Dictionary(stored.map { ($0.content, $0.id) }) { first, _ in first }
      outcome.doubled += stored.count - ids.count
      for entry in acknowledged where entry.conversation == conversation.id {
        guard let id = ids[entry.text] else {
          outcome.lost += 1
          continue
        }
        if id != bench.spool.state.withLock({ $0.aliases.resolve(entry.id) }) { outcome.renamed += 1 }
      }
      for writer in 0..<16 {
        let own = stored.map(\.content).filter { $0.hasPrefix("w\(writer) ") }.compactMap {
          Int($0.split(separator: " ")[1])
        }
        outcome.reordered += zip(own, own.dropFirst()).count { $0 >= $1 }
      }
    }
    return outcome
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func `16 writers lose nothing, double nothing and keep their order over outages`(seed: UInt64) async throws {
    try await withSpool { bench in
      let outcome = try await Self.outcome(of: bench, seed: seed)
      print("seed \(seed): \(outcome)")
      #expect(outcome.acknowledged == 16 * Self.messagesPerWriter)
      #expect(outcome.spooled > 100 && outcome.spooled < outcome.acknowledged - 100)
      #expect((outcome.lost, outcome.doubled, outcome.reordered, outcome.renamed) == (0, 0, 0, 0))
      #expect(outcome.announced >= outcome.spooled)
      try await bench.expectSound()
    }
  }

  /// The control: the same must notice when messages may overtake those in the spool.
  @Test func `without the rule of order messages overtake each other`() async throws {
    var rules = SpoolStore.Rules.quick
    rules.keepsOrder = false
    try await withSpool(rules: rules) { bench in
      let outcome = try await Self.outcome(of: bench, seed: 5)
      print("control: \(outcome)")
      #expect(outcome.reordered > 0 && outcome.lost == 0)
    }
  }

  /// Says one thing after the other; sends again with the same client id until it is acknowledged. Some have none.
  private static func write(
    _ bench: SpoolBench, _ conversation: Conversation, _ name: String, seed: UInt64
  ) async throws -> Ledger {
    var random = SeededGenerator(seed: seed)
    var ledger = Ledger()
    for number in 0..<messagesPerWriter {
      let text = "\(name) \(number)"
      let client = Int.random(in: 0..<3, using: &random) > 0 ? text : nil
      while true {
        do {
          let receipt = try await bench.say(text, in: conversation, client: client)
          ledger.acknowledged.append((conversation.id, text, receipt.messages[0].id))
          if receipt.durability == .spooled { ledger.spooled += 1 }
          break
        } catch let error as ConversationError {
          // Never without the spool failing, too.
          #expect(error.code == .unavailable && client != nil, "\(error)")
          ledger.refused += 1
          try await Task.sleep(for: .milliseconds(5))
        }
      }
      if Int.random(in: 0..<8, using: &random) == 0 {
        try await Task.sleep(for: .milliseconds(Int.random(in: 1...10, using: &random)))
      }
    }
    return ledger
  }

  /// Random commands with outages between them, against the plainest model of what was acknowledged.
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `random commands and outages leave what was acknowledged`(seed: UInt64) async throws {
    try await withDirectory { directory in
      var random = SeededGenerator(seed: seed)
      let users = [newUser(), newUser()]
      var model: [String: [String]] = [:]
      var ids: [String: [ConversationID]] = [:]
      var clients: [String: String] = [:]
      // Each round is one run of a server.
      for round in 0..<3 {
        try await withSpool(in: directory) { bench in
          for step in 0..<120 {
            if Int.random(in: 0..<12, using: &random) == 0 {
              bench.faults.fail(
                [.none, .none, .before, .after, .either, .all].randomElement(using: &random)!)
            }
            if Int.random(in: 0..<20, using: &random) == 0 {
              try await Task.sleep(for: .milliseconds(15))
            }
            let user = Int.random(in: 0..<2, using: &random)
            let session = Int.random(in: 0..<3, using: &random)
            let key = "\(user)/\(session)"
            guard let known = ids[key] else {
              // Now and then the store had it already, by another server.
              if Bool.random(using: &random) {
                _ = try await bench.store.opened(users[user], "s\(session)")
              }
              ids[key] = [try await bench.spool.opened(users[user], "s\(session)").id]
              model[key] = []
              continue
            }
            if Int.random(in: 0..<10, using: &random) == 0 {
              let opened = try await bench.spool.opened(users[user], "s\(session)").id
              if !known.contains(opened) { ids[key]!.append(opened) }
              continue
            }
            let count = Int.random(in: 1...3, using: &random)
            let texts = (0..<count).map { "\(round).\(step).\($0)" }
            let again = clients.keys.sorted().filter { $0.hasPrefix(key) }.randomElement(
              using: &random)
            let isAgain = again != nil && Int.random(in: 0..<5, using: &random) == 0
            let client =
              isAgain ? again! : Bool.random(using: &random) ? "\(key) \(round).\(step)" : nil
            let messages =
              isAgain
              ? [NewMessage(role: .user, content: clients[client!]!, clientID: client)]
              : client.map { [NewMessage(role: .user, content: texts[0], clientID: $0)] }
                ?? texts.map { NewMessage(role: .user, content: $0) }
            let append = Append(to: known.randomElement(using: &random)!, messages)
            do {
              let receipt = try await bench.spool.apply(.append(append), as: .user(users[user]))
              #expect(receipt.messages.map(\.content) == messages.map(\.content))
              // The store may have forgotten to say that it had it, but not have it twice.
              if !isAgain { model[key]! += messages.map(\.content) }
              if let client { clients[client] = messages[0].content }
            } catch {
              // Nobody could tell whether it may be written to: a server that has just started.
              #expect((error as? ConversationError)?.code == .unavailable)
            }
          }
          if round == 2 || Bool.random(using: &random) {
            bench.faults.fail(.none)
            try await bench.settled()
          }
          guard round == 2 else { return }
          for (key, texts) in model {
            let real = bench.spool.resolved(ids[key]![0])
            #expect(ids[key]!.allSatisfy { bench.spool.resolved($0) == real })
            let user = users[Int(key.prefix(1))!]
            let conversation = try await bench.store.conversation(.id(real), as: .user(user))
            #expect(try await bench.allStored(conversation).map(\.content) == texts, "\(key)")
          }
          try await bench.expectSound()
        }
      }
    }
  }
}

extension SpoolBench {
  /// The active path, from its start to its end.
  func allStored(_ conversation: Conversation) async throws -> [Message] {
    var messages: [Message] = []
    var part = MessagePageRequest.Part.latest
    while true {
      let page = try await store.page(conversation, part, limit: 200)
      messages = page.messages + messages
      guard let before = page.before else { return messages }
      part = .before(.cursor(before))
    }
  }
}
