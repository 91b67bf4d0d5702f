import NIOHTTP1
import NotifyCore

/// Finds the credential of a connect: the first one present is the only one tried.
enum CredentialReader {
  /// The subprotocol that is answered where the client offers it.
  static let subprotocol = "notify-bridge.v1"

  /// Reads in the order of `Documentation/protocol.md`, "Endpoint": `Authorization`, subprotocol, query, cookie.
  static func read(_ headers: HTTPHeaders, _ target: RequestTarget) -> Credential? {
    if let header = headers.first(name: "authorization") {
      let parts = header.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
      let value = Secret(parts.count == 2 ? String(parts[1].drop { $0 == " " }) : "")
      switch parts.first?.lowercased() {
      case "bearer": return .bearer(value)
      case "token": return .token(value)
      // Basic credentials are a proxy's.
      default: break
      }
    }
    for offered in protocols(headers) where offered.hasPrefix("bearer.") {
      return .subprotocol(Secret(String(offered.dropFirst(7))))
    }
    if let token = target.parameter("token") { return .any(Secret(token)) }
    let cookies = headers["cookie"].joined(separator: "; ")
    return cookies.isEmpty ? nil : .cookie(Secret(cookies))
  }

  /// The subprotocols that the client offers.
  static func protocols(_ headers: HTTPHeaders) -> [Substring] {
    headers[canonicalForm: "sec-websocket-protocol"]
  }
}
