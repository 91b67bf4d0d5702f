import NIOHTTP1

/// The rules for a request's head, beyond those of the parser.
enum RequestRules {
  /// The reason to refuse a head; nil for a good one.
  ///
  /// A request that two programs read differently lets bytes of one user pass as a request of another.
  static func refusal(_ head: HTTPRequestHead) -> String? {
    let headers = head.headers
    let hosts = headers["host"]
    if hosts.count > 1 || (hosts.isEmpty && head.version.minor >= 1) { return "exactly one Host header is needed" }
    let lengths = headers["content-length"]
    let codings = headers["transfer-encoding"]
    if lengths.count > 1 { return "more than one Content-Length" }
    if let length = lengths.first, length.isEmpty || !length.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) {
      return "Content-Length is not a number"
    }
    if !codings.isEmpty {
      if !lengths.isEmpty { return "both Content-Length and Transfer-Encoding" }
      if codings.count > 1 || codings[0].lowercased() != "chunked" || head.version.minor < 1 {
        return "the only Transfer-Encoding is chunked"
      }
    }
    if !codings.isEmpty || (lengths.first.map { $0 != "0" } ?? false), isSwitching(head) {
      return "an upgrade has no body"
    }
    return nil
  }

  /// Makes the fields' values what they mean: without the blanks around them (RFC 9110, 5.5), which the parser leaves at
  /// the end.
  ///
  /// - Returns: false where a value has a control character.
  static func readValues(of headers: inout HTTPHeaders) -> Bool {
    var hasBlanks = false
    for (_, var value) in headers {
      let isGood = value.withUTF8 { bytes in
        hasBlanks = hasBlanks || (bytes.last.map(isBlank) ?? false) || (bytes.first.map(isBlank) ?? false)
        return bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }
      }
      if !isGood { return false }
    }
    if hasBlanks { headers = HTTPHeaders(headers.map { ($0, trimmed($1)) }) }
    return true
  }

  private static func trimmed(_ value: String) -> String {
    let rest = value.utf8.drop(while: isBlank)
    return rest.lastIndex { !isBlank($0) }.map { String(Substring(rest[...$0])) } ?? ""
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  /// Whether a byte may stand in a field's name (RFC 9110, 5.6.2).
  static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"):
      true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
  }

  /// Whether the parser stops after this request, as it would for another protocol.
  static func isSwitching(_ head: HTTPRequestHead) -> Bool {
    if head.method == .CONNECT { return true }
    return head.headers.contains(name: "upgrade") && head.headers.lists("upgrade", in: "connection")
  }

  /// Whether the head announces a body beyond the bound. A body in chunks is measured as it comes.
  static func hasTooLargeBody(_ head: HTTPRequestHead) -> Bool {
    guard let length = head.headers.first(name: "content-length") else { return false }
    return (Int(length) ?? .max) > GatewayLimits.bodyBytes
  }

  /// Whether the client waits for `100 Continue` before it sends the body. HTTP/1.0 has none (RFC 9110, 10.1.1).
  static func expectsContinue(_ head: HTTPRequestHead) -> Bool {
    head.version.minor >= 1 && head.headers.lists("100-continue", in: "expect")
  }
}

extension HTTPHeaders {
  /// Whether the fields of this name list an element (RFC 9110, 5.6.1), in whatever case.
  func lists(_ element: String, in name: String) -> Bool {
    guard let first = first(name: name) else { return false }
    // Most often it is the only one.
    return Self.isSame(first, element) || self[canonicalForm: name].contains { Self.isSame($0, element) }
  }

  private static func isSame(_ text: some StringProtocol, _ lowercase: String) -> Bool {
    text.utf8.count == lowercase.utf8.count
      && zip(text.utf8, lowercase.utf8).allSatisfy { $0 == $1 || (0x41...0x5a ~= $0 && $0 | 0x20 == $1) }
  }
}
