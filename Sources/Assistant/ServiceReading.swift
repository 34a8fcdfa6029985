import StrictJSON

extension ModelError {
  /// What a status means by itself; without one, that an error inside a stream has no kind that is known.
  init(status: Int?, detail: String?) {
    switch status {
    case nil: self.init(.overloaded, "The language model's service gave up.", detail: detail)
    case 401, 403: self.init(.badKey, detail: detail)
    case 404, 405:
      self.init(
        .refused, "The language model's service is not at this address: the URL or the model's name is wrong.",
        detail: detail)
    case 429: self.init(.rateLimited, detail: detail)
    case .some(500...599): self.init(.overloaded, detail: detail)
    case .some(400...499): self.init(.refused, detail: detail)
    default: self.init(.unreadable, detail: detail)
    }
  }

  /// A status and a service's word for the kind of error, if it is a word: what services write in sentences may
  /// hold parts of keys or of what was asked.
  static func detail(_ status: Int?, _ word: String?) -> String? {
    let word = word.flatMap { word in
      let isPlain = word.utf8.allSatisfy {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "_")
      }
      return isPlain && (1...40).contains(word.utf8.count) ? word : nil
    }
    let parts = [status.map { "status \($0)" }, word].compactMap { $0 }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }
}

extension JSONObject {
  /// - Throws: `.unreadable` if the event's data is anything but an object.
  init(of event: ServerSentEvent, _ limits: AnswerLimits) throws(ModelError) {
    let value: JSONValue
    do {
      value = try JSONReader.read(event.data, limits: JSONLimits(bytes: limits.eventBytes, depth: 64))
    } catch {
      throw ModelError(.unreadable, detail: error.message)
    }
    guard let object = value.object else { throw ModelError(.unreadable, detail: "an event is no object") }
    self = object
  }

  var index: Int {
    get throws(ModelError) {
      guard let index = self["index"]?.number?.int else {
        throw ModelError(.unreadable, detail: "an event has no index")
      }
      return index
    }
  }

  func object(_ key: StaticString) throws(ModelError) -> JSONObject {
    guard let object = self["\(key)"]?.object else { throw ModelError(.unreadable, detail: "there is no \(key)") }
    return object
  }

  func string(_ key: StaticString) throws(ModelError) -> String {
    guard let string = self["\(key)"]?.string else { throw ModelError(.unreadable, detail: "there is no \(key)") }
    return string
  }

  /// A number of tokens, or nil if there is none.
  func count(_ key: String) -> Int? {
    self[key]?.number?.int.flatMap { $0 < 0 ? nil : $0 }
  }
}
