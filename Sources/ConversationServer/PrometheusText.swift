import ConversationModel
import Glibc

/// What a server has measured, as Prometheus reads it: the text format 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats).
///
/// Names keep Prometheus' rules: base units in the name, `_total` on what only rises. Nothing here names a user, a
/// session or a word that was said. No package that the project can have writes this format.
struct PrometheusText {
  static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  private var text = ""

  /// - Parameter meters: Where the calls since the start are counted.
  static func metrics(_ status: ServerStatus, _ meters: Meters) -> String {
    var writer = PrometheusText()
    writer.text.reserveCapacity(16_384)
    writer.write(status)
    for (kind, name, help) in Self.calls { writer.histogram(name, help, meters.total(kind)) }
    writer.writeProcess(startedAt: status.startedAt)
    return writer.text
  }

  private static let calls: [(Meters.Kind, String, String)] = [
    (.save, "parley_save_seconds", "Commands, from the store's door to their acknowledgement."),
    (.load, "parley_load_seconds", "Pages of messages."),
    (.query, "parley_query_seconds", "Other reads of the store."),
    (.rpc, "parley_rpc_seconds", "Calls of the former system's functions, from the request to its answer."),
  ]

  // MARK: Parley

  private mutating func write(_ status: ServerStatus) {
    let counts = status.counts
    head("parley_build_info", "gauge", "1, with the version of the build.")
    text += "parley_build_info{version=\"\(Self.escaped(status.version))\"} 1\n"
    gauge(
      "parley_accepts_messages", "1 while messages are taken, by the store or the spool.",
      status.state.kind == .unavailable ? 0 : 1)
    gauge("parley_degraded", "1 while something needs a person: /readyz says what.", status.state.kind == .ok ? 0 : 1)

    head("parley_saves_total", "counter", "Commands, by what became of them. A wrong one is none of these.")
    for (result, count) in [("stored", counts.saved), ("spooled", counts.spooled), ("failed", counts.failed)] {
      text += "parley_saves_total{result=\"\(result)\"} \(count)\n"
    }
    counter("parley_requests_total", "HTTP requests that were answered.", counts.requests)
    counter("parley_request_errors_total", "Those of them answered with 5xx.", counts.errors)
    counter("parley_history_loads_total", "Pages of messages that were read.", counts.historyLoads)
    counter("parley_attaches_total", "Times that a client began to follow a conversation.", counts.attaches)
    counter("parley_resumes_total", "Those of them that came back with the version they knew.", counts.resumes)
    counter(
      "parley_slow_consumers_total", "Clients closed because they did not take what was sent.",
      counts.slowConsumers)
    gauge("parley_connections", "Clients that follow a conversation.", counts.connections)
    gauge("parley_live_sessions", "Sessions with such clients.", counts.liveSessions)
    gauge(
      "parley_stalled_sessions", "Those of them with a change that waits for the store too long.",
      counts.stalledSessions)
    if let statistics = status.statistics {
      gauge("parley_conversations", "Conversations in the store, counted every minute.", statistics.conversations)
      gauge("parley_messages", "Messages in the store that are not deleted, on all branches.", statistics.messages)
      gauge("parley_conversation_messages_max", "Messages of the longest conversation.", statistics.largestMessages)
      if let average = statistics.averageMessages {
        gauge("parley_conversation_messages_average", "Messages of a conversation on the average.", average)
      }
      if let oldest = statistics.oldestConversation {
        gauge(
          "parley_oldest_conversation_timestamp_seconds", "When the oldest conversation was made.",
          Self.seconds(oldest))
      }
    }
    write(status.store, at: status.time)
  }

  private mutating func write(_ store: StoreHealth, at time: Timestamp) {
    gauge("parley_store_queued_commands", "Commands that wait for the writer.", store.queuedCommands)
    gauge(
      "parley_store_oldest_queued_seconds", "For how long the oldest of them has waited.",
      Double(store.oldestQueuedMilliseconds) / 1e3)
    counter("parley_store_commands_total", "Commands that got a receipt.", store.commands)
    counter("parley_store_commits_total", "Commits, each one sync.", store.commits)
    gauge(
      "parley_store_batch_commands", "Commands in each of the latest commits, on the average.",
      store.batchCommands)
    head("parley_store_commit_seconds", "gauge", "The latest commits, their syncs included, by quantile.")
    for (quantile, value) in [("0.5", store.commit.p50), ("0.95", store.commit.p95), ("0.99", store.commit.p99)] {
      text += "parley_store_commit_seconds{quantile=\"\(quantile)\"} \(Double(value) / 1e6)\n"
    }
    gauge("parley_store_bytes", "Bytes of the database.", store.bytes)
    gauge("parley_store_wal_bytes", "Bytes of the write-ahead log that are in use.", store.walBytes)
    if let age = store.checkpointMilliseconds {
      gauge(
        "parley_store_checkpoint_age_seconds", "Since the log was last taken over into the database.",
        Double(age) / 1e3)
    }
    if let free = store.freeBytes { gauge("parley_store_free_bytes", "Bytes left on the store's disk.", free) }
    gauge("parley_store_readers", "Connections that read.", store.readers)
    if let canary = store.canary {
      gauge(
        "parley_canary_timestamp_seconds", "When a test value was last written, to be read back.",
        Self.seconds(canary.time))
      gauge("parley_canary_ok", "1 if it was read back.", canary.failure == nil ? 1 : 0)
      if let took = canary.microseconds {
        gauge("parley_canary_seconds", "What that took.", Double(took) / 1e6)
      }
      counter("parley_canary_failures_total", "Times that it was not.", canary.failures)
    }
    guard let spool = store.spool else { return }
    gauge("parley_spool_waiting", "Records that wait for the store.", spool.waiting)
    gauge(
      "parley_spool_oldest_age_seconds", "For how long the oldest of them has waited; 0 if there is none.",
      spool.oldest.map { max(0, Double(time.microseconds - $0.microseconds) / 1e6) } ?? 0)
    gauge("parley_spool_dead_letters", "Records that the store can never take.", spool.deadLetters)
    counter("parley_spool_drained_total", "Records that were handed to the store.", spool.drained)
    gauge("parley_spool_bytes", "Bytes of the spool's file and its log.", spool.bytes)
    gauge("parley_spool_accepts_messages", "1 while it takes messages.", spool.refusal == nil ? 1 : 0)
  }

  // MARK: The process, under the names that every exporter uses

  private mutating func writeProcess(startedAt: Timestamp) {
    gauge("process_start_time_seconds", "When the process started.", Self.seconds(startedAt))
    var usage = rusage()
    if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
      let used = [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
      counter("process_cpu_seconds_total", "Processor time that was used.", used)
    }
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
      gauge("process_max_fds", "Files that may be open.", Int(clamping: limit.rlim_cur))
    }
    if let bytes = Self.residentBytes() {
      gauge("process_resident_memory_bytes", "Memory in use.", bytes)
    }
  }

  /// The second number of `/proc/self/statm` (proc(5)), in pages.
  private static func residentBytes() -> Int? {
    guard let file = fopen("/proc/self/statm", "re") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 128)
    let count = fread(&bytes, 1, bytes.count, file)
    let fields = String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: " ")
    return fields.count > 1 ? Int(fields[1]).map { $0 * sysconf(Int32(_SC_PAGESIZE)) } : nil
  }

  // MARK: The format

  private mutating func head(_ name: String, _ type: String, _ help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  private mutating func gauge(_ name: String, _ help: String, _ value: some Numeric) {
    head(name, "gauge", help)
    text += "\(name) \(value)\n"
  }

  private mutating func counter(_ name: String, _ help: String, _ value: some Numeric) {
    head(name, "counter", help)
    text += "\(name) \(value)\n"
  }

  private mutating func histogram(_ name: String, _ help: String, _ total: Meters.Total) {
    head(name, "histogram", help)
    var count = 0
    for (bound, calls) in zip(Meters.Total.bounds, total.buckets) {
      count += calls
      text += "\(name)_bucket{le=\"\(Double(bound) / 1e6)\"} \(count)\n"
    }
    count += total.buckets.last ?? 0
    text += "\(name)_bucket{le=\"+Inf\"} \(count)\n\(name)_sum \(Double(total.microseconds) / 1e6)\n"
    text += "\(name)_count \(count)\n"
  }

  private static func seconds(_ time: Timestamp) -> Double { Double(time.microseconds) / 1e6 }

  private static func escaped(_ label: String) -> String {
    label.map { character in
      switch character {
      case "\\": "\\\\"
      case "\"": "\\\""
      case "\n": "\\n"
      default: String(character)
      }
    }.joined()
  }
}
