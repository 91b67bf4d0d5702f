internal import DequeModule
internal import Logging
internal import Metrics
package import NotifyCore
internal import ServiceLifecycle
internal import Synchronization

/// Marks rows sent after they were written, in batches, and records what users have read.
///
/// What isn't confirmed by the database is kept, bounded, and repeated: marking twice changes nothing.
package actor Marker: Service, ConfirmationSink {
  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  private nonisolated let thread = DedicatedThread(name: "nb-mark")

  private struct Receipt: Sendable {
    let user: UserID
    let row: RowName
    let epoch: Epoch?
  }

  /// A row with the history that it was reported in: another connection may have found a new one before this one does.
  private struct Report: Sendable {
    let row: PendingMark
    let epoch: Epoch?
  }

  private let context: StoreContext
  private let worker: RetryingConnection
  private nonisolated let metrics: BridgeMetrics
  private nonisolated let signal: RetryingConnection.Signal
  private nonisolated let inbox = Inbox<Report>()
  private nonisolated let receipts = Inbox<Receipt>()
  /// As they were reported; while they are marked, each once and those of one table side by side, the oldest first.
  private var pending: Deque<Report> = []
  private var locked: [RowKey: Report] = [:]
  private var lockedUntil: ContinuousClock.Instant?
  private var unreported: [Receipt] = []
  private var moment: GenerationFence.Generation?

  package init(_ context: StoreContext) throws {
    self.context = context
    metrics = context.metrics
    worker = try RetryingConnection("mark", context)
    signal = worker.signal
  }

  // MARK: From any thread

  package nonisolated func written(_ rows: [PendingMark]) {
    let epoch = context.fence.moment?.epoch
    let (before, now) = inbox.append(rows.map { Report(row: $0, epoch: epoch) })
    // The thread waits for the first row, then for a batch worth marking at once.
    if before == 0 || (before < Limits.markEagerly && now >= Limits.markEagerly) { signal.wake() }
  }

  package nonisolated func read(user: UserID, rows: [RowName]) {
    guard receipts.count + rows.count <= Limits.pendingReceipts else {
      metrics.idsIgnored.increment(by: rows.count)
      return
    }
    let epoch = context.fence.moment?.epoch
    let (before, _) = receipts.append(rows.map { Receipt(user: user, row: $0, epoch: epoch) })
    if before == 0 { signal.wake() }
  }

  // MARK: On its own thread

  /// Runs until graceful shutdown, and then until what was written is marked, at most `Limits.markDrain`.
  package func run() async throws {
    await withTaskCancellationOrGracefulShutdownHandler {
      await loop()
    } onCancelOrGracefulShutdown: { [signal] in
      signal.stop()
    }
  }

  private func loop() async {
    while !signal.isStopped {
      await gather()
      await work()
    }
    let deadline = ContinuousClock.now + Limits.markDrain
    // What somebody held is tried again at once.
    if !locked.isEmpty { lockedUntil = .now }
    repeat {
      takeInbox()
      if pending.isEmpty, locked.isEmpty, unreported.isEmpty { break }
      await work()
      if !locked.isEmpty { _ = try? worker.connection.wait(Limits.markDelay) }
    } while ContinuousClock.now < deadline
    if !pending.isEmpty || !locked.isEmpty {
      context.logger.warning(
        "stopping with rows that were sent but not marked: they are sent again",
        metadata: [LogKey.rows: "\(pending.count + locked.count)"])
    }
    worker.connection.close()
  }

  /// Waits for something to do, and a little longer for more of it.
  private func gather() async {
    takeInbox()
    guard pending.isEmpty, unreported.isEmpty else { return }
    let patience = lockedUntil.map { max($0 - .now, .zero) } ?? Limits.safetyInterval
    do {
      var event = try worker.connection.wait(patience)
      if event.isWoken, !signal.isStopped, inbox.count < Limits.markEagerly {
        event = try worker.connection.wait(Limits.markDelay)
      }
    } catch {
      worker.failed(error)
    }
    takeInbox()
  }

  private func takeInbox() {
    pending += inbox.takeAll()
    if let until = lockedUntil, until <= .now {
      pending += locked.values
      locked = [:]
      lockedUntil = nil
    }
    unreported += receipts.takeAll()
    let surplus = pending.count - Limits.pendingMarks
    if surplus > 0 {
      pending.removeFirst(surplus)
      metrics.marksDropped.increment(by: surplus)
    }
    metrics.marksPending.record(pending.count + locked.count)
  }

  private func work() async {
    guard !pending.isEmpty || !unreported.isEmpty || !worker.connection.isConnected else { return }
    do {
      if let confirmed = try await worker.connectConfirmed() {
        if let moment, moment.epoch != confirmed.epoch {
          // Rows of another history: their ids may name other rows here.
          pending.removeAll { $0.epoch != confirmed.epoch }
          locked = locked.filter { $0.value.epoch == confirmed.epoch }
          unreported.removeAll { $0.epoch != confirmed.epoch }
        }
        moment = confirmed
      }
      try worker.serve()
      pending = Self.distinct(pending)
      while !pending.isEmpty { try mark() }
      while !unreported.isEmpty { try report() }
      worker.succeeded()
    } catch {
      worker.failed(error)
    }
  }

  private func mark() throws(StoreError) {
    guard let source = pending.first?.row.key.row.source else { return }
    let taken = pending.prefix(Limits.markRows).prefix { $0.row.key.row.source == source }
    guard worker.served.contains(where: { $0.number == source }) else {
      // Its table is not served any more.
      pending.removeFirst(taken.count)
      return
    }
    let reports = Array(taken)
    let keys = reports.map(\.row.key)
    let marking = try worker.connection.markSent(keys, in: source, timeout: Limits.statementTimeout)
    if let transaction = marking.transaction, let moment {
      context.fence.committed(transaction, generation: moment.generation)
    }
    pending.removeFirst(taken.count)
    for index in marking.left { locked[keys[index]] = reports[index] }
    if !locked.isEmpty, lockedUntil == nil { lockedUntil = .now + Limits.markRetry }
    // Where one of them had been marked before, it may have been counted off before too, after the report of another
    // device; which one isn't known, so all of these stay in the index, which errs on the high side.
    if marking.marked + marking.left.count == reports.count {
      context.unsent.withLock { index in
        for row in reports.map(\.row) where locked.isEmpty || locked[row.key] == nil { index.remove(row) }
      }
    }
    metrics.rowsMarked.increment(by: marking.marked)
    metrics.marksPending.record(pending.count + locked.count)
  }

  /// Each row once, by table and then in the order of keys: a row that several devices got was reported several times.
  private static func distinct(_ reports: Deque<Report>) -> Deque<Report> {
    // Places are sorted instead of reports, which are larger and cost more to move.
    var places = reports.enumerated().map { (source: $1.row.key.row.source, txid: $1.row.key.txid, at: $0) }
    places.sort { left, right in
      if left.source != right.source { return left.source < right.source }
      if left.txid != right.txid { return left.txid < right.txid }
      return reports[left.at].row.key.row.id < reports[right.at].row.key.row.id
    }
    var distinct: Deque<Report> = []
    distinct.reserveCapacity(reports.count)
    for place in places where reports[place.at].row.key != distinct.last?.row.key { distinct.append(reports[place.at]) }
    return distinct
  }

  private func report() throws(StoreError) {
    let batch = unreported.prefix(Limits.markRows)
    var updated = 0
    for source in worker.served {
      // What the table's columns can't hold names no row of it.
      let own = batch.filter { receipt in
        receipt.row.source == source.number && receipt.user.fits(source.recipientKind)
          && receipt.row.id.fits(source.idKind)
      }
      updated += try worker.connection.markRead(
        own.map { (user: $0.user, id: $0.row.id) }, in: source.number, timeout: Limits.statementTimeout)
    }
    metrics.idsIgnored.increment(by: batch.count - updated)
    unreported.removeFirst(batch.count)
  }
}
