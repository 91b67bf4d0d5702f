import NotifyCrypto

/// Lowercase hexadecimal digits, two for a byte.
enum Hexadecimal {
  private static let digits = Array("0123456789abcdef".utf8)

  static func encode(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xF)]] }, as: UTF8.self)
  }

  /// Decodes a text, or nil where it has other characters or an odd number of them.
  static func decode(_ text: String) -> [UInt8]? {
    let values = text.utf8.compactMap { byte in digits.firstIndex(of: byte) }
    guard values.count == text.utf8.count, values.count.isMultiple(of: 2) else { return nil }
    return stride(from: 0, to: values.count, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
  }

  /// The SHA-256 of a text, as the database makes it of a key.
  static func sha256(_ text: String) -> String { encode(HashFunction.sha256.digest(text.utf8)) }
}
