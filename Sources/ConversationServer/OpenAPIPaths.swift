import ConversationModel

// The routes of the description. `Router.route` registers the same ones; a test compares the two.

extension OpenAPI {
  static let conversationPaths = """
    "/v1/conversations": {
      "post": {
        "operationId": "openConversation", "tags": ["conversations"],
        "summary": "Find the conversation of a session, or make it",
        "description": "The service role must name the user. A conversation that is there stays as it is.",
        \(parameters("UserID")),
        \(body(schema("OpenConversation"), isRequired: false)),
        "responses": {
          \(answer(200, "It was there.", schema("ConversationReceipt"), headers: ["ETag": "Version"])),
          \(answer(201, "It is new.", schema("ConversationReceipt"), headers: ["ETag": "Version"])),
          \(problems(readsBody: true))
        }
      },
      "get": {
        "operationId": "listConversations", "tags": ["conversations"],
        "summary": "List conversations, newest activity first",
        "description": "With a filter a page may come out short, or empty, and yet have a next one.",
        "parameters": [
          {"$ref": "#/components/parameters/UserID"}, {"$ref": "#/components/parameters/Limit"},
          {"$ref": "#/components/parameters/Cursor"},
          \(query("archived", #"{"type": "boolean"}"#, "Only those that are archived, or that are not.")),
          \(query("pinned", #"{"type": "boolean"}"#, "Only those that are pinned, or that are not.")),
          \(query("is_default", #"{"type": "boolean"}"#, "Only users' default conversations, or only others.")),
          \(query("q", text(upTo: Limits.filterScalars), "Only those whose title holds this, in either case.")),
          \(query("session_id", key, "Only the conversation of this session."))
        ],
        "responses": {
          \(answer(200, "A page.", schema("ConversationPage"))),
          \(problems())
        }
      }
    },
    "/v1/conversations/{id}": {
      "get": {
        "operationId": "getConversation", "tags": ["conversations"], "summary": "Read a conversation",
        \(parameters("ConversationID", "UserID")),
        "responses": {
          \(answer(200, "The conversation.", schema("Conversation"), headers: ["ETag": "Version"])),
          \(problems(.notFound))
        }
      },
      "patch": {
        "operationId": "updateConversation", "tags": ["conversations"], "summary": "Change facts about a conversation",
        \(parameters("ConversationID", "UserID", "IfVersion")),
        \(body(schema("UpdateConversation"))),
        "responses": {
          \(answer(200, "Changed.", schema("ConversationReceipt"), headers: ["ETag": "Version"])),
          \(problems(.notFound, .preconditionFailed, readsBody: true))
        }
      },
      "delete": {
        "operationId": "eraseConversation", "tags": ["conversations"], "summary": "Erase a conversation",
        "description": "With all that is in it, and for good: `complete` when nothing of it is in any file. What is still \
    `pending` is hidden already; asked again, it is that, and 404 when nothing is left.",
        \(parameters("ConversationID", "UserID")),
        "responses": {
          \(answer(200, "Erased.", schema("Erasure"))),
          \(problems(.notFound))
        }
      }
    },
    "/v1/conversations/{id}/changes": {
      "get": {
        "operationId": "listChanges", "tags": ["conversations"],
        "summary": "List what changed behind a version, as it is now",
        "description": "Rows in the order of their versions, whole versions a page, deletions as rows that say so.",
        "parameters": [
          {"$ref": "#/components/parameters/ConversationID"}, {"$ref": "#/components/parameters/UserID"},
          {"$ref": "#/components/parameters/Limit"},
          \(query("since", countFrom(0, otherwise: 0), "The version already known; not above the present one."))
        ],
        "responses": {
          \(answer(200, "The changes.", schema("Changes"))),
          \(problems(.notFound))
        }
      }
    }
    """

  static let messagePaths = """
    "/v1/conversations/{id}/messages": {
      "get": {
        "operationId": "listMessages", "tags": ["messages"], "summary": "Read a page of a path, oldest message first",
        "description": "The newest messages, or at most one of `before`, `after` and `around`.",
        "parameters": [
          {"$ref": "#/components/parameters/ConversationID"}, {"$ref": "#/components/parameters/UserID"},
          {"$ref": "#/components/parameters/Limit"},
          \(query("branch", count, "The branch at whose head the path ends; the active one unless named.")),
          \(query("before", anchor, "The messages below this position, message id or cursor.")),
          \(query("after", anchor, "The messages above this position, message id or cursor.")),
          \(query("around", anchor, "As many messages as the limit allows, this one in their middle."))
        ],
        "responses": {
          \(answer(200, "A page.", schema("MessagePage"))),
          \(problems(.notFound))
        }
      },
      "post": {
        "operationId": "appendMessages", "tags": ["messages"], "summary": "Add one message or several, all or none",
        "description": "With a client id or `Idempotency-Key` it may be repeated: the same content finds the message, \
    other content is 409, and a message deleted since is 410.",
        \(parameters("ConversationID", "UserID", "IdempotencyKey")),
        \(body(oneOf("AppendMessage", "AppendMessages"))),
        "responses": {
          \(answer(200, "A replay: added before.", oneOf("MessageReceipt", "MessagesReceipt"))),
          \(answer(201, "Added.", oneOf("MessageReceipt", "MessagesReceipt"))),
          \(answer(202, "Spooled: safe, but without a place yet.", oneOf("MessageReceipt", "MessagesReceipt"))),
          \(problems(.notFound, .conflict, .gone, readsBody: true))
        }
      }
    },
    "/v1/conversations/{id}/turns": {
      "post": {
        "operationId": "takeTurn", "tags": ["turns"], "summary": "Ask, and be answered",
        "description": "The question and the place of its answer are stored in one change; the answer is written \
    whoever listens. With `Accept: text/event-stream` it comes piece by piece: `message`, `delta {offset, text}` with \
    offsets in Unicode scalars, `tool`, `done`; `error` before `done` if it was cut off. With a client id a question \
    may come again: the same answer is found, or gone on with. A branch has one turn at a time: 409 with `turn_id`.",
        \(parameters("ConversationID", "UserID", "IdempotencyKey")),
        \(body(oneOf("AskTurn", "EditTurn", "RegenerateTurn"))),
        "responses": {
          \(answer(200, "A replay: asked before. As events, this is also the answer to a new question.", schema("Turn"))),
          \(answer(201, "Answered.", schema("Turn"))),
          \(problems(.notFound, .conflict, .gone, readsBody: true))
        }
      }
    },
    "/v1/messages/{id}": {
      "get": {
        "operationId": "getMessage", "tags": ["messages"], "summary": "Read a message and its siblings",
        \(parameters("MessageID", "UserID")),
        "responses": {
          \(answer(200, "The message.", schema("MessageWithSiblings"), headers: ["ETag": "Revision"])),
          \(problems(.notFound, .gone))
        }
      },
      "patch": {
        "operationId": "reviseMessage", "tags": ["messages"], "summary": "Edit a message in place",
        "description": "The earlier text becomes a revision; what follows stays.",
        \(parameters("MessageID", "UserID", "IfRevision")),
        \(body(schema("ReviseMessage"))),
        "responses": {
          \(answer(200, "Edited.", schema("MessageReceipt"), headers: ["ETag": "Revision"])),
          \(problems(.notFound, .conflict, .gone, .preconditionFailed, readsBody: true))
        }
      },
      "delete": {
        "operationId": "deleteMessage", "tags": ["messages"], "summary": "Blank a message and its revisions",
        "description": "Its place is kept. Once more is a replay.",
        \(parameters("MessageID", "UserID", "IfRevision")),
        "responses": {
          \(answer(200, "Deleted.", schema("MessageReceipt"), headers: ["ETag": "Revision"])),
          \(problems(.notFound, .conflict, .gone, .preconditionFailed))
        }
      }
    },
    "/v1/messages/{id}/revisions": {
      "get": {
        "operationId": "listRevisions", "tags": ["messages"],
        "summary": "List a message's earlier texts, newest first",
        \(parameters("MessageID", "UserID", "Limit", "Cursor")),
        "responses": {
          \(answer(200, "A page.", schema("RevisionPage"))),
          \(problems(.notFound, .gone))
        }
      }
    },
    "/v1/search": {
      "get": {
        "operationId": "searchMessages", "tags": ["messages"], "summary": "Find messages by their words, newest first",
        "description": "All words must be in a message: whole ones, in either case, with or without accents; `word*` \
    stands for all that begin so; Chinese, Japanese, Korean and Thai are found anywhere. There is no other syntax, and a text without a word finds nothing. A page may \
    come out short, or empty, and yet have a next one. Without `user_id` the service role searches all users' messages, \
    by reading them. Open a hit with `around`.",
        "parameters": [
          {"$ref": "#/components/parameters/UserID"}, {"$ref": "#/components/parameters/Limit"},
          {"$ref": "#/components/parameters/Cursor"},
          {
            "name": "q", "in": "query", "required": true, "description": "The words.",
            "schema": {"type": "string", "minLength": 1, "maxLength": \(Limits.searchScalars)}
          },
          \(query("conversation_id", uuid, "Only in this conversation.")),
          \(query(
            "scope", #"{"enum": ["active", "all"], "default": "active"}"#,
            "On the active path of each conversation, or on all branches that are not deleted."))
        ],
        "responses": {
          \(answer(200, "A page.", schema("SearchPage"))),
          \(problems(.notFound))
        }
      }
    }
    """

  static let branchPaths = """
    "/v1/conversations/{id}/branches": {
      "get": {
        "operationId": "listBranches", "tags": ["branches"], "summary": "List the branches that are not deleted",
        \(parameters("ConversationID", "UserID")),
        "responses": {
          \(answer(200, "All of them, by number.", schema("BranchPage"))),
          \(problems(.notFound))
        }
      },
      "post": {
        "operationId": "makeBranch", "tags": ["branches"], "summary": "Start a branch",
        "description": "Behind a message, or with another text in the place of one: `Idempotency-Key` is for that.",
        \(parameters("ConversationID", "UserID", "IdempotencyKey")),
        \(body(oneOf("ForkBranch", "EditBranch"))),
        "responses": {
          \(answer(200, "A replay: made before.", schema("BranchReceipt"))),
          \(answer(201, "Made.", schema("BranchReceipt"))),
          \(problems(.notFound, .conflict, .gone, readsBody: true))
        }
      }
    },
    "/v1/conversations/{id}/branches/{number}": {
      "patch": {
        "operationId": "updateBranch", "tags": ["branches"], "summary": "Change a branch's title",
        \(parameters("ConversationID", "BranchNumber", "UserID")),
        \(body(schema("UpdateBranch"))),
        "responses": {
          \(answer(200, "Changed.", schema("BranchReceipt"))),
          \(problems(.notFound, readsBody: true))
        }
      },
      "delete": {
        "operationId": "deleteBranch", "tags": ["branches"], "summary": "Delete a branch and blank its messages",
        "description": "Not the trunk, and not a branch that others continue: those are 409.",
        \(parameters("ConversationID", "BranchNumber", "UserID")),
        "responses": {
          \(answer(200, "Deleted.", schema("BranchReceipt"))),
          \(problems(.notFound, .conflict))
        }
      }
    }
    """

  /// The handshake; what is said over the socket is not HTTP.
  static let livePaths = """
    "/v1/live": {
      "get": {
        "operationId": "openSocket", "tags": ["live"], "summary": "Open a WebSocket to a user's conversations",
        "description": "With `Upgrade: websocket` and `Connection: upgrade`, as the first request of a connection. The \
    frames are JSON objects with a `type`. Programs send the token as a header, browsers as a subprotocol.",
        "parameters": [
          {"name": "Sec-WebSocket-Version", "in": "header", "required": true, "schema": {"const": "13"}},
          {
            "name": "Sec-WebSocket-Key", "in": "header", "required": true, "description": "Sixteen bytes in base64.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9+/]{22}==$"}
          },
          {
            "name": "Sec-WebSocket-Protocol", "in": "header", "schema": {"type": "string"},
            "description": "`\(Handshake.subprotocol)`, and for a browser `bearer.` with the token behind it."
          },
          {
            "name": "Origin", "in": "header", "schema": {"type": "string"},
            "description": "Sent by browsers; one of those that the server was told to let in."
          }
        ],
        "security": [{"bearer": []}, {}],
        "responses": {
          "101": {
            "description": "The socket is open.",
            "headers": \(headers(["Upgrade": "Upgrade", "Sec-WebSocket-Accept": "Accept"]))
          },
          \(problems(isUpgrade: true))
        }
      }
    }
    """

  static let operationsPaths = """
    "/healthz": {
      "get": {
        "operationId": "getHealth", "tags": ["operations"], "security": [], "summary": "Is the server alive?",
        "responses": {
          \(answer(200, "It is.", schema("Health")))
        }
      }
    },
    "/readyz": {
      "get": {
        "operationId": "getReadiness", "tags": ["operations"], "security": [], "summary": "Does it take messages?",
        "responses": {
          \(answer(200, "It does.", schema("Readiness"))),
          \(answer(503, "It does not, for these reasons.", schema("Readiness"), headers: ["Retry-After": "RetryAfter"]))
        }
      }
    },
    "/metrics": {
      "get": {
        "operationId": "getMetrics", "tags": ["operations"], "security": [],
        "summary": "What was measured, for Prometheus",
        "responses": {
          "200": {
            "description": "One metric after the other, each with its help and its type.",
            "headers": {"x-request-id": {"$ref": "#/components/headers/RequestID"}},
            "content": {"text/plain": {"schema": {"type": "string"}}}
          },
          \(problem(.rateLimited))
        }
      }
    },
    "/v1/limits": {
      "get": {
        "operationId": "getLimits", "tags": ["operations"], "security": [], "summary": "Every limit, with its unit",
        "responses": {
          \(answer(200, "The limits.", schema("Limits"))),
          \(problem(.rateLimited))
        }
      }
    },
    "/v1/status": {
      "get": {
        "operationId": "getStatus", "tags": ["operations"],
        "summary": "What the server and its store have measured; for the service role",
        "responses": {
          \(answer(200, "The status.", schema("Status"))),
          \(problems())
        }
      }
    },
    "/v1/sessions": {
      "get": {
        "operationId": "listLiveSessions", "tags": ["operations"],
        "summary": "The sessions that have connections now, by conversation; for the service role",
        \(parameters("Limit", "Cursor")),
        "responses": {
          \(answer(200, "A page.", schema("LiveSessionPage"))),
          \(problems())
        }
      }
    },
    "/v1/log": {
      "get": {
        "operationId": "getLog", "tags": ["operations"],
        "summary": "The latest records of the log, oldest first; for the service role",
        "parameters": [
          {"$ref": "#/components/parameters/Limit"},
          \(query("since", count, "The number of the last record that is known; 0 for all that are kept."))
        ],
        "responses": {
          \(answer(200, "The records behind it.", schema("LogPage"))),
          \(problems())
        }
      }
    },
    "/openapi.json": {
      "get": {
        "operationId": "getDescription", "tags": ["operations"], "security": [], "summary": "This description",
        "responses": {
          \(answer(200, "An OpenAPI 3.1 document.", #"{"type": "object", "required": ["openapi", "info", "paths"]}"#)),
          \(problem(.rateLimited))
        }
      }
    }
    """
}
