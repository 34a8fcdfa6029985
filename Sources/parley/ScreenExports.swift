import ConversationModel
import Dashboard
import Glibc
import Interchange
import StoreRemote

// What `e` on the screens does: a conversation becomes a file on the machine where the screens are.

extension RemoteStore {
  /// By way of the server.
  func exporter(for principal: Principal) -> ThreadExporter {
    { export throws(ConversationError) in
      try await export.write { sink in
        let format = export.format == .markdown ? "markdown" : export.format.rawValue
        let branch = export.format == .json ? nil : "\(export.branch)"
        try await self.export(
          .conversation(export.conversation, format: format, branch: branch), as: principal, to: sink)
      }
    }
  }
}

extension ArchivingStore {
  /// Out of the store that is in this program.
  func exporter(for principal: Principal) -> ThreadExporter {
    { export throws(ConversationError) in
      try await export.write { sink in
        let (format, branches): (ExportFormat, ExportedBranches) =
          switch export.format {
          case .markdown: (.markdown, .path(export.branch))
          case .pdf: (.pdf, .path(export.branch))
          case .json: (.json, .all)
          }
        try await ConversationExport(
          of: export.conversation, as: format, branches: branches, from: self, for: principal
        ).write(to: sink)
      }
    }
  }
}

extension ThreadExport {
  /// Makes the file, and leaves nothing of it if `body` fails.
  ///
  /// - Returns: Its bytes.
  fileprivate func write(_ body: (ExportSink) async throws -> Void) async throws(ConversationError) -> Int {
    do {
      let output = try OutputFile(path, replaces: false)
      do {
        try await body { try output.write($0) }
        try output.close()
        return output.bytes
      } catch {
        output.remove()
        throw error
      }
    } catch let error as ConversationError {
      throw error
    } catch {
      throw ConversationError(.invalid, CommandFailure(error)?.message ?? "The file could not be written.")
    }
  }

  /// With the home directory for a `~`, as a shell would have it.
  private var path: String {
    guard file.hasPrefix("~/"), let home = getenv("HOME") else { return file }
    return String(cString: home) + file.dropFirst(1)
  }
}
