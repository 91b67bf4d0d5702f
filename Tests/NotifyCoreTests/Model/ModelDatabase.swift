import NotifyCore
import TestSupport

/// A table under writers, with the visibility rules of PostgreSQL and its habit of using ids again after a crash.
struct ModelDatabase: Hashable {
  struct Row: Hashable {
    let key: RowKey
    let user: UserID
    let writer: Int
    /// The writer's count: its rows must arrive in this order.
    let number: Int
    /// How many transactions had committed when this row's began.
    let began: Int
    var committed = 0
    /// The marking that marked it.
    var marking: Int?
    var isSent: Bool { marking != nil }
  }

  struct Transaction: Hashable {
    let id: UInt64
    let began: Int
    var rows: [Row] = []
  }

  private(set) var open: [Int: Transaction] = [:]
  private(set) var rows: [Row] = []
  private var nextTransaction: UInt64 = 100
  private var nextRow: Int64 = 1
  private var numbers: [Int: Int] = [:]
  private var commits = 0
  /// How many markings there were.
  private(set) var markings = 0
  /// The newest transaction that the bridge committed itself.
  private(set) var durable: UInt64 = 99
  /// Rows of transactions that were rolled back: nobody may see them.
  private(set) var rolledBack: [RowKey] = []

  var snapshot: Snapshot {
    Snapshot(xmax: nextTransaction, xip: open.values.map(\.id).sorted())
  }

  mutating func begin(_ writer: Int) {
    open[writer] = Transaction(id: nextTransaction, began: commits)
    nextTransaction += 1
  }

  mutating func insert(_ writer: Int, user: UserID) {
    guard let transaction = open[writer] else { return }
    numbers[writer, default: 0] += 1
    let row = Row(
      key: RowKey(txid: transaction.id, id: nextRow), user: user, writer: writer, number: numbers[writer] ?? 0,
      began: transaction.began)
    nextRow += 1
    open[writer]?.rows.append(row)
  }

  mutating func commit(_ writer: Int) {
    guard let transaction = open.removeValue(forKey: writer) else { return }
    commits += 1
    rows += transaction.rows.map {
      var row = $0
      row.committed = commits
      return row
    }
  }

  mutating func rollback(_ writer: Int) {
    guard let transaction = open.removeValue(forKey: writer) else { return }
    rolledBack += transaction.rows.map(\.key)
  }

  /// Marks rows sent in a transaction of the bridge's own, which is on disk then.
  mutating func mark(_ keys: Set<RowKey>) {
    let marked = rows.indices.filter { keys.contains(rows[$0].key) && !rows[$0].isSent }
    if !marked.isEmpty { markings += 1 }
    for index in marked { rows[index].marking = markings }
    durable = nextTransaction
    nextTransaction += 1
  }

  /// All sessions are cut; ids that left no trace on disk are handed out again.
  mutating func crash() {
    for writer in open.keys.sorted() { rollback(writer) }
    let newestOnDisk = max(rows.map(\.key.txid).max() ?? 0, durable)
    nextTransaction = newestOnDisk + 1
    rolledBack.removeAll { $0.txid > newestOnDisk }
  }
}
