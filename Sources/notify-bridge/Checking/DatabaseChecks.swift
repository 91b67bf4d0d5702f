import Foundation
import NotifyCore
import NotifyStore

/// Checks the database. Writes no row.
struct DatabaseChecks {
  /// The time limit of a statement.
  private static let statement: Duration = .milliseconds(1_500)

  let settings: Settings
  let url: Secret

  /// Runs all checks that the role's rights allow.
  func run(_ report: inout CheckReport) {
    let connection: PGConnection
    do {
      connection = try Database.connect(url, timeout: .seconds(3))
    } catch {
      let failure = CommandFailure(error)
      return report.fail("database", failure.message, failure.remedy)
    }
    defer { connection.close() }
    checkVersion(connection, &report)
    attempt("schema", &report) { report in
      guard try checkSchemaRights(connection, &report) else { return }
      try Migrator(connection).verify()
      report.ok("schema", "up to date, version \(Migration.all.count), functions \(FunctionSet.current.version)")
      if try checkRights(connection, &report) {
        attempt("tables", &report) { try TableChecks(connection: connection).run(&$0) }
        attempt("quarantine", &report) { try QuarantineCheck(connection: connection).run(&$0) }
      }
      try LoginChecks(settings: settings).run(connection, &report)
    }
    attempt("listen", &report) { try ListenCheck(url: settings.store.listenURL ?? url).run(&$0) }
    attempt("identity", &report) { report in
      guard try connection.query("SELECT pg_is_in_recovery()", timeout: Self.statement).first?.first != "t" else {
        return
      }
      _ = try DatabaseIdentity(connection)
      report.ok("identity", "the server's identity can be read")
    }
    attempt("two-phase", &report) {
      try TwoPhaseCheck(isExpected: settings.store.doorbell.twoPhaseWriters).run(connection, &$0)
    }
    attempt("connections", &report) { try checkConnections(connection, &$0) }
    attempt("clock", &report) { try checkClock(connection, &$0) }
  }

  private func attempt(
    _ subject: String, _ report: inout CheckReport, _ check: (inout CheckReport) throws -> Void
  ) {
    do {
      try check(&report)
    } catch {
      let failure = CommandFailure(error)
      report.fail(subject, failure.message, failure.remedy)
    }
  }

  private func checkVersion(_ connection: PGConnection, _ report: inout CheckReport) {
    let version = connection.serverVersion
    let name = "PostgreSQL \(version / 10_000).\(version % 10_000)"
    if version < 140_000 {
      report.fail("database", "reachable, \(name)", "14 or newer is needed")
    } else {
      report.ok("database", "reachable, \(name)")
    }
  }

  /// Whether the role may read the schema; without that right no other check means anything.
  private func checkSchemaRights(_ connection: PGConnection, _ report: inout CheckReport) throws -> Bool {
    let rows = try connection.query(
      """
      SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE'), current_user, (
        SELECT bool_and(pg_catalog.has_table_privilege(c.oid, 'SELECT')) FROM pg_class AS c
        WHERE c.relnamespace = n.oid AND c.relname IN ('migration', 'functions'))
      FROM pg_namespace AS n WHERE n.nspname = 'notify_bridge'
      """, timeout: Self.statement)
    guard let row = rows.first else { return true }
    guard row[0] == "t", row[2] != "f" else {
      report.fail("rights", "the role \(row[1] ?? "") may not use schema notify_bridge", Remedy.grant(row[1] ?? ""))
      return false
    }
    return true
  }

  /// Checks the role's rights.
  ///
  /// - Returns: whether it may read the list of served tables.
  private func checkRights(_ connection: PGConnection, _ report: inout CheckReport) throws -> Bool {
    let rows = try connection.query(
      """
      SELECT current_user, what FROM (
        SELECT 'SELECT on notify_bridge.' || c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'notify_bridge'
          AND c.relname IN ('migration', 'functions', 'source', 'served', 'replica', 'revocation', 'login',
            'quarantined', 'quarantine')
          AND NOT pg_catalog.has_table_privilege(c.oid, 'SELECT')
        UNION ALL
        SELECT 'EXECUTE on notify_bridge.' || p.proname::text FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname = 'notify_bridge'
          AND p.proname IN ('register_replica', 'arm', 'heartbeat_replica', 'unregister_replica', 'purge',
            'repair_txids', 'repair_rows', 'lookup_credentials', 'login_tables', 'login_problem', 'user_columns', 'resolve_table', 'column_type', 'kind_of',
            'redeem_tickets', 'clean_logins', 'resend', 'quarantine_rows', 'release_rows', 'claim_quarantined',
            'retry_quarantined', 'clean_quarantine', 'is_hidden_from', 'touch_recorder', 'record_presence', 'record_connections',
            'record_deliveries', 'clean_recorders', 'purge_logs')
          AND NOT pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
        UNION ALL
        SELECT 'SELECT on ' || c.oid::regclass::text FROM notify_bridge.source AS s JOIN pg_class AS c ON c.oid = s.relation::oid
        WHERE NOT pg_catalog.has_table_privilege(c.oid, 'SELECT')
        UNION ALL
        SELECT 'USAGE on schema ' || n.nspname::text FROM notify_bridge.source AS s JOIN pg_class AS c ON c.oid = s.relation::oid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
        UNION ALL
        SELECT pg_catalog.format('UPDATE (%s) on %s', a.attname, c.oid::regclass)
        FROM notify_bridge.source AS s JOIN pg_class AS c ON c.oid = s.relation::oid
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE a.attname IN (s.sent_column, s.sent_at_column, s.read_column, s.read_at_column)
          AND NOT pg_catalog.has_column_privilege(c.oid, a.attnum, 'UPDATE')
      ) AS missing (what)
      """, timeout: Self.statement)
    guard let role = rows.first?.first ?? nil else {
      report.ok("rights", "the role has all rights that the bridge needs")
      return true
    }
    let missing = rows.compactMap { $0[1] }
    let more = missing.count > 3 ? " and \(missing.count - 3) more" : ""
    report.fail(
      "rights", "the role \(role) lacks \(missing.prefix(3).joined(separator: ", "))\(more)", Remedy.grant(role))
    return !missing.contains("SELECT on notify_bridge.served")
  }

  /// Checks how many connections the role and the database allow. A superuser has no limit.
  private func checkConnections(_ connection: PGConnection, _ report: inout CheckReport) throws {
    let rows = try connection.query(
      """
      SELECT least(nullif(r.rolconnlimit, -1), nullif(d.datconnlimit, -1))
      FROM pg_roles AS r, pg_database AS d
      WHERE r.rolname = current_user AND NOT r.rolsuper AND d.datname = pg_catalog.current_database()
      """, timeout: Self.statement)
    let kept = RetryingConnection.count
    guard let limit = (rows.first?.first ?? nil).flatMap({ Int($0) }), limit < 2 * kept else { return }
    let needed = "a bridge keeps \(kept), and commands and reconnects need some more"
    let remedy = "Raise the CONNECTION LIMIT to \(2 * kept): ALTER ROLE or ALTER DATABASE"
    if limit < kept {
      report.fail("connections", "the role may have \(limit): \(needed)", remedy)
    } else {
      report.warn("connections", "the role may have \(limit): \(needed)", remedy)
    }
  }

  private func checkClock(_ connection: PGConnection, _ report: inout CheckReport) throws {
    let before = Date()
    let rows = try connection.query("SELECT extract(epoch FROM clock_timestamp())", timeout: Self.statement)
    let middle = (before.timeIntervalSince1970 + Date().timeIntervalSince1970) / 2
    guard let theirs = (rows.first?.first ?? nil).flatMap({ Double($0) }) else { return }
    let difference = abs(theirs - middle)
    let shown = String(format: "%.3f s", difference)
    if difference > 1 {
      report.warn(
        "clock", "the clocks of this machine and of the database differ by \(shown)",
        "Set both by NTP: the expiry of tokens and the measured latencies depend on them")
    } else {
      report.ok("clock", "differs from the database's by \(shown)")
    }
  }
}
