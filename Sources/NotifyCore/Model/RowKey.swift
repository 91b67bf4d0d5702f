/// Identifies a row in the table and, by the transaction that wrote it, across crashes that hand ids out again.
package struct RowKey: Hashable, Sendable, Comparable {
  /// The id of the transaction that wrote the row (`xid8`).
  package let txid: UInt64
  /// The row's primary key.
  package let id: Int64

  package init(txid: UInt64, id: Int64) {
    self.txid = txid
    self.id = id
  }

  /// The order of delivery: by transaction id as a number, then by row id.
  package static func < (left: RowKey, right: RowKey) -> Bool {
    left.txid != right.txid ? left.txid < right.txid : left.id < right.id
  }
}
