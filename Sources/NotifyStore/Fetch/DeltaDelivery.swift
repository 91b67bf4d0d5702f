internal import Metrics
internal import NotifyCore

/// Reads deltas and delivers them to the sink in batches. Remembers what was routed, so that no row is delivered twice.
///
/// Used on the delta fetcher's thread only.
final class DeltaDelivery {
  /// The outcome of one delta.
  struct Fetched {
    var snapshot: Snapshot
    var rows = 0
    var transactions = 0
  }

  /// A delta that is being read.
  struct Delta {
    let base: Snapshot
    var generation: GenerationFence.Generation
    let doorbell: ContinuousClock.Instant?
    var reader: DeltaReader
    var builder: BatchBuilder
    var fetched: Fetched
    /// Rows that can't be read, not set aside yet.
    var failed: [FailedRow] = []
    private var transaction: UInt64?

    init(
      reader: consuming DeltaReader, builder: consuming BatchBuilder, in generation: GenerationFence.Generation,
      doorbell: ContinuousClock.Instant?
    ) {
      base = reader.previous
      fetched = Fetched(snapshot: base)
      self.generation = generation
      self.doorbell = doorbell
      self.reader = reader
      self.builder = builder
    }

    /// A statement's snapshot: rows follow.
    mutating func begin(_ snapshot: Snapshot, catalog: TableCatalog) {
      fetched.snapshot = snapshot
      reader.begin(snapshot)
      builder.restart(catalog: catalog)
    }

    /// Adds a row, unless another of the same id and transaction came before it.
    mutating func add(
      _ key: RowKey, user: UserID, createdAt: Int64?, data: UnsafeRawBufferPointer
    ) {
      if (builder.keys.last ?? reader.lastRouted) == key {
        failed.append(.repeated(key))
        return
      }
      fetched.rows += 1
      if key.txid != transaction { fetched.transactions += 1 }
      transaction = key.txid
      builder.add(user: user, key: key, createdAt: createdAt, data: data)
    }
  }

  private let sink: any DeliverySink
  private let unsent: UnsentRows
  private let progress: DeliveryProgress
  let status: BridgeStatus
  let metrics: BridgeMetrics
  let rowTimeout: Duration
  private var reader: DeltaReader?
  /// Serves one delta after the other, for its memory.
  private var builder = BatchBuilder()

  init(to sink: any DeliverySink, of store: Store) {
    self.sink = sink
    unsent = store.unsent
    progress = store.progress
    status = store.status
    metrics = store.metrics
    rowTimeout = store.settings.rowTimeout
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
  ///   - tables: those that it serves.
  ///   - doorbell: when the doorbell rang that led to this, where one did.
  ///   - betweenPages: called while a long delta is read, between statements; returns the current generation.
  func fetch(
    _ connection: PGConnection, of tables: [TableMapping], in generation: GenerationFence.Generation,
    doorbell: ContinuousClock.Instant?, betweenPages: () throws -> GenerationFence.Generation
  ) async throws -> Fetched {
    // Taken out, as the builder, because a second reference would have them copied.
    guard let reader = self.reader.take() else {
      throw StoreError(.badAnswer, message: "fetching without a snapshot")
    }
    var delta = Delta(reader: consume reader, builder: builder, in: generation, doorbell: doorbell)
    builder = BatchBuilder()
    defer {
      self.reader = delta.reader
      builder = delta.builder
    }
    delta.reader.forget(upTo: generation.durable)
    do {
      try await readWhole(&delta, connection)
    } catch let error as StoreError where error.concernsStatement && connection.isConnected {
      delta.reader.interrupted()
      try await readByKeys(&delta, connection, of: tables, betweenPages: betweenPages)
    }
    try connection.quarantine(delta.failed)
    let snapshot = delta.fetched.snapshot
    let cursor = Cursor(epoch: generation.epoch, snapshot: snapshot, durable: delta.generation.durable).text
    await deliverBatch(&delta, cursor: cursor)
    delta.reader.finish()
    progress.lastDelivered = snapshot
    unsent.withLock { $0.deltaEnded(xmin: snapshot.xmin) }
    metrics.rowsFetched.increment(by: delta.fetched.rows)
    return delta.fetched
  }

  /// Reads a delta by one statement.
  private func readWhole(_ delta: inout Delta, _ connection: PGConnection) async throws {
    try connection.delta(since: delta.base, timeout: Limits.deltaTimeout)
    guard case .snapshot(let snapshot) = try connection.next() else {
      throw StoreError(.badAnswer, message: "a delta without a snapshot")
    }
    delta.begin(snapshot, catalog: status.catalog)
    var revocations: [Revocation] = []
    while let item = try connection.next() {
      switch item {
      case .revocation(let revocation):
        if let revocation { revocations.append(revocation) }
      case .row(_, let key, let user, let createdAt, let data):
        revoke(&revocations)
        guard delta.reader.accepts(key) else { continue }
        guard let user else {
          metrics.rowsWithoutUser.increment()
          continue
        }
        if delta.builder.isFull {
          await deliverBatch(&delta, cursor: nil)
          if delta.reader.remembered > Limits.deltaRows {
            try connection.cancelStream()
            throw StoreError(.timeout, message: "the delta is too long for one statement", isRetriable: true)
          }
        }
        delta.add(key, user: user, createdAt: createdAt, data: data)
      case .unreadable(_, let key, let sqlstate):
        revoke(&revocations)
        if delta.reader.accepts(key) { delta.failed.append(FailedRow(key: key, sqlstate: sqlstate)) }
      case .snapshot, .request, .unsent, .gone:
        throw StoreError(.badAnswer, message: "a delta with an item of another stream")
      }
    }
    revoke(&revocations)
  }

  /// All revocations of a delta come before its rows: no row is sent to a user without access.
  func revoke(_ revocations: inout [Revocation]) {
    if revocations.isEmpty { return }
    sink.revoke(revocations)
    revocations = []
  }

  /// Delivers the rows that were added.
  ///
  /// - Parameter cursor: the end of the delta, with its last batch.
  func deliverBatch(_ delta: inout Delta, cursor: String?) async {
    status.databaseAnswered(at: .now)
    // Counted before any of them can be marked.
    unsent.withLock { index in
      for (user, share) in zip(delta.builder.users, delta.builder.shares) {
        index.add(user, oldest: share.oldest, rows: share.rows)
      }
    }
    delta.reader.routed(delta.builder.keys, durable: delta.generation.durable)
    let batch = delta.builder.finish(
      base: delta.base, snapshot: delta.fetched.snapshot, cursor: cursor, doorbell: delta.doorbell,
      loops: sink.loops(of: delta.builder.users))
    await sink.deliver(batch)
  }
}
