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
  private static func parse(_ text: String) -> (scheme: String?, labels: [Substring], port: Int?)? {
    var rest = text.lowercased()[...]
    var scheme: String?
    if let separator = rest.firstRange(of: "://") {
      scheme = String(rest[..<separator.lowerBound])
      rest = rest[separator.upperBound...]
    }
    guard !rest.isEmpty, !rest.contains(where: { "/?#@ ,".contains($0) }) else { return nil }
    var port: Int?
    if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("]") {
      let digits = rest[rest.index(after: colon)...]
      guard let number = UInt16(digits), !digits.hasPrefix("+") else { return nil }
      port = Int(number)
      rest = rest[..<colon]
    }
    if rest.hasPrefix("[") { return rest.hasSuffix("]") ? (scheme, [rest], port) : nil }
    if rest.hasSuffix(".") { rest = rest.dropLast() }
    let labels = rest.split(separator: ".", omittingEmptySubsequences: false)
    guard labels.allSatisfy({ !$0.isEmpty && !$0.contains(":") }) else { return nil }
    return (scheme, labels, port)
  }
}
