import NotifyStore

/// A table that somebody named.
struct TableName: Equatable {
  /// Schema and table, as SQL has it.
  let name: String
  /// Its oid: what is left of a table that was dropped.
  let number: String
  /// Whether it is there.
  let exists: Bool

  /// Finds a table by `name` or `schema.name`, written as it is or quoted as in SQL.
  ///
  /// - Parameter given: what was typed; a shell takes quotes away, so a name with capitals may come without them.
  static func find(_ given: String, _ session: AttachSession) throws -> TableName {
    let exact = try session.connection.query(
      """
      SELECT format('%I.%I', n.nspname, c.relname), c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.relkind NOT IN ('i', 'I', 't', 'c')
        AND (n.nspname || '.' || c.relname = $1 OR c.relname = $1 AND pg_table_is_visible(c.oid))
      """, [given])
    if let table = exact.first.flatMap({ TableName(row: $0, exists: true) }) { return table }
    // A name that is no SQL is an error, and so are parts that are too many.
    let parsed = try? session.connection.query(
      """
      SELECT format('%I.%I', n.nspname, c.relname), c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.oid = to_regclass($1)
      """, [given])
    if let table = parsed?.first.flatMap({ TableName(row: $0, exists: true) }) { return table }
    throw Failure(
      "there is no table \(TerminalText.shortened(given, to: 80))",
      remedy: "Write it as schema.name; in a shell, quotes that SQL needs have to be quoted once more: '\"Name\"'.")
  }

  /// Finds a table that was dropped while it was attached.
  static func findDropped(_ given: String, _ session: AttachSession) throws -> TableName? {
    let rows = try session.connection.query(
      """
      SELECT s.added ->> 'name', s.relation::oid FROM notify_bridge.source AS s
      WHERE NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = s.relation)
        AND $1 IN (s.added ->> 'name', replace(s.added ->> 'name', '"', ''), s.relation::oid::text,
          regexp_replace(s.added ->> 'name', '^public\\.', ''))
      ORDER BY s.attached_at LIMIT 1
      """, [given])
    return rows.first.flatMap { TableName(row: $0, exists: false) }
  }

  private init?(row: [String?], exists: Bool) {
    guard row.count == 2, let name = row[0], let number = row[1] else { return nil }
    self.name = name
    self.number = number
    self.exists = exists
  }
}
