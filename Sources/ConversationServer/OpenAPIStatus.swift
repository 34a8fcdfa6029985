import ConversationModel

// The schemas of what the service role is told about the server.

extension OpenAPI {
  static let statusSchemas = """
    "Status": {
      "type": "object",
      "required": [
        "version", "time", "started_at", "uptime_seconds", "status", "reasons", "store", "spool", "statistics",
        "latencies", "rates", "counts", "history", "targets"
      ],
      "properties": {
        "version": {"type": "string"}, "time": \(time), "started_at": \(time), "uptime_seconds": \(count),
        "status": {"type": "string", "enum": ["ok", "degraded", "unavailable"]},
        "reasons": {"type": "array", "items": {"type": "string"}},
        "store": {"type": "object", "required": ["engine", "refusal", "queued_commands", "commits", "commit", "canary"]},
        "spool": {"type": ["object", "null"]},
        "statistics": {"type": ["object", "null"]},
        "latencies": {
          "type": "object", "required": ["save", "load", "query", "rpc"],
          "additionalProperties": {
            "type": "object", "required": ["count", "p50_us", "p95_us", "p99_us", "max_us"],
            "additionalProperties": \(count)
          }
        },
        "rates": {"type": "object", "required": ["saves_per_s", "reads_per_s", "requests_per_s"]},
        "counts": {"type": "object", "additionalProperties": \(count)},
        "history": {"type": "array", "items": {"type": "object"}},
        "targets": {"type": "array", "items": {"type": "object", "required": ["name", "unit", "measured", "met"]}}
      }
    },
    "LiveSession": {
      "type": "object",
      "required": [
        "user_id", "session_id", "conversation_id", "title", "connections", "turn", "tokens_per_s", "pending",
        "lag_ms", "last_activity"
      ],
      "properties": {
        "user_id": \(uuid), "conversation_id": \(uuid), "session_id": {"type": ["string", "null"]},
        "title": {"type": ["string", "null"]},
        "connections": {
          "type": "array",
          "items": {"type": "object", "required": ["client", "address", "since", "backlog_ms"]}
        },
        "turn": {"type": ["object", "null"]}, "tokens_per_s": {"type": "number"}, "pending": \(count),
        "lag_ms": {"type": ["integer", "null"]}, "last_activity": \(time)
      }
    },
    "LiveSessionPage": \(page(of: "LiveSession")),
    "LogPage": {
      "type": "object", "required": ["data", "last", "has_gap", "has_more"],
      "properties": {
        "data": {
          "type": "array", "maxItems": \(Limits.pageItems.upperBound),
          "items": {"type": "object", "required": ["number", "time", "level", "message", "fields"]}
        },
        "last": \(count), "has_gap": {"type": "boolean"}, "has_more": {"type": "boolean"}
      }
    }
    """
}
