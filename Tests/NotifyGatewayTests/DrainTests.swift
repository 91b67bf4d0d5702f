import Logging
import NotifyCore
import Synchronization
import TestSupport
import Testing

@testable import NotifyGateway

@Suite("A graceful shutdown closes every socket and then returns", .timeLimit(.minutes(1)))
struct DrainTests {
  @Test("Sockets are closed with 1012 and a delay, and run() returns when they are gone")
  func drains() async throws {
    try await RunningGateway.run { running in
      let clients = [try await running.connected(user: 1), try await running.connected(user: 2)]
      await running.stop()
      for client in clients {
        let frame = try await client.frame()
        #expect(frame.code == 1012)
        let delay = try #require(Int(frame.reason.trimmingPrefix("retry_ms=")))
        #expect((0...5_000).contains(delay))
        try await client.send(bytes: RawClient.masked(0x88, [0x03, 0xf4]))
        try await client.ended()
      }
      #expect(running.status.failing(at: .now).contains { $0.part == "draining" })
      await #expect(throws: (any Error).self) { try await running.client().request("GET /healthz") }
    }
  }

  @Test("Without sockets a shutdown returns at once, with mute peers after drainSeconds")
  func returnsInTime() async throws {
    let clock = ContinuousClock()
    let empty = try await clock.measure { try await RunningGateway.run(GatewaySettings(drainSeconds: 600)) { _ in } }
    #expect(empty < .seconds(300))
    let mute = try await clock.measure {
      try await RunningGateway.run(GatewaySettings(drainSeconds: 1)) { running in
        let client = try await running.connected()
        _ = client
      }
    }
    #expect(mute < .seconds(300))
  }

  @Test("A taken port, a bad certificate and a bad path have different errors that explain themselves")
  func startErrors() async throws {
    try await RunningGateway.run { running in
      let taken = await Self.startError(GatewaySettings(port: running.port))
      #expect(taken?.isConfiguration == false)
      #expect(taken?.description.contains("taken") == true)
    }
    let certificate = await Self.startError(
      GatewaySettings(port: 0, certificateFile: "/nonexistent.pem", keyFile: "/nonexistent.key"))
    #expect(certificate?.isConfiguration == true)
    #expect(certificate?.description.contains("/nonexistent.pem") == true)
    let half = await Self.startError(GatewaySettings(port: 0, certificateFile: "/nonexistent.pem"))
    #expect(half?.isConfiguration == true)
    let path = await Self.startError(GatewaySettings(port: 0, path: "ws"))
    #expect(path?.isConfiguration == true)
  }

  private static func startError(_ settings: GatewaySettings) async -> GatewayError? {
    let registry = PrometheusRegistry()
    let gateway = Gateway(
      settings: settings, authenticator: TestAuthenticator(), confirmations: TestConfirmations(),
      replays: TestReplays(), status: BridgeStatus(), metrics: BridgeMetrics(factory: registry), registry: registry,
      logger: .silent, onListening: { _ in })
    do {
      try await gateway.run()
      return nil
    } catch {
      return error as? GatewayError
    }
  }

  @Test("The log has connects, disconnects and rejections, and never a credential")
  func log() async throws {
    let lines = LogLines()
    try await RunningGateway.run(logger: Logger(label: "test", factory: { _ in lines })) { running in
      let client = try await running.connected(user: 42)
      try await client.send(bytes: RawClient.masked(0x88, [0x03, 0xe9]))
      try await client.ended()
      let refused = try await running.client()
      _ = try await refused.upgrade("/ws/notifications/?token=s3cret-token")
      _ = try await refused.frame()
      _ = try await running.client().upgrade("/ws/notifications/?token=s3cret-token", ["Origin: http://evil.example"])
    }
    let text = lines.text
    #expect(text.contains("info connected remote=127.0.0.1 user=42\n"))
    #expect(text.contains("closed_by=client code=1001"))
    #expect(text.contains("info connect rejected code=4001 detail=test reason=invalid remote=127.0.0.1\n"))
    #expect(text.contains("NOTIFY_BRIDGE_AUTH_ORIGINS"))
    #expect(text.contains("origin=http://evil.example"))
    #expect(!text.contains("s3cret"))
    #expect(!text.contains("user-42"))
  }
}

/// Keeps log lines.
private final class LogLines: LogHandler {
  private let lines = Mutex("")
  var text: String { lines.withLock { $0 } }
  var logLevel: Logger.Level {
    get { .trace }
    set {}
  }
  var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  subscript(metadataKey key: String) -> Logger.MetadataValue? {
    get { nil }
    set {}
  }

  func log(event: LogEvent) {
    let metadata = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
    lines.withLock { $0 += "\(event.level) \(event.message)\(metadata)\n" }
  }
}
