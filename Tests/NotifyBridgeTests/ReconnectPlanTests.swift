import Testing

@testable import notify_bridge

@Suite("listen")
struct ReconnectPlanTests {
  @Test("listen stops where another try would end the same way, and otherwise waits as the bridge requests")
  func steps() {
    var plan = ReconnectPlan(canRenew: true)
    #expect(plan.ended(.closed(code: 4_001, reason: "expired"), chance: 1) != .renew)
    plan.connected()
    #expect(plan.ended(.closed(code: 4_001, reason: "expired"), chance: 1) == .renew)
    #expect(plan.ended(.closed(code: 1_012, reason: "retry_ms=1500"), chance: 1) == .retry(after: 1.5))
    #expect(plan.ended(.unreachable("x"), chance: 1) == .retry(after: 0.5))
    #expect(plan.ended(.unreachable("x"), chance: 1) == .retry(after: 1))
    #expect(
      plan.ended(.closed(code: 4_001, reason: "invalid"), chance: 1)
        == .giveUp("the bridge closed the connection: 4001 invalid"))
  }

  @Test("listen ends at once if no bridge answers the first try")
  func firstTime() {
    var plan = ReconnectPlan(canRenew: false)
    #expect(plan.ended(.unreachable("x"), chance: 0) == .giveUp("no bridge answers: x"))
  }

  @Test("listen finds the bridge by URL or by settings")
  func addresses() throws {
    #expect(BridgeAddress(url: "wss://a.example/live", path: "/ws/")?.webSocket == "wss://a.example:443/live")
    #expect(BridgeAddress(url: "http://[::1]:9/", path: "/ws/")?.webSocket == "ws://[::1]:9/ws/")
    #expect(BridgeAddress(url: "nonsense", path: "/") == nil)
    #expect(
      try BridgeAddress(settings: resolve(flags: ["http.host": "0.0.0.0"]))?.http("/readyz")
        == "http://127.0.0.1:8080/readyz")
    #expect(try BridgeAddress(settings: resolve(flags: ["http.host": "unix:/x"])) == nil)
  }
}
