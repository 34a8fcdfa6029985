/// Why there is no answer, or no more of it.
///
/// Neither the sentence nor the detail ever holds a key, what was asked, or what a service wrote.
public struct ModelError: Error, Sendable, Equatable {
  public enum Code: String, Sendable, CaseIterable {
    /// There is no key for the service.
    case missingKey = "missing_key"
    /// The service does not take the key, or not for this model.
    case badKey = "bad_key"
    /// The setting that chooses the model cannot be read.
    case badSetting = "bad_setting"
    /// The service has no such model.
    case unknownModel = "unknown_model"
    /// The service does not take the request as it is; asking again does not help.
    case refused
    /// Too many requests, or too many tokens, in the service's eyes.
    case rateLimited = "rate_limited"
    /// The service cannot answer now.
    case overloaded
    /// There is no connection to the service.
    case unreachable
    /// Nothing came for too long, or the answer took too long as a whole.
    case timedOut = "timed_out"
    /// The answer ended before it was complete.
    case cutOff = "cut_off"
    /// The answer does not follow the service's own format.
    case unreadable
    /// The answer is larger than ``AnswerLimits`` allow.
    case tooLarge = "too_large"
    /// The task that asked was cancelled.
    case cancelled
  }

  public let code: Code
  /// A whole sentence that anybody may be shown.
  public let message: String
  /// For the log, in this program's words: a status, a service's word for the kind of error.
  public let detail: String?
  /// Seconds after which the service would like to be asked again, if it said so.
  public let retryAfter: Int?
  /// Whether asking again soon may help, if nothing of the answer had come.
  let isTemporary: Bool

  public init(_ code: Code, _ message: String? = nil, detail: String? = nil) {
    self.init(code, message, detail: detail, retryAfter: nil, isTemporary: nil)
  }

  init(
    _ code: Code, _ message: String? = nil, detail: String? = nil, retryAfter: Int?, isTemporary: Bool? = nil
  ) {
    self.code = code
    self.message = message ?? code.sentence
    self.detail = detail
    self.retryAfter = retryAfter
    self.isTemporary = isTemporary ?? code.isTemporary
  }

  /// The same, with what only the head of an answer tells.
  func with(retryAfter: Int?) -> ModelError {
    ModelError(code, message, detail: detail, retryAfter: retryAfter, isTemporary: isTemporary)
  }
}

extension ModelError: CustomStringConvertible {
  /// The code, and the detail if there is one.
  public var description: String { detail.map { "\(code.rawValue): \($0)" } ?? code.rawValue }
}

extension ModelError.Code {
  fileprivate var isTemporary: Bool {
    switch self {
    case .rateLimited, .overloaded, .unreachable, .cutOff: true
    default: false
    }
  }

  fileprivate var sentence: String {
    switch self {
    case .missingKey: "There is no key for the language model."
    case .badKey: "The language model's service does not take the key of this server."
    case .badSetting: "The setting of the language model cannot be read."
    case .unknownModel: "The language model's service has no model of this name."
    case .refused: "The language model's service does not take this request."
    case .rateLimited: "The language model's service takes no more requests at the moment; try again later."
    case .overloaded: "The language model's service is overloaded; try again later."
    case .unreachable: "The language model's service cannot be reached."
    case .timedOut: "The language model did not answer in time."
    case .cutOff: "The language model's answer broke off."
    case .unreadable: "The language model's answer cannot be read."
    case .tooLarge: "The language model's answer is too large."
    case .cancelled: "The answer was cancelled."
    }
  }
}
