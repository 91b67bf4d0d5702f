internal import Logging
internal import Metrics
package import NotifyCore

/// Marks rows sent after they were written, in batches, and records read receipts.
///
/// Rows whose marking the database has not confirmed are kept, bounded, and marked again: a second marking changes
/// nothing. A row that can't be marked goes to the quarantine, and is tried again from there.
/// (`Documentation/database.md`, "Marking")
package actor Marker: DatabaseService, ConfirmationSink {
  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  package nonisolated let thread = DedicatedThread(name: "nb-mark")
  package nonisolated let signal: StopSignal
  private nonisolated let inbox = MarkInbox()
  /// Those who wait until what they reported is marked.
  private nonisolated let settling = Inbox<CheckedContinuation<Void, Never>>()
  private nonisolated let fence: GenerationFence
  nonisolated let metrics: BridgeMetrics
  let database: RetryingConnection
  let unsent: UnsentRows
  let logger: Logger
  private let news: QuarantineNews
  var queue = MarkQueue()
  var receipts = ReceiptQueue()
  private var history = MarkHistory()
  /// Rows in quarantine: another device's report of one is no reason to try it again.
  var failures = FailureMemory()
  private var waiting: [CheckedContinuation<Void, Never>] = []
  private var lastClaim: ContinuousClock.Instant?
  /// The connection's generation.
  private var connected: GenerationFence.Generation?

  package init(_ store: Store) throws {
    database = try RetryingConnection(.mark, of: store)
    signal = database.signal
    fence = store.fence
    metrics = store.metrics
    unsent = store.unsent
    logger = store.logger
    news = store.quarantineNews
  }

  // MARK: From any thread

  package nonisolated func delivered(_ rows: [PendingMark]) {
    if inbox.add(rows, in: fence.current) { signal.wake() }
  }

  package nonisolated func read(user: UserID, rows: [RowName]) {
    switch inbox.add(rows.map { ReadReceipt(user: user, row: $0) }, in: fence.current) {
    case true?: signal.wake()
    case false?: break
    case nil: metrics.idsIgnored.increment(by: rows.count)
    }
  }

  /// Returns once every row reported so far is marked, apart from those that can't be marked now.
  package nonisolated func settled() async {
    await withCheckedContinuation { continuation in
      if settling.append(continuation) == nil { continuation.resume() } else { signal.wake() }
    }
  }

  // MARK: On its own thread

  /// Marks until it is stopped, and then what was written until then, for at most `Limits.markDrain`.
  package func work() async {
    defer {
      settling.close()
      waiting += settling.takeAll()
      settle()
    }
    while !signal.isStopped {
      gather()
      await mark()
      if isIdle { settle() }
    }
    let deadline = ContinuousClock.now + Limits.markDrain
    queue.retryLocked(at: .now)
    repeat {
      takeInbox()
      if queue.isDone, receipts.isDone { break }
      await mark()
      if queue.hasLocked { _ = try? database.connection.wait(Limits.markDelay) }
    } while ContinuousClock.now < deadline
    if queue.count > 0 {
      logger.warning(
        "stopping with rows that were sent but not marked: they are sent again",
        metadata: [LogKey.rows: "\(queue.count)"])
    }
    database.connection.close()
  }

  /// Whether nothing can be marked now.
  private var isIdle: Bool { queue.isIdle(at: .now) && receipts.isIdle(at: .now) }
  /// Whether it is time to look for rows in quarantine that are due.
  private var isClaimDue: Bool { lastClaim.map { .now - $0 >= Limits.safetyInterval } ?? true }

  private func settle() {
    for caller in waiting { caller.resume() }
    waiting = []
  }

  /// Waits for rows, and a little longer for more of them.
  private func gather() {
    takeInbox()
    // At the start too: the bridge is not ready before it can mark.
    guard isIdle, database.connection.isConnected else { return }
    do {
      let waits = [queue.wait(at: .now), receipts.wait(at: .now), Limits.safetyInterval].compactMap { $0 }
      let event = try database.connection.wait(waits.min() ?? .zero)
      if event.isWoken, !signal.isStopped, inbox.count < Limits.markEagerly {
        _ = try database.connection.wait(Limits.markDelay)
      }
    } catch {
      database.failed(error)
    }
    takeInbox()
  }

  private func takeInbox() {
    // First: what they reported is in the inbox by now.
    waiting += settling.takeAll()
    let taken = inbox.takeAll()
    if follow(taken.generation) {
      let dropped = queue.add(
        failures.isEmpty ? taken.marks : taken.marks.filter { !failures.contains($0.key) }, at: .now)
      if dropped > 0 { metrics.marksDropped.increment(by: dropped) }
      let ignored = receipts.add(taken.receipts)
      if ignored > 0 { metrics.idsIgnored.increment(by: ignored) }
    }
    metrics.marksPending.record(queue.count)
  }

  /// Drops pending rows of an older history.
  ///
  /// - Returns: whether rows of this generation can be marked.
  private func follow(_ generation: GenerationFence.Generation?) -> Bool {
    switch history.move(to: generation) {
    case .same: break
    case .newer:
      queue.removeAll()
      receipts.removeAll()
      failures.removeAll()
    case .older: return false
    }
    return true
  }

  private func mark() async {
    guard !isIdle || isClaimDue || !database.connection.isConnected else { return }
    do {
      if let generation = try await database.connectWhenCurrent() {
        try database.connection.useSearchPathOfRole()
        _ = follow(generation)
        connected = generation
        try database.connection.prepareMarking()
      }
      let missing = database.missing
      try database.serve()
      for table in missing where !database.missing.contains(table) {
        queue.retry(table, at: .now)
        receipts.retry(table, at: .now)
      }
      queue.sort()
      while let batch = queue.next(at: .now) { try mark(batch) }
      while let batch = receipts.next(at: .now) { try writeReadReceipts(batch) }
      if isClaimDue {
        try retryQuarantined()
        lastClaim = .now
      }
      database.succeeded()
    } catch {
      database.failed(error)
    }
  }

  /// Records a transaction of ours that has written something.
  func recordDurable(_ transaction: UInt64?) {
    if let transaction, let connected { fence.recordDurable(transaction, number: connected.number) }
  }

  /// A served table; nil where it is not served any more.
  func mapping(_ table: Int32) -> TableMapping? { database.served.first { $0.number == table } }

  private func mark(_ batch: MarkQueue.Batch) throws(StoreError) {
    guard let table = mapping(batch.table) else {
      // It comes back; what was written of it is still to be marked.
      if database.missing.contains(batch.table) { return queue.tableFailed(batch.table, at: .now) }
      queue.removed(batch, at: .now)
      queue.resume(batch.table)
      return
    }
    let marking: PGConnection.Marking
    do throws(StoreError) {
      marking = try database.connection.markSent(batch.marks, in: batch.table, timeout: Limits.statementTimeout)
    } catch {
      return try failed(batch, of: table, error)
    }
    recordDurable(marking.transaction)
    let wasPaused = queue.isPaused(batch.table)
    queue.removed(batch, left: marking.left, at: .now)
    if wasPaused { try release([.table(batch.table)]) }
    // A row that was marked before may have been counted off before, after another device's report. Which row that is
    // isn't known, so in that case all of them stay in the index, which errs on the high side.
    if marking.marked + marking.left.count == batch.marks.count {
      unsent.withLock { index in
        for row in batch.marks where !queue.hasLocked || !queue.isLocked(row) { index.remove(row) }
      }
    }
    metrics.rowsMarked.increment(by: marking.marked)
    metrics.marksPending.record(queue.count)
    try setAsideUnchanged(batch, of: table)
  }

  /// Sets items aside. A server that can't record that has failed for everything, and the caller keeps the items.
  func quarantine(_ items: [(item: QuarantineItem, sqlstate: String)]) throws(StoreError) {
    if items.isEmpty { return }
    try recording { connection throws(StoreError) in try connection.quarantine(items, stage: .mark) }
  }

  /// Ends the quarantine of items.
  func release(_ items: [QuarantineItem]) throws(StoreError) {
    if items.isEmpty { return }
    try recording { connection throws(StoreError) in try connection.release(items, stage: .mark) }
  }

  private func recording(_ body: (PGConnection) throws(StoreError) -> Void) throws(StoreError) {
    do throws(StoreError) {
      try body(database.connection)
      news.changed()
    } catch {
      // Without the right to record it, the bridge goes on without the record.
      guard error.lacksRight, database.connection.isConnected else { throw error }
      logger.warning(
        "the quarantine can't be written: \(error.description)", metadata: ["hint": "Run: notify-bridge check"])
    }
  }
}
