/// The type of a column that names rows or users.
package enum ColumnKind: String, Sendable, Equatable {
  /// smallint, integer or bigint.
  case integer
  case uuid
  /// text or varchar.
  case text

  /// Whether a text is a uuid as PostgreSQL writes it: lower case, with hyphens.
  static func isUUID(_ text: String) -> Bool {
    guard text.utf8.count == 36 else { return false }
    return text.utf8.enumerated().allSatisfy { index, byte in
      switch index {
      case 8, 13, 18, 23: byte == UInt8(ascii: "-")
      default:
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
          || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
      }
    }
  }
}
