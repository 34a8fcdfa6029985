/// Which row of a list the keys act on, and which one stands at the top.
struct ListCursor: Equatable {
  private(set) var selected = 0
  private(set) var top = 0

  /// Moves by rows, and stays inside the list.
  mutating func move(by rows: Int, count: Int, height: Int) {
    select(selected + rows, count: count, height: height)
  }

  /// Selects a row, or the nearest that there is, and scrolls as little as shows it.
  mutating func select(_ row: Int, count: Int, height: Int) {
    selected = max(0, min(row, count - 1))
    let height = max(1, height)
    top = max(0, min(top, count - height))
    if selected < top { top = selected }
    if selected >= top + height { top = selected - height + 1 }
  }

  /// Scrolls without selecting another row, unless it would leave the screen.
  mutating func scroll(by rows: Int, count: Int, height: Int) {
    let height = max(1, height)
    top = max(0, min(top + rows, count - height))
    selected = max(top, min(selected, top + height - 1))
    selected = max(0, min(selected, count - 1))
  }

  /// The rows that are on the screen.
  func visible(count: Int, height: Int) -> Range<Int> {
    let top = max(0, min(self.top, count))
    return top..<max(top, min(count, top + max(0, height)))
  }
}
