internal import Logging
internal import Metrics
package import NotifyCore

/// Keeps the listening connection: waits for the doorbell, fetches each delta and has it delivered.
///
/// LISTEN comes first, and deltas are fetched on the same session. The fetcher waits for a database that is away, and
/// recognises another history behind the same address.
package actor DeltaFetcher: DatabaseService {
  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  package nonisolated let thread = DedicatedThread(name: "nb-listen")
  package nonisolated let signal: StopSignal
  let database: RetryingConnection
  let settings: StoreSettings
  let fence: GenerationFence
  let status: BridgeStatus
  let metrics: BridgeMetrics
  let logger: Logger
  let delivery: DeltaDelivery
  let sink: any DeliverySink
  private let unsent: UnsentRows
  private let purgeHorizon: PurgeHorizon
  private let served: ServedTables
  private let replica: ReplicaNumber
  private var tables: TableWatch
  var history = FollowedHistory()
  nonisolated let handover = Handover()
  /// Tables are served whose unsent rows no replay has read.
  private(set) var hasNewTables = false
  private var session: ListeningSession?

  /// - Parameter sink: takes rows and events of the database.
  package init(_ store: Store, sink: any DeliverySink) throws {
    database = try RetryingConnection(.listen, of: store)
    signal = database.signal
    settings = store.settings
    fence = store.fence
    status = store.status
    metrics = store.metrics
    logger = store.logger
    unsent = store.unsent
    purgeHorizon = store.purgeHorizon
    tables = TableWatch(status: store.status, logger: store.logger)
    served = store.tables
    replica = store.replica
    delivery = DeltaDelivery(to: sink, of: store)
    self.sink = sink
    store.progress.sink = sink
    fence.setWaker(database.connection.waker)
  }

  /// Ends fetching before the sockets are closed, so that a restart repeats nothing: what was delivered is marked, and every
  /// socket may have a cursor that vouches for all of it.
  ///
  /// Returns at once while the database is away, and after `Limits.handover` at the latest.
  package nonisolated func handOver(to marker: Marker) async {
    await wait(atMost: Limits.handover) { [self] in
      await handover.request(.stop) { signal.wake() }
      await sink.settled()
      await marker.settled()
      await handover.request(.vouch) { signal.wake() }
    }
  }

  /// Serves one session after the other.
  ///
  /// - Throws: before the first delta was fetched, a `StoreError` that is not retriable: a wrong password, a missing
  ///   database, a missing or newer schema.
  package func work() async throws {
    defer { fence.end() }
    while !signal.isStopped {
      do {
        try await serveSession()
      } catch let error as StoreError {
        lost()
        if !error.isRetriable, !history.hasFetched { throw error }
        status.databaseLost(error.loggable.description)
        database.failed(error)
      }
    }
    session?.end()
  }

  /// One session, from connecting to its loss.
  private func serveSession() async throws {
    let connection = database.connection
    let url = try database.connect()
    try connection.limitLockWaits()
    let lost = fence.current?.durable ?? 0
    let epoch = try ListeningSession.epoch(connection)
    try Migrator(connection).verify()
    try surveyTables()
    let session = try ListeningSession(connection, at: url, settings)
    self.session = session
    replica.current = session.replica
    if !hasNewTables, history.isContinued(by: epoch, at: .now, revocationsKept: settings.revocationsKept) {
      try resume(epoch, session, lost: lost)
    } else {
      try adopt(epoch, session)
    }
    try await fetch(session)
  }

  private func lost() {
    delivery.connectionLost(durable: fence.current?.durable ?? 0)
    session = nil
    fence.connectionLost()
  }

  /// The connection is back in the same history.
  ///
  /// - Parameter durable: the newest transaction known to be on disk when it was lost.
  private func resume(_ epoch: Epoch, _ session: ListeningSession, lost durable: UInt64) throws(StoreError) {
    let number = history.resume()
    metrics.reconnects.increment()
    sink.reconnected(generation: number, durable: durable)
    let generation = GenerationFence.Generation(epoch: epoch, number: number, durable: try session.heartbeat())
    fence.begin(generation, lost: durable)
  }

  /// Begins to follow a history, or to serve other tables: unsent rows come by replay.
  func adopt(_ epoch: Epoch, _ session: ListeningSession) throws(StoreError) {
    let repaired = try session.repairTransactionIDs()
    if repaired != "0" {
      logger.warning(
        "rows had transaction ids of another cluster", metadata: [LogKey.rows: "\(repaired)"])
    }
    // In this order: what is visible at the start is on disk, and can't come again after a crash.
    let start = try session.snapshot()
    let durable = try session.heartbeat()
    hasNewTables = false
    unsent.forget()
    purgeHorizon.newest = 0
    delivery.restart(at: start)
    if let known = history.epoch, known != epoch {
      logger.warning("database identity changed (failover or restore)", metadata: [LogKey.epoch: "\(epoch)"])
    }
    if history.adopt(epoch) { sink.epochChanged(to: epoch, generation: history.number) }
    fence.begin(GenerationFence.Generation(epoch: epoch, number: history.number, durable: durable))
  }

  /// Surveys the tables, and serves those that can be read.
  ///
  /// - Parameter failure: of a statement, which some table may have caused.
  @discardableResult
  func surveyTables(after failure: StoreError? = nil) throws(StoreError) -> TableWatch.SurveyResult {
    let outcome = try tables.survey(
      database.connection, needsOne: !history.hasFetched, hasWaited: failure?.isLockConflict == true, at: .now)
    try publish(outcome)
    hasNewTables = hasNewTables || outcome.hasNew
    try database.connection.quarantine(
      outcome.failed.map { (QuarantineItem.table($0.number), $0.sqlstate) }, stage: .read)
    return outcome
  }

  /// Has all connections serve these tables, and no others.
  private func publish(_ outcome: TableWatch.SurveyResult) throws(StoreError) {
    delivery.leaveOut(outcome.missing)
    unsent.omit(outcome.missing)
    if outcome.served != database.served || outcome.missing != database.missing {
      served.publish(outcome.served, missing: outcome.missing)
      try database.serve()
    }
    status.catalog = tables.catalog
  }

  /// Delivers the rows of tables that can be read again, and serves them from now on.
  func readReturned(
    _ returned: [TableMapping], betweenPages: () throws -> GenerationFence.Generation
  ) async throws {
    for table in returned {
      try database.connection.serve([table])
      do {
        try await delivery.catchUp(table, database.connection, in: betweenPages(), betweenPages: betweenPages)
      } catch {
        try database.connection.serve(database.served)
        // A table that fails again goes on from where it got to, and the next survey says why it fails.
        guard let error = error as? StoreError, error.concernsStatement, database.connection.isConnected else {
          throw error
        }
        continue
      }
      try publish(tables.caughtUp(table))
      // Its unsent rows may not have been counted.
      unsent.forget(unlessScanned: table.number)
      try database.connection.release([.table(table.number)], stage: .read)
      sink.tablesReturned([table.number])
      logger.notice("a table is served again", metadata: [LogKey.source: "\(table.relation)"])
    }
  }
}
