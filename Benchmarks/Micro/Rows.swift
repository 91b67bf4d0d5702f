import NotifyCore

/// Rows as the store reads them.
enum Rows {
  static let oneTable = TableCatalog([.init(number: 1, name: "public.notification", recipientKind: .integer)])
  static let payload = Array(#"{"title":"Your order was shipped","url":"/orders/81234","n":7}"#.utf8)
  /// 2026-11-23T08:00:00Z in microseconds since 1970.
  static let instant: Int64 = 1_795_420_800_000_000
  /// The transaction of all rows.
  static let txid: UInt64 = 300
  private static let base = Snapshot(xmax: 250)
  private static let snapshot = Snapshot(xmax: 350)
  private static let cursor = Cursor(epoch: CoreBenchmarks.epoch, snapshot: snapshot, durable: 349).text

  static func uuid(_ number: Int) -> UserID {
    UserID("0192f0c1-7d2e-7b3a-9c4d-\(String(100_000_000_000 + number))") ?? UserID(Int64(number))
  }

  static func add(_ user: UserID, _ id: Int, to builder: inout BatchBuilder) {
    let key = RowKey(txid: txid, row: RowName(table: 1, id: .integer(Int64(id))))
    payload.withUnsafeBytes {
      builder.add(user: user, key: key, createdAt: instant + Int64(id), data: $0)
    }
  }

  static func finish(_ builder: inout BatchBuilder, loops: [LoopSet]? = nil) -> DeliveryBatch {
    builder.finish(base: base, snapshot: snapshot, cursor: cursor, doorbell: .now, loops: loops)
  }
}
