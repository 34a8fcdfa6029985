import ConversationModel

extension ConversationExport {
  #if PDF
    /// Pages of A4; the text of the one message that is being set is in memory, and what Cairo keeps of each page.
    func writePDF(to sink: ExportSink) async throws {
      let document = try PDFDocument(PDFFacts(walk.archive, branch: branch))
      for (heading, segments) in chapters {
        if let heading { try document.heading(heading) }
        for segment in segments {
          try await walk.forEach(in: segment) { message in
            try document.message(message.message)
            let bytes = document.takeBytes()
            if !bytes.isEmpty { try await sink(bytes) }
          }
        }
      }
      try document.finish()
      try await sink(document.takeBytes())
    }
  #else
    /// `init` has said that this build has none.
    func writePDF(to sink: ExportSink) async throws {}
  #endif
}
