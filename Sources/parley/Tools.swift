import ArgumentParser
import ConversationModel
import ConversationServer
import Glibc
import StoreSQL
import StoreSQLite
import StoreSpool

struct Token: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints a token that the server on the same data directory accepts.")

  @OptionGroup var flags: SettingFlags

  @Option(help: "The user (a UUID) that the token speaks for.")
  var user: String?

  @Option(help: "A role instead of a user: service_role or anon.")
  var role: String?

  @Option(help: "How long it is valid: a number with s, m, h or d.")
  var ttl = "1h"

  func validate() throws {
    guard (user == nil) != (role == nil) else { throw ValidationError("Name either --user or --role.") }
    if let user, UserID(user) == nil { throw ValidationError("--user must be a UUID.") }
    if let role, role != "service_role", role != "anon" {
      throw ValidationError("--role must be service_role or anon; a user's token is made with --user.")
    }
    guard seconds != nil else { throw ValidationError("--ttl must be a number from 1 with s, m, h or d, such as 15m.") }
  }

  func run() async throws {
    let settings = try await Settings(flags)
    let secret = try DataDirectory.existingSecret(
      file: settings.secretFile ?? settings.dataDirectory + "/secret")
    guard secret.count >= Credentials.minimumSecretBytes else {
      throw CommandFailure(
        .configuration, "The token secret has fewer than \(Credentials.minimumSecretBytes) bytes; use a longer one.")
    }
    let subject: TokenIssuer.Subject =
      if let user = user.flatMap({ UserID($0) }) { .user(user) } else { role == "anon" ? .anonymous : .service }
    print(
      try await TokenIssuer(secret: secret).token(
        for: subject, lifetimeSeconds: seconds ?? 0, now: StoreEnvironment.system.now()))
  }

  /// Nil unless the text is a number with a unit, and the product no more than ten years.
  private var seconds: Int? {
    let units: [Character: Int] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
    guard let unit = ttl.last.flatMap({ units[$0] }), ttl.first != "+", let number = Int(ttl.dropLast()),
      number > 0,
      number <= 10 * 366 * 86_400 / unit
    else { return nil }
    return number * unit
  }
}

struct Migrate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Brings the store's schema up to date, as every start of the server does.",
    discussion: "With --rebuild-search it also writes a search index anew that parley check found damaged.")

  @OptionGroup var flags: SettingFlags

  @Flag(help: "Only say what would be done.")
  var dryRun = false

  @Flag(help: "Also write the search index anew, from the messages; the server must be stopped.")
  var rebuildSearch = false

  func validate() throws {
    guard !(dryRun && rebuildSearch) else { throw ValidationError("--rebuild-search is nothing for --dry-run.") }
  }

  func run() async throws {
    let settings = try await Settings(flags)
    let path = try settings.storePath()
    let lock = dryRun ? nil : try DataDirectory(settings.dataDirectory).lock()
    let open = try OpenStore(path: path, access: dryRun ? .reader : .owner)
    defer {
      open.driver.close()
      withExtendedLifetime(lock) {}
    }
    let plan =
      dryRun
      ? try await open.store.migrationPlan() : try await open.store.migrate(rebuildingSearch: rebuildSearch)
    let what = dryRun ? "would apply" : "applied"
    guard plan.pending >= 0 else { throw OpenStore.tooNew(plan) }
    print(
      plan.pending == 0
        ? "schema \(plan.current) is up to date"
        : "\(what) \(plan.pending) of \(plan.latest) migrations, from schema \(plan.current)")
    if rebuildSearch { print("the search index was written anew") }
  }
}

struct Check: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Proves that the store, every tree in it and the spool are sound; also beside a running server.",
    discussion: "Findings go to standard output, one a line, and make the exit code 1.")

  @OptionGroup var flags: SettingFlags

  func run() async throws {
    let settings = try await Settings(flags)
    let storePath = try settings.storePath()
    var (findings, isSearchDamaged) = (0, false)
    func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
    func report(_ finding: some CustomStringConvertible) {
      findings += 1
      print(finding)
    }
    // First, because it can be read while the store is down.
    var waiting = 0
    if let spool = try await spool(settings.spoolPath) {
      spool.findings.forEach(report)
      waiting = spool.waiting
    }
    let open = try OpenStore(path: storePath, access: .reader)
    defer { open.driver.close() }
    try await open.requireCurrentSchema()
    for fault in try await open.driver.integrityFaults() {
      isSearchDamaged = isSearchDamaged || fault.contains("pam_search")
      report("database: \(fault)")
    }
    let read = try await open.store.audit { finding in
      isSearchDamaged = isSearchDamaged || finding.part == .searchIndex
      report(finding)
    }
    var total = "\(counted(read.conversations, "conversation")), \(counted(read.messages, "message"))"
    if waiting > 0 { total += ", \(counted(waiting, "record")) in the spool" }
    if isSearchDamaged {
      printToStandardError(
        "parley migrate --rebuild-search writes the search index anew; no message depends on it.")
    }
    guard findings == 0 else { throw CommandFailure(.finding, "\(counted(findings, "finding")) in \(total)") }
    print("sound: \(total)")
  }

  /// Nil where no server has made one.
  private func spool(_ path: String) async throws -> SpoolAudit.Result? {
    guard access(path, F_OK) == 0 else { return nil }
    do {
      let audit = try SpoolAudit(path: path)
      defer { audit.close() }
      return try await audit.run()
    } catch SQLFailure.malformed(let detail) {
      throw CommandFailure(.badData, "The spool \(path) is damaged, or no database: \(detail)")
    } catch SQLFailure.unavailable(let reason, let detail) {
      throw CommandFailure(.inputOutput, "Cannot read the spool \(path): \(reason) (\(detail))")
    }
  }
}

struct Config: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows the settings.", subcommands: [Show.self, Default.self])

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Prints the settings in force.")

    @OptionGroup var flags: SettingFlags

    @Flag(help: "Also say where each comes from.")
    var origin = false

    func run() async throws {
      let settings = try await Settings(flags)
      for setting in Setting.allCases {
        let value = settings[setting]
        print("\(setting.rawValue): \(value.text)" + (origin ? "  # \(value.origin)" : ""))
      }
    }
  }

  struct Default: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Prints the commented default file.")

    func run() {
      print("# Settings of Parley. A flag beats the environment, that beats this file, and this beats the")
      print("# built-in value. Every line is commented out and shows its default or an example.")
      for setting in Setting.allCases {
        print()
        for line in setting.explanation { print("# \(line)") }
        print("# Environment: \(setting.environmentName)")
        print("# \(setting.rawValue): \(setting.example)")
      }
    }
  }
}
