import TerminalCanvas

/// Where things stand, for a size and a view: the same for drawing, for scrolling and for the mouse.
struct Layout: Equatable {
  let size: Size
  let view: DashboardModel.View
  /// Of the message that is being written, on the user's screen.
  var composerLines = 1

  /// Below this there is only a line that says so.
  static let smallest = Size(rows: 10, columns: 40)

  var isTooSmall: Bool { size.rows < Self.smallest.rows || size.columns < Self.smallest.columns }
  var isWide: Bool { size.columns >= 100 }
  private var all: Rect { Rect(size) }

  var header: Rect { all.line(0) }
  var tabs: Rect { all.line(1) }
  var note: Rect { all.line(size.rows - 2) }
  var footer: Rect { all.line(size.rows - 1) }
  /// Without tabs there is a line more.
  var body: Rect { all.inset(top: view == .chat ? 1 : 2, bottom: 2) }

  // MARK: Sessions

  var hasPreview: Bool { body.rows >= 15 }
  private static let sideColumns = 31
  private var previewRows: Int { hasPreview ? (body.rows >= 26 ? 9 : 7) : 0 }

  /// The persistence panel in one row, where there is no room beside the list.
  var folded: Rect { isWide ? Rect(row: body.row, column: 0, rows: 0, columns: 0) : body.line(0) }
  var sessions: Rect {
    body.inset(top: isWide ? 0 : 1, bottom: previewRows, right: isWide ? Self.sideColumns : 0)
  }
  var persistence: Rect {
    isWide
      ? Rect(
        row: body.row, column: size.columns - Self.sideColumns, rows: body.rows - previewRows, columns: Self.sideColumns
      )
      : Rect(row: 0, column: 0, rows: 0, columns: 0)
  }
  var preview: Rect { body.inset(top: body.rows - previewRows) }

  /// Rows of a list: inside its frame, below the names of its columns.
  func listHeight(_ view: DashboardModel.View) -> Int {
    switch view {
    case .sessions: max(1, sessions.rows - 3)
    case .events: max(1, body.rows - 2)
    case _ where self.view == .chat: max(1, threadList.rows - 2)
    default: max(1, body.rows - 3)
    }
  }

  /// The first row of the list on the screen.
  var listTop: Int {
    if view == .chat { return threadList.row + 1 }
    return (view == .sessions ? sessions.row : body.row) + (view == .events ? 1 : 2)
  }

  // MARK: Thread

  private static let branchColumns = 33
  var branches: Rect {
    isWide && view != .chat
      ? Rect(row: body.row, column: 0, rows: body.rows, columns: Self.branchColumns)
      : Rect(row: body.row, column: 0, rows: 0, columns: 0)
  }
  var branchRows: Int { max(1, (isWide ? branches.rows : body.rows) - 5) }
  var pathFrame: Rect {
    view == .chat
      ? body.inset(left: threadList.columns, bottom: composer.rows) : body.inset(left: branches.columns)
  }

  /// The lines of the messages and one for what follows; everything but one line when bare.
  func path(isBare: Bool) -> Rect { isBare ? all.inset(bottom: 1) : pathFrame.interior }

  // MARK: Chat

  var threadList: Rect {
    let columns = isWide && view == .chat ? min(36, size.columns / 4) : 0
    return Rect(row: body.row, column: 0, rows: columns > 0 ? body.rows : 0, columns: columns)
  }
  var hasThreadList: Bool { !threadList.isEmpty }
  /// Below the path; it grows with its text, up to a third of the screen.
  var composer: Rect {
    let rows = min(max(1, composerLines), max(1, min(8, body.rows / 3))) + 2
    return body.inset(top: body.rows - rows, left: threadList.columns)
  }
  /// What is left for a line in the composer's frame: the pointer stands in front, the cursor may stand behind.
  var composerColumns: Int { max(1, composer.columns - 5) }

  // MARK: Tabs

  /// The tabs with their columns.
  static var tabSpans: [(view: DashboardModel.View, text: String, column: Int)] {
    var column = 1
    return DashboardModel.View.operators.map { view in
      defer { column += view.title.count + 4 }
      return (view, "\(view.rawValue) \(view.title)", column)
    }
  }
}

extension DashboardModel {
  var layout: Layout { Layout(size: size, view: view, composerLines: chat?.composer.lines.count ?? 1) }
}
