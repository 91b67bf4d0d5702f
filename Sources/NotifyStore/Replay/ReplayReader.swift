internal import Logging
package import NotifyCore

/// Reads the rows that connections have missed: for many requests by one statement, under one snapshot.
///
/// `Documentation/database.md`, "Replay and cursors".
package actor ReplayReader: DatabaseService, ReplaySource {
  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  package nonisolated let thread = DedicatedThread(name: "nb-replay")
  package nonisolated let signal: StopSignal

  private struct PendingReplay: Sendable {
    let request: ReplayRequest
    let answer: @Sendable (ReplayPage) -> Void
  }

  private nonisolated let inbox = Inbox<PendingReplay>()
  private nonisolated let fence: GenerationFence
  private nonisolated let unsent: UnsentRows
  private let database: RetryingConnection
  private let progress: DeliveryProgress
  private let purgeHorizon: PurgeHorizon
  private let status: BridgeStatus
  private let limits: Limits
  private let rowTimeout: Duration
  private var pending: [PendingReplay] = []

  package init(_ store: Store) throws {
    database = try RetryingConnection(.replay, of: store)
    signal = database.signal
    fence = store.fence
    unsent = store.unsent
    progress = store.progress
    purgeHorizon = store.purgeHorizon
    status = store.status
    limits = store.limits
    rowTimeout = store.settings.rowTimeout
  }

  package nonisolated func replay(_ request: ReplayRequest, _ answer: @escaping @Sendable (ReplayPage) -> Void) {
    if let generation = fence.current {
      let page = unsent.withLock {
        ReplayPage.ofNothingMissed(
          request, unsent: $0, epoch: generation.epoch, generation: generation.number, durable: generation.durable)
      }
      if let page { return answer(page) }
    }
    if inbox.append(PendingReplay(request: request, answer: answer)) == 0 { signal.wake() }
  }

  /// Answers requests until it is stopped; requests pending then get no answer.
  package func work() async {
    while !signal.isStopped {
      pending += inbox.takeAll()
      pending.removeAll { $0.request.cancellation.isCancelled }
      do {
        // Also without requests, so that the first one finds a connection.
        if try await database.connectWhenCurrent() != nil { try database.connection.limitLockWaits() }
        try database.serve()
        database.succeeded()
        if pending.isEmpty {
          _ = try database.connection.wait(Limits.safetyInterval)
        } else {
          try answerOldest()
        }
      } catch {
        database.failed(error)
      }
    }
    database.connection.close()
  }

  /// Reads a page for each of the oldest requests and answers them. Where that fails, they stay pending.
  private func answerOldest() throws(StoreError) {
    guard let generation = fence.current else { return }
    let batch = Array(pending.prefix(Limits.replayRequests))
    pending.removeFirst(batch.count)
    var unanswered = batch
    defer { pending = unanswered + pending }
    var pages = pages(of: batch, in: generation)
    do throws(StoreError) {
      try pages.read(database.connection)
    } catch {
      guard error.concernsStatement, database.connection.isConnected else { throw error }
      let strange = error.concernsEncoding ? try unencodable(batch) : []
      pages = self.pages(of: batch, in: generation, without: strange)
      try pages.readByKeys(database.connection, of: database.served, rowTimeout: rowTimeout)
    }
    try database.connection.quarantine(pages.failed)
    if let snapshot = pages.snapshot { try revoke(seenBy: snapshot) }
    unanswered = []
    for (one, page) in zip(batch, pages.pages) {
      if let page { one.answer(page) } else { unanswered.append(one) }
    }
  }

  /// - Parameter strange: users that the database's encoding can't hold.
  private func pages(
    of batch: [PendingReplay], in generation: GenerationFence.Generation, without strange: Set<UserID> = []
  ) -> ReplayPages {
    let plans = batch.map { one in
      ReplayPlan(
        fence.adapted(one.request), epoch: generation.epoch, limits: limits,
        lowest: unsent.withLock { $0.lowest(one.request.user) }, purged: purgeHorizon.newest,
        missing: database.missing, isEncodable: !strange.contains(one.request.user))
    }
    return ReplayPages(of: plans, in: generation, catalog: status.catalog, omitted: database.missing)
  }

  /// The users whose name has a character that the database's encoding lacks. One of them fails the statement of all.
  private func unencodable(_ batch: [PendingReplay]) throws(StoreError) -> Set<UserID> {
    var found: Set<UserID> = []
    // Every encoding of PostgreSQL has ASCII.
    for user in Set(batch.map(\.request.user)) where !user.text.utf8.allSatisfy({ $0 < 0x80 }) {
      if try !database.connection.canEncode(user.text) { found.insert(user) }
    }
    return found
  }

  /// Passes on revocations that the replay saw and no delta has delivered yet: the replay's rows may be of later
  /// transactions.
  private func revoke(seenBy snapshot: Snapshot) throws(StoreError) {
    guard let known = progress.lastDelivered, let sink = progress.sink else {
      throw StoreError(.notConnected, message: "waiting for the listening connection", isRetriable: true)
    }
    if snapshot.xmax <= known.xmax, snapshot.xip == known.xip { return }
    let revocations = try database.connection.query(
      """
      SELECT user_id, kind, credential, reason, txid::text FROM notify_bridge.revocation
      WHERE txid >= $1::xid8 AND txid < pg_snapshot_xmax(pg_current_snapshot()) OR txid = ANY ($2::xid8[])
      """, [String(known.xmax), "{\(known.xip.map(String.init).joined(separator: ","))}"]
    ).compactMap { row in
      Revocation(
        user: row[0] ?? "", kind: row[1] ?? "", credential: row[2], reason: row[3] ?? "",
        txid: row[4].flatMap { UInt64($0) } ?? 0)
    }
    if !revocations.isEmpty { sink.revoke(revocations) }
  }
}
