import ConversationModel
import HTTPTypes
import Hummingbird
import Interchange
import NIOCore
import ServiceLifecycle
import Wire

/// The native door's routes for whole conversations: out of the store as files, and into it.
struct ExchangeDoor: Sendable {
  let store: any ArchivingStore
  /// Where a file that is being imported lies until it is read: without a name, so that it goes with the request.
  let directory: String
  let authenticator: Authenticator
  let limiter: RateLimiter
  private let exports = Slots(Limits.exports, each: Limits.exportsOfOne)
  private let uploads = Slots(Limits.uploads, each: Limits.uploadsOfOne)
  private let imports = Slots(Limits.imports, each: Limits.importsOfOne)

  init(store: any ArchivingStore, directory: String, authenticator: Authenticator, limiter: RateLimiter) {
    (self.store, self.directory) = (store, directory)
    (self.authenticator, self.limiter) = (authenticator, limiter)
  }

  func addRoutes(to router: Router<ServerContext>) {
    router.route("/v1/conversations/{id}/export", [.get: exportConversation])
    router.route("/v1/export", [.get: exportUser])
    router.route("/v1/import", [.post: takeIn])
  }

  // MARK: Out

  @Sendable private func exportConversation(_ request: Request, _ context: ServerContext) async throws -> Response {
    let caller = try await request.principal(authenticator, limiter)
    let query = try Query(request, allowing: ["format", "branch", "user_id"])
    let principal = try caller.acting(for: nil, query)
    guard let id = context.parameters.get("id").flatMap({ ConversationID($0) }) else {
      throw ConversationError.noConversation
    }
    let branches: ExportedBranches? =
      if let text = query["branch"] { text == "all" ? .all : .path(try branch(text)) } else { nil }
    let slot = try exports.take("exports", for: caller)
    let export = try await ConversationExport(
      of: id, as: try query.choice("format") ?? .json, branches: branches, from: store, for: principal)
    return file(export.fileName, export.mediaType, slot) { try await export.write(to: $0) }
  }

  private func branch(_ text: String) throws(ConversationError) -> BranchNumber {
    guard let number = wholeNumber(text) else {
      throw ConversationError(
        .invalid, "The query parameter branch must be the number of a branch, or all.", field: "branch")
    }
    return number
  }

  @Sendable private func exportUser(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await request.principal(authenticator, limiter)
    let query = try Query(request, allowing: ["format", "user_id"])
    guard query["format"] ?? "jsonl" == "jsonl" else {
      throw ConversationError(.invalid, "The query parameter format must be jsonl.", field: "format")
    }
    let slot = try exports.take("exports", for: principal)
    let export = try await UserExport(of: try query.id("user_id"), from: store, for: principal)
    return file("conversations.jsonl", UserExport.mediaType, slot) { try await export.write(to: $0) }
  }

  /// An answer that is written while it is read. If the store fails under way, or the server stops, it breaks off: nobody takes
  /// half a file for a whole one.
  private func file(
    _ name: String, _ mediaType: String, _ slot: Slots.Slot,
    _ write: @escaping @Sendable (ExportSink) async throws -> Void
  ) -> Response {
    let body = ResponseBody { output in
      defer { withExtendedLifetime(slot) {} }
      try await write { piece in
        guard !Task.isShuttingDownGracefully else {
          throw ConversationError(.unavailable, "The server is stopping.")
        }
        try await output.write(ByteBuffer(bytes: piece))
      }
      try await output.finish(nil)
    }
    return Response(
      status: .ok,
      headers: [.contentType: mediaType, .contentDisposition: "attachment; filename=\"\(name)\""], body: body)
  }

  // MARK: In

  @Sendable private func takeIn(_ request: Request, _ context: ServerContext) async throws -> Response {
    let principal = try await request.principal(authenticator, limiter)
    let query = try Query(request, allowing: ["format", "user_id"])
    let importer = try Importer(into: store, of: try query.id("user_id"), as: principal)
    let format: ImportFormat? = try query.choice("format")
    // A file that comes slowly keeps nobody's from being taken in.
    let uploading = try uploads.take("imports", for: principal)
    defer { withExtendedLifetime(uploading) {} }
    let upload = try Upload(in: directory)
    try await upload.fill(from: request)
    let importing = try await imports.wait("imports", for: principal, seconds: Limits.importWaitSeconds)
    defer { withExtendedLifetime(importing) {} }
    let report = try await importer.take(try upload.file(), as: format) { Task.isShuttingDownGracefully }
    return .json(reserving: 256 + 128 * report.skipped.count) { $0.importReport(report) }
  }
}

extension HTTPField.Name {
  fileprivate static let contentDisposition = HTTPField.Name("content-disposition")!
}
