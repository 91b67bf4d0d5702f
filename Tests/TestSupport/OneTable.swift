package import NotifyCore

// Most tests have one table, number 1, whose ids are integers.

extension RowID: ExpressibleByIntegerLiteral {
  /// The id of an integer column.
  public init(integerLiteral value: Int64) { self = .integer(value) }
}

extension RowName: ExpressibleByIntegerLiteral {
  /// A row of the one table.
  public init(integerLiteral value: Int64) { self.init(table: 1, id: .integer(value)) }
}

extension RowKey {
  /// A row of the one table.
  package init(txid: UInt64, id: Int64) { self.init(txid: txid, row: RowName(table: 1, id: .integer(id))) }

  /// The row's id; 0 where it is a text.
  package var id: Int64 {
    if case .integer(let number) = row.id { number } else { 0 }
  }
}
