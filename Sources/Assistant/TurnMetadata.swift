import ConversationModel
import StrictJSON

/// What is kept of how an answer came about.
extension Turns {
  /// The model, the tools that were run, and why it ended early. Results are cut: together they fit into a message.
  static func metadata(of model: any LanguageModel, tools: [ToolUse], error: ConversationError?) -> JSONText {
    var writer = JSONWriter()
    writer.beginObject()
    func field(_ name: String, _ text: String) {
      writer.key(name)
      writer.string(text)
    }
    if let error { field("error", error.message) }
    field("model", model.name)
    if !tools.isEmpty {
      writer.key("tools")
      writer.beginArray()
      var left = Limits.objectBytes / 2
      for use in tools {
        writer.beginObject()
        if let arguments = use.arguments, arguments.text.utf8.count < left {
          writer.key("arguments")
          writer.raw(arguments.text)
          left -= arguments.text.utf8.count
        }
        writer.key("error")
        writer.bool(use.isError)
        field("name", String(use.name.prefix(64)))
        let result = String(use.result.prefix(min(2_000, max(0, left / 8))))
        field("result", result)
        left -= result.utf8.count * 2
        writer.endObject()
      }
      writer.endArray()
    }
    writer.endObject()
    return (try? JSONReader.read(writer.takeBytes()))
      .map { JSONText(canonical: $0.canonicalText()) } ?? .emptyObject
  }
}
