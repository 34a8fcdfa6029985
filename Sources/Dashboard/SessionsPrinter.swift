public import ConversationModel
public import TerminalCanvas

/// Prints the Sessions view once, as plain text: for pipes, logs and terminals that cannot be drawn on.
public enum SessionsPrinter {
  /// Reads the status and the live sessions, and lays them out as the view does.
  ///
  /// - Parameters:
  ///   - columns: Of a line; 120 where there is no terminal. At least 40.
  ///   - moment: Now.
  /// - Returns: Lines without control characters, each ended by a line feed.
  /// - Throws: As `LiveSource`.
  public static func text(
    live: any LiveSource, principal: Principal = .service, settings: DashboardSettings, columns: Int = 120,
    glyphs: Glyphs = .unicode, moment: Moment
  ) async throws(ConversationError) -> String {
    let status = try await live.status(as: principal)
    let (sessions, isPart) = try await live.allSessions(as: principal)
    return text(
      status, sessions, isPart: isPart, settings: settings, columns: columns, glyphs: glyphs, moment: moment)
  }

  static func text(
    _ status: ServerStatus, _ sessions: [LiveSession], isPart: Bool, settings: DashboardSettings, columns: Int,
    glyphs: Glyphs, moment: Moment
  ) -> String {
    let columns = max(Layout.smallest.columns, min(columns, 500))
    let isWide = columns >= 100
    // So high that every session has its row: the frames, the two lines above and the two below.
    let rows = max(isWide ? 18 : 12, sessions.count + (isWide ? 7 : 8))
    var model = DashboardModel(
      settings: settings, size: Size(rows: rows, columns: columns), glyphs: glyphs, now: moment)
    model.link = .connected
    model.status = status
    model.statusAt = moment.steady
    model.sessions.take(sessions, isPart: isPart, height: rows)
    return Screen.list(of: model)
  }
}

extension Screen {
  /// The header and the list with what stands beside it; nothing of what keys would do.
  static func list(of model: DashboardModel) -> String {
    var screen = Screen(model: model, layout: model.layout, canvas: Canvas(model.size, glyphs: model.glyphs))
    screen.drawHeader()
    screen.drawPrinted()
    var lines = screen.canvas.text.split(separator: "\n", omittingEmptySubsequences: false)
    while lines.last?.isEmpty == true { lines.removeLast() }
    return lines.map { $0 + "\n" }.joined()
  }
}
