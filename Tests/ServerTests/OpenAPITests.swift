import ConversationModel
import Logging
import StrictJSON
import Testing

@testable import ConversationServer

@Suite struct OpenAPITests {
  @Test func `the description is served to everybody, as strict JSON of version 3_1`() async throws {
    try await RunningServer.with { server in
      let answer = try await server.send("GET", "/openapi.json")
      #expect(answer.status == 200 && answer.headers["content-type"] == "application/json")
      #expect(answer["openapi"]?.string == "3.1.0")
      #expect(answer.json == (try Description().root))
    }
  }

  @Test func `every reference leads somewhere, and every component is used`() throws {
    let description = try Description()
    let references = description.references()
    for reference in references { #expect(description.at(reference) != nil, "\(reference) leads nowhere") }
    var components: Set<String> = []
    for kind in ["parameters", "headers", "responses", "schemas"] {
      for member in try #require(description.at("#/components/\(kind)")?.object).members {
        components.insert("#/components/\(kind)/\(member.key)")
      }
    }
    // No route of the description answers this one: it is what the others' methods get.
    #expect(components.subtracting(references) == ["#/components/responses/method_not_allowed"])
  }

  @Test func `the description and the router have the same paths and methods`() async throws {
    try await RunningServer.with { server in
      let described = try Description().operations()
      let router = ConversationServer(
        store: server.store, credentials: server.credentials, configuration: .init(host: "127.0.0.1", port: 0),
        logger: Logger(label: "test"))
      var registered: Set<String> = []
      for path in await router.paths() where !path.hasPrefix("/rest/") {
        // No route has this method, so the answer names those that it has.
        let target = path.replacing("{id}", with: "0").replacing("{number}", with: "0")
        let answer = try await server.send("TRACE", target)
        #expect(answer.status == 405, "\(path)")
        let allowed = try #require(answer.headers["allow"]).split(separator: ", ")
        #expect(allowed.contains("HEAD") == allowed.contains("GET"), "\(path)")
        registered.formUnion(allowed.filter { $0 != "HEAD" }.map { "\($0) \(path)" })
      }
      #expect(described.subtracting(registered).isEmpty, "described only")
      #expect(registered.subtracting(described).isEmpty, "registered only")
    }
  }

  @Test func `every route names its own id once and lists its answers`() throws {
    let description = try Description()
    var names: [String] = []
    for (path, method, operation) in try description.all() {
      names.append(try #require(operation["operationId"]?.string))
      let parameters = try #require((operation["parameters"] ?? .array([])).array).map(description.resolved)
      let inPath = parameters.filter { $0.object?["in"]?.string == "path" }
        .compactMap { $0.object?["name"]?.string.map { "{\($0)}" } }
      #expect(inPath == path.split(separator: "/").filter { $0.hasPrefix("{") }.map(String.init), "\(method) \(path)")
      let responses = try #require(operation["responses"]?.object).members
      #expect(responses.contains { $0.key < "300" }, "\(method) \(path)")
      for response in responses.map({ description.resolved($0.value) }) {
        #expect(response.object?["headers"]?.object?["x-request-id"] != nil, "\(method) \(path)")
      }
    }
    #expect(Set(names).count == names.count)
  }

  @Test(arguments: [
    ("parameters/Limit/schema/minimum", Limits.pageItems.lowerBound),
    ("parameters/Limit/schema/maximum", Limits.pageItems.upperBound),
    ("parameters/Limit/schema/default", Limits.defaultPageItems),
    ("parameters/Cursor/schema/maxLength", Limits.cursorCharacters),
    ("parameters/IdempotencyKey/schema/maxLength", Limits.keyScalars),
    ("schemas/OpenConversation/properties/session_id/anyOf/0/maxLength", Limits.keyScalars),
    ("schemas/OpenConversation/properties/title/anyOf/0/maxLength", Limits.titleScalars),
    ("schemas/NewMessage/properties/content/maxLength", Limits.contentBytes),
    ("schemas/NewMessage/properties/client_id/anyOf/0/maxLength", Limits.keyScalars),
    ("schemas/NewMessage/properties/intent/anyOf/0/maxLength", Limits.intentScalars),
    ("schemas/AppendMessages/properties/messages/minItems", Limits.appendMessages.lowerBound),
    ("schemas/AppendMessages/properties/messages/maxItems", Limits.appendMessages.upperBound),
    ("schemas/EditBranch/properties/title/anyOf/0/maxLength", Limits.titleScalars),
    ("schemas/UpdateBranch/properties/title/anyOf/0/maxLength", Limits.titleScalars),
    ("schemas/MessagePage/properties/data/maxItems", Limits.pageItems.upperBound),
  ])
  func `a bound in the description is the server's own`(place: String, limit: Int) throws {
    #expect(try Description().at("#/components/" + place)?.number?.int == limit)
  }

  @Test func `real answers have the fields that the description lists`() async throws {
    let description = try Description()
    func matches(_ name: String, _ value: JSONValue?, optional: Set<String> = []) throws {
      let (required, properties) = try description.fields(of: "#/components/schemas/\(name)")
      let keys = try #require(value?.object, "\(name)").members.map(\.key)
      #expect(Set(keys) == Set(required).union(optional), "\(name)")
      #expect(Set(keys).isSubset(of: properties) && Set(required).isSubset(of: properties), "\(name)")
    }
    try await RunningServer.with { server in
      let (_, token) = try await server.user()
      func send(_ method: String, _ path: String, _ body: String? = nil) async throws -> RunningServer.Answer {
        try await server.send(method, path, token: token, body: body)
      }
      let opened = try await send("POST", "/v1/conversations", #"{"session_id":"s"}"#)
      try matches("ConversationReceipt", opened.json)
      try matches("Conversation", opened["conversation"])
      let id = try #require(opened["conversation"]?.object?["id"]?.string)
      let path = "/v1/conversations/\(id)"

      let one = try await send("POST", path + "/messages", #"{"role":"user","content":"a"}"#)
      try matches("MessageReceipt", one.json)
      try matches("Message", one["message"])
      let first = try #require(one["message"]?.object?["id"]?.string)
      let two = #"{"messages":[{"role":"user","content":"b"},{"role":"user","content":"c"}]}"#
      try matches("MessagesReceipt", try await send("POST", path + "/messages", two).json)
      let late = try await send("POST", path + "/messages", #"{"role":"user","content":"d","parent":"\#(first)"}"#)
      try matches("MessageReceipt", late.json, optional: ["branch"])
      try matches("Branch", late["branch"])

      try matches("MessageReceipt", try await send("PATCH", "/v1/messages/\(first)", #"{"content":"A"}"#).json)
      try matches("MessageWithSiblings", try await send("GET", "/v1/messages/\(first)").json)
      let revisions = try await send("GET", "/v1/messages/\(first)/revisions")
      try matches("RevisionPage", revisions.json)
      try matches("Revision", revisions["data"]?.array?.first)
      let edit = #"{"edit_message":"\#(first)","content":"B"}"#
      try matches("BranchReceipt", try await send("POST", path + "/branches", edit).json, optional: ["message"])
      try matches("BranchReceipt", try await send("POST", path + "/branches", #"{"from_message":null}"#).json)
      try matches("BranchReceipt", try await send("PATCH", path + "/branches/1", #"{"title":"t"}"#).json)
      try matches("BranchPage", try await send("GET", path + "/branches").json)

      try matches("MessagePage", try await send("GET", path + "/messages").json)
      try matches("ConversationPage", try await send("GET", "/v1/conversations").json)
      let changes = try await send("GET", path + "/changes")
      try matches("Changes", changes.json)
      for change in try #require(changes["data"]?.array) {
        let kind = try #require(change.object?["kind"]?.string)
        #expect(change.object?.members.map(\.key) == ["kind", "version", "row"])
        try matches(kind.prefix(1).uppercased() + kind.dropFirst(), change.object?["row"])
      }
      #expect(Set(changes["data"]?.array?.compactMap { $0.object?["kind"]?.string } ?? []).count == 3)

      try matches("Erasure", try await send("DELETE", path).json)
      try matches("Problem", try await send("GET", path).json)
      try matches("Problem", try await send("GET", path + "/messages?limit=0").json, optional: ["field"])
      try matches("Limits", try await send("GET", "/v1/limits").json)
      try matches("Health", try await send("GET", "/healthz").json)
      try matches("Readiness", try await send("GET", "/readyz").json)
    }
  }
}

/// The served document, with the few ways into it that the tests need.
private struct Description {
  let root: JSONValue

  init() throws {
    root = try JSONReader.read(OpenAPI.document)
  }

  /// What a pointer like `#/components/schemas/Message` or `…/anyOf/0` leads to.
  func at(_ pointer: String) -> JSONValue? {
    pointer.split(separator: "/").dropFirst().reduce(root as JSONValue?) { value, name in
      if let array = value?.array {
        Int(name).flatMap { array.indices.contains($0) ? array[$0] : nil }
      } else {
        value?.object?[String(name)]
      }
    }
  }

  func resolved(_ value: JSONValue) -> JSONValue {
    value.object?["$ref"]?.string.flatMap(at) ?? value
  }

  func references() -> Set<String> {
    func collect(_ value: JSONValue, _ found: inout Set<String>) {
      for element in value.array ?? [] { collect(element, &found) }
      for member in value.object?.members ?? [] {
        if member.key == "$ref", let text = member.value.string { found.insert(text) }
        collect(member.value, &found)
      }
    }
    var found: Set<String> = []
    collect(root, &found)
    return found
  }

  func all() throws -> [(path: String, method: String, operation: JSONObject)] {
    try #require(root.object?["paths"]?.object).members.flatMap { path in
      try #require(path.value.object).members.map { (path.key, $0.key.uppercased(), try #require($0.value.object)) }
    }
  }

  /// `GET /healthz` and so on.
  func operations() throws -> Set<String> { Set(try all().map { "\($0.method) \($0.path)" }) }

  /// The required and all fields of an object, or of several put together by `allOf`.
  func fields(of pointer: String) throws -> (required: [String], properties: [String]) {
    let schema = try #require(at(pointer)?.object, "\(pointer)")
    let parts = (schema["allOf"]?.array ?? [.object(schema)]).map { resolved($0).object }
    return (
      parts.flatMap { $0?["required"]?.array?.compactMap(\.string) ?? [] },
      parts.flatMap { $0?["properties"]?.object?.members.map(\.key) ?? [] }
    )
  }
}
