internal import Metrics
internal import NotifyCore

/// Reads deltas and delivers them to the sink in batches. Remembers what was routed, so that no row is delivered twice.
///
/// Used on the delta fetcher's thread only.
final class DeltaDelivery {
  /// The outcome of one delta.
  struct Fetched {
    let snapshot: Snapshot
    var rows = 0
    var transactions = 0
  }

  /// What all batches of a delta share.
  private struct Delta {
    let base: Snapshot
    let snapshot: Snapshot
    let doorbell: ContinuousClock.Instant?
    let durable: UInt64
  }

  private let sink: any DeliverySink
  private let unsent: UnsentRows
  private let progress: DeliveryProgress
  private let status: BridgeStatus
  private let metrics: BridgeMetrics
  private var reader: DeltaReader?
  /// Serves one delta after the other, for its memory.
  private var builder = BatchBuilder()

  init(to sink: any DeliverySink, of store: Store) {
    self.sink = sink
    unsent = store.unsent
    progress = store.progress
    status = store.status
    metrics = store.metrics
  }

  /// Begins anew: nothing visible in `start` is delivered; what is unsent in it comes by replay.
  func restart(at start: Snapshot) { reader = DeltaReader(start: start) }

  /// The connection was lost, maybe by a crash that hands ids above `durable` out again.
  func connectionLost(durable: UInt64) {
    reader?.connectionLost(durable: durable)
    progress.lastDelivered = nil
  }

  /// Reads one delta and delivers it.
  ///
  /// - Parameters:
  ///   - connection: one that serves the tables of `status.catalog`.
  ///   - doorbell: when the doorbell rang that led to this, where one did.
  func fetch(
    _ connection: PGConnection, in generation: GenerationFence.Generation, doorbell: ContinuousClock.Instant?
  ) async throws -> Fetched {
    // Taken out, as the builder below, because a second reference would have them copied.
    guard var reader = self.reader.take() else {
      throw StoreError(.badAnswer, message: "fetching without a snapshot")
    }
    defer { self.reader = reader }
    reader.forget(upTo: generation.durable)
    let base = reader.previous
    try connection.delta(since: base, timeout: Limits.statementTimeout)
    guard case .snapshot(let snapshot) = try connection.next() else {
      throw StoreError(.badAnswer, message: "a delta without a snapshot")
    }
    reader.begin(snapshot)
    var builder = self.builder
    self.builder = BatchBuilder()
    defer { self.builder = builder }
    builder.restart(catalog: status.catalog)
    let delta = Delta(base: base, snapshot: snapshot, doorbell: doorbell, durable: generation.durable)
    var revocations: [Revocation] = []
    var fetched = Fetched(snapshot: snapshot)
    var transaction: UInt64?
    while let item = try connection.next() {
      if case .revocation(let revocation) = item {
        if let revocation { revocations.append(revocation) }
        continue
      }
      guard case .row(_, let key, let user, let createdAt, let data) = item else { continue }
      revoke(&revocations)
      guard reader.accepts(key) else { continue }
      guard let user else {
        metrics.rowsWithoutUser.increment()
        continue
      }
      if builder.isFull { await deliverBatch(&builder, of: delta, cursor: nil, &reader) }
      fetched.rows += 1
      if key.txid != transaction { fetched.transactions += 1 }
      transaction = key.txid
      builder.add(user: user, key: key, createdAt: createdAt, data: data)
    }
    revoke(&revocations)
    let cursor = Cursor(epoch: generation.epoch, snapshot: snapshot, durable: generation.durable).text
    await deliverBatch(&builder, of: delta, cursor: cursor, &reader)
    reader.finish()
    progress.lastDelivered = snapshot
    unsent.withLock { $0.deltaEnded(xmin: snapshot.xmin) }
    metrics.rowsFetched.increment(by: fetched.rows)
    return fetched
  }

  /// All revocations of a delta come before its rows: no row is sent to a user without access.
  private func revoke(_ revocations: inout [Revocation]) {
    if revocations.isEmpty { return }
    sink.revoke(revocations)
    revocations = []
  }

  private func deliverBatch(
    _ builder: inout BatchBuilder, of delta: Delta, cursor: String?, _ reader: inout DeltaReader
  ) async {
    status.databaseAnswered(at: .now)
    // Counted before any of them can be marked.
    unsent.withLock { index in
      for (user, share) in zip(builder.users, builder.shares) {
        index.add(user, oldest: share.oldest, rows: share.rows)
      }
    }
    reader.routed(builder.keys, durable: delta.durable)
    let batch = builder.finish(
      base: delta.base, snapshot: delta.snapshot, cursor: cursor, doorbell: delta.doorbell,
      loops: sink.loops(of: builder.users))
    await sink.deliver(batch)
  }
}
