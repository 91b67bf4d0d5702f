import CMicroSupport
import Logging
import Metrics
import NIOCore
import NIOPosix
import NotifyCore
import NotifyGateway
import ServiceLifecycle

/// A running gateway with ports that do nothing, and so allocate nothing.
struct MicroGateway: Sendable {
  let sink: any DeliverySink
  let port: UInt16

  /// Runs a gateway, then `body`, then stops the gateway.
  @MainActor
  static func run<Value: Sendable>(
    _ body: @MainActor @escaping @Sendable (MicroGateway) async throws -> Value
  ) async throws -> Value {
    // No heartbeat falls into a measurement.
    var settings = GatewaySettings(port: 0, heartbeatSeconds: 86_400, drainSeconds: 1)
    settings.limits.connectionsPerUser = 2_000
    let status = BridgeStatus()
    status.catalog = Rows.oneTable
    let registry = PrometheusRegistry()
    let logger = Logger(label: "micro", factory: { _ in SwiftLogNoOpLogHandler() })
    let (urls, continuation) = AsyncStream<String>.makeStream()
    let gateway = Gateway(
      settings: settings, authenticator: Everybody(), confirmations: Confirmations(), replays: NothingMissed(),
      status: status, metrics: BridgeMetrics(factory: registry), registry: registry, logger: logger,
      onListening: { url in
        continuation.yield(url)
        continuation.finish()
      })
    let services = ServiceGroup(services: [gateway], logger: logger)
    async let served: Void = services.run()
    var port: UInt16?
    for await url in urls { port = url.split(separator: ":").last.flatMap { UInt16($0) } }
    guard let port else {
      try await served
      throw Failure(description: "the gateway did not start")
    }
    do {
      let value = try await body(MicroGateway(sink: gateway.sink, port: port))
      await services.triggerGracefulShutdown()
      try await served
      return value
    } catch {
      await services.triggerGracefulShutdown()
      throw error
    }
  }

  /// Opens a socket for each of these users.
  func connect(_ users: [Int64]) throws -> [Int32] {
    try users.map { user in
      let socket = micro_client_open(port, user)
      guard socket >= 0 else { throw Failure(description: "a client could not connect") }
      return socket
    }
  }

  /// Returns when every loop has done what it was asked to do before.
  func settle() async throws {
    for eventLoop in MultiThreadedEventLoopGroup.singleton.makeIterator() {
      // What is asked for in a turn is done in the next.
      for _ in 0..<3 { try await eventLoop.submit {}.get() }
    }
  }

  private struct Everybody: Authenticator {
    func verify(_ credential: Credential) async -> Verdict {
      guard let text = credential.text?.exposed, let user = UserID(text.dropFirst(5)) else {
        return .rejected(.invalid, detail: "micro benchmark")
      }
      return .accepted(Identity(user: user, expires: nil))
    }
  }

  private struct NothingMissed: ReplaySource {
    func replay(_ request: ReplayRequest, _ answer: @escaping @Sendable (ReplayPage) -> Void) {
      answer(
        ReplayPage(
          batch: DeliveryBatch(base: Snapshot(xmax: 100), snapshot: Snapshot(xmax: 100), cursor: "c100"),
          truncated: false, next: nil, epoch: CoreBenchmarks.epoch, generation: 0, durable: 99))
    }
  }

  private struct Confirmations: ConfirmationSink {
    func delivered(_ rows: [PendingMark]) { micro_confirmed(UInt64(rows.count)) }
    func read(user: UserID, rows: [RowName]) {}
  }
}
