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
    if rows.isEmpty { return }
    try query(
      "SELECT notify_bridge.quarantine_rows('read', $1::integer[], $2::text[], $3::text[], $4::text[])",
      [
        Self.array(rows.map { String($0.key.row.table) }), Self.array(rows.map { $0.key.row.id.text }),
        Self.array(rows.map { String($0.key.txid) }), Self.array(rows.map(\.sqlstate)),
      ], timeout: Limits.statementTimeout)
  }

  /// An array as PostgreSQL reads it.
  private static func array(_ elements: [String]) -> String {
    let quoted = elements.map { element in
      "\"" + element.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
    return "{" + quoted.joined(separator: ",") + "}"
  }
}
