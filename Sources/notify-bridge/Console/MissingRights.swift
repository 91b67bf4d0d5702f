import NotifyStore

/// The rights that a role lacks for a command, with the statements that give them.
enum MissingRights {
  /// A remedy for each right that `migrate` lacks.
  ///
  /// - Parameter ownTable: whether `public.notification` is to be made.
  static func toMigrate(_ connection: PGConnection, ownTable: Bool) -> String {
    remedies(
      connection,
      """
      SELECT pg_catalog.format('As the owner of the database: GRANT CREATE ON DATABASE %I TO %I', pg_catalog.current_database(), current_user)
      WHERE pg_catalog.to_regnamespace('notify_bridge') IS NULL
        AND NOT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
      UNION ALL
      SELECT pg_catalog.format('As the owner of schema public: GRANT CREATE ON SCHEMA public TO %I, or migrate with --no-table', current_user)
      FROM pg_catalog.pg_namespace AS n
      WHERE n.nspname = 'public' AND $1::boolean AND pg_catalog.to_regclass('public.notification') IS NULL
        AND NOT pg_catalog.has_schema_privilege(n.oid, 'CREATE')
      UNION ALL
      SELECT pg_catalog.format('Run it as %I, which owns schema notify_bridge', pg_catalog.pg_get_userbyid(n.nspowner))
      FROM pg_catalog.pg_namespace AS n
      WHERE n.nspname = 'notify_bridge' AND NOT pg_catalog.pg_has_role(n.nspowner, 'MEMBER')
      """, [ownTable ? "true" : "false"])
  }

  /// The remedy where a role may not insert into a table, and return the row's id.
  static func toInsert(_ connection: PGConnection, into table: TableMapping) -> String {
    remedies(
      connection,
      """
      SELECT pg_catalog.format('As the owner of %1$s: GRANT %2$s ON %1$s TO %3$I', $1::text, pg_catalog.string_agg(lacking.name, ', '), current_user)
      FROM (
        SELECT 'INSERT' WHERE NOT pg_catalog.has_table_privilege(pg_catalog.to_regclass($1)::oid, 'INSERT')
        UNION ALL
        SELECT pg_catalog.format('SELECT (%I)', $2::text)
        WHERE NOT pg_catalog.has_column_privilege(pg_catalog.to_regclass($1)::oid, $2, 'SELECT')
      ) AS lacking (name)
      HAVING pg_catalog.count(*) > 0
      """, [table.relation, table.id])
  }

  /// The remedy where a role may not use schema `notify_bridge`.
  static func toUseSchema(_ connection: PGConnection) -> String {
    let rows = try? connection.query(
      """
      SELECT current_user FROM pg_catalog.pg_namespace AS n
      WHERE n.nspname = 'notify_bridge' AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
      """)
    return (rows?.first?.first ?? nil).map(Remedy.grant) ?? ""
  }

  private static func remedies(_ connection: PGConnection, _ query: String, _ parameters: [String?]) -> String {
    // Where this fails too, the first failure has more to say.
    let rows = try? connection.query(query, parameters)
    return (rows ?? []).compactMap(\.first).compactMap { $0 }.map(TerminalText.escaped).joined(separator: "\n")
  }
}
