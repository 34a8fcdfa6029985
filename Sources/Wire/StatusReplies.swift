public import ConversationModel
public import StrictJSON

// What those who run a server ask it. Latencies are microseconds where they are the store's or a call's,
// milliseconds where a person waits; every name says which.

extension JSONWriter {
  public mutating func status(_ status: ServerStatus) {
    beginObject()
    field("version", status.version)
    field("time", status.time)
    field("started_at", status.startedAt)
    field("uptime_seconds", Int((status.time.microseconds - status.startedAt.microseconds) / 1_000_000))
    state(status.state)
    key("store")
    storeHealth(status.store)
    key("spool")
    if let spool = status.store.spool { spoolHealth(spool) } else { null() }
    key("statistics")
    if let counted = status.statistics { statistics(counted) } else { null() }
    key("latencies")
    beginObject()
    field("save", status.latencies.save)
    field("load", status.latencies.load)
    field("query", status.latencies.query)
    field("rpc", status.latencies.rpc)
    endObject()
    key("rates")
    beginObject()
    field("saves_per_s", status.rates.saves)
    field("reads_per_s", status.rates.reads)
    field("requests_per_s", status.rates.requests)
    endObject()
    key("counts")
    counts(status.counts)
    key("history")
    list(status.history) { writer, second in
      writer.beginObject()
      writer.field("saves", second.saves)
      writer.field("reads", second.reads)
      writer.field("slowest_save_us", second.slowestSave)
      writer.endObject()
    }
    key("targets")
    list(status.targets) { $0.target($1) }
    endObject()
  }

  /// The fields of a state, which `/readyz` answers too.
  public mutating func state(_ state: ServerStatus.State) {
    field("status", state.kind.rawValue)
    key("reasons")
    list(state.reasons) { $0.string($1) }
  }

  private mutating func storeHealth(_ health: StoreHealth) {
    beginObject()
    field("engine", health.engine)
    field("refusal", health.refusal)
    key("warnings")
    list(health.warnings) { $0.string($1) }
    field("queued_commands", health.queuedCommands)
    field("oldest_queued_ms", health.oldestQueuedMilliseconds)
    field("commands", health.commands)
    field("commits", health.commits)
    field("commit", health.commit)
    field("batch_commands", health.batchCommands)
    field("bytes", health.bytes)
    field("wal_bytes", health.walBytes)
    field("checkpoint_ms", health.checkpointMilliseconds)
    field("free_bytes", health.freeBytes)
    field("readers", health.readers)
    key("canary")
    if let canary = health.canary {
      beginObject()
      field("time", canary.time)
      field("us", canary.microseconds)
      field("failure", canary.failure)
      field("failures", canary.failures)
      endObject()
    } else {
      null()
    }
    endObject()
  }

  private mutating func spoolHealth(_ spool: SpoolHealth) {
    beginObject()
    field("refusal", spool.refusal)
    field("waiting", spool.waiting)
    field("oldest", spool.oldest)
    field("dead_letters", spool.deadLetters)
    field("drained", spool.drained)
    field("bytes", spool.bytes)
    endObject()
  }

  private mutating func statistics(_ statistics: StoreStatistics) {
    beginObject()
    field("counted_at", statistics.countedAt)
    field("conversations", statistics.conversations)
    field("messages", statistics.messages)
    field("messages_average", statistics.averageMessages)
    field("messages_largest", statistics.largestMessages)
    field("oldest_conversation", statistics.oldestConversation)
    endObject()
  }

  private mutating func counts(_ counts: ServerStatus.Counts) {
    beginObject()
    field("live_sessions", counts.liveSessions)
    field("stalled_sessions", counts.stalledSessions)
    field("connections", counts.connections)
    field("saved", counts.saved)
    field("spooled", counts.spooled)
    field("failed", counts.failed)
    field("requests", counts.requests)
    field("errors", counts.errors)
    field("attaches", counts.attaches)
    field("resumes", counts.resumes)
    field("history_loads", counts.historyLoads)
    field("slow_consumers", counts.slowConsumers)
    endObject()
  }

  private mutating func target(_ target: ServerStatus.Target) {
    beginObject()
    field("name", target.name)
    field("unit", target.unit.rawValue)
    field(target.isUpperBound ? "below" : "above", target.bound)
    field("measured", target.measured)
    key("met")
    if let isMet = target.isMet { bool(isMet) } else { null() }
    endObject()
  }

  public mutating func liveSession(_ session: LiveSession) {
    beginObject()
    field("user_id", session.user)
    field("session_id", session.sessionID)
    field("is_default", session.isDefault)
    field("conversation_id", session.conversation)
    field("title", session.title)
    field("message_count", session.messageCount)
    key("connections")
    list(session.connections) { writer, connection in
      writer.beginObject()
      writer.field("client", connection.client)
      writer.field("address", connection.address)
      writer.field("since", connection.since)
      writer.field("backlog_ms", connection.backlogMilliseconds)
      writer.endObject()
    }
    key("turn")
    if let turn = session.turn {
      beginObject()
      field("id", turn.id)
      field("branch", turn.branch)
      field("since", turn.since)
      field("tokens", turn.tokens)
      endObject()
    } else {
      null()
    }
    field("tokens_per_s", session.turn?.tokensPerSecond ?? 0)
    field("pending", session.pending)
    field("lag_ms", session.lagMilliseconds)
    field("stalled", session.isStalled)
    field("last_activity", session.lastActivity)
    endObject()
  }

  public mutating func log(_ page: LogPage) {
    beginObject()
    key("data")
    list(page.records) { writer, record in
      writer.beginObject()
      writer.field("number", record.number)
      writer.field("time", record.time)
      writer.field("level", record.level)
      writer.field("message", record.message)
      writer.key("fields")
      writer.beginObject()
      for field in record.fields { writer.field(field.name, field.value) }
      writer.endObject()
      writer.endObject()
    }
    field("last", page.last)
    field("has_gap", page.hasGap)
    field("has_more", page.hasMore)
    endObject()
  }

  // MARK: Fields

  private mutating func field(_ name: String, _ latency: Latency) {
    key(name)
    beginObject()
    field("count", latency.count)
    field("p50_us", latency.p50)
    field("p95_us", latency.p95)
    field("p99_us", latency.p99)
    field("max_us", latency.max)
    endObject()
  }

  private mutating func field(_ name: String, _ value: Int?) {
    key(name)
    if let value { int(value) } else { null() }
  }

  private mutating func field(_ name: String, _ value: Timestamp?) {
    if let value { field(name, value) } else { nullField(name) }
  }

  /// Three digits behind the point: these are measurements.
  private mutating func field(_ name: String, _ value: Double?) {
    key(name)
    if let value, value.isFinite { raw("\((value * 1_000).rounded() / 1_000)") } else { null() }
  }
}
