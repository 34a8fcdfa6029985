public import ConversationModel
import Crypto

/// Sixteen bytes that stand for what a message says: the front half of a SHA-256 over its fields.
///
/// Every message and revision row carries its own. It answers two questions without keeping a second
/// copy of the text: whether an append that comes again says the same, and (for `parley check`)
/// whether a row still says what was stored.
private func fingerprintOf(
  role: Message.Role, content: String, intent: String?, confidence: Confidence?, entities: JSONText,
  metadata: JSONText
) -> [UInt8] {
  var hash = SHA256()
  // Each field is preceded by its length, so that no two field lists run together.
  func add(_ text: String?) {
    var text = text ?? ""
    text.withUTF8 { bytes in
      withUnsafeBytes(of: UInt64(bytes.count).bigEndian) { hash.update(bufferPointer: $0) }
      hash.update(bufferPointer: UnsafeRawBufferPointer(bytes))
    }
  }
  add(role.rawValue)
  add(content)
  // A missing label and an empty one differ.
  add(intent.map { "=" + $0 })
  add(confidence?.text)
  add(entities.text)
  add(metadata.text)
  return Array(hash.finalize().prefix(16))
}

extension NewMessage {
  /// Sixteen bytes that stand for what it says.
  public var fingerprint: [UInt8] {
    fingerprintOf(
      role: role, content: content, intent: intent, confidence: confidence, entities: entities, metadata: metadata)
  }
}

extension Message {
  /// As that of the message it was made from, until it is edited.
  public var fingerprint: [UInt8] {
    fingerprintOf(
      role: role, content: content, intent: intent, confidence: confidence, entities: entities, metadata: metadata)
  }
}
