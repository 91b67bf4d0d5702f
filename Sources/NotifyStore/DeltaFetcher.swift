internal import Foundation
internal import Logging
internal import Metrics
package import NotifyCore
internal import ServiceLifecycle
internal import Synchronization

/// Listens for the doorbell, reads what each delta adds, and hands it to the sink.
///
/// One connection, LISTENing first and fetching on the same session, on a thread of its own. It waits for a database that
/// is away and recognises another one behind the same address.
package actor DeltaFetcher: Service {
  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  private nonisolated let thread = DedicatedThread(name: "nb-listen")

  let context: StoreContext
  private let sink: any DeliverySink
  let worker: RetryingConnection
  nonisolated let signal: RetryingConnection.Signal
  private var reader: DeltaReader?
  /// Of one delta after the other.
  private var builder = BatchBuilder()
  var epoch: Epoch?
  var generation: UInt64 = 0
  private var replica: String?
  var hasServed = false
  /// When a delta was read last.
  var fetchedLast: ContinuousClock.Instant?
  private var listing: TableMapping.Listing?
  /// Other tables may be served by now.
  var mayList = false

  /// - Parameter sink: where rows go.
  package init(_ context: StoreContext, sink: any DeliverySink) throws {
    self.context = context
    self.sink = sink
    worker = try RetryingConnection("listen", context)
    signal = worker.signal
    context.sink.withLock { $0 = sink }
    context.fence.listener(worker.connection.waker)
  }

  /// Runs until graceful shutdown.
  ///
  /// - Throws: a `StoreError` that waiting can't mend, while the first connection has not been made: a wrong password, a
  ///   missing database, a missing or newer schema.
  package func run() async throws {
    try await withTaskCancellationOrGracefulShutdownHandler {
      try await loop()
    } onCancelOrGracefulShutdown: { [signal] in
      signal.stop()
    }
  }

  private func loop() async throws {
    defer { context.fence.end() }
    while !signal.isStopped {
      do {
        try await serve()
      } catch let error as StoreError {
        lost()
        if !error.isRetriable, !hasServed { throw error }
        context.status.databaseLost(error.loggable)
        worker.failed(error)
      }
    }
    unregister()
  }

  /// One connection, from LISTEN to its loss.
  private func serve() async throws {
    let url = context.settings.listenURL ?? context.settings.url
    try worker.connect(url)
    let connection = worker.connection
    let durable = context.fence.moment?.durable ?? 0
    let newEpoch = try identify()
    try Migrator(connection).verify()
    let hasNew = try readSources()
    if connection.isPooled { try hearThroughPooler(url) }
    try connection.listen("notify_bridge")
    let replica = try register()
    self.replica = replica

    // Away for so long, it may have missed revocations that are deleted by now: its clients come back and are looked up.
    let isLate = fetchedLast.map { .now - $0 > context.settings.revocationsKept } ?? false
    if let known = epoch, known == newEpoch, reader != nil, !hasNew, !isLate {
      generation += 1
      context.metrics.reconnects.increment()
      sink.reconnected(generation: generation, durable: durable)
      let armed = try touch(replica)
      context.fence.begin(
        GenerationFence.Generation(epoch: newEpoch, generation: generation, durable: armed), lost: durable)
    } else {
      try await adopt(newEpoch, replica)
    }
    try await fetchForEver(replica)
  }

  /// A history that this process has not followed so far: what is unsent in it comes by replay.
  func adopt(_ newEpoch: Epoch, _ replica: String) async throws {
    let repaired =
      try worker.connection.query(
        "SELECT notify_bridge.repair_txids()", timeout: Limits.scanTimeout)[0][0] ?? "0"
    if repaired != "0" {
      context.logger.warning(
        "rows of a restored dump had transaction ids from the future", metadata: [LogKey.rows: "\(repaired)"])
    }
    let durable = try touch(replica)
    let text = try worker.connection.query("SELECT pg_current_snapshot()::text")[0][0] ?? ""
    guard let start = Snapshot(text) else {
      throw StoreError(.badAnswer, message: "the server's snapshot can't be read")
    }
    context.forgetRows()
    reader = DeltaReader(start: start)
    if let epoch {
      generation += 1
      if epoch != newEpoch {
        context.logger.warning("the database is another one", metadata: [LogKey.epoch: "\(newEpoch)"])
      }
      sink.epochChanged(to: newEpoch, generation: generation)
    }
    epoch = newEpoch
    context.fence.begin(GenerationFence.Generation(epoch: newEpoch, generation: generation, durable: durable))
  }

  private func lost() {
    let durable = context.fence.moment?.durable ?? 0
    reader?.connectionLost(durable: durable)
    replica = nil
    context.handedOver.withLock { $0 = nil }
    context.fence.connectionLost()
  }

  // MARK: Fetching

  /// What a delta was read under, and what it held.
  struct Fetched {
    let snapshot: Snapshot
    var rows = 0
    var transactions = 0
  }

  /// Reads one delta and hands it over in batches.
  func fetch(rang: ContinuousClock.Instant?) async throws -> Fetched {
    guard let epoch, var reader = self.reader.take() else {
      throw StoreError(.badAnswer, message: "fetching without a snapshot")
    }
    // Taken out, as the builder below, or what it remembers would be copied.
    defer { self.reader = reader }
    let durable = context.fence.moment?.durable ?? 0
    reader.forget(upTo: durable)
    let base = reader.previous
    let connection = worker.connection
    try connection.delta(since: base, timeout: Limits.statementTimeout)
    guard case .snapshot(let snapshot) = try connection.next() else {
      throw StoreError(.badAnswer, message: "a delta without a snapshot")
    }
    reader.begin(snapshot)
    var builder = self.builder
    self.builder = BatchBuilder()
    defer { self.builder = builder }
    builder.restart(sources: context.status.served.current)
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
        context.metrics.rowsWithoutUser.increment()
        continue
      }
      if builder.isFull {
        await handOver(&builder, &reader, base: base, snapshot: snapshot, cursor: nil, rang: rang, durable: durable)
      }
      fetched.rows += 1
      if key.txid != transaction { fetched.transactions += 1 }
      transaction = key.txid
      builder.add(user: user, key: key, createdAt: createdAt, data: data)
    }
    revoke(&revocations)
    let cursor = Cursor(epoch: epoch, snapshot: snapshot, durable: durable).text
    await handOver(&builder, &reader, base: base, snapshot: snapshot, cursor: cursor, rang: rang, durable: durable)
    reader.finish()
    context.handedOver.withLock { $0 = snapshot }
    context.unsent.withLock { $0.deltaEnded(xmin: snapshot.xmin) }
    context.metrics.rowsFetched.increment(by: fetched.rows)
    return fetched
  }

  /// All revocations of a delta come before its rows: nothing is sent to whom they concern.
  private func revoke(_ revocations: inout [Revocation]) {
    if revocations.isEmpty { return }
    sink.revoke(revocations)
    revocations = []
  }

  private func handOver(
    _ builder: inout BatchBuilder, _ reader: inout DeltaReader, base: Snapshot, snapshot: Snapshot, cursor: String?,
    rang: ContinuousClock.Instant?, durable: UInt64
  ) async {
    context.status.heard(at: .now)
    // Counted before anybody can mark them.
    context.unsent.withLock { index in
      for (user, share) in zip(builder.users, builder.shares) {
        index.add(user, oldest: share.oldest, rows: share.rows)
      }
    }
    reader.routed(builder.keys, durable: durable)
    let batch = builder.finish(
      base: base, snapshot: snapshot, cursor: cursor, doorbell: rang, wanted: sink.present(builder.users))
    await sink.deliver(batch)
  }

  // MARK: The session's start

  /// Which history this database is in.
  ///
  /// - Throws: `standby`, which is tried again.
  private func identify() throws(StoreError) -> Epoch {
    let connection = worker.connection
    if try connection.query("SELECT pg_is_in_recovery()")[0][0] == "t" {
      throw StoreError(
        .standby, message: "this server is a standby, LISTEN and marking need the primary",
        hint: "Point DATABASE_URL at the primary, or name several hosts with target_session_attrs=read-write.",
        isRetriable: true)
    }
    let row = try connection.query(
      "SELECT system_identifier, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) FROM pg_control_system()")[0]
    guard let identifier = row[0].flatMap({ Int64($0) }), let timeline = row[1].flatMap({ UInt32($0, radix: 16) })
    else {
      throw StoreError(.badAnswer, message: "the cluster's identity can't be read")
    }
    return Epoch(systemIdentifier: UInt64(bitPattern: identifier), timeline: timeline)
  }

  /// Reads which tables are served.
  ///
  /// - Returns: whether there are some that were not served before: their unsent rows come by replay.
  /// - Throws: `schema` where there is none, and a server's error where this role may read none of them.
  func readSources() throws(StoreError) -> Bool {
    let isSuspicious = context.payloadFailed.exchange(false, ordering: .relaxed)
    let failing = self.listing?.failing ?? []
    let listing = try TableMapping.read(worker.connection) { isSuspicious || failing.contains($0) }
    if listing.isEmpty {
      throw StoreError(
        .schema, message: "no table is served: public.notification is missing or was not made by notify-bridge",
        hint: "To serve a table that is there: notify-bridge attach TABLE --recipient COLUMN")
    }
    if listing.served.isEmpty, !hasServed, let problem = listing.problems.first(where: { $0.contains("42501") }) {
      throw StoreError(
        .server, sqlstate: "42501", message: problem,
        hint: "As the tables' owner: SELECT notify_bridge.grant_to('this role')")
    }
    // Told when what was said to be served is.
    defer { context.status.tablesFailing(listing.problems) }
    guard listing != self.listing else { return false }
    for problem in listing.problems where self.listing?.problems.contains(problem) != true {
      context.logger.error("a table is not served", metadata: [LogKey.reason: "\(problem)"])
    }
    defer { self.listing = listing }
    guard listing.served != self.listing?.served || listing.list != self.listing?.list else { return false }
    let isNew = listing.served.contains { self.listing?.served.contains($0) != true }
    context.serve(listing)
    try worker.serve()
    return isNew
  }

  /// That a pooler hands notifications on: in transaction mode it takes LISTEN and delivers nothing.
  private func hearThroughPooler(_ url: Secret) throws(StoreError) {
    guard try !ListenProbe.hears(worker.connection, at: url) else { return }
    throw StoreError(
      .pooler, message: "LISTEN works through no pooler in transaction mode: no notification arrived",
      hint: "Set NOTIFY_BRIDGE_DATABASE_LISTEN_URL to the server itself; DATABASE_URL may stay the pooler's.")
  }

  private func register() throws(StoreError) -> String {
    let rows = try worker.connection.query(
      "SELECT notify_bridge.register_replica($1, $2, $3::integer, $4)",
      [
        context.settings.applicationName, hostName(), String(ProcessInfo.processInfo.processIdentifier),
        context.settings.version,
      ])
    guard let replica = rows[0][0] else { throw StoreError(.badAnswer, message: "no replica id") }
    try arm(replica, true)
    return replica
  }

  /// Says that this replica lives; the transaction is on disk then.
  func touch(_ replica: String) throws(StoreError) -> UInt64 {
    let rows = try worker.connection.query("SELECT notify_bridge.touch_replica($1::integer)::text", [replica])
    guard let transaction = rows[0][0].flatMap({ UInt64($0) }) else {
      throw StoreError(.badAnswer, message: "no transaction id")
    }
    return transaction
  }

  private func unregister() {
    guard let replica, worker.connection.isConnected else { return }
    _ = try? worker.connection.query(
      "SELECT notify_bridge.unregister_replica($1::integer)", [replica], timeout: .seconds(1))
    worker.connection.close()
  }

  /// This machine's name, without the look-up by DNS that Foundation makes.
  private func hostName() -> String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
