import NIOCore
import NIOHTTP1

/// The address of a request's client: the peer's, or the one that trusted proxies report in the one header that they set.
///
/// Any other header may be the client's own, passed on.
struct RemoteAddress: Sendable {
  private let header: String
  private let trusted: [IPAddress.Network]
  private let trustsUnixSocket: Bool

  /// - Parameters:
  ///   - proxies: addresses, networks, and `unix:` for every process that can open the Unix socket.
  ///   - header: the name of the header that they set: `Forwarded` (RFC 7239), or one with addresses.
  /// - Throws: a configuration error that names the entry that can't be read.
  init(trusting proxies: [String], header: String = "X-Forwarded-For") throws(GatewayError) {
    guard !header.isEmpty, header.utf8.allSatisfy({ RequestRules.isTokenByte($0) }) else {
      throw .configuration(
        "\"\(header)\" in NOTIFY_BRIDGE_HTTP_FORWARDED_HEADER is no header's name: write for example X-Forwarded-For")
    }
    self.header = header.lowercased()
    var networks: [IPAddress.Network] = []
    for proxy in proxies where proxy != "unix:" {
      guard let network = IPAddress.Network(proxy) else {
        throw .configuration(
          "\"\(proxy)\" in NOTIFY_BRIDGE_HTTP_TRUSTED_PROXIES is neither an address nor a network: "
            + "write for example 10.0.0.1 or 10.0.0.0/8")
      }
      networks.append(network)
    }
    trusted = networks
    trustsUnixSocket = proxies.contains("unix:")
  }

  /// The client's address as text.
  ///
  /// Each proxy appends the address of its peer. So the list is read from its end, while the addresses are trusted.
  func of(peer: SocketAddress?, headers: HTTPHeaders) -> String {
    var current = peer?.ipAddress ?? "unix:"
    guard isTrusted(current) else { return current }
    for hop in hops(headers).reversed() {
      guard let address = Self.host(hop), IPAddress(address) != nil else { break }
      current = address
      if !isTrusted(current) { break }
    }
    return current
  }

  /// Whether the other end of a socket is a trusted proxy.
  func trusts(_ peer: SocketAddress?) -> Bool {
    trusted.isEmpty && !trustsUnixSocket ? false : isTrusted(peer?.ipAddress ?? "unix:")
  }

  private func isTrusted(_ text: String) -> Bool {
    if text == "unix:" { return trustsUnixSocket }
    guard !trusted.isEmpty, let address = IPAddress(text) else { return false }
    return trusted.contains { $0.contains(address) }
  }

  // The header is read byte by byte: a character of Swift may join a delimiter to the letter before it.

  private func hops(_ headers: HTTPHeaders) -> [Substring.UTF8View] {
    let hops = headers[header].flatMap { $0.utf8.split(separator: UInt8(ascii: ",")) }
    if header != "forwarded" { return hops }
    return hops.map { element in
      for pair in element.split(separator: UInt8(ascii: ";")) {
        let pair = Self.trimmed(pair)
        if Substring(pair.prefix(4)).lowercased() == "for=" { return pair.dropFirst(4) }
      }
      return ""[...].utf8
    }
  }

  /// Removes quotes, brackets and a port.
  private static func host(_ hop: Substring.UTF8View) -> String? {
    let quote = UInt8(ascii: "\"")
    var text = trimmed(hop)
    if text.count >= 2, text.first == quote, text.last == quote { text = text.dropFirst().dropLast() }
    if text.first == UInt8(ascii: "[") {
      return text.firstIndex(of: UInt8(ascii: "]")).map { String(Substring(text[..<$0].dropFirst())) }
    }
    let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    return String(Substring(parts.count == 2 ? parts[0] : text))
  }

  private static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
    let space = UInt8(ascii: " ")
    let tab = UInt8(ascii: "\t")
    var text = text
    while text.first == space || text.first == tab { text.removeFirst() }
    while text.last == space || text.last == tab { text.removeLast() }
    return text
  }
}
