public import ConversationModel

/// How far a database's schema is.
public struct MigrationPlan: Hashable, Sendable {
  /// Migrations that the database has seen; 0 for an empty one.
  public let current: Int
  /// Migrations that this build knows.
  public let latest: Int

  public var pending: Int { latest - current }
}

extension SQLStore {
  /// - Throws: `.unavailable` if the database cannot be read, `.conflict` if it is not Parley's.
  public func migrationPlan() async throws(ConversationError) -> MigrationPlan {
    let dialect = driver.dialect
    let current = try await read { connection in
      try connection.first(dialect.readVersion, []) { try $0.integer(0) }
    }
    // A number that no build ever wrote stands for a database that is not Parley's.
    guard let current, current >= 0 else {
      throw ConversationError(.conflict, "The database has no valid schema number; it is none of Parley's.")
    }
    return MigrationPlan(current: current, latest: dialect.migrations.count)
  }

  /// Brings the schema up to date: each missing migration in a transaction that also records it, so
  /// that an interruption leaves the schema at a whole number.
  ///
  /// Then it puts the messages that were there before the search index into it, in chunks, and goes on where an
  /// interruption left off.
  ///
  /// - Parameter rebuildingSearch: Whether all messages are put into the index, and what is in it counts for nothing: for one that
  ///   is damaged. Nobody should search meanwhile.
  /// - Returns: What was to be done before it began.
  /// - Throws: `.conflict` if the database was made by a later build.
  @discardableResult
  public func migrate(rebuildingSearch: Bool = false) async throws(ConversationError) -> MigrationPlan {
    let plan = try await migrationPlan()
    guard plan.pending >= 0 else {
      throw ConversationError(
        .conflict,
        "The database has schema \(plan.current); this build knows \(plan.latest) at most. Use a newer build.")
    }
    let dialect = driver.dialect
    for number in plan.current..<plan.latest {
      try await write { connection in
        try connection.script(dialect.migrations[number])
        try connection.script(dialect.writeVersion(number + 1))
      }
    }
    if rebuildingSearch { try await forgetSearch() }
    try await indexEarlierMessages()
    return plan
  }
}
