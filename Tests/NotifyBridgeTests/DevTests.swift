import Testing

@testable import notify_bridge

@Suite("dev")
struct DevTests {
  private func find(_ folders: Set<String>, path: [String] = [], configured: String? = nil) -> String? {
    PostgreSQLBinaries.find(
      searchPath: path, configured: configured,
      roots: [("/usr/lib/postgresql", ["9.6", "13", "15", "14"], "/bin"), ("/opt", ["postgresql@17"], "/bin")],
      isExecutable: { program in folders.contains { program.hasPrefix($0 + "/") } })?.folder
  }

  @Test("finds PostgreSQL on the path, then by pg_config, then where packages put it, the newest first")
  func binaries() {
    let debian: Set = ["/usr/lib/postgresql/14/bin", "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/13/bin"]
    #expect(find(debian) == "/usr/lib/postgresql/15/bin")
    #expect(find(debian.union(["/a"]), path: ["/b", "/a"]) == "/a")
    #expect(find(debian.union(["/c"]), configured: "/c") == "/c")
    #expect(find(["/opt/postgresql@17/bin"]) == "/opt/postgresql@17/bin")
    #expect(find(["/usr/lib/postgresql/13/bin"]) == nil)
    #expect(find([]) == nil)
  }

  @Test(
    "listens on loopback only",
    arguments: ["0.0.0.0", "::", "192.0.2.1", "example.com", "unix:/x", "127.0.0.1.example"])
  func foreign(host: String) throws {
    let settings = try resolve(flags: ["http.host": host])
    #expect(throws: ConfigurationError.self) { try DevCommand.requireLoopback(settings) }
  }

  @Test("takes loopback by any of its names", arguments: ["127.0.0.1", "127.0.0.2", "::1", "[::1]", "localhost"])
  func loopback(host: String) throws { try DevCommand.requireLoopback(resolve(flags: ["http.host": host])) }

  @Test("answers to its own page only")
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

@Suite("listen")
struct ReconnectPlanTests {
  @Test("gives up where trying again would change nothing, and else waits as it is told")
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

  @Test("ends at once where nobody answers the first time")
  func firstTime() {
    var plan = ReconnectPlan(canRenew: false)
    #expect(plan.ended(.unreachable("x"), chance: 0) == .giveUp("no bridge answers: x"))
  }

  @Test("finds the bridge by URL or by settings")
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
