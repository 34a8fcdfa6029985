import Foundation
import Testing

/// The rooms of the house and the arrows between them, as the README's map shows them.
private let arrows: [String: Set<String>] = [
  "ConversationModel": [],
  "StrictJSON": [],
  "StoreSQL": ["ConversationModel"],
  "StoreSQLite": ["ConversationModel", "StoreSQL", "CSQLite"],
  "Wire": ["ConversationModel", "StrictJSON"],
  "Assistant": ["ConversationModel", "StrictJSON"],
  "Interchange": ["ConversationModel", "StrictJSON", "Wire", "CPangoCairo"],
  "StoreRemote": ["ConversationModel", "Wire"],
  "ConversationServer": ["Assistant", "ConversationModel", "Interchange", "StrictJSON", "Wire"],
  "parley": [
    "Assistant", "ConversationModel", "ConversationServer", "Dashboard", "Interchange", "StoreRemote", "StoreSQL",
    "StoreSQLite", "StoreSpool", "StrictJSON", "TerminalCanvas", "TerminalNcurses", "Wire",
  ],
  "Dashboard": ["ConversationModel", "TerminalCanvas"],
  "CSQLite": [],
  "CPangoCairo": [],
  "StoreSpool": ["ConversationModel", "StoreSQL", "StoreSQLite"],
  "TerminalCanvas": [],
  "TerminalNcurses": ["TerminalCanvas", "CNcurses"],
  "CNcurses": [],
]

/// What a room may import from outside.
private let outside: [String: Set<String>] = [
  "ConversationModel": [],
  "StrictJSON": [],
  "StoreSQL": ["Crypto", "Glibc", "Synchronization"],
  "StoreSQLite": ["Glibc", "Synchronization"],
  "Wire": [],
  "Assistant": ["AsyncHTTPClient", "Logging", "NIOCore", "NIOHTTP1", "Synchronization"],
  "Interchange": ["Glibc"],
  "StoreRemote": [
    "AsyncHTTPClient", "Glibc", "NIOCore", "NIOHTTP1", "NIOPosix", "NIOSSL", "NIOWebSocket", "Synchronization",
  ],
  "ConversationServer": [
    "Crypto", "Foundation", "Glibc", "HTTPTypes", "Histogram", "Hummingbird", "HummingbirdCore", "JWTKit", "Logging",
    "NIOCore", "NIOHTTP1", "NIOHTTPTypes", "NIOHTTPTypesHTTP1", "ServiceLifecycle", "Synchronization",
  ],
  "StoreSpool": ["Glibc", "Synchronization"],
  "Dashboard": ["Glibc", "Synchronization"],
  "TerminalCanvas": [],
  "TerminalNcurses": ["Glibc", "Synchronization"],
  "parley": [
    "ArgumentParser", "Configuration", "Glibc", "Logging", "NIOCore", "ServiceLifecycle", "Synchronization",
    "SystemPackage", "UnixSignals",
  ],
]

@Suite struct ArrowTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The modules that a source text imports.
  private static func imports(of text: String) -> Set<String> {
    let line =
      /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)/
    return Set(text.split(separator: "\n").compactMap { $0.firstMatch(of: line).map { String($0.1) } })
  }

  private static func sources(of room: String) throws -> [URL] {
    try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: "Sources/\(room)").path)
      .filter { $0.hasSuffix(".swift") }.map { root.appending(path: "Sources/\(room)/\($0)") }
  }

  @Test func `every folder under Sources is a room of the map`() throws {
    let folders = try FileManager.default.contentsOfDirectory(atPath: Self.root.appending(path: "Sources").path)
    #expect(Set(folders) == Set(arrows.keys))
  }

  @Test(arguments: arrows.keys.sorted())
  func `a room imports only what the map allows`(room: String) throws {
    let allowed = arrows[room, default: []].union(outside[room, default: []])
    for file in try Self.sources(of: room) {
      let unexpected = Self.imports(of: try String(contentsOf: file, encoding: .utf8)).subtracting(allowed)
      #expect(unexpected.isEmpty, "\(room)/\(file.lastPathComponent) imports \(unexpected.sorted())")
    }
  }

  @Test(arguments: arrows.keys.sorted())
  func `no arrow of the map is unused`(room: String) throws {
    let used = try Self.sources(of: room).reduce(into: Set<String>()) {
      $0.formUnion(Self.imports(of: try String(contentsOf: $1, encoding: .utf8)))
    }
    let allowed = arrows[room, default: []].union(outside[room, default: []])
    #expect(allowed.subtracting(used).isEmpty, "\(room) does not need \(allowed.subtracting(used).sorted())")
  }

  @Test func `the README's map names every room`() throws {
    let readme = try String(contentsOf: Self.root.appending(path: "README.md"), encoding: .utf8)
    for (room, imports) in arrows where !["CSQLite", "CNcurses", "CPangoCairo"].contains(room) {
      let row = readme.split(separator: "\n").first { $0.hasPrefix("| `\(room)` |") }
      #expect(row != nil, "the map has no row for \(room)")
      for imported in imports {
        #expect(row?.contains("`\(imported)`") == true, "the row of \(room) does not name \(imported)")
      }
    }
  }

  @Test func `an import line is found in every form`() {
    let text = """
      import A
      public import B
        @testable import C
      internal import struct D.Thing
      @preconcurrency public import E
      // import F
      let important = 1
      """
    #expect(Self.imports(of: text) == ["A", "B", "C", "D", "E"])
  }

  @Test func `the top level holds nothing else`() throws {
    let allowed: Set<String> = ["Package.swift", "Sources", "Tests", "Config", "README.md", "Package.resolved"]
    let found = try FileManager.default.contentsOfDirectory(atPath: Self.root.path).filter { !$0.hasPrefix(".") }
    #expect(Set(found).subtracting(allowed).isEmpty)
  }
}
