internal import DequeModule
internal import NotifyCore

/// Decides which rows are marked next. Keeps a row until its marking is confirmed. A value; instants are arguments.
struct MarkQueue: Sendable {
  /// Rows of one table.
  struct Batch: Sendable, Equatable {
    let table: Int32
    let marks: [PendingMark]
  }

  /// As they were reported; once sorted, each once and those of one table side by side, the oldest first.
  private var pending: Deque<PendingMark> = []
  /// Rows that another session holds locked, and when their marking is tried again.
  private var locked: [RowKey: PendingMark] = [:]
  private var lockedUntil: ContinuousClock.Instant?

  /// How many rows are not marked yet.
  var count: Int { pending.count + locked.count }
  /// Whether no row can be marked now.
  var isIdle: Bool { pending.isEmpty }
  /// Whether rows wait for another session's lock.
  var hasLocked: Bool { !locked.isEmpty }

  /// How long until locked rows are tried again; nil where there are none.
  func lockedWait(at now: ContinuousClock.Instant) -> Duration? {
    lockedUntil.map { max($0 - now, .zero) }
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
    let surplus = max(pending.count - Limits.pendingMarks, 0)
    pending.removeFirst(surplus)
    return surplus
  }

  /// Drops everything: the rows are of another history.
  mutating func removeAll() {
    pending = []
    locked = [:]
    lockedUntil = nil
  }

  /// Has locked rows tried again at once.
  mutating func retryLocked(at now: ContinuousClock.Instant) {
    if !locked.isEmpty { lockedUntil = now }
  }

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

  /// The first rows of the sorted queue: at most `Limits.markRows`, of one table. They stay until `removed`.
  func next() -> Batch? {
    guard let table = pending.first?.key.row.table else { return nil }
    return Batch(table: table, marks: Array(pending.prefix(Limits.markRows).prefix { $0.key.row.table == table }))
  }

  /// The first batch was marked, or needs no marking.
  ///
  /// - Parameter left: indices of rows in it that another session holds locked.
  mutating func removed(_ batch: Batch, left: [Int] = [], at now: ContinuousClock.Instant) {
    pending.removeFirst(batch.marks.count)
    for index in left { locked[batch.marks[index].key] = batch.marks[index] }
    if !locked.isEmpty, lockedUntil == nil { lockedUntil = now + Limits.markRetry }
  }

  /// Whether a row waits for another session's lock.
  func isLocked(_ row: PendingMark) -> Bool { locked[row.key] != nil }
}
