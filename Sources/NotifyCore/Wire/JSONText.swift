/// Writes the few JSON values that the bridge itself makes; a row's payload is never touched.
package enum JSONText {
  /// A JSON string, quoted and escaped (RFC 8259).
  package static func string(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
    if isPlain { return "\"" + text + "\"" }
    var json = "\""
    json.reserveCapacity(text.utf8.count + 2)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": json += "\\\""
      case "\\": json += "\\\\"
      case "\n": json += "\\n"
      case "\r": json += "\\r"
      case "\t": json += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        json += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: json.unicodeScalars.append(scalar)
      }
    }
    return json + "\""
  }

  /// A user's id: a JSON number where its text is a canonical integer, else a string.
  ///
  /// - Parameter integerColumn: whether some served table's recipient column is an integer.
  package static func user(_ user: UserID, integerColumn: Bool) -> String {
    integerColumn && user.integer != nil ? user.text : string(user.text)
  }

  /// A row's id: a JSON number where its column is an integer, else a string.
  package static func id(_ id: RowID) -> String {
    switch id {
    case .integer(let number): String(number)
    case .text(let text): string(text)
    }
  }
}
