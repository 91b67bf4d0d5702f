import Logging
import Metrics
import NotifyCore
import NotifyGateway
import ServiceLifecycle
import TestSupport
import Testing

/// A gateway on a free port, for the time of one test.
struct RunningGateway: Sendable {
  let port: Int
  let gateway: Gateway
  let replays: TestReplays
  let confirmations: TestConfirmations
  let status: BridgeStatus
  let registry: PrometheusRegistry
  private let group: ServiceGroup

  /// Runs a gateway, then `body`, then stops the gateway.
  static func run<Result: Sendable>(
    _ settings: GatewaySettings = GatewaySettings(), replays: TestReplays = TestReplays(),
    authenticator: any Authenticator = TestAuthenticator(), lookup: (any CredentialLookup)? = nil,
    routes: [Route] = [], logger: Logger = .silent,
    _ body: @Sendable @escaping (RunningGateway) async throws -> Result
  ) async throws -> Result {
    var settings = settings
    settings.port = 0
    // The tests' clients don't all answer the last close frame.
    settings.drainSeconds = 1
    let confirmations = TestConfirmations()
    let status = BridgeStatus()
    status.catalog = TableCatalog([
      .init(number: 1, name: "public.notification", recipientKind: .integer)
    ])
    let registry = PrometheusRegistry()
    let (urls, continuation) = AsyncStream<String>.makeStream()
    let gateway = Gateway(
      settings: settings, authenticator: authenticator, confirmations: confirmations, replays: replays,
      lookup: lookup, status: status, metrics: BridgeMetrics(factory: registry), registry: registry, logger: logger,
      routes: routes,
      onListening: { url in
        continuation.yield(url)
        continuation.finish()
      })
    let group = ServiceGroup(services: [gateway], logger: logger)
    return try await withThrowingTaskGroup(of: Result?.self) { tasks in
      tasks.addTask {
        defer { continuation.finish() }
        try await group.run()
        return nil
      }
      tasks.addTask {
        for await url in urls {
          let port = url.split(separator: ":").last.flatMap { Int($0) } ?? 0
          let running = RunningGateway(
            port: port, gateway: gateway, replays: replays, confirmations: confirmations, status: status,
            registry: registry, group: group)
          do {
            let result = try await body(running)
            await group.triggerGracefulShutdown()
            return result
          } catch {
            await group.triggerGracefulShutdown()
            throw error
          }
        }
        return nil
      }
      var result: Result?
      for try await finished in tasks { result = finished ?? result }
      guard let result else { throw NotStarted() }
      return result
    }
  }

  struct NotStarted: Error {}

  /// Begins the graceful shutdown.
  func stop() async { await group.triggerGracefulShutdown() }

  /// A raw connection.
  func client() async throws -> RawClient { try await RawClient.connect(port: port) }

  /// A WebSocket of a user that has had its `connection_established`.
  func connected(user: Int64 = 7, query: String = "", headers: [String] = []) async throws -> RawClient {
    let client = try await client()
    _ = try await client.upgrade("/ws/notifications/?token=user-\(user)\(query)", headers)
    _ = try await client.frame()
    return client
  }

  /// Delivers 200 rows of 200 KB to each of users 1 and 2, while 1 does not read and 2 gets every row.
  func deliverBigRows(slow: RawClient, quick: RawClient) async throws {
    try await slow.stopReading()
    let data = #"""# + String(repeating: "x", count: 200_000) + #"""#
    for id in 1...200 {
      let batch = Rows.batch([(1, [Int64(id)]), (2, [Int64(1_000 + id)])], txid: 200 + UInt64(id), data: data)
      await gateway.sink.deliver(batch)
      #expect(try await quick.frame().text.contains(#""id":\#(1_000 + id),"#))
    }
    try await slow.resumeReading()
  }
}
