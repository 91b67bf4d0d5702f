import NotifyStore

/// Reports the rows and tables that are set aside.
struct QuarantineCheck {
  private static let statement: Duration = .milliseconds(1_500)

  let connection: PGConnection

  /// A warning for rows, a failure for a table.
  func run(_ report: inout CheckReport) throws {
    let rows = try connection.query(
      """
      SELECT q.source, q.stage, q.row_id IS NULL, count(*), string_agg(DISTINCT q.sqlstate, ', ' ORDER BY q.sqlstate)
      FROM notify_bridge.quarantine AS q GROUP BY q.source, q.stage, q.row_id IS NULL ORDER BY 1, 2, 3
      """, timeout: Self.statement)
    for row in rows {
      let (source, stage, errors) = (row[0] ?? "", row[1] ?? "", "SQLSTATE \(row[4] ?? "")")
      let what = Self.verbs[stage] ?? stage
      if row[2] == "t" {
        report.fail("quarantine", "\(source) can't be \(what) (\(errors))", Self.remedy)
      } else {
        let count = row[3] ?? ""
        report.warn(
          "quarantine", "\(count) \(count == "1" ? "row" : "rows") of \(source) can't be \(what) (\(errors))",
          Self.remedy)
      }
    }
    if rows.isEmpty { report.ok("quarantine", "no row and no table is set aside") }
  }

  private static let verbs = ["read": "read", "mark": "marked", "purge": "deleted by the retention"]
  private static let remedy =
    "SELECT * FROM notify_bridge.quarantine; remove the cause, then SELECT notify_bridge.retry_quarantined(source, ids)"
}
