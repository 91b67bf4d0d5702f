/// The id of a row in its table, as the database has it.
package enum RowID: Hashable, Sendable, Comparable {
  /// Of a smallint, integer or bigint column.
  case integer(Int64)
  /// Of a uuid or text column.
  case text(String)

  /// Byte by byte, as PostgreSQL compares: Swift's own equality takes different spellings of a character as the same.
  package static func == (left: RowID, right: RowID) -> Bool {
    switch (left, right) {
    case (.integer(let left), .integer(let right)): left == right
    case (.text(let left), .text(let right)): left.utf8.elementsEqual(right.utf8)
    default: false
    }
  }

  package func hash(into hasher: inout Hasher) {
    switch self {
    case .integer(let number): hasher.combine(number)
    case .text(let text): hasher.combine(text)
    }
  }

  /// The id as a column of this kind has it: a client may write it as a string whatever it is, which keeps all digits of
  /// a large number.
  package func fitted(to kind: ColumnKind) -> RowID {
    switch (self, kind) {
    case (.text(let text), .integer):
      var text = text
      return text.withUTF8 { DecimalInteger.read(UnsafeRawBufferPointer($0)) }.map { .integer($0) } ?? self
    case (.text(let text), .uuid):
      return ColumnKind.canonicalUUID(text).map { .text($0) } ?? self
    case (.integer(let number), .text):
      return .text(String(number))
    case (.integer, .integer), (.integer, .uuid), (.text, .text):
      return self
    }
  }

  /// Whether a column of this kind can hold the id.
  package func fits(_ kind: ColumnKind) -> Bool {
    switch (self, kind) {
    case (.integer, .integer): true
    // PostgreSQL's text holds no NUL.
    case (.text(let text), .text): !text.utf8.contains(0)
    case (.text(let text), .uuid): ColumnKind.isUUID(text)
    default: false
    }
  }

  /// Numbers by value, texts byte by byte (`COLLATE "C"`); numbers before texts, which never meet in one table.
  package static func < (left: RowID, right: RowID) -> Bool {
    switch (left, right) {
    case (.integer(let left), .integer(let right)): left < right
    case (.text(let left), .text(let right)): left.utf8.lexicographicallyPrecedes(right.utf8)
    case (.integer, .text): true
    case (.text, .integer): false
    }
  }
}

/// Identifies a row among the served tables.
package struct RowName: Hashable, Sendable, Comparable {
  /// The table's number in `notify_bridge.source`.
  package let table: Int32
  /// The row's primary key.
  package let id: RowID

  package init(table: Int32, id: RowID) {
    self.table = table
    self.id = id
  }

  package static func < (left: RowName, right: RowName) -> Bool {
    left.table != right.table ? left.table < right.table : left.id < right.id
  }
}

/// Identifies a row and, by the transaction that wrote it, across crashes that hand ids out again.
package struct RowKey: Hashable, Sendable, Comparable {
  /// The id of the transaction that wrote the row (`xid8`).
  package let txid: UInt64
  package let row: RowName

  package init(txid: UInt64, row: RowName) {
    self.txid = txid
    self.row = row
  }

  /// The order of delivery: by transaction id as a number, then by table, then by row id.
  package static func < (left: RowKey, right: RowKey) -> Bool {
    left.txid != right.txid ? left.txid < right.txid : left.row < right.row
  }
}
