internal import CNotifyStore
internal import Foundation
internal import NotifyCore

/// Marking rows sent and read.
extension PGConnection {
  /// The outcome of a marking.
  struct Marking {
    /// How many rows were marked.
    let marked: Int
    /// Indices of rows that are still unsent because another session holds them locked.
    let left: [Int]
    /// The committed transaction, where anything was marked: it is on disk.
    let transaction: UInt64?
  }

  /// Marks rows of one table sent, in one statement and one synchronous commit.
  func markSent(_ rows: [PendingMark], in table: Int32, timeout: Duration) throws(StoreError) -> Marking {
    var strings = CStrings()
    defer { strings.free() }
    var marks: [notify_store_mark] = []
    marks.reserveCapacity(rows.count)
    for row in rows { marks.append(notify_store_mark(id: strings.id(row.key.row.id), txid: row.key.txid)) }
    var marked = 0
    var transaction: UInt64 = 0
    var left = Array(repeating: false, count: rows.count)
    try check(
      notify_store_mark_sent(
        pointer, table, marks, marks.count, timeout.milliseconds, &marked, &left, &transaction))
    return Marking(
      marked: marked, left: left.indices.filter { left[$0] }, transaction: transaction == 0 ? nil : transaction)
  }

  /// Marks rows of one table read.
  ///
  /// - Parameter receipts: of users that the table's recipient column can hold.
  /// - Returns: how many rows changed.
  func markRead(_ receipts: [ReadReceipt], in table: Int32, timeout: Duration) throws(StoreError) -> Int {
    var strings = CStrings()
    defer { strings.free() }
    var ids: [notify_store_id] = []
    var users: [UnsafePointer<CChar>?] = []
    for receipt in receipts {
      ids.append(strings.id(receipt.row.id))
      users.append(strings.copy(receipt.user.text))
    }
    var updated = 0
    try check(
      notify_store_mark_read(pointer, table, ids, users, receipts.count, timeout.milliseconds, &updated))
    return updated
  }
  /// Marks no row of a table, sent or read, by the statement that marks rows.
  func tryMarking(_ table: TableMapping, receipts: Bool, timeout: Duration) throws(StoreError) {
    // No transaction is 0, and no row of any use has both this id and this recipient.
    let uuid = "ffffffff-ffff-ffff-ffff-ffffffffffff"
    let row = RowName(table: table.number, id: table.idKind == .integer ? .integer(.min) : .text(uuid))
    if receipts {
      let nobody = table.recipientKind == .uuid ? UserID(uuid) ?? UserID(.min) : UserID(.min)
      _ = try markRead([ReadReceipt(user: nobody, row: row)], in: table.number, timeout: timeout)
    } else {
      let mark = PendingMark(key: RowKey(txid: 0, row: row), user: UserID(0))
      _ = try markSent([mark], in: table.number, timeout: timeout)
    }
  }

  /// Bounds the time that a marking waits for a lock or runs, so that one row or table holds up no other, and keeps it out
  /// of the trigger for changed rows. Behind a pooler each marking sets the same for itself.
  func prepareMarking() throws(StoreError) {
    if isPooled { return }
    try query("SET lock_timeout = '1s'; SET statement_timeout = '2s'; SET notify_bridge.marking = on")
  }
}
