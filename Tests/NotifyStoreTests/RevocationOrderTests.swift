import CoreMetrics
import NotifyCore
import Synchronization
import TestSupport
import Testing

@testable import NotifyStore

@Suite("A replay and revocations", .timeLimit(.minutes(2)))
struct RevocationOrderTests {
  /// Holds the first batch with rows until the test lets it go, and with it all deltas after it.
  final class HeldSink: DeliverySink {
    let revoked = Mutex<[Revocation]>([])
    let held: AsyncStream<CheckedContinuation<Void, Never>>
    private let continuation: AsyncStream<CheckedContinuation<Void, Never>>.Continuation

    init() { (held, continuation) = AsyncStream.makeStream() }

    func deliver(_ batch: DeliveryBatch) async {
      if batch.frames.isEmpty { return }
      await withCheckedContinuation { _ = continuation.yield($0) }
    }
    func revoke(_ revocations: [Revocation]) { revoked.withLock { $0 += revocations } }
    func reconnected(generation: UInt64, durable: UInt64) {}
    func tablesReturned(_ tables: [Int32]) {}
    func epochChanged(to epoch: Epoch, generation: UInt64) {}
  }

  @Test("A replay passes on the revocations that it saw before its rows, although the delta fetcher is behind")
  func order() async throws {
    let cluster = try TestCluster()
    let url = try cluster.database("order_of_revocations")
    let store = Store(
      settings: StoreSettings(url: url, version: "test", retentionDays: 0), limits: Limits(), status: BridgeStatus(),
      metrics: BridgeMetrics(factory: NOOPMetricsHandler.instance),
      logger: .silent)
    let sink = HeldSink()
    let fetcher = try DeltaFetcher(store, sink: sink)
    let replays = try ReplayReader(store)
    let connection = try PGConnection.connect(url: url, applicationName: "test", timeout: .seconds(10))
    try connection.useSearchPathOfRole()
    let page = { (user: Int64) in
      await withCheckedContinuation { continuation in
        replays.replay(
          ReplayRequest(user: UserID(user), wanted: .connecting(since: nil), cancellation: ReplayCancellation())
        ) {
          // Revocations passed on before the page.
          continuation.resume(returning: (page: $0, revoked: sink.revoked.withLock { $0 }))
        }
      }
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await fetcher.run() }
      group.addTask { try await replays.run() }
      _ = await page(1)
      _ = try connection.insert(user: "2", data: "{}")
      var held = sink.held.makeAsyncIterator()
      let first = await held.next()
      try connection.query(
        "INSERT INTO notify_bridge.revocation (user_id, kind, reason) VALUES ('1', 'user', 'revoked')")
      _ = try connection.insert(user: "1", data: "{}")
      let answer = await page(1)
      #expect(answer.page.batch.frames.count == 1)
      #expect(answer.revoked.map(\.user) == [UserID(1)])
      first?.resume()
      await held.next()?.resume()
      group.cancelAll()
    }
  }
}
