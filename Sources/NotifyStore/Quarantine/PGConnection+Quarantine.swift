internal import NotifyCore

/// The quarantine's functions. (`Documentation/database.md`, "Quarantine")
extension PGConnection {
  /// Sets items aside, or counts another failure of each.
  func quarantine(_ items: [(item: QuarantineItem, sqlstate: String)], stage: QuarantineStage) throws(StoreError) {
    guard !items.isEmpty else { return }
    try query(
      "SELECT notify_bridge.quarantine_rows($1, $2::integer[], $3::text[], $4::text[], $5::text[])",
      [stage.rawValue] + Self.arrays(items.map(\.item)) + [SQLArray.text(items.map(\.sqlstate))])
  }

  /// Ends the quarantine of items that work again.
  func release(_ items: [QuarantineItem], stage: QuarantineStage) throws(StoreError) {
    guard !items.isEmpty else { return }
    try query(
      "SELECT notify_bridge.release_rows($1, $2::integer[], $3::text[], $4::text[])",
      [stage.rawValue] + Self.arrays(items))
  }

  /// Takes items that are due, for one more attempt.
  func claimQuarantined(stage: QuarantineStage, limit: Int) throws(StoreError) -> [QuarantineItem] {
    try query(
      "SELECT c.source, c.row_id, c.txid::text FROM notify_bridge.claim_quarantined($1, $2::integer) AS c",
      [stage.rawValue, String(limit)]
    ).compactMap { row in
      guard let table = row[0].flatMap({ Int32($0) }), let txid = row[2].flatMap({ UInt64($0) }) else { return nil }
      return QuarantineItem(table: table, rowID: row[1], txid: txid)
    }
  }

  /// Which of these unsent rows nobody holds locked. It locks them for a moment.
  func unlocked(_ marks: [PendingMark], in table: TableMapping) throws(StoreError) -> [PendingMark] {
    let type =
      switch table.idKind {
      case .integer: "int8"
      case .uuid: "uuid"
      case .text: "text"
      }
    let rows = try query(
      """
      SELECT pair.place FROM unnest($1::\(type)[], $2::xid8[]) WITH ORDINALITY AS pair (id, txid, place),
      LATERAL (SELECT FROM \(table.relation) AS n
        WHERE n.\(TableMapping.quoted(table.id)) OPERATOR(pg_catalog.=) pair.id
          AND n.\(TableMapping.quoted(table.txid)) = pair.txid AND n.\(TableMapping.quoted(table.sentAt)) IS NULL
        FOR NO KEY UPDATE OF n SKIP LOCKED) AS target
      """, [SQLArray.text(marks.map(\.key.row.id.sqlText)), SQLArray.text(marks.map { String($0.key.txid) })])
    return rows.compactMap { row in row[0].flatMap { Int($0) } }.filter { (1...marks.count).contains($0) }
      .map { marks[$0 - 1] }
  }

  private static func arrays(_ items: [QuarantineItem]) -> [String?] {
    [
      SQLArray.integers(items.map(\.table)), SQLArray.text(items.map(\.rowID)), SQLArray.integers(items.map(\.txid)),
    ]
  }
}
