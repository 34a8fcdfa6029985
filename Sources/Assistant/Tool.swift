public import ConversationModel
public import StrictJSON

/// Something that a model may ask to be done.
public struct Tool: Sendable {
  public let name: String
  public let description: String
  /// A JSON schema of the arguments, an object.
  public let schema: String

  private let run: @Sendable (JSONObject, Asker?) async throws -> String

  /// - Parameters:
  ///   - name: 1 to 64 of `A-Z a-z 0-9 _ -`, as all services want it.
  ///   - description: For the model: what it does, when to use it, what comes back.
  ///   - schema: JSON. Nobody checks arguments by it: `run` reads what it needs.
  ///   - run: Gives a text for the model. A ``ToolError`` is told to the model as it is, of any other error
  ///     only that there was one. It must end when its task is cancelled.
  /// - Precondition: Name and schema are what they should be: tools are written by programmers.
  public init(
    name: String, description: String, schema: String,
    run: @escaping @Sendable (JSONObject) async throws -> String
  ) {
    self.init(name: name, description: description, schema: schema) { arguments, _ in try await run(arguments) }
  }

  /// A tool that does something for whoever asked.
  ///
  /// - Parameter run: As above; also gets who asked, nil where nobody did.
  public init(
    name: String, description: String, schema: String,
    run: @escaping @Sendable (JSONObject, Asker?) async throws -> String
  ) {
    precondition(name.isPlainIdentifier, "A tool's name has 1 to 64 letters, digits, underscores and hyphens.")
    precondition((try? JSONReader.read(schema))?.object != nil, "A tool's schema is a JSON object.")
    self.name = name
    self.description = description
    self.schema = schema
    self.run = run
  }

  /// Runs the tool. What goes wrong is a result like any other, for the model to read.
  ///
  /// - Parameters:
  ///   - asker: Whose question is being answered.
  ///   - seconds: What it may take.
  public func result(
    of call: ToolCall, for asker: Asker? = nil, seconds: Int = ToolLimits.seconds
  ) async -> ToolResult {
    guard let arguments = call.arguments else {
      return .error(call, "The arguments are no JSON object, or one that is too large or nested too deep.")
    }
    do {
      let text = try await outcome(arguments, asker, seconds)
      guard text.utf8.count <= ToolLimits.resultBytes else {
        return .error(call, "The result has more than \(ToolLimits.resultBytes) bytes; ask for less.")
      }
      return ToolResult(id: call.id, text: text)
    } catch let error as ToolError {
      return .error(call, error.message)
    } catch {
      return .error(call, "The tool failed.")
    }
  }

  private func outcome(_ arguments: JSONObject, _ asker: Asker?, _ seconds: Int) async throws -> String {
    try await withThrowingTaskGroup(of: String.self) { group in
      defer { group.cancelAll() }
      group.addTask { try await run(arguments, asker) }
      group.addTask {
        try await Task.sleep(for: .seconds(seconds))
        throw ToolError("The tool did not end within \(seconds) s.")
      }
      guard let text = try await group.next() else { throw CancellationError() }
      return text
    }
  }
}

extension [Tool] {
  /// Runs the tool that `call` names, or tells the model that there is none.
  public func result(
    of call: ToolCall, for asker: Asker? = nil, seconds: Int = ToolLimits.seconds
  ) async -> ToolResult {
    guard let tool = first(where: { $0.name.utf8.elementsEqual(call.name.utf8) }) else {
      return .error(
        call,
        isEmpty ? "There are no tools." : "There is no such tool; there are: \(map(\.name).joined(separator: ", ")).")
    }
    return await tool.result(of: call, for: asker, seconds: seconds)
  }
}

/// What a tool tells the model when it cannot do what was asked: a whole sentence.
public struct ToolError: Error, Sendable {
  public let message: String

  public init(_ message: String) {
    self.message = message
  }
}

/// What a tool may take and give.
public enum ToolLimits {
  /// UTF-8 bytes of a result: what one message keeps as an object, and some 16,000 tokens.
  public static let resultBytes = Limits.objectBytes
  /// Seconds that a tool may take: a user waits meanwhile.
  public static let seconds = 30
}

extension ToolResult {
  fileprivate static func error(_ call: ToolCall, _ sentence: String) -> ToolResult {
    ToolResult(id: call.id, text: sentence, isError: true)
  }
}

extension String {
  /// Whether all services take it as the name of a tool or the id of a call.
  var isPlainIdentifier: Bool {
    (1...64).contains(utf8.count)
      && utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }
}

// MARK: Built in

extension Tool {
  /// Tells date, time and day of the week, in UTC or as far from it as the model asks for:
  /// `2026-11-28T20:54:37+01:00, Saturday`.
  public static func currentTime(now: @escaping @Sendable () -> Timestamp) -> Tool {
    Tool(
      name: "current_time",
      description: """
        Tells the current date, time and day of the week. Use it whenever the answer depends on today's date or \
        on the time of day. The time is in UTC unless the offset of another time zone is given.
        """,
      schema: """
        {"type":"object","properties":{"utc_offset_minutes":{"type":"integer","minimum":-720,"maximum":840,\
        "description":"Minutes that the wanted time zone is ahead of UTC; 0 if left out."}},\
        "additionalProperties":false}
        """
    ) { arguments in
      var offset = 0
      if let given = arguments["utc_offset_minutes"], !given.isNull {
        guard let minutes = given.number?.int, (-720...840).contains(minutes) else {
          throw ToolError("utc_offset_minutes is a whole number from -720 to 840.")
        }
        offset = minutes
      }
      return now().spoken(utcOffsetMinutes: offset)
    }
  }
}

extension Timestamp {
  fileprivate func spoken(utcOffsetMinutes offset: Int) -> String {
    let local = Timestamp(microseconds: microseconds + Int64(offset) * 60_000_000)
    let day = Int64(86_400_000_000)
    let days = (local.microseconds - (local.microseconds % day + day) % day) / day
    // 1970-01-01 was a Thursday.
    let names = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"]
    let name = names[Int((days % 7 + 7) % 7)]
    return "\(local.description.prefix(19))\(Self.zone(offset)), \(name)"
  }

  private static func zone(_ offset: Int) -> String {
    func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let size = abs(offset)
    return offset == 0 ? "Z" : "\(offset < 0 ? "-" : "+")\(twoDigits(size / 60)):\(twoDigits(size % 60))"
  }
}
