import NotifyCore
import NotifyStore

/// Checks that writers which prepare transactions are set up for it: PREPARE TRANSACTION fails after a NOTIFY.
struct TwoPhaseCheck {
  private static let subject = "two-phase"
  private static let statement: Duration = .milliseconds(1_500)

  /// Whether the bridge expects such writers.
  let isExpected: Bool

  func run(_ connection: PGConnection, _ report: inout CheckReport) throws {
    let rows = try connection.query(
      """
      SELECT s.setting, (
        SELECT pg_catalog.string_agg(coalesce(r.rolname::text, 'the database ' || d.datname::text), ', ')
        FROM pg_catalog.pg_db_role_setting AS o
        LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = o.setrole LEFT JOIN pg_catalog.pg_database AS d ON d.oid = o.setdatabase
        WHERE (o.setdatabase = 0::oid OR d.datname = pg_catalog.current_database())
          AND pg_catalog.lower(pg_catalog.array_to_string(o.setconfig, '|')) ~ 'notify_bridge\\.two_phase=(on|true|yes|1)(\\||$)')
      FROM pg_catalog.pg_settings AS s WHERE s.name = 'max_prepared_transactions'
      """, timeout: Self.statement)
    guard let row = rows.first, let allowed = row[0], allowed != "0" else { return }
    let variable = Setting.of(\.store.doorbell.twoPhaseWriters).variable
    let silent = row[1] ?? ""
    switch (isExpected, silent.isEmpty) {
    case (true, false): report.ok(Self.subject, "writers that never ring: \(silent); the bridge polls for them")
    case (true, true):
      report.warn(
        Self.subject,
        "\(variable) is set, but no role has notify_bridge.two_phase: PREPARE TRANSACTION fails after a row",
        "ALTER ROLE the_writer SET notify_bridge.two_phase = on, unless its sessions set it themselves")
    case (false, false):
      report.warn(
        Self.subject, "notify_bridge.two_phase is on for \(silent), so its rows come up to two seconds late",
        "Set \(variable)=true: the bridge then polls")
    case (false, true):
      report.warn(
        Self.subject,
        "max_prepared_transactions is \(allowed): PREPARE TRANSACTION fails in a transaction that has inserted a row",
        "For a writer that uses it: ALTER ROLE the_writer SET notify_bridge.two_phase = on, and \(variable)=true")
    }
  }
}
