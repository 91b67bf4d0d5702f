package import NotifyCore

/// Which database this is, as far as the server tells.
package struct DatabaseIdentity: Sendable, Equatable {
  package let epoch: Epoch

  /// Reads it.
  ///
  /// - Throws: `schema` where `notify_bridge` is missing or not whole: a dump has the triggers last.
  package init(_ connection: PGConnection) throws(StoreError) {
    let row = try Self.read(connection)
    guard let identifier = row[0].flatMap({ Int64($0) }), let timeline = row[1].flatMap({ UInt32($0, radix: 16) }),
      let database = row[2].flatMap({ UInt32($0) })
    else {
      throw StoreError(.badAnswer, message: "the cluster's identity can't be read")
    }
    // Without a schema, verifying it explains what to do.
    if row[3] != nil, row[4] != "t" {
      throw StoreError(
        .schema, message: "the schema is not whole: it is being restored, or its restore has failed",
        hint: "Wait for the end of the restore. After one that failed: notify-bridge migrate", isRetriable: true)
    }
    epoch = Epoch(
      systemIdentifier: UInt64(bitPattern: identifier), timeline: timeline, database: database,
      catalog: row[3].flatMap { UInt32($0) } ?? 0)
  }

  private static func read(_ connection: PGConnection) throws(StoreError) -> [String?] {
    do {
      return try connection.query(
        """
        WITH ours AS (
          SELECT c.oid, c.relname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
          WHERE n.nspname = 'notify_bridge'::name)
        SELECT i.system_identifier, pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8),
          d.oid, (SELECT c.oid FROM ours AS c WHERE c.relname = 'source'::name), EXISTS (
            SELECT FROM pg_catalog.pg_trigger AS t JOIN ours AS c ON c.oid = t.tgrelid
            WHERE c.relname = 'revocation'::name AND t.tgname = 'notify_bridge_ring'::name)
        FROM pg_catalog.pg_control_system() AS i
        JOIN pg_catalog.pg_database AS d ON d.datname = pg_catalog.current_database()
        """)[0]
    } catch {
      guard error.sqlstate == "42501" else { throw error }
      let role = try connection.query("SELECT pg_catalog.quote_ident(current_user::text)")[0][0] ?? ""
      throw StoreError(
        .server, sqlstate: error.sqlstate,
        message: "the role \(role) may not read the server's identity: \(error.message)",
        hint: "As a superuser, in this database: GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system(), "
          + "pg_catalog.pg_walfile_name(pg_lsn), pg_catalog.pg_current_wal_lsn() TO \(role)")
    }
  }
}
