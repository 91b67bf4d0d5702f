/// The requests that the demo answers: its own page's only, since it gives out tokens and writes rows.
enum DemoRequestRules {
  /// Names by which a browser on this machine can mean this server.
  ///
  /// Another name that leads to 127.0.0.1 belongs to another site (DNS rebinding).
  private static let loopbackNames: Set = ["localhost", "127.0.0.1", "[::1]"]

  /// Why a request is refused; nil where it may go on.
  static func refusal(host: String?, origin: String?, isPost: Bool, contentType: String?) -> String? {
    guard let host, loopbackNames.contains(name(of: host).lowercased()) else {
      return "the demo answers to localhost and 127.0.0.1 only"
    }
    if let origin, origin != "http://\(host)", origin != "https://\(host)" {
      return "the demo answers to its own page only"
    }
    // A page of another origin can send this type after a preflight request only, which is refused.
    if isPost, contentType?.lowercased().hasPrefix("application/json") != true {
      return "the Content-Type must be application/json"
    }
    return nil
  }

  /// A Host header without its port.
  private static func name(of host: String) -> String {
    if host.hasPrefix("["), let end = host.firstIndex(of: "]") { return String(host[...end]) }
    return String(host.prefix { $0 != ":" })
  }
}
