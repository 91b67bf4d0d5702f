/// The pages that may open a socket. A browser sends the origin of its page, and the page can't change that.
struct OriginRule: Sendable {
  /// One allowed origin; nil matches anything.
  private struct Pattern {
    let scheme: String?
    let labels: [Substring]
    let port: Int?
  }

  private let patterns: [Pattern]?
  private let allowsNull: Bool

  /// - Parameter origins: `https://app.example.com`, `*.example.com` …; nil allows the request's own host name.
  init(_ origins: [String]?) {
    patterns = origins?.compactMap {
      Self.parse($0).map { Pattern(scheme: $0.scheme, labels: $0.labels, port: $0.port) }
    }
    allowsNull = origins?.contains("null") ?? false
  }

  /// Whether a request may go on.
  ///
  /// - Parameters:
  ///   - origins: all `Origin` headers; more than one is refused, none is allowed.
  ///   - host: the `Host` header.
  func allows(_ origins: [String], host: String?) -> Bool {
    guard let origin = origins.first else { return true }
    guard origins.count == 1 else { return false }
    if origin == "null" { return allowsNull }
    guard let given = Self.parse(origin), let scheme = given.scheme else { return false }
    guard let patterns else {
      guard let host, let own = Self.parse(host) else { return false }
      return own.labels == given.labels
    }
    return patterns.contains { pattern in
      if let wanted = pattern.scheme, wanted != scheme { return false }
      // An origin's missing port is that of its scheme, and so is that of a pattern.
      if pattern.scheme != nil || pattern.port != nil {
        if (pattern.port ?? Self.defaultPort(scheme)) != (given.port ?? Self.defaultPort(scheme)) { return false }
      }
      return pattern.labels.count == given.labels.count
        && zip(pattern.labels, given.labels).allSatisfy { $0 == "*" || $0 == $1 }
    }
  }

  private static func defaultPort(_ scheme: String) -> Int? {
    switch scheme {
    case "http", "ws": 80
    case "https", "wss": 443
    default: nil
    }
  }

  /// Splits `[scheme://]host[:port]`; nil for any other text.
  ///
  /// Byte by byte: a character of Swift may join a delimiter to the letter before it.
  private static func parse(_ text: String) -> (scheme: String?, labels: [Substring], port: Int?)? {
    let colon = UInt8(ascii: ":")
    let dot = UInt8(ascii: ".")
    let text = text.lowercased()
    var rest = text[...].utf8
    var scheme: String?
    if let end = rest.firstIndex(of: colon), rest[end...].starts(with: "://".utf8) {
      scheme = String(text[..<end])
      rest = rest[end...].dropFirst(3)
    }
    guard !rest.isEmpty, !rest.contains(where: { "/?#@ ,".utf8.contains($0) }) else { return nil }
    var port: Int?
    if let place = rest.lastIndex(of: colon), !rest[place...].contains(UInt8(ascii: "]")) {
      let digits = Substring(rest[place...].dropFirst())
      guard let number = UInt16(digits), digits.utf8.first != UInt8(ascii: "+") else { return nil }
      port = Int(number)
      rest = rest[..<place]
    }
    if rest.first == UInt8(ascii: "[") {
      return rest.last == UInt8(ascii: "]") ? (scheme, [Substring(rest)], port) : nil
    }
    if rest.last == dot { rest = rest.dropLast() }
    let labels = rest.split(separator: dot, omittingEmptySubsequences: false)
    guard labels.allSatisfy({ !$0.isEmpty && !$0.contains(colon) }) else { return nil }
    return (scheme, labels.map { Substring($0) }, port)
  }
}
