internal import DequeModule
internal import NotifyCore

/// Decides which read receipts are written next. A value; instants are arguments.
///
/// A batch that fails is divided, as with marks. A user whose receipts fail one after the other loses those that wait, so
/// that ids which the database can't read cost one client's receipts and not everybody's time.
struct ReceiptQueue: Sendable {
  /// Receipts of one table.
  struct ReceiptBatch: Sendable, Equatable {
    let table: Int32
    let receipts: [ReadReceipt]
  }

  /// What a failure leads to.
  enum FailedReceipt: Sendable, Equatable {
    /// The next batch is a part of this one.
    case divided
    /// This receipt is out of the queue, and so many others of its user.
    case rejected(ReadReceipt, others: Int)
  }

  private var pending: [Int32: Deque<ReadReceipt>] = [:]
  private var sizes: [Int32: BatchSize] = [:]
  private var failures: [UserID: Int] = [:]
  private var paused: [Int32: TablePause] = [:]
  /// Receipts of rows in quarantine.
  private var deferred: [RowName: ReadReceipt] = [:]

  /// How many receipts wait, apart from those of rows in quarantine.
  var count: Int { pending.values.reduce(0) { $0 + $1.count } }
  /// Whether no receipt can be written now.
  func isIdle(at now: ContinuousClock.Instant) -> Bool { next(at: now) == nil }
  /// Whether all that wait are of tables that are set aside.
  var isDone: Bool { pending.keys.allSatisfy { paused[$0] != nil } }
  /// Whether a receipt of this table that fails is being looked for.
  func isDividing(_ table: Int32) -> Bool { sizes[table] != nil }
  /// Whether this table is set aside.
  func isPaused(_ table: Int32) -> Bool { paused[table] != nil }

  /// How long until a table is tried again; nil where none waits for that.
  func wait(at now: ContinuousClock.Instant) -> Duration? {
    paused.filter { pending[$0.key] != nil }.values.map { max($0.until - now, .zero) }.min()
  }

  /// Adds receipts.
  ///
  /// - Returns: how many were dropped as too many.
  mutating func add(_ receipts: [ReadReceipt]) -> Int {
    let taken = receipts.prefix(max(Limits.pendingReceipts - count, 0))
    for receipt in taken { pending[receipt.row.table, default: []].append(receipt) }
    return receipts.count - taken.count
  }

  /// Drops everything: the receipts are of another history.
  mutating func removeAll() { self = ReceiptQueue() }

  /// The next receipts, at most `Limits.markRows`, of one table. They stay until `removed` or `failed`.
  func next(at now: ContinuousClock.Instant) -> ReceiptBatch? {
    for (table, receipts) in pending where paused[table].map({ $0.until <= now }) ?? true {
      return ReceiptBatch(table: table, receipts: Array(receipts.prefix(sizes[table]?.rows ?? Limits.markRows)))
    }
    return nil
  }

  /// The batch was written, or needs no writing.
  mutating func removed(_ batch: ReceiptBatch) {
    sizes[batch.table]?.succeeded()
    if sizes[batch.table]?.isFull == true { sizes[batch.table] = nil }
    paused[batch.table] = nil
    remove(batch.receipts.count, of: batch.table)
  }

  private mutating func remove(_ count: Int, of table: Int32) {
    pending[table]?.removeFirst(count)
    guard pending[table]?.isEmpty != false else { return }
    pending[table] = nil
    if pending.isEmpty { failures = [:] }
  }

  /// The statement failed for this batch, though not for the table as such.
  mutating func failed(_ batch: ReceiptBatch) -> FailedReceipt {
    guard sizes[batch.table, default: BatchSize()].failed(batch.receipts.count), let receipt = batch.receipts.first
    else { return .divided }
    remove(1, of: batch.table)
    failures[receipt.user, default: 0] += 1
    guard failures[receipt.user, default: 0] >= Limits.failingReceipts, let waiting = pending[batch.table] else {
      return .rejected(receipt, others: 0)
    }
    let kept = waiting.filter { $0.user != receipt.user }
    pending[batch.table] = kept.isEmpty ? nil : kept
    return .rejected(receipt, others: waiting.count - kept.count)
  }

  /// No row of the table can be marked now.
  mutating func tableFailed(_ table: Int32, at now: ContinuousClock.Instant) {
    if paused[table]?.failed(at: now) == nil { paused[table] = TablePause(at: now) }
  }

  /// Has a table that is set aside tried again at once.
  mutating func retry(_ table: Int32, at now: ContinuousClock.Instant) { paused[table]?.end(at: now) }

  // MARK: Rows in quarantine

  /// Keeps a receipt until its row is tried again.
  ///
  /// - Returns: whether there was room.
  mutating func deferReceipt(_ receipt: ReadReceipt) -> Bool {
    guard deferred.count < Limits.deferredReceipts else { return false }
    deferred[receipt.row] = receipt
    return true
  }

  /// The receipt of a row in quarantine.
  func deferredReceipt(_ row: RowName) -> ReadReceipt? { deferred[row] }
  /// The receipt of a row was written, or needs no writing.
  mutating func removeDeferred(_ row: RowName) { deferred[row] = nil }
}
