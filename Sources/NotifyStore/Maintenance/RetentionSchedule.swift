internal import NotifyCore

/// Decides when the retention deletes the next batch. A value; instants are arguments.
///
/// A round deletes batches until less than one is left. Between batches the other tasks have their turn.
struct RetentionSchedule: Sendable {
  private let rowsPerSecond: Int
  /// When the next batch is due; nil for at once.
  private var due: ContinuousClock.Instant?
  /// The rows that this round has deleted.
  private(set) var deleted: Int64 = 0

  /// - Parameter rowsPerSecond: rows to delete in a second at most; 0 for no limit.
  init(rowsPerSecond: Int) { self.rowsPerSecond = rowsPerSecond }

  /// Rows of a batch: no more than a second's, so that a slow pace is an even one.
  var batch: Int { rowsPerSecond == 0 ? Limits.purgeRows : min(Limits.purgeRows, rowsPerSecond) }

  /// How long until the next batch is due.
  func wait(at now: ContinuousClock.Instant) -> Duration { due.map { max($0 - now, .zero) } ?? .zero }

  /// It is not the time, or not this bridge's turn.
  ///
  /// - Returns: the rows that the round has deleted.
  mutating func pause(at now: ContinuousClock.Instant) -> Int64 { endRound(next: now + Limits.purgeTurnInterval) }

  /// A batch was deleted.
  ///
  /// - Parameters:
  ///   - rows: fewer than `batch` are the last.
  ///   - began: when the statement began: the pace counts from there.
  /// - Returns: the rows that the round has deleted, where it is over.
  mutating func deleted(_ rows: Int64, began: ContinuousClock.Instant, at now: ContinuousClock.Instant) -> Int64? {
    deleted += rows
    guard rows >= Int64(batch) else { return endRound(next: now + Limits.purgeInterval) }
    due = rowsPerSecond == 0 ? nil : began + .seconds(1) * (Double(rows) / Double(rowsPerSecond))
    return nil
  }

  /// The server refused it.
  mutating func failed(at now: ContinuousClock.Instant) { _ = endRound(next: now + Limits.purgeInterval) }

  private mutating func endRound(next: ContinuousClock.Instant) -> Int64 {
    defer { (deleted, due) = (0, next) }
    return deleted
  }
}
