internal import Logging
internal import Metrics
internal import NotifyCore

/// Does what the doorbell decides.
extension DeltaFetcher {
  /// Fetches as long as this connection lasts.
  func fetchForEver(_ replica: String) async throws {
    var doorbell = Doorbell(context.settings.doorbell, at: .now)
    var watch = SafetyWatch()
    var touched = ContinuousClock.now
    var listed = ContinuousClock.now
    var action = doorbell.armed(at: .now)
    show(doorbell.state)
    while !signal.isStopped {
      let state = doorbell.state
      action = try await perform(action, &doorbell, &watch, replica)
      if doorbell.state.name != state.name { show(doorbell.state) }
      if ContinuousClock.now - touched > Limits.safetyInterval {
        context.fence.committed(try touch(replica), generation: generation)
        touched = .now
        mayList = true
      }
      if mayList, ContinuousClock.now - listed > Limits.listingInterval {
        mayList = false
        listed = .now
        if try readSources(), let epoch { try await adopt(epoch, replica) }
      }
    }
  }

  private func show(_ state: Doorbell.State) {
    context.metrics.doorbell(state.name)
    context.logger.debug("doorbell", metadata: [LogKey.state: "\(state.name)"])
  }

  private func perform(
    _ action: Doorbell.Action, _ doorbell: inout Doorbell, _ watch: inout SafetyWatch, _ replica: String
  ) async throws -> Doorbell.Action {
    switch action {
    case .wait(let patience):
      let event = try worker.connection.wait(patience)
      if event.doorbells > 0 {
        watch.rang()
        context.metrics.doorbells.increment(by: event.doorbells)
        return try await fetch(&doorbell, &watch, rang: .now, isSafety: false)
      }
      return try await fetch(&doorbell, &watch, rang: nil, isSafety: doorbell.isReliedOn && !event.isWoken)
    case .pause(let duration):
      try pause(duration)
      return try await fetch(&doorbell, &watch, rang: nil, isSafety: false)
    case .disarm:
      watch = SafetyWatch()
      try arm(replica, false)
      context.metrics.doorbellChanges.increment()
      return doorbell.disarmed(at: .now)
    case .arm:
      try arm(replica, true)
      context.metrics.doorbellChanges.increment()
      return doorbell.armed(at: .now)
    case .takeBarrier:
      return doorbell.barrierTaken(try barrier())
    case .countWaiting:
      return doorbell.counted(waiting: try countWaiting(), at: .now)
    }
  }

  private func fetch(
    _ doorbell: inout Doorbell, _ watch: inout SafetyWatch, rang: ContinuousClock.Instant?, isSafety: Bool
  ) async throws -> Doorbell.Action {
    let began = ContinuousClock.now
    context.fence.statementBegins()
    let fetched = try await fetch(rang: rang)
    let now = ContinuousClock.now
    context.fence.statementAnswered()
    // Attaching and detaching ring too.
    if rang != nil, fetched.rows == 0 { mayList = true }
    if watch.fetched(rows: fetched.rows, isSafety: isSafety, at: now) {
      context.metrics.safetyFinds.increment()
      context.logger.error("a safety fetch found rows for which no doorbell rang")
    }
    context.status.listening(at: now)
    if !hasServed {
      context.logger.info("listening to the database", metadata: [LogKey.epoch: "\(epoch?.text ?? "")"])
    }
    hasServed = true
    fetchedLast = now
    worker.succeeded()
    return doorbell.fetched(
      fetched.snapshot, transactions: fetched.transactions, rows: fetched.rows, took: now - began, at: now)
  }

  /// Waits, whatever rings: another bridge may need the bells.
  private func pause(_ duration: Duration) throws(StoreError) {
    let end = ContinuousClock.now + duration
    repeat {
      let event = try worker.connection.wait(max(end - .now, .zero))
      context.metrics.doorbells.increment(by: event.doorbells)
      if event.isWoken { return }
    } while ContinuousClock.now < end
  }

  /// Has commits ring for this bridge, or spares them that.
  func arm(_ replica: String, _ armed: Bool) throws(StoreError) {
    try worker.connection.query(
      "SELECT notify_bridge.arm($1::integer, $2::boolean)", [replica, armed ? "true" : "false"])
  }

  /// B: a transaction id taken after the arming was committed.
  private func barrier() throws(StoreError) -> UInt64 {
    let text = try worker.connection.query("SELECT pg_current_xact_id()::text")[0][0]
    guard let barrier = text.flatMap({ UInt64($0) }) else {
      throw StoreError(.badAnswer, message: "no transaction id")
    }
    return barrier
  }

  /// Sessions that wait for the lock of database 0, which NOTIFY takes at commit.
  private func countWaiting() throws(StoreError) -> Int {
    let text = try worker.connection.query(
      """
      SELECT count(*) FROM pg_locks
      WHERE NOT granted AND locktype = 'object' AND database = 0 AND classid = 'pg_database'::regclass AND objid = 0
      """)[0][0]
    return text.flatMap { Int($0) } ?? 0
  }
}
