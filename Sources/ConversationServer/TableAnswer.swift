import HTTPTypes
import Hummingbird
import StrictJSON
import Wire

/// The rows of one answer.
struct TableAnswer {
  let query: TableQuery
  let rows: [[ColumnValue]]
  /// All rows that match; nil if nobody asked.
  let total: Int?
}

/// How the client wants rows written.
struct RowFormat {
  /// One object for the only row, instead of an array.
  let isObject: Bool

  private static let object = "application/vnd.pgrst.object+json"

  /// - Throws: PGRST107 when the request accepts nothing that is made here.
  init(_ request: Request) throws(PostgRESTError) {
    let accepted = request.headers[values: .accept].flatMap { $0.split(separator: ",") }.map(\.trimmingSpaces)
    for type in accepted {
      // With parameters an object is another thing: `nulls=stripped`.
      if type.lowercased() == Self.object {
        isObject = true
        return
      }
      let name = type.prefix { $0 != ";" }.trimmingSpaces.lowercased()
      if ["application/json", "application/*", "*/*"].contains(name) {
        isObject = false
        return
      }
    }
    guard accepted.isEmpty else {
      throw PostgRESTError(
        .notAcceptable, "PGRST107",
        "None of these media types are available: \(PostgRESTError.shown(accepted.joined(separator: ", ")))",
        hint: "Rows come as application/json, and a single one as \(Self.object).")
    }
    isObject = false
  }

  var contentType: String { (isObject ? Self.object : "application/json") + "; charset=utf-8" }
}

extension Response {
  /// Rows with the range that they are of all rows, as PostgREST writes it.
  ///
  /// - Throws: PGRST103 for an offset beyond the counted rows, PGRST116 for an object of several rows or none.
  static func rows(_ answer: TableAnswer, _ format: RowFormat) throws(PostgRESTError) -> Response {
    let (query, rows) = (answer.query, answer.rows)
    let total = answer.total.map { "\($0)" } ?? "*"
    if let count = answer.total, query.offset > count {
      var error = PostgRESTError.noSuchRange(
        "An offset of \(query.offset) was requested, but there are only \(count) rows.")
      error.headers[.contentRange] = "*/\(total)"
      throw error
    }
    guard !format.isObject || rows.count == 1 else {
      throw PostgRESTError(
        .notAcceptable, "PGRST116", "JSON object requested, multiple (or no) rows returned",
        details: "The result contains \(rows.count) rows")
    }
    // An offset of any size gave no rows, so this one has a sum.
    let range = rows.isEmpty ? "*" : "\(query.offset)-\(query.offset.saturatingSum(rows.count - 1))"
    let isPart = answer.total.map { rows.count < $0 } ?? false
    return .json(
      isPart ? .partialContent : .ok, headers: [.contentRange: "\(range)/\(total)"], type: format.contentType,
      reserving: 512 * (rows.count + 1)
    ) { writer in
      func write(_ row: [ColumnValue], _ writer: inout JSONWriter) {
        writer.beginObject()
        for (output, value) in zip(query.outputs, row) {
          writer.key(output.name)
          writer.columnValue(value)
        }
        writer.endObject()
      }
      if format.isObject {
        for row in rows { write(row, &writer) }
      } else {
        writer.list(rows) { write($1, &$0) }
      }
    }
  }
}

extension Request {
  /// Whether the client asked for the total with `Prefer: count=…`. Planned and estimated totals are
  /// exact ones here.
  var wantsCount: Bool {
    headers[values: .prefer].contains { header in
      header.split(separator: ",").contains {
        ["count=exact", "count=planned", "count=estimated"].contains(String($0.trimmingSpaces))
      }
    }
  }
}

extension HTTPField.Name {
  fileprivate static let prefer = HTTPField.Name("prefer")!
}
