public import ConversationModel

// What `StatusReplies.swift` writes, read back. What is reckoned from other fields is reckoned anew.

extension Reply {
  public func status() throws(ConversationError) -> ServerStatus {
    let fields = try ReplyObject(json, "status")
    let latencies = try fields.object("latencies")
    let rates = try fields.object("rates")
    return ServerStatus(
      version: try fields.string("version"), time: try fields.time("time"), startedAt: try fields.time("started_at"),
      state: ServerStatus.State(try fields.choice("status"), reasons: try fields.strings("reasons")),
      store: try StoreHealth(reply: try fields.object("store"), spool: try fields.optional("spool", fields.object)),
      statistics: try fields.optional("statistics", fields.object).map(StoreStatistics.init(reply:)),
      latencies: ServerStatus.Latencies(
        save: try latencies.latency("save"), load: try latencies.latency("load"),
        query: try latencies.latency("query"), rpc: try latencies.latency("rpc")),
      rates: ServerStatus.Rates(
        saves: try rates.number("saves_per_s"), reads: try rates.number("reads_per_s"),
        requests: try rates.number("requests_per_s")),
      counts: try ServerStatus.Counts(reply: try fields.object("counts")),
      history: try fields.list("history", of: "second") { second throws(ConversationError) in
        ServerStatus.Second(
          saves: try second.count("saves"), reads: try second.count("reads"),
          slowestSave: try second.count("slowest_save_us"))
      })
  }

  public func liveSessions() throws(ConversationError) -> Page<LiveSession> {
    try page(of: "session", LiveSession.init(reply:))
  }

  public func log() throws(ConversationError) -> LogPage {
    let fields = try ReplyObject(json, "log")
    return LogPage(
      records: try fields.list("data", of: "record") { record throws(ConversationError) in
        LogPage.Record(
          number: try record.count("number"), time: try record.time("time"), level: try record.string("level"),
          message: try record.string("message"),
          fields: try record.object("fields").allStrings().map { LogPage.Record.Field($0.name, $0.text) })
      }, last: try fields.count("last"), hasGap: try fields.boolean("has_gap"))
  }
}

extension StoreHealth {
  fileprivate init(reply fields: ReplyObject, spool: ReplyObject?) throws(ConversationError) {
    self.init(
      refusal: try fields.optional("refusal", fields.string), warnings: try fields.strings("warnings"),
      engine: try fields.string("engine"), queuedCommands: try fields.count("queued_commands"),
      oldestQueuedMilliseconds: try fields.count("oldest_queued_ms"), commands: try fields.count("commands"),
      commits: try fields.count("commits"), commit: try fields.latency("commit"),
      batchCommands: try fields.number("batch_commands"), bytes: try fields.count("bytes"),
      walBytes: try fields.count("wal_bytes"),
      checkpointMilliseconds: try fields.optional("checkpoint_ms", fields.count),
      freeBytes: try fields.optional("free_bytes", fields.count), readers: try fields.count("readers"),
      canary: try fields.optional("canary", fields.object).map(Canary.init(reply:)),
      spool: try spool.map(SpoolHealth.init(reply:)))
  }
}

extension Canary {
  fileprivate init(reply fields: ReplyObject) throws(ConversationError) {
    self.init(
      time: try fields.time("time"), microseconds: try fields.optional("us", fields.count),
      failure: try fields.optional("failure", fields.string), failures: try fields.count("failures"))
  }
}

extension SpoolHealth {
  fileprivate init(reply fields: ReplyObject) throws(ConversationError) {
    self.init(
      refusal: try fields.optional("refusal", fields.string), waiting: try fields.count("waiting"),
      oldest: try fields.optional("oldest", fields.time), deadLetters: try fields.count("dead_letters"),
      drained: try fields.count("drained"), bytes: try fields.count("bytes"))
  }
}

extension StoreStatistics {
  fileprivate init(reply fields: ReplyObject) throws(ConversationError) {
    self.init(
      countedAt: try fields.time("counted_at"), conversations: try fields.count("conversations"),
      messages: try fields.count("messages"), largestMessages: try fields.count("messages_largest"),
      oldestConversation: try fields.optional("oldest_conversation", fields.time))
  }
}

extension ServerStatus.Counts {
  fileprivate init(reply fields: ReplyObject) throws(ConversationError) {
    self.init(
      liveSessions: try fields.count("live_sessions"), stalledSessions: try fields.count("stalled_sessions"),
      connections: try fields.count("connections"), saved: try fields.count("saved"),
      spooled: try fields.count("spooled"), failed: try fields.count("failed"),
      requests: try fields.count("requests"), errors: try fields.count("errors"),
      attaches: try fields.count("attaches"), resumes: try fields.count("resumes"),
      historyLoads: try fields.count("history_loads"), slowConsumers: try fields.count("slow_consumers"))
  }
}

extension LiveSession {
  fileprivate init(reply fields: ReplyObject) throws(ConversationError) {
    let speed = try fields.number("tokens_per_s")
    let turn = try fields.optional("turn", fields.object)
    self.init(
      user: try fields.id("user_id"), sessionID: try fields.optional("session_id", fields.string),
      isDefault: try fields.boolean("is_default"), conversation: try fields.id("conversation_id"),
      title: try fields.optional("title", fields.string), messageCount: try fields.count("message_count"),
      connections: try fields.list("connections", of: "connection") { connection throws(ConversationError) in
        Connection(
          client: try connection.string("client"), address: try connection.string("address"),
          since: try connection.time("since"), backlogMilliseconds: try connection.count("backlog_ms"))
      },
      turn: try turn.map { turn throws(ConversationError) in
        Turn(
          id: try turn.string("id"), branch: try turn.count("branch"), since: try turn.time("since"),
          tokens: try turn.count("tokens"), tokensPerSecond: speed)
      },
      pending: try fields.count("pending"), lagMilliseconds: try fields.optional("lag_ms", fields.count),
      lastActivity: try fields.time("last_activity"))
  }
}

extension ReplyObject {
  fileprivate func latency(_ field: String) throws(ConversationError) -> Latency {
    let fields = try object(field)
    return Latency(
      count: try fields.count("count"), p50: try fields.count("p50_us"), p95: try fields.count("p95_us"),
      p99: try fields.count("p99_us"), max: try fields.count("max_us"))
  }
}
