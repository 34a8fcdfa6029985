import ConversationModel
import StrictJSON

/// What a message of a ChatGPT export says.
struct ChatGPTText {
  var role: Message.Role
  var content: String
  var metadata: JSONText
  var createdAt: Timestamp?
}

/// Reads messages and counts those that are left out, by reason.
struct ChatGPTOmissions {
  private var hidden = 0
  private var unknown = 0
  private var long = 0

  var reasons: [String] {
    var reasons: [String] = []
    if hidden > 0 { reasons.append("\(hidden) hidden messages or notes of reasoning are left out.") }
    if unknown > 0 { reasons.append("\(unknown) messages of an unknown shape or role are left out.") }
    if long > 0 { reasons.append("\(long) messages are left out: longer than \(Limits.contentBytes) bytes.") }
    return reasons
  }

  /// - Returns: Nil for one that is left out. Empty ones vanish without a reason.
  mutating func read(_ json: JSONValue?) -> ChatGPTText? {
    guard let json, !json.isNull else { return nil }
    guard let message = json.object, let content = message["content"]?.object,
      let role = message["author"]?.object?["role"]?.string.flatMap({ Message.Role(rawValue: $0) })
    else {
      unknown += 1
      return nil
    }
    let metadata = message["metadata"]?.object
    let type = content["content_type"]?.string ?? "text"
    let context = ["user_editable_context", "model_editable_context", "thoughts", "reasoning_recap"]
    if metadata?["is_visually_hidden_from_conversation"]?.bool == true || context.contains(type) {
      hidden += 1
      return nil
    }
    let text = Self.text(content, type)
    guard !text.isEmpty else { return nil }
    guard text.utf8.count <= Limits.contentBytes else {
      long += 1
      return nil
    }
    let model = metadata?["model_slug"]?.string.flatMap { model -> JSONText? in
      JSONObject(members: [.init(key: "model", value: .string(model))]).flatMap { JSONValue.object($0).fittingObject }
    }
    return ChatGPTText(
      role: role, content: text, metadata: model ?? .emptyObject,
      createdAt: Timestamp(seconds: message["create_time"]?.number?.double))
  }

  private static func text(_ content: JSONObject, _ type: String) -> String {
    let text = content["text"]?.string ?? ""
    switch type {
    case "code", "execution_output": return text.isEmpty ? "" : fenced(text, content["language"]?.string ?? "")
    case "tether_browsing_display": return content["result"]?.string ?? ""
    default: break
    }
    guard let parts = content["parts"]?.array else { return text }
    return parts.map(part).filter { !$0.isEmpty }.joined(separator: "\n\n")
  }

  private static func part(_ part: JSONValue) -> String {
    if let text = part.string { return text }
    guard let object = part.object else { return "" }
    if let text = object["text"]?.string { return text }
    let type = object["content_type"]?.string ?? ""
    for kind in ["image", "audio", "video"] where type.hasPrefix(kind) { return "[\(kind)]" }
    return "[attachment]"
  }

  /// In a fence longer than any run of backticks inside.
  private static func fenced(_ text: String, _ language: String) -> String {
    var longest = 2
    var run = 0
    for byte in text.utf8 {
      run = byte == UInt8(ascii: "`") ? run + 1 : 0
      longest = max(longest, run)
    }
    let fence = String(repeating: "`", count: longest + 1)
    let isName = language != "unknown" && language.utf8.allSatisfy { (0x61...0x7A).contains($0) }
    return "\(fence)\(isName ? language : "")\n\(text)\n\(fence)"
  }
}
