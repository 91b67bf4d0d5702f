internal import NotifyCore

/// What failed.
enum QuarantineStage: String, Sendable {
  case read, mark, purge
}

/// A row, or a table as a whole, that is set aside.
struct QuarantineItem: Hashable, Sendable {
  let table: Int32
  /// The id's text; nil for the table.
  let rowID: String?
  /// 0 where it doesn't matter.
  let txid: UInt64

  static func table(_ number: Int32) -> QuarantineItem { QuarantineItem(table: number, rowID: nil, txid: 0) }

  static func row(_ key: RowKey) -> QuarantineItem {
    QuarantineItem(table: key.row.table, rowID: key.row.id.sqlText, txid: key.txid)
  }

  /// The row of a table with such ids; nil for a table, or where the id is none.
  func key(_ kind: ColumnKind) -> RowKey? {
    guard let rowID else { return nil }
    let id: RowID? = kind == .integer ? Int64(rowID).map { .integer($0) } : .text(rowID)
    return id.map { RowKey(txid: txid, row: RowName(table: table, id: $0)) }
  }
}

extension RowID {
  /// The id as SQL text.
  var sqlText: String {
    switch self {
    case .integer(let number): String(number)
    case .text(let text): text
    }
  }
}
