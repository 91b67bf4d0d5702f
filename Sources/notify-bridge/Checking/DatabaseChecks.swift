import Foundation
import NotifyCore
import NotifyStore

/// What has to be right in the database. Writes no row.
struct DatabaseChecks {
  /// How long a single statement may take.
  private static let statement: Duration = .milliseconds(1_500)

  let settings: Settings
  let url: Secret

  /// Looks at everything, as far as that is possible.
  func run(_ report: inout CheckReport) {
    let connection: Connection
    do {
      connection = try Database.connect(url, patience: .seconds(3))
    } catch {
      let failure = Failure(error)
      return report.fail("database", failure.message, failure.remedy)
    }
    defer { connection.close() }
    checkVersion(connection, &report)
    attempt("schema", &report) { report in
      guard try checkSchemaRights(connection, &report) else { return }
      try Migrator(connection).verify()
      report.ok("schema", "up to date, \(Migration.all.count) migrations")
      try checkRights(connection, &report)
      try checkTables(connection, &report)
      try LoginChecks(settings: settings).run(connection, &report)
    }
    attempt("listen", &report) { try ListenCheck(url: settings.secret(.databaseListenURL) ?? url).run(&$0) }
    attempt("clock", &report) { try checkClock(connection, &$0) }
  }

  private func attempt(
    _ subject: String, _ report: inout CheckReport, _ check: (inout CheckReport) throws -> Void
  ) {
    do {
      try check(&report)
    } catch {
      let failure = Failure(error)
      report.fail(subject, failure.message, failure.remedy)
    }
  }

  private func checkVersion(_ connection: Connection, _ report: inout CheckReport) {
    let version = connection.serverVersion
    let name = "PostgreSQL \(version / 10_000).\(version % 10_000)"
    if version < 140_000 {
      report.fail("database", "reachable, \(name)", "14 or newer is needed")
    } else {
      report.ok("database", "reachable, \(name)")
    }
  }

  /// Whether the schema may be looked into; a role without rights would only see that.
  private func checkSchemaRights(_ connection: Connection, _ report: inout CheckReport) throws -> Bool {
    let rows = try connection.query(
      """
      SELECT has_schema_privilege(n.oid, 'USAGE'), current_user,
        has_table_privilege(c.oid, 'SELECT')
      FROM pg_namespace AS n LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'migration'
      WHERE n.nspname = 'notify_bridge'
      """, timeout: Self.statement)
    guard let row = rows.first else { return true }
    guard row[0] == "t", row[2] != "f" else {
      report.fail("rights", "the role \(row[1] ?? "") may not use schema notify_bridge", Self.grant(row[1] ?? ""))
      return false
    }
    return true
  }

  private func checkRights(_ connection: Connection, _ report: inout CheckReport) throws {
    let rows = try connection.query(
      """
      SELECT current_user, what FROM (
        SELECT 'SELECT on notify_bridge.' || c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'notify_bridge' AND c.relname IN ('migration', 'source', 'served', 'replica', 'revocation', 'login')
          AND NOT has_table_privilege(c.oid, 'SELECT')
        UNION ALL
        SELECT 'EXECUTE on notify_bridge.' || p.proname FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname = 'notify_bridge'
          AND p.proname IN ('register_replica', 'arm', 'touch_replica', 'unregister_replica', 'purge', 'repair_txids',
            'look_up', 'login_tables', 'user_columns', 'find_table', 'column_type', 'kind_of', 'redeem_tickets',
            'clean_logins')
          AND NOT has_function_privilege(p.oid, 'EXECUTE')
        UNION ALL
        SELECT 'SELECT on ' || c.oid::regclass FROM notify_bridge.source AS s JOIN pg_class AS c ON c.oid = s.relation
        WHERE NOT has_table_privilege(c.oid, 'SELECT')
        UNION ALL
        SELECT 'USAGE on schema ' || n.nspname FROM notify_bridge.source AS s JOIN pg_class AS c ON c.oid = s.relation
        JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE NOT has_schema_privilege(n.oid, 'USAGE')
        UNION ALL
        SELECT format('UPDATE (%s) on %s', a.attname, c.oid::regclass)
        FROM notify_bridge.source AS s JOIN pg_class AS c ON c.oid = s.relation
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE a.attname IN ('is_sent', 'sent_at', 'is_read', 'read_at')
          AND NOT has_column_privilege(c.oid, a.attnum, 'UPDATE')
      ) AS missing (what)
      """, timeout: Self.statement)
    guard let role = rows.first?.first ?? nil else {
      return report.ok("rights", "the role may do what the bridge needs")
    }
    let missing = rows.compactMap { $0[1] }
    let more = missing.count > 3 ? " and \(missing.count - 3) more" : ""
    report.fail(
      "rights", "the role \(role) lacks \(missing.prefix(3).joined(separator: ", "))\(more)", Self.grant(role))
  }

  private func checkTables(_ connection: Connection, _ report: inout CheckReport) throws {
    let rows = try connection.query(
      """
      SELECT s.relation::text, c.oid IS NOT NULL, coalesce(row_security_active(c.oid), false),
        (SELECT t.tgenabled FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
         JOIN pg_namespace AS n ON n.oid = p.pronamespace
         WHERE t.tgrelid = c.oid AND n.nspname = 'notify_bridge' AND p.proname = 'ring'
         ORDER BY t.tgenabled LIMIT 1)
      FROM notify_bridge.source AS s LEFT JOIN pg_class AS c ON c.oid = s.relation ORDER BY 1
      """, timeout: Self.statement)
    if rows.isEmpty {
      report.fail(
        "tables", "no table is served: public.notification was there before `migrate`, and isn't ours",
        "Rename it and run notify-bridge migrate again, or use another database")
    }
    for row in rows {
      let table = row[0] ?? ""
      guard row[1] == "t" else {
        report.warn("doorbell", "the served table \(table) was dropped", "It is skipped")
        continue
      }
      checkTrigger(table, enabled: row[3], &report)
      if row[2] == "t" {
        report.warn(
          "row security", "\(table) has policies, and rows that they hide from the bridge are never delivered",
          "Add a policy that shows them all to the bridge's role, or give that role BYPASSRLS")
      }
    }
  }

  private func checkTrigger(_ table: String, enabled: String?, _ report: inout CheckReport) {
    switch enabled {
    case "A": report.ok("doorbell", "the trigger of \(table) rings always")
    case nil:
      report.fail(
        "doorbell", "\(table) has no trigger, so its rows come seconds late",
        "As its owner: CREATE TRIGGER notify_bridge_ring AFTER INSERT ON \(table) FOR EACH STATEMENT "
          + "EXECUTE FUNCTION notify_bridge.ring(); then the line that follows for ENABLE ALWAYS: "
          + "ALTER TABLE \(table) ENABLE ALWAYS TRIGGER notify_bridge_ring")
    case "D", "R":
      report.fail(
        "doorbell", "the trigger of \(table) is disabled, so its rows come seconds late",
        "As its owner: ALTER TABLE \(table) ENABLE ALWAYS TRIGGER notify_bridge_ring")
    default:
      report.warn(
        "doorbell", "the trigger of \(table) is silent for rows of replication",
        "As its owner: ALTER TABLE \(table) ENABLE ALWAYS TRIGGER notify_bridge_ring")
    }
  }

  private func checkClock(_ connection: Connection, _ report: inout CheckReport) throws {
    let before = Date()
    let rows = try connection.query("SELECT extract(epoch FROM clock_timestamp())", timeout: Self.statement)
    let middle = (before.timeIntervalSince1970 + Date().timeIntervalSince1970) / 2
    guard let theirs = (rows.first?.first ?? nil).flatMap({ Double($0) }) else { return }
    let difference = abs(theirs - middle)
    let shown = String(format: "%.3f s", difference)
    if difference > 1 {
      report.warn(
        "clock", "the clocks of this machine and of the database differ by \(shown)",
        "Set both by NTP: tokens expire, and latencies are measured, by them")
    } else {
      report.ok("clock", "differs from the database's by \(shown)")
    }
  }

  /// What gives a role its rights.
  static func grant(_ role: String) -> String {
    "As the owner of the database: SELECT notify_bridge.grant_to('\(role.replacing("'", with: "''"))')"
  }
}
