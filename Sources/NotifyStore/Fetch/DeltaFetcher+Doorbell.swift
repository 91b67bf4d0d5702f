internal import Logging
internal import Metrics
internal import NotifyCore

/// Performs the doorbell's decisions.
extension DeltaFetcher {
  /// The decisions of one session.
  private struct Decisions {
    var doorbell: Doorbell
    var safety = SafetyWatch()
    var upkeep: SessionUpkeep
  }

  /// Fetches until the session is lost or the fetcher is stopped.
  func fetch(_ session: ListeningSession) async throws {
    var decisions = Decisions(
      doorbell: Doorbell(settings.doorbell, at: .now), upkeep: SessionUpkeep(at: .now))
    var action = decisions.doorbell.armed(at: .now)
    show(decisions.doorbell.state)
    handover.begin()
    defer { handover.end() }
    while !signal.isStopped {
      if handover.step != nil { return try await handOver(session, decisions.upkeep) }
      let state = decisions.doorbell.state
      action = try await perform(action, session, &decisions)
      if decisions.doorbell.state.name != state.name { show(decisions.doorbell.state) }
      if decisions.upkeep.isHeartbeatDue(at: .now) {
        fence.recordDurable(try session.heartbeat(), number: history.number)
      }
      if decisions.upkeep.isSurveyDue(at: .now) {
        try requireSameDatabase()
        let outcome = try surveyTables()
        if hasNewTables, let epoch = history.epoch { try adopt(epoch, session) }
        try await readReturned(outcome.returned) { try keepAlive(session, &decisions.upkeep) }
      }
    }
  }

  /// Fetches no more. The generation stays current, so that what sockets take until they are closed is marked.
  private func handOver(_ session: ListeningSession, _ upkeep: SessionUpkeep) async throws {
    var upkeep = upkeep
    handover.done()
    while !signal.isStopped {
      _ = try database.connection.wait(Limits.safetyInterval)
      let vouches = handover.step == .vouch
      guard upkeep.isHeartbeatDue(at: .now) || vouches else { continue }
      fence.statementBegins()
      fence.recordDurable(try session.heartbeat(), number: history.number)
      fence.statementAnswered()
      if vouches, let generation = fence.current {
        await delivery.vouch(in: generation)
        handover.done()
      }
    }
  }

  /// - Throws: `schema`, retriable, where a dump was restored over the database: its rows belong to another history.
  private func requireSameDatabase() throws(StoreError) {
    guard try DatabaseIdentity(database.connection).epoch == history.epoch else {
      throw StoreError(.schema, message: "a dump was restored over this database", isRetriable: true)
    }
  }

  private func show(_ state: Doorbell.State) {
    metrics.doorbell(state.name)
    logger.debug("doorbell", metadata: [LogKey.state: "\(state.name)"])
  }

  private func perform(
    _ action: Doorbell.Action, _ session: ListeningSession, _ decisions: inout Decisions
  ) async throws -> Doorbell.Action {
    switch action {
    case .wait(let timeout):
      let result = try database.connection.wait(timeout)
      if result.doorbells > 0 {
        decisions.safety.rang()
        metrics.doorbells.increment(by: result.doorbells)
        return try await fetchDelta(session, &decisions, doorbell: .now)
      }
      return try await fetchDelta(session, &decisions, isSafety: decisions.doorbell.isReliedOn && !result.isWoken)
    case .pause(let duration):
      metrics.doorbells.increment(by: try session.pause(duration))
      return try await fetchDelta(session, &decisions)
    case .disarm:
      decisions.safety = SafetyWatch()
      try session.arm(false)
      metrics.doorbellChanges.increment()
      return decisions.doorbell.disarmed(at: .now)
    case .arm:
      try session.arm(true)
      metrics.doorbellChanges.increment()
      return decisions.doorbell.armed(at: .now)
    case .takeBarrier:
      return decisions.doorbell.barrierTaken(try session.barrier())
    case .countLockWaits:
      return decisions.doorbell.counted(lockWaits: try session.lockWaits(), at: .now)
    }
  }

  /// A page of a long delta was read: others go on meanwhile.
  private func keepAlive(
    _ session: ListeningSession, _ upkeep: inout SessionUpkeep
  ) throws -> GenerationFence.Generation {
    fence.statementAnswered()
    status.databaseAnswered(at: .now)
    if upkeep.isHeartbeatDue(at: .now) { fence.recordDurable(try session.heartbeat(), number: history.number) }
    guard !signal.isStopped, let generation = fence.current else {
      throw StoreError(.notConnected, message: "stopped within a delta", isRetriable: true)
    }
    fence.statementBegins()
    return generation
  }

  private func fetchDelta(
    _ session: ListeningSession, _ decisions: inout Decisions, doorbell: ContinuousClock.Instant? = nil,
    isSafety: Bool = false
  ) async throws -> Doorbell.Action {
    let began = ContinuousClock.now
    fence.statementBegins()
    guard let generation = fence.current else {
      throw StoreError(.badAnswer, message: "fetching before a generation has begun")
    }
    let fetched = try await delivery.fetch(database.connection, in: generation, doorbell: doorbell) {
      try keepAlive(session, &decisions.upkeep)
    } survey: { failure in
      try surveyTables(after: failure)
      return database.served
    }
    if hasNewTables { decisions.upkeep.tablesMayHaveChanged() }
    let now = ContinuousClock.now
    fence.statementAnswered()
    // Attaching and detaching ring too.
    if doorbell != nil, fetched.rows == 0 { decisions.upkeep.tablesMayHaveChanged() }
    if decisions.safety.fetched(rows: fetched.rows, isSafety: isSafety, at: now) {
      metrics.safetyFinds.increment()
      logger.error("a safety fetch found rows for which no doorbell rang")
    }
    status.listening(at: now)
    if !history.hasFetched {
      logger.info("listening to the database", metadata: [LogKey.epoch: "\(history.epoch?.text ?? "")"])
    }
    history.fetched(at: now)
    database.succeeded()
    return decisions.doorbell.fetched(
      fetched.snapshot, transactions: fetched.transactions, rows: fetched.rows, took: now - began, at: now)
  }
}
