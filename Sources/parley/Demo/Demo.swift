import ArgumentParser
import Assistant
import ConversationServer
import Glibc
import ServiceLifecycle
import StoreSQL
import Synchronization
import TerminalNcurses

/// Shows Parley at work, to somebody who has just built it: the real server on a store that is thrown away, simulated
/// users over real WebSockets, and the dashboard.
struct Demo: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows a server at work: a throw-away store, simulated users, and the dashboard.",
    discussion: "Settings, the environment and data of a server of yours are left alone.")

  @Option(help: ArgumentHelp("Simulated users, 1 to 100.", valueName: "number"))
  var users = 12

  @Option(help: ArgumentHelp("End after so many seconds. Default: when somebody ends it.", valueName: "seconds"))
  var seconds: Double?

  @Flag(help: "Show no dashboard; print where the server is.")
  var noDashboard = false

  @Flag(help: "No outages of the store.")
  var calm = false

  @Option(
    help: ArgumentHelp("Seconds from one outage of the store to the next, about; 1 or more.", valueName: "seconds"))
  var outageEvery = 150.0

  @Option(help: ArgumentHelp("Address to listen on; port 0 for a free one.", valueName: "host:port"))
  var listen = "127.0.0.1:0"

  @Option(help: "Colours of the dashboard: auto, never, 16 or 256.")
  var color = "auto"

  /// The same for every demo, so that it can be told of.
  private static let seed: UInt64 = 7_275
  /// Seconds for the end: the store must be whole again before it.
  private static let graceSeconds = 20

  func validate() throws {
    guard (1...100).contains(users) else { throw ValidationError("--users must be from 1 to 100.") }
    guard seconds.map({ (1...604_800).contains($0) }) ?? true else {
      throw ValidationError("--seconds must be from 1 to 604800.")
    }
    guard (1...604_800).contains(outageEvery) else {
      throw ValidationError("--outage-every must be from 1 to 604800 seconds.")
    }
    guard ColorPreference(rawValue: color) != nil else {
      throw ValidationError("--color must be auto, never, 16 or 256.")
    }
  }

  func run() async throws {
    let screens = ServerScreens(
      colors: ColorPreference(rawValue: color) ?? .auto, otherwise: "parley demo --no-dashboard needs none.")
    if !noDashboard { try screens.requireTerminal() }
    EndSignals.take()
    let directory = try DemoDirectory()
    defer { directory.remove() }
    let count = try await show(screens, in: directory.path)
    print(count)
    guard count.lost == 0, count.findings == 0 else {
      throw CommandFailure(.finding, "What was acknowledged is not what was kept.")
    }
  }

  private func show(_ screens: ServerScreens, in directory: String) async throws -> DemoLedger.Count {
    let settings = Settings([.dataDirectory: directory, .listen: listen])
    let log = try ServerLog(settings, writes: ServerScreens.logHasPlace)
    let storePath = try settings.storePath()
    let travellers = (0..<users).map { DemoTraveller($0, seed: Self.seed) }
    let sessions = try await DemoHistory(travellers: travellers, seed: Self.seed, now: StoreEnvironment.system.now())
      .write(to: storePath)
    let ledger = DemoLedger()
    let host = try await ServerHost(settings, answering: Self.assistant, log: log)
    do {
      defer { host.close() }
      let outages = DemoOutages(
        storePath: storePath, seconds: outageEvery, ledger: ledger, logger: log.logger,
        random: DemoRandom(seed: Self.seed))
      let traffic = DemoTraffic(
        host: host, sessions: sessions, ledger: ledger, outages: calm ? nil : outages, seconds: seconds, seed: Self.seed
      ) { [noDashboard] url in
        if noDashboard { Self.tell(url, directory, travellers) }
      }
      let services = host.services(signals: [], with: traffic, graceSeconds: Self.graceSeconds)
      try await host.run {
        if noDashboard { try await services.run() } else { try await screens.run(services, of: host) }
      }
    }
    return try await ledger.count(inStoreAt: storePath)
  }

  private static var assistant: ConversationServer.Answering {
    let random = Mutex(DemoRandom(seed: seed))
    let script = DemoScript { random.withLock { $0.next() } }
    return ConversationServer.Answering(model: ScriptModel { script.reply(to: $0) }, tools: DemoScript.tools)
  }

  /// How to look at it, for whoever has no dashboard on it.
  private static func tell(_ url: String, _ directory: String, _ travellers: [DemoTraveller]) {
    let place = "--data \(directory) --server \(url)"
    print("demo: \(travellers.count) users on \(url), until Ctrl-C")
    print("  parley dashboard \(place)")
    if let user = travellers.first?.user { print("  parley chat \(place) --user \(user)") }
    fflush(nil)
  }
}
