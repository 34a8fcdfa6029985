import ConversationModel
import HTTPTypes

extension Timestamp {
  /// Reads what `PostgresTime` does, and `epoch`, `infinity` and `-infinity`.
  ///
  /// - Throws: 22007 for another text, 22008 for a field that is out of range.
  init(postgres text: String) throws(PostgRESTError) {
    let trimmed = text.trimmingSpaces
    switch trimmed.lowercased() {
    case "epoch": self.init(microseconds: 0)
    case "infinity": self.init(microseconds: .max)
    case "-infinity": self.init(microseconds: .min)
    default:
      guard let time = PostgresTime(trimmed) else {
        throw PostgRESTError(
          .badRequest, "22007",
          "invalid input syntax for type timestamp with time zone: \"\(PostgRESTError.shown(text))\"")
      }
      guard let timestamp = time.timestamp else {
        throw PostgRESTError(
          .badRequest, "22008", "date/time field value out of range: \"\(PostgRESTError.shown(text))\"")
      }
      self = timestamp
    }
  }
}
