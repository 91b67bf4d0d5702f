import NIOHTTP1
import NotifyCore

/// The requests that the console answers: those of its own page, with the key where one is needed. A value without I/O.
struct ConsoleRules: Sendable {
  /// The key that a request has to bring; nil on the admin port.
  let key: Secret?
  /// The host names under which the admin port may be addressed, beside addresses and names without a dot.
  let origins: OriginRule?

  /// Whether a request for a part of the page may go on: it has no data and needs no key.
  func checkPage(_ headers: HTTPHeaders) throws(ConsoleRefusal) {
    let host = headers.first(name: "host") ?? ""
    let given = headers["origin"]
    guard given.isEmpty || (given.count == 1 && Self.isOwn(given[0], host: host)) else {
      throw ConsoleRefusal(status: .forbidden, problem: "the console answers to its own page only")
    }
    // A name that leads to this address may be another site's (DNS rebinding). The key protects from it, too.
    if key == nil, !isTrusted(host: host) {
      throw ConsoleRefusal(
        status: .forbidden,
        problem: "open the console by an address, a name without a dot, or a host that NOTIFY_BRIDGE_AUTH_ORIGINS names"
      )
    }
  }

  /// Whether a request for data or for an action may go on.
  func check(_ headers: HTTPHeaders, isPost: Bool) throws(ConsoleRefusal) {
    try checkPage(headers)
    if let site = headers.first(name: "sec-fetch-site"), site != "same-origin", site != "none" {
      throw ConsoleRefusal(status: .forbidden, problem: "the console answers to its own page only")
    }
    if let key {
      guard let given = BearerKey.read(headers), key.matches(given) else {
        throw ConsoleRefusal(status: .unauthorized, problem: "the service key is missing or wrong")
      }
    }
    // A page of another origin can send this type after a preflight request only, which is refused.
    let type = headers.first(name: "content-type")?.lowercased() ?? ""
    if isPost, type.prefix(while: { $0 != ";" }).filter({ $0 != " " }) != "application/json" {
      throw ConsoleRefusal(status: .unsupportedMediaType, problem: "the Content-Type must be application/json")
    }
  }

  /// Whether an origin is the one that serves this request.
  private static func isOwn(_ origin: String, host: String) -> Bool {
    origin == "http://\(host)" || origin == "https://\(host)"
  }

  private func isTrusted(host: String) -> Bool {
    let name: Substring
    if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
      name = host[host.index(after: host.startIndex)..<end]
    } else {
      name = host.prefix { $0 != ":" }
    }
    if name.isEmpty { return false }
    if IPAddress(String(name)) != nil || !name.contains(".") { return true }
    return origins.map { $0.allows(["http://\(host)"], host: nil) || $0.allows(["https://\(host)"], host: nil) }
      ?? false
  }
}

/// Why a request of the console is refused.
struct ConsoleRefusal: Error, Equatable {
  let status: HTTPResponseStatus
  let problem: String
}
