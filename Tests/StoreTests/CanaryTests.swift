import ConversationModel
import StoreSQLite
import Testing

@testable import StoreSQL

@Suite struct CanaryTests {
  /// Runs on a store whose driver fails when told to.
  private func withStore(_ body: (SQLStore<FaultyDriver>, FaultyDriver) async throws -> Void) async throws {
    try await withDirectory { directory in
      let driver = try SQLiteDriver(path: directory + "/parley.sqlite")
      defer { driver.close() }
      try await SQLStore(driver).migrate()
      let faults = FaultyDriver(driver)
      try await body(SQLStore(faults), faults)
      try await expectSound(SQLStore(driver), driver)
    }
  }

  @Test func `what is written is read back, again and again`() async throws {
    try await withStore { store, _ in
      #expect(await store.health().canary == nil)
      for _ in 1...3 {
        await store.tryCanary()
        let canary = try #require(await store.health().canary)
        #expect(try #require(canary.microseconds) > 0 && canary.failure == nil && canary.failures == 0)
      }
      #expect(await store.health().warnings.isEmpty)
    }
  }

  @Test(arguments: [FaultyDriver.Fault.before, .after, .all])
  func `a store that fails is found out, and counted until it is well`(_ fault: FaultyDriver.Fault) async throws {
    try await withStore { store, faults in
      await store.tryCanary()
      faults.fail(fault)
      for failures in 1...2 {
        await store.tryCanary()
        let canary = try #require(await store.health().canary)
        #expect(canary.microseconds == nil && canary.failure != nil && canary.failures == failures)
        #expect(await store.health().warnings == [canary.failure])
      }
      faults.fail(.none)
      await store.tryCanary()
      let canary = try #require(await store.health().canary)
      #expect(canary.failure == nil && canary.failures == 2)
      #expect(await store.health().warnings.isEmpty)
    }
  }

  @Test func `a store that forgets is found out`() async throws {
    try await withStore { store, faults in
      await store.tryCanary()
      // Whatever is written is put back before it can be read: as by a file that was restored from a copy.
      _ = try await faults.driver.write { connection in
        try connection.script(
          "CREATE TEMP TRIGGER forget AFTER UPDATE ON main.pam_canary BEGIN UPDATE pam_canary SET mark = 0, written_at = 0; END"
        )
      }
      await store.tryCanary()
      let canary = try #require(await store.health().canary)
      #expect(canary.failure == "What the store was given to keep as a test could not be read back.")
      #expect(canary.failures == 1)
    }
  }
}
