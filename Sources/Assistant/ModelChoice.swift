public import Logging

/// Which model answers, as a setting says it.
///
/// | Setting | Model | Key |
/// |---|---|---|
/// | `echo` | The ``EchoModel`` | – |
/// | `anthropic:MODEL` | An ``AnthropicModel`` | `ANTHROPIC_API_KEY` |
/// | `openai:MODEL` | An ``OpenAIModel`` | `OPENAI_API_KEY` |
public struct ModelChoice: Sendable, Equatable {
  public enum Service: String, Sendable, CaseIterable {
    case echo
    case anthropic
    case openAI = "openai"

    /// What the key is called wherever keys come from; nil if none is needed.
    public var keyName: String? {
      switch self {
      case .echo: nil
      case .anthropic: "ANTHROPIC_API_KEY"
      case .openAI: "OPENAI_API_KEY"
      }
    }
  }

  public let service: Service
  /// The service's own name of the model; empty for the echo.
  public let model: String
  /// Where the service is, without a slash at its end; empty for the echo.
  public let url: String
  let key: ModelKey?

  /// - Parameters:
  ///   - setting: `echo`, `anthropic:MODEL` or `openai:MODEL`.
  ///   - url: Another server than the service's own: with `/v1` for OpenAI, without for Anthropic; nil or empty
  ///     for its own.
  ///   - key: Gives the key of a name, ``Service/keyName``. It is asked only for the service that is chosen. A
  ///     server under an OpenAI-compatible URL of one's own may do without.
  /// - Throws: `.badSetting`, `.missingKey`, `.badKey`, with a sentence for the operator.
  public init(_ setting: String, url: String? = nil, key: (String) -> String?) throws(ModelError) {
    let word = setting.prefix { $0 != ":" }
    guard let service = Service(rawValue: String(word)), (service == .echo) == (word.count == setting.count) else {
      throw ModelError(.badSetting, "The model is one of: echo, anthropic:MODEL, openai:MODEL.")
    }
    try self.init(
      service, model: String(setting.dropFirst(word.count + 1)), url: url, key: service.keyName.flatMap(key))
  }

  init(_ service: Service, model: String, url: String?, key: String?) throws(ModelError) {
    self.service = service
    self.model = model
    guard let keyName = service.keyName else {
      (self.url, self.key) = ("", nil)
      return
    }
    guard (1...200).contains(model.utf8.count), model.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw ModelError(
        .badSetting, "Behind \(service.rawValue): stands the name of a model, 1 to 200 visible characters of ASCII.")
    }
    let ownURL = service == .anthropic ? AnthropicModel.defaultURL : OpenAIModel.defaultURL
    self.url = try Self.url(url ?? "", default: ownURL, service)
    let key = key.flatMap { $0.isBlank ? nil : $0 }
    guard key != nil || service == .openAI && self.url != ownURL else {
      throw ModelError(.missingKey, "The model \(service.rawValue):\(model) needs a key: set \(keyName).")
    }
    self.key = key.flatMap { ModelKey($0) }
    guard (key == nil) == (self.key == nil) else {
      throw ModelError(.badKey, "\(keyName) is 1 to 1,024 visible characters of ASCII; this is something else.")
    }
  }

  /// Makes the model.
  ///
  /// - Parameters:
  ///   - echo: How the echo answers, if it is chosen.
  ///   - logger: Gets a line for each retry; no text, no key.
  public func makeModel(
    echo: EchoModel.Options = EchoModel.Options(), patience: ModelPatience = ModelPatience(),
    limits: AnswerLimits = AnswerLimits(), logger: Logger
  ) -> any LanguageModel {
    switch service {
    case .echo: EchoModel(echo)
    case .anthropic: AnthropicModel(self, ModelService(patience, limits, logger))
    case .openAI: OpenAIModel(self, ModelService(patience, limits, logger))
    }
  }

  private static func url(_ text: String, default: String, _ service: Service) throws(ModelError) -> String {
    guard !text.isEmpty else { return `default` }
    var url = text[...]
    while url.last == "/" { url.removeLast() }
    let rest = url.hasPrefix("https://") ? url.dropFirst(8) : url.hasPrefix("http://") ? url.dropFirst(7) : ""
    let authority = rest.prefix { $0 != "/" }
    // Nobody's password goes into an address, and nothing that stands behind a path.
    let isPlain = url.utf8.allSatisfy { (0x21...0x7E).contains($0) && !"?#@\\\"<>^`{|}".utf8.contains($0) }
    guard isPlain, !authority.isEmpty, authority.first != ":" else {
      throw ModelError(.badSetting, "The model's URL is http://HOST:PORT or https://HOST:PORT, perhaps with a path.")
    }
    guard service != .anthropic || !url.hasSuffix("/v1") else {
      throw ModelError(.badSetting, "The URL of an Anthropic model stands without /v1.")
    }
    return String(url)
  }
}

extension ModelChoice: CustomStringConvertible {
  /// The setting again.
  public var description: String { service == .echo ? service.rawValue : "\(service.rawValue):\(model)" }
}
