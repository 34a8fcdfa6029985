import ConversationModel
import HTTPTypes

// What the paths of the description are put together from: parameters, headers, answers.

extension OpenAPI {
  // MARK: Parameters

  static let parameters = """
    "ConversationID": {
      "name": "id", "in": "path", "required": true, "description": "The conversation.", "schema": \(uuid)
    },
    "MessageID": {"name": "id", "in": "path", "required": true, "description": "The message.", "schema": \(uuid)},
    "BranchNumber": {
      "name": "number", "in": "path", "required": true, "description": "The branch.", "schema": \(count)
    },
    "UserID": {
      "name": "user_id", "in": "query", "schema": \(uuid),
      "description": "The user that the service role acts for. A user may name itself only."
    },
    "Limit": {
      "name": "limit", "in": "query", "description": "Items of the page.",
      "schema": {
        "type": "integer", "minimum": \(Limits.pageItems.lowerBound), "maximum": \(Limits.pageItems.upperBound),
        "default": \(Limits.defaultPageItems)
      }
    },
    "Cursor": {
      "name": "cursor", "in": "query", "description": "The `next_cursor` of the same list's last page.",
      "schema": \(cursor)
    },
    "IdempotencyKey": {
      "name": "Idempotency-Key", "in": "header",
      "description": "The same thing as `client_id`, of the first message if there are several.",
      "schema": {"type": "string", "maxLength": \(Limits.keyScalars), "pattern": "\(visiblePattern)"}
    },
    "IfVersion": {
      "name": "If-Match", "in": "header", "schema": \(condition),
      "description": "The version that the conversation must stand at; `*` for any."
    },
    "IfRevision": {
      "name": "If-Match", "in": "header", "schema": \(condition),
      "description": "The revision that the message must stand at; `*` for any."
    }
    """

  static func parameters(_ names: String...) -> String {
    let references = names.map { "{\"$ref\": \"#/components/parameters/\($0)\"}" }
    return "\"parameters\": [\(references.joined(separator: ", "))]"
  }

  /// A parameter of one route's query.
  static func query(_ name: String, _ schema: String, _ description: String) -> String {
    """
    {"name": "\(name)", "in": "query", "description": "\(description)", "schema": \(schema)}
    """
  }

  // MARK: Headers

  static let headers = """
    "RequestID": {
      "required": true, "schema": {"type": "string", "minLength": 1},
      "description": "The request's name in the log: its own `x-request-id` if that is 1 to 64 letters, digits, \
    hyphens, underscores and points, else one that the server made."
    },
    "Version": {
      "required": true, "schema": {"type": "string", "pattern": "\(eTagPattern)"},
      "description": "The conversation's version, for `If-Match`."
    },
    "Revision": {
      "required": true, "schema": {"type": "string", "pattern": "\(eTagPattern)"},
      "description": "The message's revision, for `If-Match`."
    },
    "RetryAfter": {
      "required": true, "schema": {"type": "integer", "minimum": 0},
      "description": "Seconds after which to try again."
    },
    "Allow": {
      "required": true, "schema": {"type": "string"}, "description": "The methods that the path has."
    },
    "Authenticate": {"required": true, "schema": {"type": "string", "const": "Bearer"}},
    "Upgrade": {"required": true, "schema": {"type": "string", "const": "websocket"}},
    "Accept": {
      "required": true, "schema": {"type": "string"}, "description": "The proof that the key was read (RFC 6455)."
    }
    """

  static func headers(_ headers: KeyValuePairs<String, String>) -> String {
    let all = [("x-request-id", "RequestID")] + headers.map { ($0.key, $0.value) }
    let members = all.map { "\"\($0)\": {\"$ref\": \"#/components/headers/\($1)\"}" }
    return "{\(members.joined(separator: ", "))}"
  }

  // MARK: Bodies and answers

  static func body(_ schema: String, isRequired: Bool = true) -> String {
    """
    "requestBody": {"required": \(isRequired), "content": {"application/json": {"schema": \(schema)}}}
    """
  }

  /// An answer that is no problem.
  static func answer(
    _ status: Int, _ description: String, _ schema: String, headers: KeyValuePairs<String, String> = [:]
  ) -> String {
    """
    "\(status)": {
      "description": "\(description)", "headers": \(Self.headers(headers)),
      "content": {"application/json": {"schema": \(schema)}}
    }
    """
  }

  /// The problems that a route of the native door may answer with: those named, and those of any.
  ///
  /// - Parameters:
  ///   - readsBody: Adds the problems of a body: too large, and not JSON.
  ///   - isUpgrade: Adds the problem of a request that is none.
  static func problems(
    _ codes: ConversationError.Code..., readsBody: Bool = false, isUpgrade: Bool = false
  ) -> String {
    let always: Set<ConversationError.Code> = [
      .invalid, .unauthenticated, .forbidden, .rateLimited, .internal, .unavailable,
    ]
    var answers = always.union(codes).map { ($0.status.code, $0.rawValue) }
    if readsBody {
      answers.append((ConversationError.Code.tooLarge.status.code, ConversationError.Code.tooLarge.rawValue))
      answers.append((415, "unsupported_media_type"))
    }
    if isUpgrade { answers.append((426, "upgrade_required")) }
    return answers.sorted { $0.0 < $1.0 }.map(reference).joined(separator: ",\n")
  }

  /// A reference to the answer for one code.
  static func problem(_ code: ConversationError.Code) -> String { reference(code.status.code, code.rawValue) }

  private static func reference(_ status: Int, _ response: String) -> String {
    "\"\(status)\": {\"$ref\": \"#/components/responses/\(response)\"}"
  }

  static let problemResponses =
    (ConversationError.Code.allCases.map { problemResponse($0) } + [
      problemResponse(
        "method_not_allowed", 405, .invalid, "The path has no such method. No operation below answers this.",
        headers: ["Allow": "Allow"]),
      problemResponse("unsupported_media_type", 415, .invalid, "The body is not sent as JSON."),
      problemResponse(
        "upgrade_required", 426, .invalid, "The request is no upgrade to a WebSocket of version 13.",
        headers: ["Upgrade": "Upgrade"]),
    ]).joined(separator: ",\n")

  private static func problemResponse(_ code: ConversationError.Code) -> String {
    let (description, headers): (String, KeyValuePairs<String, String>) =
      switch code {
      case .invalid: ("The request is wrong; `field` says where, if there is one place.", [:])
      case .unauthenticated:
        ("There is no token, or one that does not hold here.", ["WWW-Authenticate": "Authenticate"])
      case .forbidden: ("The caller may not do this: an anonymous key, or a user that names another one.", [:])
      case .notFound: ("There is no such thing, or it is not the caller's.", [:])
      case .gone: ("It was there and has been deleted.", [:])
      case .conflict: ("It contradicts what is stored.", [:])
      case .preconditionFailed: ("`If-Match` names another version or revision.", [:])
      case .tooLarge: ("The body or a part of it is larger than a limit.", [:])
      case .rateLimited:
        ("Too many requests. There is no such limit unless one was set.", ["Retry-After": "RetryAfter"])
      case .internal: ("A fault of the server's.", [:])
      case .unavailable: ("The store cannot serve this now.", ["Retry-After": "RetryAfter"])
      }
    return problemResponse(code.rawValue, code.status.code, code, description, headers: headers)
  }

  private static func problemResponse(
    _ name: String, _ status: Int, _ code: ConversationError.Code, _ description: String,
    headers: KeyValuePairs<String, String> = [:]
  ) -> String {
    """
    "\(name)": {
      "description": "\(description)", "headers": \(Self.headers(headers)),
      "content": {"application/problem+json": {"schema": {
        "allOf": [\(schema("Problem")), {
          "properties": {"status": {"const": \(status)}, "code": {"const": "\(code.rawValue)"}}
        }]
      }}}
    }
    """
  }
}
