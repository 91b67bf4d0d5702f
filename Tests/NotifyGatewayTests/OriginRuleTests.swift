import NIOCore
import NIOHTTP1
import Testing

@testable import NotifyGateway

@Suite("Only pages and proxies that the operator allows are believed")
struct OriginRuleTests {
  struct Case: Sendable {
    let allowed: [String]?
    let origins: [String]
    let host: String?
    let isAllowed: Bool
    init(_ allowed: [String]?, _ origins: [String], _ host: String?, _ isAllowed: Bool) {
      self.allowed = allowed
      self.origins = origins
      self.host = host
      self.isAllowed = isAllowed
    }
  }

  static let cases: [Case] = [
    Case(nil, [], "a.example", true),
    Case(nil, ["https://a.example"], "a.example", true),
    Case(nil, ["https://A.example:8443"], "a.EXAMPLE:80", true),
    Case(nil, ["http://[::1]:3000"], "[::1]:8080", true),
    Case(nil, ["https://b.example"], "a.example", false),
    Case(nil, ["https://a.example.evil"], "a.example", false),
    Case(nil, ["https://evil-a.example"], "a.example", false),
    Case(nil, ["https://evil@a.example"], "a.example", false),
    Case(nil, ["https://a.example/"], "a.example", false),
    Case(nil, ["null"], "a.example", false),
    Case(nil, ["a.example"], "a.example", false),
    Case(nil, [""], "a.example", false),
    Case(nil, ["https://a.example"], nil, false),
    Case(nil, ["https://a.example", "https://a.example"], "a.example", false),
    Case(["https://a.example"], ["https://a.example"], "x", true),
    Case(["https://a.example"], ["https://a.example:443"], "x", true),
    Case(["https://a.example"], ["http://a.example"], "x", false),
    Case(["https://a.example"], ["https://a.example:8443"], "x", false),
    Case(["https://a.example:8443"], ["https://a.example:8443"], "x", true),
    Case(["a.example"], ["http://a.example:1234"], "x", true),
    Case(["https://*.a.example"], ["https://b.a.example"], "x", true),
    Case(["https://*.a.example"], ["https://c.b.a.example"], "x", false),
    Case(["https://*.a.example"], ["https://a.example"], "x", false),
    Case(["https://b.example", "https://a.example"], ["https://a.example"], "x", true),
    Case(["https://b.example"], ["https://x"], "x", false),
    Case(["https://b.example"], [], "x", true),
    Case(["null"], ["null"], "x", true),
    Case([], ["https://x"], "x", false),
    // U+0604 joins what follows it, U+0301 what stands before it, to one character of Swift.
    Case(["https://*.a.example"], ["https://c\u{604}.b.a.example"], "x", false),
    Case(["https://*.a.example"], ["https://evil/\u{301}.a.example"], "x", false),
    Case(["https://*.a.example"], ["https://evil@\u{301}.a.example"], "x", false),
  ]

  @Test("An origin is allowed or not", arguments: cases)
  func allows(_ one: Case) {
    #expect(OriginRule(one.allowed).allows(one.origins, host: one.host) == one.isAllowed)
  }

  @Test("Forwarding headers are believed from trusted proxies alone, read from the end")
  func remote() throws {
    let address = try RemoteAddress(trusting: ["10.0.0.0/8", "fd00::1"])
    let proxy = try SocketAddress(ipAddress: "10.1.2.3", port: 1)
    let stranger = try SocketAddress(ipAddress: "192.0.2.1", port: 1)
    #expect(address.of(peer: stranger, headers: ["X-Forwarded-For": "203.0.113.9"]) == "192.0.2.1")
    #expect(address.of(peer: proxy, headers: ["X-Forwarded-For": "203.0.113.9"]) == "203.0.113.9")
    #expect(address.of(peer: proxy, headers: ["X-Forwarded-For": "1.1.1.1, 203.0.113.9, 10.9.9.9"]) == "203.0.113.9")
    #expect(address.of(peer: proxy, headers: ["X-Forwarded-For": "nonsense"]) == "10.1.2.3")
    #expect(address.of(peer: proxy, headers: [:]) == "10.1.2.3")
    // What a client sends before the delimiter can't join it to one character of Swift.
    #expect(address.of(peer: proxy, headers: ["X-Forwarded-For": "\u{604}, 203.0.113.9"]) == "203.0.113.9")
  }

  @Test("A delimiter of Forwarded counts behind any letter, also one that joins it")
  func joinedDelimiters() throws {
    let address = try RemoteAddress(trusting: ["10.0.0.0/8"], header: "Forwarded")
    let proxy = try SocketAddress(ipAddress: "10.1.2.3", port: 1)
    let headers = ["for=x\u{604},for=203.0.113.9", "by=x\u{604};for=203.0.113.9"]
    for text in headers { #expect(address.of(peer: proxy, headers: ["Forwarded": text]) == "203.0.113.9") }
  }

  @Test("The one header that the proxies set is believed; another one may be the client's own")
  func oneHeader() throws {
    let proxy = try SocketAddress(ipAddress: "10.1.2.3", port: 1)
    let headers: HTTPHeaders = [
      "Forwarded": #"for=1.1.1.1, For="[2001:db8::1]:99";proto=https"#, "X-Forwarded-For": "203.0.113.9",
      "X-Real-IP": "203.0.113.10", "X-Client": "9.9.9.9",
    ]
    func address(_ header: String?) throws -> String {
      let proxies = ["10.0.0.0/8"]
      let rule = try header.map { try RemoteAddress(trusting: proxies, header: $0) } ?? RemoteAddress(trusting: proxies)
      return rule.of(peer: proxy, headers: headers)
    }
    #expect(try address(nil) == "203.0.113.9")
    #expect(try address("forwarded") == "2001:db8::1")
    #expect(try address("X-Real-IP") == "203.0.113.10")
    #expect(try address("CF-Connecting-IP") == "10.1.2.3")
    #expect(throws: GatewayError.self) { try address("X-Forwarded-For, Forwarded") }
    #expect(throws: GatewayError.self) { try address("") }
  }

  @Test(
    "A trusted proxy that can't be read is a configuration error", arguments: ["proxy.example", "10.0.0.0/33", "1.2.3"])
  func badProxy(_ text: String) {
    #expect(throws: GatewayError.self) { try RemoteAddress(trusting: [text]) }
  }
}
