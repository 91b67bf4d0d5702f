internal import Logging
internal import Metrics
package import NotifyCore

/// Writes presence and the logs: what the event loops have noted, by one statement a second at most.
///
/// While anybody is connected, a statement comes every two seconds at least, and shows that this bridge lives. Nothing
/// waits for this service: notes stay in memory, bounded, while the database is away or refuses them.
/// (`Documentation/database.md`, "Presence and logs")
package actor ActivityRecorder: DatabaseService {
  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  package nonisolated let thread = DedicatedThread(name: "nb-activity")
  package nonisolated let signal: StopSignal
  private let database: RetryingConnection
  private let notes: ActivityNotes
  private let replica: ReplicaNumber
  private let status: BridgeStatus
  private let metrics: BridgeMetrics
  private let logger: Logger
  private var epoch: Epoch?
  /// `notify_bridge.recorder.id`.
  private var recorder: String?
  private var isUTF8 = true
  /// Since when another connection is missing.
  private var lackingSince: ContinuousClock.Instant?
  private var lastStatement: ContinuousClock.Instant?
  /// Users had sockets at the last statement, so the next one must not be late.
  private var hasSockets = false
  /// The parts that the server refused, with the SQLSTATE.
  private var refused: [ActivityStatement.ActivityPart: String] = [:]

  /// - Parameter notes: what the gateway notes.
  package init(_ store: Store, notes: ActivityNotes) throws {
    database = try RetryingConnection(.activity, of: store)
    signal = database.signal
    self.notes = notes
    replica = store.replica
    status = store.status
    metrics = store.metrics
    logger = store.logger
    notes.setWaker { [signal] in signal.wake() }
  }

  /// Writes until it is stopped, and then what was noted until then, for at most `Limits.activityDrain`.
  package func work() async {
    while !signal.isStopped {
      do {
        try await connect()
        database.succeeded()
        try wait()
        if !signal.isStopped, isDue { try write() }
      } catch {
        database.failed(error)
      }
    }
    if notes.hasNotes, database.connection.isConnected { try? write(timeout: Limits.activityDrain) }
    database.connection.close()
  }

  /// Connects once all other connections are there, and gives its own up where one of them is missing for long: rows come
  /// first where the server or a pooler has too few.
  private func connect() async throws(StoreError) {
    lackingSince = status.lacksConnection ? lackingSince ?? .now : nil
    if let lackingSince, .now - lackingSince > Limits.activityYield { database.connection.close() }
    while !database.connection.isConnected, status.lacksConnection, !signal.isStopped {
      _ = try database.connection.wait(Limits.activityConnect)
    }
    if signal.isStopped { return }
    guard let generation = try await database.connectWhenCurrent(unless: { status.lacksConnection })
    else { return }
    if generation.epoch != epoch { recorder = nil }
    epoch = generation.epoch
    isUTF8 = try database.connection.query("SHOW server_encoding")[0][0] == "UTF8"
    // A crash may have taken the newest statements: they don't wait for the disk.
    notes.rewritePresence()
  }

  /// Waits until a statement is due: a second after the last one where something was noted, else two seconds after it.
  /// While nobody is connected and nothing is noted, none is due.
  private func wait() throws(StoreError) {
    while !signal.isStopped {
      let rest = wanted.map { $0 - .now } ?? Limits.safetyInterval
      guard rest > .zero else { return }
      // A wake may be one from before the last statement.
      _ = try database.connection.wait(rest)
      if status.lacksConnection { return }
    }
  }

  private var isDue: Bool { wanted.map { $0 <= .now } ?? false }

  /// When the next statement is due; nil for never.
  private var wanted: ContinuousClock.Instant? {
    if notes.hasNotes { return lastStatement.map { $0 + Limits.activityInterval } ?? .now }
    guard hasSockets || notes.kinds.deliveries else { return nil }
    return lastStatement.map { $0 + Limits.safetyInterval } ?? .now
  }

  private func write(timeout: Duration = Limits.statementTimeout) throws(StoreError) {
    var batch = notes.take()
    let dropped = batch.dropUnstorable(isUTF8: isUTF8) + notes.takeDropped()
    if dropped > 0 { metrics.activityDropped.increment(by: dropped) }
    lastStatement = .now
    hasSockets = batch.hasSockets
    var parts = batch.parts
    do throws(StoreError) {
      // A part that was refused is tried apart, so that the others need one statement.
      let healthy = parts.filter { refused[$0] == nil }
      if !healthy.isEmpty || parts.isEmpty { try write(healthy, of: batch, unwritten: &parts, timeout: timeout) }
      for part in parts { try write([part], of: batch, unwritten: &parts, timeout: timeout) }
    } catch {
      notes.putBack(batch.only(parts))
      metrics.activityFailures.increment()
      throw error
    }
  }

  /// Writes parts by one statement. Where the server refuses it, each is tried alone; those that it refuses then are kept.
  private func write(
    _ parts: [ActivityStatement.ActivityPart], of batch: ActivityNotes.ActivityBatch,
    unwritten: inout [ActivityStatement.ActivityPart],
    timeout: Duration
  ) throws(StoreError) {
    do throws(StoreError) {
      try execute(batch.only(parts), timeout: timeout)
      unwritten.removeAll { parts.contains($0) }
      for part in parts where refused.removeValue(forKey: part) != nil {
        logger.notice("the \(part.rawValue) is written again")
      }
    } catch {
      guard error.concernsItems, database.connection.isConnected, let part = parts.first else { throw error }
      if parts.count > 1 {
        for part in parts { try write([part], of: batch, unwritten: &unwritten, timeout: timeout) }
        return
      }
      unwritten.removeAll { $0 == part }
      notes.putBack(batch.only([part]))
      metrics.activityFailures.increment()
      if refused.updateValue(error.sqlstate, forKey: part) != error.sqlstate {
        logger.warning(
          "the \(part.rawValue) can't be written: \(error.loggable); trying again",
          metadata: ["hint": "Run: notify-bridge check"])
      }
    }
  }

  private func execute(_ batch: ActivityNotes.ActivityBatch, timeout: Duration) throws(StoreError) {
    guard let replica = replica.current else {
      throw StoreError(.notConnected, message: "waiting for the listening connection", isRetriable: true)
    }
    let statement = ActivityStatement(
      batch,
      by: ActivityStatement.Recorder(id: recorder, replica: replica, logsDeliveries: notes.kinds.deliveries))
    let rows = try database.connection.query(statement.sql, statement.parameters, timeout: timeout)
    guard let row = rows.first else { throw StoreError(.badAnswer, message: "no recorder") }
    // Its row was removed meanwhile, as that of a dead bridge, and its users with it.
    if recorder != nil, row[1] == "t" { notes.rewritePresence() }
    recorder = row[0]
  }
}
