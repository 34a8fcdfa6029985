import CSyncProbe
import ConversationModel
import Foundation
import StoreSQL
import Synchronization
import Testing

@testable import StoreSQLite
@testable import StoreSpool

/// The store and the spool fail in earnest: files that go, syncs that fail, processes that end.
@Suite(.timeLimit(.minutes(2))) struct SpoolFaultTests {
  @Test func `a store whose file was taken away is down until it is back, and loses nothing`()
    async throws
  {
    try await withSpool { bench in
      let conversation = try await bench.spool.opened(newUser())
      _ = try await bench.say("before", in: conversation)
      let elsewhere = bench.directory + "/elsewhere"
      try FileManager.default.moveItem(atPath: bench.storePath, toPath: elsewhere)
      for text in ["one", "two"] {
        #expect(try await bench.say(text, in: conversation, client: text).durability == .spooled)
      }
      // Nothing is made in the file's place.
      try await Task.sleep(for: .milliseconds(700))
      #expect(!FileManager.default.fileExists(atPath: bench.storePath))
      #expect(await bench.spool.health().warnings.contains { $0.contains("gone") })
      try FileManager.default.moveItem(atPath: elsewhere, toPath: bench.storePath)
      try await bench.settled()
      #expect(try await bench.stored(conversation) == ["before", "one", "two"])
      try await bench.expectSound()
    }
  }

  @Test func `another file in the store's place is not written to`() async throws {
    try await withSpool { bench in
      let conversation = try await bench.spool.opened(newUser())
      let elsewhere = bench.directory + "/elsewhere"
      try FileManager.default.moveItem(atPath: bench.storePath, toPath: elsewhere)
      try Data().write(to: URL(filePath: bench.storePath))
      _ = try await bench.say("one", in: conversation)
      try await Task.sleep(for: .milliseconds(700))
      #expect(try FileManager.default.attributesOfItem(atPath: bench.storePath)[.size] as? Int == 0)
      try FileManager.default.removeItem(atPath: bench.storePath)
      try FileManager.default.moveItem(atPath: elsewhere, toPath: bench.storePath)
      try await bench.settled()
      #expect(try await bench.stored(conversation) == ["one"])
    }
  }

  @Test func `a store that cannot sync is down, and what was unsure is there once`() async throws {
    try await withSpool { bench in
      let conversation = try await bench.spool.opened(newUser())
      // The log is the first to be synced by a commit.
      let watch = sync_probe_watch(bench.storePath + "-wal", 0)
      defer { sync_probe_forget(watch) }
      sync_probe_fail_next(watch, .max)
      for text in ["one", "two", "three"] {
        #expect(try await bench.say(text, in: conversation).durability == .spooled)
      }
      #expect(try await bench.spool.page(conversation).messages.count == 3)
      sync_probe_fail_next(watch, 0)
      try await bench.settled()
      #expect(try await bench.stored(conversation) == ["one", "two", "three"])
      try await bench.expectSound()
    }
  }

  @Test func `a store that stands still is not waited for`() async throws {
    var rules = SpoolStore.Rules.quick
    rules.command = .milliseconds(100)
    try await withSpool(rules: rules) { bench in
      let conversation = try await bench.spool.opened(newUser())
      let gate = DispatchSemaphore(value: 0)
      async let blocked: Void = bench.faults.driver.write { _ in gate.wait() }
      try await eventually { await bench.store.health().oldestQueuedMilliseconds > 10 }
      // All are answered while the store still stands.
      let receipts = try await withThrowingTaskGroup(of: Receipt.self) { group in
        for number in 0..<8 { group.addTask { try await bench.say("\(number)", in: conversation) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(receipts.allSatisfy { $0.durability == .spooled })
      gate.signal()
      _ = try? await blocked
      try await bench.settled()
      let stored = try await bench.store.page(conversation).messages
      #expect(Set(stored.map(\.id)) == Set(receipts.map { $0.messages[0].id }) && stored.count == 8)
      try await bench.expectSound()
    }
  }

  @Test func `nothing is acknowledged that the spool did not sync`() async throws {
    try await withSpool { bench in
      let conversation = try await bench.spool.opened(newUser())
      bench.faults.fail(.before)
      _ = try await bench.say("0", in: conversation)
      let watch = sync_probe_watch(bench.spoolPath + "-wal", 2_000)
      defer { sync_probe_forget(watch) }
      let saves = try await withThrowingTaskGroup(of: (Int64, Int64).self) { group in
        for number in 1...64 {
          group.addTask {
            let begin = sync_probe_now()
            _ = try await bench.say("\(number)", in: conversation)
            return (begin, sync_probe_now())
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      let count = Int(sync_probe_count(watch))
      let syncs = (0..<count).map {
        (sync_probe_begin(watch, Int32($0)), sync_probe_end(watch, Int32($0)))
      }
      for save in saves { #expect(syncs.contains { $0.0 >= save.0 && $0.1 <= save.1 }) }
      #expect(count * 4 <= saves.count, "\(count) syncs for \(saves.count) records")
      // A spool that cannot sync takes nothing, and says so.
      sync_probe_fail_next(watch, .max)
      #expect(await code { _ = try await bench.say("lost", in: conversation) } == .unavailable)
      #expect(await bench.spool.health().refusal != nil)
      sync_probe_fail_next(watch, 0)
      try await eventually { await bench.spool.health().refusal == nil }
      _ = try await bench.say("last", in: conversation)
      bench.faults.fail(.none)
      try await bench.settled()
      // What was refused may be there all the same; what was acknowledged must.
      let stored = try await bench.stored(conversation)
      #expect(Set(stored).isSuperset(of: (0...64).map { "\($0)" } + ["last"]))
      #expect(Set(stored).count == stored.count)
    }
  }

  @Test func `a server starts while its store is down, with what it had in the spool`() async throws {
    try await withDirectory { directory in
      let user = newUser()
      var (known, fresh): (Conversation?, Conversation?)
      try await withSpool(in: directory) { bench in
        known = try await bench.spool.opened(user, "known")
        _ = try await bench.say("stored", in: known!)
        bench.faults.fail(.all)
        _ = try await bench.say("one", in: known!, client: "1")
        fresh = try await bench.spool.opened(user, "fresh")
        _ = try await bench.say("in it", in: fresh!)
      }
      try await withSpool(in: directory, isOpened: false) { bench in
        bench.faults.fail(.all)
        await #expect(throws: (any Error).self) { try await bench.spool.openStore() }
        let (known, fresh) = (try #require(known), try #require(fresh))
        #expect(await bench.spool.health().refusal == nil)
        #expect(await bench.spool.health().spool?.waiting == 3)
        // Both are known, and the client id too.
        #expect(try await bench.say("one", in: known, client: "1").isReplay)
        #expect(try await bench.say("two", in: known).durability == .spooled)
        #expect(try await bench.spool.opened(user, "fresh").id == fresh.id)
        #expect(try await bench.spool.opened(user, "known").id == known.id)
        #expect(try await bench.spool.page(fresh).messages.map(\.content) == ["in it"])
        bench.faults.fail(.none)
        try await bench.settled()
        #expect(try await bench.stored(known) == ["stored", "one", "two"])
        #expect(try await bench.stored(fresh) == ["in it"])
        try await bench.expectSound()
      }
    }
  }

  @Test func `a server that ended between the store's commit and the spool's doubles nothing`()
    async throws
  {
    try await withDirectory { directory in
      let (spool, copy) = (directory + "/spool.sqlite", directory + "/copy")
      var conversation: Conversation?
      try await withSpool(in: directory) { bench in
        conversation = try await bench.spool.opened(newUser(), "s")
        bench.faults.fail(.all)
        for number in 0..<20 { _ = try await bench.say("\(number)", in: conversation!) }
        let fresh = try await bench.spool.opened(conversation!.userID, "fresh")
        _ = try await bench.say("x", in: fresh)
      }
      try FileManager.default.copyItem(atPath: spool, toPath: copy)
      for _ in 0..<3 {
        try await withSpool(in: directory) { bench in
          try await bench.settled()
          #expect(try await bench.stored(try #require(conversation)) == (0..<20).map { "\($0)" })
          #expect(try await bench.store.statistics().conversations == 2)
          try await bench.expectSound()
        }
        // As the spool was before it let the records go.
        try FileManager.default.removeItem(atPath: spool)
        try FileManager.default.copyItem(atPath: copy, toPath: spool)
      }
    }
  }

  @Test func `a spool that has seen a store does not have another one made`() async throws {
    try await withDirectory { directory in
      let asked = Mutex<[Bool]>([])
      for _ in 0..<2 {
        let spool = try await SpoolStore(path: directory + "/spool.sqlite") { mayCreate in
          asked.withLock { $0.append(mayCreate) }
          let driver = try SQLiteDriver(path: directory + "/parley.sqlite")
          let store = SQLStore(driver)
          try await store.migrate()
          return SpoolStore.Opened(store: store, close: driver.close)
        }
        try await spool.openStore()
        spool.close()
      }
      #expect(asked.withLock { $0 } == [true, false])
      // A store's file is no spool.
      await #expect(throws: ConversationError.self) {
        try await SpoolStore(path: directory + "/parley.sqlite") { _ in
          throw ConversationError(.unavailable, "")
        }
      }
    }
  }

  @Test func `erasing a conversation leaves no word of it in the spool`() async throws {
    try await withSpool { bench in
      let user = newUser()
      let conversation = try await bench.spool.opened(user, "heidelberg")
      let dead = try await bench.spool.opened(user, "tuebingen")
      _ = try await bench.spool.apply(
        .update(UpdateConversation(conversation.id, title: .named("Marburg"))), as: .user(user))
      bench.faults.fail(.all)
      _ = try await bench.say("Göttingen", in: conversation)
      _ = try await bench.say("Freiburg", in: dead)
      _ = try await bench.store.apply(.erase(dead.id), as: .service)
      await bench.spool.writeDown()
      #expect(
        await code { _ = try await bench.spool.apply(.erase(conversation.id), as: .user(user)) }
          == .unavailable)
      func words() throws -> [String] {
        // The files are read by their names in another place: opening them here would drop SQLite's locks.
        let copies = bench.directory + "/copies"
        try FileManager.default.createDirectory(atPath: copies, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: copies) }
        let copy = Process()
        copy.executableURL = URL(filePath: "/bin/sh")
        copy.arguments = ["-c", "cp '\(bench.spoolPath)'* '\(copies)'"]
        try copy.run()
        copy.waitUntilExit()
        let bytes = try FileManager.default.contentsOfDirectory(atPath: copies).reduce(into: Data()) {
          $0 += try Data(contentsOf: URL(filePath: copies + "/" + $1))
        }
        return ["heidelberg", "tuebingen", "Marburg", "Göttingen", "Freiburg"].filter {
          bytes.range(of: Data($0.utf8)) != nil
        }
      }
      #expect(try words().count == 5)
      bench.faults.fail(.none)
      try await bench.settled()
      #expect(await bench.spool.health().spool?.deadLetters == 1)
      for id in [conversation.id, dead.id] {
        // The other one is gone already; the owner's order clears the spool all the same.
        _ = try? await bench.spool.apply(.erase(id), as: .user(user))
      }
      #expect(try words() == [])
      #expect(await bench.spool.health().spool?.deadLetters == 0)
    }
  }
}
