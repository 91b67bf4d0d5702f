/// The rows that a connection had when its client fell behind. All others are replayed.
///
/// A class: it takes no memory in the many sessions whose clients keep up.
final class WrittenRows: Sendable {
  /// All rows of the deltas before.
  let base: Snapshot
  /// Of the delta that was read under this snapshot, the rows before this one.
  private let snapshot: Snapshot
  private let end: RowKey
  /// The rows that an earlier replay saw.
  private let replayed: Snapshot?

  /// - Parameter first: the first row that was left out, in an exact batch.
  init(before first: RowKey, of batch: DeliveryBatch, replayed: Snapshot?) {
    base = batch.base
    snapshot = batch.snapshot
    end = first
    self.replayed = replayed
  }

  /// Whether a row was written, or was sent before this device came.
  func contains(_ key: RowKey) -> Bool {
    base.sees(key.txid) || key < end && snapshot.sees(key.txid) || replayed?.sees(key.txid) ?? false
  }
}
