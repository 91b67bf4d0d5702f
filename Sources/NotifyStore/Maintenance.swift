internal import Logging
internal import Metrics
internal import NotifyCore
internal import ServiceLifecycle
internal import Synchronization

/// The work beside the path of rows: finds at the start who has unsent rows, and deletes what is old.
package actor Maintenance: Service {
  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  private nonisolated let thread = DedicatedThread(name: "nb-house")

  private let context: StoreContext
  private let worker: RetryingConnection
  private nonisolated let signal: RetryingConnection.Signal
  /// The version of the index of unsent rows that was filled last.
  private var scanned: Int?
  private var purged: ContinuousClock.Instant?

  package init(_ context: StoreContext) throws {
    self.context = context
    worker = try RetryingConnection("housekeeping", context)
    signal = worker.signal
  }

  /// Runs until graceful shutdown.
  package func run() async throws {
    await withTaskCancellationOrGracefulShutdownHandler {
      await loop()
    } onCancelOrGracefulShutdown: { [signal] in
      signal.stop()
    }
  }

  private func loop() async {
    while !signal.isStopped {
      do {
        _ = try await worker.connectConfirmed()
        try worker.serve()
        let version = context.unsent.withLock { $0.version }
        if version != scanned {
          try scan(version)
          scanned = version
        }
        if purged.map({ .now - $0 >= Limits.purgeInterval }) ?? true {
          try purge()
          try worker.connection.query("SELECT notify_bridge.clean_logins()", timeout: Limits.scanTimeout)
          purged = .now
        }
        try readPurged()
        worker.succeeded()
        _ = try worker.connection.wait(Limits.safetyInterval)
      } catch {
        worker.failed(error)
      }
    }
    worker.connection.close()
  }

  /// Fills the index of unsent rows; until then look-ups have no lower bound.
  private func scan(_ version: Int) throws(StoreError) {
    let connection = worker.connection
    // The only statement that reads a table from end to end.
    if !connection.isPooled { try connection.query("SET enable_seqscan = on") }
    try connection.scanUnsent(timeout: Limits.scanTimeout)
    var users = 0
    while let item = try connection.next(), !signal.isStopped {
      guard case .unsent(let user?, let oldest, let rows) = item else { continue }
      users += 1
      context.unsent.withLock { if $0.version == version { $0.add(user, oldest: oldest, rows: rows) } }
    }
    context.unsent.withLock { if $0.version == version, !signal.isStopped { $0.scanEnded() } }
    if !connection.isPooled { try connection.query("SET enable_seqscan = off") }
    context.logger.debug("scanned for unsent rows", metadata: ["users": "\(users)"])
  }

  private func purge() throws(StoreError) {
    var total: Int64 = 0
    var rows: Int64
    repeat {
      rows = try worker.connection.purge(
        days: context.settings.retentionDays, batch: Limits.purgeRows, dryRun: false, timeout: Limits.scanTimeout)
      total += rows
    } while rows == Int64(Limits.purgeRows) && !signal.isStopped
    if total > 0 {
      context.logger.info("deleted rows past their retention", metadata: [LogKey.rows: "\(total)"])
    }
  }

  /// Learns how far the retention has come, whoever applied it.
  private func readPurged() throws(StoreError) {
    let rows = try worker.connection.query("SELECT purged_txid::text FROM notify_bridge.source")
    let newest = rows.compactMap { $0[0].flatMap { UInt64($0) } }.max()
    context.purged.store(newest ?? 0, ordering: .relaxed)
  }
}
