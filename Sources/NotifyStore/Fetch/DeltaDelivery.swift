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
    /// Of a table that was left out before: the other tables' previous snapshot, up to which its rows are read.
    var limit: Snapshot?
    /// No table was delivered less far than this.
    var oldest: Snapshot
    var generation: GenerationFence.Generation
    let doorbell: ContinuousClock.Instant?
    var reader: DeltaReader
    var builder: BatchBuilder
    var fetched: Fetched
    /// Rows that can't be read, not set aside yet.
    var failed: [FailedRow] = []
    /// Rows are counted as unsent before they are read.
    var isCounted = false
    private var transaction: UInt64?

    init(
      reader: consuming DeltaReader, builder: consuming BatchBuilder, in generation: GenerationFence.Generation,
      doorbell: ContinuousClock.Instant?
    ) {
      base = reader.previous
      oldest = base
      fetched = Fetched(snapshot: base)
      self.generation = generation
      self.doorbell = doorbell
      self.reader = reader
      self.builder = builder
    }

    /// A statement's snapshot: rows follow.
    mutating func begin(_ snapshot: Snapshot, catalog: TableCatalog) {
      fetched.snapshot = limit ?? snapshot
      reader.begin(fetched.snapshot)
      builder.restart(catalog: catalog)
    }

    /// Whether a row is new.
    func accepts(_ key: RowKey) -> Bool {
      if let limit, !limit.sees(key.txid) { return false }
      return reader.accepts(key)
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

  let sink: any DeliverySink
  let unsent: UnsentRows
  private let progress: DeliveryProgress
  let status: BridgeStatus
  let metrics: BridgeMetrics
  let rowTimeout: Duration
  private let cursorsWithheld: Duration
  private var reader: DeltaReader?
  /// The snapshot of the last delta that was routed whole.
  private var previous: Snapshot?
  /// The tables that can't be read, and what was delivered of each.
  private var missing: [Int32: DeltaReader] = [:]
  private var missingTables: [Int32] = []
  private var missingSince: ContinuousClock.Instant?
  /// Serves one delta after the other, for its memory.
  private var builder = BatchBuilder()

  init(to sink: any DeliverySink, of store: Store) {
    self.sink = sink
    unsent = store.unsent
    progress = store.progress
    status = store.status
    metrics = store.metrics
    rowTimeout = store.settings.rowTimeout
    cursorsWithheld = store.settings.cursorsWithheld
  }

  /// Begins anew: nothing visible in `start` is delivered; what is unsent in it comes by replay.
  func restart(at start: Snapshot) {
    reader = DeltaReader(start: start)
    previous = start
    missing = [:]
    leaveOut(missingTables)
  }

  /// Tables can't be read, and are not served: their rows come by `catchUp`.
  ///
  /// - Parameter tables: the numbers of all such tables.
  func leaveOut(_ tables: [Int32]) {
    missingTables = tables
    missing = missing.filter { tables.contains($0.key) }
    if let previous {
      for table in tables where missing[table] == nil { missing[table] = DeltaReader(start: previous) }
    }
    if tables.isEmpty { missingSince = nil } else if missingSince == nil { missingSince = .now }
  }

  /// The connection was lost, maybe by a crash that hands ids above `durable` out again.
  func connectionLost(durable: UInt64) {
    reader?.connectionLost(durable: durable)
    previous = reader?.previous
    for table in missing.keys { missing[table]?.connectionLost(durable: durable) }
    progress.lastDelivered = nil
  }

  /// Reads one delta and delivers it.
  ///
  /// - Parameters:
  ///   - connection: one that serves the tables of `status.catalog`.
  ///   - doorbell: when the doorbell rang that led to this, where one did.
  ///   - survey: called where the statement for the whole delta failed: leaves out tables that can't be read, and returns
  ///     those that the connection serves then.
  ///   - betweenPages: called while a long delta is read, between statements; returns the current generation.
  func fetch(
    _ connection: PGConnection, in generation: GenerationFence.Generation,
    doorbell: ContinuousClock.Instant?, betweenPages: () throws -> GenerationFence.Generation,
    survey: (StoreError) throws -> [TableMapping]
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
    delta.oldest = oldest(delta.base)
    do {
      try await readWhole(&delta, connection)
    } catch let error as StoreError where error.concernsStatement && connection.isConnected {
      delta.reader.interrupted()
      let tables = try survey(error)
      delta.oldest = oldest(delta.base)
      try await readByKeys(&delta, connection, of: tables, betweenPages: betweenPages)
    }
    try connection.quarantine(delta.failed)
    let snapshot = delta.fetched.snapshot
    let cursor = Cursor(
      epoch: generation.epoch, snapshot: snapshot, durable: delta.generation.durable, omitted: missingTables
    ).text
    await deliverBatch(&delta, isEnd: true, cursor: withholdsCursors ? nil : cursor)
    delta.reader.finish()
    previous = delta.reader.previous
    progress.lastDelivered = snapshot
    unsent.withLock { $0.deltaEnded(xmin: snapshot.xmin) }
    metrics.rowsFetched.increment(by: delta.fetched.rows)
    return delta.fetched
  }

  /// Reads a delta by one statement.
  private func readWhole(_ delta: inout Delta, _ connection: PGConnection) async throws {
    try connection.delta(since: delta.base, timeout: Limits.deltaTimeout)
    guard case .snapshot(let snapshot, _) = try connection.next() else {
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
        guard delta.accepts(key) else { continue }
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
        if delta.accepts(key) { delta.failed.append(FailedRow(key: key, sqlstate: sqlstate)) }
      case .snapshot, .request, .unsent, .gone:
        throw StoreError(.badAnswer, message: "a delta with an item of another stream")
      }
    }
    revoke(&revocations)
  }

  /// Delivers the rows of a table that was left out, up to the other tables' previous snapshot.
  ///
  /// What was delivered does not come again where this fails and is called once more.
  ///
  /// - Parameter connection: one that serves this table alone.
  func catchUp(
    _ table: TableMapping, _ connection: PGConnection, in generation: GenerationFence.Generation,
    betweenPages: () throws -> GenerationFence.Generation
  ) async throws {
    guard let previous, let own = missing[table.number] else { return }
    var delta = Delta(reader: own, builder: BatchBuilder(), in: generation, doorbell: nil)
    delta.limit = previous
    delta.oldest = oldest(previous)
    defer { missing[table.number] = delta.reader }
    do {
      try await readByKeys(&delta, connection, of: [table], betweenPages: betweenPages)
      await deliverBatch(&delta, cursor: nil)
    } catch {
      delta.reader.interrupted()
      throw error
    }
    reader?.absorb(delta.reader)
    metrics.rowsFetched.increment(by: delta.fetched.rows)
  }

  /// Gives the sockets a cursor for the newest delta, which claims what is known to be on disk by now.
  func vouch(in generation: GenerationFence.Generation) async {
    guard let previous, !withholdsCursors else { return }
    let cursor = Cursor(
      epoch: generation.epoch, snapshot: previous, durable: generation.durable, omitted: missingTables
    ).text
    await sink.deliver(builder.finish(base: previous, snapshot: previous, isEnd: true, cursor: cursor))
  }

  /// The lowest of a snapshot and those up to which the rows of missing tables were delivered.
  private func oldest(_ snapshot: Snapshot) -> Snapshot {
    missing.values.reduce(snapshot) { $1.previous.xmin < $0.xmin ? $1.previous : $0 }
  }

  /// A cursor vouches for the rows of all tables. After a long time clients get one that names the tables it lacks: a table
  /// that is never repaired would have each of them read everything again whenever it connects.
  private var withholdsCursors: Bool {
    missingTables.count > Limits.cursorTables || missingSince.map { .now - $0 < cursorsWithheld } ?? false
  }

  /// All revocations of a delta come before its rows: no row is sent to a user without access.
  func revoke(_ revocations: inout [Revocation]) {
    if revocations.isEmpty { return }
    sink.revoke(revocations)
    revocations = []
  }

  /// Delivers the rows that were added.
  ///
  /// - Parameters:
  ///   - isEnd: whether it is the delta's last batch.
  ///   - cursor: of the delta's end, with its last batch.
  func deliverBatch(_ delta: inout Delta, isEnd: Bool = false, cursor: String?) async {
    status.databaseAnswered(at: .now)
    // Counted before any of them can be marked.
    if !delta.isCounted {
      unsent.withLock { index in
        for (user, share) in zip(delta.builder.users, delta.builder.shares) {
          index.add(user, oldest: share.oldest, rows: share.rows)
        }
      }
    }
    delta.reader.routed(delta.builder.keys, durable: delta.generation.durable)
    let batch = delta.builder.finish(
      base: delta.oldest, snapshot: delta.fetched.snapshot, isExact: missing.isEmpty && delta.reader.acceptsAll,
      isEnd: isEnd, cursor: cursor, doorbell: delta.doorbell, loops: sink.loops(of: delta.builder.users))
    await sink.deliver(batch)
  }
}
