// swift-tools-version: 6.2
// The rooms of Parley and the arrows between them. The README's map shows the same table, and
// `Tests/HouseTests` fails when a source file imports what this file or that table does not allow.

import PackageDescription

/// Every target is compiled under the same rules: Swift 6 mode, no warnings, explicit
/// existentials, and imports that are visible only where they are written.
let house: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let jwtKit = Target.Dependency.product(name: "JWTKit", package: "jwt-kit")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypesHTTP1 = Target.Dependency.product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")

let package = Package(
  name: "parley",
  products: [
    .executable(name: "parley", targets: ["parley"])
  ],
  traits: [
    .trait(name: "PDF", description: "Conversations as PDF, with the system's Pango and Cairo.")
  ],
  dependencies: [
    .package(url: "https://github.com/hummingbird-project/hummingbird.git", exact: "2.28.1"),
    .package(url: "https://github.com/vapor/jwt-kit.git", exact: "5.7.1"),
    .package(url: "https://github.com/apple/swift-crypto.git", exact: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log.git", exact: "1.16.2"),
    .package(url: "https://github.com/apple/swift-http-types.git", exact: "1.8.0"),
    .package(url: "https://github.com/apple/swift-nio.git", exact: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl.git", exact: "2.37.6"),
    .package(url: "https://github.com/apple/swift-nio-extras.git", exact: "1.35.2"),
    .package(url: "https://github.com/apple/swift-argument-parser.git", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-configuration.git", exact: "1.4.0", traits: ["YAML"]),
    .package(url: "https://github.com/apple/swift-system.git", exact: "1.8.1"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", exact: "2.13.0"),
    .package(url: "https://github.com/swift-server/async-http-client.git", exact: "1.37.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift.git", exact: "0.2.0"),
  ],
  targets: [
    .target(name: "ConversationModel", swiftSettings: house),
    .target(name: "StrictJSON", swiftSettings: house),
    .target(name: "StoreSQL", dependencies: ["ConversationModel", crypto], swiftSettings: house),
    .systemLibrary(name: "CSQLite"),
    .target(
      name: "StoreSQLite", dependencies: ["ConversationModel", "StoreSQL", "CSQLite"], swiftSettings: house),
    .target(
      name: "StoreSpool", dependencies: ["ConversationModel", "StoreSQL", "StoreSQLite"], swiftSettings: house),
    .target(name: "Wire", dependencies: ["ConversationModel", "StrictJSON"], swiftSettings: house),
    .target(
      name: "Assistant",
      dependencies: ["ConversationModel", "StrictJSON", httpClient, logging, nioCore, nioHTTP1], swiftSettings: house),
    .systemLibrary(name: "CPangoCairo", pkgConfig: "pangocairo", providers: [.apt(["libpango1.0-dev"])]),
    .target(
      name: "Interchange",
      dependencies: [
        "ConversationModel", "StrictJSON", "Wire", .target(name: "CPangoCairo", condition: .when(traits: ["PDF"])),
      ],
      swiftSettings: house),
    .target(
      name: "StoreRemote",
      dependencies: [
        "ConversationModel", "Wire", httpClient, nioCore, nioHTTP1, nioPosix, nioSSL, nioWebSocket,
      ],
      swiftSettings: house),
    .target(
      name: "ConversationServer",
      dependencies: [
        "Assistant", "ConversationModel", "Interchange", "StrictJSON", "Wire",
        hummingbird, hummingbirdCore, jwtKit, crypto, logging, httpTypes, nioCore, nioHTTP1, nioHTTPTypes,
        nioHTTPTypesHTTP1, lifecycle, histogram,
      ],
      swiftSettings: house),
    .target(name: "TerminalCanvas", swiftSettings: house),
    .target(name: "Dashboard", dependencies: ["ConversationModel", "TerminalCanvas"], swiftSettings: house),
    .target(name: "CNcurses", linkerSettings: [.linkedLibrary("ncursesw")]),
    .target(name: "TerminalNcurses", dependencies: ["TerminalCanvas", "CNcurses"], swiftSettings: house),
    .executableTarget(
      name: "parley",
      dependencies: [
        "Assistant", "ConversationModel", "ConversationServer", "Interchange", "StoreRemote", "StoreSQL", "StoreSQLite",
        "StoreSpool", "StrictJSON", "Dashboard", "TerminalCanvas", "TerminalNcurses", "Wire",
        arguments, configuration, systemPackage, lifecycle, unixSignals, logging, nioCore,
      ],
      swiftSettings: house),

    .target(name: "CSyncProbe", path: "Tests/CSyncProbe"),
    .executableTarget(
      name: "WebSocketEcho",
      dependencies: ["ConversationServer", "StoreSQL", "StoreSQLite", logging, nioCore, lifecycle, unixSignals],
      path: "Tests/WebSocketEcho", swiftSettings: house),
    .executableTarget(
      name: "TerminalProbe", dependencies: ["TerminalCanvas", "TerminalNcurses"], path: "Tests/TerminalProbe",
      swiftSettings: house),
    .testTarget(
      name: "AssistantTests",
      dependencies: ["Assistant", "ConversationModel", "StoreSQL", "StoreSQLite", "StrictJSON", logging],
      swiftSettings: house),
    .testTarget(
      name: "DashboardTests", dependencies: ["ConversationModel", "Dashboard", "TerminalCanvas"],
      exclude: ["Snapshots"], swiftSettings: house),
    .testTarget(name: "TerminalTests", dependencies: ["TerminalCanvas"], swiftSettings: house),
    .testTarget(
      name: "InterchangeTests",
      dependencies: ["ConversationModel", "Interchange", "StoreSQL", "StoreSQLite", "StrictJSON", "Wire"],
      exclude: ["Fixtures"], swiftSettings: house),
    .testTarget(name: "ModelTests", dependencies: ["ConversationModel", "StrictJSON", "Wire"], swiftSettings: house),
    .testTarget(
      name: "StoreTests",
      dependencies: [
        "ConversationModel", "ConversationServer", "StoreRemote", "StoreSQL", "StoreSQLite", "StoreSpool",
        "StrictJSON", "Wire", "CSQLite", "CSyncProbe", crypto, logging, lifecycle,
      ],
      swiftSettings: house),
    .testTarget(
      name: "ServerTests",
      dependencies: [
        "ConversationModel", "ConversationServer", "StoreSQL", "StoreSQLite", "StrictJSON", "CSyncProbe",
        httpClient, crypto, logging, nioCore, nioHTTP1, lifecycle,
      ],
      swiftSettings: house),
    .testTarget(name: "HouseTests", swiftSettings: house),
  ]
)
