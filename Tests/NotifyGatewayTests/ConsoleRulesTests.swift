import NIOHTTP1
import NotifyCore
import Testing

@testable import NotifyGateway

@Suite("Who may use the console")
struct ConsoleRulesTests {
  private static let main = ConsoleRules(key: Secret("the key"), origins: nil)
  private static let admin = ConsoleRules(key: nil, origins: OriginRule(["https://bridge.example.com"]))
  private static let withKey: HTTPHeaders = ["Host": "app.example.com", "Authorization": "Bearer the key"]

  /// The status of the refusal; nil where the request may go on.
  private static func status(_ rules: ConsoleRules, _ headers: HTTPHeaders, isPost: Bool = false) -> UInt? {
    do throws(ConsoleRefusal) {
      try rules.check(headers, isPost: isPost)
      return nil
    } catch {
      return error.status.code
    }
  }

  @Test("The key is needed, exactly and once")
  func key() {
    #expect(Self.status(Self.main, Self.withKey) == nil)
    #expect(Self.status(Self.main, ["Host": "app.example.com"]) == 401)
    for value in ["Bearer the kex", "Bearer", "Bearer ", "the key", "Basic the key", "Bearer the key "] {
      #expect(Self.status(Self.main, ["Host": "a", "Authorization": value]) == 401, "\(value)")
    }
    #expect(Self.status(Self.main, Self.withKey.adding("Authorization", "Bearer the key")) == 401)
  }

  @Test("The page itself needs no key")
  func page() throws {
    try Self.main.checkPage(["Host": "app.example.com"])
  }

  @Test("Another origin is refused, with the key too")
  func origins() {
    for origin in [
      "https://evil.example", "null", "http://app.example.com:81", "https://app.example.com.evil.example", "",
    ] {
      #expect(Self.status(Self.main, Self.withKey.adding("Origin", origin)) == 403, "\(origin)")
    }
    #expect(Self.status(Self.main, Self.withKey.adding("Origin", "https://app.example.com")) == nil)
    #expect(
      Self.status(
        Self.main, Self.withKey.adding("Origin", "https://app.example.com").adding("Origin", "https://app.example.com"))
        == 403)
    #expect(Self.status(Self.main, Self.withKey.adding("Sec-Fetch-Site", "cross-site")) == 403)
    #expect(Self.status(Self.main, Self.withKey.adding("Sec-Fetch-Site", "same-origin")) == nil)
  }

  @Test("The admin port answers to addresses, short names and the hosts of the allowed origins")
  func hosts() {
    for host in ["127.0.0.1:9090", "[::1]:9090", "10.0.0.1", "localhost:9090", "bridge", "bridge.example.com:443"] {
      #expect(Self.status(Self.admin, ["Host": host]) == nil, "\(host)")
    }
    for host in ["evil.example", "evil.example:9090", "", "[evil.example]", "127.0.0.1.evil.example", "localhost."] {
      #expect(Self.status(Self.admin, ["Host": host]) == 403, "\(host)")
    }
  }

  @Test("A body is JSON by its type")
  func types() {
    for type in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
      #expect(Self.status(Self.main, Self.withKey.adding("Content-Type", type), isPost: true) == nil, "\(type)")
    }
    for type in ["text/plain", "text/plain; application/json", "application/jsonx", ""] {
      #expect(Self.status(Self.main, Self.withKey.adding("Content-Type", type), isPost: true) == 415, "\(type)")
    }
    #expect(Self.status(Self.main, Self.withKey, isPost: true) == 415)
  }
}

extension HTTPHeaders {
  fileprivate func adding(_ name: String, _ value: String) -> HTTPHeaders {
    var headers = self
    headers.add(name: name, value: value)
    return headers
  }
}
