/// What every store takes: the intersection of what both engines can hold, so that an accepted
/// command can be carried out anywhere and at any later time.
extension Command {
  /// - Throws: `.invalid` or `.tooLarge`, naming the field, what was wrong and what is allowed.
  public func validate() throws(ConversationError) {
    switch self {
    case .open(let open):
      try open.title.map(validateTitle)
      try open.context.map { value throws(ConversationError) in try validateObject(value, "context") }
      if case .named(let name) = open.session { try validateKey(name, "session_id") }
    case .update(let update):
      guard update.changesSomething else {
        throw ConversationError(.invalid, "The update changes nothing.")
      }
      if case .named(let title) = update.title { try validateTitle(title) }
      try update.context.map { value throws(ConversationError) in try validateObject(value, "context") }
    case .append(let append):
      guard Limits.appendMessages.contains(append.messages.count) else {
        throw ConversationError(
          .invalid, "An append holds 1 to \(Limits.appendMessages.upperBound) messages.", field: "messages")
      }
      for message in append.messages { try message.validate() }
      guard !append.messages.dropLast().contains(where: \.isStreaming) else {
        throw ConversationError(.invalid, "Nothing follows an answer that is still to be written.", field: "messages")
      }
    case .revise(let revise):
      guard revise.content != nil || revise.metadata != nil else {
        throw ConversationError(.invalid, "An edit changes the content, the metadata or both.")
      }
      try revise.content.map(validateContent)
      try revise.metadata.map { value throws(ConversationError) in try validateObject(value, "metadata") }
    case .finish(let finish):
      try validateContent(finish.content)
      try validateObject(finish.metadata, "metadata")
    case .makeBranch(let branch):
      try branch.title.map(validateTitle)
      try branch.message?.validate()
      try branch.answer?.validate()
      guard branch.answer == nil || branch.answer?.isStreaming ?? false && branch.message?.isStreaming == false else {
        throw ConversationError(.invalid, "An answer is still to be written, and follows a message.")
      }
      guard [.fork, .edit, .regenerate].contains(branch.origin) else {
        throw ConversationError(.invalid, "A branch is made by a fork, an edit or a regenerated answer.")
      }
      if case .inPlaceOf = branch.start, branch.message == nil {
        throw ConversationError(
          .invalid, "A message is replaced by another one; its content is missing.", field: "content")
      }
    case .updateBranch(let update):
      try update.title.map(validateTitle)
    case .erase, .eraseUser, .deleteMessage, .deleteBranch:
      break
    }
  }
}

extension UpdateConversation {
  fileprivate var changesSomething: Bool {
    title != nil || context != nil || isArchived != nil || isPinned != nil || activeBranch != nil
  }
}

extension NewMessage {
  fileprivate func validate() throws(ConversationError) {
    try validateContent(content)
    guard !isStreaming || role == .assistant && content.isEmpty else {
      throw ConversationError(.invalid, "An answer that is still to be written is the assistant's, and empty.")
    }
    try clientID.map { value throws(ConversationError) in try validateKey(value, "client_id") }
    if let intent {
      guard intent.unicodeScalars.count <= Limits.intentScalars, !holdsNUL(intent) else {
        throw ConversationError(
          .invalid, "An intent holds at most \(Limits.intentScalars) characters, none of them U+0000.",
          field: "intent")
      }
    }
    try validateObject(entities, "entities")
    try validateObject(metadata, "metadata")
  }
}

extension ConversationKey {
  /// - Throws: `.invalid` for the name of a session that none can have.
  public func validate() throws(ConversationError) {
    if case .session(_, .named(let name)) = self { try validateKey(name, "session_id") }
  }
}

extension ConversationFilter {
  /// - Throws: `.invalid`, naming the field.
  public func validate() throws(ConversationError) {
    if let titlePart, titlePart.unicodeScalars.count > Limits.filterScalars || holdsNUL(titlePart) {
      throw ConversationError(
        .invalid, "A title filter holds at most \(Limits.filterScalars) characters, none of them U+0000.",
        field: "q")
    }
    try sessionID.map { value throws(ConversationError) in try validateKey(value, "session_id") }
  }
}

extension SearchQuery {
  /// - Throws: `.invalid`, naming the field.
  public func validate() throws(ConversationError) {
    guard (1...Limits.searchScalars).contains(text.unicodeScalars.count), !holdsNUL(text) else {
      throw ConversationError(
        .invalid, "A search holds 1 to \(Limits.searchScalars) characters, none of them U+0000.", field: "q")
    }
  }
}

/// - Throws: `.invalid` unless `Limits.pageItems` holds the number.
public func validatePageLimit(_ limit: Int) throws(ConversationError) {
  guard Limits.pageItems.contains(limit) else {
    throw ConversationError(.invalid, "A page holds 1 to \(Limits.pageItems.upperBound) items.", field: "limit")
  }
}

/// - Throws: As for a message with this content.
public func validateDraft(_ content: String) throws(ConversationError) { try validateContent(content) }

func validateContent(_ content: String) throws(ConversationError) {
  guard content.utf8.count <= Limits.contentBytes else {
    throw ConversationError(
      .tooLarge, "The content of a message holds at most \(Limits.contentBytes) bytes.", field: "content")
  }
  guard !holdsNUL(content) else {
    throw ConversationError(.invalid, "The content must not hold the character U+0000.", field: "content")
  }
}

func validateTitle(_ title: String) throws(ConversationError) {
  guard (1...Limits.titleScalars).contains(title.unicodeScalars.count), !holdsControlCharacter(title) else {
    throw ConversationError(
      .invalid, "A title holds 1 to \(Limits.titleScalars) characters and no control characters.", field: "title")
  }
}

func validateKey(_ key: String, _ field: String) throws(ConversationError) {
  guard (1...Limits.keyScalars).contains(key.unicodeScalars.count), !holdsControlCharacter(key) else {
    throw ConversationError(
      .invalid, "A \(field) holds 1 to \(Limits.keyScalars) characters and no control characters.", field: field)
  }
}

func validateObject(_ object: JSONText, _ field: String) throws(ConversationError) {
  guard object.text.utf8.count <= Limits.objectBytes else {
    throw ConversationError(
      .tooLarge, "The object \(field) holds at most \(Limits.objectBytes) bytes of JSON.", field: field)
  }
}

func holdsNUL(_ text: String) -> Bool { text.utf8.contains(0) }

/// C0, DEL and C1.
private func holdsControlCharacter(_ text: String) -> Bool {
  text.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }
}

/// The title that a conversation takes from its first user message: the first line that is not blank,
/// without control characters, at most `Limits.titleScalars` long; nil for a blank text.
public func automaticTitle(from content: String) -> String? {
  var title = String.UnicodeScalarView()
  for scalar in content.unicodeScalars {
    if scalar == "\n" || scalar == "\r" {
      if !title.isEmpty { break }
    } else if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
      continue
    } else if !title.isEmpty || !scalar.properties.isWhitespace {
      title.append(scalar)
      if title.count == Limits.titleScalars { break }
    }
  }
  while let last = title.last, last.properties.isWhitespace { title.removeLast() }
  return title.isEmpty ? nil : String(title)
}
