import NIOHTTP1
import NotifyCore
import Testing

@testable import NotifyGateway

@Suite("A request that could be read in two ways is refused, and its connection ended", .timeLimit(.minutes(1)))
struct SmugglingTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let request: String
    var status = 400
  }

  static let second = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"

  static let cases: [Case] = [
    Case(
      testDescription: "Content-Length and Transfer-Encoding",
      request: "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    Case(
      testDescription: "Transfer-Encoding and Content-Length",
      request: "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
    Case(
      testDescription: "two lengths",
      request: "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n"),
    Case(
      testDescription: "the same length twice",
      request: "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"),
    Case(testDescription: "a list of lengths", request: "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 0\r\n\r\n"),
    Case(testDescription: "a signed length", request: "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n"),
    Case(
      testDescription: "another coding",
      request: "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    Case(
      testDescription: "an unknown coding",
      request: "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n"),
    Case(
      testDescription: "chunked twice",
      request:
        "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    Case(testDescription: "a folded header", request: "GET /x HTTP/1.1\r\nHost: x\r\nA: b\r\n c: d\r\n\r\n"),
    Case(
      testDescription: "a space before the colon", request: "GET /x HTTP/1.1\r\nHost: x\r\nContent-Length : 0\r\n\r\n"),
    Case(testDescription: "bare line feeds", request: "GET /x HTTP/1.1\nHost: x\n\n"),
    Case(testDescription: "a bare line feed behind a header", request: "GET /x HTTP/1.1\r\nHost: x\nA: b\r\n\r\n"),
    Case(testDescription: "a bare carriage return", request: "GET /x HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n"),
    Case(testDescription: "no host", request: "GET /x HTTP/1.1\r\n\r\n"),
    Case(testDescription: "two hosts", request: "GET /x HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
    Case(testDescription: "a zero byte", request: "GET /x HTTP/1.1\r\nHost: x\r\nA: \u{0}\r\n\r\n"),
    Case(testDescription: "no HTTP", request: "hello\r\n\r\n"),
    Case(testDescription: "another version", request: "GET /x HTTP/2.0\r\nHost: x\r\n\r\n"),
    Case(
      testDescription: "an upgrade with a body",
      request: "GET /ws/notifications/ HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
        + "Content-Length: 3\r\n\r\nabc"),
    Case(
      testDescription: "headers that are too large",
      request: "GET /x HTTP/1.1\r\nHost: x\r\nA: \(String(repeating: "a", count: 20_000))\r\n\r\n", status: 431),
    Case(
      testDescription: "too many headers",
      request: "GET /x HTTP/1.1\r\nHost: x\r\n\(String(repeating: "A: b\r\n", count: 200))\r\n", status: 431),
    Case(
      testDescription: "a body that is too large",
      request: "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n\(String(repeating: "a", count: 70_000))",
      status: 413),
  ]

  @Test("An ambiguous request gets one response, and later input on its connection none", arguments: cases)
  func refuses(_ one: Case) async throws {
    try await RunningGateway.run { running in
      let client = try await running.client()
      try await client.send(one.request + Self.second)
      let response = try await client.response()
      #expect(response.status == one.status)
      #expect(response.headers["connection"] == ["close"])
      await #expect(throws: RawClient.Ended.self) { try await client.response() }
    }
  }

  /// Issues no ticket before the test lets it.
  private final class HeldIssuer: CredentialLookup {
    let asked: AsyncStream<CheckedContinuation<Void, Never>>
    private let continuation: AsyncStream<CheckedContinuation<Void, Never>>.Continuation

    init() { (asked, continuation) = AsyncStream.makeStream() }

    func lookUp(_ question: CredentialQuestion) async -> CredentialAnswer {
      await withCheckedContinuation { continuation.yield($0) }
      return .unavailable("away")
    }
  }

  @Test("An upgrade that waits behind a request of a peer that has gone takes nobody's place")
  func gone() async throws {
    let issuer = HeldIssuer()
    var limits = Limits()
    limits.connections = 1
    let settings = GatewaySettings(serviceKey: Secret("service"), limits: limits)
    try await RunningGateway.run(settings, lookup: issuer) { running in
      let client = try await running.client()
      try await client.send(
        "POST /tickets HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer service\r\nContent-Length: 14\r\n\r\n"
          + #"{"user_id":42}"# + "GET /ws/notifications/?token=user-7 HTTP/1.1\r\nHost: localhost\r\n"
          + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
          + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
      var asked = issuer.asked.makeAsyncIterator()
      let held = await asked.next()
      try await client.reset()
      // Each event loop has seen what came before, once it has answered a later request.
      for _ in 0..<4 { _ = try await running.client().request("GET /healthz") }
      held?.resume()
      for _ in 0..<20 { _ = try await running.client().request("GET /healthz") }
      _ = try await running.connected(user: 1)
    }
  }

  @Test("Requests that come together get their responses one after the other")
  func pipelining() async throws {
    try await RunningGateway.run { running in
      let client = try await running.client()
      try await client.send("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(try await client.response().status == 404)
      #expect(try await client.response().status == 200)
    }
  }

  @Test("Requests that come together are all answered, though the peer has ended its side behind them")
  func pipeliningBeforeEnd() async throws {
    try await RunningGateway.run { running in
      let client = try await running.client()
      try await client.send(String(repeating: "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", count: 8))
      try await client.endOutput()
      for _ in 0..<8 { #expect(try await client.response().status == 200) }
      await #expect(throws: RawClient.Ended.self) { try await client.response() }
    }
  }

  @Test("Of very many requests that come together the connection answers some, and ends")
  func muchPipelining() async throws {
    try await RunningGateway.run { running in
      let client = try await running.client()
      try await client.send(String(repeating: "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", count: 1_000))
      while true {
        let response = try await client.response()
        #expect(response.status == 200)
        if response.headers["connection"] == ["close"] { break }
      }
      await #expect(throws: RawClient.Ended.self) { try await client.response() }
    }
  }

  @Test("An upgrade that comes together with a request before it becomes a WebSocket that is read")
  func pipelinedUpgrade() async throws {
    try await RunningGateway.run { running in
      let client = try await running.client()
      let upgrade = ["GET /ws/notifications/?token=user-7 HTTP/1.1", "Host: x"] + RawClient.upgradeHeaders
      try await client.send(
        "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + upgrade.joined(separator: "\r\n") + "\r\n\r\n")
      #expect(try await client.response().status == 200)
      #expect(try await client.response().status == 101)
      #expect(try await client.frame().text.contains("connection_established"))
      try await client.say(#"{"type":"ping"}"#)
      #expect(try await client.frame().text.contains("heartbeat"))
    }
  }
}
