import NIOCore
import NIOEmbedded
import NotifyCore
import TestSupport
import Testing

@testable import NotifyGateway

@Suite("Deadlines follow a clock that the test advances", .timeLimit(.minutes(1)))
struct TimeTests {
  /// One connection on a loop whose time stands still unless advanced.
  private struct Bench: Sendable {
    let loop = NIOAsyncTestingEventLoop()
    let channel: NIOAsyncTestingChannel
    let replays: TestReplays
    let hub: Hub
    private let dependencies: GatewayDependencies

    init(credential: Credential?, settings: GatewaySettings = GatewaySettings(), answers: Bool = true) {
      replays = TestReplays(answersItself: answers)
      let registry = PrometheusRegistry()
      dependencies = GatewayDependencies(
        settings: settings, authenticator: TestAuthenticator(), confirmations: TestConfirmations(), replays: replays,
        status: BridgeStatus(), metrics: BridgeMetrics(factory: registry),
        logger: .silent)
      channel = NIOAsyncTestingChannel(loop: loop)
      hub = Hub(eventLoops: [loop], dependencies: dependencies)
      offer = Handshake.Offer(
        key: "", remote: "192.0.2.1", credential: credential, since: nil, acknowledges: false, selectsSubprotocol: false
      )
    }

    private let offer: Handshake.Offer

    /// Runs `body` beside the work that the connection asks for.
    func run(_ body: @Sendable @escaping () async throws -> Void) async throws {
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { await dependencies.tasks.run() }
        tasks.addTask {
          _ = dependencies.admission.enter(address: offer.remote, second: 0)
          try await channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1)).get()
          try await loop.executeInContext {
            let connection = ClientConnection(offer: offer, hub: hub.members[0].loop.value)
            try channel.pipeline.syncOperations.addHandler(connection)
            connection.begin(refusal: nil)
          }
          try await body()
        }
        try await tasks.next()
        tasks.cancelAll()
      }
    }

    /// The next frames that were written, as text.
    func written() async throws -> String {
      String(buffer: try await channel.waitForOutboundWrite(as: ByteBuffer.self))
    }

    func advance(seconds: Int64) async { await loop.advanceTime(by: .seconds(seconds)) }
  }

  @Test("A credential that can't be looked up is held for ten seconds, then closed with 1013")
  func holdsCredential() async throws {
    let bench = Bench(credential: .any(Secret("away")))
    try await bench.run { () async throws in
      await bench.advance(seconds: 9)
      #expect(try await bench.channel.readOutbound(as: ByteBuffer.self) == nil)
      await bench.advance(seconds: 2)
      #expect(try await bench.written().contains("retry_ms="))
    }
  }

  @Test("A replay that doesn't come is held for ten seconds, then closed with 1013, and its request is cancelled")
  func holdsReplay() async throws {
    let bench = Bench(credential: .any(Secret("user-1")), answers: false)
    try await bench.run { () async throws in
      let asked = try #require(await bench.replays.next())
      await bench.advance(seconds: 11)
      #expect(try await bench.written().contains("retry_ms="))
      #expect(asked.request.cancellation.isCancelled)
      // A peer that doesn't answer the close frame is dropped.
      await bench.advance(seconds: 6)
      try await bench.channel.closeFuture.get()
    }
  }

  @Test("Without a first message the connect ends after ten seconds")
  func waitsForFirstMessage() async throws {
    let bench = Bench(credential: nil, settings: GatewaySettings(firstMessage: true))
    try await bench.run { () async throws in
      await bench.advance(seconds: 11)
      #expect(try await bench.written().hasSuffix("missing"))
    }
  }

  @Test("Heartbeats come regularly, with the newest cursor, and a mute peer is closed after two of them")
  func heartbeats() async throws {
    let bench = Bench(credential: .any(Secret("user-1")), settings: GatewaySettings(heartbeatSeconds: 30))
    try await bench.run { () async throws in
      #expect(try await bench.written().contains("connection_established"))
      await bench.hub.deliver(Rows.batch([], cursor: "c77"))
      await bench.advance(seconds: 31)
      let heartbeat = try await bench.written()
      #expect(heartbeat.contains(#""type":"heartbeat""#))
      #expect(heartbeat.contains(#""cursor":"c77""#))
      try await bench.channel.writeInbound(ByteBuffer(bytes: RawClient.masked(0x8a, [])))
      await bench.advance(seconds: 59)
      #expect(try await bench.written().contains("heartbeat"))
      await bench.advance(seconds: 3)
      var last = try await bench.written()
      if last.contains("heartbeat") { last = try await bench.written() }
      #expect(last.hasSuffix("no answer to ping"))
    }
  }

  @Test("A credential that has expired ends its connection with 4001")
  func expires() async throws {
    let bench = Bench(credential: .any(Secret("expiring-1")))
    try await bench.run { () async throws in
      #expect(try await bench.written().contains("connection_established"))
      await bench.advance(seconds: 1)
      #expect(try await bench.written().hasSuffix("expired"))
    }
  }
  @Test("A session that was prolonged goes on at its expiry, and another one ends")
  func renews() async throws {
    let prolonged = Bench(credential: .any(Secret("renewed-1")))
    try await prolonged.run { () async throws in
      #expect(try await prolonged.written().contains("connection_established"))
      await prolonged.advance(seconds: 31)
      #expect(try await prolonged.written().contains("heartbeat"))
    }
    let ended = Bench(credential: .any(Secret("ended-1")))
    try await ended.run { () async throws in
      #expect(try await ended.written().contains("connection_established"))
      await ended.advance(seconds: 1)
      #expect(try await ended.written().hasSuffix("expired"))
    }
  }
}
