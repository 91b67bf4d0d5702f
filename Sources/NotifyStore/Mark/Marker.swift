internal import Logging
internal import Metrics
package import NotifyCore

/// Marks rows sent after they were written, in batches, and records read receipts.
///
/// Rows whose marking the database has not confirmed are kept, bounded, and marked again: a second marking changes
/// nothing. (`Documentation/database.md`, "Marking")
package actor Marker: DatabaseService, ConfirmationSink {
  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  package nonisolated let thread = DedicatedThread(name: "nb-mark")
  package nonisolated let signal: StopSignal
  private nonisolated let inbox = MarkInbox()
  private nonisolated let fence: GenerationFence
  private nonisolated let metrics: BridgeMetrics
  private let database: RetryingConnection
  private let unsent: UnsentRows
  private let logger: Logger
  private var queue = MarkQueue()
  private var pendingReceipts: [ReadReceipt] = []
  private var history = MarkHistory()
  /// The connection's generation.
  private var connected: GenerationFence.Generation?

  package init(_ store: Store) throws {
    database = try RetryingConnection(.mark, of: store)
    signal = database.signal
    fence = store.fence
    metrics = store.metrics
    unsent = store.unsent
    logger = store.logger
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

  // MARK: On its own thread

  /// Marks until it is stopped, and then what was written until then, for at most `Limits.markDrain`.
  package func work() async {
    while !signal.isStopped {
      gather()
      await mark()
    }
    let deadline = ContinuousClock.now + Limits.markDrain
    queue.retryLocked(at: .now)
    repeat {
      takeInbox()
      if queue.count == 0, pendingReceipts.isEmpty { break }
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

  /// Waits for rows, and a little longer for more of them.
  private func gather() {
    takeInbox()
    guard queue.isIdle, pendingReceipts.isEmpty else { return }
    do {
      let event = try database.connection.wait(queue.lockedWait(at: .now) ?? Limits.safetyInterval)
      if event.isWoken, !signal.isStopped, inbox.count < Limits.markEagerly {
        _ = try database.connection.wait(Limits.markDelay)
      }
    } catch {
      database.failed(error)
    }
    takeInbox()
  }

  private func takeInbox() {
    let taken = inbox.takeAll()
    if follow(taken.generation) {
      let dropped = queue.add(taken.marks, at: .now)
      if dropped > 0 { metrics.marksDropped.increment(by: dropped) }
      pendingReceipts += taken.receipts
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
      pendingReceipts = []
    case .older: return false
    }
    return true
  }

  private func mark() async {
    guard !queue.isIdle || !pendingReceipts.isEmpty || !database.connection.isConnected else { return }
    do {
      if let generation = try await database.connectWhenCurrent() {
        _ = follow(generation)
        connected = generation
      }
      try database.serve()
      queue.sort()
      while let batch = queue.next() { try mark(batch) }
      while !pendingReceipts.isEmpty { try writeReadReceipts() }
      database.succeeded()
    } catch {
      database.failed(error)
    }
  }

  private func mark(_ batch: MarkQueue.Batch) throws(StoreError) {
    guard database.served.contains(where: { $0.number == batch.table }) else {
      // The table is not served any more.
      queue.removed(batch, at: .now)
      return
    }
    let marking = try database.connection.markSent(batch.marks, in: batch.table, timeout: Limits.statementTimeout)
    if let transaction = marking.transaction, let connected {
      fence.recordDurable(transaction, number: connected.number)
    }
    queue.removed(batch, left: marking.left, at: .now)
    // A row that was marked before may have been counted off before, after another device's report. Which row that is
    // isn't known, so in that case all of them stay in the index, which errs on the high side.
    if marking.marked + marking.left.count == batch.marks.count {
      unsent.withLock { index in
        for row in batch.marks where !queue.hasLocked || !queue.isLocked(row) { index.remove(row) }
      }
    }
    metrics.rowsMarked.increment(by: marking.marked)
    metrics.marksPending.record(queue.count)
  }

  private func writeReadReceipts() throws(StoreError) {
    let batch = pendingReceipts.prefix(Limits.markRows)
    var updated = 0
    for table in database.served {
      // An id or a user that the table's columns can't hold names no row of it.
      let own = batch.filter { receipt in
        receipt.row.table == table.number && receipt.user.fits(table.recipientKind)
          && receipt.row.id.fits(table.idKind)
      }
      updated += try database.connection.markRead(own, in: table.number, timeout: Limits.statementTimeout)
    }
    metrics.idsIgnored.increment(by: batch.count - updated)
    pendingReceipts.removeFirst(batch.count)
  }
}
