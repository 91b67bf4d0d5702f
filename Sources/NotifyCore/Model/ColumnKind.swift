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

  /// A uuid as PostgreSQL writes it; nil where the text is none.
  ///
  /// PostgreSQL and the languages' libraries read capitals and digits without hyphens as the same.
  static func canonicalUUID(_ text: String) -> String? {
    let groups = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false).map(\.count)
    guard groups == [32] || groups == [8, 4, 4, 4, 12] else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(36)
    for byte in text.utf8 where byte != UInt8(ascii: "-") {
      guard JSONScanner.hexDigit(byte) != nil else { return nil }
      if [8, 13, 18, 23].contains(bytes.count) { bytes.append(UInt8(ascii: "-")) }
      bytes.append(byte | 0x20)  // Digits have this bit, capitals get it.
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
