import Testing

@testable import NotifyDev

@Suite("The demo")
struct DemoRequestRulesTests {
  @Test("The demo answers its own page only")
  func requests() {
    func refused(_ host: String?, _ origin: String?, post: Bool = false, type: String? = nil) -> Bool {
      DemoRequestRules.refusal(host: host, origin: origin, isPost: post, contentType: type) != nil
    }
    #expect(!refused("localhost:8080", nil))
    #expect(!refused("[::1]:8080", "http://[::1]:8080", post: true, type: "application/json; charset=utf-8"))
    #expect(refused("evil.example:8080", nil))
    #expect(refused(nil, nil))
    #expect(refused("127.0.0.1:8080", "http://evil.example"))
    #expect(refused("127.0.0.1:8080", "http://127.0.0.1:9090"))
    #expect(refused("127.0.0.1:8080", "null"))
    #expect(refused("127.0.0.1:8080", nil, post: true, type: "text/plain"))
  }
}
