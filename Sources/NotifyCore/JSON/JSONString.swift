/// Decodes strings that `JSONScanner` has skipped.
enum JSONString {
  /// The text of a string with its quotes; nil where it is another value, no valid UTF-8, or has a lone surrogate.
  static func read(_ token: UnsafeRawBufferPointer) -> String? {
    guard token.first == UInt8(ascii: "\"") else { return nil }
    let content = token[1..<token.count - 1]
    guard content.contains(UInt8(ascii: "\\")) else { return String(validating: content, as: UTF8.self) }
    return unescaped(content).flatMap { String(validating: $0, as: UTF8.self) }
  }

  /// Whether the text of a string with its quotes is this one.
  static func isEqual(_ token: Slice<UnsafeRawBufferPointer>, to text: String) -> Bool {
    let content = token.dropFirst().dropLast()
    guard content.contains(UInt8(ascii: "\\")) else { return content.elementsEqual(text.utf8) }
    return unescaped(content)?.elementsEqual(text.utf8) ?? false
  }

  /// The bytes with escapes undone; nil for a lone surrogate.
  private static func unescaped(_ content: Slice<UnsafeRawBufferPointer>) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(content.count)
    var rest = content
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() else {
        bytes.append(byte)
        continue
      }
      switch escaped {
      case UInt8(ascii: "b"): bytes.append(0x08)
      case UInt8(ascii: "f"): bytes.append(0x0C)
      case UInt8(ascii: "n"): bytes.append(0x0A)
      case UInt8(ascii: "r"): bytes.append(0x0D)
      case UInt8(ascii: "t"): bytes.append(0x09)
      case UInt8(ascii: "u"):
        guard let scalar = scalar(&rest) else { return nil }
        bytes += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
      default: bytes.append(escaped)
      }
    }
    return bytes
  }

  /// Takes the digits behind `\u`, and the second half of a pair of surrogates.
  private static func scalar(_ rest: inout Slice<UnsafeRawBufferPointer>) -> Unicode.Scalar? {
    let first = codeUnit(&rest)
    if let scalar = Unicode.Scalar(first) { return scalar }
    guard 0xD800..<0xDC00 ~= first, rest.starts(with: #"\u"#.utf8) else { return nil }
    rest = rest.dropFirst(2)
    let second = codeUnit(&rest)
    guard 0xDC00..<0xE000 ~= second else { return nil }
    return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
  }

  /// Takes four hexadecimal digits.
  private static func codeUnit(_ rest: inout Slice<UnsafeRawBufferPointer>) -> UInt32 {
    let digits = rest.prefix(4)
    rest = rest.dropFirst(4)
    return digits.reduce(0) { $0 << 4 | (JSONScanner.hexDigit($1) ?? 0) }
  }
}
