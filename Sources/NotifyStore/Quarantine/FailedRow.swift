internal import NotifyCore

/// A row that can't be read.
struct FailedRow: Sendable, Equatable {
  let key: RowKey
  /// The reason.
  let sqlstate: String

  /// A second row with an id that another row of its transaction has: no client and no marking could tell them apart.
  static func repeated(_ key: RowKey) -> FailedRow { FailedRow(key: key, sqlstate: "23505") }
}

extension PGConnection {
  /// Sets rows aside, in one statement: replays leave them out from now on.
  func quarantine(_ rows: [FailedRow]) throws(StoreError) {
    try quarantine(rows.map { (QuarantineItem.row($0.key), $0.sqlstate) }, stage: .read)
  }
}
