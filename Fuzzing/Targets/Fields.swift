import NIOHTTP1

@testable import NotifyGateway

/// Fields of a request: target, query, origin, offered extensions, credentials.
enum Fields {
  static func run(_ input: Input) {
    var input = input
    let kind = input.choice() % 4
    let text = input.text
    switch kind {
    case 0: target(text)
    case 1: origin(text)
    case 2: extensions(text)
    default: _ = CredentialReader.read(["Authorization": text, "Cookie": text], RequestTarget("/"))
    }
  }

  private static func target(_ text: String) {
    let target = RequestTarget(text)
    check(!target.path.contains("?"), "a path has no query")
    for name in ["since", "token", "ack", ""] { _ = target.parameter(name) }
    let encoded = text.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    check(
      RequestTarget("/?a=b&since=\(encoded)").parameter("since").map { Array($0.utf8) } == Array(text.utf8),
      "a parameter that is encoded and read is the same")
  }

  private static func origin(_ text: String) {
    let parts = text.split(separator: "\n", maxSplits: 1).map(String.init)
    let host = parts.count > 1 ? parts[1] : nil
    let own = OriginRule(nil)
    if own.allows([text], host: host) {
      check(text == "null" || text.contains("://"), "an origin has a scheme")
    }
    check(!own.allows([text, text], host: host), "two origins are none")
    check(!OriginRule([]).allows([text], host: host), "a list without origins allows none")
    check(own.allows([], host: host), "a program without an origin is allowed")
    if let origin = parts.first, OriginRule(["https://*.example.com"]).allows([origin], host: host) {
      let bytes = Array(origin.lowercased().utf8)
      check(bytes.starts(with: "https://".utf8), "the scheme is the pattern's")
      check(
        bytes.indices.contains { bytes[$0...].starts(with: ".example.com".utf8) }, "the host is the pattern's")
      check(bytes.count { $0 == UInt8(ascii: ".") } <= 3, "a star is one label")
    }
  }

  private static func extensions(_ text: String) {
    guard let offers = try? ExtensionOffer.read([text]) else { return }
    let written = offers.map { offer in
      ([offer.name] + offer.parameters.map { $0.name + ($0.value.map { "=\"\($0)\"" } ?? "") }).joined(separator: "; ")
    }
    check((try? ExtensionOffer.read([written.joined(separator: ", ")])) == offers, "offers in one field are the same")
    check((try? ExtensionOffer.read(written)) == offers, "offers in fields of their own are the same")
    guard let response = DeflateNegotiation.response(to: offers) else { return }
    check(offers.contains { $0.name == "permessage-deflate" }, "only what is offered is agreed on")
    let agreed = try? ExtensionOffer.read([response])
    check(agreed?.count == 1 && DeflateNegotiation.response(to: agreed ?? []) != nil, "the response can be read")
  }
}
