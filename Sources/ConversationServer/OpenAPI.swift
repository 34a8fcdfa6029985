import ConversationModel

/// The description of the native door, the live door's handshake and the operations routes in OpenAPI 3.1:
/// what `/openapi.json` answers.
///
/// It is written by hand as JSON, in the order in which somebody reads it. What the server knows already
/// is put in from there and not written again: limits, the values of enumerations, statuses of errors. The
/// Supabase door is left out: there parameters are named like columns and answers follow `select`, which
/// OpenAPI can only describe loosely, and this document promises to be exact.
enum OpenAPI {
  /// In one line: the pieces are not indented alike.
  static let document = text.split(separator: "\n").map(\.trimmingSpaces).joined(separator: " ")

  private static let text = """
    {
      "openapi": "3.1.0",
      "info": {
        "title": "Parley",
        "version": "1",
        "summary": "A conversation server for AI assistants.",
        "description": "\(description)"
      },
      "servers": [{"url": "/"}],
      "security": [{"bearer": []}],
      "tags": [
        {"name": "conversations", "description": "What a session holds, and what changed in it."},
        {"name": "messages", "description": "Messages on the paths of a conversation's tree."},
        {"name": "branches", "description": "Numbered runs of messages; 0 is the trunk."},
        {"name": "live", "description": "Changes as they happen, over a WebSocket."},
        {"name": "operations", "description": "Open to all: is the server alive, and what are its limits."}
      ],
      "paths": {
        \(conversationPaths),
        \(exchangePaths),
        \(userPaths),
        \(messagePaths),
        \(branchPaths),
        \(livePaths),
        \(operationsPaths)
      },
      "components": {
        "securitySchemes": {
          "bearer": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "A user's token, or a token or the opaque key of the service role."
          }
        },
        "parameters": {
          \(parameters)
        },
        "headers": {
          \(headers)
        },
        "responses": {
          \(problemResponses)
        },
        "schemas": {
          \(requestSchemas),
          \(replySchemas),
          \(statusSchemas),
          \(exchangeSchemas)
        }
      }
    }
    """

  /// Paragraphs in Markdown; what holds for every route.
  private static let description = [
    "The native door `/v1` and the operations routes.",
    "JSON is UTF-8. It is read strictly: a field or a query parameter that is not described here is refused, and so "
      + "are a key that comes twice and the character U+0000. Null in a field means the same as leaving it out, "
      + "where nothing else is said. Answers may gain fields.",
    "A user sees what is its own and nothing else: a foreign id and an unknown one get the same 404, and so does an id "
      + "that is no UUID. The service role sees everything, and acts for the user that it names as `user_id`.",
    "Every answer carries `x-request-id`. Every error is a problem (RFC 9457). An unknown path is 404; a method that a "
      + "path lacks is 405 and names the others in `Allow`; HEAD works wherever GET does. A request that is no sound "
      + "HTTP/1.1 is 400, one whose head is too large 431, one whose body does not arrive in time 408, and one on a "
      + "connection too many 503: each a problem too, after which the connection closes.",
    "A write answers with a receipt. One request is one change: the conversation's version rises by one, whatever it "
      + "did. After 503 or a lost connection the outcome may be unknown; sending again with the same client id or "
      + "`Idempotency-Key` is safe.",
    "The Supabase door `/rest/v1` speaks the language of PostgREST and is described by its clients: "
      + "`get_or_create_pam_conversation`, `store_pam_message`, `get_conversation_history`, and reading "
      + "`pam_conversations` and `pam_messages`.",
  ].joined(separator: #"\n\n"#)
}
