/// The text of SQL arrays, for parameters.
enum SQLArray {
  /// An array of texts.
  static func text(_ values: [String?]) -> String {
    let elements = values.map { value in
      guard let value else { return "NULL" }
      return "\"" + value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
    return "{" + elements.joined(separator: ",") + "}"
  }

  /// An array of integers.
  static func integers(_ values: some Sequence<some BinaryInteger>) -> String {
    "{" + values.map { String($0) }.joined(separator: ",") + "}"
  }

  /// An array of integers or NULL.
  static func integers(_ values: some Sequence<Int64?>) -> String {
    "{" + values.map { $0.map { String($0) } ?? "NULL" }.joined(separator: ",") + "}"
  }
}
