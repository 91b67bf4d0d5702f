/// The `Cookie` header of a request.
///
/// Read byte by byte: a character of Swift may join a delimiter to the letter before it.
enum CookieHeader {
  /// The value of a cookie; the last one where there are several, as Django takes it.
  static func value(of name: String, in header: String) -> String? {
    let quote = UInt8(ascii: "\"")
    var found: String?
    for pair in header.utf8.split(separator: UInt8(ascii: ";")) {
      let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, trimmed(parts[0]).elementsEqual(name.utf8) else { continue }
      var value = trimmed(parts[1])
      if value.count >= 2, value.first == quote, value.last == quote { value = value.dropFirst().dropLast() }
      found = String(Substring(value))
    }
    return found
  }

  private static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
    let space = UInt8(ascii: " ")
    let tab = UInt8(ascii: "\t")
    var text = text
    while let first = text.first, first == space || first == tab { text.removeFirst() }
    while let last = text.last, last == space || last == tab { text.removeLast() }
    return text
  }
}
