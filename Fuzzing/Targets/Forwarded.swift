import NIOCore
import NIOHTTP1

@testable import NotifyGateway

/// The address that proxies report: `RemoteAddress`, `IPAddress`.
enum Forwarded {
  private static let network = IPAddress.Network("10.0.0.0/8")
  private static let proxy = try? SocketAddress(ipAddress: "10.0.0.1", port: 1)
  private static let stranger = try? SocketAddress(ipAddress: "192.0.2.1", port: 1)

  static func run(_ input: Input) {
    var input = input
    let name = input.choice() & 1 == 0 ? "X-Forwarded-For" : "Forwarded"
    guard let rule = try? RemoteAddress(trusting: ["10.0.0.0/8"], header: name) else {
      return check(false, "the settings are right")
    }
    let lines = input.text.split(separator: "\n").map(String.init)
    let headers = HTTPHeaders(lines.map { (name, $0) })
    check(rule.of(peer: stranger, headers: headers) == "192.0.2.1", "a stranger's headers count for nothing")
    let client = rule.of(peer: proxy, headers: headers)
    guard let found = IPAddress(client) else { return check(false, "the client has an address") }
    // What a client sends stands before what the proxies add.
    if network?.contains(found) == false {
      let forged = HTTPHeaders(
        [(name, name == "Forwarded" ? "for=203.0.113.9" : "203.0.113.9")] + lines.map { (name, $0) })
      check(rule.of(peer: proxy, headers: forged) == client, "a client can't choose its address")
    }
    // The nearest proxy adds to the last field.
    let address = name == "Forwarded" ? "for=203.0.113.9" : "203.0.113.9"
    let added = HTTPHeaders(lines.dropLast().map { (name, $0) } + [(name, (lines.last ?? "") + ", " + address)])
    check(rule.of(peer: proxy, headers: added) == "203.0.113.9", "what a proxy adds counts, whatever stands before it")
    if let network = IPAddress.Network(input.text), let address = IPAddress(input.text) {
      check(network.contains(address), "an address alone is a network of one")
    }
  }
}
