import Foundation
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NotifyCore
import Synchronization
import TestSupport
import Testing

@testable import NotifyGateway

@Suite("A connection keeps little of what its peer sends", .timeLimit(.minutes(1)))
struct HTTPHandlerTests {
  /// A connection without a socket, whose output can be ended alone, on a loop whose time the test advances.
  private struct Bench {
    private let loop = NIOAsyncTestingEventLoop()
    let channel: NIOAsyncTestingChannel

    init() async throws {
      let channel = NIOAsyncTestingChannel(loop: loop)
      self.channel = channel
      let settings = GatewaySettings()
      let dependencies = GatewayDependencies(
        settings: settings, authenticator: TestAuthenticator(), confirmations: TestConfirmations(),
        replays: TestReplays(), status: BridgeStatus(), metrics: BridgeMetrics(factory: PrometheusRegistry()),
        logger: .silent)
      let hub = Hub(eventLoops: [loop], dependencies: dependencies)
      let site = HTTPSite(
        handshake: try Handshake(settings), routes: RouteTable([]), servesWebSocket: true, isSecure: false,
        handshakeTime: .seconds(10))
      try await channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1)).get()
      try await loop.executeInContext {
        let encoder = HTTPResponseEncoder()
        let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes))
        let handler = HTTPHandler(site: site, hub: hub.members[0].loop.value, encoder: encoder, decoder: decoder)
        try channel.pipeline.syncOperations.addHandlers(HalfClosingSocket(), encoder, decoder, handler)
      }
    }

    /// Has each later read of the decoder counted.
    func recordReads() async throws -> Recorder {
      let recorder = Recorder()
      try await loop.executeInContext { [channel] in
        let pipeline = channel.pipeline.syncOperations
        let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
        try pipeline.addHandler(recorder, position: .before(decoder))
      }
      return recorder
    }

    /// The peer sends this.
    func send(_ text: String) async throws { try await channel.writeInbound(ByteBuffer(string: text)) }

    /// All that was written since the last call.
    func written() async throws -> String {
      var text = ""
      while let bytes = try await channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
      return text
    }

    /// The socket has room for output, or none.
    func setWritable(_ isWritable: Bool) async throws {
      try await loop.executeInContext { [channel] in
        channel.isWritable = isWritable
        channel.pipeline.fireChannelWritabilityChanged()
      }
    }

    func advance(by time: TimeAmount) async { await loop.advanceTime(by: time) }

    func close() async throws { _ = try await channel.finish(acceptAlreadyClosed: true) }
  }

  /// Stands in for the socket: the testing channel would close whole.
  private final class HalfClosingSocket: ChannelOutboundHandler, Sendable {
    typealias OutboundIn = ByteBuffer

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
      if mode == .output { promise?.succeed() } else { context.close(mode: mode, promise: promise) }
    }
  }

  private final class Recorder: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    let reads = Atomic<Int>(0)

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      reads.add(1, ordering: .relaxed)
      context.fireChannelRead(data)
    }
  }

  @Test(
    "After its last response it drops what still comes, before the decoder, and stays open for the peer to read",
    arguments: [
      ("GET /no HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", 404), ("no HTTP\r\n\r\n", 400),
      ("GET /no HTTP/2.0\r\nHost: x\r\n\r\n", 400), ("GET /no HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
      ("GET /no HTTP/1.1\r\nHost: x\r\nA: \(String(repeating: "a", count: 100_000))\r\n\r\n", 431),
    ])
  func dropsInput(request: String, status: Int) async throws {
    let bench = try await Bench()
    try await bench.send(request)
    #expect(try await bench.written().hasPrefix("HTTP/1.1 \(status) "))
    let recorder = try await bench.recordReads()
    for _ in 0..<4 { try await bench.send(String(repeating: "a", count: 60_000)) }
    #expect(recorder.reads.load(ordering: .relaxed) == 0)
    #expect(bench.channel.isActive)
    await bench.advance(by: GatewayLimits.lingering)
    #expect(!bench.channel.isActive)
    try await bench.close()
  }

  @Test("A request waits while the peer reads no response; in the end the connection is closed")
  func unread() async throws {
    let bench = try await Bench()
    func get(_ path: String) async throws -> String {
      try await bench.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
      return try await bench.written()
    }
    #expect(try await get("/no").hasPrefix("HTTP/1.1 404 "))
    try await bench.setWritable(false)
    #expect(try await get("/no").isEmpty)
    #expect(try await get("/no").isEmpty)
    try await bench.setWritable(true)
    #expect(try await bench.written().components(separatedBy: "HTTP/1.1 404 ").count == 3)
    try await bench.setWritable(false)
    await bench.advance(by: GatewayLimits.keepAlive)
    #expect(!bench.channel.isActive)
    try await bench.close()
  }

  @Test("A peer that sends requests and reads no responses has few of them answered, and all once it reads")
  func pipelining() async throws {
    let requests = 32
    let body = ByteBuffer(repeating: 0x61, count: 4 << 20)
    let counted = Counted()
    let route = Route(.GET, "/big") { _ in
      counted.number.add(1, ordering: .relaxed)
      return HTTPResponse(.ok, body: body)
    }
    try await RunningGateway.run(routes: [route]) { running in
      let client = try await running.client()
      try await client.stopReading()
      try await client.send(String(repeating: "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", count: requests))
      // Each event loop has done its work so far, once it has answered later requests.
      for _ in 0..<20 { _ = try await running.client().request("GET /healthz") }
      #expect((1..<requests).contains(counted.number.load(ordering: .relaxed)))
      try await client.resumeReading()
      for _ in 0..<requests { #expect(try await client.response().body.utf8.count == body.readableBytes) }
    }
  }

  private final class Counted: Sendable {
    let number = Atomic<Int>(0)
  }

  @Test("A peer that sends much after a refused request still reads the refusal")
  func refusalArrives() async throws {
    try await RunningGateway.run { running in
      let client = try await RawClient.connect(port: running.port, halfCloses: true)
      try await client.send("no HTTP\r\n\r\n")
      #expect(try await client.response().status == 400)
      let bytes = [UInt8](repeating: 0x61, count: 1 << 20)
      for _ in 0..<4 { try await client.send(bytes: bytes) }
      await client.close()
    }
  }
}
