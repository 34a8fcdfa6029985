import Assistant
import Testing

@Suite struct ModelChoiceTests {
  private static let keys = ["ANTHROPIC_API_KEY": "sk-ant-31415", "OPENAI_API_KEY": " sk-31415\n"]

  private func refusal(_ setting: String, _ url: String? = nil, _ keys: [String: String] = keys) -> ModelError? {
    do throws(ModelError) {
      _ = try ModelChoice(setting, url: url) { keys[$0] }
      return nil
    } catch {
      return error
    }
  }

  @Test func `every setting makes its model`() throws {
    for (setting, url, service, model, address) in [
      ("echo", nil, .echo, "", ""),
      ("anthropic:claude-x", nil, .anthropic, "claude-x", "https://api.anthropic.com"),
      ("anthropic:claude-x", "", .anthropic, "claude-x", "https://api.anthropic.com"),
      ("anthropic:claude-x", "http://proxy:8080/a/", .anthropic, "claude-x", "http://proxy:8080/a"),
      ("openai:gpt-x", nil, .openAI, "gpt-x", "https://api.openai.com/v1"),
      ("openai:llama3.2:3b", "http://[::1]:11434/v1//", .openAI, "llama3.2:3b", "http://[::1]:11434/v1"),
    ] as [(String, String?, ModelChoice.Service, String, String)] {
      let choice = try ModelChoice(setting, url: url) { Self.keys[$0] }
      #expect(choice.service == service && choice.model == model && choice.url == address)
      #expect("\(choice)" == setting)
      #expect(choice.makeModel(logger: quiet).name == setting)
    }
  }

  @Test(arguments: [
    "", "Echo", "echo:", "echo:x", "claude-x", "anthropic", "anthropic:", "openai: ", "openai:a b", "openai:ä", ":x",
    "sk-ant-31415", "openai:\n", "openai:" + String(repeating: "x", count: 201),
  ])
  func `a setting that is none is told what there is, without its words`(setting: String) throws {
    let error = try #require(refusal(setting))
    #expect(error.code == .badSetting)
    #expect(!error.message.contains("31415") && error.message.hasSuffix("."))
  }

  @Test(arguments: [
    "api.example.com", "ftp://x", "http://", "https:///v1", "http://:80", "http://u:p@x/", "http://x/?a", "http://x/#a",
    "http://x y", "/", "http://x/{",
  ])
  func `an address that is none is told so`(url: String) {
    #expect(refusal("openai:x", url)?.code == .badSetting)
    #expect(refusal("anthropic:x", url)?.code == .badSetting)
  }

  @Test func `Anthropic's address stands without its version`() {
    #expect(refusal("anthropic:x", "https://proxy/v1/")?.message.contains("without /v1") == true)
  }

  @Test func `a missing key is called by its name`() {
    for keys in [[:], ["ANTHROPIC_API_KEY": "", "OPENAI_API_KEY": " \n"]] {
      for (setting, name) in [("anthropic:x", "ANTHROPIC_API_KEY"), ("openai:x", "OPENAI_API_KEY")] {
        #expect(refusal(setting, nil, keys)?.code == .missingKey)
        #expect(refusal(setting, nil, keys)?.message == "The model \(setting) needs a key: set \(name).")
      }
      #expect(refusal("anthropic:x", "http://proxy", keys)?.code == .missingKey)
      #expect(refusal("openai:x", "http://localhost:11434/v1", keys) == nil)
      #expect(refusal("openai:x", "https://api.openai.com/v1/", keys)?.code == .missingKey)
      #expect(refusal("echo", nil, keys) == nil)
    }
  }

  @Test func `a key that no header holds is refused, and never shown`() throws {
    for key in ["sk 31415", "sk-31415\r\nx: y", "sk-31415ä", String(repeating: "31415", count: 205)] {
      let error = try #require(refusal("anthropic:x", nil, ["ANTHROPIC_API_KEY": key]))
      #expect(error.code == .badKey)
      #expect(!"\(error) \(error.message)".contains("31415"))
    }
    let choice = try ModelChoice("openai:x") { Self.keys[$0] }
    var dumped = ""
    dump(choice, to: &dumped)
    for text in ["\(choice)", String(reflecting: choice), dumped] { #expect(!text.contains("31415"), "\(text)") }
  }

  @Test func `every error is a sentence that shows nothing`() {
    for code in ModelError.Code.allCases {
      let message = ModelError(code).message
      #expect(message.hasSuffix(".") && message.first?.isUppercase == true && !message.contains("_"))
    }
  }
}
