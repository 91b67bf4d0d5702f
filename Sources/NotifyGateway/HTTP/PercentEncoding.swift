/// The encoding of bytes in paths and queries (RFC 3986, 2.1).
enum PercentEncoding {
  /// Decodes a text; a malformed encoding stays as it is.
  ///
  /// - Parameter plusIsSpace: `+` stands for a space, as in the query of an HTML form.
  /// - Returns: nil where the decoded bytes are no UTF-8.
  static func decode(_ text: Substring, plusIsSpace: Bool) -> String? {
    guard needsDecoding(text) else { return String(text) }
    return String(validating: bytes(text, plusIsSpace: plusIsSpace), as: UTF8.self)
  }

  /// Decodes a text; bytes that are no UTF-8 become U+FFFD.
  static func decodeRepairing(_ text: Substring, plusIsSpace: Bool) -> String {
    guard needsDecoding(text) else { return String(text) }
    return String(decoding: bytes(text, plusIsSpace: plusIsSpace), as: UTF8.self)
  }

  private static func needsDecoding(_ text: Substring) -> Bool {
    text.utf8.contains { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }
  }

  private static func bytes(_ text: Substring, plusIsSpace: Bool) -> [UInt8] {
    let encoded = Array(text.utf8)
    var result: [UInt8] = []
    result.reserveCapacity(encoded.count)
    var index = 0
    while index < encoded.count {
      if encoded[index] == UInt8(ascii: "%"), index + 2 < encoded.count, let high = nibble(encoded[index + 1]),
        let low = nibble(encoded[index + 2])
      {
        result.append(high << 4 | low)
        index += 3
      } else {
        result.append(plusIsSpace && encoded[index] == UInt8(ascii: "+") ? UInt8(ascii: " ") : encoded[index])
        index += 1
      }
    }
    return result
  }

  private static func nibble(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
