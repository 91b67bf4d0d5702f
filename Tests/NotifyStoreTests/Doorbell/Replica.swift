import Metrics
import MetricsTestKit
import NotifyCore
import Synchronization
import TestSupport

@testable import NotifyStore

/// A bridge that only listens, and remembers each row with the doorbell's state when it was first seen.
final class Replica: DeliverySink {
  struct Sighting {
    let key: RowKey
    let isQuiet: Bool
  }

  private struct State {
    var sightings: [Sighting] = []
    /// What the first delta started from, and what the last one saw.
    var first: Snapshot?
    var last: Snapshot?
    var awaited: (id: Int64, CheckedContinuation<Void, Never>)?
  }

  private let metrics = TestMetrics()
  private let state = Mutex(State())
  private let fetcher = Mutex<DeltaFetcher?>(nil)

  init(_ url: Secret, name: String, doorbell: DoorbellSettings) throws {
    let store = Store(
      settings: StoreSettings(
        url: url, applicationName: name, version: "test", retentionDays: 0, doorbell: doorbell),
      limits: Limits(), status: BridgeStatus(), metrics: BridgeMetrics(factory: metrics), logger: .silent)
    let fetcher = try DeltaFetcher(store, sink: self)
    self.fetcher.withLock { $0 = fetcher }
  }

  func run() async throws {
    try await fetcher.withLock { $0 }?.run()
    fetcher.withLock { $0 = nil }
  }

  /// How often it armed and disarmed.
  var changes: Int {
    Int((try? metrics.expectCounter("notify_bridge_doorbell_changes_total").totalValue) ?? 0)
  }

  var sightings: [Sighting] { state.withLock { $0.sightings } }

  /// Whether a committed transaction's rows must have been seen.
  func mustHaveSeen(_ txid: UInt64) -> Bool {
    state.withLock { state in
      guard let first = state.first, let last = state.last else { return false }
      return !first.sees(txid) && last.sees(txid)
    }
  }

  /// Waits until a row was seen.
  func see(_ id: Int64) async {
    await withCheckedContinuation { continuation in
      let isThere = state.withLock { state in
        if state.sightings.contains(where: { $0.key.id == id }) { return true }
        state.awaited = (id, continuation)
        return false
      }
      if isThere { continuation.resume() }
    }
  }

  // MARK: DeliverySink

  func deliver(_ batch: DeliveryBatch) async {
    // On the listener's thread: the state in which this delta was read.
    let quiet = try? metrics.expectRecorder("notify_bridge_doorbell_state", [("state", "quiet")])
    let isQuiet = quiet?.lastValue == 1
    state.withLock { state -> CheckedContinuation<Void, Never>? in
      state.first = state.first ?? batch.base
      if batch.cursor != nil { state.last = batch.snapshot }
      state.sightings += batch.frames.map { Sighting(key: $0.key, isQuiet: isQuiet) }
      guard let (id, continuation) = state.awaited, batch.frames.contains(where: { $0.key.id == id }) else {
        return nil
      }
      state.awaited = nil
      return continuation
    }?.resume()
  }

  func revoke(_ revocations: [Revocation]) {}
  func reconnected(generation: UInt64, durable: UInt64) {}
  func tablesReturned(_ tables: [Int32]) {}
  func epochChanged(to epoch: Epoch, generation: UInt64) {}
}
