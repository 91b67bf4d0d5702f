/// The `Cookie` header of a request.
enum CookieHeader {
  /// The value of a cookie; the last one where there are several, as Django takes it.
  static func value(of name: String, in header: String) -> String? {
    var found: String?
    for pair in header.split(separator: ";") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, trimmed(parts[0]) == name else { continue }
      var value = trimmed(parts[1])
      if value.utf8.count >= 2, value.first == "\"", value.last == "\"" { value = value.dropFirst().dropLast() }
      found = String(value)
    }
    return found
  }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return text
  }
}
