import CSyncProbe
import ConversationModel
import StoreSQL
import Testing

@testable import StoreSQLite

/// Counts syncs instead of timing them: noise cannot move a count.
@Suite(.timeLimit(.minutes(2))) struct GroupCommitTests {
  /// When a save was handed over and when it was acknowledged, in microseconds of the monotonic clock.
  private struct Save {
    let begin: Int64
    let end: Int64
  }

  /// 64 clients save, each one after the other, while every sync takes 10 ms as on a real disk.
  private func saves(
    synchronous: SQLiteConnection.Synchronous, rounds: Int
  ) async throws -> (saves: [Save], syncs: [(begin: Int64, end: Int64)]) {
    try await withDirectory { directory in
      let driver = try SQLiteDriver(
        path: directory + "/parley.sqlite", access: .owner, synchronous: synchronous)
      defer { driver.close() }
      let store = SQLStore(driver)
      try await store.migrate()
      let user = newUser()
      var conversations: [Conversation] = []
      for _ in 0..<64 { conversations.append(try await store.opened(user)) }

      let watch = sync_probe_watch(directory, 10_000)
      defer { sync_probe_forget(watch) }
      let saves = try await withThrowingTaskGroup(of: [Save].self) { group in
        for conversation in conversations {
          group.addTask {
            var saves: [Save] = []
            for round in 0..<rounds {
              let begin = sync_probe_now()
              try await store.appended(["\(round)"], to: conversation)
              saves.append(Save(begin: begin, end: sync_probe_now()))
            }
            return saves
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      let count = sync_probe_count(watch)
      let syncs = (0..<count).map { (begin: sync_probe_begin(watch, Int32($0)), end: sync_probe_end(watch, Int32($0))) }
      return (saves, syncs)
    }
  }

  /// Whether a whole sync lies between the hand-over of a save and its acknowledgement.
  private func isCovered(_ save: Save, _ syncs: [(begin: Int64, end: Int64)]) -> Bool {
    syncs.contains { $0.begin >= save.begin && $0.end <= save.end }
  }

  @Test func `64 clients share syncs, and every acknowledgement is behind one`() async throws {
    let (saves, syncs) = try await saves(synchronous: .full, rounds: 16)
    #expect(saves.count == 64 * 16)
    #expect(syncs.count * 16 <= saves.count, "\(syncs.count) syncs for \(saves.count) saves")
    #expect(saves.count { !isCovered($0, syncs) } == 0)
    print("syncs: \(syncs.count) for \(saves.count) saves at 64 clients")
  }

  /// The control: without a sync in the commit, the same check must notice.
  @Test func `a store that does not sync its commits is found out`() async throws {
    let (saves, syncs) = try await saves(synchronous: .normal, rounds: 2)
    #expect(saves.count { !isCovered($0, syncs) } > 0)
  }

  @Test func `a commit whose sync fails is acknowledged to nobody, and the store comes back`() async throws {
    try await withDirectory { directory in
      let path = directory + "/parley.sqlite"
      let driver = try SQLiteDriver(path: path)
      defer { driver.close() }
      let store = SQLStore(driver)
      try await store.migrate()
      let user = newUser()
      let conversation = try await store.opened(user)
      try await store.appended(["before"], to: conversation)

      let watch = sync_probe_watch(directory, 0)
      defer { sync_probe_forget(watch) }
      sync_probe_fail_next(watch, 1)
      let append = Command.append(
        Append(to: conversation.id, [NewMessage(role: .user, content: "unsure", clientID: "unsure")]))
      #expect(await code { _ = try await store.apply(append, as: .user(user)) } == .unavailable)

      // The same client id settles what happened, whichever way it went.
      var receipt: Receipt?
      while receipt == nil {
        do {
          receipt = try await store.apply(append, as: .user(user))
        } catch let error as ConversationError {
          #expect(error.code == .unavailable)
        }
      }
      #expect(try await store.page(conversation).messages.map(\.content) == ["before", "unsure"])
      #expect(await store.health().refusal == nil)
      try await expectSound(store, driver)
    }
  }

  @Test func `a checkpoint whose sync fails is noticed, and healed`() async throws {
    try await withDirectory { directory in
      let path = directory + "/parley.sqlite"
      let driver = try SQLiteDriver(path: path)
      defer { driver.close() }
      let store = SQLStore(driver)
      try await store.migrate()
      let conversation = try await store.opened(newUser())
      // Only a checkpoint syncs the database file itself.
      let watch = sync_probe_watch(path, 0)
      defer { sync_probe_forget(watch) }
      sync_probe_fail_next(watch, 3)
      let text = String(repeating: "x", count: 100_000)
      var stored = 0
      while sync_probe_count(watch) == 0 {
        do { stored += try await store.appended(Array(repeating: text, count: 10), to: conversation).count } catch {
          #expect((error as? ConversationError)?.code == .unavailable)
        }
      }
      while await store.health().refusal != nil { try await Task.sleep(for: .milliseconds(20)) }
      try await store.appended(["after"], to: conversation)
      // A refused append may be there all the same; an acknowledged one must.
      #expect(try await store.conversation(.id(conversation.id), as: .service).messageCount > stored)
      try await expectSound(store, driver)
    }
  }

  @Test func `while every sync fails the store says so, and heals by itself afterwards`() async throws {
    try await withDirectory { directory in
      let driver = try SQLiteDriver(path: directory + "/parley.sqlite")
      defer { driver.close() }
      let store = SQLStore(driver)
      try await store.migrate()
      let conversation = try await store.opened(newUser())
      try await store.appended(["kept"], to: conversation)
      let watch = sync_probe_watch(directory, 0)
      defer { sync_probe_forget(watch) }
      sync_probe_fail_next(watch, .max)
      for _ in 0..<3 {
        #expect(await code { try await store.appended(["lost"], to: conversation) } == .unavailable)
      }
      #expect(await store.health().refusal != nil)
      // Reads go on.
      #expect(try await store.page(conversation).messages.first?.content == "kept")
      sync_probe_fail_next(watch, 0)
      // Nobody writes; the writer tries the file again on its own.
      while await store.health().refusal != nil { try await Task.sleep(for: .milliseconds(20)) }
      try await store.appended(["after"], to: conversation)
      try await expectSound(store, driver)
    }
  }
}
