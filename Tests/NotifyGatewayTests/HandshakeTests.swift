import NIOHTTP1
import NotifyCore
import Testing

@testable import NotifyGateway

@Suite("A request becomes a WebSocket or gets the status of its fault", .timeLimit(.minutes(1)))
struct HandshakeTests {
  @Test("Requests without an upgrade get their status")
  func statuses() async throws {
    try await RunningGateway.run { running in
      let client = try await running.client()
      let expected: [(String, Int)] = [
        ("GET /healthz", 200), ("HEAD /healthz", 200), ("POST /healthz", 405), ("GET /readyz", 503),
        ("GET /metrics", 200), ("DELETE /metrics", 405), ("GET /nowhere", 404), ("GET /ws/notifications/", 426),
        ("GET /ws/notifications?token=x", 426), ("POST /ws/notifications/", 405), ("GET /ws/notifications/x", 404),
      ]
      for (line, status) in expected {
        let response = try await client.request(line)
        #expect(response.status == status, "\(line)")
      }
      let refused = try await client.request("GET /ws/notifications/")
      #expect(refused.headers["upgrade"] == ["websocket"])
    }
  }

  @Test("Readiness names the failing parts and tables, and no reasons")
  func readiness() async throws {
    try await RunningGateway.run { running in
      let client = try await running.client()
      let missing = try await client.request("GET /readyz")
      #expect(
        missing.body == #"{"status":"unavailable","failing":[{"part":"database"},{"part":"listening"}]}"#)
      running.status.listening(at: .now)
      running.status.tablesFailing([BridgeStatus.TableProblem(table: "public.a", reason: "column b is missing")])
      let table = try await client.request("GET /readyz")
      #expect(table.body == #"{"status":"unavailable","failing":[{"part":"table","table":"public.a"}]}"#)
      running.status.tablesFailing([])
      running.status.quarantined = [BridgeStatus.QuarantinedTable(table: "public.a", stage: "mark")]
      let quarantined = try await client.request("GET /readyz")
      #expect(quarantined.status == 200)
      #expect(quarantined.body == #"{"status":"ok","quarantined":[{"table":"public.a","stage":"mark"}]}"#)
      running.status.quarantined = []
      let ready = try await client.request("GET /readyz")
      #expect(ready.status == 200)
      #expect(ready.body == #"{"status":"ok"}"#)
    }
  }

  struct Upgrade: CustomTestStringConvertible, Sendable {
    let testDescription: String
    var uri = "/ws/notifications/?token=user-7"
    let headers: [String]
    let status: Int
  }

  static let upgrades: [Upgrade] = [
    Upgrade(testDescription: "all is well", headers: RawClient.upgradeHeaders, status: 101),
    Upgrade(
      testDescription: "without the last slash", uri: "/ws/notifications?token=user-7",
      headers: RawClient.upgradeHeaders,
      status: 101),
    Upgrade(testDescription: "another path", uri: "/chat", headers: RawClient.upgradeHeaders, status: 404),
    Upgrade(testDescription: "a health path", uri: "/healthz", headers: RawClient.upgradeHeaders, status: 404),
    Upgrade(
      testDescription: "another version",
      headers: RawClient.upgradeHeaders.map { $0.replacing("Version: 13", with: "Version: 8") }, status: 426),
    Upgrade(
      testDescription: "no key", headers: RawClient.upgradeHeaders.filter { !$0.contains("Key") }, status: 400),
    Upgrade(
      testDescription: "a short key",
      headers: RawClient.upgradeHeaders.filter { !$0.contains("Key") } + [
        "Sec-WebSocket-Key: c2hvcnQ="
      ], status: 400),
    Upgrade(
      testDescription: "no Connection", headers: RawClient.upgradeHeaders.filter { !$0.contains("Connection") },
      status: 426),
    Upgrade(
      testDescription: "Connection with more in it",
      headers: RawClient.upgradeHeaders.map { $0.replacing(": Upgrade", with: ": keep-alive, upgrade") }, status: 101),
    Upgrade(
      testDescription: "the own origin", headers: RawClient.upgradeHeaders + ["Origin: http://localhost:3000"],
      status: 101),
    Upgrade(
      testDescription: "a foreign origin", headers: RawClient.upgradeHeaders + ["Origin: http://evil.example"],
      status: 403),
  ]

  @Test("Upgrades get their status", arguments: upgrades)
  func upgrade(_ upgrade: Upgrade) async throws {
    try await RunningGateway.run { running in
      let response = try await running.client().request("GET \(upgrade.uri)", upgrade.headers)
      #expect(response.status == upgrade.status)
      if upgrade.status == 101 {
        // RFC 6455, 1.3: the example's key has this answer.
        #expect(response.headers["sec-websocket-accept"] == ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="])
      }
    }
  }

  @Test("A later request of a kept-alive connection can become a WebSocket")
  func laterRequest() async throws {
    try await RunningGateway.run { running in
      let client = try await running.client()
      _ = try await client.request("GET /healthz")
      #expect(try await client.upgrade("/ws/notifications/?token=user-7").status == 101)
      #expect(try await client.frame().text.hasPrefix(#"{"type":"connection_established","user_id":7,"#))
    }
  }

  @Test("Blanks around a field's value are not part of it, whatever the field")
  func blanks() async throws {
    let values = [
      ("Host", "localhost"), ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
      ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Origin", "http://localhost"),
      ("Authorization", "Bearer user-9"), ("Sec-WebSocket-Extensions", "permessage-deflate"),
    ]
    try await RunningGateway.run { running in
      for (before, after) in [("", " "), ("\t ", "\t"), (" ", " \t ")] {
        let client = try await running.client()
        let fields = values.map { "\($0):\(before)\($1)\(after)" }
        try await client.send((["GET /ws/notifications/ HTTP/1.1"] + fields + ["", ""]).joined(separator: "\r\n"))
        let response = try await client.response()
        #expect(response.status == 101)
        #expect(!response.headers["sec-websocket-extensions"].isEmpty)
        #expect(try await client.frame().text.contains(#""user_id":9,"#))
      }
    }
  }

  @Test("A frame that comes right behind the request is read")
  func frameBehindRequest() async throws {
    try await RunningGateway.run { running in
      let client = try await running.client()
      let head = ["GET /ws/notifications/?token=user-7 HTTP/1.1", "Host: localhost"] + RawClient.upgradeHeaders
      let frame = RawClient.masked(0x81, Array(#"{"type":"ping"}"#.utf8))
      try await client.send(bytes: Array((head.joined(separator: "\r\n") + "\r\n\r\n").utf8) + frame)
      #expect(try await client.response().status == 101)
      #expect(try await client.frame().text.contains("connection_established"))
      #expect(try await client.frame().text.contains("heartbeat"))
    }
  }

  @Test("The subprotocol is selected where it is offered, and carries a credential")
  func subprotocol() async throws {
    try await RunningGateway.run { running in
      let client = try await running.client()
      let response = try await client.upgrade(
        "/ws/notifications/", ["Sec-WebSocket-Protocol: notify-bridge.v1, bearer.user-9"])
      #expect(response.headers["sec-websocket-protocol"] == ["notify-bridge.v1"])
      #expect(try await client.frame().text.contains(#""user_id":9,"#))
    }
  }

  @Test("The first credential that is present is the only one tried")
  func credentials() {
    let all: [(HTTPHeaders, String, Credential?)] = [
      (["Authorization": "Bearer a", "Cookie": "s=c"], "/?token=q", .bearer(Secret("a"))),
      (["Authorization": "token  b"], "/", .token(Secret("b"))),
      (["Authorization": "Bearer"], "/?token=q", .bearer(Secret(""))),
      (["Authorization": "Basic x"], "/?token=q", .any(Secret("q"))),
      (
        ["Sec-WebSocket-Protocol": "notify-bridge.v1,bearer.p", "Cookie": "s=c"], "/?token=q", .subprotocol(Secret("p"))
      ),
      (["Cookie": "s=c"], "/?since=1&token=q%2Br%20s", .any(Secret("q+r s"))),
      (["Cookie": "s=c"], "/?token=", .any(Secret(""))),
      (["Cookie": "s=c"], "/", .cookie(Secret("s=c"))),
      ([:], "/?tokens=q", nil),
    ]
    for (headers, uri, expected) in all {
      #expect(CredentialReader.read(headers, RequestTarget(uri)) == expected)
    }
  }

  @Test("Refused connects are closed after the upgrade with the code and reason for it")
  func rejections() async throws {
    try await RunningGateway.run { running in
      for (token, reason) in [("invalid", "invalid"), ("expired", "expired"), ("revoked", "revoked")] {
        let client = try await running.client()
        #expect(try await client.upgrade("/ws/notifications/?token=\(token)").status == 101)
        let frame = try await client.frame()
        #expect(frame.code == 4001)
        #expect(frame.reason == reason)
        try await client.send(bytes: RawClient.masked(0x88, [0x0f, 0xa1]))
        try await client.ended()
      }
      let bare = try await running.client()
      #expect(try await bare.upgrade("/ws/notifications/").status == 101)
      #expect(try await bare.frame().reason == "missing")
    }
  }

  @Test("A first message may bring the credential where that is switched on")
  func firstMessage() async throws {
    try await RunningGateway.run(GatewaySettings(firstMessage: true)) { running in
      let client = try await running.client()
      _ = try await client.upgrade("/ws/notifications/")
      try await client.say(#"{"type":"authenticate","token":"user-5"}"#)
      #expect(try await client.frame().text.contains(#""user_id":5,"#))
      let other = try await running.client()
      _ = try await other.upgrade("/ws/notifications/")
      try await other.say(#"{"type":"ping"}"#)
      #expect(try await other.frame().code == 4001)
    }
  }

  @Test("Beyond the limits a connect gets 503, 4029, or takes the oldest one's place")
  func limits() async throws {
    var limits = Limits()
    limits.connections = 3
    limits.connectionsPerUser = 1
    try await RunningGateway.run(GatewaySettings(limits: limits)) { running in
      let first = try await running.connected(user: 1)
      let second = try await running.connected(user: 1)
      #expect(try await first.frame().code == 4009)
      let third = try await running.connected(user: 2)
      let fourth = try await running.client()
      #expect(try await fourth.upgrade("/ws/notifications/?token=user-3").status == 503)
      await second.close()
      await third.close()
    }
    limits = Limits()
    limits.connectionsPerAddress = 1
    try await RunningGateway.run(GatewaySettings(limits: limits)) { running in
      _ = try await running.connected(user: 1)
      let second = try await running.client()
      _ = try await second.upgrade("/ws/notifications/?token=user-2")
      #expect(try await second.frame().code == 4029)
    }
  }
}
