import ConversationModel

// The schemas of the description: what requests may say, what answers say, and the values in both.

extension OpenAPI {
  // MARK: Requests

  static let requestSchemas = """
    "OpenConversation": {
      "type": "object", "additionalProperties": false,
      "properties": {
        "user_id": \(orNull(uuid, "Whose conversation; for the service role. A user may name itself only.")),
        "session_id": \(orNull(key, sessionRule)),
        "title": \(orNull(title, "For a new conversation. Without one it is taken from the first user message.")),
        "context": \(orNull(object, "For a new conversation."))
      }
    },
    "UpdateConversation": {
      "type": "object", "additionalProperties": false, "description": "At least one change.",
      "properties": {
        "title": \(orNull(title, "Null takes it from the first user message again.")),
        "context": \(orNull(object, "Replaces the context.")),
        "archived": {"type": ["boolean", "null"]},
        "pinned": {"type": ["boolean", "null"]},
        "active_branch": \(orNull(count, "The branch that is shown unless another one is asked for."))
      },
      "anyOf": [
        {"required": ["title"]}, \(present("context", "object")), \(present("archived", "boolean")),
        \(present("pinned", "boolean")), \(present("active_branch", "integer"))
      ]
    },
    "NewMessage": {
      "type": "object", "additionalProperties": false, "required": ["role", "content"],
      "properties": {
        \(newMessage)
      }
    },
    "AppendMessage": {
      "type": "object", "additionalProperties": false, "required": ["role", "content"],
      "properties": {
        \(newMessage),
        \(place)
      }
    },
    "AppendMessages": {
      "type": "object", "additionalProperties": false, "required": ["messages"],
      "properties": {
        "messages": {
          "type": "array", "items": \(schema("NewMessage")), "minItems": \(Limits.appendMessages.lowerBound),
          "maxItems": \(Limits.appendMessages.upperBound)
        },
        \(place)
      }
    },
    "ReviseMessage": {
      "type": "object", "additionalProperties": false, "description": "At least one change.",
      "properties": {
        "content": \(orNull(content, "Replaces the text.")),
        "metadata": \(orNull(object, "Replaces the metadata."))
      },
      "anyOf": [\(present("content", "string")), \(present("metadata", "object"))]
    },
    "ForkBranch": {
      "type": "object", "additionalProperties": false, "required": ["from_message"],
      "description": "A branch that goes on behind a message, without one of its own.",
      "properties": {
        "from_message": \(orNull(uuid, "Null for before the first message.")),
        \(newBranch)
      }
    },
    "EditBranch": {
      "type": "object", "additionalProperties": false, "required": ["edit_message", "content"],
      "description": "A branch whose first message takes the place of another one, and its role.",
      "properties": {
        "edit_message": \(uuid),
        \(newBranch),
        \(newText)
      }
    },
    "UpdateBranch": {
      "type": "object", "additionalProperties": false, "required": ["title"],
      "properties": {"title": \(orNull(title, "Null for none."))}
    }
    """

  private static let sessionRule =
    "The session. Left out: a new one, named like its conversation's id. Null: the user's default conversation."

  private static let newMessage = """
    "role": \(role),
    \(newText)
    """

  private static let newText = """
    "content": \(content),
    "client_id": \(orNull(key, "The caller's own name for this message in its conversation: makes it repeatable.")),
    "intent": \(orNull(text(upTo: Limits.intentScalars), "A label for what is wanted.")),
    "confidence": \(orNull(#"{"type": "number", "minimum": -9.99, "maximum": 9.99}"#, "Rounded to hundredths.")),
    "entities": \(orNull(object)),
    "metadata": \(orNull(object))
    """

  private static let place = """
    "user_id": \(orNull(uuid, "The user that the service role acts for.")),
    "parent": \(orNull(uuid, "The message that this must follow.")),
    "branch": \(orNull(count, "The branch to add to; the active one unless named.")),
    "on_conflict": {
      "type": ["string", "null"], "enum": [\(names(Append.OnConflict.self)), null], "default": "branch",
      "description": "When the parent is no longer the last message: start a branch behind it, or refuse with 409."
    }
    """

  private static let newBranch = """
    "title": \(orNull(title)),
    "activate": {"type": ["boolean", "null"], "default": true, "description": "Whether it becomes the active branch."}
    """

  /// A field that is there and not null.
  private static func present(_ field: String, _ type: String) -> String {
    """
    {"required": ["\(field)"], "properties": {"\(field)": {"type": "\(type)"}}}
    """
  }

  // MARK: Answers

  static let replySchemas = """
    "Conversation": {
      "type": "object",
      "required": [
        "id", "user_id", "session_id", "is_default", "title", "context", "archived", "pinned", "active_branch",
        "head_position", "message_count", "branch_count", "version", "created_at", "updated_at"
      ],
      "properties": {
        "id": \(uuid),
        "user_id": \(uuid),
        "session_id": {"type": ["string", "null"], "description": "Null for a default conversation without a name."},
        "is_default": {"type": "boolean", "description": "Whether `session_id` null means this one."},
        "title": {"type": ["string", "null"]},
        "context": \(json),
        "archived": {"type": "boolean"},
        "pinned": {"type": "boolean"},
        "active_branch": \(count),
        "head_position": \(described(count, "The last position of the active branch's path; 0 when there is none.")),
        "message_count": \(described(count, "Messages that are not deleted, on all branches.")),
        "branch_count": \(described(count, "Branches that are not deleted.")),
        "version": \(described(countFrom(1), "Count of changes: concurrency check, resume point and ETag in one.")),
        "created_at": \(time),
        "updated_at": \(described(time, "The last change of any kind."))
      }
    },
    "Message": {
      "type": "object",
      "required": [
        "id", "client_id", "conversation_id", "branch", "position", "role", "content", "intent", "confidence",
        "entities", "metadata", "status", "revision", "durability", "created_at", "edited_at"
      ],
      "properties": {
        "id": \(uuid),
        "client_id": {"type": ["string", "null"]},
        "conversation_id": \(uuid),
        "branch": \(count),
        "position": \(orNull(countFrom(1), "1, 2, 3 … along the path; null while it is spooled.")),
        "role": \(role),
        "content": {"type": "string", "description": "Empty when the message is deleted."},
        "intent": {"type": ["string", "null"]},
        "confidence": {"type": ["number", "null"], "minimum": -9.99, "maximum": 9.99},
        "entities": \(json),
        "metadata": \(json),
        "status": {"type": "string", "enum": [\(names(Message.Status.self))]},
        "revision": \(described(countFrom(1), "1 for the text as added; each edit in place adds one. The ETag.")),
        "durability": \(durability),
        "created_at": \(time),
        "edited_at": \(orNull(time))
      }
    },
    "MessageWithSiblings": {
      "allOf": [\(schema("Message")), {
        "type": "object", "required": ["siblings"],
        "properties": {
          "siblings": {
            "type": "array", "description": "The messages at this place, itself included, by branch.",
            "items": {
              "type": "object", "required": ["id", "branch"], "properties": {"id": \(uuid), "branch": \(count)}
            }
          }
        }
      }]
    },
    "Branch": {
      "type": "object",
      "required": [
        "number", "parent", "fork_position", "head_position", "title", "origin", "active", "deleted", "created_at"
      ],
      "properties": {
        "number": \(described(count, "Never reused.")),
        "parent": \(orNull(count, "The branch that it continues; null for the trunk.")),
        "fork_position": \(described(count, "The last position that it shares with its parent.")),
        "head_position": \(described(count, "The last position of its path.")),
        "title": {"type": ["string", "null"]},
        "origin": {"type": "string", "enum": [\(names(Branch.Origin.self))]},
        "active": {"type": "boolean"},
        "deleted": {"type": "boolean"},
        "created_at": \(time)
      }
    },
    "Revision": {
      "type": "object", "required": ["revision", "content", "metadata", "replaced_at"],
      "properties": {
        "revision": \(described(countFrom(1), "1 for the text as added.")),
        "content": {"type": "string"},
        "metadata": \(json),
        "replaced_at": \(time)
      }
    },
    "Change": {
      "description": "A row as it is now, with the version that it was last changed at.",
      "oneOf": [
        \(change("conversation", "Conversation")), \(change("branch", "Branch")), \(change("message", "Message"))
      ]
    },
    "Changes": {
      "type": "object", "required": ["data", "version", "has_more"],
      "properties": {
        "data": {"type": "array", "items": \(schema("Change"))},
        "version": \(described(count, "The version that these changes lead to: the next `since`.")),
        "has_more": {"type": "boolean"},
        "degraded": {
          "type": "boolean", "description": "True while messages wait in the spool, which are no changes yet; a page shows them."
        }
      }
    },
    "MessagePage": {
      "type": "object",
      "required": [
        "data", "forks", "branch", "has_before", "has_after", "before", "after", "head_position", "version"
      ],
      "properties": {
        "data": {"type": "array", "items": \(schema("Message")), "maxItems": \(Limits.pageItems.upperBound)},
        "forks": {
          "type": "array", "description": "The other branches whose first message stands on this page.",
          "items": {
            "type": "object", "required": ["position", "branches"],
            "properties": {"position": \(countFrom(1)), "branches": {"type": "array", "items": \(count)}}
          }
        },
        "branch": \(described(count, "The branch whose path this is.")),
        "has_before": {"type": "boolean"},
        "has_after": {"type": "boolean"},
        "before": {"type": ["string", "null"], "description": "Cursor for what lies below; null at the start."},
        "after": {"type": ["string", "null"], "description": "Cursor for what lies above; null at the end."},
        "head_position": \(count),
        "version": \(described(countFrom(1), "The conversation's version: whoever follows its changes goes on here."))
      }
    },
    "ConversationPage": \(page(of: "Conversation")),
    "BranchPage": \(page(of: "Branch", isWhole: true)),
    "RevisionPage": \(page(of: "Revision")),
    "SearchHit": {
      "type": "object", "required": ["message", "snippet", "conversation"],
      "properties": {
        "message": \(schema("Message")),
        "snippet": {
          "type": "string", "maxLength": \(Limits.snippetScalars + 2),
          "description": "A part of the text with the first word that was found, on one line."
        },
        "conversation": {
          "type": "object", "required": ["id", "title"],
          "properties": {"id": \(uuid), "title": {"type": ["string", "null"]}}
        }
      }
    },
    "SearchPage": \(page(of: "SearchHit")),
    "ConversationReceipt": \(receipt(#""conversation""#, "\"conversation\": \(schema("Conversation"))")),
    "MessageReceipt": \(receipt(
      #""message""#, "\"message\": \(schema("Message")), \"branch\": \(madeByConflict)")),
    "MessagesReceipt": \(receipt(
      #""messages""#,
      "\"messages\": {\"type\": \"array\", \"items\": \(schema("Message"))}, \"branch\": \(madeByConflict)")),
    "BranchReceipt": \(receipt(
      #""branch""#,
      "\"branch\": \(schema("Branch")), \"message\": \(described(schema("Message"), "The new text."))")),
    "Turn": {
      "type": "object", "required": ["message", "reply", "turn_id", "replayed"],
      "properties": {
        "message": \(orNull(schema("Message"), "The question; null for an answer that was written anew.")),
        "reply": \(described(schema("Message"), "The answer; `incomplete` if it was cut off, `metadata.error` says why.")),
        "turn_id": \(described(uuid, "The id of the answer's message.")), "branch": \(schema("Branch")),
        "replayed": {"type": "boolean"}
      }
    },
    "AskTurn": {
      "type": "object", "required": ["content"], "additionalProperties": false,
      "properties": {
        \(newText), \(turnOptions),
        "parent": \(orNull(uuid, "The message that the question follows.")),
        "branch": \(orNull(count, "The branch that it is asked on; the active one if it names none."))
      }
    },
    "EditTurn": {
      "type": "object", "required": ["content", "edit_message"], "additionalProperties": false,
      "properties": {
        \(newText), \(turnOptions), "edit_message": \(described(uuid, "The question whose place this text takes, as a branch."))
      }
    },
    "RegenerateTurn": {
      "type": "object", "required": ["regenerate"], "additionalProperties": false,
      "properties": {
        "regenerate": \(described(uuid, "The answer that is to be written anew, as a branch.")),
        "client_id": \(orNull(key, "Makes the turn repeatable.")), \(turnOptions)
      }
    },
    "Erasure": {
      "type": "object", "required": ["state", "counts"],
      "properties": {
        "state": {"type": "string", "enum": ["complete", "pending"]},
        "counts": {
          "type": "object", "required": ["conversations", "branches", "messages", "revisions"],
          "properties": {
            "conversations": \(count), "branches": \(count), "messages": \(count), "revisions": \(count)
          }
        }
      }
    },
    "Problem": {
      "type": "object", "required": ["type", "title", "status", "detail", "code", "request_id"],
      "properties": {
        "type": {"type": "string", "format": "uri", "description": "`urn:parley:problem:` and the code."},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "A sentence: what was wrong, what is allowed."},
        "code": {"type": "string", "enum": [\(names(ConversationError.Code.self))]},
        "field": {"type": "string", "description": "The field, parameter or header that was wrong."},
        "request_id": {"type": "string"},
        "turn_id": \(described(uuid, "The turn that runs on the branch already; only of a turn's 409."))
      }
    },
    "Health": {
      "type": "object", "required": ["status"], "properties": {"status": {"type": "string", "const": "ok"}}
    },
    "Readiness": {
      "type": "object", "required": ["status", "reasons"],
      "properties": {
        "status": {"type": "string", "enum": ["ok", "degraded", "unavailable"]},
        "reasons": {"type": "array", "items": {"type": "string"}}
      }
    },
    "Limits": {
      "type": "object",
      "required": [
        "body_bytes", "content_bytes", "object_bytes", "object_depth", "title_characters", "session_id_characters",
        "client_id_characters", "intent_characters", "filter_characters", "search_characters",
        "cursor_characters", "head_bytes", "head_field_bytes", "head_fields", "page_min", "page_max", "page_default", "append_messages", "fork_depth",
        "frame_bytes", "import_bytes", "import_record_bytes", "imports_of_a_user", "exports_of_a_user"
      ],
      "properties": {
        "body_bytes": \(described(count, "A request's body.")),
        "content_bytes": \(described(count, "A message's text, in UTF-8.")),
        "object_bytes": \(described(count, "Metadata, entities or a context, as compact JSON.")),
        "object_depth": \(described(count, "Levels of nesting in them.")),
        "title_characters": \(described(count, "Characters are Unicode scalars, here and below.")),
        "session_id_characters": \(count),
        "client_id_characters": \(count),
        "intent_characters": \(count),
        "filter_characters": \(described(count, "The `q` of a list.")),
        "search_characters": \(described(count, "The `q` of a search.")),
        "cursor_characters": \(count),
        "head_bytes": \(described(count, "All header fields of a request.")),
        "head_field_bytes": \(described(count, "One of them.")),
        "head_fields": \(count),
        "page_min": \(count),
        "page_max": \(count),
        "page_default": \(count),
        "append_messages": \(described(count, "Messages in one request.")),
        "fork_depth": \(described(count, "Forks between a branch and the trunk.")),
        "frame_bytes": \(described(count, "One WebSocket frame.")),
        "import_bytes": \(described(count, "One file that is imported.")),
        "import_record_bytes": \(described(count, "One record of it; of another system, one conversation.")),
        "imports_of_a_user": \(described(count, "Files on their way in at one time; they are taken one after the other.")),
        "exports_of_a_user": \(described(count, "At one time."))
      }
    }
    """

  private static let madeByConflict = described(schema("Branch"), "The branch that a conflict made.")

  private static func change(_ kind: String, _ row: String) -> String {
    """
    {
      "type": "object", "required": ["kind", "version", "row"],
      "properties": {"kind": {"const": "\(kind)"}, "version": \(countFrom(1)), "row": \(schema(row))}
    }
    """
  }

  static func page(of item: String, isWhole: Bool = false) -> String {
    let most = isWhole ? "" : ", \"maxItems\": \(Limits.pageItems.upperBound)"
    return """
      {
        "type": "object", "required": ["data", "has_more", "next_cursor"],
        "properties": {
          "data": {"type": "array", "items": \(schema(item))\(most)},
          "has_more": {"type": "boolean"},
          "next_cursor": {"type": ["string", "null"]}
        }
      }
      """
  }

  private static func receipt(_ required: String, _ objects: String) -> String {
    """
    {
      "type": "object", "required": [\(required), "version", "durability", "replayed"],
      "properties": {
        \(objects),
        "version": \(orNull(countFrom(1), "The conversation's version; null while it is spooled.")),
        "durability": \(durability),
        "replayed": {"type": "boolean", "description": "Whether the same had been accepted before."}
      }
    }
    """
  }

  // MARK: Values

  static let uuid = #"{"type": "string", "format": "uuid"}"#
  static let count = countFrom(0)
  static let key = string(1, Limits.keyScalars, noControlsPattern)
  static let cursor = string(1, Limits.cursorCharacters)
  /// A position, a message id or a cursor.
  static let anchor = cursor
  /// The value of `If-Match`.
  static let condition = #"{"type": "string", "pattern": "^([0-9]{1,18}|\"[0-9]{1,18}\"|\\*)$"}"#
  private static let title = string(1, Limits.titleScalars, noControlsPattern)
  static let time = #"{"type": "string", "format": "date-time"}"#
  private static let role = "{\"type\": \"string\", \"enum\": [\(names(Message.Role.self))]}"
  private static let content = described(
    string(0, Limits.contentBytes), "At most \(Limits.contentBytes) bytes of UTF-8.")
  private static let object = described(
    #"{"type": "object"}"#,
    "At most \(Limits.objectBytes) bytes of compact JSON and \(Limits.objectDepth) levels of nesting.")
  /// What a request can only set to an object may have come through the Supabase door as something else.
  private static let json = #"{"description": "An object, or any JSON that the Supabase door was given."}"#
  private static let turnOptions = """
    "model": {"type": ["string", "null"], "description": "The model that is to answer: 404 for one that this server has not."}, \
    "user_id": \(orNull(uuid, "The user that the service role acts for."))
    """

  private static let durability = """
    {"type": "string", "enum": ["\(Durability.stored.rawValue)", "\(Durability.spooled.rawValue)"], "description": \
    "Synced in the store, or in the spool before it."}
    """

  static let eTagPattern = #"^\"[0-9]+\"$"#
  static let visiblePattern = "^[!-~]([ -~]*[!-~])?$"
  private static let noControlsPattern = #"^[^\\u0000-\\u001f\\u007f-\\u009f]*$"#

  static func schema(_ name: String) -> String { "{\"$ref\": \"#/components/schemas/\(name)\"}" }

  static func oneOf(_ names: String...) -> String {
    "{\"oneOf\": [\(names.map { schema($0) }.joined(separator: ", "))]}"
  }

  static func countFrom(_ minimum: Int, otherwise: Int? = nil) -> String {
    let value = otherwise.map { ", \"default\": \($0)" } ?? ""
    return "{\"type\": \"integer\", \"format\": \"int64\", \"minimum\": \(minimum)\(value)}"
  }

  /// Any text of so many characters at most.
  static func text(upTo characters: Int) -> String { string(0, characters) }

  private static func string(_ least: Int, _ most: Int, _ pattern: String? = nil) -> String {
    let shape = pattern.map { ", \"pattern\": \"\($0)\"" } ?? ""
    return "{\"type\": \"string\", \"minLength\": \(least), \"maxLength\": \(most)\(shape)}"
  }

  private static func orNull(_ schema: String, _ description: String? = nil) -> String {
    let nullable = "{\"anyOf\": [\(schema), {\"type\": \"null\"}]}"
    return description.map { described(nullable, $0) } ?? nullable
  }

  /// A schema with a sentence beside it; the schema has none yet.
  static func described(_ schema: String, _ description: String) -> String {
    "{\"description\": \"\(description)\", \(schema.dropFirst())"
  }

  private static func names<Value: RawRepresentable<String> & CaseIterable>(_: Value.Type) -> String {
    Value.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
  }
}
