import ArgumentParser
import Assistant
import Configuration
import ConversationServer
import Glibc
import Logging
import StoreSQL
import SystemPackage

/// Everything that can be set, with its names and what it is for. The order is that of the file.
enum Setting: String, CaseIterable {
  case listen
  case dataDirectory = "data_dir"
  case store
  case spool
  case secretFile = "jwt_secret_file"
  case connections = "max_connections"
  case headSeconds = "head_seconds"
  case idleSeconds = "idle_seconds"
  case transferSeconds = "transfer_seconds"
  case userRate = "rate_limit_user"
  case addressRate = "rate_limit_address"
  case trustedProxies = "trusted_proxies"
  case allowedOrigins = "allowed_origins"
  case model
  case modelURL = "model_url"
  case systemPromptFile = "system_prompt_file"
  case echoDelay = "echo_delay"
  case logLevel = "log_level"
  case logFormat = "log_format"

  var environmentName: String { "PARLEY_" + rawValue.uppercased() }

  /// The built-in value; nil for one that is worked out from others.
  var builtIn: String? {
    switch self {
    case .listen: "127.0.0.1:7275"
    case .dataDirectory: Self.defaultDataDirectory
    case .store, .spool, .secretFile, .trustedProxies, .allowedOrigins, .modelURL, .systemPromptFile: nil
    case .connections: "4096"
    case .headSeconds: "20"
    case .idleSeconds: "75"
    case .transferSeconds: "30"
    case .userRate, .addressRate: "0"
    case .model: "echo"
    case .echoDelay: "20"
    case .logLevel: "info"
    case .logFormat: "auto"
    }
  }

  /// What the commented default file says.
  var explanation: [String] {
    switch self {
    case .listen:
      [
        "Address and port to listen on. An address that others can reach must be written here or with",
        "--listen; TLS is a reverse proxy's job.",
      ]
    case .dataDirectory:
      [
        "The directory for the database, the secret and the keys; made with mode 0700.",
        "Default: $XDG_DATA_HOME/parley, or ~/.local/share/parley.",
      ]
    case .store:
      ["Where conversations are kept: sqlite:PATH. Default: sqlite:<data_dir>/parley.sqlite."]
    case .spool:
      [
        "The directory of spool.sqlite, which keeps acknowledged messages while the store is down; made with",
        "mode 0700. On another disk than the store it also outlives that one. Default: <data_dir>.",
      ]
    case .secretFile:
      [
        "A file with the secret that signs tokens, at least 32 bytes; a trailing newline does not count.",
        "Default: <data_dir>/secret, made on the first start.",
      ]
    case .connections:
      [
        "Connections that may be open at once; one more is told 503. Fewer where the system allows fewer",
        "open files.",
      ]
    case .headSeconds:
      ["Seconds in which the first request of a connection must have come."]
    case .idleSeconds:
      ["Seconds without a request after which a connection is closed."]
    case .transferSeconds:
      [
        "Seconds in which a request's body must have come, one more for every 16 KiB, and in which a",
        "client must have taken some of its answer.",
      ]
    case .userRate:
      ["Requests a minute of one user; 0 for no limit. More are told 429. The service role has none."]
    case .addressRate:
      ["Requests a minute from one address (of IPv6, one /64); 0 for no limit."]
    case .trustedProxies:
      [
        "Addresses of reverse proxies, separated by commas, whose X-Forwarded-For names the client.",
        "Default: none.",
      ]
    case .allowedOrigins:
      [
        "Origins of web pages that may open WebSockets, separated by commas. Programs always may.",
        "Default: none.",
      ]
    case .model:
      [
        "Who answers: echo, which works without a service; anthropic:MODEL, with the key in ANTHROPIC_API_KEY;",
        "openai:MODEL, or any service that speaks like it, with the key in OPENAI_API_KEY.",
      ]
    case .modelURL:
      ["Another address of that service: for openai with /v1, for anthropic without. Default: its own."]
    case .systemPromptFile:
      ["A file with what the model is told before every conversation, at most 64 KiB. Default: nothing."]
    case .echoDelay:
      ["Milliseconds from one word of the echo to the next."]
    case .logLevel:
      ["trace, debug, info, notice, warning, error or critical."]
    case .logFormat:
      ["logfmt, json, or auto: logfmt on a terminal, json otherwise."]
    }
  }

  /// What the default file shows, commented out.
  var example: String {
    switch self {
    case .dataDirectory: "/var/lib/parley"
    case .store: "sqlite:/var/lib/parley/parley.sqlite"
    case .spool: "/var/spool/parley"
    case .secretFile: "/etc/parley/secret"
    case .trustedProxies: "10.0.0.2, 10.0.0.3"
    case .modelURL: "http://127.0.0.1:11434/v1"
    case .systemPromptFile: "/etc/parley/system.md"
    case .allowedOrigins: "https://chat.example.org, http://localhost:3000"
    default: builtIn ?? ""
    }
  }

  private static var defaultDataDirectory: String {
    let base = environment("XDG_DATA_HOME") ?? (environment("HOME") ?? ".") + "/.local/share"
    return base + "/parley"
  }

  private static func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }
}

/// The flags that every command with a store takes.
struct SettingFlags: ParsableArguments {
  @Option(help: ArgumentHelp("Configuration file; PARLEY_CONFIG.", valueName: "file"))
  var config: String?

  @Option(
    help: ArgumentHelp("Data directory; PARLEY_DATA_DIR. Default: $XDG_DATA_HOME/parley.", valueName: "directory"))
  var data: String?

  @Option(help: ArgumentHelp("Where conversations are kept; PARLEY_STORE.", valueName: "sqlite:path"))
  var store: String?

  @Option(
    help: ArgumentHelp(
      "Where messages are kept while the store is down; PARLEY_SPOOL. Default: the data directory.",
      valueName: "directory"))
  var spool: String?
}

/// The settings in force: flag, then environment, then file, then what is built in.
struct Settings {
  struct Value {
    let text: String
    /// `flag`, `environment`, `file` or `built-in`.
    let origin: String
  }

  private let values: [Setting: Value]

  init(_ flags: SettingFlags, listen: String? = nil) async throws {
    var flagValues: [AbsoluteConfigKey: ConfigValue] = [:]
    func flag(_ setting: Setting, _ value: String?) {
      if let value { flagValues[AbsoluteConfigKey([setting.rawValue])] = ConfigValue(.string(value), isSecret: false) }
    }
    flag(.listen, listen)
    flag(.dataDirectory, flags.data)
    flag(.store, flags.store)
    flag(.spool, flags.spool)

    let environment = EnvironmentVariablesProvider()
    var providers: [(origin: String, provider: any ConfigProvider, prefix: [String])] = [
      ("flag", InMemoryProvider(values: flagValues), []),
      ("environment", environment, ["parley"]),
    ]
    if let file = try flags.config ?? Self.text("config", in: environment, prefix: ["parley"]) {
      if try Self.holdsSettings(file) {
        do {
          let provider = try await FileProvider<YAMLSnapshot>(filePath: FilePath(file))
          providers.append(("file", provider, []))
        } catch {
          throw CommandFailure(.configuration, "The configuration file \(file) cannot be read: \(error)")
        }
      }
    }
    var values: [Setting: Value] = [:]
    for setting in Setting.allCases {
      for (origin, provider, prefix) in providers where values[setting] == nil {
        if let text = try Self.text(setting.rawValue, in: provider, prefix: prefix), !text.isEmpty {
          values[setting] = Value(text: text, origin: origin)
        }
      }
      if values[setting] == nil, let builtIn = setting.builtIn {
        values[setting] = Value(text: builtIn, origin: "built-in")
      }
    }
    self.values = values
  }

  /// Settings that nothing outside has a say in: those given, and what is built in.
  init(_ given: [Setting: String]) {
    values = Setting.allCases.reduce(into: [:]) { values, setting in
      if let text = given[setting] {
        values[setting] = Value(text: text, origin: "flag")
      } else if let builtIn = setting.builtIn {
        values[setting] = Value(text: builtIn, origin: "built-in")
      }
    }
  }

  /// Bytes of a configuration file.
  private static let fileBytes = 65_536

  /// Whether a file sets anything: one of only comments is valid, but no mapping to a YAML reader.
  ///
  /// - Throws: For a name at the top level that is no setting. A mistyped one must not be passed over.
  private static func holdsSettings(_ file: String) throws -> Bool {
    let text: String
    do {
      let descriptor = try FileDescriptor.open(FilePath(file), .readOnly)
      text = try descriptor.closeAfter {
        var bytes = [UInt8](repeating: 0, count: fileBytes)
        let count = try bytes.withUnsafeMutableBytes { try descriptor.read(into: $0) }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
      }
    } catch {
      throw CommandFailure(.configuration, "The configuration file \(file) cannot be read: \(error)")
    }
    let lines = text.split(whereSeparator: \.isNewline).filter { line in
      line.first { !$0.isWhitespace }.map { $0 != "#" } ?? false
    }
    for line in lines where line != "---" {
      let name = line.prefix { $0 != ":" }
      let value = line.dropFirst(name.count + 1).first { !$0.isWhitespace }
      // Lists and mappings have no place here, and would be passed over as quietly.
      guard Setting(rawValue: String(name)) != nil, value != "{", value != "[", value != nil else {
        throw CommandFailure(
          .configuration,
          "The configuration file \(file) has a line that is no setting. A line is NAME: VALUE; names are "
            + Setting.allCases.map(\.rawValue).joined(separator: ", ") + ".")
      }
    }
    return lines.contains { $0 != "---" }
  }

  private static func text(_ name: String, in provider: some ConfigProvider, prefix: [String]) throws -> String? {
    do {
      let result = try provider.value(forKey: AbsoluteConfigKey(prefix + [name]), type: .string)
      guard case .string(let text) = result.value?.content else { return nil }
      return text
    } catch {
      throw CommandFailure(.configuration, "The setting \(name) must be a text: \(error)")
    }
  }

  /// The value in force; one that is worked out from the data directory is built in.
  subscript(setting: Setting) -> Value {
    if let value = values[setting] { return value }
    let text =
      switch setting {
      case .store: "sqlite:\(dataDirectory)/parley.sqlite"
      case .spool: dataDirectory
      case .secretFile: "\(dataDirectory)/secret"
      default: ""
      }
    return Value(text: text, origin: "built-in")
  }

  var dataDirectory: String { values[.dataDirectory]?.text ?? "." }
  var secretFile: String? { values[.secretFile]?.text }

  /// The path of the SQLite file.
  func storePath() throws -> String {
    let store = self[.store].text
    guard store.hasPrefix("sqlite:"), store.utf8.count > "sqlite:".utf8.count else {
      throw CommandFailure(.configuration, "The store must be written sqlite:PATH; this build knows no other.")
    }
    return String(store.dropFirst("sqlite:".count))
  }

  var spoolDirectory: String { self[.spool].text }
  var spoolPath: String { spoolDirectory + "/spool.sqlite" }

  /// `host:port`, with an IPv6 address in brackets.
  func listenAddress() throws -> (host: String, port: Int) {
    let text = values[.listen]?.text ?? ""
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (0...65_535).contains(port), colon > text.startIndex
    else {
      throw CommandFailure(
        .configuration, "The address to listen on must be written HOST:PORT, such as 127.0.0.1:7275.")
    }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    return (host, port)
  }

  /// A whole number within a range.
  func number(_ setting: Setting, in range: ClosedRange<Int>) throws -> Int {
    guard let number = Int(self[setting].text), range.contains(number) else {
      throw CommandFailure(
        .configuration,
        "\(setting.rawValue) must be a whole number from \(range.lowerBound) to \(range.upperBound).")
    }
    return number
  }

  /// What connections may cost.
  func connectionLimits() throws -> ConnectionLimits {
    ConnectionLimits(
      connections: try number(.connections, in: 1...1_000_000), headSeconds: try number(.headSeconds, in: 1...3_600),
      idleSeconds: try number(.idleSeconds, in: 1...86_400),
      transferSeconds: try number(.transferSeconds, in: 1...3_600))
  }

  func rateLimits() throws -> RateLimits {
    func rate(_ setting: Setting) throws -> Int? {
      let perMinute = try number(setting, in: 0...1_000_000)
      return perMinute == 0 ? nil : perMinute
    }
    let proxies = try self[.trustedProxies].text.split(separator: ",").map { name in
      guard let address = IPAddress(String(name.split(separator: " ").joined(separator: " "))) else {
        throw CommandFailure(.configuration, "trusted_proxies must be IP addresses, separated by commas.")
      }
      return address
    }
    return RateLimits(
      perUser: try rate(.userRate), perAddress: try rate(.addressRate), trustedProxies: Set(proxies))
  }

  /// The web pages that may open WebSockets, written as browsers write them.
  func allowedOrigins() throws -> Set<String> {
    let origins = try self[.allowedOrigins].text.split(separator: ",").map { name in
      let origin = name.split(separator: " ").joined(separator: " ").lowercased()
      let parts = origin.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count == 3, parts[0].hasSuffix(":"), parts[0].count > 1, parts[1].isEmpty, !parts[2].isEmpty,
        !origin.contains(" ")
      else {
        throw CommandFailure(
          .configuration,
          "allowed_origins must be origins such as https://chat.example.org, without a path, separated by commas.")
      }
      return origin
    }
    return Set(origins)
  }

  /// Who answers.
  ///
  /// - Throws: `.configuration` for a model that cannot be asked, such as for want of a key.
  func answering(_ logger: Logger) throws -> ConversationServer.Answering {
    let delay = try number(.echoDelay, in: 0...EchoModel.longestDelay)
    do {
      let choice = try ModelChoice(self[.model].text, url: self[.modelURL].text) { name in
        getenv(name).map { String(cString: $0) }
      }
      var settings = Turns.Settings()
      settings.system = try systemPrompt()
      return ConversationServer.Answering(
        model: choice.makeModel(echo: .init(delay: delay), logger: logger),
        tools: [.currentTime(now: StoreEnvironment.system.now), .searchMessages], settings: settings)
    } catch let error as ModelError {
      throw CommandFailure(.configuration, error.message)
    }
  }

  private func systemPrompt() throws -> String? {
    let file = self[.systemPromptFile].text
    guard !file.isEmpty else { return nil }
    do {
      let descriptor = try FileDescriptor.open(FilePath(file), .readOnly)
      return try descriptor.closeAfter {
        var bytes = [UInt8](repeating: 0, count: Self.fileBytes + 1)
        var count = 0
        while count < bytes.count {
          let read = try bytes.withUnsafeMutableBytes { try descriptor.read(into: .init(rebasing: $0[count...])) }
          if read == 0 { break }
          count += read
        }
        guard count <= Self.fileBytes, let text = String(validating: bytes.prefix(count), as: UTF8.self) else {
          throw CommandFailure(.configuration, "\(file) must be text in UTF-8, at most \(Self.fileBytes) bytes.")
        }
        return text
      }
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      throw CommandFailure(.configuration, "The file \(file) cannot be read: \(error)")
    }
  }

  func logLevel() throws -> Logger.Level {
    guard let level = Logger.Level(rawValue: values[.logLevel]?.text ?? "") else {
      throw CommandFailure(
        .configuration,
        "log_level must be one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")).")
    }
    return level
  }

  func logFormat() throws -> LineLogHandler.Format {
    switch values[.logFormat]?.text {
    case "logfmt": return .logfmt
    case "json": return .json
    case "auto": return isatty(STDERR_FILENO) == 1 ? .logfmt : .json
    default: throw CommandFailure(.configuration, "log_format must be one of auto, logfmt, json.")
    }
  }
}
