import Dispatch
import Logging
import Metrics
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NotifyCore

@testable import NotifyGateway

/// Whole requests on a socket: NIO's parser, `HTTPHandler`, `HTTPStateMachine`, `RequestRules`, `Handshake`, and the
/// WebSocket behind an upgrade.
enum Head {
  static func run(_ input: Input) {
    var input = input
    let seed = input.choice()
    let whole = responses(to: [ByteBuffer(bytes: input.bytes)])
    let pieces = responses(to: input.pieces(seed))
    check(whole == pieces, "the responses do not depend on how the bytes come:\n\(whole)\n---\n\(pieces)")
    for line in whole.split(separator: "\r\n") where line.hasPrefix("HTTP/") {
      check(line.hasPrefix("HTTP/1.1 ") || line.hasPrefix("HTTP/1.0 "), "a response has a status")
    }
  }

  /// All bytes written, without the parts that differ from one time to the next.
  private static func responses(to pieces: [ByteBuffer]) -> String {
    let channel = EmbeddedChannel()
    defer {
      _ = try? channel.finish(acceptAlreadyClosed: true)
      check(dependencies.admission.open == 0, "a WebSocket that has ended is not counted")
    }
    do {
      try addHandlers(to: channel)
      for piece in pieces where channel.isActive { try channel.writeInbound(piece) }
    } catch {
      check(false, "the pipeline takes every input: \(error)")
    }
    var written = ByteBuffer()
    while let bytes = try? channel.readOutbound(as: ByteBuffer.self) { written.writeImmutableBuffer(bytes) }
    return String(decoding: written.readableBytesView, as: UTF8.self)
      .split(separator: "\r\n", omittingEmptySubsequences: false).filter { !$0.hasPrefix("Date: ") }
      .joined(separator: "\r\n")
  }

  private static let settings = GatewaySettings(
    trustedProxies: ["10.0.0.0/8"], origins: ["https://example.com"], firstMessage: true)
  private static let handshake = try? Handshake(settings)
  private static let dependencies: GatewayDependencies = {
    let dependencies = GatewayDependencies(
      settings: settings, authenticator: Nobody(), confirmations: NoRows(), replays: NoRows(), status: BridgeStatus(),
      metrics: BridgeMetrics(factory: NOOPMetricsHandler.instance),
      logger: Logger(label: "fuzz", factory: { _ in SwiftLogNoOpLogHandler() }))
    // The runner has ended and takes no task, so no credential is verified: what comes does not depend on other threads.
    let ended = DispatchSemaphore(value: 0)
    let running = Task.detached {
      await dependencies.tasks.run()
      ended.signal()
    }
    running.cancel()
    ended.wait()
    return dependencies
  }()

  private static func addHandlers(to channel: EmbeddedChannel) throws {
    guard let handshake else { return check(false, "the settings are right") }
    let hub = ClientHub(
      eventLoop: channel.eventLoop, set: LoopSet(loop: 0), dependencies: dependencies,
      users: UserRegistry(limit: 10), queuedBytes: QueueGauge(), lazyCursor: LazyCursor())
    let site = HTTPSite(
      handshake: handshake, routes: RouteTable([]), servesWebSocket: true, isSecure: false, handshakeTime: .seconds(10))
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderFieldSize = GatewayLimits.headerFieldBytes
    limits.maxHeaderListSize = GatewayLimits.headerBytes
    limits.maxHeaderFieldCount = GatewayLimits.headerFields
    let encoder = HTTPResponseEncoder()
    let decoder = ByteToMessageHandler(
      HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits))
    let handler = HTTPHandler(site: site, hub: hub, encoder: encoder, decoder: decoder)
    let pipeline = channel.pipeline.syncOperations
    try pipeline.addHandlers([encoder, decoder, handler])
    try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1)).wait()
  }

  private struct Nobody: Authenticator {
    func verify(_ credential: Credential) async -> Verdict { .rejected(.invalid, detail: "") }
  }

  private struct NoRows: ConfirmationSink, ReplaySource {
    func delivered(_ rows: [PendingMark]) {}
    func read(user: UserID, rows: [RowName]) {}
    func replay(_ request: ReplayRequest, _ answer: @escaping @Sendable (ReplayPage) -> Void) {}
  }
}
