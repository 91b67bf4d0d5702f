internal import DequeModule
internal import NotifyCore

/// Decides which rows are marked next. Keeps a row until its marking is confirmed or it is set aside. A value; instants are
/// arguments.
///
/// A batch that fails is divided until the row that fails is alone. A table of which every row fails is set aside as a
/// whole: after a pause, its newest row shows whether it works again. (`Documentation/database.md`, "Marking")
struct MarkQueue: Sendable {
  /// Rows of one table.
  struct Batch: Sendable, Equatable {
    let table: Int32
    let marks: [PendingMark]
    /// The one row that shows whether a table works again.
    var isTrial = false
  }

  /// What a failure leads to.
  enum FailedMark: Sendable, Equatable {
    /// The next batch is a part of this one.
    case divided
    /// This row is out of the queue.
    case rowSetAside(PendingMark)
    /// The rows of the table wait, those that come later too.
    case tableSetAside
  }

  /// A table that is set aside.
  private struct WaitingTable: Sendable {
    var marks: Deque<PendingMark> = []
    var pause: TablePause
  }

  /// As they were reported; once sorted, each once and those of one table side by side, the oldest first.
  private var pending: Deque<PendingMark> = []
  /// Rows that were left unmarked without an error, and when their marking is tried again.
  private var locked: [RowKey: PendingMark] = [:]
  private var lockedUntil: ContinuousClock.Instant?
  /// How often each such row was left.
  private var timesLeft: [RowKey: Int] = [:]
  /// Tables with a failure lately.
  private var sizes: [Int32: BatchSize] = [:]
  private var paused: [Int32: WaitingTable] = [:]

  /// How many rows are not marked yet.
  var count: Int { pending.count + locked.count + paused.values.reduce(0) { $0 + $1.marks.count } }
  /// Whether no row can be marked now.
  func isIdle(at now: ContinuousClock.Instant) -> Bool { pending.isEmpty && trial(at: now) == nil }
  /// Whether rows wait for another session's lock.
  var hasLocked: Bool { !locked.isEmpty }
  /// Whether all that is left are tables that are set aside.
  var isDone: Bool { pending.isEmpty && locked.isEmpty }
  /// Whether a row of this table that fails is being looked for.
  func isDividing(_ table: Int32) -> Bool { sizes[table] != nil }
  /// Whether this table is set aside.
  func isPaused(_ table: Int32) -> Bool { paused[table] != nil }

  /// How long until rows are tried again; nil where none wait for that.
  func wait(at now: ContinuousClock.Instant) -> Duration? {
    let trials = paused.values.filter { !$0.marks.isEmpty }.map(\.pause.until)
    return (trials + [lockedUntil].compactMap { $0 }).min().map { max($0 - now, .zero) }
  }

  /// Adds rows, and those whose lock is to be tried again. The oldest beyond `Limits.pendingMarks` are dropped.
  ///
  /// - Returns: how many were dropped.
  mutating func add(_ marks: [PendingMark], at now: ContinuousClock.Instant) -> Int {
    pending += marks
    if let until = lockedUntil, until <= now {
      pending += locked.values
      locked = [:]
      lockedUntil = nil
    }
    let parked = paused.isEmpty ? 0 : park()
    let surplus = max(pending.count - Limits.pendingMarks, 0)
    pending.removeFirst(surplus)
    return surplus + parked
  }

  /// Moves rows to the tables that are set aside.
  ///
  /// - Returns: how many were dropped as too many.
  private mutating func park() -> Int {
    for mark in pending { paused[mark.key.row.table]?.marks.append(mark) }
    pending.removeAll { paused[$0.key.row.table] != nil }
    var dropped = 0
    for table in paused.keys {
      let surplus = max((paused[table]?.marks.count ?? 0) - Limits.pausedMarks, 0)
      paused[table]?.marks.removeFirst(surplus)
      dropped += surplus
    }
    return dropped
  }

  /// Drops everything: the rows are of another history.
  mutating func removeAll() { self = MarkQueue() }

  /// Has locked rows tried again at once.
  mutating func retryLocked(at now: ContinuousClock.Instant) {
    if !locked.isEmpty { lockedUntil = now }
  }

  /// Has a table that is set aside tried again at once.
  mutating func retry(_ table: Int32, at now: ContinuousClock.Instant) { paused[table]?.pause.end(at: now) }

  /// Leaves each row once, by table and then by key: a row is reported by each event loop that delivered it.
  mutating func sort() {
    // Places are sorted instead of rows, which are larger and cost more to move.
    var places = pending.enumerated().map { (table: $1.key.row.table, txid: $1.key.txid, at: $0) }
    places.sort { [pending] left, right in
      if left.table != right.table { return left.table < right.table }
      if left.txid != right.txid { return left.txid < right.txid }
      return pending[left.at].key.row.id < pending[right.at].key.row.id
    }
    var distinct: Deque<PendingMark> = []
    distinct.reserveCapacity(pending.count)
    for place in places where pending[place.at].key != distinct.last?.key { distinct.append(pending[place.at]) }
    pending = distinct
  }

  /// The first rows of the sorted queue: at most `Limits.markRows`, of one table. They stay until `removed` or `failed`.
  func next(at now: ContinuousClock.Instant) -> Batch? {
    if let trial = trial(at: now) { return trial }
    guard let table = pending.first?.key.row.table else { return nil }
    let rows = sizes[table]?.rows ?? Limits.markRows
    return Batch(table: table, marks: Array(pending.prefix(rows).prefix { $0.key.row.table == table }))
  }

  private func trial(at now: ContinuousClock.Instant) -> Batch? {
    for (table, paused) in paused where paused.pause.until <= now {
      if let newest = paused.marks.last { return Batch(table: table, marks: [newest], isTrial: true) }
    }
    return nil
  }

  /// The batch was marked, or needs no marking.
  ///
  /// - Parameter left: indices of rows in it that are unmarked still: another session holds them locked, or they can't be
  ///   marked.
  mutating func removed(_ batch: Batch, left: [Int] = [], at now: ContinuousClock.Instant) {
    sizes[batch.table]?.succeeded()
    if sizes[batch.table]?.isFull == true { sizes[batch.table] = nil }
    if batch.isTrial {
      paused[batch.table]?.marks.removeLast()
      resume(batch.table)
    } else {
      pending.removeFirst(batch.marks.count)
    }
    for index in left { locked[batch.marks[index].key] = batch.marks[index] }
    if !left.isEmpty || !timesLeft.isEmpty {
      for mark in batch.marks {
        timesLeft[mark.key] = locked[mark.key].map { _ in timesLeft[mark.key, default: 0] + 1 }
      }
    }
    if !locked.isEmpty, lockedUntil == nil { lockedUntil = now + Limits.markRetry }
  }

  /// Ends the pause of a table that works again.
  mutating func resume(_ table: Int32) {
    guard let marks = paused.removeValue(forKey: table)?.marks else { return }
    pending += marks
  }

  /// The statement failed for this batch, though not for the table as such.
  mutating func failed(_ batch: Batch, at now: ContinuousClock.Instant) -> FailedMark {
    if batch.isTrial {
      tableFailed(batch.table, at: now)
      return .tableSetAside
    }
    guard sizes[batch.table, default: BatchSize()].failed(batch.marks.count) else { return .divided }
    let mark = pending.removeFirst()
    timesLeft[mark.key] = nil
    if sizes[batch.table]?.failures ?? 0 >= Limits.failingRows {
      tableFailed(batch.table, at: now)
    }
    return .rowSetAside(mark)
  }

  /// No row of the table can be marked now.
  mutating func tableFailed(_ table: Int32, at now: ContinuousClock.Instant) {
    if paused[table]?.pause.failed(at: now) == nil { paused[table] = WaitingTable(pause: TablePause(at: now)) }
    sizes[table] = nil
    _ = park()
  }

  /// Whether a row was left unmarked at its last marking.
  func isLocked(_ row: PendingMark) -> Bool { locked[row.key] != nil }

  /// The rows of a batch that were left unmarked so often that a lock is not the likely reason.
  func oftenLeft(_ batch: Batch) -> [PendingMark] {
    timesLeft.isEmpty ? [] : batch.marks.filter { timesLeft[$0.key, default: 0] >= Limits.markTries }
  }

  /// A row that was left unmarked is set aside.
  mutating func removeLeft(_ mark: PendingMark) {
    locked[mark.key] = nil
    timesLeft[mark.key] = nil
  }
}
