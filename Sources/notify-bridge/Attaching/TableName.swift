import NotifyStore

/// A table that a command names.
///
/// The name is looked up by the session's search path. Everything else in these statements is qualified or of exactly
/// the types of a built-in operator, so that an object of another role in the path is never used.
struct TableName: Equatable {
  /// Schema and table, as SQL has it.
  let name: String
  /// Its oid, which also identifies a table that was dropped.
  let number: String
  /// Whether it exists.
  let exists: Bool

  /// Finds a table by `name` or `schema.name`, written as it is or quoted as in SQL.
  ///
  /// - Parameter given: the name as typed. A shell removes quotes, so a name with capitals may come without them.
  static func find(_ given: String, _ connection: PGConnection) throws -> TableName {
    let exact = try connection.query(
      """
      SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.relkind NOT IN ('i', 'I', 't', 'c')
        AND (n.nspname::text || '.' || c.relname::text = $1 OR c.relname = $1 AND pg_catalog.pg_table_is_visible(c.oid))
      """, [given])
    if let table = exact.first.flatMap({ TableName(row: $0, exists: true) }) { return table }
    // A name that is not SQL is an error, and so are too many parts.
    let parsed = try? connection.query(
      """
      SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.oid = pg_catalog.to_regclass($1)::oid
      """, [given])
    if let table = parsed?.first.flatMap({ TableName(row: $0, exists: true) }) { return table }
    throw CommandFailure(
      "there is no table \(TerminalText.shortened(given, to: 80))",
      remedy: "Write it as schema.name; in a shell, quote SQL's quotes once more: '\"Name\"'.")
  }

  /// Finds a table that was dropped while it was attached.
  static func findDropped(_ given: String, _ connection: PGConnection) throws -> TableName? {
    let rows = try connection.query(
      """
      SELECT s.added ->> 'name'::text, s.relation::oid FROM notify_bridge.source AS s
      WHERE NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = s.relation::oid)
        AND $1 IN (s.added ->> 'name'::text, pg_catalog.replace(s.added ->> 'name'::text, '"', ''), s.relation::oid::text,
          pg_catalog.regexp_replace(s.added ->> 'name'::text, '^public\\.', ''))
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
