import ConversationModel
import Interchange

// The routes and schemas of whole conversations, out of the store as files and into it.

extension OpenAPI {
  static let exchangePaths = """
    "/v1/conversations/{id}/export": {
      "get": {
        "operationId": "exportConversation", "tags": ["conversations"], "summary": "Take a conversation out as a file",
        "description": "As JSON the whole tree with nothing left out, which an import takes in again; as Markdown or PDF to be \
    read. It is written while it is read; what is said meanwhile is left out. An answer that breaks off is no file.",
        "parameters": [
          {"$ref": "#/components/parameters/ConversationID"}, {"$ref": "#/components/parameters/UserID"},
          \(query("format", choice(ExportFormat.self), "What the file is; `json` unless named.")),
          \(query(
            "branch", #"{"type": "string", "pattern": "^(all|[0-9]+)$"}"#,
            "The branch whose path is written, or `all`; unless named all as JSON, else the active one."))
        ],
        "responses": {
          \(file(200, "The file.", ["application/json", "text/markdown", "application/pdf"])),
          \(problems(.notFound))
        }
      }
    },
    "/v1/export": {
      "get": {
        "operationId": "exportUser", "tags": ["conversations"], "summary": "Take out all that a user has",
        "description": "A record a line: each conversation, its branches, its messages, by the ids of the conversations. The \
    service role gets those of all users unless it names one.",
        "parameters": [
          {"$ref": "#/components/parameters/UserID"},
          \(query("format", #"{"type": "string", "enum": ["jsonl"]}"#, "What the file is."))
        ],
        "responses": {
          \(file(200, "The file.", ["application/jsonl"])),
          \(problems())
        }
      }
    },
    "/v1/import": {
      "post": {
        "operationId": "importFile", "tags": ["conversations"], "summary": "Take a file in",
        "description": "What an export wrote, a ChatGPT export's conversations.json, or the former system's tables, of at most \
    \(Limits.importBytes) bytes. Everything becomes the caller's, or the named user's; the service role may name none for \
    files that say it. Each conversation comes whole or not at all, with its ids and times where those are free. A file may \
    come again: what is there already is left as it is.",
        "parameters": [
          {"$ref": "#/components/parameters/UserID"},
          \(query("format", choice(ImportFormat.self), "Whose export it is; found out unless named."))
        ],
        "requestBody": {"required": true, "content": {"application/octet-stream": {}}},
        "responses": {
          \(answer(200, "What was taken, and what was not.", schema("ImportReport"))),
          \(problem(.tooLarge)),
          \(problems())
        }
      }
    }
    """

  static let userPaths = """
    "/v1/users/{id}": {
      "delete": {
        "operationId": "eraseUser", "tags": ["conversations"], "summary": "Erase all that a user has",
        "description": "For the service role, and for oneself. The user is then a new one, without anything. What is still \
    `pending` is hidden already; asked again, the answer says whether something is left.",
        "parameters": [
          {"name": "id", "in": "path", "required": true, "description": "The user.", "schema": \(uuid)}
        ],
        "responses": {
          \(answer(200, "Erased.", schema("Erasure"))),
          \(problems())
        }
      }
    }
    """

  static let exchangeSchemas = """
    "ImportReport": {
      "type": "object", "required": ["imported", "skipped", "skipped_count", "already_there"],
      "properties": {
        "imported": {
          "type": "object", "required": ["conversations", "messages"],
          "properties": {"conversations": \(count), "messages": \(count)}
        },
        "skipped": {
          "type": "array", "maxItems": \(Limits.reportedSkips),
          "items": {
            "type": "object", "required": ["where", "why"],
            "properties": {"where": {"type": "string"}, "why": {"type": "string"}}
          }
        },
        "skipped_count": \(described(count, "All that was not taken; the list ends earlier.")),
        "already_there": \(described(count, "Of these the conversations that were here before."))
      }
    }
    """

  private static func choice<Choice: CaseIterable & RawRepresentable<String>>(_ type: Choice.Type) -> String {
    #"{"type": "string", "enum": ["# + Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ") + "]}"
  }

  private static func file(_ status: Int, _ description: String, _ types: [String]) -> String {
    let content = types.map { "\"\($0)\": {}" }.joined(separator: ", ")
    return """
      "\(status)": {"description": "\(description)", "headers": \(headers([:])), "content": {\(content)}}
      """
  }
}
