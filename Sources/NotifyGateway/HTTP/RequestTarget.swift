/// A request's path and query.
struct RequestTarget: Sendable {
  let path: Substring
  private let query: Substring

  /// - Parameter uri: in origin form; in absolute form the scheme and the authority are skipped.
  init(_ uri: String) {
    var rest = uri[...]
    if rest.utf8.first != UInt8(ascii: "/"), let separator = rest.firstRange(of: "://") {
      rest = rest[separator.upperBound...]
      rest = rest.firstIndex(where: { $0 == "/" || $0 == "?" }).map { rest[$0...] } ?? ""
    }
    if let hash = rest.utf8.firstIndex(of: UInt8(ascii: "#")) { rest = rest[..<hash] }
    if let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?")) {
      path = rest[..<mark]
      query = rest[rest.utf8.index(after: mark)...]
    } else {
      path = rest
      query = ""
    }
  }

  /// The first parameter of a name, decoded; nil without one.
  func parameter(_ name: String) -> String? {
    for pair in query.utf8.split(separator: UInt8(ascii: "&")) {
      let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard Self.decoded(parts[0]) == name else { continue }
      return parts.count == 2 ? Self.decoded(parts[1]) : ""
    }
    return nil
  }

  private static func decoded(_ text: Substring.UTF8View.SubSequence) -> String {
    PercentEncoding.decodeRepairing(Substring(text), plusIsSpace: true)
  }
}
