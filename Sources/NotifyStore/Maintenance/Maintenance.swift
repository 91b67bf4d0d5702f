internal import Logging
internal import Metrics
internal import NotifyCore

/// The work beside the way of a row: scans for users with unsent rows, deletes old rows, and shows the quarantine.
package actor Maintenance: DatabaseService {
  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  package nonisolated let thread = DedicatedThread(name: "nb-house")
  package nonisolated let signal: StopSignal
  private let database: RetryingConnection
  private let unsent: UnsentRows
  private let purgeHorizon: PurgeHorizon
  private let replica: ReplicaNumber
  private let settings: StoreSettings
  private var retention: RetentionSchedule
  private let logger: Logger
  private var quarantine: QuarantineWatch
  /// The version of the index of unsent rows that was filled last.
  private var scanned: Int?
  /// The triggers that ring, as they were when the tables were scanned last.
  private var triggers: String?
  private var lastCleaning: ContinuousClock.Instant?
  private var lastPurge: ContinuousClock.Instant?
  /// The tasks that the server refused, with the SQLSTATE.
  private var refused: [String: String] = [:]
  /// The tables whose rows of other clusters could not be repaired, with the SQLSTATE.
  private var unrepaired: [String: String] = [:]
  private let metrics: BridgeMetrics

  package init(_ store: Store) throws {
    database = try RetryingConnection(.maintenance, of: store)
    signal = database.signal
    unsent = store.unsent
    purgeHorizon = store.purgeHorizon
    replica = store.replica
    settings = store.settings
    retention = RetentionSchedule(rowsPerSecond: settings.retention.rowsPerSecond)
    logger = store.logger
    metrics = store.metrics
    quarantine = QuarantineWatch(metrics: store.metrics, status: store.status, logger: store.logger)
    store.quarantineNews.setWaker(database.connection.waker)
  }

  package func work() async {
    while !signal.isStopped {
      do {
        _ = try await database.connectWhenCurrent()
        try database.serve()
        database.succeeded()  // a scan may take long
        try attempt("watch_triggers") { _ throws(StoreError) in try watchTriggers() }
        let version = unsent.withLock { $0.version }
        if version != scanned {
          try attempt("scan") { _ throws(StoreError) in
            try scan(version)
            scanned = version
          }
        }
        try attempt("repair_rows") { _ throws(StoreError) in try repairRows() }
        if lastCleaning.map({ .now - $0 >= Limits.recorderCleaning }) ?? true {
          try attempt("clean_recorders") { connection throws(StoreError) in
            try connection.query("SELECT notify_bridge.clean_recorders()", timeout: Limits.scanTimeout)
          }
          lastCleaning = .now
        }
        try attempt("quarantine") { connection throws(StoreError) in
          try cleanQuarantine()
          try quarantine.look(connection)
        }
        if lastPurge.map({ .now - $0 >= Limits.purgeInterval }) ?? true {
          try attempt("purge_logs") { _ throws(StoreError) in try purgeLogs() }
          try attempt("clean_logins") { connection throws(StoreError) in
            try connection.query("SELECT notify_bridge.clean_logins()", timeout: Limits.scanTimeout)
          }
          lastPurge = .now
        }
        // The retention comes last: what it waits for holds up nothing else.
        if retention.wait(at: .now) == .zero {
          try attempt("purge") { _ throws(StoreError) in try purge() }
        }
        try readPurgeHorizon()
        database.succeeded()
        let wait = min(retention.wait(at: .now), Limits.safetyInterval)
        if wait > .zero { _ = try database.connection.wait(wait) }
      } catch {
        database.failed(error)
      }
    }
    database.connection.close()
  }

  /// Fills the index of unsent rows; until then look-ups have no lower bound.
  private func scan(_ version: Int) throws(StoreError) {
    let connection = database.connection
    // The only statement that reads a table from end to end.
    if !connection.isPooled { try connection.query("SET enable_seqscan = on") }
    // A table that somebody holds locked holds up no other task.
    try connection.limitLockWaits()
    defer { if connection.isConnected { _ = try? connection.limitLockWaits(.zero) } }
    try connection.scanUnsent(timeout: Limits.scanTimeout)
    let tables = database.served.map(\.number)
    var users = 0
    while let item = try connection.next(), !signal.isStopped {
      guard case .unsent(let user?, let oldest, let rows) = item else { continue }
      users += 1
      unsent.withLock { if $0.version == version { $0.add(user, oldest: oldest, rows: rows) } }
    }
    unsent.withLock { if $0.version == version, !signal.isStopped { $0.scanEnded(of: tables) } }
    if !connection.isPooled { try connection.query("SET enable_seqscan = off") }
    logger.debug("scanned for unsent rows", metadata: ["users": "\(users)"])
  }

  /// Has the tables scanned again where a trigger that rings was changed: rows that came while it was off rang nothing, and
  /// where their transactions are older than the last delta (`pg_restore --disable-triggers`), no delta has them.
  private func watchTriggers() throws(StoreError) {
    let rows = try database.connection.query(
      """
      SELECT coalesce(string_agg(g.tgrelid::text || ' ' || g.xmin::text, ',' ORDER BY g.oid), '')
      FROM pg_catalog.pg_trigger AS g WHERE g.tgfoid = 'notify_bridge.ring()'::regprocedure
      """)
    let now = rows.first?[0] ?? ""
    // What is counted is counted again, which errs on the right side.
    if triggers != nil, triggers != now { scanned = nil }
    triggers = now
  }

  /// Does one of the tasks. Where the server refuses it, the others go on, and it is tried again when it is due again.
  private func attempt(_ task: String, _ body: (PGConnection) throws(StoreError) -> Void) throws(StoreError) {
    do throws(StoreError) {
      try body(database.connection)
      refused[task] = nil
    } catch {
      guard error.concernsItems, database.connection.isConnected else { throw error }
      if refused.updateValue(error.sqlstate, forKey: task) != error.sqlstate {
        logger.warning(
          "housekeeping failed: \(error.loggable); trying again",
          metadata: ["task": "\(task)", "hint": "Run: notify-bridge check"])
      }
    }
  }

  /// Removes entries of rows that are gone. As often as rows are looked for: a test of no rows costs nothing.
  private func cleanQuarantine() throws(StoreError) {
    try database.connection.query("SELECT notify_bridge.clean_quarantine()")
  }

  /// Gives rows of other clusters a transaction of this one: no delta delivers them before.
  private func repairRows() throws(StoreError) {
    let tables = try database.connection.query(
      "SELECT source, repaired, failure FROM notify_bridge.repair_rows()", timeout: Limits.scanTimeout)
    for table in tables {
      let source = table[0] ?? ""
      if let sqlstate = table[2] {
        guard unrepaired.updateValue(sqlstate, forKey: source) != sqlstate else { continue }
        logger.warning(
          "rows of another cluster can't be repaired",
          metadata: [LogKey.source: "\(source)", LogKey.sqlstate: "\(sqlstate)"])
      } else {
        unrepaired[source] = nil
        metrics.rowsRepaired.increment(by: table[1].flatMap { Int64($0) } ?? 0)
        logger.warning(
          "rows had transaction ids of another cluster",
          metadata: [LogKey.source: "\(source)", LogKey.rows: "\(table[1] ?? "")"])
      }
    }
  }

  /// Deletes one batch of rows past their retention, where it is the time and this bridge's turn.
  private func purge() throws(StoreError) {
    let began = ContinuousClock.now
    do throws(StoreError) {
      guard try isPurgeTurn() else {
        logger.debug("the retention waits: it is not the time, or another bridge's turn")
        return report(deleted: retention.pause(at: began))
      }
      let rows = try database.connection.purge(
        days: settings.retention.days, unsentDays: settings.retention.unsentDays, batch: retention.batch, dryRun: false,
        timeout: Limits.scanTimeout)
      if let total = retention.deleted(rows, began: began, at: .now) { report(deleted: total) }
    } catch {
      if error.concernsItems { retention.failed(at: .now) }
      throw error
    }
  }

  private func report(deleted rows: Int64) {
    if rows > 0 { logger.info("deleted rows past their retention", metadata: [LogKey.rows: "\(rows)"]) }
  }

  private func isPurgeTurn() throws(StoreError) -> Bool {
    guard let replica = replica.current else { return false }
    // The session's own time zone is UTC; the server's is what it would be reset to.
    let rows = try database.connection.query(
      """
      SELECT notify_bridge.is_purge_turn($1::integer),
        extract(hour FROM t.clock)::integer * 60 + extract(minute FROM t.clock)::integer
      FROM (SELECT now() AT TIME ZONE s.reset_val AS clock FROM pg_catalog.pg_settings AS s WHERE s.name = 'TimeZone') AS t
      """, [replica])
    let minute = rows.first?[1].flatMap { Int($0) } ?? 0
    return rows.first?[0] == "t" && settings.retention.window?.contains(minute: minute) ?? true
  }

  private func purgeLogs() throws(StoreError) {
    var rows: Int
    repeat {
      let result = try database.connection.query(
        "SELECT notify_bridge.purge_logs($1::integer, $2::integer, $3::integer)",
        [settings.connectionLogDays, settings.deliveryLogDays, Limits.purgeRows].map { String($0) },
        timeout: Limits.scanTimeout)
      rows = result[0][0].flatMap { Int($0) } ?? 0
    } while rows >= Limits.purgeRows && !signal.isStopped
  }

  /// Reads how far the retention has deleted; other bridges and commands apply it too.
  private func readPurgeHorizon() throws(StoreError) {
    let rows = try database.connection.query("SELECT purged_txid::text FROM notify_bridge.source")
    purgeHorizon.newest = rows.compactMap { $0[0].flatMap { UInt64($0) } }.max() ?? 0
  }
}
